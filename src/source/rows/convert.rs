//! Arrays of a Parquet file into the declared types.
//!
//! Owns which types go into which, without loss: the same rule as for JSON values, applied to whole arrays. Comes in:
//! an array. Goes out: an array of the declared type, in which values that do not fit are null. Must not know: files.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, Float32Array, Float64Array, Int64Array,
    TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Float64Type, TimeUnit};
use arrow::error::ArrowError;

use super::column::{Misfit, days, digits, microseconds};

/// Whether values of one type can be of another without loss, if only they fit.
pub(in crate::source) fn is_convertible(from: &DataType, to: &DataType) -> bool {
    use DataType::{Binary, Date32, Decimal128, Timestamp, Utf8};
    match to {
        _ if from == to => true,
        to if to.is_integer() => {
            from.is_integer() || from.is_floating() || *from == Utf8 || matches!(from, Decimal128(_, 0))
        }
        to if to.is_floating() => from.is_integer() || from.is_floating() || matches!(from, Decimal128(_, _)),
        Utf8 => *from == Binary,
        Date32 => *from == Utf8,
        Timestamp(TimeUnit::Microsecond, None) => matches!(from, Timestamp(_, _) | Utf8),
        _ => false,
    }
}

/// The array as the type `to`; a value that does not fit is null. Asks [`is_convertible`] first.
///
/// # Errors
/// Where Arrow cannot cast between the types.
pub(in crate::source) fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    match (from, to) {
        (DataType::Utf8, DataType::Date32) => Ok(Arc::new(parse::<Date32Array, _>(array, days))),
        (DataType::Utf8, DataType::Timestamp(_, _)) => {
            Ok(Arc::new(parse::<TimestampMicrosecondArray, _>(array, microseconds)))
        }
        (DataType::Utf8, _) => cast(&(Arc::new(parse::<Int64Array, _>(array, digits)) as ArrayRef), to),
        (from, to) if from.is_floating() && to.is_integer() => {
            let doubles = cast(array, &DataType::Float64)?;
            let whole: Float64Array = keep(&doubles, |double| double.fract() == 0.0);
            cast(&(Arc::new(whole) as ArrayRef), to)
        }
        (DataType::Float64, DataType::Float32) => {
            let doubles = array.as_primitive::<Float64Type>();
            let floats = doubles.iter().map(|double| {
                let float = double? as f32;
                (float.is_finite() || !double?.is_finite()).then_some(float)
            });
            Ok(Arc::new(floats.collect::<Float32Array>()))
        }
        _ => cast(array, to),
    }
}

fn parse<A: FromIterator<Option<N>>, N>(array: &ArrayRef, parse: fn(&str) -> Result<N, Misfit>) -> A {
    array.as_string::<i32>().iter().map(|text| parse(text?).ok()).collect()
}

fn keep(doubles: &ArrayRef, fits: fn(f64) -> bool) -> Float64Array {
    type Double = <Float64Type as ArrowPrimitiveType>::Native;
    doubles.as_primitive::<Float64Type>().unary_opt(|double: Double| fits(double).then_some(double))
}

fn cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    cast_with_options(array, to, &CastOptions { safe: true, ..CastOptions::default() })
}

/// Whether a value is a way to write null: an empty string where a number should be.
pub(in crate::source) fn is_written_null(array: &ArrayRef, row: usize, to: &DataType) -> bool {
    to.is_integer() && *array.data_type() == DataType::Utf8 && array.as_string::<i32>().value(row).is_empty()
}
