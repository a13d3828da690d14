//! The values of a batch of rows as Cassandra takes them: a column at a time, with no texts in between.

use arrow::array::{
    Array, ArrayRef, AsArray, BinaryArray, BinaryViewArray, LargeBinaryArray, LargeStringArray,
    PrimitiveArray, RecordBatch, StringArray, StringViewArray,
};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type,
    Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};

use super::shape::Shape;
use mep_contract::sink::SinkError;

/// Cassandra takes no longer value in a key.
const LONGEST_KEY: usize = 65_535;

/// The values of one column, by row.
pub(super) struct Cells {
    values: CellValues,
    nulls: Option<arrow::buffer::NullBuffer>,
}

enum CellValues {
    /// Each of so many bytes.
    Fixed(usize, Vec<u8>),
    /// Each up to the end that stands at its place.
    Varying(Vec<usize>, Vec<u8>),
    Text(StringArray),
    LargeText(LargeStringArray),
    TextView(StringViewArray),
    Blob(BinaryArray),
    LargeBlob(LargeBinaryArray),
    BlobView(BinaryViewArray),
}

impl Cells {
    /// The bytes of a value; `None`: null.
    pub(super) fn get(&self, row: usize) -> Option<&[u8]> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        Some(match &self.values {
            CellValues::Fixed(width, bytes) => &bytes[row * width..(row + 1) * width],
            CellValues::Varying(ends, bytes) => {
                let start = if row == 0 { 0 } else { ends[row - 1] };
                &bytes[start..ends[row]]
            }
            CellValues::Text(array) => array.value(row).as_bytes(),
            CellValues::LargeText(array) => array.value(row).as_bytes(),
            CellValues::TextView(array) => array.value(row).as_bytes(),
            CellValues::Blob(array) => array.value(row),
            CellValues::LargeBlob(array) => array.value(row),
            CellValues::BlobView(array) => array.value(row),
        })
    }
}

/// The columns of a batch that a statement binds, in its order.
///
/// # Errors
/// [`SinkError::Refused`] where a value cannot be kept, or cannot be in a key.
pub(super) fn cells_of(
    shape: &Shape,
    columns: &[&str],
    batch: &RecordBatch,
) -> Result<Vec<Cells>, SinkError> {
    let (partition_key, key) = (shape.partition_key(), shape.key());
    let mut all = Vec::with_capacity(columns.len());
    for name in columns {
        let refused = |why: &str| SinkError::Refused(format!("{}: the column `{name}` {why}", shape.name));
        let array = batch.column_by_name(name).ok_or_else(|| refused("is missing in the rows"))?;
        let is_key = key.contains(name);
        if is_key && array.null_count() > 0 {
            return Err(refused("is part of the key and is null in a row; cassandra has no such keys"));
        }
        let cells = Cells::of(array, is_key).map_err(|why| refused(&why))?;
        if is_key {
            let is_alone = partition_key == [*name];
            for row in 0..array.len() {
                match cells.get(row).map_or(0, <[u8]>::len) {
                    0 if is_alone => {
                        return Err(refused(
                            "is all of the partition key and is empty in a row; cassandra has no such keys",
                        ));
                    }
                    length if length > LONGEST_KEY => {
                        let why = format!(
                            "is part of the key and has a value of {length} bytes; cassandra takes at most {LONGEST_KEY}"
                        );
                        return Err(refused(&why));
                    }
                    _ => {}
                }
            }
        }
        all.push(cells);
    }
    Ok(all)
}

