//! A file of HDFS, read from its start, as bytes that may be compressed.
//!
//! Must not know: what the bytes mean.

use std::io::{self, Read};
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::executor::block_on;
use object_store::path::Path as ObjectPath;
use object_store::{ObjectStore, ObjectStoreExt as _};

/// Bytes that are asked for at once.
const CHUNK: u64 = 4 << 20;
/// Endings of files that Hadoop takes for compressed, and that mep does not open.
const CLOSED: [&str; 8] = ["bz2", "deflate", "lz4", "lzo", "lzo_deflate", "snappy", "xz", "zst"];

/// What of its bytes are not read yet.
struct Rest {
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    at: u64,
    bytes: u64,
    chunk: Bytes,
}

/// Opens a file; its name tells whether it is compressed.
///
/// # Errors
/// Where it is, in a way that mep does not open.
pub(super) fn open(
    store: Arc<dyn ObjectStore>,
    path: ObjectPath,
    bytes: u64,
) -> Result<Box<dyn Read + Send>, String> {
    let ending =
        path.filename().and_then(|name| name.rsplit_once('.')).map(|(_, ending)| ending.to_lowercase());
    let rest = Rest { store, path, at: 0, bytes, chunk: Bytes::new() };
    match ending.as_deref() {
        Some("gz") => Ok(Box::new(MultiGzDecoder::new(rest))),
        Some(ending) if CLOSED.contains(&ending) => {
            Err(format!("it is compressed as .{ending}, and of text mep reads plain files and .gz"))
        }
        _ => Ok(Box::new(rest)),
    }
}

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && self.at < self.bytes {
            let end = self.bytes.min(self.at + CHUNK);
            self.chunk =
                block_on(self.store.get_range(&self.path, self.at..end)).map_err(io::Error::other)?;
            if self.chunk.is_empty() {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it is shorter than HDFS said"));
            }
            self.at += self.chunk.len() as u64;
        }
        let taken = self.chunk.len().min(buffer.len());
        buffer[..taken].copy_from_slice(&self.chunk.split_to(taken));
        Ok(taken)
    }
}
