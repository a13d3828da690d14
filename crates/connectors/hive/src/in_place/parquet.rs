//! A Parquet file of a table, batch by batch.
//!
//! Owns what is particular to Parquet as Hive, Spark and Trino write it. Comes in: the bytes of HDFS. Goes out: batches of those columns of
//! the file that are wanted, with the file's own types. Must not know: the table.

use std::collections::HashMap;
use std::ops::Range;
use std::str::FromStr as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType};
use bytes::Bytes;
use chrono::DateTime;
use chrono_tz::Tz;
use futures::executor::block_on;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::arrow::async_reader::{
    AsyncFileReader, ParquetRecordBatchStream, ParquetRecordBatchStreamBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::{ParquetMetaData, ParquetMetaDataReader};

use super::calendar::today_s_calendar;

const BATCH_ROWS: usize = 8192;
/// The zone that Hive took 96-bit times for when it made them those of UTC.
const WRITER_ZONE: &str = "writer.time.zone";
/// Whether Hive counted days by the calendar of today throughout.
const PROLEPTIC: &str = "writer.date.proleptic";

/// A Parquet file, opened.
pub(super) struct ParquetFile {
    stream: ParquetRecordBatchStream<StoredParquet>,
    schema: SchemaRef,
    times: WrittenTimes,
}

impl ParquetFile {
    /// Opens a file and picks columns of it: those whose places `pick` gives, in the order of the file.
    ///
    /// # Errors
    /// Where it is no Parquet, or HDFS does not give it.
    pub(super) fn open(
        store: Arc<dyn ObjectStore>,
        path: ObjectPath,
        bytes: u64,
        pick: impl FnOnce(&Schema) -> Vec<usize>,
    ) -> Result<Self, ParquetError> {
        let mut reader = StoredParquet { store, path, bytes };
        // The writer's Arrow schema would bring encodings that say nothing of the values.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        let metadata = block_on(ArrowReaderMetadata::load_async(&mut reader, options.clone()))?;
        let metadata = in_microseconds(metadata, options)?;
        let times = WrittenTimes::of(&metadata)?;
        let builder = ParquetRecordBatchStreamBuilder::new_with_metadata(reader, metadata);
        let mut picked = pick(builder.schema());
        picked.sort_unstable();
        picked.dedup();
        let mask = ProjectionMask::roots(builder.parquet_schema(), picked.iter().copied());
        let schema = Arc::new(builder.schema().project(&picked)?);
        let stream = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
        Ok(Self { stream, schema, times })
    }

    /// The columns that were picked.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }
}

impl Iterator for ParquetFile {
    type Item = Result<RecordBatch, ParquetError>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = block_on(self.stream.next())?;
        Some(batch.and_then(|batch| self.times.mended(batch)))
    }
}

/// The bytes of a file, as what reads Parquet asks for them.
struct StoredParquet {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    bytes: u64,
}

impl AsyncFileReader for StoredParquet {
    fn get_bytes(&mut self, range: Range<u64>) -> BoxFuture<'_, ParquetResult<Bytes>> {
        async move { self.store.get_range(&self.path, range).await.map_err(external) }.boxed()
    }

    fn get_byte_ranges(&mut self, ranges: Vec<Range<u64>>) -> BoxFuture<'_, ParquetResult<Vec<Bytes>>> {
        async move { self.store.get_ranges(&self.path, &ranges).await.map_err(external) }.boxed()
    }

    fn get_metadata<'a>(
        &'a mut self,
        _: Option<&'a ArrowReaderOptions>,
    ) -> BoxFuture<'a, ParquetResult<Arc<ParquetMetaData>>> {
        async move {
            let bytes = self.bytes;
            ParquetMetaDataReader::new().load_and_finish(self, bytes).await.map(Arc::new)
        }
        .boxed()
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}

/// Which times of a file are others than they say, by what its writer noted.
struct WrittenTimes {
    /// The zone whose times 96-bit times are to be shown as.
    zone: Option<Tz>,
    /// The names of columns that are 96-bit times.
    wide: Vec<String>,
    /// Whether days before October 1582 are those of the calendar of that time.
    is_julian: bool,
}

