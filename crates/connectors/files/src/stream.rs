//! The bytes of a file, decompressed.
//!
//! Owns how a file is compressed, and whether a failure is the disk's or the data's. Comes in: an open file. Goes out:
//! bytes, then perhaps a [`StreamError`]. Must not know: lines, rows.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

/// How many bytes are read from the disk at once.
const DISK_BUFFER: usize = 256 << 10;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Zstd,
}

impl Compression {
    /// Judges by the first bytes, and where these say nothing by the name's ending.
    ///
    /// JSON named `.gz` is JSON: some download tools decompress a file and leave it its name.
    pub(super) fn detect(first_bytes: &[u8], path: &Path) -> Self {
        let text = first_bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(first_bytes).trim_ascii_start();
        match first_bytes {
            [] => return Self::Plain,
            [0x1f, 0x8b, ..] => return Self::Gzip,
            // A frame, or a frame that readers skip.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => return Self::Zstd,
            _ if text.starts_with(b"{") => return Self::Plain,
            _ => {}
        }
        match path.extension().and_then(|extension| extension.to_str()) {
            Some(extension) if extension.eq_ignore_ascii_case("gz") => Self::Gzip,
            Some(extension) if extension.eq_ignore_ascii_case("zst") => Self::Zstd,
            _ => Self::Plain,
        }
    }
}

/// Why a stream ends before its end.
#[derive(Debug)]
pub(super) enum StreamError {
    /// The file cannot be read.
    Disk(io::Error),
    /// What was read is not what the compressor wrote; in words.
    Damaged(String),
}

/// A file's bytes, decompressed.
pub(super) struct FileBytes {
    compression: Compression,
    reader: Box<dyn Read + Send>,
}

impl fmt::Debug for FileBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").field("compression", &self.compression).finish_non_exhaustive()
    }
}

impl FileBytes {
    /// Starts at the beginning of `file`; `path` matters for its ending only.
    pub(super) fn new(file: File, path: &Path) -> io::Result<Self> {
        let mut disk = BufReader::with_capacity(DISK_BUFFER, Disk(file));
        let compression = Compression::detect(disk.fill_buf().map_err(unwrap_disk)?, path);
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Plain => Box::new(disk),
            Compression::Gzip => Box::new(MultiGzDecoder::new(disk)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(disk)?),
        };
        Ok(Self { compression, reader })
    }

    /// Appends up to `limit` bytes; fewer only at the end or before an error, which comes beside the bytes.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, limit: usize) -> (usize, Result<(), StreamError>) {
        let before = buffer.len();
        let result = self.reader.by_ref().take(limit as u64).read_to_end(buffer);
        (buffer.len() - before, result.map(drop).map_err(|error| self.classify(error)))
    }

    fn classify(&self, error: io::Error) -> StreamError {
        let name = match self.compression {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Plain => return StreamError::Disk(unwrap_disk(error)),
        };
        if error.get_ref().is_some_and(|inner| inner.is::<DiskError>()) {
            return StreamError::Disk(unwrap_disk(error));
        }
        StreamError::Damaged(match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the {name} stream ends early (truncated file?)"),
            _ => format!("the {name} stream is damaged ({error})"),
        })
    }
}

/// A file whose errors can be told from those of a decompressor above it.
struct Disk(File);

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct DiskError(io::Error);

impl Read for Disk {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer).map_err(|error| match error.kind() {
            io::ErrorKind::Interrupted => error,
            kind => io::Error::new(kind, DiskError(error)),
        })
    }
}

fn unwrap_disk(error: io::Error) -> io::Error {
    error.downcast::<DiskError>().map_or_else(|other| other, |DiskError(error)| error)
}
