//! The rows of a Parquet file.
//!
//! Owns how a Parquet file's columns become those of the schema. Comes in: an open file. Goes out: batches, and bad rows
//! whose line is the number of the row, from 1. Must not know: other formats.
//!
//! - Columns are found by name, and where none is spelled so, by name in any case.
//! - A column that is not there is null in all rows; where it is required, or of a type that cannot become the declared
//!   one, the file as a whole is one bad row, and no row of it is read. So is a file that is not readable at all.
//! - Where a file breaks in the middle, the batches before stay, and one bad row says how many rows are lost.
//! - A damaged file can make its decoder panic: that is a file that breaks there, and no more.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::errors::ParquetError;
use parquet::file::metadata::ParquetMetaData;
use parquet::schema::types::TypePtr;

use super::FilesError;
use super::parquet_pages::check_pages;
use mep_contract::source::schema::RowSchema;
use mep_core::guard::{Panicked, guarded};
use mep_decode::rows::{self, BadRow, Decoded, columns_of, rows_of};

const BATCH_ROWS: usize = 8192;

/// Reads a Parquet file batch by batch; an iterator that ends after the first error.
#[derive(Debug)]
pub(super) struct ParquetRows {
    path: PathBuf,
    schema: SchemaRef,
    event_time: Option<usize>,
    state: ParquetState,
    /// How many rows are given out or rejected.
    row: u64,
    /// The file's columns that nothing declares.
    undeclared: Vec<String>,
}

enum ParquetState {
    Reading {
        reader: ParquetRecordBatchReader,
        /// For each column of the schema, which of the reader's it is.
        sources: Vec<Option<usize>>,
        rows: u64,
    },
    /// The file as a whole is a bad row, for this reason.
    Refused(String),
    End,
}

impl std::fmt::Debug for ParquetState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reading { .. } => "Reading",
            Self::Refused(_) => "Refused",
            Self::End => "End",
        })
    }
}

impl ParquetRows {
    /// Reads the rows of `file`; its path is for errors.
    ///
    /// # Errors
    /// Where the disk fails. A file that is no good Parquet gives a bad row instead.
    pub(super) fn new(file: File, path: &Path, schema: &RowSchema) -> Result<Self, FilesError> {
        const WHAT: &str = "the Parquet file cannot be read";
        let mut undeclared = Vec::new();
        let state = match guarded(|| start(file, schema, &mut undeclared)) {
            Ok(Ok(state)) => state,
            Ok(Err(error)) => ParquetState::Refused(not_readable(path, WHAT, error)?),
            Err(panicked) => ParquetState::Refused(not_decodable(WHAT, &panicked)),
        };
        Ok(Self {
            path: path.to_owned(),
            schema: schema.fields.clone(),
            event_time: schema.event_time,
            state,
            row: 0,
            undeclared,
        })
    }

    /// The file's columns that nothing declares.
    pub(super) fn undeclared(&self) -> &[String] {
        &self.undeclared
    }

    fn next_rows(&mut self) -> Result<Option<Decoded>, FilesError> {
        let reason = match &mut self.state {
            ParquetState::End => return Ok(None),
            ParquetState::Refused(reason) => std::mem::take(reason),
            ParquetState::Reading { reader, sources, rows } => {
                let next = guarded(|| {
                    let batch = reader.next()?;
                    let decoded = |batch| {
                        rows_of(&batch, sources, &self.schema, self.event_time, self.row + 1)
                            .map_err(FilesError::from)
                    };
                    Some(batch.map(decoded))
                });
                let damaged = || lost(self.row, *rows, "the file is damaged");
                match next {
                    Ok(Some(Ok(decoded))) => {
                        let decoded = decoded?;
                        self.row += decoded.read;
                        return Ok(Some(decoded));
                    }
                    Ok(None) if self.row >= *rows => {
                        self.state = ParquetState::End;
                        return Ok(None);
                    }
                    Ok(None) => lost(self.row, *rows, "the file ends early"),
                    Ok(Some(Err(error))) => not_readable(&self.path, &damaged(), from_arrow(error))?,
                    Err(panicked) => not_decodable(&damaged(), &panicked),
                }
            }
        };
        self.state = ParquetState::End;
        Ok(Some(Decoded {
            batches: Vec::new(),
            rejects: vec![BadRow::new(self.row + 1, reason, b"")],
            read: 1,
        }))
    }
}

impl Iterator for ParquetRows {
    type Item = Result<Decoded, FilesError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_rows();
        if next.is_err() {
            self.state = ParquetState::End;
        }
        next.transpose()
    }
}

fn lost(row: u64, rows: u64, why: &str) -> String {
    format!("{why} after row {row} of {rows}; {} rows are lost", rows.saturating_sub(row))
}

