//! One column in the making, and the rule of which JSON value it takes.
//!
//! Owns the rule, as the table below says it. Comes in: the value of one field, then the word that its row is good.
//! Goes out: an Arrow array, or why the value does not fit. Must not know: rows, files, other columns.
//!
//! | column | takes |
//! |---|---|
//! | bigint, integer, smallint, tinyint | a number without fractional part (`12`, `12.0`, `1.2e1`); a string of digits; `""` as null |
//! | decimal(p,s) | a number, or a string that is one, with all its digits; `""` as null |
//! | double, real | a number; as a double no whole number that it would change |
//! | boolean | `true`, `false` |
//! | varchar | a string |
//! | date | a string `YYYY-MM-DD` |
//! | timestamp | a string in ISO 8601, at an offset or in UTC, as `2024-5-1 9:30` too; finer than microseconds is cut off |
//! | time | a string `HH:MM`, `HH:MM:SS` or with a fraction of a second |
//! | binary | a string in base64 |
//! | list, struct, map | a list, an object with its fields, an object; what is within follows the same rule |
//! | any | `null`, unless it is required |

use std::borrow::Cow;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow::compute::kernels::cast_utils::string_to_datetime;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, FieldRef, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, Time64NanosecondType, TimeUnit, TimestampMicrosecondType,
};
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use chrono::{NaiveDate, NaiveTime, Timelike as _, Utc};

use super::decimal::Number;
use super::json::{JsonScanner, JsonValue, Text};
use super::nested::NestedColumn;
use mep_core::written_time::in_full;

/// Base64 with or without its padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// 9999-12-31T23:59:59.999Z.
const LAST_MILLISECOND: i64 = 253_402_300_799_999;

/// A column being filled: the values of all good rows so far, and that of the current row.
///
/// The current value counts only once [`ColumnBuilder::commit`] takes it over, so that a row that turns out bad leaves nothing.
#[derive(Debug)]
pub(super) enum ColumnBuilder {
    /// bigint
    Int64(Primitive<Int64Type>),
    /// integer
    Int32(Primitive<Int32Type>),
    /// smallint
    Int16(Primitive<Int16Type>),
    /// tinyint
    Int8(Primitive<Int8Type>),
    /// decimal, with its precision and scale
    Decimal(Primitive<Decimal128Type>, u8, i8),
    /// double
    Float64(Primitive<Float64Type>),
    /// real
    Float32(Primitive<Float32Type>),
    /// boolean
    Boolean(BooleanBuilder, bool),
    /// varchar
    Utf8(StringBuilder, Text),
    /// date
    Date(Primitive<Date32Type>),
    /// timestamp
    Timestamp(Primitive<TimestampMicrosecondType>),
    /// time
    Time(Primitive<Time64NanosecondType>),
    /// binary
    Binary(BinaryBuilder, Vec<u8>),
    /// list, struct, map
    Nested(Box<NestedColumn>),
}

/// A column of numbers.
#[derive(Debug)]
pub(super) struct Primitive<T: ArrowPrimitiveType> {
    builder: PrimitiveBuilder<T>,
    current: T::Native,
}

impl<T: ArrowPrimitiveType> Primitive<T> {
    fn new(rows: usize) -> Self {
        Self { builder: PrimitiveBuilder::with_capacity(rows), current: T::Native::default() }
    }

    fn commit(&mut self, is_given: bool) {
        self.builder.append_option(is_given.then_some(self.current));
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(self.builder.finish())
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// It is the column's current value.
    Value,
    /// It says that there is none.
    Null,
}

/// Why a value does not fit a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// It is of another type, or written in another way.
    Type,
    /// It has a fractional part; as a decimal, more digits behind the point than there is place for.
    Fraction,
    /// It has more digits than a double keeps.
    Digits,
    /// It is too large or too small.
    Range,
    /// Something within it does not fit.
    Within,
}

