//! Events of one partition, as the plans of models read them.

use std::sync::{Arc, OnceLock};

use arrow::array::AsArray;
use arrow::array::{ArrayRef, Int32Array, Int64Array, RecordBatch};
use arrow::compute::{cast, max};
use arrow::datatypes::{DataType, Int64Type, SchemaRef};
use arrow::error::ArrowError;

use mep_contract::source::RowSchema;
use mep_contract::source::tail::StreamPartition;
use mep_datafusion::StreamedRows;

/// Events of one partition, with the columns of the stream: those that are declared, the UTC day, the number of the partition,
/// and the offset. A column is made when it is first read; models share it.
pub(super) struct EventBatch {
    rows: RecordBatch,
    event_date: Option<ArrayRef>,
    place: i32,
    offsets: Vec<i64>,
    columns: Vec<OnceLock<ArrayRef>>,
}

impl EventBatch {
    /// Rows of the declared schema, which stand at these offsets of the partition with the number `place`.
    ///
    /// # Errors
    /// Where the rows are not of the schema.
    pub(super) fn new(
        schema: &RowSchema,
        rows: RecordBatch,
        place: i32,
        offsets: Vec<i64>,
    ) -> Result<Self, ArrowError> {
        let event_date = schema.event_dates(&rows)?;
        let columns = rows.num_columns() + usize::from(event_date.is_some()) + 2;
        let columns = std::iter::repeat_with(OnceLock::new).take(columns).collect();
        Ok(Self { rows, event_date, place, offsets, columns })
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.num_rows()
    }

    fn column(&self, number: usize, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        if let Some(column) = self.columns[number].get() {
            return Ok(column.clone());
        }
        let declared = self.rows.num_columns();
        let column: ArrayRef = if number < declared {
            cast(self.rows.column(number), data_type)?
        } else if number + 1 == self.columns.len() {
            Arc::new(Int64Array::from(self.offsets.clone()))
        } else if number + 2 == self.columns.len() {
            Arc::new(Int32Array::from(vec![self.place; self.len()]))
        } else {
            let event_date = self.event_date.clone();
            event_date.ok_or_else(|| ArrowError::SchemaError("the stream has no such column".to_owned()))?
        };
        Ok(self.columns[number].get_or_init(|| column).clone())
    }
}

impl StreamedRows for EventBatch {
    fn projected(&self, projection: Option<&[usize]>, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        let numbers: Vec<usize> = match projection {
            Some(projection) => projection.to_vec(),
            None => (0..self.columns.len()).collect(),
        };
        let columns = numbers.iter().zip(schema.fields());
        let columns = columns.map(|(number, field)| self.column(*number, field.data_type()));
        RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
    }
}

/// The latest event time of rows, in milliseconds since 1970.
///
/// # Errors
/// Where the rows are not of the schema.
pub(super) fn latest(schema: &RowSchema, rows: &RecordBatch) -> Result<Option<i64>, ArrowError> {
    Ok(schema.event_millis(rows)?.and_then(|millis| max(millis.as_primitive::<Int64Type>())))
}

/// The number of a partition among those that a stream knows.
#[derive(Default)]
pub(super) struct PartitionNumbers(Vec<Arc<StreamPartition>>);

impl PartitionNumbers {
    /// The partition's number, which it keeps.
    pub(super) fn number(&mut self, partition: &StreamPartition) -> i32 {
        let known = self.0.iter().position(|known| **known == *partition);
        let number = known.unwrap_or_else(|| {
            self.0.push(Arc::new(partition.clone()));
            self.0.len() - 1
        });
        i32::try_from(number).unwrap_or(i32::MAX)
    }

    /// The partition of a number.
    pub(super) fn partition(&self, number: i32) -> Option<&Arc<StreamPartition>> {
        self.0.get(usize::try_from(number).ok()?)
    }
}
