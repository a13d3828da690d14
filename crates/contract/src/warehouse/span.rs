//! Where a file whose rows are in an order begins and ends: it need not be opened to know that it holds no rows of some keys.

use std::cmp::Ordering;

use arrow::array::{ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{
    CastOptions, LexicographicalComparator, SortColumn, SortOptions, cast, cast_with_options, concat_batches,
};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::row::{Row, RowConverter, Rows, SortField};
use mep_sql::keyed::is_exact_type;
use serde::{Deserialize, Serialize};

const ORDER: SortOptions = SortOptions { descending: false, nulls_first: true };

/// Texts of more bytes are not told.
const LONGEST: usize = 128;

/// The first and the last row of a file whose rows are in the order of its first columns: ascending, NULL before all else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeySpan {
    /// Values of the first row, as texts: of as many of these columns as can be told.
    first: Vec<Option<String>>,
    /// Those of the last row.
    last: Vec<Option<String>>,
}

impl KeySpan {
    /// From one row to another, by their first columns; `None` where nothing can be told.
    fn of(first: &RecordBatch, last: &RecordBatch, columns: usize) -> Option<Self> {
        let (mut first, mut last) = (told(first, columns), told(last, columns));
        let both = first.len().min(last.len());
        first.truncate(both);
        last.truncate(both);
        (both > 0).then_some(Self { first, last })
    }
}

/// The span of rows that are written one after another. It is none where they are not in order after all.
#[derive(Default)]
pub(super) struct SpanOfRows {
    ends: Option<(RecordBatch, RecordBatch)>,
    is_out_of_order: bool,
}

impl SpanOfRows {
    /// Takes in more rows, which are to be in the order of their first columns.
    pub(super) fn add(&mut self, rows: &RecordBatch, columns: usize) {
        if columns == 0 || rows.num_rows() == 0 || self.is_out_of_order {
            return;
        }
        let (begin, last) = (rows.slice(0, 1), rows.slice(rows.num_rows() - 1, 1));
        let (first, follows) = match self.ends.take() {
            None => (begin, true),
            Some((first, before)) => {
                let both = concat_batches(rows.schema_ref(), [&before, &begin]);
                (first, both.is_ok_and(|both| is_in_order(&both, columns)))
            }
        };
        self.is_out_of_order = !follows || !is_in_order(rows, columns);
        self.ends = Some((first, last));
    }

    /// From the first row to the last one.
    pub(super) fn span(&self, columns: usize) -> Option<KeySpan> {
        let (first, last) = self.ends.as_ref().filter(|_| !self.is_out_of_order)?;
        KeySpan::of(first, last, columns)
    }
}

/// Whether rows are in the order of their first columns; not where these have none.
fn is_in_order(rows: &RecordBatch, columns: usize) -> bool {
    let columns = rows.columns().iter().take(columns);
    let columns = columns.map(|values| SortColumn { values: values.clone(), options: Some(ORDER) });
    let Ok(order) = LexicographicalComparator::try_new(&columns.collect::<Vec<_>>()) else { return false };
    (1..rows.num_rows()).all(|row| order.compare(row - 1, row) != Ordering::Greater)
}

/// The values of a row's first columns, up to one that a text does not tell.
fn told(row: &RecordBatch, columns: usize) -> Vec<Option<String>> {
    let texts = row.columns().iter().take(columns).map_while(text_of);
    texts.map(|text| text.iter().next().flatten().map(str::to_owned)).collect()
}

/// The first value of a column as a text, where the same value is made of that again.
fn text_of(column: &ArrayRef) -> Option<StringArray> {
    if !is_exact_type(column.data_type()) || matches!(column.data_type(), DataType::Interval(_)) {
        return None;
    }
    let value = column.slice(0, 1);
    let text = cast(&value, &DataType::Utf8).ok()?;
    let same = cast_with_options(&text, column.data_type(), &strictly()).ok()?;
    let text = text.as_string_opt()?.clone();
    (same == value && text.value_data().len() <= LONGEST).then_some(text)
}

fn strictly() -> CastOptions<'static> {
    CastOptions { safe: false, ..CastOptions::default() }
}