impl ColumnBuilder {
    /// An empty column with room for `rows`; `None` where rows cannot be read into this type.
    pub(super) fn new(data_type: &DataType, rows: usize) -> Option<Self> {
        Some(match data_type {
            DataType::Int64 => Self::Int64(Primitive::new(rows)),
            DataType::Int32 => Self::Int32(Primitive::new(rows)),
            DataType::Int16 => Self::Int16(Primitive::new(rows)),
            DataType::Int8 => Self::Int8(Primitive::new(rows)),
            DataType::Decimal128(precision, scale) => {
                let mut column = Primitive::new(rows);
                column.builder = column.builder.with_data_type(data_type.clone());
                Self::Decimal(column, *precision, *scale)
            }
            DataType::Float64 => Self::Float64(Primitive::new(rows)),
            DataType::Float32 => Self::Float32(Primitive::new(rows)),
            DataType::Boolean => Self::Boolean(BooleanBuilder::with_capacity(rows), false),
            DataType::Utf8 => Self::Utf8(StringBuilder::with_capacity(rows, rows * 16), Text::default()),
            DataType::Date32 => Self::Date(Primitive::new(rows)),
            DataType::Timestamp(TimeUnit::Microsecond, None) => Self::Timestamp(Primitive::new(rows)),
            DataType::Time64(TimeUnit::Nanosecond) => Self::Time(Primitive::new(rows)),
            DataType::Binary => Self::Binary(BinaryBuilder::with_capacity(rows, rows * 16), Vec::new()),
            other => return NestedColumn::new(other).map(|nested| Self::Nested(Box::new(nested))),
        })
    }

    /// Takes the current row's value.
    pub(super) fn set(&mut self, value: &JsonValue<'_>, scanner: &JsonScanner<'_>) -> Result<Given, Misfit> {
        if matches!(value, JsonValue::Null) {
            return Ok(Given::Null);
        }
        match self {
            Self::Int64(column) => return whole_into(&mut column.current, value, scanner),
            Self::Int32(column) => return whole_into(&mut column.current, value, scanner),
            Self::Int16(column) => return whole_into(&mut column.current, value, scanner),
            Self::Int8(column) => return whole_into(&mut column.current, value, scanner),
            Self::Decimal(column, precision, scale) => {
                let text = match value {
                    JsonValue::Number(number) => number,
                    JsonValue::Text(text) => match scanner.text(*text) {
                        "" => return Ok(Given::Null),
                        text => text,
                    },
                    _ => return Err(Misfit::Type),
                };
                column.current = Number::parse(text)?.unscaled(*precision, *scale)?;
            }
            Self::Float64(column) => {
                let double = finite(value, f64::is_finite)?;
                if matches!(value, JsonValue::Number(number) if is_changed(number, double)) {
                    return Err(Misfit::Digits);
                }
                column.current = double;
            }
            Self::Float32(column) => column.current = finite(value, f32::is_finite)?,
            Self::Boolean(_, current) => match value {
                JsonValue::Bool(value) => *current = *value,
                _ => return Err(Misfit::Type),
            },
            Self::Utf8(_, current) => match value {
                JsonValue::Text(text) => *current = *text,
                _ => return Err(Misfit::Type),
            },
            Self::Date(column) => column.current = days(string(value, scanner)?)?,
            Self::Timestamp(column) => column.current = microseconds(string(value, scanner)?)?,
            Self::Time(column) => column.current = nanoseconds_of_day(string(value, scanner)?)?,
            Self::Binary(_, current) => {
                current.clear();
                BASE64.decode_vec(string(value, scanner)?, current).map_err(|_| Misfit::Type)?;
            }
            Self::Nested(nested) => {
                let (JsonValue::List(json) | JsonValue::Object(json)) = value else {
                    return Err(Misfit::Type);
                };
                if !nested.set(*json, scanner) {
                    return Err(Misfit::Within);
                }
            }
        }
        Ok(Given::Value)
    }

    /// Takes the value that comes next, where it is written in the way that this column's values mostly are. Else nothing is read,
    /// and [`ColumnBuilder::set`] has the rule.
    #[inline]
    pub(super) fn take(&mut self, scanner: &mut JsonScanner<'_>) -> bool {
        match self {
            Self::Int64(column) => put(&mut column.current, scanner.plain_whole()),
            Self::Int32(column) => put(&mut column.current, scanner.plain_whole()),
            Self::Float64(column) => put(&mut column.current, scanner.plain_double()),
            Self::Utf8(_, current) => put(current, scanner.plain_text()),
            _ => false,
        }
    }