impl WrittenTimes {
    fn of(metadata: &ArrowReaderMetadata) -> Result<Self, ParquetError> {
        let file = metadata.metadata().file_metadata();
        let noted: HashMap<&str, &str> = file
            .key_value_metadata()
            .into_iter()
            .flatten()
            .filter_map(|note| Some((note.key.as_str(), note.value.as_deref()?)))
            .collect();
        let zone = match noted.get(WRITER_ZONE) {
            None => None,
            Some(name) => {
                let zone = Tz::from_str(name).map_err(|_| {
                    ParquetError::General(format!(
                        "its times were written in the zone `{name}`, which is not known"
                    ))
                })?;
                Some(zone).filter(|zone| !is_utc(*zone))
            }
        };
        let is_julian = noted.get(PROLEPTIC).is_some_and(|value| *value == "false");
        let roots = file.schema_descr().root_schema().get_fields().iter();
        let wide = roots
            .filter(|root| root.is_primitive() && root.get_physical_type() == PhysicalType::INT96)
            .map(|root| root.name().to_owned());
        Ok(Self { zone, wide: wide.collect(), is_julian })
    }

    fn mended(&self, batch: RecordBatch) -> Result<RecordBatch, ParquetError> {
        if self.zone.is_none() && !self.is_julian || batch.num_columns() == 0 {
            return Ok(batch);
        }
        let schema = batch.schema();
        let columns =
            schema.fields().iter().zip(batch.columns()).map(|(field, column)| match field.data_type() {
                DataType::Date32 if self.is_julian => today_s_calendar(column),
                DataType::Timestamp(TimeUnit::Microsecond, _) if self.wide.contains(field.name()) => {
                    match self.zone {
                        Some(zone) => local_times(column, zone),
                        None => column.clone(),
                    }
                }
                _ => column.clone(),
            });
        Ok(RecordBatch::try_new(schema.clone(), columns.collect())?)
    }
}

fn is_utc(zone: Tz) -> bool {
    matches!(zone, Tz::UTC | Tz::Etc__UTC | Tz::GMT | Tz::Etc__GMT | Tz::Zulu | Tz::Universal | Tz::UCT)
}

/// Times of UTC as clocks of a zone showed them.
fn local_times(column: &ArrayRef, zone: Tz) -> ArrayRef {
    let local = |time: i64| {
        let shown = DateTime::from_timestamp_micros(time)?.with_timezone(&zone).naive_local();
        Some(shown.and_utc().timestamp_micros())
    };
    Arc::new(
        column.as_primitive::<TimestampMicrosecondType>().unary_opt::<_, TimestampMicrosecondType>(local),
    )
}

/// The metadata of a file, by which times that take 96 bits are read as microseconds: nanoseconds, which the reader takes them
/// for, wrap around outside 1677 to 2262.
fn in_microseconds(
    metadata: ArrowReaderMetadata,
    options: ArrowReaderOptions,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let leaves = metadata.metadata().file_metadata().schema_descr().columns();
    if leaves.iter().all(|leaf| leaf.physical_type() != PhysicalType::INT96) {
        return Ok(metadata);
    }
    let mut wide = leaves.iter().map(|leaf| leaf.physical_type() == PhysicalType::INT96);
    let fields = metadata.schema().fields().iter().map(|field| of_leaves(field, &mut wide));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    ArrowReaderMetadata::try_new(metadata.metadata().clone(), options.with_schema(schema))
}

/// A field whose 96-bit times are microseconds; `wide` says for each of the leaves, in their order, whether it is one.
fn of_leaves(field: &Arc<Field>, wide: &mut impl Iterator<Item = bool>) -> Arc<Field> {
    let data_type = match field.data_type() {
        DataType::Struct(fields) => {
            DataType::Struct(fields.iter().map(|field| of_leaves(field, wide)).collect())
        }
        DataType::List(item) => DataType::List(of_leaves(item, wide)),
        DataType::Map(entries, sorted) => DataType::Map(of_leaves(entries, wide), *sorted),
        leaf => match (wide.next(), leaf) {
            (Some(true), _) => DataType::Timestamp(TimeUnit::Microsecond, None),
            (_, leaf) => leaf.clone(),
        },
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_where_they_were_written() {
        let noon = 1_541_246_400_000_000_i64;
        let times: ArrayRef = Arc::new(arrow::array::TimestampMicrosecondArray::from(vec![Some(noon), None]));
        let shown = local_times(&times, Tz::America__Los_Angeles);
        let shown: Vec<Option<i64>> = shown.as_primitive::<TimestampMicrosecondType>().iter().collect();
        assert_eq!(shown, [Some(noon - 7 * 3_600_000_000), None]);
    }
}
