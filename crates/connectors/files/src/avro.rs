//! The rows of a file of Avro.
//!
//! Owns how a file's fields become the columns of the schema. Comes in: an open file. Goes out: batches, and bad rows whose line is the
//! number of the row, from 1. Must not know: other formats, how blocks are compressed.
//!
//! What holds of columns and of damaged files is the same as for Parquet (`parquet.rs`); how many rows are lost behind a damage, the
//! file does not say.

use std::fs::File;
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_avro::reader::{Reader, ReaderBuilder};

use super::FilesError;
use super::avro_container::{Damage, PlainContainer};
use super::stream::{Disk, unwrap_disk};
use mep_contract::source::schema::RowSchema;
use mep_core::guard::guarded;
use mep_decode::rows::{self, BadRow, Decoded, columns_of, rows_of};

const BATCH_ROWS: usize = 8192;
const WHAT: &str = "the Avro file cannot be read";

/// The records of a file, batch by batch.
pub(super) struct AvroRecords {
    reader: Reader<BufReader<PlainContainer<BufReader<Disk>>>>,
    damage: Damage,
}

impl AvroRecords {
    /// The columns that they have.
    pub(super) fn schema(&self) -> SchemaRef {
        self.reader.schema()
    }

    /// The next records; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>, Unread> {
        match guarded(|| self.reader.next()) {
            Ok(Some(Ok(batch))) => Ok(Some(batch)),
            Ok(Some(Err(error))) => Err(Unread::of(error)),
            Ok(None) => self.damage.take().map_or(Ok(None), |reason| Err(Unread::Damaged(reason))),
            Err(panicked) => {
                Err(Unread::Damaged(format!("its bytes are not those of any writer: {panicked}")))
            }
        }
    }
}

/// Reads a file of Avro batch by batch.
pub(super) struct AvroRows {
    path: PathBuf,
    schema: SchemaRef,
    event_time: Option<usize>,
    state: AvroState,
    /// How many rows are given out or rejected.
    row: u64,
    /// The file's fields that nothing declares.
    undeclared: Vec<String>,
}

enum AvroState {
    Reading { reader: Box<AvroRecords>, columns: Vec<Option<usize>> },
    Refused(String),
    End,
}

impl std::fmt::Debug for AvroRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AvroRows").field("path", &self.path).field("row", &self.row).finish_non_exhaustive()
    }
}

impl AvroRows {
    /// Reads the rows of `file`; its path is for errors.
    ///
    /// # Errors
    /// Where the disk fails. A file that is no good Avro gives a bad row instead.
    pub(super) fn new(file: File, path: &Path, schema: &RowSchema) -> Result<Self, FilesError> {
        let mut undeclared = Vec::new();
        let state = match records(file) {
            Ok(reader) => match columns_of(&reader.schema(), schema) {
                Ok(columns) => {
                    undeclared.extend(rows::undeclared(&reader.schema(), &columns));
                    AvroState::Reading { reader: Box::new(reader), columns }
                }
                Err(reason) => AvroState::Refused(format!("{reason}; none of the file's rows are read")),
            },
            Err(Unread::Disk(error)) => return Err(FilesError::unreadable(path, error)),
            Err(Unread::Damaged(reason)) => AvroState::Refused(format!("{WHAT} ({reason})")),
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

    /// The file's fields that nothing declares.
    pub(super) fn undeclared(&self) -> &[String] {
        &self.undeclared
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// Where the disk fails.
    pub(super) fn next(&mut self) -> Result<Option<Decoded>, FilesError> {
        let reason = match &mut self.state {
            AvroState::End => return Ok(None),
            AvroState::Refused(reason) => std::mem::take(reason),
            AvroState::Reading { reader, columns } => {
                let damage = match reader.next() {
                    Ok(None) => {
                        self.state = AvroState::End;
                        return Ok(None);
                    }
                    Ok(Some(batch)) => {
                        let decoded = rows_of(&batch, columns, &self.schema, self.event_time, self.row + 1)?;
                        self.row += decoded.read;
                        return Ok(Some(decoded));
                    }
                    Err(Unread::Disk(error)) => {
                        self.state = AvroState::End;
                        return Err(FilesError::unreadable(&self.path, error));
                    }
                    Err(Unread::Damaged(reason)) => reason,
                };
                format!(
                    "the file is damaged after row {}, and nothing behind it is read ({damage})",
                    self.row
                )
            }
        };
        self.state = AvroState::End;
        let bad = BadRow::new(self.row + 1, reason, b"");
        Ok(Some(Decoded { batches: Vec::new(), rejects: vec![bad], read: 1 }))
    }
}

/// Why a file cannot be read.
pub(super) enum Unread {
    /// The disk failed.
    Disk(io::Error),
    /// It is no good Avro.
    Damaged(String),
}

impl Unread {
    fn of(error: ArrowError) -> Self {
        match error {
            ArrowError::IoError(message, error) => match unwrap_disk(error) {
                Ok(disk) => Self::Disk(disk),
                Err(_) => Self::Damaged(message),
            },
            error => Self::Damaged(error.to_string()),
        }
    }
}

/// The records of a file.
pub(super) fn records(file: File) -> Result<AvroRecords, Unread> {
    let opened = guarded(|| {
        let container =
            PlainContainer::new(BufReader::new(Disk::of(file))).map_err(|error| {
                match unwrap_disk(error) {
                    Ok(disk) => Unread::Disk(disk),
                    Err(error) => Unread::Damaged(match error.kind() {
                        io::ErrorKind::UnexpectedEof => "its header ends early".to_owned(),
                        _ => error.to_string(),
                    }),
                }
            })?;
        let damage = container.damage();
        let builder = ReaderBuilder::new().with_batch_size(BATCH_ROWS);
        let reader = builder.build(BufReader::new(container)).map_err(Unread::of)?;
        Ok(AvroRecords { reader, damage })
    });
    match opened {
        Ok(opened) => opened,
        Err(panicked) => Err(Unread::Damaged(format!("its bytes are not those of any writer: {panicked}"))),
    }
}
