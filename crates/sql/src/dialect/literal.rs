//! Names and constants in the dialects' syntax.

use arrow::datatypes::DataType;
use chrono::DateTime;
use datafusion::common::ScalarValue;

use super::types::{digits, name};
use super::{Dialect, Untranslatable};

/// A name, quoted. Metastores keep names in lower case.
pub(super) fn identifier(dialect: Dialect, name: &str) -> String {
    let name = name.to_lowercase();
    match dialect {
        Dialect::Hive => format!("`{}`", name.replace('`', "``")),
        Dialect::Trino => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

/// A text in quotes. What is not plain ASCII is escaped, since metastores' databases do not keep all of Unicode; so is
/// `$`, which begins a variable of Hive.
pub(super) fn text(dialect: Dialect, value: &str) -> String {
    match dialect {
        Dialect::Hive => {
            let mut quoted = String::from("'");
            for unit in value.encode_utf16() {
                match u8::try_from(unit).map(char::from) {
                    Ok('\'') => quoted.push_str("\\'"),
                    Ok('\\') => quoted.push_str("\\\\"),
                    Ok(plain) if plain != '$' && (plain == ' ' || plain.is_ascii_graphic()) => {
                        quoted.push(plain);
                    }
                    _ => quoted.push_str(&format!("\\u{unit:04X}")),
                }
            }
            quoted + "'"
        }
        Dialect::Trino if value.chars().any(char::is_control) => {
            let mut quoted = String::from("U&'");
            for c in value.chars() {
                match c {
                    '\'' => quoted.push_str("''"),
                    '\\' => quoted.push_str("\\\\"),
                    c if c.is_control() => quoted.push_str(&format!("\\{:04X}", u32::from(c))),
                    c => quoted.push(c),
                }
            }
            quoted + "'"
        }
        Dialect::Trino => format!("'{}'", value.replace('\'', "''")),
    }
}

/// A constant of exactly its type.
pub(super) fn constant(dialect: Dialect, value: &ScalarValue) -> Result<String, Untranslatable> {
    let data_type = value.data_type();
    if value.is_null() {
        return Ok(format!("CAST(NULL AS {})", name(dialect, &data_type)?));
    }
    let refused = || Untranslatable::new(dialect, format!("the constant {value} of type {data_type}"));
    Ok(match value {
        ScalarValue::Boolean(Some(value)) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        ScalarValue::Int8(Some(value)) => whole(dialect, i64::from(*value), &data_type)?,
        ScalarValue::Int16(Some(value)) => whole(dialect, i64::from(*value), &data_type)?,
        ScalarValue::Int32(Some(value)) => whole(dialect, i64::from(*value), &data_type)?,
        ScalarValue::Int64(Some(value)) => whole(dialect, *value, &data_type)?,
        ScalarValue::UInt64(Some(value)) => {
            whole(dialect, i64::try_from(*value).map_err(|_| refused())?, &data_type)?
        }
        ScalarValue::Float64(Some(value)) if value.is_finite() && !is_negative_zero(*value) => {
            let digits = format!("{value:E}");
            if *value < 0.0 { format!("({digits})") } else { digits }
        }
        ScalarValue::Utf8(Some(value))
        | ScalarValue::LargeUtf8(Some(value))
        | ScalarValue::Utf8View(Some(value)) => text(dialect, value),
        ScalarValue::Date32(Some(days)) => {
            let date = date(i64::from(*days)).ok_or_else(refused)?;
            format!("DATE '{date}'")
        }
        ScalarValue::TimestampSecond(Some(value), None) => {
            timestamp(&data_type, *value, 1).ok_or_else(refused)?
        }
        ScalarValue::TimestampMillisecond(Some(value), None) => {
            timestamp(&data_type, *value, 1_000).ok_or_else(refused)?
        }
        ScalarValue::TimestampMicrosecond(Some(value), None) => {
            timestamp(&data_type, *value, 1_000_000).ok_or_else(refused)?
        }
        ScalarValue::TimestampNanosecond(Some(value), None) => {
            timestamp(&data_type, *value, 1_000_000_000).ok_or_else(refused)?
        }
        ScalarValue::Decimal128(Some(_), ..) => {
            format!("CAST('{value}' AS {})", name(dialect, &data_type)?)
        }
        ScalarValue::Dictionary(_, value) => constant(dialect, value)?,
        _ => return Err(refused()),
    })
}

fn is_negative_zero(value: f64) -> bool {
    value == 0.0 && value.is_sign_negative()
}

fn whole(dialect: Dialect, value: i64, data_type: &DataType) -> Result<String, Untranslatable> {
    if value == i64::MIN {
        // Its digits without the sign are no bigint.
        return Ok(format!("CAST('{value}' AS bigint)"));
    }
    let literal = match (dialect, data_type) {
        (Dialect::Hive, DataType::Int8) => format!("{value}Y"),
        (Dialect::Hive, DataType::Int16) => format!("{value}S"),
        (_, DataType::Int32) => value.to_string(),
        (Dialect::Hive, _) => format!("{value}L"),
        (Dialect::Trino, _) => return Ok(format!("{} '{value}'", name(dialect, data_type)?)),
    };
    Ok(if value < 0 { format!("({literal})") } else { literal })
}

/// A day within the years that all engines know.
fn date(days: i64) -> Option<String> {
    let seconds = days.checked_mul(86_400)?;
    let date = DateTime::from_timestamp(seconds, 0)?;
    let text = date.format("%Y-%m-%d").to_string();
    (text.len() == 10 && !text.starts_with("0000")).then_some(text)
}

fn timestamp(data_type: &DataType, value: i64, per_second: i64) -> Option<String> {
    let DataType::Timestamp(unit, None) = data_type else { return None };
    let seconds = value.div_euclid(per_second);
    let day = date(seconds.div_euclid(86_400))?;
    let time = DateTime::from_timestamp(seconds, 0)?.format("%H:%M:%S");
    let width = digits(*unit);
    Some(if width == 0 {
        format!("TIMESTAMP '{day} {time}'")
    } else {
        format!("TIMESTAMP '{day} {time}.{:0width$}'", value.rem_euclid(per_second))
    })
}
