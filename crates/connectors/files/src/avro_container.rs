//! The container of a file of Avro, as one that is not compressed.
//!
//! Owns the header and the blocks of such a file, and the compressions that its decoder is not built with. Comes in: the file's bytes.
//! Goes out: the bytes of an equal file. Must not know: what a record is.
//!
//! The decoder of records takes blocks that are not compressed, of snappy and of zstd. Those of deflate, bzip2 and xz are decompressed here.
//! In the schema, a text that is said to be a UUID is a text: as sixteen bytes nobody would know it again.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use parking_lot::Mutex;

use super::stream::is_of_disk;

use mep_decode::avro_schema::texts_for_uuids;

const MAGIC: &[u8] = b"Obj\x01";
const SCHEMA: &[u8] = b"avro.schema";
const CODEC: &[u8] = b"avro.codec";
/// The longest header, and the longest block, that are held in memory.
const LIMIT: u64 = 1 << 30;

/// Why the blocks of a file end before the file does, once that is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Damage(Arc<Mutex<Option<String>>>);

impl Damage {
    /// The reason, which is forgotten here.
    pub(super) fn take(&self) -> Option<String> {
        self.0.lock().take()
    }
}

/// How the blocks of a file are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum BlockCodec {
    /// As its decoder takes them.
    Known,
    Deflate,
    Bzip2,
    Xz,
}

/// The bytes of an equal file that a decoder of records takes.
pub(super) struct PlainContainer<R> {
    inner: R,
    codec: BlockCodec,
    sync: [u8; 16],
    damage: Damage,
    /// What is made and not given out.
    ready: Cursor<Vec<u8>>,
}

fn damaged(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.to_owned())
}

impl<R: Read> PlainContainer<R> {
    /// Reads the header.
    ///
    /// # Errors
    /// Where it is none, or says that blocks are compressed in a way that is not known.
    pub(super) fn new(mut inner: R) -> io::Result<Self> {
        let mut magic = [0; 4];
        inner.read_exact(&mut magic)?;
        if magic != MAGIC {
            return Err(damaged("it does not begin as Avro's files do"));
        }
        let mut noted = read_map(&mut inner)?;
        let mut sync = [0; 16];
        inner.read_exact(&mut sync)?;
        let codec = noted.iter().find(|(key, _)| key == CODEC).map(|(_, value)| value.as_slice());
        let codec = match codec {
            Some(b"deflate") => BlockCodec::Deflate,
            Some(b"bzip2") => BlockCodec::Bzip2,
            Some(b"xz") => BlockCodec::Xz,
            Some(b"null" | b"snappy" | b"zstandard") | None => BlockCodec::Known,
            Some(other) => {
                let other = String::from_utf8_lossy(other);
                return Err(damaged(&format!("its blocks are compressed by `{other}`, which is not known")));
            }
        };
        for (key, value) in &mut noted {
            if key == SCHEMA
                && let Ok(mut schema) = serde_json::from_slice::<serde_json::Value>(value)
            {
                texts_for_uuids(&mut schema);
                *value = schema.to_string().into_bytes();
            } else if key == CODEC && codec != BlockCodec::Known {
                *value = b"null".to_vec();
            }
        }
        let mut header = MAGIC.to_vec();
        put_long(&mut header, noted.len() as i64);
        for (key, value) in &noted {
            put_bytes(&mut header, key);
            put_bytes(&mut header, value);
        }
        put_long(&mut header, 0);
        header.extend(sync);
        Ok(Self { inner, codec, sync, damage: Damage::default(), ready: Cursor::new(header) })
    }

    /// Where it is said why blocks end early: to whoever decodes them they just end, so that no row before is lost.
    pub(super) fn damage(&self) -> Damage {
        self.damage.clone()
    }

