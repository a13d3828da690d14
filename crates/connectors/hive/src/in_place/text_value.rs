//! What a text means as a value of a type of Hive. What means nothing is NULL, as Hive has it.
//!
//! Owns the rules of LazySimpleSerDe for single values; `tests/e2e/hive_sources` compares them with those of HiveServer2. Must not know: files,
//! lines.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryBuilder, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array, Int16Array,
    Int32Array, Int64Array, ListArray, MapArray, StringArray, StructArray, TimestampMicrosecondArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::DataType;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::column_type::{HiveType, entries};
use super::fitted::{Unfit, fitted_value};
use super::text::TextFormat;

/// As Java's decoder takes texts: with or without what fills the last four characters up.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

type ValueTexts<'a> = [Option<&'a [u8]>];

/// The values that texts stand for; those of lists and the like lie within marks of this depth.
///
/// # Errors
/// Where one that is wanted as text is not UTF-8.
pub(super) fn values(
    format: &TextFormat,
    of: &HiveType,
    texts: &ValueTexts<'_>,
    depth: usize,
) -> Result<ArrayRef, Unfit> {
    Ok(match of {
        HiveType::Boolean => Arc::new(texts.iter().map(|text| boolean((*text)?)).collect::<BooleanArray>()),
        HiveType::TinyInt => Arc::new(whole(texts, |n| i8::try_from(n).ok()).collect::<Int8Array>()),
        HiveType::SmallInt => Arc::new(whole(texts, |n| i16::try_from(n).ok()).collect::<Int16Array>()),
        HiveType::Int => Arc::new(whole(texts, |n| i32::try_from(n).ok()).collect::<Int32Array>()),
        HiveType::BigInt => Arc::new(whole(texts, |n| i64::try_from(n).ok()).collect::<Int64Array>()),
        HiveType::Float => {
            Arc::new(texts.iter().map(|text| float((*text)?)?.parse().ok()).collect::<Float32Array>())
        }
        HiveType::Double => {
            Arc::new(texts.iter().map(|text| float((*text)?)?.parse().ok()).collect::<Float64Array>())
        }
        HiveType::Decimal(digits, scale) => {
            let texts = texts.iter().map(|text| plain_decimal(number((*text)?)?)).collect::<StringArray>();
            let or_null = CastOptions { safe: true, ..CastOptions::default() };
            cast_with_options(&texts, &DataType::Decimal128(*digits, scale.cast_signed()), &or_null)?
        }
        HiveType::String | HiveType::Varchar(_) | HiveType::Char(_) => {
            let text = |text: Option<&[u8]>| match text {
                None => Ok(None),
                Some(text) => String::from_utf8(format.unescaped(text)).map(Some).map_err(|_| Unfit::NotUtf8),
            };
            let texts: Vec<Option<String>> = texts.iter().copied().map(text).collect::<Result<_, _>>()?;
            let texts: ArrayRef = Arc::new(StringArray::from(texts));
            fitted_value(&texts, of)?
        }
        HiveType::Binary => {
            let mut bytes = BinaryBuilder::new();
            for text in texts {
                bytes.append_option(text.map(|text| binary(&format.unescaped(text))));
            }
            Arc::new(bytes.finish())
        }
        HiveType::Date => Arc::new(texts.iter().map(|text| date((*text)?)).collect::<Date32Array>()),
        HiveType::Timestamp => {
            Arc::new(texts.iter().map(|text| timestamp((*text)?)).collect::<TimestampMicrosecondArray>())
        }
        HiveType::Array(item) => {
            let parts: Vec<Vec<&[u8]>> = texts.iter().map(|text| within(format, *text, depth)).collect();
            let items: Vec<Option<&[u8]>> =
                parts.iter().flatten().map(|part| format.or_null(Some(part))).collect();
            let items = values(format, item, &items, depth + 1)?;
            let DataType::List(field) = of.of_column() else { return Err(not_a(of)) };
            Arc::new(ListArray::try_new(field, offsets(&parts), items, Some(nulls(texts)))?)
        }
        HiveType::Map(key, value) => {
            let parts: Vec<Vec<&[u8]>> = texts.iter().map(|text| within(format, *text, depth)).collect();
            let pairs: Vec<(&[u8], Option<&[u8]>)> =
                parts.iter().flatten().map(|entry| pair(format, entry, depth + 1)).collect();
            let keys: Vec<Option<&[u8]>> = pairs.iter().map(|(key, _)| Some(*key)).collect();
            let those: Vec<Option<&[u8]>> = pairs.iter().map(|(_, value)| format.or_null(*value)).collect();
            let keys = values(format, key, &keys, depth + 2)?;
            let those = values(format, value, &those, depth + 2)?;
            let field = entries(key, value);
            let DataType::Struct(fields) = field.data_type() else { return Err(not_a(of)) };
            let of_map = StructArray::try_new(fields.clone(), vec![keys, those], None)?;
            Arc::new(MapArray::try_new(field, offsets(&parts), of_map, Some(nulls(texts)), false)?)
        }
        HiveType::Struct(fields) => {
            let parts: Vec<Vec<&[u8]>> = texts
                .iter()
                .map(|text| text.map_or_else(Vec::new, |text| format.split(text, depth)))
                .collect();
            let columns = fields.iter().enumerate().map(|(at, (_, of))| {
                let texts: Vec<Option<&[u8]>> =
                    parts.iter().map(|parts| format.or_null(parts.get(at).copied())).collect();
                values(format, of, &texts, depth + 1)
            });
            let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
            let DataType::Struct(fields) = of.of_column() else { return Err(not_a(of)) };
            Arc::new(StructArray::try_new_with_length(fields, columns, Some(nulls(texts)), texts.len())?)
        }
    })
}

