//! Files that are read as one table, from the first row to the last: Parquet, Avro, CSV and JSON.
//!
//! Owns which columns such files have together, and reading them one after another. Comes in: a folder and patterns.
//! Goes out: a schema, a version, batches. Must not know: where rows go.
//!
//! Unlike files that are landed, these have no rejects: a file that cannot be read, or a value that is not of its
//! column's type, is an error, and nothing is loaded.

mod avro;
mod csv;
mod folders;
mod json;
mod parquet;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use encoding_rs::Encoding;
use indexmap::IndexMap;

pub use folders::FolderColumns;
use folders::FolderValues;

use super::error::FilesError;
use super::formats::{FileShape, HEAD, shape_of};
use super::stream::{FileBytes, StreamError};
use super::{check_unchanged, listing};
use mep_contract::source::{SourceError, Unit, WholeRows, WholeTable};
use mep_core::connection::FilesReading;
use mep_core::fingerprint::{Fingerprint, Structure};

/// How much of a file of text is looked at to tell the types of its columns.
const SAMPLE: usize = 32 << 20;

/// What the files of a table are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WholeFormat {
    /// Parquet.
    Parquet,
    /// Avro.
    Avro,
    /// CSV, with what separates fields.
    Csv(char),
    /// JSON: an object a line, or a list of objects.
    Json,
}

/// How the files of a table are read.
#[derive(Clone, Debug, Default)]
pub struct WholeOptions {
    /// What they are, where their names and first bytes need not say it.
    pub format: Option<WholeFormat>,
    /// What is said of the files otherwise.
    pub reading: FilesReading,
    /// The names of columns, in their order, of CSV without a header.
    pub names: Vec<String>,
    /// The types that columns are declared with.
    pub declared: IndexMap<String, DataType>,
    /// Whether each column of CSV is a text.
    pub all_texts: bool,
    /// Whether the names of folders are columns, of those below `written_below`.
    pub folder_columns: FolderColumns,
    /// The folder that paths are written below.
    pub written_below: PathBuf,
}

impl WholeOptions {
    /// The values of a file's folders; none where these are no columns.
    fn folders_of(&self, path: &Path) -> FolderValues {
        if self.folder_columns == FolderColumns::No {
            return FolderValues::new();
        }
        folders::values_of(path.strip_prefix(&self.written_below).unwrap_or(path))
    }
}

/// Files that are read as one table.
#[derive(Clone, Debug)]
pub struct FilesTable {
    /// Each with the folder that its name is below.
    files: Vec<(PathBuf, Unit, WholeFormat)>,
    schema: SchemaRef,
    options: Arc<WholeOptions>,
}

impl FilesTable {
    /// The files of these places, and the columns that they have; `None` where one of them has none. A place is a folder with patterns,
    /// of which the first that matches any file counts.
    ///
    /// # Errors
    /// Where the files cannot be read, or have no columns that go together.
    pub fn find(
        places: &[(PathBuf, Vec<String>)],
        options: &WholeOptions,
    ) -> Result<Option<Self>, FilesError> {
        let mut files = Vec::new();
        for (root, patterns) in places {
            let before = files.len();
            for pattern in patterns {
                for unit in listing::list(root, pattern)? {
                    let format = options
                        .format
                        .map_or_else(|| format_of(&root.join(&unit.id), &unit.id, &options.reading), Ok)?;
                    files.push((root.clone(), unit, format));
                }
                if files.len() > before {
                    break;
                }
            }
            if files.len() == before {
                return Ok(None);
            }
        }
        if files.is_empty() {
            return Ok(None);
        }
        let (schema, has_folder_columns) = schema_of(&files, options)?;
        // Where files disagree, DuckDB takes no folder for a column.
        let folder_columns = if has_folder_columns { options.folder_columns } else { FolderColumns::No };
        let options = Arc::new(WholeOptions { folder_columns, ..options.clone() });
        Ok(Some(Self { files, schema, options }))
    }

    /// The table with these types of its columns, into which its values are cast.
    #[must_use]
    pub fn stored_as(self, schema: SchemaRef) -> Self {
        Self { schema, ..self }
    }

    /// Of which files there are, what they are, and the columns.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut parts = Structure::default();
        for (_, unit, format) in &self.files {
            parts.text(&unit.id).text(&unit.version).text(&format!("{format:?}"));
        }
        if let Some(said) = self.options.reading.said() {
            parts.text(&said);
        }
        for field in self.schema.fields() {
            parts.text(field.name()).text(&field.data_type().to_string());
        }
        parts.fingerprint()
    }
}

