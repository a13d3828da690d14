//! Arrays of a Parquet file or of Avro records into the declared types.
//!
//! Owns which types go into which, without loss: the same rule as for JSON values, applied to whole arrays. Comes in:
//! an array. Goes out: an array of the declared type, in which values that do not fit are null. Must not know: files.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, Date32Array, Decimal128Array, Float32Array, Float64Array,
    Int64Array, Time64NanosecondArray, TimestampMicrosecondArray,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Decimal128Type, Float32Type, Float64Type, TimeUnit};
use arrow::error::ArrowError;

use super::column::{Misfit, days, digits, microseconds, nanoseconds_of_day};
use super::convert_nested::{convert_nested, is_nested_convertible};
use super::decimal::Number;

/// Whether values of one type can be of another without loss, if only they fit.
pub(super) fn is_convertible(from: &DataType, to: &DataType) -> bool {
    use DataType::{Binary, Date32, Decimal128, Dictionary, Timestamp, Utf8};
    match (from, to) {
        _ if from == to => true,
        (_, DataType::List(_) | DataType::Struct(_) | DataType::Map(..)) => is_nested_convertible(from, to),
        (DataType::List(_) | DataType::Struct(_) | DataType::Map(..), _) => false,
        // An enum of Avro is a dictionary.
        (Dictionary(_, values), to) => is_convertible(values, to),
        (from, to) if to.is_integer() || matches!(to, Decimal128(..)) => {
            from.is_integer() || from.is_floating() || *from == Utf8 || from.is_decimal()
        }
        (from, to) if to.is_floating() => from.is_integer() || from.is_floating() || from.is_decimal(),
        (from, Utf8) => *from == Binary || from.is_decimal(),
        (from, Date32) => *from == Utf8,
        (from, Timestamp(TimeUnit::Microsecond, None)) => matches!(from, Timestamp(_, _) | Utf8),
        (from, DataType::Time64(_)) => matches!(from, DataType::Time32(_) | DataType::Time64(_) | Utf8),
        (from, Binary) => {
            matches!(from, DataType::LargeBinary | DataType::BinaryView | DataType::FixedSizeBinary(_))
        }
        _ => false,
    }
}

/// The array as the type `to`; a value that does not fit is null. Asks [`is_convertible`] first.
///
/// # Errors
/// Where Arrow cannot cast between the types.
pub(super) fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let from = array.data_type();
    if from == to {
        return Ok(array.clone());
    }
    match (from, to) {
        (DataType::Dictionary(_, values), to) => convert(&cast(array, values)?, to),
        (_, DataType::List(_) | DataType::Struct(_) | DataType::Map(..)) => convert_nested(array, to),
        (from, DataType::Decimal128(precision, scale)) => {
            let kept = numbers(array, from)?
                .map(|number| number?.unscaled(*precision, *scale).ok())
                .collect::<Decimal128Array>();
            Ok(Arc::new(kept.with_data_type(to.clone())))
        }
        (from, to) if from.is_decimal() && to.is_integer() => {
            let whole = numbers(array, from)?
                .map(|number| i64::try_from(number?.unscaled(38, 0).ok()?).ok())
                .collect::<Int64Array>();
            cast(&(Arc::new(whole) as ArrayRef), to)
        }
        (from, DataType::Float64) if from.is_decimal() || from.is_integer() => {
            let doubles = numbers(array, from)?.map(|number| number?.double());
            Ok(Arc::new(doubles.collect::<Float64Array>()))
        }
        (DataType::Utf8, DataType::Date32) => Ok(Arc::new(parse::<Date32Array, _>(array, days))),
        (DataType::Utf8, DataType::Timestamp(_, _)) => {
            Ok(Arc::new(parse::<TimestampMicrosecondArray, _>(array, microseconds)))
        }
        (DataType::Utf8, DataType::Time64(_)) => {
            Ok(Arc::new(parse::<Time64NanosecondArray, _>(array, nanoseconds_of_day)))
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

/// The values of an array of numbers or of texts, each with all its digits; `None` where it is null or no number.
fn numbers<'a>(
    array: &'a ArrayRef,
    from: &DataType,
) -> Result<Box<dyn Iterator<Item = Option<Number>> + 'a>, ArrowError> {
    Ok(match from {
        DataType::Utf8 => Box::new(array.as_string::<i32>().iter().map(|text| Number::parse(text?).ok())),
        DataType::Float64 => {
            let doubles = array.as_primitive::<Float64Type>();
            Box::new(doubles.iter().map(|double| Number::of_double(double?).ok()))
        }
        from if from.is_floating() => {
            let floats = cast(array, &DataType::Float32)?.as_primitive::<Float32Type>().clone();
            let numbers: Vec<_> = floats.iter().map(|float| Number::of_float(float?).ok()).collect();
            Box::new(numbers.into_iter())
        }
        from => {
            let scale = match from {
                DataType::Decimal32(_, scale)
                | DataType::Decimal64(_, scale)
                | DataType::Decimal128(_, scale)
                | DataType::Decimal256(_, scale) => *scale,
                _ => 0,
            };
            let widest =
                cast(array, &DataType::Decimal128(38, scale))?.as_primitive::<Decimal128Type>().clone();
            let numbers: Vec<_> =
                widest.iter().map(|unscaled| Some(Number::of_decimal(unscaled?, scale))).collect();
            Box::new(numbers.into_iter())
        }
    })
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
pub(super) fn is_written_null(array: &ArrayRef, row: usize, to: &DataType) -> bool {
    (to.is_integer() || to.is_decimal())
        && *array.data_type() == DataType::Utf8
        && array.as_string::<i32>().value(row).is_empty()
}
