//! Sets of numbers in states, such as the users of `count(distinct user)`: lists of which the order means nothing.
//!
//! Kept in order, and in a checkpoint as the steps from each number to the next one, they take a fraction of the bytes.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, ListArray, RecordBatch};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;

/// The batch with the numbers of each list in order.
///
/// # Errors
/// Where Arrow refuses the lists, which would be a defect.
pub(super) fn in_order(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    each_list(batch, |numbers| {
        if !numbers.is_sorted() {
            numbers.sort_unstable();
        }
    })
}

/// The batch with the steps between the numbers of each list.
///
/// # Errors
/// Where Arrow refuses the lists, which would be a defect.
pub(super) fn as_steps(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    each_list(batch, |numbers| {
        let mut before = 0_i64;
        for number in numbers {
            let step = number.wrapping_sub(before);
            before = std::mem::replace(number, step);
        }
    })
}

/// What [`as_steps`] was given.
///
/// # Errors
/// Where Arrow refuses the lists, which would be a defect.
pub(super) fn from_steps(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    each_list(batch, |numbers| {
        let mut before = 0_i64;
        for number in numbers {
            *number = number.wrapping_add(before);
            before = *number;
        }
    })
}

fn each_list(batch: RecordBatch, change: impl Fn(&mut [i64])) -> Result<RecordBatch, ArrowError> {
    if !batch.columns().iter().any(is_numbers) {
        return Ok(batch);
    }
    let columns = batch.columns().iter().map(|column| {
        if is_numbers(column) { changed(column.as_list(), &change) } else { Ok(column.clone()) }
    });
    let columns = columns.collect::<Result<_, _>>()?;
    RecordBatch::try_new(batch.schema(), columns)
}

fn is_numbers(column: &ArrayRef) -> bool {
    let lists = column.as_list_opt::<i32>();
    lists.is_some_and(|lists| {
        *lists.values().data_type() == DataType::Int64 && lists.values().null_count() == 0
    })
}

fn changed(lists: &ListArray, change: impl Fn(&mut [i64])) -> Result<ArrayRef, ArrowError> {
    let DataType::List(field) = lists.data_type() else {
        return Err(ArrowError::SchemaError("expected lists".to_owned()));
    };
    let (offsets, numbers) = (lists.offsets(), lists.values().as_primitive::<Int64Type>().values());
    let first = offsets[0];
    let mut numbers = numbers[first as usize..offsets[lists.len()] as usize].to_vec();
    let offsets: Vec<i32> = offsets.iter().map(|offset| offset - first).collect();
    for ends in offsets.windows(2) {
        change(&mut numbers[ends[0] as usize..ends[1] as usize]);
    }
    let (offsets, values) = (OffsetBuffer::new(ScalarBuffer::from(offsets)), Int64Array::from(numbers));
    let lists = ListArray::try_new(field.clone(), offsets, Arc::new(values), lists.nulls().cloned())?;
    Ok(Arc::new(lists))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(lists: Vec<Option<Vec<i64>>>) -> RecordBatch {
        let lists = lists.into_iter().map(|list| list.map(|list| list.into_iter().map(Some)));
        let lists = ListArray::from_iter_primitive::<Int64Type, _, _>(lists);
        let rows = Int64Array::from_iter_values(0..lists.len() as i64);
        RecordBatch::try_from_iter([("row", Arc::new(rows) as ArrayRef), ("set", Arc::new(lists))]).unwrap()
    }

    #[test]
    fn sets_are_put_in_order_and_come_back_from_their_steps() {
        let all = batch(vec![
            Some(vec![1]),
            Some(vec![7, 3, 5]),
            None,
            Some(vec![]),
            Some(vec![i64::MAX, i64::MIN, 0, -4]),
        ]);
        let some = all.slice(1, 4);
        let ordered = in_order(some.clone()).unwrap();
        assert_eq!(
            ordered.column(1),
            batch(vec![Some(vec![3, 5, 7]), None, Some(vec![]), Some(vec![i64::MIN, -4, 0, i64::MAX])])
                .column(1)
        );
        assert_eq!(ordered.column(0), some.column(0));
        let steps = as_steps(ordered.clone()).unwrap();
        assert_eq!(
            steps.column(1).as_list::<i32>().value(0).as_primitive::<Int64Type>().values(),
            &[3, 2, 2]
        );
        assert_eq!(from_steps(steps).unwrap(), ordered);
        assert_eq!(from_steps(as_steps(all.clone()).unwrap()).unwrap(), all);
    }
}
