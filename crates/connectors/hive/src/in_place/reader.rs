//! The rows of files that others publish, with the columns of the table that they belong to.
//!
//! Owns that a file which is another one than it was when it was listed is an error, and how the columns of a partition become those of the
//! table. Comes in: a file and columns. Goes out: batches. Must not know: which files a table has.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, StringArray, new_null_array};
use arrow::datatypes::{Field, Schema, SchemaRef};

use super::avro::AvroFile;
use super::column_type::HiveType;
use super::csv::CsvFormat;
use super::fitted::{Unfit, fitted, position};
use super::form::FileForm;
use super::lines::Lines;
use super::parquet::ParquetFile;
use super::stored_file;
use super::text::TextFormat;
use crate::hdfs::Hdfs;
use mep_contract::warehouse::storage::Storage;
use mep_contract::warehouse::{DataFile, FileBatches, ReadsFiles, WarehouseError};
use mep_core::fail_point;
use mep_core::guard::guarded;
use mep_core::relation::Relation;

/// A column as the metastore has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HiveColumn {
    /// In lower case, as Hive keeps all names.
    pub(super) name: String,
    /// Its type.
    pub(super) of: HiveType,
}

/// What is common to the files of a partition.
#[derive(Debug)]
pub(super) struct FilesAlike {
    /// What they are.
    pub(super) form: FileForm,
    /// The columns that the metastore says they have, in order.
    pub(super) columns: Vec<HiveColumn>,
}

/// A file as it was when it was listed.
#[derive(Debug)]
pub(super) struct ListedFile {
    /// When it was changed, in milliseconds since 1970.
    pub(super) modified: u64,
    /// What it is.
    pub(super) alike: Arc<FilesAlike>,
}

/// Reads the files of a table.
#[derive(Debug)]
pub(super) struct HiveFiles {
    pub(super) hdfs: Hdfs,
    pub(super) relation: Relation,
    /// The columns of the table, but for those that name partitions: with the names that mep knows them by.
    pub(super) schema: SchemaRef,
    /// Their types.
    pub(super) columns: Vec<HiveColumn>,
    /// Its files by path.
    pub(super) files: HashMap<String, ListedFile>,
}

impl ReadsFiles for HiveFiles {
    fn rows(&self, file: &DataFile, columns: &[usize]) -> Result<FileBatches, WarehouseError> {
        let (relation, path) = (self.relation.to_string(), file.path.clone());
        let Some(listed) = self.files.get(&path) else {
            return Err(WarehouseError::FileChanged { relation, path });
        };
        let check = FileCheck {
            hdfs: self.hdfs.clone(),
            path,
            bytes: file.bytes,
            modified: listed.modified,
            relation,
        };
        check.is_the_same()?;
        let wanted = self.wanted(&listed.alike, columns);
        let rows = match guarded(|| self.open(&check, &listed.alike.form, wanted)) {
            Ok(opened) => opened,
            Err(panicked) => Err(panicked.to_string()),
        };
        match rows {
            Ok(rows) => {
                fail_point::reached("hive-file-opened");
                Ok(Box::new(CheckedRows { rows: Some(rows), check }))
            }
            // What was put in its place may be no such file.
            Err(reason) => Err(check.or_changed(check.unreadable(reason))),
        }
    }
}

/// The batches of a file, each with the columns that are wanted.
type FittedRows = Box<dyn Iterator<Item = Result<RecordBatch, String>> + Send>;

impl HiveFiles {
    /// Columns of the table, as the files of a partition have them: Hive takes the columns of a partition for those of the table by their
    /// places, so that a column which was added since is NULL in a partition which is older.
    fn wanted(&self, alike: &FilesAlike, columns: &[usize]) -> WantedColumns {
        let fields: Vec<Field> = columns.iter().map(|at| self.schema.field(*at).clone()).collect();
        let column = |at: &usize| WantedColumn {
            place: *at,
            in_files: alike.columns.get(*at).cloned(),
            of: self.columns[*at].of.clone(),
        };
        let columns = columns.iter().map(column).collect();
        WantedColumns { columns, schema: Arc::new(Schema::new(fields)), in_files: alike.columns.len() }
    }

    fn open(&self, file: &FileCheck, form: &FileForm, wanted: WantedColumns) -> Result<FittedRows, String> {
        let store = Arc::new(self.hdfs.reads_of_one());
        let path = self.hdfs.object_path(file.path.as_ref()).map_err(said)?;
        match form {
            FileForm::Parquet => {
                let rows = ParquetFile::open(store, path, file.bytes, |schema| wanted.places(schema))
                    .map_err(said)?;
                wanted.check(rows.schema()).map_err(said)?;
                Ok(Box::new(rows.map(move |batch| wanted.fitted(&batch.map_err(said)?).map_err(said))))
            }
            FileForm::Avro => {
                let rows = AvroFile::open(stored_file::open(store, path, file.bytes)?)?;
                wanted.check(&rows.schema()).map_err(said)?;
                Ok(Box::new(rows.map(move |batch| wanted.fitted(&batch.map_err(said)?).map_err(said))))
            }
            FileForm::Text(format) => {
                let (lines, format) =
                    (Lines::new(stored_file::open(store, path, file.bytes)?, format.header), format.clone());
                Ok(Box::new(
                    lines.map(move |lines| wanted.of_text(&format, &lines.map_err(said)?).map_err(said)),
                ))
            }
            FileForm::Csv(format) => {
                let (lines, format) =
                    (Lines::new(stored_file::open(store, path, file.bytes)?, format.header), format.clone());
                Ok(Box::new(
                    lines.map(move |lines| wanted.of_csv(&format, &lines.map_err(said)?).map_err(said)),
                ))
            }
        }
    }
}