    /// How its values are written, where the name of the type does not say it.
    pub(super) fn written_as(&self) -> Option<&'static str> {
        Some(match self {
            Self::Date(_) => "YYYY-MM-DD",
            Self::Timestamp(_) => "ISO 8601",
            Self::Time(_) => "HH:MM:SS",
            Self::Binary(..) => "base64",
            _ => return None,
        })
    }

    /// What of the last value did not fit, for [`Misfit::Within`].
    pub(super) fn fault_within(&self) -> Option<&str> {
        match self {
            Self::Nested(nested) => Some(nested.fault()),
            _ => None,
        }
    }

    /// The current value as a time in epoch milliseconds, where the column can hold times of events.
    pub(super) fn current_millis(&self) -> Option<i64> {
        match self {
            Self::Int64(column) => Some(column.current),
            Self::Timestamp(column) => Some(column.current.div_euclid(1_000)),
            _ => None,
        }
    }

    /// Adds the current value, or null.
    pub(super) fn commit(&mut self, is_given: bool, scanner: &JsonScanner<'_>) {
        match self {
            Self::Int64(column) => column.commit(is_given),
            Self::Int32(column) => column.commit(is_given),
            Self::Int16(column) => column.commit(is_given),
            Self::Int8(column) => column.commit(is_given),
            Self::Decimal(column, ..) => column.commit(is_given),
            Self::Float64(column) => column.commit(is_given),
            Self::Float32(column) => column.commit(is_given),
            Self::Boolean(builder, current) => builder.append_option(is_given.then_some(*current)),
            Self::Utf8(builder, current) => builder.append_option(is_given.then(|| scanner.text(*current))),
            Self::Date(column) => column.commit(is_given),
            Self::Timestamp(column) => column.commit(is_given),
            Self::Time(column) => column.commit(is_given),
            Self::Binary(builder, current) => builder.append_option(is_given.then_some(current.as_slice())),
            Self::Nested(nested) => nested.commit(is_given, scanner),
        }
    }

    /// All values so far; the column is empty afterwards.
    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Int64(column) => column.finish(),
            Self::Int32(column) => column.finish(),
            Self::Int16(column) => column.finish(),
            Self::Int8(column) => column.finish(),
            Self::Decimal(column, ..) => column.finish(),
            Self::Float64(column) => column.finish(),
            Self::Float32(column) => column.finish(),
            Self::Boolean(builder, _) => Arc::new(builder.finish()),
            Self::Utf8(builder, _) => Arc::new(builder.finish()),
            Self::Date(column) => column.finish(),
            Self::Timestamp(column) => column.finish(),
            Self::Time(column) => column.finish(),
            Self::Binary(builder, _) => Arc::new(builder.finish()),
            Self::Nested(nested) => nested.finish(),
        }
    }
}

/// The SQL name of a type that rows are read into, for reasons.
pub fn sql_name(data_type: &DataType) -> Cow<'static, str> {
    Cow::Borrowed(match data_type {
        // What a file has that SQL has no name for is of the next larger type, as it is stored.
        DataType::Int64 | DataType::UInt32 => "bigint",
        DataType::Int32 | DataType::UInt16 => "integer",
        DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::UInt64 => "decimal(20,0)",
        DataType::Int8 => "tinyint",
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale) => {
            return Cow::Owned(format!("decimal({precision},{scale})"));
        }
        DataType::Float64 => "double",
        DataType::Float16 | DataType::Float32 => "real",
        DataType::Boolean => "boolean",
        DataType::Date32 => "date",
        DataType::Timestamp(_, _) => "timestamp",
        DataType::Time32(_) | DataType::Time64(_) => "time",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_) => {
            "binary"
        }
        DataType::List(item) | DataType::LargeList(item) | DataType::FixedSizeList(item, _) => {
            return Cow::Owned(format!("{}[]", sql_name(item.data_type())));
        }
        DataType::Struct(fields) => {
            let name = |name: &str| {
                let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                if is_plain { name.to_owned() } else { format!("\"{name}\"") }
            };
            let field = |field: &FieldRef| format!("{} {}", name(field.name()), sql_name(field.data_type()));
            return Cow::Owned(format!(
                "struct<{}>",
                fields.iter().map(field).collect::<Vec<_>>().join(", ")
            ));
        }
        DataType::Map(entries, _) => {
            let DataType::Struct(fields) = entries.data_type() else { return Cow::Borrowed("map") };
            let names: Vec<_> = fields.iter().map(|field| sql_name(field.data_type())).collect();
            return Cow::Owned(format!("map<{}>", names.join(", ")));
        }
        _ => "varchar",
    })
}

/// Whether a whole number, as written, is another one as a double. A fraction is never exact, and nobody expects it to be.
#[inline]
pub(super) fn is_changed(number: &str, double: f64) -> bool {
    // Any fifteen digits are the same in a double.
    number.len() > 15
        && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
        && Number::parse(number) != Number::of_double(double)
}

/// Whether the time of an event is one that a partition can be made of: in the years 1970 to 9999.
pub(super) fn is_plausible_millis(milliseconds: i64) -> bool {
    (0..=LAST_MILLISECOND).contains(&milliseconds)
}