/// Whether files of these spans can hold rows of some keys, each told by its first columns: `None` of a file of which that is not known.
///
/// # Errors
/// Where a value cannot be read of its text, or there are keys of a type that has no order.
pub fn may_hold(spans: &[Option<&KeySpan>], keys: &[ArrayRef]) -> Result<Vec<Option<bool>>, ArrowError> {
    let told = spans.iter().flatten().map(|span| span.first.len()).min().unwrap_or(0).min(keys.len());
    if told == 0 {
        return Ok(vec![None; spans.len()]);
    }
    let keys = &keys[..told];
    let fields = keys.iter().map(|key| SortField::new_with_options(key.data_type().clone(), ORDER));
    let converter = RowConverter::new(fields.collect())?;
    let rows = converter.convert_columns(keys)?;
    let mut rows: Vec<Row<'_>> = rows.iter().collect();
    rows.sort_unstable();
    let ends = |end: fn(&KeySpan) -> &[Option<String>]| -> Result<Rows, ArrowError> {
        let columns = keys.iter().enumerate().map(|(at, key)| {
            let texts = spans.iter().map(|span| end((*span)?).get(at)?.as_deref());
            cast_with_options(&texts.collect::<StringArray>(), key.data_type(), &strictly())
        });
        converter.convert_columns(&columns.collect::<Result<Vec<_>, _>>()?)
    };
    let (first, last) = (ends(|span| &span.first)?, ends(|span| &span.last)?);
    let held = spans.iter().enumerate().map(|(at, span)| {
        let from = rows.partition_point(|key| *key < first.row(at));
        span.map(|_| rows.get(from).is_some_and(|key| *key <= last.row(at)))
    });
    Ok(held.collect())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, TimestampMicrosecondArray};
    use arrow::datatypes::{Field, Schema, TimeUnit};

    use super::*;

    fn row(grain: Option<&str>, start: i64, id: Option<i64>) -> RecordBatch {
        let fields = [
            ("g0", DataType::Utf8),
            ("g1", DataType::Timestamp(TimeUnit::Microsecond, None)),
            ("g2", DataType::Int64),
        ];
        let schema = Schema::new(fields.map(|(name, of)| Field::new(name, of, true)).to_vec());
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec![grain])),
            Arc::new(TimestampMicrosecondArray::from(vec![start])),
            Arc::new(Int64Array::from(vec![id])),
        ];
        RecordBatch::try_new(Arc::new(schema), columns).unwrap()
    }

    fn span(first: (Option<&str>, i64, Option<i64>), last: (Option<&str>, i64, Option<i64>)) -> KeySpan {
        KeySpan::of(&row(first.0, first.1, first.2), &row(last.0, last.1, last.2), 3).unwrap()
    }

    fn held(spans: &[Option<&KeySpan>], key: &RecordBatch, columns: usize) -> Vec<Option<bool>> {
        may_hold(spans, &key.columns()[..columns]).unwrap()
    }

    #[test]
    fn a_file_may_hold_the_keys_between_its_ends() {
        let days = span((Some("day"), 1_000_000, Some(-4)), (Some("day"), 9_000_001, Some(7)));
        let more = span((Some("day"), 9_000_001, Some(8)), (Some("month"), -5, None));
        let spans = [Some(&days), Some(&more), None];
        assert_eq!(held(&spans, &row(Some("day"), 9_000_001, Some(7)), 3), [Some(true), Some(false), None]);
        assert_eq!(held(&spans, &row(Some("day"), 9_000_001, Some(8)), 3), [Some(false), Some(true), None]);
        assert_eq!(held(&spans, &row(Some("day"), 9_000_001, Some(8)), 2), [Some(true), Some(true), None]);
        assert_eq!(held(&spans, &row(Some("day"), 0, Some(0)), 3), [Some(false), Some(false), None]);
        assert_eq!(held(&spans, &row(Some("month"), -5, Some(1)), 3), [Some(false), Some(false), None]);
        assert_eq!(held(&spans, &row(Some("month"), -6, Some(1)), 3), [Some(false), Some(true), None]);
    }

    #[test]
    fn the_span_of_rows_is_told_only_where_they_are_in_order() {
        let of = |batches: &[RecordBatch]| {
            let mut rows = SpanOfRows::default();
            for batch in batches {
                rows.add(batch, 3);
            }
            rows.span(3)
        };
        let (one, two) = (row(Some("day"), 1, Some(2)), row(Some("day"), 2, Some(1)));
        let both = concat_batches(&one.schema(), [&one, &two]).unwrap();
        let other_way = concat_batches(&one.schema(), [&two, &one]).unwrap();
        let expected = KeySpan::of(&one, &two, 3);
        assert!(expected.is_some());
        assert_eq!(of(std::slice::from_ref(&both)), expected);
        assert_eq!(of(&[one.clone(), two.clone()]), expected);
        assert_eq!(of(&[one.clone(), one.clone(), two.clone()]), expected);
        assert_eq!(of(&[other_way]), None);
        assert_eq!(of(&[two.clone(), one]), None);
        assert_eq!(of(&[both.clone(), both]), None);
        assert_eq!(of(&[row(Some("day"), 1, None), two]).map(|span| span.first[2].clone()), Some(None));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn null_stands_before_all_else() {
        let file = span((None, 5, None), (Some(""), 5, Some(1)));
        assert_eq!(held(&[Some(&file)], &row(None, 5, None), 3), [Some(true)]);
        assert_eq!(held(&[Some(&file)], &row(None, 4, Some(9)), 3), [Some(false)]);
        assert_eq!(held(&[Some(&file)], &row(Some("a"), 5, None), 3), [Some(false)]);
        let later = span((Some("a"), 5, Some(1)), (Some("b"), 5, Some(1)));
        assert_eq!(held(&[Some(&later)], &row(None, 5, None), 3), [Some(false)]);
    }

    #[test]
    fn what_a_text_does_not_tell_ends_what_is_told() {
        let long = "x".repeat(LONGEST + 1);
        assert_eq!(KeySpan::of(&row(Some(&long), 1, None), &row(Some("y"), 1, None), 3), None);
        let fields = Schema::new(vec![
            Field::new("a", DataType::Int64, true),
            Field::new("b", DataType::Float64, true),
        ]);
        let columns: Vec<ArrayRef> =
            vec![Arc::new(Int64Array::from(vec![1])), Arc::new(arrow::array::Float64Array::from(vec![0.5]))];
        let row = RecordBatch::try_new(Arc::new(fields), columns).unwrap();
        let span = KeySpan::of(&row, &row, 2).unwrap();
        assert_eq!(span.first, [Some("1".to_owned())]);
        assert_eq!(may_hold(&[None], row.columns()).unwrap(), [None]);
    }

    #[test]
    fn keys_of_several_types_of_text_are_found() {
        let file = span((Some("day"), 1, Some(1)), (Some("day"), 1, Some(1)));
        let key = cast(&StringArray::from(vec!["day"]), &DataType::Utf8View).unwrap();
        assert_eq!(may_hold(&[Some(&file)], &[key]).unwrap(), [Some(true)]);
    }
}
