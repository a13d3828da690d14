//! The shape of the table that a source lands in: its declared columns, then the UTC day and the batch of each row.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::schema::{RowSchema, SchemaError};
use mep_core::connection::FilesReading;
use mep_core::fingerprint::{Fingerprint, Structure};
use mep_core::relation::Relation;
use mep_sql::{EventDay, stored_schema, structure};

/// The partition column of a landed row's UTC day.
pub const EVENT_DATE: &str = "event_date";
/// The partition column of a landed row's batch.
pub const BATCH: &str = "batch";

/// The table that a source lands in.
#[derive(Clone, Debug)]
pub struct LandingTable {
    /// The landed rows.
    pub raw: Relation,
    /// The rows that could not be read.
    pub rejects: Relation,
    /// The declared schema.
    pub schema: RowSchema,
    /// How files are read, as far as it is said.
    pub reading: FilesReading,
}

impl LandingTable {
    /// The partition columns of the landed table.
    pub fn partition_columns(&self) -> Vec<String> {
        match self.schema.event_time {
            Some(_) => vec![EVENT_DATE.to_owned(), BATCH.to_owned()],
            None => vec![BATCH.to_owned()],
        }
    }

    /// The schema of the landed rows as they are written: the declared columns, then the partition columns.
    ///
    /// # Errors
    /// Where a declared column has the name of a partition column.
    pub fn written_schema(&self) -> Result<SchemaRef, SchemaError> {
        let partition_columns = self.partition_columns();
        let mut fields: Vec<Field> = Vec::new();
        for field in self.schema.fields.fields() {
            if partition_columns.contains(field.name()) {
                return Err(SchemaError::ReservedColumn(field.name().clone()));
            }
            fields.push(field.as_ref().clone().with_nullable(true));
        }
        for column in partition_columns {
            let data_type = if column == EVENT_DATE { DataType::Date32 } else { DataType::Utf8 };
            fields.push(Field::new(column, data_type, false));
        }
        Ok(Arc::new(Schema::new(fields)))
    }

    /// The schema of the landed table as SQL sees it.
    ///
    /// # Errors
    /// Where a declared column has the name of a partition column.
    pub fn table_schema(&self) -> Result<SchemaRef, SchemaError> {
        let written = self.written_schema()?;
        stored_schema(&written, &self.partition_columns()).map_err(SchemaError::Unstorable)
    }

    /// The columns that an event of the stream has before it is landed, as SQL sees them: all but the batch.
    ///
    /// # Errors
    /// Where a declared column has the name of a partition column.
    pub fn stream_schema(&self) -> Result<SchemaRef, SchemaError> {
        let table = self.table_schema()?;
        let fields = table.fields().iter().filter(|field| field.name() != BATCH).cloned();
        Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
    }

    /// Of what makes the landed rows what they are: the declared schema, and what is said of how files are read.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut parts = Structure::default();
        structure::columns(&mut parts, &self.schema.fields);
        for field in self.schema.fields.fields() {
            parts.flag(field.is_nullable());
        }
        parts.text(self.event_time().as_str());
        if let Some(said) = self.reading.said() {
            parts.text(&said);
        }
        parts.fingerprint()
    }

    /// Of what makes the day of a landed row: the event time as it is declared; nothing where there is none.
    pub fn event_time(&self) -> Fingerprint {
        let mut parts = Structure::default();
        if let Some(field) = self.schema.event_time_field() {
            structure::data_type(parts.text(field.name()), field.data_type());
        }
        parts.fingerprint()
    }

    /// Which column holds the day of which one; `None` where rows have no event time.
    pub fn event_day(&self) -> Option<EventDay> {
        let time = self.schema.event_time_field()?.name().clone();
        Some(EventDay { time, day: EVENT_DATE.to_owned() })
    }

    /// The batch and the UTC day of rows, as the columns that are put behind them.
    ///
    /// # Errors
    /// Where the rows are not of the declared schema.
    pub fn partition_arrays(&self, rows: &RecordBatch, batch: &str) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut arrays = Vec::new();
        arrays.extend(self.schema.event_dates(rows)?);
        arrays.push(Arc::new(StringArray::from_iter_values(std::iter::repeat_n(batch, rows.num_rows()))));
        Ok(arrays)
    }

    /// The schema of the rows that could not be read.
    pub fn reject_schema() -> SchemaRef {
        Arc::new(Schema::new(vec![
            Field::new("unit", DataType::Utf8, false),
            Field::new("line", DataType::Int64, true),
            Field::new("topic", DataType::Utf8, true),
            Field::new("partition", DataType::Int32, true),
            Field::new("offset", DataType::Int64, true),
            Field::new("reason", DataType::Utf8, false),
            Field::new("text", DataType::Utf8, false),
            Field::new(BATCH, DataType::Utf8, false),
        ]))
    }
}