impl WholeTable for FilesTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn rows(&self) -> Result<WholeRows, SourceError> {
        let schema = self.schema.clone();
        let files = self.files.clone().into_iter();
        let options = self.options.clone();
        Ok(Box::new(files.flat_map(move |(root, unit, format)| {
            let opened = rows_of_file(&root, &unit, format, &schema, &options);
            let path = root.join(&unit.id);
            let rows = opened.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
            let end = std::iter::once_with(move || check_unchanged(&path, &unit.version).map(|()| None));
            let all = rows.map(|batch| batch.map(Some)).chain(end);
            all.filter_map(|batch| batch.map_err(SourceError::from).transpose())
        })))
    }
}

type FileRows = Box<dyn Iterator<Item = Result<RecordBatch, FilesError>> + Send>;

fn rows_of_file(
    root: &Path,
    unit: &Unit,
    format: WholeFormat,
    schema: &SchemaRef,
    options: &WholeOptions,
) -> Result<FileRows, FilesError> {
    let path = root.join(&unit.id);
    let (schema, id) = (schema.clone(), unit.id.clone());
    let rows = match format {
        WholeFormat::Parquet => parquet::rows(&path, &id)?,
        WholeFormat::Avro => avro::rows(&path, &id)?,
        WholeFormat::Csv(delimiter) => csv::rows(&path, &id, delimiter, &schema, options)?,
        WholeFormat::Json => json::rows(&path, &id, &schema)?,
    };
    let values = options.folders_of(&path);
    Ok(Box::new(rows.map(move |batch| as_stored(&batch?, &schema, &id, &values))))
}

/// A batch as one of the schema: columns by name, values cast; a column that is not there is NULL.
fn as_stored(
    batch: &RecordBatch,
    schema: &SchemaRef,
    id: &str,
    of_folders: &FolderValues,
) -> Result<RecordBatch, FilesError> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    let array = |field: &Arc<Field>| -> Result<ArrayRef, FilesError> {
        let of_folder = of_folders.get(field.name());
        let of_folder = of_folder.map(|value| folders::repeated(value.as_deref(), batch.num_rows()));
        let Some(given) = of_folder.as_ref().or_else(|| batch.column_by_name(field.name())) else {
            return Ok(new_null_array(field.data_type(), batch.num_rows()));
        };
        cast_with_options(given, field.data_type(), &options)
            .map_err(|error| FilesError::content(id, format!("column `{}`: {error}", field.name())))
    };
    let arrays = schema.fields().iter().map(array).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    Ok(RecordBatch::try_new_with_options(schema.clone(), arrays, &options)?)
}

/// What a file is, by what is said, by its first bytes and by its name.
fn format_of(path: &Path, id: &str, reading: &FilesReading) -> Result<WholeFormat, FilesError> {
    let unreadable = |error| FilesError::unreadable(path, error);
    let mut head = Vec::new();
    let mut file = File::open(path).map_err(unreadable)?;
    file.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    let csv = |delimiter| WholeFormat::Csv(char::from(reading.csv.delimiter.unwrap_or(delimiter)));
    Ok(match shape_of(&head, &file, path, id, reading)? {
        FileShape::Parquet => WholeFormat::Parquet,
        FileShape::Avro => WholeFormat::Avro,
        FileShape::Csv { delimiter } => csv(delimiter),
        FileShape::Lines | FileShape::Documents => WholeFormat::Json,
    })
}

