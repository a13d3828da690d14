//! New rows over stored ones, by key, a partition at a time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, RecordBatch, StringArray, UInt32Array, new_null_array};
use arrow::compute::{cast, filter_record_batch, take, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::row::OwnedRow;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use mep_contract::sink::keyed::{KeyColumns, as_one};
use mep_contract::warehouse::PartitionKey;

/// Why rows could not be put over others.
#[derive(Debug, thiserror::Error)]
pub(super) enum MergeError {
    /// Their types.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// A file.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

/// What changes in one partition.
pub(super) struct PartitionChange {
    /// The partition.
    pub(super) partition: PartitionKey,
    /// The rows to put in, in the stored schema; one for each key.
    pub(super) rows: RecordBatch,
    /// The partition's values, one row of the stored schema.
    values: RecordBatch,
    /// The keys of these rows, and of those to take away.
    keys: HashSet<OwnedRow>,
    /// The key, in the stored schema.
    key: Arc<KeyColumns>,
}

/// Splits rows by partition. Of rows with the same key the last one counts.
pub(super) fn changes(
    schema: &SchemaRef,
    partition_columns: &[String],
    keys: &[&str],
    upserts: &[RecordBatch],
    deletes: &[RecordBatch],
) -> Result<Vec<PartitionChange>, MergeError> {
    let upserts = as_one(schema, upserts)?;
    let deletes = as_one(schema, deletes)?;
    let columns = keys.iter().map(|key| schema.index_of(key)).collect::<Result<_, _>>()?;
    let key = Arc::new(KeyColumns::new(schema, columns)?);
    let mut last: HashMap<OwnedRow, u32> = HashMap::new();
    let upsert_keys = key.of(&upserts)?;
    for (number, key) in upsert_keys.iter().enumerate() {
        last.insert(key.clone(), u32::try_from(number).unwrap_or(u32::MAX));
    }
    let mut by_partition: BTreeMap<PartitionKey, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
    for (number, partition) in partitions(&upserts, partition_columns)?.into_iter().enumerate() {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        if last.get(&upsert_keys[number as usize]) == Some(&number) {
            by_partition.entry(partition).or_default().0.push(number);
        }
    }
    for (number, partition) in partitions(&deletes, partition_columns)?.into_iter().enumerate() {
        by_partition.entry(partition).or_default().1.push(u32::try_from(number).unwrap_or(u32::MAX));
    }
    let delete_keys = key.of(&deletes)?;
    let mut changes = Vec::new();
    for (partition, (put, taken)) in by_partition {
        let keys = put.iter().map(|number| upsert_keys[*number as usize].clone());
        let keys = keys.chain(taken.iter().map(|number| delete_keys[*number as usize].clone())).collect();
        let (from, first) = match put.first() {
            Some(first) => (&upserts, *first),
            None => (&deletes, taken.first().copied().unwrap_or_default()),
        };
        let values = from.slice(first as usize, 1);
        let rows = take_record_batch(&upserts, &UInt32Array::from(put))?;
        changes.push(PartitionChange { partition, rows, values, keys, key: key.clone() });
    }
    Ok(changes)
}

impl PartitionChange {
    /// The stored rows that stay.
    pub(super) fn kept(&self, schema: &SchemaRef, files: &[PathBuf]) -> Result<Vec<RecordBatch>, MergeError> {
        let mut kept = Vec::new();
        for path in files {
            for batch in read(path)? {
                let batch = self.with_values(schema, &batch)?;
                let keys = self.key.of(&batch)?;
                let stays: BooleanArray = keys.iter().map(|key| Some(!self.keys.contains(key))).collect();
                kept.push(filter_record_batch(&batch, &stays)?);
            }
        }
        Ok(kept)
    }

    /// A file's rows with the partition's values, in the stored schema; a column that is new is null.
    fn with_values(&self, schema: &SchemaRef, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let zeros = UInt32Array::from(vec![0; batch.num_rows()]);
        let columns = schema.fields().iter().enumerate().map(|(index, field)| {
            if let Some(column) = batch.column_by_name(field.name()) {
                return cast(column, field.data_type());
            }
            if self.key.columns.contains(&index) {
                return take(self.values.column(index), &zeros, None);
            }
            Ok(new_null_array(field.data_type(), batch.num_rows()))
        });
        RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)
    }
}

/// The rows of a partition's files, in the stored schema.
pub(super) fn rows_of_files(
    schema: &SchemaRef,
    partition_columns: &[String],
    partition: &PartitionKey,
    files: &[PathBuf],
) -> Result<Vec<RecordBatch>, MergeError> {
    let mut rows = Vec::new();
    for path in files {
        for batch in read(path)? {
            let columns = schema.fields().iter().map(|field| {
                if let Some(column) = batch.column_by_name(field.name()) {
                    return cast(column, field.data_type());
                }
                let place = partition_columns.iter().position(|column| column == field.name());
                match place.and_then(|place| partition.values().get(place)) {
                    Some(value) => {
                        let texts: StringArray = (0..batch.num_rows()).map(|_| value.as_deref()).collect();
                        cast(&(Arc::new(texts) as ArrayRef), field.data_type())
                    }
                    None => Ok(new_null_array(field.data_type(), batch.num_rows())),
                }
            });
            rows.push(RecordBatch::try_new(schema.clone(), columns.collect::<Result<_, _>>()?)?);
        }
    }
    Ok(rows)
}

fn read(path: &Path) -> Result<Vec<RecordBatch>, MergeError> {
    let wrong = |error: &dyn std::fmt::Display| MergeError::File {
        path: path.display().to_string(),
        reason: error.to_string(),
    };
    let file = File::open(path).map_err(|error| wrong(&error))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    reader.map_err(|error| wrong(&error))?.map(|batch| batch.map_err(MergeError::from)).collect()
}

/// The partition of each row.
fn partitions(batch: &RecordBatch, columns: &[String]) -> Result<Vec<PartitionKey>, ArrowError> {
    let schema = batch.schema();
    let columns = columns.iter().map(|column| schema.index_of(column));
    PartitionKey::of_rows(&batch.project(&columns.collect::<Result<Vec<_>, _>>()?)?)
}
