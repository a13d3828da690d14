//! Writing rows into the files of an immutable folder, a file for each partition.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray, UInt32Array};
use arrow::compute::{cast, partition, take, take_record_batch};
use arrow::datatypes::{DataType, SchemaRef};
use arrow::error::ArrowError;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use mep_core::os_error::{self, OsMessage};

use super::build_folder::BuildFolder;
use super::error::WarehouseError;
use super::partition::PartitionKey;
use super::span::{KeySpan, SpanOfRows};
use super::storage::{Finishing, NewFile, TableFolder};
use super::table::DataFile;

/// Rows in a row group: small enough that two cores share one file, large enough that zstd has something to work on.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// Files that one writer keeps open; past it the least recently used is ended and a further file begun later.
const OPEN_FILES: usize = 64;

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file or folder.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// Encoding.
    #[error("rows cannot be written as parquet: {}", plain(.0))]
    Parquet(#[from] ParquetError),
    /// Splitting rows by partition.
    #[error("rows cannot be split by partition: {0}")]
    Arrow(#[from] ArrowError),
    /// A file of the table is not as it was written.
    #[error("{path} is damaged ({reason}): land its rows again with --full-refresh")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A partition would have other rows than before.
    #[error("partition `{partition}` has {expected} rows, but {found} were written for it")]
    RowsLost {
        /// The partition.
        partition: String,
        /// Rows that it has.
        expected: u64,
        /// Rows that were written.
        found: u64,
    },
    /// More partitions than a table should have.
    #[error(
        "the rows fall into more than {limit} partitions by ({columns}): partition by a coarser column, such as a date"
    )]
    TooManyPartitions {
        /// The limit.
        limit: usize,
        /// The partition columns.
        columns: String,
    },
}

/// What went wrong in the words of the system, where it was the system.
fn plain(error: &ParquetError) -> String {
    match error {
        ParquetError::External(inner) => match inner.downcast_ref() {
            Some(error) => OsMessage(error).to_string(),
            None => os_error::plain(&inner.to_string()).into_owned(),
        },
        other => os_error::plain(&other.to_string()).into_owned(),
    }
}

/// The files that were written, by partition.
pub type WrittenFiles = BTreeMap<PartitionKey, Vec<DataFile>>;

/// Where and how rows are written.
#[derive(Clone, Debug)]
pub struct WriteTarget {
    /// The table's folder.
    pub table_folder: TableFolder,
    /// The new folder below it.
    pub folder: BuildFolder,
    /// The schema of the rows, the partition columns last.
    pub schema: SchemaRef,
    /// The partition columns.
    pub partition_columns: Vec<String>,
    /// What goes into which file.
    pub spread: Spread,
}

/// How rows are spread over the files of their partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Each thread writes the rows that come to it, to a file of its own.
    Threads,
    /// The rows of a partition come to one thread: there are no more files than partitions, each of which is to hold little.
    Partitions,
    /// One after another, in the order of the rows.
    InOrder {
        /// Bytes at which a file is full, and the partition gets a further one.
        file_bytes: u64,
        /// How many columns, the first ones, the rows are in the order of, ascending and with NULL first.
        by: usize,
    },
}

impl Spread {
    /// How many columns the rows of a file are in the order of.
    fn by(self) -> usize {
        match self {
            Self::InOrder { by, .. } => by,
            Self::Threads | Self::Partitions => 0,
        }
    }
}

/// Most partitions that one build may make.
const MOST_PARTITIONS: usize = 20_000;

struct PartitionFile {
    writer: ArrowWriter<Box<dyn NewFile>>,
    path: String,
    rows: u64,
    runs: Vec<RowRun>,
    used: u64,
    span: SpanOfRows,
}

/// So many rows of a file, one behind the other, that were written under one label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowRun {
    pub(super) label: String,
    pub(super) rows: u64,
}

/// The files that were written, each with what its rows were written as, by partition.
pub(super) type LabelledFiles = BTreeMap<PartitionKey, Vec<(DataFile, Vec<RowRun>)>>;

/// A file that is all sent, and perhaps not all written.
struct EndingFile {
    path: String,
    rows: u64,
    runs: Vec<RowRun>,
    span: Option<KeySpan>,
    finishing: Finishing,
}

/// Writes batches; one writer for each thread, told apart by its name.
pub struct PartitionWriter {
    target: WriteTarget,
    name: String,
    /// The last folder of each file's path, behind those of its partition.
    below: Option<String>,
    file_schema: SchemaRef,
    open: HashMap<PartitionKey, PartitionFile>,
    ending: BTreeMap<PartitionKey, Vec<EndingFile>>,
    clock: u64,
    files: usize,
}

impl PartitionWriter {
    /// A writer whose files bear `name`, which no other writer to the same folder has.
    ///
    /// # Errors
    /// Where the schema's last columns are not the partition columns.
    pub fn new(target: WriteTarget, name: impl Into<String>) -> Result<Self, WriteError> {
        let data_columns = target.schema.fields().len() - target.partition_columns.len();
        let indices: Vec<usize> = (0..data_columns).collect();
        let file_schema = target.schema.project(&indices)?.into();
        Ok(Self::of_files(target, name.into(), file_schema, None))
    }

