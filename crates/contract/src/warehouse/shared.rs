//! Files that several partitions of a table share.
//!
//! The partitions differ in the last partition column alone: its value stands in such a file as a column, and each partition
//! knows which rows are its own ([`Within`]). So small partitions cost no file each, and all else about them stays what it is.
//! A shared file holds the rows of its partitions and no others: where one of them goes, what is left is written anew.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReaderBuilder, RowSelection};

use super::build_folder::BuildFolder;
use super::partition::PartitionKey;
use super::storage::TableFolder;
use super::table::{DataFile, Partition, Within};
use super::writer::{LabelledFiles, PartitionWriter, RowRun, Spread, WriteError, WriteTarget, WrittenFiles};
use mep_core::guard::guarded;

/// Bytes at which a shared file is full: what is written anew at most where one of its partitions goes.
pub const SHARED_BYTES: u64 = 16 << 20;

/// What stands for the value of the last partition column in a shared file's path.
const SEVERAL: &str = "several";

/// Writes rows of partitions that share files.
pub struct SharedWriter {
    writer: PartitionWriter,
    /// The columns in the order of the file: the last one, which the file has, before those that name its folder.
    order: Vec<usize>,
}

impl SharedWriter {
    /// A writer to the same target that a [`PartitionWriter`] has, under a name that none of them has.
    ///
    /// # Errors
    /// Where the schema's last columns are not the partition columns.
    pub fn new(target: WriteTarget, name: &str) -> Result<Self, WriteError> {
        let files = SharedFiles {
            table_folder: target.table_folder,
            folder: target.folder,
            partition_columns: target.partition_columns,
            name: name.to_owned(),
        };
        let columns = target.schema.fields().len();
        let in_folders = files.folders().len();
        let mut order: Vec<usize> = (0..columns).collect();
        let last = columns.saturating_sub(1);
        order.retain(|column| *column != last);
        order.insert(last.saturating_sub(in_folders), last);
        let schema: SchemaRef = target.schema.project(&order)?.into();
        let in_file: Vec<usize> = (0..columns.saturating_sub(in_folders)).collect();
        let file_schema = schema.project(&in_file)?.into();
        Ok(Self { writer: files.writer(schema, file_schema, name.to_owned()), order })
    }

    /// Writes rows of the target's schema, whose last column has this value throughout.
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn write(&mut self, rows: &RecordBatch, last: &str) -> Result<(), WriteError> {
        self.writer.write_as(&rows.project(&self.order)?, Some(last))
    }

    /// Ends all files, and says which rows of them each partition has.
    ///
    /// # Errors
    /// Where a file cannot be ended.
    pub fn finish(self) -> Result<WrittenFiles, WriteError> {
        Ok(by_partition(self.writer.finish_labelled()?))
    }
}

/// The rows of files that were written, under the partitions that they are of.
fn by_partition(files: LabelledFiles) -> WrittenFiles {
    let mut written = WrittenFiles::new();
    for (folder, files) in files {
        for (file, runs) in files {
            let mut first = 0;
            for RowRun { label, rows } in runs {
                let within = Within { first, rows: file.rows, bytes: file.bytes };
                let part = DataFile::shared(file.path.clone(), rows, within);
                written.entry(folder.with(&label)).or_default().push(part);
                first += rows;
            }
        }
    }
    written
}

/// Where files are written that partitions share.
#[derive(Clone, Debug)]
pub struct SharedFiles {
    /// The table's folder.
    pub table_folder: TableFolder,
    /// The new folder below it.
    pub folder: BuildFolder,
    /// The partition columns.
    pub partition_columns: Vec<String>,
    /// What the files are called, as no others in the folder are.
    pub name: String,
}

/// Rows of a file, one behind the other, that are of one partition.
struct SharedPiece {
    key: PartitionKey,
    first: u64,
    rows: u64,
}

impl SharedFiles {
    /// Writes anew what is left of each shared file of which a partition is gone, and says how many bytes that came to.
    ///
    /// # Errors
    /// Where a file cannot be read or written, or rows would get lost.
    pub fn settle(&self, partitions: &mut BTreeMap<PartitionKey, Partition>) -> Result<u64, WriteError> {
        let mut held: HashMap<&str, (u64, u64)> = HashMap::new();
        for file in partitions.values().flat_map(|partition| partition.files.iter()) {
            if let Some(within) = file.within {
                held.entry(&file.path).or_insert((0, within.rows)).0 += file.rows;
            }
        }
        let partly: BTreeSet<String> = held
            .into_iter()
            .filter(|(_, (held, rows))| held != rows)
            .map(|(path, _)| path.to_owned())
            .collect();
        if partly.is_empty() {
            return Ok(0);
        }
        let of_files = |(key, partition): (&PartitionKey, &Partition)| {
            let files = partition.files.iter().filter(|file| partly.contains(&file.path));
            files.map(|file| (key.clone(), file.clone())).collect::<Vec<_>>()
        };
        let written = self.gather(partitions.iter().flat_map(of_files).collect())?;
        let bytes = written.values().flatten().map(|file| file.bytes).sum();
        replace_files(partitions, &partly, written)?;
        Ok(bytes)
    }

