//! Rows of a topic, gathered into Arrow batches.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;

use super::random::{Chance, Purpose, hash};
use super::topic::{ColumnValue, Topic, TopicColumn, TopicRow};

/// Bytes set aside for each text of a column; longer ones make the buffer grow.
const TEXT_BYTES: usize = 16;

/// The batch of a topic that is being filled.
#[derive(Debug)]
pub(super) struct TopicBatch {
    pub(super) topic: Topic,
    seed: u64,
    duplicates: Chance,
    limit: usize,
    schema: SchemaRef,
    columns: Vec<ColumnBuffer>,
    count: usize,
}

#[derive(Debug)]
enum ColumnBuffer {
    Text(StringBuilder, for<'a> fn(&TopicRow<'a>) -> Option<&'a str>),
    Integer(Int64Builder, fn(&TopicRow<'_>) -> Option<i64>),
    Number(Float64Builder, fn(&TopicRow<'_>) -> Option<f64>),
    Flag(BooleanBuilder, fn(&TopicRow<'_>) -> Option<bool>),
}

impl TopicBatch {
    pub(super) fn new(topic: Topic, seed: u64, duplicates: Chance, batch_rows: usize) -> Self {
        let limit = batch_rows.max(1);
        let columns = topic.columns().iter().map(|column| ColumnBuffer::new(column, limit)).collect();
        Self { topic, seed, duplicates, limit, schema: topic.schema(), columns, count: 0 }
    }

    /// How often a row is sent: once, or by chance twice.
    pub(super) fn times(&self, row: &TopicRow<'_>) -> usize {
        let event = row.event.item as u64 * Topic::ALL.len() as u64 + self.topic as u64;
        let drawn = hash(self.seed, Purpose::Resend, row.session as u64, event);
        1 + usize::from(self.duplicates.hits(drawn))
    }

    pub(super) fn push(&mut self, row: &TopicRow<'_>) {
        self.columns.iter_mut().for_each(|values| values.push(row));
        self.count += 1;
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= self.limit
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// What was gathered; the next batch begins empty.
    pub(super) fn take(&mut self) -> Result<RecordBatch, ArrowError> {
        self.count = 0;
        let arrays = self.columns.iter_mut().map(ColumnBuffer::take).collect();
        RecordBatch::try_new(Arc::clone(&self.schema), arrays)
    }
}

impl ColumnBuffer {
    fn new(column: &TopicColumn, rows: usize) -> Self {
        match column.read {
            ColumnValue::Text(read) => {
                Self::Text(StringBuilder::with_capacity(rows, rows * TEXT_BYTES), read)
            }
            ColumnValue::Integer(read) => Self::Integer(Int64Builder::with_capacity(rows), read),
            ColumnValue::Number(read) => Self::Number(Float64Builder::with_capacity(rows), read),
            ColumnValue::Flag(read) => Self::Flag(BooleanBuilder::with_capacity(rows), read),
        }
    }

    fn push(&mut self, row: &TopicRow<'_>) {
        match self {
            Self::Text(builder, read) => builder.append_option(read(row)),
            Self::Integer(builder, read) => builder.append_option(read(row)),
            Self::Number(builder, read) => builder.append_option(read(row)),
            Self::Flag(builder, read) => builder.append_option(read(row)),
        }
    }

    fn take(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder, _) => Arc::new(builder.finish()),
            Self::Integer(builder, _) => Arc::new(builder.finish()),
            Self::Number(builder, _) => Arc::new(builder.finish()),
            Self::Flag(builder, _) => Arc::new(builder.finish()),
        }
    }
}
