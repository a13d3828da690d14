//! The functions that mep adds to SQL.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, StringViewArray, StringViewBuilder};
use arrow::datatypes::DataType;
use datafusion::common::cast::as_string_view_array;
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::functions::math::signum;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use md5::{Digest, Md5};

use super::coalesce::Coalesce;
use super::date_bin::DateBin;
use super::date_trunc::DateTrunc;
use super::surrogate_key::SurrogateKey;
use super::tumble::Tumble;
use super::{json_text, parts_of_text, times};
use mep_core::keys::{Key, key};

/// What the functions do that mep adds.
pub const ADDED: [Key; 25] = [
    key(
        "hash_key",
        "hash_key(text)",
        "",
        "BIGINT: the first eight bytes of the text's MD5; NULL for NULL. The same in Hive, Spark and Trino.",
    ),
    key("fix_mojibake", "fix_mojibake(text)", "", "Undoes UTF-8 that was read as Latin-1, however often."),
    key(
        "surrogate_key",
        "surrogate_key(a, b, …)",
        "",
        "BIGINT: one hash of several columns (integers, texts, booleans, dates); NULL is a value like any other.",
    ),
    key(
        "tumble",
        "tumble(ts, interval '90 seconds')",
        "",
        "TIMESTAMP: the beginning of the window of this length that a time falls into.",
    ),
    key(
        "date_diff",
        "date_diff('day', from, to)",
        "",
        "BIGINT: how many boundaries of a unit lie between two times, as in DuckDB; also as `datediff`. `datediff(to, from)` counts days.",
    ),
    key(
        "datesub",
        "datesub('day', from, to)",
        "",
        "BIGINT: how many whole units go by between two times, as in DuckDB; `date_sub` of three arguments too.",
    ),
    key(
        "date_add",
        "date_add('day', number, time)",
        "",
        "A time so many units on; also as `dateadd`. A date stays one with days and longer units. `date_add(time, interval)` adds an interval.",
    ),
    key("multiply_interval", "interval '1 day' * number", "", "INTERVAL: so many times an interval."),
    key("last_day", "last_day(time)", "", "DATE: the last day of the month."),
    key("monthname", "monthname(time)", "", "VARCHAR: `January`."),
    key("dayname", "dayname(time)", "", "VARCHAR: `Monday`."),
    key(
        "epoch_ms",
        "epoch_ms(time)",
        "",
        "BIGINT: milliseconds since 1970; of a number of them, the TIMESTAMP.",
    ),
    key("epoch_us", "epoch_us(time)", "", "BIGINT: microseconds since 1970."),
    key(
        "make_timestamp",
        "make_timestamp(year, month, day, hour, minute, seconds)",
        "",
        "TIMESTAMP of its parts, or of microseconds since 1970.",
    ),
    key("strftime", "strftime(time, '%Y-%m-%d')", "", "VARCHAR: a time as a format writes it."),
    key("strptime", "strptime(text, '%Y-%m-%d')", "", "TIMESTAMP that a text says in a format."),
    key("try_strptime", "try_strptime(text, '%Y-%m-%d')", "", "The same, NULL where the text is another."),
    key(
        "string_split",
        "string_split(text, ',')",
        "",
        "VARCHAR[]: the parts of a text between separators; also as `split` and `str_split`.",
    ),
    key(
        "regexp_split_to_array",
        "regexp_split_to_array(text, '[,;]')",
        "",
        "VARCHAR[]: the parts of a text between what a pattern finds.",
    ),
    key(
        "regexp_extract",
        "regexp_extract(text, '([a-z]+)', 1)",
        "",
        "VARCHAR: what a pattern, or a group of it, finds first; empty where it finds nothing, as in DuckDB.",
    ),
    key("len", "len(text)", "", "BIGINT: how many characters a text has, or values a list."),
    key(
        "json_extract",
        "json_extract(text, '$.a')",
        "",
        "VARCHAR: the JSON that a path leads to, as in DuckDB; also as `json_extract_path` and `text -> '$.a'`.",
    ),
    key(
        "json_extract_string",
        "json_extract_string(text, '$.a')",
        "",
        "VARCHAR: the same, a text without its quotes; also as `json_extract_path_text`, `get_json_object` and `text ->> '$.a'`.",
    ),
    key(
        "json_array_length",
        "json_array_length(text)",
        "",
        "BIGINT: how many values a list of JSON has; 0 of what is no list.",
    ),
    key("json_valid", "json_valid(text)", "", "BOOLEAN: whether a text is JSON."),
];

/// All functions that mep adds.
pub fn all() -> Vec<Arc<ScalarUDF>> {
    let own = [
        ScalarUDF::new_from_impl(TextFunction::hash_key()),
        ScalarUDF::new_from_impl(TextFunction::fix_mojibake()),
        ScalarUDF::new_from_impl(SurrogateKey::new()),
        ScalarUDF::new_from_impl(Tumble::new()),
    ];
    own.into_iter()
        .chain(times::all())
        .chain(parts_of_text::all())
        .chain(json_text::all())
        .map(Arc::new)
        .collect()
}

