//! Rows from folders of files: NDJSON (plain, `.gz`, `.zst`) or Parquet.
//!
//! Owns what files there are, and reading them into batches of a declared schema. Comes in: a folder, a pattern, a
//! [`RowSchema`]. Goes out: units, batches, rejects, counts. Must not know: where rows go, what is landed already.
//!
//! Every row read is either in a batch or a reject: `read = landed + rejected`. What is wrong with *rows* (bad JSON,
//! a missing field, a truncated archive) is a reject, and reading goes on; what is wrong with the *files* (gone, no
//! permission, changed meanwhile) is a [`FilesError`], and the table is left as it is.

mod error;
mod lines;
mod listing;
mod parquet;
mod parquet_pages;
mod stream;
mod whole;

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use self::lines::{ChunkReader, ChunkSizes};
use self::parquet::ParquetRows;
use mep_contract::source::reading::{Piece, RowReceiver, Source, SourceError, SourceItem, UnitReader};
use mep_contract::source::{Holding, Recorded, RowSchema, Unit};
use mep_decode::rows::{BadRow, Chunk, Decoded, Decoder};

pub use error::FilesError;
pub use listing::unread_folders;
pub use whole::{FileFormat, FilesTable, WholeOptions};

/// A file that grew or was replaced while it was read must not be taken for the one that was listed.
fn check_unchanged(path: &Path, version: &str) -> Result<(), FilesError> {
    let found = path.metadata().and_then(|metadata| listing::version(&metadata));
    if found.map_err(|error| FilesError::unreadable(path, error))? == version {
        Ok(())
    } else {
        Err(FilesError::Changed(path.to_owned()))
    }
}

/// A table whose rows lie in files: a unit is a file, a piece is a run of its lines.
#[derive(Debug)]
pub struct FilesSource {
    root: PathBuf,
    pattern: String,
    schema: RowSchema,
    decoder: Arc<Decoder>,
}

impl FilesSource {
    /// The files below `root` that match `pattern`, as rows of `schema`.
    ///
    /// # Errors
    /// Where a column is of a type that files do not hold.
    pub fn new(root: PathBuf, pattern: String, schema: RowSchema) -> Result<Self, FilesError> {
        let decoder = Arc::new(Decoder::new(&schema)?);
        Ok(Self { root, pattern, schema, decoder })
    }

    fn open_rows(&self, path: &Path) -> Result<(File, Rows), FilesError> {
        let unreadable = |error| FilesError::unreadable(path, error);
        let mut file = File::open(path).map_err(unreadable)?;
        let mut magic = Vec::new();
        file.by_ref().take(4).read_to_end(&mut magic).map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        let handle = file.try_clone().map_err(unreadable)?;
        // Parquet is known by its first bytes, whatever the file is called.
        let rows = if magic == b"PAR1" {
            let rows = ParquetRows::new(handle, path, &self.schema)?;
            self.decoder.strangers().add(rows.undeclared().iter().cloned());
            Rows::Parquet(Box::new(rows))
        } else {
            Rows::Lines(ChunkReader::new(handle, path, ChunkSizes::default())?)
        };
        Ok((file, rows))
    }
}

impl Source for FilesSource {
    fn units(&self, _: &[Recorded]) -> Result<Holding, SourceError> {
        Ok(listing::list(&self.root, &self.pattern)?.into())
    }

    fn undeclared(&self) -> Vec<String> {
        self.decoder.strangers().names()
    }

    fn open(&self, unit: &Unit) -> Result<Box<dyn UnitReader>, SourceError> {
        let path = self.root.join(&unit.id);
        let (file, rows) = self.open_rows(&path)?;
        let open = OpenFile { unit: unit.clone(), path, file, rows, decoder: self.decoder.clone() };
        open.check_unchanged()?;
        Ok(Box::new(open))
    }
}

impl From<FilesError> for SourceError {
    fn from(error: FilesError) -> Self {
        Self::Unreadable(error.to_string())
    }
}

#[derive(Debug)]
enum Rows {
    Lines(ChunkReader),
    Parquet(Box<ParquetRows>),
}

struct OpenFile {
    unit: Unit,
    path: PathBuf,
    file: File,
    rows: Rows,
    decoder: Arc<Decoder>,
}

impl OpenFile {
    /// A file that grew or was replaced while it was read must not be landed as the one that was listed.
    fn check_unchanged(&self) -> Result<(), FilesError> {
        let version = self.file.metadata().and_then(|metadata| listing::version(&metadata));
        if version.map_err(|error| FilesError::unreadable(&self.path, error))? == self.unit.version {
            Ok(())
        } else {
            Err(FilesError::Changed(self.path.clone()))
        }
    }

    fn next_content(&mut self) -> Result<Option<FileContent>, FilesError> {
        Ok(match &mut self.rows {
            Rows::Lines(chunks) => match chunks.next().transpose()? {
                Some(lines::LinePiece::Chunk(chunk)) => Some(FileContent::Lines(chunk, self.decoder.clone())),
                Some(lines::LinePiece::Bad(bad)) => Some(FileContent::Bad(bad)),
                None => None,
            },
            Rows::Parquet(rows) => rows.next().transpose()?.map(FileContent::Decoded),
        })
    }
}

impl UnitReader for OpenFile {
    fn next(&mut self) -> Result<Option<Box<dyn Piece>>, SourceError> {
        if let Some(content) = self.next_content()? {
            Ok(Some(Box::new(FilePiece { unit: self.unit.id.clone(), content })))
        } else {
            self.check_unchanged()?;
            Ok(None)
        }
    }
}

enum FileContent {
    Lines(Chunk, Arc<Decoder>),
    Bad(BadRow),
    Decoded(Decoded),
}

struct FilePiece {
    unit: String,
    content: FileContent,
}

impl Piece for FilePiece {
    fn read(self: Box<Self>, sink: &mut RowReceiver<'_>) -> Result<u64, SourceError> {
        let decoded = match self.content {
            FileContent::Lines(chunk, decoder) => decoder.decode(&chunk).map_err(FilesError::from)?,
            FileContent::Bad(bad) => {
                sink(SourceItem::Reject(bad.into_reject(&self.unit)))?;
                return Ok(1);
            }
            FileContent::Decoded(decoded) => decoded,
        };
        for batch in decoded.batches {
            sink(SourceItem::Rows(batch))?;
        }
        for bad in decoded.rejects {
            sink(SourceItem::Reject(bad.into_reject(&self.unit)))?;
        }
        Ok(decoded.read)
    }
}