#[inline]
fn put<T>(current: &mut T, value: Option<T>) -> bool {
    let is_there = value.is_some();
    if let Some(value) = value {
        *current = value;
    }
    is_there
}

fn string<'a>(value: &JsonValue<'_>, scanner: &'a JsonScanner<'_>) -> Result<&'a str, Misfit> {
    match value {
        JsonValue::Text(text) => Ok(scanner.text(*text)),
        _ => Err(Misfit::Type),
    }
}

fn finite<T: std::str::FromStr + Copy>(
    value: &JsonValue<'_>,
    is_finite: impl Fn(T) -> bool,
) -> Result<T, Misfit> {
    let JsonValue::Number(number) = value else { return Err(Misfit::Type) };
    let number = number.parse().map_err(|_| Misfit::Type)?;
    if is_finite(number) { Ok(number) } else { Err(Misfit::Range) }
}

fn whole_into<T: TryFrom<i64>>(
    current: &mut T,
    value: &JsonValue<'_>,
    scanner: &JsonScanner<'_>,
) -> Result<Given, Misfit> {
    let number = match value {
        JsonValue::Number(number) => whole(number)?,
        JsonValue::Text(text) => match scanner.text(*text) {
            "" => return Ok(Given::Null),
            text => digits(text)?,
        },
        _ => return Err(Misfit::Type),
    };
    *current = T::try_from(number).map_err(|_| Misfit::Range)?;
    Ok(Given::Value)
}

/// The value of a string of digits.
pub(super) fn digits(text: &str) -> Result<i64, Misfit> {
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Misfit::Type);
    }
    text.parse().map_err(|_| Misfit::Range)
}

/// The value of a JSON number without fractional part, exactly: not by way of a double.
fn whole(number: &str) -> Result<i64, Misfit> {
    if number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return number.parse().map_err(|_| Misfit::Range);
    }
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let significant = format!("{integer}{fraction}");
    let trimmed = significant.trim_end_matches('0');
    if matches!(trimmed, "" | "-") {
        return Ok(0);
    }
    // An exponent that is no i32 is so large that its sign alone decides.
    let exponent = exponent.parse::<i32>().map_or_else(
        |_| if exponent.starts_with('-') { i64::from(i32::MIN) } else { i64::from(i32::MAX) },
        i64::from,
    );
    let zeros = exponent - fraction.len() as i64 + (significant.len() - trimmed.len()) as i64;
    match usize::try_from(zeros) {
        Err(_) => Err(Misfit::Fraction),
        Ok(zeros) if zeros > 18 => Err(Misfit::Range),
        Ok(zeros) => format!("{trimmed}{}", "0".repeat(zeros)).parse().map_err(|_| Misfit::Range),
    }
}

/// The days since 1970-01-01 of a date as `YYYY-MM-DD`.
pub(super) fn days(text: &str) -> Result<i32, Misfit> {
    let bytes = text.as_bytes();
    let is_date = bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if !is_date {
        return Err(Misfit::Type);
    }
    let date = text.parse::<NaiveDate>().map_err(|_| Misfit::Type)?;
    Ok(arrow::datatypes::Date32Type::from_naive_date(date))
}

/// The microseconds since 1970 of a timestamp in ISO 8601, of which zeros may be left out; without an offset it is in UTC.
pub(super) fn microseconds(text: &str) -> Result<i64, Misfit> {
    let time = string_to_datetime(&Utc, text).ok();
    let time = time.or_else(|| string_to_datetime(&Utc, &in_full(text)?).ok());
    time.map(|time| time.timestamp_micros()).ok_or(Misfit::Type)
}

/// The nanoseconds since midnight of a time as `HH:MM`, `HH:MM:SS` or with a fraction.
pub(super) fn nanoseconds_of_day(text: &str) -> Result<i64, Misfit> {
    let form = if text.len() == 5 { "%H:%M" } else { "%H:%M:%S%.f" };
    let is_written_so = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.'))
        && text.as_bytes().get(2) == Some(&b':');
    let time = NaiveTime::parse_from_str(text, form).ok().filter(|_| is_written_so).ok_or(Misfit::Type)?;
    // A leap second is no time of a day that SQL has.
    if time.nanosecond() >= 1_000_000_000 {
        return Err(Misfit::Range);
    }
    Ok(i64::from(time.num_seconds_from_midnight()) * 1_000_000_000 + i64::from(time.nanosecond()))
}