fn not_a(of: &HiveType) -> Unfit {
    Unfit::Refused(format!("{} is not made of parts", of.of_column()))
}

/// The parts of a list or map; an empty text has none.
fn within<'a>(format: &TextFormat, text: Option<&'a [u8]>, depth: usize) -> Vec<&'a [u8]> {
    match text {
        None | Some([]) => Vec::new(),
        Some(text) => format.split(text, depth),
    }
}

/// Key and value of an entry; one without a mark has no value.
fn pair<'a>(format: &TextFormat, entry: &'a [u8], depth: usize) -> (&'a [u8], Option<&'a [u8]>) {
    let key = format.split(entry, depth).first().copied().unwrap_or_default();
    (key, entry.get(key.len() + 1..))
}

fn offsets(parts: &[Vec<&[u8]>]) -> OffsetBuffer<i32> {
    OffsetBuffer::from_lengths(parts.iter().map(Vec::len))
}

fn nulls(texts: &ValueTexts<'_>) -> NullBuffer {
    texts.iter().map(Option::is_some).collect()
}

fn boolean(text: &[u8]) -> Option<bool> {
    if text.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else {
        text.eq_ignore_ascii_case(b"false").then_some(false)
    }
}

/// Whole numbers: what stands behind a point is left out, and one with spaces around it is none.
fn whole<'a, T>(
    texts: &'a ValueTexts<'a>,
    narrowed: impl Fn(i128) -> Option<T> + 'a,
) -> impl Iterator<Item = Option<T>> + 'a {
    texts.iter().map(move |text| {
        let text = std::str::from_utf8((*text)?).ok()?;
        let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
        let unsigned = digits.trim_start_matches(['+', '-']);
        let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = digits.len() - unsigned.len() <= 1 && are_digits(unsigned) && are_digits(fraction);
        if !is_number || unsigned.is_empty() && fraction.is_empty() {
            return None;
        }
        let number = if unsigned.is_empty() { 0 } else { digits.parse().ok()? };
        narrowed(number)
    })
}