/// The engine's functions that are replaced under their own names.
pub fn mended() -> Vec<Arc<ScalarUDF>> {
    vec![
        Arc::new(ScalarUDF::new_from_impl(Coalesce::default())),
        Arc::new(ScalarUDF::new_from_impl(DateBin::new())),
        Arc::new(ScalarUDF::new_from_impl(DateTrunc::new())),
        // As PostgreSQL, DuckDB, Spark and Trino call it.
        Arc::new(signum().as_ref().clone().with_aliases(["sign"])),
    ]
}

/// A function of one text.
#[derive(Debug)]
struct TextFunction {
    name: &'static str,
    returns: DataType,
    signature: Signature,
    evaluate: fn(&StringViewArray) -> ArrayRef,
}

/// The name stands for the function: there is one of each.
impl PartialEq for TextFunction {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for TextFunction {}

impl Hash for TextFunction {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl TextFunction {
    fn new(name: &'static str, returns: DataType, evaluate: fn(&StringViewArray) -> ArrayRef) -> Self {
        let signature = Signature::exact(vec![DataType::Utf8View], Volatility::Immutable);
        Self { name, returns, signature, evaluate }
    }

    /// `hash_key(text) -> BIGINT`: the first eight bytes, big-endian, of the text's MD5. NULL for NULL.
    ///
    /// Hive gives the same with `cast(conv(substr(md5(text), 1, 16), 16, -10) as bigint)`.
    fn hash_key() -> Self {
        Self::new("hash_key", DataType::Int64, |texts| {
            Arc::new(
                texts.iter().map(|text| text.map(|text| hash_key(text.as_bytes()))).collect::<Int64Array>(),
            )
        })
    }

    /// `fix_mojibake(text) -> VARCHAR`: undoes UTF-8 that was read as Latin-1, however often.
    fn fix_mojibake() -> Self {
        Self::new("fix_mojibake", DataType::Utf8View, |texts| {
            if texts.is_ascii() {
                return Arc::new(texts.clone());
            }
            let mut fixed = StringViewBuilder::with_capacity(texts.len());
            for text in texts {
                fixed.append_option(text.map(fix_mojibake));
            }
            Arc::new(fixed.finish())
        })
    }
}

impl ScalarUDFImpl for TextFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [argument] = arguments.args.as_slice() else {
            return exec_err!("{} takes one text", self.name);
        };
        let is_scalar = matches!(argument, ColumnarValue::Scalar(_));
        let texts = argument.to_array(if is_scalar { 1 } else { arguments.number_rows })?;
        let result = (self.evaluate)(as_string_view_array(&texts)?);
        if is_scalar {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(&result, 0)?));
        }
        Ok(ColumnarValue::Array(result))
    }
}

/// The first eight bytes, big-endian, of the MD5 of a text's bytes.
pub(super) fn hash_key(text: &[u8]) -> i64 {
    let digest = Md5::digest(text);
    digest.iter().take(8).fold(0_i64, |key, byte| (key << 8) | i64::from(*byte))
}

/// The text without any layer of UTF-8 read as Latin-1: as long as all characters fit Latin-1 and their bytes are
/// UTF-8 of something that is not plain ASCII, that is the text.
fn fix_mojibake(text: &str) -> Cow<'_, str> {
    let mut fixed = Cow::Borrowed(text);
    while !fixed.is_ascii() {
        let bytes: Option<Vec<u8>> = fixed.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
        match bytes.map(String::from_utf8) {
            Some(Ok(inner)) => fixed = Cow::Owned(inner),
            _ => break,
        }
    }
    fixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_says_what_it_does() {
        let names: Vec<String> = all().iter().map(|function| function.name().to_owned()).collect();
        assert_eq!(names, mep_core::keys::names(&ADDED).collect::<Vec<_>>());
    }

    #[test]
    fn a_hash_key_is_the_first_half_of_the_md5() {
        assert_eq!(hash_key(b"a"), i64::from_str_radix("0cc175b9c0f1b6a8", 16).unwrap());
        assert_eq!(hash_key(b""), u64::from_str_radix("d41d8cd98f00b204", 16).unwrap() as i64);
    }

    #[test]
    fn mojibake_is_undone_however_often_and_true_text_stays() {
        let once: String = "Björk".bytes().map(char::from).collect();
        let twice: String = once.bytes().map(char::from).collect();
        for text in ["Björk", &once, &twice] {
            assert_eq!(fix_mojibake(text), "Björk");
        }
        for text in ["Sigur Rós", "é", "東京", "plain", "Ã", ""] {
            assert_eq!(fix_mojibake(text), text);
        }
    }
}
