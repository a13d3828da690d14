//! Rows from folders of files: NDJSON (plain, `.gz`, `.zst`) or Parquet.
//!
//! Owns what files there are, and reading them into batches of a declared schema. Comes in: a folder, a pattern, a
//! [`RowSchema`]. Goes out: units, batches, rejects, counts. Must not know: where rows go, what is landed already.
//!
//! Every row read is either in a batch or a reject: `read = landed + rejected`. What is wrong with *rows* (bad JSON,
//! a missing field, a truncated archive) is a reject, and reading goes on; what is wrong with the *files* (gone, no
//! permission, changed meanwhile) is a [`FilesError`], and the table is left as it is.
//!
//! [`read_unit`] does all on the calling thread. To use several: [`open`] a unit, hand the chunks of its
//! [`ChunkReader`] to threads that share a [`Decoder`].

mod bad_row;
mod column;
mod convert;
mod decode;
mod error;
mod json;
mod lines;
mod listing;
mod parquet;
mod stream;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;

pub use self::parquet::ParquetRows;
pub use bad_row::BadRow;
pub use decode::{Decoded, Decoder};
pub use error::FilesError;
pub use lines::{Chunk, ChunkReader, ChunkSizes, Piece};
pub use listing::{folders, list};

use super::{Reject, RowSchema, Unit};

/// What reading gives, piece by piece.
#[derive(Clone, Debug)]
pub enum Item {
    /// Good rows; never none.
    Batch(RecordBatch),
    /// A bad row.
    Reject(Reject),
}

/// How many rows came and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rows read: `landed + rejected`.
    pub read: u64,
    /// Rows given in batches.
    pub landed: u64,
    /// Rows given as rejects.
    pub rejected: u64,
}

/// An open file.
#[derive(Debug)]
pub struct OpenUnit {
    /// Its rows.
    pub rows: UnitRows,
    path: PathBuf,
    file: File,
    version: String,
}

/// The rows of an open file, by format.
#[derive(Debug)]
pub enum UnitRows {
    /// NDJSON.
    Lines(ChunkReader),
    /// Parquet.
    Parquet(ParquetRows),
}

/// Opens a unit that [`list`] gave. Parquet is known by its first bytes.
///
/// # Errors
/// Where the file is gone, cannot be opened, or is no longer the one that was listed.
pub fn open(root: &Path, unit: &Unit, schema: &RowSchema) -> Result<OpenUnit, FilesError> {
    let path = root.join(&unit.id);
    let unreadable = |error| FilesError::unreadable(&path, error);
    let mut file = File::open(&path).map_err(unreadable)?;
    let mut magic = Vec::new();
    file.by_ref().take(4).read_to_end(&mut magic).map_err(unreadable)?;
    file.rewind().map_err(unreadable)?;
    let handle = file.try_clone().map_err(unreadable)?;
    let rows = if magic == b"PAR1" {
        UnitRows::Parquet(ParquetRows::new(handle, &path, schema)?)
    } else {
        UnitRows::Lines(ChunkReader::new(handle, &path, ChunkSizes::default())?)
    };
    let open = OpenUnit { rows, file, version: unit.version.clone(), path };
    open.check_unchanged()?;
    Ok(open)
}

impl OpenUnit {
    /// Makes sure that the file is still the one that was listed; to be called after its last row.
    ///
    /// # Errors
    /// [`FilesError::Changed`] where it is not.
    pub fn check_unchanged(&self) -> Result<(), FilesError> {
        let version = self.file.metadata().and_then(|metadata| listing::version(&metadata));
        if version.map_err(|error| FilesError::unreadable(&self.path, error))? == self.version {
            Ok(())
        } else {
            Err(FilesError::Changed(self.path.clone()))
        }
    }
}

/// Reads a whole unit on the calling thread and hands all of it to `sink`.
///
/// # Errors
/// Where the file cannot be read as such, or `sink` fails. What was handed over until then must not be published.
pub fn read_unit<E: From<FilesError>>(
    root: &Path,
    unit: &Unit,
    schema: &RowSchema,
    sink: &mut dyn FnMut(Item) -> Result<(), E>,
) -> Result<Counts, E> {
    let mut counts = Counts::default();
    let mut give = |batches: Vec<RecordBatch>, rejects: Vec<BadRow>| {
        for batch in batches {
            counts.landed += batch.num_rows() as u64;
            counts.read += batch.num_rows() as u64;
            sink(Item::Batch(batch))?;
        }
        for bad in rejects {
            counts.rejected += 1;
            counts.read += 1;
            sink(Item::Reject(bad.into_reject(&unit.id)))?;
        }
        Ok::<(), E>(())
    };
    let mut open = open(root, unit, schema)?;
    match &mut open.rows {
        UnitRows::Lines(chunks) => {
            let decoder = Decoder::new(schema)?;
            for piece in chunks {
                match piece? {
                    Piece::Chunk(chunk) => {
                        let decoded = decoder.decode(&chunk)?;
                        give(decoded.batches, decoded.rejects)?;
                    }
                    Piece::Bad(bad) => give(Vec::new(), vec![bad])?,
                }
            }
        }
        UnitRows::Parquet(rows) => {
            for decoded in rows {
                let decoded = decoded?;
                give(decoded.batches, decoded.rejects)?;
            }
        }
    }
    open.check_unchanged()?;
    Ok(counts)
}