/// The reason for a file that is no good Parquet; an error where it is the disk that failed.
fn not_readable(path: &Path, what: &str, error: ParquetError) -> Result<String, FilesError> {
    match error {
        ParquetError::External(error) => match error.downcast::<io::Error>() {
            Ok(error) if error.kind() != io::ErrorKind::UnexpectedEof => {
                Err(FilesError::unreadable(path, *error))
            }
            Ok(error) => Ok(format!("{what} ({error})")),
            Err(error) => Ok(format!("{what} ({error})")),
        },
        error => Ok(format!("{what} ({error})")),
    }
}

/// The reason for a file that its decoder was not made for.
fn not_decodable(what: &str, panicked: &Panicked) -> String {
    format!("{what} (its bytes are not those of any Parquet writer: {panicked})")
}

fn from_arrow(error: ArrowError) -> ParquetError {
    match error {
        ArrowError::ExternalError(error) => match error.downcast::<ParquetError>() {
            Ok(error) => *error,
            Err(error) => ParquetError::External(error),
        },
        ArrowError::IoError(_, error) => ParquetError::External(Box::new(error)),
        error => ParquetError::General(error.to_string()),
    }
}

/// Opens the file and finds the schema's columns in it.
fn start(file: File, schema: &RowSchema, undeclared: &mut Vec<String>) -> Result<ParquetState, ParquetError> {
    // The writer's Arrow schema would bring encodings such as dictionaries, which say nothing about the values.
    let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
    let mut pages = file.try_clone().map_err(|error| ParquetError::External(Box::new(error)))?;
    let bytes = file.metadata().map_err(|error| ParquetError::External(Box::new(error)))?.len();
    let metadata = in_microseconds(ArrowReaderMetadata::load(&file, options.clone())?, options)?;
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(file, metadata);
    check_extents(builder.metadata(), bytes)?;
    let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
    let roots = match columns_of(builder.schema(), schema) {
        Ok(roots) => roots,
        Err(reason) => return Ok(ParquetState::Refused(refusal(&reason, rows))),
    };
    undeclared.extend(rows::undeclared(builder.schema(), &roots));
    // The reader gives the projected columns in the order of the file.
    let mut projected: Vec<usize> = roots.iter().flatten().copied().collect();
    projected.sort_unstable();
    projected.dedup();
    let position = |root: usize| projected.iter().position(|projected| *projected == root);
    let sources = roots.into_iter().map(|root| root.and_then(position)).collect();
    let mask = ProjectionMask::roots(builder.parquet_schema(), projected.iter().copied());
    check_pages(&mut pages, builder.metadata(), &mask)?;
    let reader = builder.with_projection(mask).with_batch_size(BATCH_ROWS).build()?;
    Ok(ParquetState::Reading { reader, sources, rows })
}

/// The metadata of a file, by which times that take 96 bits are read as microseconds: nanoseconds, which the reader takes them
/// for, wrap around outside 1677 to 2262.
pub(super) fn in_microseconds(
    metadata: ArrowReaderMetadata,
    options: ArrowReaderOptions,
) -> Result<ArrowReaderMetadata, ParquetError> {
    let roots = metadata.metadata().file_metadata().schema_descr().root_schema().get_fields();
    let is_wide = |root: &TypePtr| root.is_primitive() && root.get_physical_type() == PhysicalType::INT96;
    if !roots.iter().any(is_wide) {
        return Ok(metadata);
    }
    let fields = metadata.schema().fields().iter().zip(roots).map(|(field, root)| {
        if !is_wide(root) {
            return field.clone();
        }
        let time = DataType::Timestamp(TimeUnit::Microsecond, None);
        Arc::new(field.as_ref().clone().with_data_type(time))
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    ArrowReaderMetadata::try_new(metadata.metadata().clone(), options.with_schema(schema))
}

fn refusal(reason: &str, rows: u64) -> String {
    format!("{reason}; none of the file's {rows} rows are read")
}

/// Whether what the footer says of the file can be: columns lie within it, and its rows are those of its row groups.
pub(super) fn check_extents(metadata: &ParquetMetaData, file_bytes: u64) -> Result<(), ParquetError> {
    let mut rows: i64 = 0;
    for (number, group) in (1..).zip(metadata.row_groups()) {
        for column in group.columns() {
            let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
            let end = start.checked_add(column.compressed_size()).and_then(|end| u64::try_from(end).ok());
            let lies_within =
                start >= 0 && column.compressed_size() >= 0 && end.is_some_and(|end| end <= file_bytes);
            if !lies_within {
                let name = column.column_path().string();
                return Err(ParquetError::General(format!(
                    "the footer says that column `{name}` of row group {number} has {} bytes from byte {start} on, but the file has {file_bytes}",
                    column.compressed_size()
                )));
            }
        }
        rows = rows.saturating_add(group.num_rows());
    }
    let said = metadata.file_metadata().num_rows();
    if rows == said && metadata.row_groups().iter().all(|group| group.num_rows() >= 0) {
        Ok(())
    } else {
        Err(ParquetError::General(format!("the footer says {said} rows, but its row groups come to {rows}")))
    }
}
