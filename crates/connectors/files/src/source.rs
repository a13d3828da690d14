//! A table whose rows lie in files: a unit is a file, a piece is a run of its rows.
//!
//! Owns which reader a file has, by what it is (`formats`). Comes in: a folder, a pattern, the landed table. Goes out: units, batches,
//! rejects. Must not know: how a format is read.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encoding_rs::Encoding;

use super::avro::AvroRows;
use super::csv::{CsvPiece, CsvReader};
use super::documents::{DocumentPiece, DocumentReader, DocumentSizes};
use super::formats::{FileShape, HEAD, shape_of};
use super::lines::{ChunkReader, ChunkSizes, LinePiece};
use super::parquet::ParquetRows;
use super::{FilesError, listing};
use mep_contract::source::reading::{Piece, RowReceiver, Source, SourceError, SourceItem, UnitReader};
use mep_contract::source::{Holding, LandingTable, Recorded, RowSchema, Unit};
use mep_core::connection::FilesReading;
use mep_decode::rows::{BadRow, Chunk, CsvColumns, CsvDecoder, Decoded, Decoder};

/// A table whose rows lie in files.
#[derive(Debug)]
pub struct FilesSource {
    root: PathBuf,
    pattern: String,
    schema: RowSchema,
    reading: FilesReading,
    json: Arc<Decoder>,
    /// What decodes CSV with commas between fields, and with tabs, where nothing is said.
    csv: [Arc<CsvDecoder>; 2],
    encoding: Option<&'static Encoding>,
}

impl FilesSource {
    /// The files below `root` that match `pattern`, as rows of `table`.
    ///
    /// # Errors
    /// Where a column is of a type that files do not hold.
    pub fn new(root: PathBuf, pattern: String, table: &LandingTable) -> Result<Self, FilesError> {
        let LandingTable { schema, reading, .. } = table;
        let encoding = reading.csv.encoding.as_deref().and_then(|name| Encoding::for_label(name.as_bytes()));
        let csv = |delimiter| {
            let name = encoding.map(Encoding::name);
            CsvDecoder::new(schema, reading.csv.dialect(delimiter), name).map(Arc::new)
        };
        Ok(Self {
            root,
            pattern,
            json: Arc::new(Decoder::new(schema)?),
            csv: [csv(b',')?, csv(b'\t')?],
            encoding,
            schema: schema.clone(),
            reading: reading.clone(),
        })
    }

    fn open_rows(&self, path: &Path, id: &str) -> Result<(File, Rows), FilesError> {
        let unreadable = |error| FilesError::unreadable(path, error);
        let mut file = File::open(path).map_err(unreadable)?;
        let mut head = Vec::new();
        file.by_ref().take(HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
        file.rewind().map_err(unreadable)?;
        let shape = shape_of(&head, &file, path, id, &self.reading)?;
        file.rewind().map_err(unreadable)?;
        let handle = file.try_clone().map_err(unreadable)?;
        let rows = match shape {
            FileShape::Parquet => {
                let rows = ParquetRows::new(handle, path, &self.schema)?;
                self.json.strangers().add(rows.undeclared().iter().cloned());
                Rows::Parquet(Box::new(rows))
            }
            FileShape::Avro => {
                let rows = AvroRows::new(handle, path, &self.schema)?;
                self.json.strangers().add(rows.undeclared().iter().cloned());
                Rows::Avro(Box::new(rows))
            }
            FileShape::Lines => Rows::Lines(ChunkReader::new(handle, path, ChunkSizes::default())?),
            FileShape::Documents => {
                Rows::Documents(Box::new(DocumentReader::new(handle, path, DocumentSizes::default())?))
            }
            FileShape::Csv { delimiter } => {
                let decoder = self.csv[usize::from(delimiter == b'\t')].clone();
                let sizes = ChunkSizes::default();
                let reader = CsvReader::new(handle, path, self.encoding, decoder.clone(), sizes)?;
                Rows::Csv(Box::new(reader), decoder)
            }
        };
        Ok((file, rows))
    }
}

impl Source for FilesSource {
    fn units(&self, _: &[Recorded]) -> Result<Holding, SourceError> {
        Ok(listing::list(&self.root, &self.pattern)?.into())
    }

    fn undeclared(&self) -> Vec<String> {
        let all = self.csv.iter().map(|csv| csv.strangers()).chain([self.json.strangers()]);
        let mut names: Vec<String> = all.flat_map(|strangers| strangers.names()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn refuses_all_rejected(&self) -> bool {
        true
    }

    fn open(&self, unit: &Unit) -> Result<Box<dyn UnitReader>, SourceError> {
        let path = self.root.join(&unit.id);
        let (file, rows) = self.open_rows(&path, &unit.id)?;
        let open = OpenFile { unit: unit.clone(), path, file, rows, json: self.json.clone() };
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
    Documents(Box<DocumentReader>),
    Csv(Box<CsvReader>, Arc<CsvDecoder>),
    Parquet(Box<ParquetRows>),
    Avro(Box<AvroRows>),
}

struct OpenFile {
    unit: Unit,
    path: PathBuf,
    file: File,
    rows: Rows,
    json: Arc<Decoder>,
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
            Rows::Lines(chunks) => chunks.next().transpose()?.map(|piece| match piece {
                LinePiece::Chunk(chunk) => FileContent::Json(chunk, self.json.clone()),
                LinePiece::Bad(bad) => FileContent::Bad(bad),
            }),
            Rows::Documents(documents) => documents.next()?.map(|piece| match piece {
                DocumentPiece::Chunk(chunk) => FileContent::Json(chunk, self.json.clone()),
                DocumentPiece::Bad(bad) => FileContent::Bad(bad),
            }),
            Rows::Csv(records, decoder) => records.next()?.map(|piece| match piece {
                CsvPiece::Chunk(chunk) => FileContent::Csv(chunk, records.columns().clone(), decoder.clone()),
                CsvPiece::Bad(bad) => FileContent::Bad(bad),
            }),
            Rows::Parquet(rows) => rows.next().transpose()?.map(FileContent::Decoded),
            Rows::Avro(rows) => rows.next()?.map(FileContent::Decoded),
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
    Json(Chunk, Arc<Decoder>),
    Csv(Chunk, Arc<CsvColumns>, Arc<CsvDecoder>),
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
            FileContent::Json(chunk, decoder) => decoder.decode(&chunk).map_err(FilesError::from)?,
            FileContent::Csv(chunk, columns, decoder) => {
                decoder.decode(&chunk, &columns).map_err(FilesError::from)?
            }
            FileContent::Bad(bad) => {
                sink(SourceItem::Reject(bad.into_reject(&self.unit)))?;
                return Ok(1);
            }
            FileContent::Decoded(decoded) => decoded,
        };
        Ok(decoded.hand_over(&self.unit, sink)?)
    }
}
