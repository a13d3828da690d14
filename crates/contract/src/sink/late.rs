//! Events that came too late, as rows of their table and back.

use std::sync::Arc;

use arrow::array::{
    AsArray, Int32Array, Int64Array, RecordBatch, RecordBatchOptions, StringArray, TimestampMillisecondArray,
};
use arrow::datatypes::{
    DataType, Field, Int32Type, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMillisecondType,
};
use arrow::error::ArrowError;

use super::LateEvent;

/// The columns of the table.
pub fn late_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("epoch", DataType::Int64, false),
        Field::new("topic", DataType::Utf8, false),
        Field::new("partition", DataType::Int32, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("window", DataType::Timestamp(TimeUnit::Millisecond, None), false),
    ]))
}

/// Rows of the table as late events.
pub fn late_events(rows: &RecordBatch) -> Vec<LateEvent> {
    let topics = rows.column(1).as_string::<i32>();
    let partitions = rows.column(2).as_primitive::<Int32Type>();
    let offsets = rows.column(3).as_primitive::<Int64Type>();
    let windows = rows.column(4).as_primitive::<TimestampMillisecondType>();
    let event = |row: usize| LateEvent {
        topic: topics.value(row).into(),
        partition: partitions.value(row),
        offset: offsets.value(row),
        window: windows.value(row),
    };
    (0..rows.num_rows()).map(event).collect()
}

/// Late events as rows of their table.
pub fn late_rows(epoch: i64, events: &[LateEvent]) -> Result<RecordBatch, ArrowError> {
    RecordBatch::try_new_with_options(
        late_schema(),
        vec![
            Arc::new(Int64Array::from_value(epoch, events.len())),
            Arc::new(StringArray::from_iter_values(events.iter().map(|event| &event.topic))),
            Arc::new(events.iter().map(|event| Some(event.partition)).collect::<Int32Array>()),
            Arc::new(events.iter().map(|event| Some(event.offset)).collect::<Int64Array>()),
            Arc::new(events.iter().map(|event| Some(event.window)).collect::<TimestampMillisecondArray>()),
        ],
        &RecordBatchOptions::new().with_row_count(Some(events.len())),
    )
}
