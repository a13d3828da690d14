//! The bytes of a file, decompressed, and as UTF-8 where they are text of another encoding.
//!
//! Owns how a file is compressed, and whether a failure is the disk's or the data's. Comes in: an open file. Goes out:
//! bytes, then perhaps a [`StreamError`]. Must not know: lines, rows.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use bzip2::bufread::MultiBzDecoder;
use encoding_rs::Encoding;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;

use super::transcoded::Transcoded;

/// How many bytes are read from the disk at once.
const DISK_BUFFER: usize = 256 << 10;

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Compression {
    /// What names of files end with, behind a point.
    pub(super) const ENDINGS: [(&str, Self); 4] =
        [("gz", Self::Gzip), ("zst", Self::Zstd), ("bz2", Self::Bzip2), ("xz", Self::Xz)];

    /// What it is called.
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
        }
    }

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
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31, 0x41, 0x59, 0x26, ..]
            | [b'B', b'Z', b'h', b'1'..=b'9', 0x17, 0x72, 0x45, 0x38, ..] => return Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => return Self::Xz,
            _ if text.starts_with(b"{") || text.starts_with(b"[") => return Self::Plain,
            _ => {}
        }
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let found = Self::ENDINGS.into_iter().find(|(ending, _)| extension.eq_ignore_ascii_case(ending));
        found.map_or(Self::Plain, |(_, compression)| compression)
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
        let compression = Compression::detect(disk.fill_buf().map_err(plain_error)?, path);
        let reader: Box<dyn Read + Send> = match compression {
            Compression::Plain => Box::new(disk),
            Compression::Gzip => Box::new(MultiGzDecoder::new(disk)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(disk)?),
            Compression::Bzip2 => Box::new(MultiBzDecoder::new(disk)),
            Compression::Xz => Box::new(XzDecoder::new_multi_decoder(disk)),
        };
        Ok(Self { compression, reader })
    }

    /// The bytes as UTF-8: of this encoding, or where none is said, of the one that a mark at their beginning says. In place of what
    /// belongs to no character stands a byte that UTF-8 has not.
    #[must_use]
    pub(super) fn into_utf8(self, encoding: Option<&'static Encoding>) -> Self {
        let Self { compression, reader } = self;
        Self { compression, reader: Box::new(Transcoded::new(reader, encoding)) }
    }

    /// Appends up to `limit` bytes; fewer only at the end or before an error, which comes beside the bytes.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, limit: usize) -> (usize, Result<(), StreamError>) {
        let before = buffer.len();
        let result = self.reader.by_ref().take(limit as u64).read_to_end(buffer);
        (buffer.len() - before, result.map(drop).map_err(|error| self.classify(error)))
    }

    fn classify(&self, error: io::Error) -> StreamError {
        let name = self.compression.name();
        if self.compression == Compression::Plain {
            return StreamError::Disk(plain_error(error));
        }
        if error.get_ref().is_some_and(|inner| inner.is::<DiskError>()) {
            return StreamError::Disk(plain_error(error));
        }
        StreamError::Damaged(match error.kind() {
            io::ErrorKind::UnexpectedEof => format!("the {name} stream ends early (truncated file?)"),
            _ => format!("the {name} stream is damaged ({error})"),
        })
    }
}

/// A file whose errors can be told from those of a decompressor above it.
pub(super) struct Disk(File);

impl Disk {
    /// An open file.
    pub(super) fn of(file: File) -> Self {
        Self(file)
    }
}

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

/// Whether it is the disk that failed.
pub(super) fn is_of_disk(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<DiskError>())
}

/// The disk's own error; else the one that was given, which is no disk's.
pub(super) fn unwrap_disk(error: io::Error) -> Result<io::Error, io::Error> {
    error.downcast::<DiskError>().map(|DiskError(error)| error)
}

/// The disk's own error, where it is one.
fn plain_error(error: io::Error) -> io::Error {
    unwrap_disk(error).unwrap_or_else(|other| other)
}