impl Cells {
    /// A column's values; an error says what is wrong with one.
    fn of(array: &ArrayRef, is_key: bool) -> Result<Self, String> {
        let milliseconds = |of: i64, by: i64| of.checked_mul(by).ok_or_else(|| past_its_end(of, "timestamp"));
        let floored = |of: i64, by: i64| {
            if is_key && of.rem_euclid(by) != 0 {
                return Err(format!(
                    "is part of the key and has a time with more than milliseconds ({of}); cassandra keeps milliseconds, \
                     so that different keys would be the same: round it in the model"
                ));
            }
            Ok(of.div_euclid(by))
        };
        let values = match array.data_type() {
            DataType::Utf8 => CellValues::Text(array.as_string().clone()),
            DataType::LargeUtf8 => CellValues::LargeText(array.as_string().clone()),
            DataType::Utf8View => CellValues::TextView(array.as_string_view().clone()),
            DataType::Binary => CellValues::Blob(array.as_binary().clone()),
            DataType::LargeBinary => CellValues::LargeBlob(array.as_binary().clone()),
            DataType::BinaryView => CellValues::BlobView(array.as_binary_view().clone()),
            DataType::Boolean => {
                let values = array.as_boolean().values();
                CellValues::Fixed(1, values.iter().map(u8::from).collect())
            }
            DataType::Int8 => plain(array.as_primitive::<Int8Type>(), i8::to_be_bytes),
            DataType::Int16 => plain(array.as_primitive::<Int16Type>(), i16::to_be_bytes),
            DataType::Int32 => plain(array.as_primitive::<Int32Type>(), i32::to_be_bytes),
            DataType::Int64 => plain(array.as_primitive::<Int64Type>(), i64::to_be_bytes),
            DataType::UInt8 => {
                plain(array.as_primitive::<UInt8Type>(), |value| i16::from(value).to_be_bytes())
            }
            DataType::UInt16 => {
                plain(array.as_primitive::<UInt16Type>(), |value| i32::from(value).to_be_bytes())
            }
            DataType::UInt32 => {
                plain(array.as_primitive::<UInt32Type>(), |value| i64::from(value).to_be_bytes())
            }
            DataType::UInt64 => checked(array.as_primitive::<UInt64Type>(), |value| {
                i64::try_from(value).map(i64::to_be_bytes).map_err(|_| past_its_end(value, "bigint"))
            })?,
            DataType::Float32 => plain(array.as_primitive::<Float32Type>(), f32::to_be_bytes),
            DataType::Float64 => plain(array.as_primitive::<Float64Type>(), f64::to_be_bytes),
            // Days are counted from the middle of the unsigned numbers.
            DataType::Date32 => plain(array.as_primitive::<Date32Type>(), |days| {
                days.cast_unsigned().wrapping_add(1 << 31).to_be_bytes()
            }),
            DataType::Timestamp(TimeUnit::Second, None) => {
                checked(array.as_primitive::<TimestampSecondType>(), |value| {
                    milliseconds(value, 1_000).map(i64::to_be_bytes)
                })?
            }
            DataType::Timestamp(TimeUnit::Millisecond, None) => {
                plain(array.as_primitive::<TimestampMillisecondType>(), i64::to_be_bytes)
            }
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                checked(array.as_primitive::<TimestampMicrosecondType>(), |value| {
                    floored(value, 1_000).map(i64::to_be_bytes)
                })?
            }
            DataType::Timestamp(TimeUnit::Nanosecond, None) => {
                checked(array.as_primitive::<TimestampNanosecondType>(), |value| {
                    floored(value, 1_000_000).map(i64::to_be_bytes)
                })?
            }
            DataType::Decimal128(_, scale) => decimals(array.as_primitive::<Decimal128Type>(), *scale),
            other => return Err(format!("is of type {other}, which cassandra has no type for")),
        };
        Ok(Self { values, nulls: array.logical_nulls() })
    }
}

fn past_its_end(value: impl std::fmt::Display, cql_type: &str) -> String {
    format!("has the value {value}, which does not fit into a {cql_type} of cassandra")
}

/// Numbers of a fixed width, whatever stands at the place of a null.
fn plain<T: ArrowPrimitiveType, const WIDTH: usize>(
    array: &PrimitiveArray<T>,
    bytes: impl Fn(T::Native) -> [u8; WIDTH],
) -> CellValues {
    CellValues::Fixed(WIDTH, array.values().iter().flat_map(|value| bytes(*value)).collect())
}

/// As [`plain`], where not all values can be kept.
fn checked<T: ArrowPrimitiveType, const WIDTH: usize>(
    array: &PrimitiveArray<T>,
    bytes: impl Fn(T::Native) -> Result<[u8; WIDTH], String>,
) -> Result<CellValues, String> {
    let mut all = Vec::with_capacity(array.len() * WIDTH);
    for value in array {
        all.extend_from_slice(&value.map_or(Ok([0; WIDTH]), &bytes)?);
    }
    Ok(CellValues::Fixed(WIDTH, all))
}

/// Decimals: the scale, then the digits as a number of as few bytes as it takes.
fn decimals(array: &PrimitiveArray<Decimal128Type>, scale: i8) -> CellValues {
    let (mut ends, mut bytes) = (Vec::with_capacity(array.len()), Vec::new());
    for value in array.values() {
        bytes.extend_from_slice(&i32::from(scale).to_be_bytes());
        let digits = value.to_be_bytes();
        // Leading bytes that only repeat the sign of the next one say nothing.
        let sign = if *value < 0 { 0xff } else { 0 };
        let needed = |at: usize| digits[at] != sign || digits[at + 1] & 0x80 != sign & 0x80;
        let start = (0..digits.len() - 1).find(|at| needed(*at)).unwrap_or(digits.len() - 1);
        bytes.extend_from_slice(&digits[start..]);
        ends.push(bytes.len());
    }
    CellValues::Varying(ends, bytes)
}
