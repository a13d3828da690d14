//! A table that others publish, as DataFusion reads it: each thread takes files one after another, whatever form they have.
//!
//! Owns who reads which file. Must not know: what is in files, which are read.

use std::fmt;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::stream::RecordBatchReceiverStreamBuilder;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

use mep_contract::warehouse::{DataFile, FileBatches, ReadsFiles, WarehouseError};

/// Batches that may wait for whoever takes them.
const WAITING: usize = 2;

/// A file, with the values of the columns that name its partition.
#[derive(Clone)]
pub(super) struct FileOfPartition {
    pub(super) file: DataFile,
    pub(super) values: Vec<ScalarValue>,
}

/// A scan of files.
pub(super) struct InPlaceScan {
    /// What reads them.
    pub(super) reader: Arc<dyn ReadsFiles>,
    /// All of them.
    pub(super) files: Vec<FileOfPartition>,
    /// The columns that are asked for.
    pub(super) schema: SchemaRef,
    /// Which of the table's these are.
    pub(super) columns: Vec<usize>,
    /// How many of the table's columns are in files; those after them name partitions.
    pub(super) file_columns: usize,
}

impl InPlaceScan {
    /// The plan of it, for so many threads.
    pub(super) fn plan(
        self,
        threads: usize,
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        if self.files.is_empty() {
            return Ok(Arc::new(EmptyExec::new(self.schema)));
        }
        let in_files: Vec<usize> =
            self.columns.iter().copied().filter(|column| *column < self.file_columns).collect();
        let places = self.columns.iter().map(|column| match column.checked_sub(self.file_columns) {
            Some(value) => ColumnPlace::Value(value),
            None => ColumnPlace::InFile(in_files.iter().position(|of| of == column).unwrap_or_default()),
        });
        let shape = Arc::new(RowShape {
            reader: self.reader,
            schema: self.schema.clone(),
            places: places.collect(),
            in_files,
        });
        let shares = shares(self.files, threads);
        let streams = shares.into_iter().map(|files| {
            let share: Arc<dyn PartitionStream> = Arc::new(FileShare { shape: shape.clone(), files });
            share
        });
        let scan = StreamingTableExec::try_new(self.schema, streams.collect(), None, [], false, limit)?;
        Ok(Arc::new(scan))
    }
}

/// The files, shared out so that each thread has about as many bytes.
fn shares(mut files: Vec<FileOfPartition>, threads: usize) -> Vec<Vec<FileOfPartition>> {
    files.sort_by_key(|file| std::cmp::Reverse(file.file.bytes));
    let mut shares: Vec<(u64, Vec<FileOfPartition>)> = vec![(0, Vec::new()); threads.max(1).min(files.len())];
    for file in files {
        let Some((bytes, share)) = shares.iter_mut().min_by_key(|(bytes, _)| *bytes) else { break };
        *bytes += file.file.bytes + DataFile::OPENING;
        share.push(file);
    }
    shares.into_iter().map(|(_, share)| share).collect()
}

/// Where a column that is asked for comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnPlace {
    /// Among the columns that are read of a file.
    InFile(usize),
    /// Among the values of a partition.
    Value(usize),
}

/// What rows are to look like.
struct RowShape {
    reader: Arc<dyn ReadsFiles>,
    schema: SchemaRef,
    places: Vec<ColumnPlace>,
    in_files: Vec<usize>,
}

impl RowShape {
    fn open(&self, file: &FileOfPartition) -> Result<FileBatches, WarehouseError> {
        self.reader.rows(&file.file, &self.in_files)
    }

    fn shaped(&self, batch: &RecordBatch, values: &[ScalarValue]) -> Result<RecordBatch, DataFusionError> {
        let rows = batch.num_rows();
        let columns = self.places.iter().map(|place| match place {
            ColumnPlace::InFile(at) => Ok(batch.column(*at).clone()),
            ColumnPlace::Value(at) => values[*at].to_array_of_size(rows),
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows)?)
    }
}

/// The files that one thread reads.
struct FileShare {
    shape: Arc<RowShape>,
    files: Vec<FileOfPartition>,
}

impl fmt::Debug for FileShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileShare").field("files", &self.files.len()).finish_non_exhaustive()
    }
}

impl PartitionStream for FileShare {
    fn schema(&self) -> &SchemaRef {
        &self.shape.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let mut rows = RecordBatchReceiverStreamBuilder::new(self.shape.schema.clone(), WAITING);
        let (sender, shape, files) = (rows.tx(), self.shape.clone(), self.files.clone());
        // To read is to wait for the network, which no thread of queries may do.
        rows.spawn_blocking(move || {
            let external = |error: WarehouseError| DataFusionError::External(Box::new(error));
            for file in &files {
                for batch in shape.open(file).map_err(external)? {
                    let batch = shape.shaped(&batch.map_err(external)?, &file.values)?;
                    // Whoever asked has enough.
                    if sender.blocking_send(Ok(batch)).is_err() {
                        return Ok(());
                    }
                }
            }
            Ok(())
        });
        rows.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(bytes: u64) -> FileOfPartition {
        FileOfPartition { file: DataFile::new(bytes.to_string(), 0, bytes), values: Vec::new() }
    }

    #[test]
    fn threads_have_about_as_many_bytes_and_no_thread_has_none() {
        let bytes = |files: &[u64], threads| -> Vec<Vec<u64>> {
            let shared = shares(files.iter().copied().map(file).collect(), threads);
            shared.iter().map(|share| share.iter().map(|file| file.file.bytes).collect()).collect()
        };
        let million = 1_000_000;
        assert_eq!(
            bytes(&[million, 3 * million, million, million], 2),
            [vec![3 * million], vec![million; 3]]
        );
        assert_eq!(bytes(&[5], 8), [[5]]);
        assert!(bytes(&[], 8).is_empty());
    }
}