fn said(error: impl Display) -> String {
    error.to_string()
}

/// A column of the table that is wanted of a file.
struct WantedColumn {
    /// Its place among the columns of the table, and so of the partition.
    place: usize,
    /// As the file's partition has it; `None` where it has no such column.
    in_files: Option<HiveColumn>,
    /// Its type in the table.
    of: HiveType,
}

/// The columns that are wanted of a file.
struct WantedColumns {
    columns: Vec<WantedColumn>,
    schema: SchemaRef,
    /// How many columns the file's partition has.
    in_files: usize,
}

impl WantedColumns {
    /// Where they are in a file that names its columns.
    fn places(&self, file: &Schema) -> Vec<usize> {
        let names = self.columns.iter().filter_map(|column| column.in_files.as_ref());
        names.filter_map(|column| position(file.fields(), &column.name)).collect()
    }

    /// Makes sure that a file's columns can be read as these, before any row is.
    fn check(&self, file: &SchemaRef) -> Result<(), Unfit> {
        self.fitted(&RecordBatch::new_empty(file.clone())).map(|_| ())
    }

    /// A batch of a file, with these columns.
    fn fitted(&self, batch: &RecordBatch) -> Result<RecordBatch, Unfit> {
        let schema = batch.schema();
        let found = |column: &WantedColumn| {
            let name = &column.in_files.as_ref()?.name;
            position(schema.fields(), name).map(|at| batch.column(at).clone())
        };
        let found: Vec<Option<ArrayRef>> = self.columns.iter().map(found).collect();
        self.rows(&found, batch.num_rows())
    }

    /// Lines of text, with these columns.
    fn of_text(&self, format: &TextFormat, lines: &[Vec<u8>]) -> Result<RecordBatch, Unfit> {
        let in_files = self.columns.iter().map(|column| Some((column.place, &column.in_files.as_ref()?.of)));
        let found = format.columns(lines, &in_files.collect::<Vec<_>>(), self.in_files)?;
        self.rows(&found, lines.len())
    }

    /// Lines of CSV, with these columns.
    fn of_csv(&self, format: &CsvFormat, lines: &[Vec<u8>]) -> Result<RecordBatch, Unfit> {
        let split = lines.iter().map(|line| std::str::from_utf8(line).map(|line| format.split(line)));
        let split: Vec<Vec<String>> = split.collect::<Result<_, _>>().map_err(|_| Unfit::NotUtf8)?;
        let found = self.columns.iter().map(|column| -> Option<ArrayRef> {
            column.in_files.as_ref()?;
            let texts = split.iter().map(|columns| columns.get(column.place).map(String::as_str));
            Some(Arc::new(texts.collect::<StringArray>()))
        });
        self.rows(&found.collect::<Vec<_>>(), lines.len())
    }

    /// Rows of the values that were found of these columns.
    fn rows(&self, found: &[Option<ArrayRef>], rows: usize) -> Result<RecordBatch, Unfit> {
        let columns = self.columns.iter().zip(found).map(|(column, found)| match (&column.in_files, found) {
            (Some(in_files), Some(values)) => {
                let values = fitted(values, &in_files.of)?;
                if in_files.of == column.of { Ok(values) } else { fitted(&values, &column.of) }
            }
            _ => Ok(new_null_array(&column.of.of_column(), rows)),
        });
        let columns: Vec<ArrayRef> = columns.collect::<Result<_, _>>()?;
        let rows = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), columns, &rows)?)
    }
}

/// Whether a file is the one that was listed.
struct FileCheck {
    hdfs: Hdfs,
    path: String,
    bytes: u64,
    modified: u64,
    relation: String,
}

impl FileCheck {
    fn is_the_same(&self) -> Result<(), WarehouseError> {
        let now = self.hdfs.look_up(&self.path)?;
        let is_same =
            now.is_some_and(|now| !now.is_folder && now.bytes == self.bytes && now.modified == self.modified);
        if is_same { Ok(()) } else { Err(self.changed()) }
    }

    /// Why reading failed: that the file is another one, where it is.
    fn or_changed(&self, error: WarehouseError) -> WarehouseError {
        match self.is_the_same() {
            Err(changed @ WarehouseError::FileChanged { .. }) => changed,
            _ => error,
        }
    }

    fn changed(&self) -> WarehouseError {
        WarehouseError::FileChanged { relation: self.relation.clone(), path: self.path.clone() }
    }

    fn unreadable(&self, reason: String) -> WarehouseError {
        WarehouseError::File { relation: self.relation.clone(), path: self.path.clone(), reason }
    }
}

/// The rows of a file, with an error at their end where the file is another one by then.
struct CheckedRows {
    /// `None` once they have ended.
    rows: Option<FittedRows>,
    check: FileCheck,
}

impl Iterator for CheckedRows {
    type Item = Result<RecordBatch, WarehouseError>;

    fn next(&mut self) -> Option<Self::Item> {
        let rows = self.rows.as_mut()?;
        // Damaged bytes can make a decoder panic.
        let failed = match guarded(|| rows.next()) {
            Ok(Some(Ok(batch))) => return Some(Ok(batch)),
            Ok(None) => {
                self.rows = None;
                return self.check.is_the_same().err().map(Err);
            }
            Ok(Some(Err(reason))) => reason,
            Err(panicked) => panicked.to_string(),
        };
        self.rows = None;
        Some(Err(self.check.or_changed(self.check.unreadable(failed))))
    }
}