    /// Writes the rows of these files, each of its partition, into files that these partitions share.
    ///
    /// # Errors
    /// Where a file cannot be read or written.
    pub fn gather(&self, files: Vec<(PartitionKey, DataFile)>) -> Result<WrittenFiles, WriteError> {
        let mut pieces: BTreeMap<(PartitionKey, String), Vec<SharedPiece>> = BTreeMap::new();
        for (key, file) in files {
            let first = file.within.map_or(0, |within| within.first);
            let place = (key.without_last(), file.path);
            pieces.entry(place).or_default().push(SharedPiece { key, first, rows: file.rows });
        }
        // Files keep the columns that they were written with, so those of other columns go into other files.
        let mut writers: Vec<(SchemaRef, PartitionWriter)> = Vec::new();
        for ((folder, path), mut pieces) in pieces {
            pieces.sort_by_key(|piece| piece.first);
            let copied = guarded(|| self.copy(&folder, &path, &pieces, &mut writers));
            copied.map_err(|panicked| WriteError::Damaged { path, reason: panicked.to_string() })??;
        }
        let mut written = WrittenFiles::new();
        for (_, writer) in writers {
            for (key, mut files) in by_partition(writer.finish_labelled()?) {
                written.entry(key).or_default().append(&mut files);
            }
        }
        Ok(written)
    }

    fn copy(
        &self,
        folder: &PartitionKey,
        path: &str,
        pieces: &[SharedPiece],
        writers: &mut Vec<(SchemaRef, PartitionWriter)>,
    ) -> Result<(), WriteError> {
        let bytes = Bytes::from(self.table_folder.storage().read(&self.table_folder.path_of(path))?);
        let reader = ParquetRecordBatchReaderBuilder::try_new(bytes)?;
        let all = usize::try_from(reader.metadata().file_metadata().num_rows()).unwrap_or_default();
        if pieces.last().is_some_and(|last| last.first + last.rows > all as u64) {
            let reason = format!("it has {all} rows, fewer than were written");
            return Err(WriteError::Damaged { path: path.to_owned(), reason });
        }
        let ranges = pieces.iter().map(|piece| piece.first as usize..(piece.first + piece.rows) as usize);
        let reader = reader.with_row_selection(RowSelection::from_consecutive_ranges(ranges, all)).build()?;
        let mut left = pieces.iter().map(|piece| (piece, piece.rows)).peekable();
        for rows in reader {
            let rows = rows?;
            let mut missing = rows.num_rows() as u64;
            let mut runs = Vec::new();
            while missing > 0
                && let Some((piece, left_of_it)) = left.peek_mut()
            {
                let taken = missing.min(*left_of_it);
                runs.push(RowRun { label: piece.key.batch().unwrap_or_default().to_owned(), rows: taken });
                missing -= taken;
                *left_of_it -= taken;
                if *left_of_it == 0 {
                    left.next();
                }
            }
            let rows = self.with_last(&rows, &runs)?;
            let schema = rows.schema();
            let known = writers.iter().position(|(known, _)| known.fields() == schema.fields());
            let at = known.unwrap_or_else(|| {
                let name = format!("{}{}", self.name, writers.len());
                writers.push((schema.clone(), self.writer(schema.clone(), schema, name)));
                writers.len() - 1
            });
            if let Some((_, writer)) = writers.get_mut(at) {
                writer.write_partition(folder, &rows, runs)?;
            }
        }
        Ok(())
    }

    /// Rows of a file with the last partition column behind them.
    fn with_last(&self, rows: &RecordBatch, runs: &[RowRun]) -> Result<RecordBatch, WriteError> {
        let name = self.partition_columns.last().map_or("", String::as_str);
        let schema = rows.schema();
        if schema.fields().last().is_some_and(|field| field.name() == name) {
            let plain = Arc::new(Schema::new(schema.fields().clone()));
            return Ok(RecordBatch::try_new(plain, rows.columns().to_vec())?);
        }
        let last = Field::new(name, DataType::Utf8, false);
        let fields = schema.fields().iter().cloned().chain([Arc::new(last)]);
        let values = runs.iter().flat_map(|run| std::iter::repeat_n(run.label.as_str(), run.rows as usize));
        let values: ArrayRef = Arc::new(StringArray::from(values.collect::<Vec<&str>>()));
        let columns = rows.columns().iter().cloned().chain([values]);
        let schema = Schema::new(fields.collect::<Vec<_>>());
        Ok(RecordBatch::try_new(Arc::new(schema), columns.collect())?)
    }

    /// The partition columns that folders are named by.
    fn folders(&self) -> &[String] {
        self.partition_columns.split_last().map_or(&[], |(_, folders)| folders)
    }

    fn writer(&self, schema: SchemaRef, file_schema: SchemaRef, name: String) -> PartitionWriter {
        let below = self.partition_columns.last().map(|last| format!("{last}={SEVERAL}"));
        let target = WriteTarget {
            table_folder: self.table_folder.clone(),
            folder: self.folder.clone(),
            schema,
            partition_columns: self.folders().to_vec(),
            spread: Spread::InOrder { file_bytes: SHARED_BYTES, by: 0 },
        };
        PartitionWriter::of_files(target, name, file_schema, below)
    }
}

/// Puts the files that were written in the place of these. Each partition keeps as many rows.
///
/// # Errors
/// Where one would have fewer or more.
pub fn replace_files(
    partitions: &mut BTreeMap<PartitionKey, Partition>,
    paths: &BTreeSet<String>,
    mut written: WrittenFiles,
) -> Result<(), WriteError> {
    for (key, partition) in partitions {
        let expected = partition.rows();
        if !partition.files.iter().any(|file| paths.contains(&file.path)) {
            continue;
        }
        let files = Arc::make_mut(&mut partition.files);
        files.retain(|file| !paths.contains(&file.path));
        files.extend(written.remove(key).unwrap_or_default());
        let found = partition.rows();
        if found != expected {
            return Err(WriteError::RowsLost { partition: key.to_string(), expected, found });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
