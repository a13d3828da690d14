//! Arrays of lists, structures and maps into the declared types.
//!
//! Owns how what lies within such values is found and converted, each part by the rule of `convert.rs`. Comes in: an array. Goes out: an
//! array of the declared type, in which a value is null of which any part does not fit. Must not know: files.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanBufferBuilder, ListArray, MapArray, StructArray, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, FieldRef, Fields};
use arrow::error::ArrowError;

use super::convert::{convert, is_convertible, is_written_null};

/// Whether values that hold others can be of another such type without loss, if only what is within them fits.
pub(super) fn is_nested_convertible(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (
            DataType::List(from) | DataType::LargeList(from) | DataType::FixedSizeList(from, _),
            DataType::List(to),
        ) => is_convertible(from.data_type(), to.data_type()),
        (DataType::Struct(from), DataType::Struct(to)) => {
            to.iter().all(|field| match find(from, field.name()) {
                Some(index) => is_convertible(from[index].data_type(), field.data_type()),
                None => true,
            })
        }
        (DataType::Map(from, _), DataType::Map(to, _)) => match (entries(from), entries(to)) {
            // A key that does not fit would leave a map without one.
            (Some((from_key, from)), Some((to_key, to))) => {
                from_key.data_type() == to_key.data_type() && is_convertible(from.data_type(), to.data_type())
            }
            _ => false,
        },
        _ => false,
    }
}

/// The array as the type `to`. Asks [`is_nested_convertible`] first.
///
/// # Errors
/// Where Arrow cannot cast between the types.
pub(super) fn convert_nested(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    match (array.data_type(), to) {
        (DataType::List(_), DataType::List(item)) => {
            let list = array.as_list::<i32>();
            let (values, misfits) = part(list.values(), item.data_type())?;
            let nulls = fitting(list.nulls(), list.offsets(), misfits.as_deref());
            Ok(Arc::new(ListArray::try_new(item.clone(), list.offsets().clone(), values, nulls)?))
        }
        (DataType::LargeList(item) | DataType::FixedSizeList(item, _), DataType::List(_)) => {
            let options = CastOptions { safe: false, ..CastOptions::default() };
            let list = cast_with_options(array, &DataType::List(item.clone()), &options)?;
            convert_nested(&list, to)
        }
        (DataType::Struct(from), DataType::Struct(fields)) => {
            let given = array.as_struct();
            let mut arrays = Vec::with_capacity(fields.len());
            let mut bad: Option<Vec<bool>> = None;
            for field in fields {
                let Some(index) = find(from, field.name()) else {
                    arrays.push(new_null_array(field.data_type(), given.len()));
                    continue;
                };
                let (values, misfits) = part(given.column(index), field.data_type())?;
                arrays.push(values);
                bad = match (bad, misfits) {
                    (Some(bad), Some(more)) => Some(bad.iter().zip(more).map(|(a, b)| *a || b).collect()),
                    (bad, misfits) => bad.or(misfits),
                };
            }
            let is_bad = |row: usize| bad.as_ref().is_some_and(|bad| bad[row]);
            let nulls = with_nulls(given.nulls(), given.len(), bad.is_some(), is_bad);
            Ok(Arc::new(StructArray::try_new_with_length(fields.clone(), arrays, nulls, given.len())?))
        }
        (DataType::Map(..), DataType::Map(field, is_sorted)) => {
            let map = array.as_map();
            let Some((_, value)) = entries(field) else { return Ok(array.clone()) };
            let (values, misfits) = part(map.values(), value.data_type())?;
            let nulls = fitting(map.nulls(), map.offsets(), misfits.as_deref());
            let DataType::Struct(fields) = field.data_type() else { return Ok(array.clone()) };
            let of = StructArray::try_new(fields.clone(), vec![map.keys().clone(), values], None)?;
            Ok(Arc::new(MapArray::try_new(field.clone(), map.offsets().clone(), of, nulls, *is_sorted)?))
        }
        _ => Ok(array.clone()),
    }
}

/// The parts converted, and which of them do not fit, where any does not.
fn part(array: &ArrayRef, to: &DataType) -> Result<(ArrayRef, Option<Vec<bool>>), ArrowError> {
    let converted = convert(array, to)?;
    if converted.null_count() == array.null_count() {
        return Ok((converted, None));
    }
    let is_misfit = |row| array.is_valid(row) && converted.is_null(row) && !is_written_null(array, row, to);
    let misfits: Vec<bool> = (0..array.len()).map(is_misfit).collect();
    let any = misfits.contains(&true);
    Ok((converted, any.then_some(misfits)))
}

/// Which rows are there: those that were, and of which no part is a misfit.
fn fitting(
    nulls: Option<&NullBuffer>,
    offsets: &OffsetBuffer<i32>,
    misfits: Option<&[bool]>,
) -> Option<NullBuffer> {
    let rows = offsets.len().saturating_sub(1);
    let range = |row: usize| offsets[row] as usize..offsets[row + 1] as usize;
    let is_bad = |row: usize| misfits.is_some_and(|misfits| misfits[range(row)].contains(&true));
    with_nulls(nulls, rows, misfits.is_some(), is_bad)
}

fn with_nulls(
    nulls: Option<&NullBuffer>,
    rows: usize,
    has_misfits: bool,
    is_bad: impl Fn(usize) -> bool,
) -> Option<NullBuffer> {
    if !has_misfits {
        return nulls.cloned();
    }
    let mut valid = BooleanBufferBuilder::new(rows);
    for row in 0..rows {
        valid.append(nulls.is_none_or(|nulls| nulls.is_valid(row)) && !is_bad(row));
    }
    Some(NullBuffer::new(valid.finish()))
}

/// The key and the value of a map's entries.
fn entries(field: &FieldRef) -> Option<(&FieldRef, &FieldRef)> {
    let DataType::Struct(fields) = field.data_type() else { return None };
    match fields.as_ref() {
        [key, value] => Some((key, value)),
        _ => None,
    }
}

/// The field of a name: as it is spelled, else in any case.
fn find(fields: &Fields, name: &str) -> Option<usize> {
    let exact = fields.iter().position(|field| field.name() == name);
    exact.or_else(|| {
        let lower = name.to_lowercase();
        fields.iter().position(|field| field.name().to_lowercase() == lower)
    })
}