    /// A writer of files of this schema, each in one more folder of this name.
    pub(super) fn of_files(
        target: WriteTarget,
        name: String,
        file_schema: SchemaRef,
        below: Option<String>,
    ) -> Self {
        let (open, ending) = (HashMap::new(), BTreeMap::new());
        Self { target, name, below, file_schema, open, ending, clock: 0, files: 0 }
    }

    /// Writes rows of the target's schema, each into the file of its partition.
    ///
    /// # Errors
    /// Where a file cannot be written, or there are too many partitions.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), WriteError> {
        self.write_as(batch, None)
    }

    /// Writes rows as [`Self::write`] does, and notes the label that they are written under.
    pub(super) fn write_as(&mut self, batch: &RecordBatch, label: Option<&str>) -> Result<(), WriteError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let data_columns = self.file_schema.fields().len();
        let indices: Vec<usize> = (0..data_columns).collect();
        let data = batch.project(&indices)?;
        for (key, part) in split(&batch.columns()[data_columns..], batch.num_rows())? {
            let rows = part.take(&data)?;
            let run = label.map(|label| RowRun { label: label.to_owned(), rows: rows.num_rows() as u64 });
            self.write_partition(&key, &rows, run)?;
        }
        Ok(())
    }

    /// Ends all files, and says what was written. The publish syncs them.
    ///
    /// # Errors
    /// Where a file cannot be ended.
    pub fn finish(self) -> Result<WrittenFiles, WriteError> {
        let files = self.finish_labelled()?.into_iter();
        Ok(files.map(|(key, files)| (key, files.into_iter().map(|(file, _)| file).collect())).collect())
    }

    /// Ends all files, and says of each what its rows were written as.
    pub(super) fn finish_labelled(mut self) -> Result<LabelledFiles, WriteError> {
        let keys: Vec<PartitionKey> = self.open.keys().cloned().collect();
        for key in keys {
            self.close(&key)?;
        }
        let mut written = LabelledFiles::new();
        for (key, files) in self.ending {
            for EndingFile { path, rows, runs, span, finishing } in files {
                let bytes = finishing().map_err(|error| WarehouseError::Io {
                    action: "writing",
                    path: self.target.table_folder.path_of(&path),
                    error,
                })?;
                let file = DataFile { span, ..DataFile::new(path, rows, bytes) };
                written.entry(key.clone()).or_default().push((file, runs));
            }
        }
        Ok(written)
    }

    /// Writes rows of the files' schema, and notes what they are written as.
    pub(super) fn write_partition(
        &mut self,
        key: &PartitionKey,
        rows: &RecordBatch,
        runs: impl IntoIterator<Item = RowRun>,
    ) -> Result<(), WriteError> {
        self.clock += 1;
        if !self.open.contains_key(key) {
            if self.open.len() >= OPEN_FILES {
                let oldest = self.open.iter().min_by_key(|(_, file)| file.used).map(|(key, _)| key.clone());
                if let Some(oldest) = oldest {
                    self.close(&oldest)?;
                }
            }
            let is_ending = |key: &PartitionKey| self.ending.contains_key(key);
            let others = self.ending.len() + self.open.keys().filter(|key| !is_ending(key)).count();
            if !is_ending(key) && others >= MOST_PARTITIONS {
                let columns = self.target.partition_columns.join(", ");
                return Err(WriteError::TooManyPartitions { limit: MOST_PARTITIONS, columns });
            }
            let file = self.create(key)?;
            self.open.insert(key.clone(), file);
        }
        if let Some(file) = self.open.get_mut(key) {
            file.writer.write(rows)?;
            file.rows += rows.num_rows() as u64;
            for run in runs {
                match file.runs.last_mut() {
                    Some(last) if last.label == run.label => last.rows += run.rows,
                    _ => file.runs.push(run),
                }
            }
            file.used = self.clock;
            file.span.add(rows, self.target.spread.by());
            let bytes = (file.writer.bytes_written() + file.writer.in_progress_size()) as u64;
            if matches!(self.target.spread, Spread::InOrder { file_bytes, .. } if bytes >= file_bytes) {
                self.close(key)?;
            }
        }
        Ok(())
    }

    fn create(&mut self, key: &PartitionKey) -> Result<PartitionFile, WriteError> {
        let partition = key.path(&self.target.partition_columns);
        let folder = if partition.is_empty() {
            self.target.folder.path().to_owned()
        } else {
            format!("{}/{partition}", self.target.folder.path())
        };
        let folder = self.below.iter().fold(folder, |folder, below| format!("{folder}/{below}"));
        let path = format!("{folder}/{}-{}.parquet", self.name, self.files);
        self.files += 1;
        let storage = self.target.table_folder.storage();
        let file = storage.create(&self.target.table_folder.path_of(&path))?;
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .build();
        let writer = ArrowWriter::try_new(file, self.file_schema.clone(), Some(properties))?;
        Ok(PartitionFile {
            writer,
            path,
            rows: 0,
            runs: Vec::new(),
            used: self.clock,
            span: SpanOfRows::default(),
        })
    }

    fn close(&mut self, key: &PartitionKey) -> Result<(), WriteError> {
        let Some(open) = self.open.remove(key) else { return Ok(()) };
        let io = |error| WarehouseError::Io {
            action: "writing",
            path: self.target.table_folder.path_of(&open.path),
            error,
        };
        let finishing = open.writer.into_inner()?.finish().map_err(io)?;
        let span = open.span.span(self.target.spread.by());
        let file = EndingFile { path: open.path, rows: open.rows, runs: open.runs, span, finishing };
        self.ending.entry(key.clone()).or_default().push(file);
        Ok(())
    }
}

