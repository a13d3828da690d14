//! Values, each with its type.

use arrow::array::{Array, ArrayRef};
use datafusion::common::ScalarValue;

use super::data_type::{data_type, field, union};
use mep_core::fingerprint::Structure;

/// Adds a value and its type; gives whether all of it could be said.
pub(super) fn literal(structure: &mut Structure, value: &ScalarValue) -> bool {
    data_type(structure, &value.data_type());
    structure.flag(value.is_null());
    match value {
        ScalarValue::Null => {}
        ScalarValue::Boolean(value) => number(structure, *value),
        // The bits tell apart what shows or compares as the same: 0.0 and -0.0, one NaN and another.
        ScalarValue::Float16(value) => number(structure, value.map(|value| value.to_bits())),
        ScalarValue::Float32(value) => number(structure, value.map(f32::to_bits)),
        ScalarValue::Float64(value) => number(structure, value.map(f64::to_bits)),
        ScalarValue::Decimal128(value, ..) => number(structure, *value),
        ScalarValue::Decimal256(value, ..) => {
            bytes(structure, value.map(|value| value.to_le_bytes()).as_ref().map(|bytes| bytes.as_slice()));
        }
        ScalarValue::Int8(value) => number(structure, *value),
        ScalarValue::Int16(value) => number(structure, *value),
        ScalarValue::Int32(value)
        | ScalarValue::Decimal32(value, ..)
        | ScalarValue::Date32(value)
        | ScalarValue::Time32Second(value)
        | ScalarValue::Time32Millisecond(value)
        | ScalarValue::IntervalYearMonth(value) => number(structure, *value),
        ScalarValue::Int64(value)
        | ScalarValue::Decimal64(value, ..)
        | ScalarValue::Date64(value)
        | ScalarValue::Time64Microsecond(value)
        | ScalarValue::Time64Nanosecond(value)
        | ScalarValue::TimestampSecond(value, _)
        | ScalarValue::TimestampMillisecond(value, _)
        | ScalarValue::TimestampMicrosecond(value, _)
        | ScalarValue::TimestampNanosecond(value, _)
        | ScalarValue::DurationSecond(value)
        | ScalarValue::DurationMillisecond(value)
        | ScalarValue::DurationMicrosecond(value)
        | ScalarValue::DurationNanosecond(value) => number(structure, *value),
        ScalarValue::UInt8(value) => number(structure, *value),
        ScalarValue::UInt16(value) => number(structure, *value),
        ScalarValue::UInt32(value) => number(structure, *value),
        ScalarValue::UInt64(value) => number(structure, *value),
        ScalarValue::Utf8(value) | ScalarValue::Utf8View(value) | ScalarValue::LargeUtf8(value) => {
            bytes(structure, value.as_deref().map(str::as_bytes));
        }
        ScalarValue::Binary(value)
        | ScalarValue::BinaryView(value)
        | ScalarValue::LargeBinary(value)
        | ScalarValue::FixedSizeBinary(_, value) => bytes(structure, value.as_deref()),
        ScalarValue::IntervalDayTime(value) => {
            number(structure, value.map(|value| value.days));
            number(structure, value.map(|value| value.milliseconds));
        }
        ScalarValue::IntervalMonthDayNano(value) => {
            number(structure, value.map(|value| value.months));
            number(structure, value.map(|value| value.days));
            number(structure, value.map(|value| value.nanoseconds));
        }
        ScalarValue::FixedSizeList(list) => return list.is_null(0) || items(structure, &list.value(0)),
        ScalarValue::List(list) => return list.is_null(0) || items(structure, &list.value(0)),
        ScalarValue::LargeList(list) => return list.is_null(0) || items(structure, &list.value(0)),
        ScalarValue::ListView(list) => return list.is_null(0) || items(structure, &list.value(0)),
        ScalarValue::LargeListView(list) => return list.is_null(0) || items(structure, &list.value(0)),
        ScalarValue::Struct(value) => {
            return value.columns().iter().all(|column| items(structure, column));
        }
        ScalarValue::Map(map) => {
            let entries = if map.is_null(0) { None } else { Some(map.value(0)) };
            let mut columns = entries.iter().flat_map(|entries| entries.columns());
            return columns.all(|column| items(structure, column));
        }
        ScalarValue::Union(value, fields, mode) => {
            union(structure, fields, *mode);
            structure.flag(value.is_some());
            return value.as_ref().is_none_or(|(id, value)| {
                structure.number(*id);
                literal(structure, value)
            });
        }
        ScalarValue::Dictionary(key, value) => {
            data_type(structure, key);
            return literal(structure, value);
        }
        ScalarValue::RunEndEncoded(ends, values, value) => {
            field(structure, ends);
            field(structure, values);
            return literal(structure, value);
        }
    }
    true
}

fn number(structure: &mut Structure, value: Option<impl Into<i128>>) {
    structure.flag(value.is_some());
    if let Some(value) = value {
        structure.number(value);
    }
}

fn bytes(structure: &mut Structure, value: Option<&[u8]>) {
    structure.flag(value.is_some());
    if let Some(value) = value {
        structure.bytes(value);
    }
}

fn items(structure: &mut Structure, items: &ArrayRef) -> bool {
    data_type(structure, items.data_type());
    structure.count(items.len());
    let item = |at: usize| {
        let value = ScalarValue::try_from_array(items, at);
        value.is_ok_and(|value| literal(structure, &value))
    };
    (0..items.len()).all(item)
}