fn schema_of(
    files: &[(PathBuf, Unit, WholeFormat)],
    options: &WholeOptions,
) -> Result<(SchemaRef, bool), FilesError> {
    let of = |wanted: fn(&WholeFormat) -> bool| -> Vec<(PathBuf, &Unit, WholeFormat)> {
        let files = files.iter().filter(|(.., format)| wanted(format));
        files.map(|(root, unit, format)| (root.join(&unit.id), unit, *format)).collect()
    };
    let mut schemas = Vec::new();
    for (path, unit, _) in of(|format| *format == WholeFormat::Parquet) {
        schemas.push((unit.id.clone(), parquet::schema(&path, &unit.id)?));
    }
    for (path, unit, _) in of(|format| *format == WholeFormat::Avro) {
        schemas.push((unit.id.clone(), avro::schema(&path, &unit.id)?));
    }
    let texts = of(|format| matches!(format, WholeFormat::Csv(_)));
    if let Some((_, unit, _)) = texts.first() {
        schemas.push((unit.id.clone(), csv::schema(&texts, options)?));
    }
    let objects = of(|format| *format == WholeFormat::Json);
    if let Some((_, unit, _)) = objects.first() {
        schemas.push((unit.id.clone(), json::schema(&objects)?));
    }
    let values: Vec<(&str, FolderValues)> = files
        .iter()
        .map(|(root, unit, _)| (unit.id.as_str(), options.folders_of(&root.join(&unit.id))))
        .collect();
    let of_folders = folders::columns(options.folder_columns, &values)?;
    let has_any = !of_folders.is_empty();
    Ok((together(schemas, of_folders, &options.declared)?, has_any))
}

/// The columns of several schemas by name, in the order in which they first stand.
fn together(
    schemas: Vec<(String, SchemaRef)>,
    of_folders: BTreeMap<String, DataType>,
    declared: &IndexMap<String, DataType>,
) -> Result<SchemaRef, FilesError> {
    let mut columns: IndexMap<String, DataType> = IndexMap::new();
    for (id, schema) in schemas {
        for field in schema.fields() {
            let known = columns.entry(field.name().clone()).or_insert_with(|| field.data_type().clone());
            let Some(wider) = wider(known, field.data_type()) else {
                let (name, found) = (field.name(), field.data_type());
                let message = format!("column `{name}` is {found} here, and {known} in a file before");
                return Err(FilesError::content(&id, message));
            };
            *known = wider;
        }
    }
    // A folder says it where the file says something else.
    columns.extend(of_folders);
    for (name, data_type) in declared {
        if let Some(found) = columns.get_mut(name) {
            found.clone_from(data_type);
        }
    }
    let fields = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, true));
    Ok(Arc::new(Schema::new(fields.collect::<Vec<_>>())))
}

/// The type that holds all values of both.
fn wider(one: &DataType, other: &DataType) -> Option<DataType> {
    let rank = |of: &DataType| match of {
        DataType::Int8 | DataType::UInt8 => Some(0),
        DataType::Int16 | DataType::UInt16 => Some(1),
        DataType::Int32 | DataType::UInt32 => Some(2),
        DataType::Int64 => Some(3),
        DataType::Float32 => Some(4),
        DataType::Float64 => Some(5),
        _ => None,
    };
    match (one, other) {
        _ if one == other => Some(one.clone()),
        (DataType::Null, other) => Some(other.clone()),
        (one, DataType::Null) => Some(one.clone()),
        (DataType::Timestamp(..), DataType::Date32)
        | (DataType::Timestamp(_, None), DataType::Timestamp(..)) => Some(one.clone()),
        (DataType::Date32 | DataType::Timestamp(..), DataType::Timestamp(..)) => Some(other.clone()),
        _ => match (rank(one)?, rank(other)?) {
            (a, b) if a.max(b) <= 3 => Some(DataType::Int64),
            _ => Some(DataType::Float64),
        },
    }
}

/// The first bytes of a file, decompressed and as UTF-8: all of it where that is at most `limit`, else whole lines of it.
fn text_of(
    path: &Path,
    id: &str,
    limit: Option<usize>,
    encoding: Option<&'static Encoding>,
) -> Result<String, FilesError> {
    let unreadable = |error| FilesError::unreadable(path, error);
    let file = File::open(path).map_err(unreadable)?;
    let mut stream = FileBytes::new(file, path).map_err(unreadable)?.into_utf8(encoding);
    let mut bytes = Vec::new();
    let (read, result) = stream.append(&mut bytes, limit.unwrap_or(usize::MAX));
    match result {
        Ok(()) => {}
        Err(StreamError::Disk(error)) => return Err(unreadable(error)),
        Err(StreamError::Damaged(reason)) => return Err(FilesError::content(id, reason)),
    }
    if limit == Some(read) {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
        bytes.truncate(end);
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let reason = match encoding {
            Some(encoding) => format!("it is not {}: what stands at byte {at} of it as UTF-8 belongs to no character", encoding.name()),
            None => format!("it is not UTF-8: the byte at {at} belongs to no character; say the `encoding` under `csv`, where it is CSV"),
        };
        FilesError::content(id, reason)
    })?;
    Ok(text)
}