/// The rows of a batch that belong to one partition.
enum PartitionRows {
    /// All of them.
    Whole,
    /// So many, one behind the other.
    Range(Range<usize>),
    /// These.
    Rows(UInt32Array),
}

impl PartitionRows {
    fn of(ranges: &[Range<usize>], rows: usize) -> Self {
        match ranges {
            [range] if range.len() == rows => Self::Whole,
            [range] => Self::Range(range.clone()),
            ranges => {
                Self::Rows(ranges.iter().flat_map(|range| range.start as u32..range.end as u32).collect())
            }
        }
    }

    fn take(&self, rows: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        match self {
            Self::Whole => Ok(rows.clone()),
            Self::Range(range) => Ok(rows.slice(range.start, range.len())),
            Self::Rows(indices) => take_record_batch(rows, indices),
        }
    }
}

/// The partitions that rows fall into by the values of `columns`. Rows that follow one another are often of the same one: only the
/// first of them is looked at as text.
fn split(columns: &[ArrayRef], rows: usize) -> Result<Vec<(PartitionKey, PartitionRows)>, ArrowError> {
    if columns.is_empty() {
        return Ok(vec![(PartitionKey::new(Vec::new()), PartitionRows::Whole)]);
    }
    let ranges = partition(columns)?.ranges();
    let first: UInt32Array = ranges.iter().map(|range| range.start as u32).collect();
    let text = |column: &ArrayRef| cast(&take(column, &first, None)?, &DataType::Utf8);
    let texts: Vec<ArrayRef> = columns.iter().map(text).collect::<Result<_, _>>()?;
    let texts: Vec<&StringArray> = texts.iter().map(AsArray::as_string).collect();
    let value = |text: &StringArray, at: usize| text.is_valid(at).then(|| text.value(at).to_owned());
    let mut groups: Vec<(PartitionKey, Vec<Range<usize>>)> = Vec::new();
    let mut by_key: HashMap<PartitionKey, usize> = HashMap::new();
    for (at, range) in ranges.into_iter().enumerate() {
        let key = PartitionKey::new(texts.iter().map(|text| value(text, at)).collect());
        let group = *by_key.entry(key).or_insert_with_key(|key| {
            groups.push((key.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(range);
    }
    Ok(groups.into_iter().map(|(key, ranges)| (key, PartitionRows::of(&ranges, rows))).collect())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::sync::Arc;

    use arrow::array::{Date32Array, Int64Array};
    use arrow::datatypes::{Field, Schema};

    use super::*;
    use crate::warehouse::RunId;
    use crate::warehouse::storage::LocalFiles;
    use mep_core::root::Root;

    #[test]
    fn rows_go_to_the_file_of_their_partition_and_the_files_lack_the_partition_columns() {
        let folder = tempfile::tempdir().unwrap();
        let schema: SchemaRef = Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("day", DataType::Date32, true),
        ]));
        let build = BuildFolder::of(&RunId::generate());
        let target = WriteTarget {
            table_folder: TableFolder::new(
                Arc::new(LocalFiles(Root::new(folder.path()))),
                folder.path().into(),
            ),
            folder: build.clone(),
            schema: schema.clone(),
            partition_columns: vec!["day".into()],
            spread: Spread::Threads,
        };
        let batch = RecordBatch::try_new(
            schema,
            vec![
                Arc::new(Int64Array::from(vec![1, 2, 3, 4])),
                Arc::new(Date32Array::from(vec![Some(0), Some(1), None, Some(0)])),
            ],
        )
        .unwrap();
        let mut writer = PartitionWriter::new(target, "0").unwrap();
        writer.write(&batch).unwrap();
        let written = writer.finish().unwrap();
        let rows: Vec<(String, u64)> =
            written.iter().map(|(key, files)| (key.to_string(), files[0].rows)).collect();
        assert_eq!(rows, [("null".into(), 1), ("1970-01-01".into(), 2), ("1970-01-02".into(), 1)]);
        let path = folder.path().join(build.path()).join("day=1970-01-01/0-0.parquet");
        let file = File::open(path).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!(reader.schema().fields().len(), 1);
    }
}
