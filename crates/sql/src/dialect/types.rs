//! The types of columns in the words of other engines, and which types mean the same everywhere.

use arrow::datatypes::{DataType, TimeUnit};

use super::{Dialect, Untranslatable};

/// A type in Hive's words.
///
/// # Errors
/// Where Hive has no such type.
pub fn hive_type(data_type: &DataType) -> Result<String, Untranslatable> {
    name(Dialect::Hive, data_type)
}

/// A type in Trino's words.
///
/// # Errors
/// Where Trino has no such type.
pub fn trino_type(data_type: &DataType) -> Result<String, Untranslatable> {
    name(Dialect::Trino, data_type)
}

/// A type's name; unsigned numbers, which ranks and counts are, have the next larger signed type.
pub(super) fn name(dialect: Dialect, data_type: &DataType) -> Result<String, Untranslatable> {
    let is_hive = dialect == Dialect::Hive;
    let either = |hive: &str, trino: &str| if is_hive { hive.to_owned() } else { trino.to_owned() };
    Ok(match data_type {
        DataType::Boolean => "boolean".to_owned(),
        DataType::Int8 => "tinyint".to_owned(),
        DataType::Int16 | DataType::UInt8 => "smallint".to_owned(),
        DataType::Int32 | DataType::UInt16 => either("int", "integer"),
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint".to_owned(),
        DataType::Float32 => either("float", "real"),
        DataType::Float64 => "double".to_owned(),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => either("string", "varchar"),
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => either("binary", "varbinary"),
        DataType::Date32 => "date".to_owned(),
        DataType::Timestamp(_, None) if is_hive => "timestamp".to_owned(),
        DataType::Timestamp(unit, None) => format!("timestamp({})", digits(*unit)),
        DataType::Decimal128(precision, scale) if *scale >= 0 => format!("decimal({precision},{scale})"),
        DataType::Dictionary(_, value) => name(dialect, value)?,
        DataType::Null => {
            let problem = Untranslatable::new(dialect, "a column that is always null and so has no type");
            return Err(problem.help("give it one: cast(null as varchar)"));
        }
        other => return Err(Untranslatable::new(dialect, format!("the type {other}"))),
    })
}

/// How many digits a fraction of a second has.
pub(super) fn digits(unit: TimeUnit) -> usize {
    match unit {
        TimeUnit::Second => 0,
        TimeUnit::Millisecond => 3,
        TimeUnit::Microsecond => 6,
        TimeUnit::Nanosecond => 9,
    }
}

/// Whether the values of a type are equal and ordered in the same way everywhere. Doubles are not: -0.0 and NaN.
pub(super) fn is_comparable(data_type: &DataType) -> bool {
    data_type.is_integer()
        || data_type.is_string()
        || matches!(
            data_type,
            DataType::Boolean | DataType::Date32 | DataType::Timestamp(_, None) | DataType::Decimal128(..)
        )
}

/// Whether two types are one in other engines, which know one type of text.
pub(super) fn is_same(left: &DataType, right: &DataType) -> bool {
    left == right || (left.is_string() && right.is_string())
}
