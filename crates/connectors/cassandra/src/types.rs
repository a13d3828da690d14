//! Which type of Cassandra a column's values are kept in.

use arrow::datatypes::{DataType, TimeUnit};

/// The CQL type that holds every value of an Arrow type, or all that mep gives it; `None` where there is none.
///
/// Unsigned integers take the next larger signed type. `UInt64`, which counts are given in, is a `bigint` too: a value that does not
/// fit is an error when it comes.
pub(super) fn cql_type(of: &DataType) -> Option<&'static str> {
    Some(match of {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text",
        DataType::Binary | DataType::LargeBinary | DataType::BinaryView => "blob",
        DataType::Boolean => "boolean",
        DataType::Int8 => "tinyint",
        DataType::Int16 | DataType::UInt8 => "smallint",
        DataType::Int32 | DataType::UInt16 => "int",
        DataType::Int64 | DataType::UInt32 | DataType::UInt64 => "bigint",
        DataType::Float32 => "float",
        DataType::Float64 => "double",
        DataType::Decimal128(_, _) => "decimal",
        DataType::Date32 => "date",
        DataType::Timestamp(
            TimeUnit::Second | TimeUnit::Millisecond | TimeUnit::Microsecond | TimeUnit::Nanosecond,
            None,
        ) => "timestamp",
        _ => return None,
    })
}
