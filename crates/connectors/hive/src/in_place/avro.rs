//! An Avro file of a table, batch by batch, with the file's own types.

use std::io::{BufReader, Read};

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use arrow_avro::reader::{Reader, ReaderBuilder};

use super::calendar::today_s_calendar;

const BATCH_ROWS: usize = 8192;
/// Whether Hive counted days by the calendar of today throughout.
const PROLEPTIC: &str = "writer.proleptic";
/// The zone that Hive took times for when it made them those of UTC.
const WRITER_ZONE: &str = "writer.time.zone";

/// An Avro file, opened.
pub(super) struct AvroFile {
    reader: Reader<BufReader<Box<dyn Read + Send>>>,
    /// Whether days before October 1582 are those of the calendar of that time.
    is_julian: bool,
}

impl AvroFile {
    /// Opens a file.
    ///
    /// # Errors
    /// Where it is no Avro, or its times are not those of UTC.
    pub(super) fn open(bytes: Box<dyn Read + Send>) -> Result<Self, String> {
        let builder = ReaderBuilder::new().with_batch_size(BATCH_ROWS);
        let reader = builder.build(BufReader::new(bytes)).map_err(|error| error.to_string())?;
        let header = reader.avro_header();
        let is_julian = header.get(PROLEPTIC).is_some_and(|noted| noted == b"false");
        match header.get(WRITER_ZONE).map(String::from_utf8_lossy) {
            Some(zone) if !["UTC", "Etc/UTC", "GMT", "Z"].contains(&zone.as_ref()) => Err(format!(
                "its times were written in the zone `{zone}`, and of Avro mep reads those of UTC"
            )),
            _ => Ok(Self { reader, is_julian }),
        }
    }

    /// Its columns.
    pub(super) fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }
}

impl Iterator for AvroFile {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.reader.next()?;
        Some(batch.and_then(|batch| {
            if !self.is_julian || batch.num_columns() == 0 {
                return Ok(batch);
            }
            let column = |column: &ArrayRef| match column.data_type() {
                DataType::Date32 => today_s_calendar(column),
                _ => column.clone(),
            };
            RecordBatch::try_new(batch.schema(), batch.columns().iter().map(column).collect())
        }))
    }
}