    /// Makes the next block ready; false at the end.
    fn next_block(&mut self) -> io::Result<bool> {
        let Some(count) = read_long_or_end(&mut self.inner)? else { return Ok(false) };
        let stored = read_bytes(&mut self.inner)?;
        let mut sync = [0; 16];
        self.inner.read_exact(&mut sync)?;
        if sync != self.sync {
            return Err(damaged("a block does not end where it says"));
        }
        let mut plain = Vec::new();
        let read = match self.codec {
            BlockCodec::Known => {
                plain = stored;
                Ok(0)
            }
            BlockCodec::Deflate => {
                flate2::read::DeflateDecoder::new(stored.as_slice()).take(LIMIT).read_to_end(&mut plain)
            }
            BlockCodec::Bzip2 => {
                bzip2::read::MultiBzDecoder::new(stored.as_slice()).take(LIMIT).read_to_end(&mut plain)
            }
            BlockCodec::Xz => liblzma::read::XzDecoder::new_multi_decoder(stored.as_slice())
                .take(LIMIT)
                .read_to_end(&mut plain),
        };
        read.map_err(|error| damaged(&format!("a block cannot be decompressed: {error}")))?;
        let mut block = Vec::with_capacity(plain.len() + 40);
        put_long(&mut block, count);
        put_bytes(&mut block, &plain);
        block.extend(self.sync);
        self.ready = Cursor::new(block);
        Ok(true)
    }
}

impl<R: Read> Read for PlainContainer<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.ready.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            match self.next_block() {
                Ok(true) => {}
                Ok(false) => return Ok(0),
                Err(error) if is_of_disk(&error) => return Err(error),
                Err(error) => {
                    let reason = match error.kind() {
                        io::ErrorKind::UnexpectedEof => "a block ends early (truncated file?)".to_owned(),
                        _ => error.to_string(),
                    };
                    *self.damage.0.lock() = Some(reason);
                    return Ok(0);
                }
            }
        }
    }
}

/// Keys and values of bytes, in blocks of entries.
fn read_map(reader: &mut impl Read) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut entries = Vec::new();
    loop {
        let count = read_long(reader)?;
        if count == 0 {
            return Ok(entries);
        }
        if count < 0 {
            read_long(reader)?;
        }
        for _ in 0..count.unsigned_abs() {
            entries.push((read_bytes(reader)?, read_bytes(reader)?));
        }
    }
}

fn read_bytes(reader: &mut impl Read) -> io::Result<Vec<u8>> {
    let length = u64::try_from(read_long(reader)?).ok().filter(|length| *length <= LIMIT);
    let length = length.ok_or_else(|| damaged("a length in it is none"))?;
    let mut bytes = Vec::new();
    if reader.take(length).read_to_end(&mut bytes)? as u64 == length {
        Ok(bytes)
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

fn read_long(reader: &mut impl Read) -> io::Result<i64> {
    read_long_or_end(reader)?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A number, seven bits a byte; `None` where nothing comes any more.
fn read_long_or_end(reader: &mut impl Read) -> io::Result<Option<i64>> {
    let mut bits = 0_u64;
    for place in 0..10 {
        let mut byte = [0];
        if place == 0 {
            if reader.read(&mut byte)? == 0 {
                return Ok(None);
            }
        } else {
            reader.read_exact(&mut byte)?;
        }
        bits |= u64::from(byte[0] & 0x7f) << (7 * place).min(63);
        if byte[0] & 0x80 == 0 {
            return Ok(Some((bits >> 1) as i64 ^ -((bits & 1) as i64)));
        }
    }
    Err(damaged("a number in it is none"))
}

fn put_long(bytes: &mut Vec<u8>, number: i64) {
    let mut bits = ((number << 1) ^ (number >> 63)) as u64;
    while bits >= 0x80 {
        bytes.push((bits & 0x7f) as u8 | 0x80);
        bits >>= 7;
    }
    bytes.push(bits as u8);
}

fn put_bytes(bytes: &mut Vec<u8>, value: &[u8]) {
    put_long(bytes, value.len() as i64);
    bytes.extend(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for number in [0, 1, -1, 63, 64, -64, -65, i64::MAX, i64::MIN] {
            let mut bytes = Vec::new();
            put_long(&mut bytes, number);
            assert_eq!(read_long(&mut bytes.as_slice()).unwrap(), number);
        }
        assert!(read_long(&mut [0xff; 11].as_slice()).is_err());
    }
}