fn number(text: &[u8]) -> Option<&str> {
    Some(std::str::from_utf8(text).ok()?.trim())
}

/// A number without an exponent: its point stands where the exponent says.
fn plain_decimal(text: &str) -> Option<String> {
    let Some((digits, exponent)) = text.split_once(['e', 'E']) else { return Some(text.to_owned()) };
    let exponent: i64 = exponent.parse().ok().filter(|exponent: &i64| exponent.abs() <= 100)?;
    let (sign, unsigned) = match digits.strip_prefix('-') {
        Some(unsigned) => ("-", unsigned),
        None => ("", digits.strip_prefix('+').unwrap_or(digits)),
    };
    let (before, after) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all = format!("{before}{after}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let point = i64::try_from(before.len()).ok()? + exponent;
    let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
    let length = i64::try_from(all.len()).ok()?;
    Some(match usize::try_from(point) {
        Ok(point) if point < all.len() => format!("{sign}{}.{}", &all[..point], &all[point..]),
        Ok(_) => format!("{sign}{all}{}", zeros(point - length)),
        Err(_) => format!("{sign}0.{}{all}", zeros(-point)),
    })
}

/// A number as Java writes it, as Rust reads it.
fn float(text: &[u8]) -> Option<&str> {
    let text = number(text)?;
    let plain = text.trim_start_matches(['+', '-']);
    if matches!(plain, "NaN" | "Infinity") {
        return Some(text);
    }
    let text = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    // Rust has names of its own for what is no number.
    text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)).then_some(text)
}

/// The bytes that a text stands for in Base64; one that is none stands for itself.
fn binary(text: &[u8]) -> Vec<u8> {
    BASE64.decode(text).unwrap_or_else(|_| text.to_vec())
}

/// A date, whatever time stands behind it.
fn date(text: &[u8]) -> Option<i32> {
    let text = number(text)?;
    let day = text.split([' ', 'T']).next()?;
    i32::try_from(day_of(day)?.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

fn day_of(text: &str) -> Option<NaiveDate> {
    let mut parts = text.splitn(3, '-');
    let mut part = |most: usize| {
        let part = parts.next()?;
        let is_number = (1..=most).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        is_number.then_some(part)
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// A date and a time of day, in microseconds.
fn timestamp(text: &[u8]) -> Option<i64> {
    let text = number(text)?;
    let (day, time) = text.split_once([' ', 'T'])?;
    let time = NaiveTime::parse_from_str(time, "%H:%M:%S%.f").ok()?;
    Some(NaiveDateTime::new(day_of(day)?, time).and_utc().timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::util::display::array_value_to_string;

    fn read(of: &str, text: &str) -> String {
        let of = HiveType::parse(of).unwrap();
        let format = TextFormat::default();
        let found = values(&format, &of, &[format.or_null(Some(text.as_bytes()))], 1).unwrap();
        let is_null = arrow::array::Array::is_null(&found, 0);
        if is_null { "NULL".to_owned() } else { array_value_to_string(&found, 0).unwrap() }
    }

    /// As HiveServer2 4.0 reads them.
    #[test]
    fn a_text_means_what_it_means_to_hive() {
        let texts = [
            "1",
            " 2 ",
            "1.7",
            "1e3",
            "-5.",
            "+3",
            "abc",
            "",
            "2147483648",
            "NaN",
            "Infinity",
            "1d",
            "inf",
            "2018-11-03",
            "2018-13-01",
            "2018-1-3",
            "2018-11-03 10:00:00",
            "2018-11-03T10:00:00.123456789",
            "2018-02-30",
            "TRUE",
            "t",
            "eHl6",
            "1.005",
            "99999999999999999999",
            ".5",
            "-",
            "\\N",
        ];
        let types =
            ["tinyint", "int", "bigint", "float", "double", "decimal(5,2)", "date", "timestamp", "boolean"];
        let line = |text: &&str| {
            let read: Vec<String> = types.iter().map(|of| read(of, text)).collect();
            format!("{text:?}: {}", read.join(", "))
        };
        insta::assert_snapshot!(texts.iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
        "1": 1, 1, 1, 1.0, 1.0, 1.00, NULL, NULL, NULL
        " 2 ": NULL, NULL, NULL, 2.0, 2.0, 2.00, NULL, NULL, NULL
        "1.7": 1, 1, 1, 1.7, 1.7, 1.70, NULL, NULL, NULL
        "1e3": NULL, NULL, NULL, 1000.0, 1000.0, NULL, NULL, NULL, NULL
        "-5.": -5, -5, -5, -5.0, -5.0, -5.00, NULL, NULL, NULL
        "+3": 3, 3, 3, 3.0, 3.0, 3.00, NULL, NULL, NULL
        "abc": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "2147483648": NULL, NULL, 2147483648, 2147483600.0, 2147483648.0, NULL, NULL, NULL, NULL
        "NaN": NULL, NULL, NULL, NaN, NaN, NULL, NULL, NULL, NULL
        "Infinity": NULL, NULL, NULL, inf, inf, NULL, NULL, NULL, NULL
        "1d": NULL, NULL, NULL, 1.0, 1.0, NULL, NULL, NULL, NULL
        "inf": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "2018-11-03": NULL, NULL, NULL, NULL, NULL, NULL, 2018-11-03, NULL, NULL
        "2018-13-01": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "2018-1-3": NULL, NULL, NULL, NULL, NULL, NULL, 2018-01-03, NULL, NULL
        "2018-11-03 10:00:00": NULL, NULL, NULL, NULL, NULL, NULL, 2018-11-03, 2018-11-03T10:00:00, NULL
        "2018-11-03T10:00:00.123456789": NULL, NULL, NULL, NULL, NULL, NULL, 2018-11-03, 2018-11-03T10:00:00.123456, NULL
        "2018-02-30": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "TRUE": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, true
        "t": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "eHl6": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "1.005": 1, 1, 1, 1.005, 1.005, 1.01, NULL, NULL, NULL
        "99999999999999999999": NULL, NULL, NULL, 1e20, 1e20, NULL, NULL, NULL, NULL
        ".5": 0, 0, 0, 0.5, 0.5, 0.50, NULL, NULL, NULL
        "-": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "\\N": NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
        "#);
    }

    #[test]
    fn what_is_made_of_parts_has_them_between_marks() {
        assert_eq!(read("array<int>", "1\u{2}\\N\u{2}3"), "[1, , 3]");
        assert_eq!(read("array<int>", ""), "[]");
        assert_eq!(read("map<string,int>", "a\u{3}1\u{2}b"), "{a: 1, b: }");
        assert_eq!(read("struct<a:int,b:array<string>>", "1\u{2}x\u{3}y"), "{a: 1, b: [x, y]}");
        assert_eq!(read("struct<a:int,b:string>", "1"), "{a: 1, b: }");
        assert_eq!(read("array<array<int>>", "1\u{3}2\u{2}3"), "[[1, 2], [3]]");
    }

    #[test]
    fn an_exponent_moves_the_point() {
        let moved = [
            ("1.2e1", "12"),
            ("1.25E1", "12.5"),
            ("-5e-3", "-0.005"),
            ("1e3", "1000"),
            (".5e0", ".5"),
            ("7", "7"),
        ];
        for (text, expected) in moved {
            assert_eq!(plain_decimal(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(plain_decimal("1e999"), None);
        assert_eq!(plain_decimal("xe1"), None);
    }

    #[test]
    fn bytes_are_base64_where_they_can_be() {
        let texts =
            [("eHl6", "xyz"), ("t", "t"), ("1 2", "1 2"), ("eHk", "xy"), ("eHk=", "xy"), ("a-b", "a-b")];
        for (text, expected) in texts {
            assert_eq!(binary(text.as_bytes()), expected.as_bytes(), "{text}");
        }
    }
}
