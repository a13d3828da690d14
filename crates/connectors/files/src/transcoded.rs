//! Text of any encoding as UTF-8.
//!
//! Owns how bytes become characters. Comes in: bytes, and an encoding. Goes out: UTF-8, with [`NO_CHARACTER`] in place of what
//! belongs to no character. Must not know: compression, lines.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, Encoding, UTF_8};

/// Stands where bytes belong to no character: no text in UTF-8 has it.
const NO_CHARACTER: u8 = 0xff;
/// How many bytes are decoded at once.
const BLOCK: usize = 64 << 10;

/// A stream of UTF-8.
pub(super) struct Transcoded {
    inner: Box<dyn Read + Send>,
    encoding: Option<&'static Encoding>,
    state: Transcoding,
    /// What is read and not decoded.
    block: Vec<u8>,
    /// What is decoded, and how much of it is given out.
    decoded: (Vec<u8>, usize),
}

enum Transcoding {
    Start,
    /// It is UTF-8 already.
    Same,
    Decoding(Box<Decoder>),
    End,
}

impl Transcoded {
    /// The bytes of `inner` as UTF-8.
    pub(super) fn new(inner: Box<dyn Read + Send>, encoding: Option<&'static Encoding>) -> Self {
        Self { inner, encoding, state: Transcoding::Start, block: Vec::new(), decoded: (Vec::new(), 0) }
    }

    /// Reads the mark that may stand at the beginning, and keeps what it is not.
    fn start(&mut self) -> io::Result<()> {
        let mut first = Vec::new();
        self.inner.by_ref().take(3).read_to_end(&mut first)?;
        let encoding = match (self.encoding, Encoding::for_bom(&first)) {
            (Some(said), _) => said,
            (None, Some((marked, _))) => marked,
            (None, None) => UTF_8,
        };
        self.state = if encoding == UTF_8 {
            // A mark of UTF-8 is skipped where lines are read.
            self.decoded = (first, 0);
            Transcoding::Same
        } else {
            self.block = first;
            Transcoding::Decoding(Box::new(encoding.new_decoder_with_bom_removal()))
        };
        Ok(())
    }

    /// Decodes the block; `is_last`: nothing follows it.
    fn decode(&mut self, is_last: bool) {
        let Transcoding::Decoding(decoder) = &mut self.state else { return };
        let mut out = Vec::new();
        let mut rest = self.block.as_slice();
        loop {
            let room =
                decoder.max_utf8_buffer_length_without_replacement(rest.len()).unwrap_or(rest.len() * 3);
            let from = out.len();
            out.resize(from + room.max(16), 0);
            let (result, read, written) =
                decoder.decode_to_utf8_without_replacement(rest, &mut out[from..], is_last);
            out.truncate(from + written);
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => out.push(NO_CHARACTER),
            }
        }
        self.block.clear();
        self.decoded = (out, 0);
        if is_last {
            self.state = Transcoding::End;
        }
    }
}

impl Read for Transcoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            let (decoded, given) = &mut self.decoded;
            if *given < decoded.len() {
                let count = buffer.len().min(decoded.len() - *given);
                buffer[..count].copy_from_slice(&decoded[*given..*given + count]);
                *given += count;
                return Ok(count);
            }
            match self.state {
                Transcoding::Start => self.start()?,
                Transcoding::Same => return self.inner.read(buffer),
                Transcoding::End => return Ok(0),
                Transcoding::Decoding(_) => {
                    let before = self.block.len();
                    self.block.resize(before + BLOCK, 0);
                    let read = self.inner.read(&mut self.block[before..]);
                    self.block.truncate(before + *read.as_ref().unwrap_or(&0));
                    let read = read?;
                    self.decode(read == 0);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], encoding: Option<&str>) -> Vec<u8> {
        let encoding = encoding.map(|name| Encoding::for_label(name.as_bytes()).unwrap());
        let mut out = Vec::new();
        Transcoded::new(Box::new(io::Cursor::new(bytes.to_vec())), encoding).read_to_end(&mut out).unwrap();
        out
    }

    #[test]
    fn text_is_decoded_by_what_is_said_or_marked() {
        assert_eq!(read(b"caf\xe9", Some("windows-1252")), "café".as_bytes());
        let utf16: Vec<u8> = "\u{feff}a,é\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(read(&utf16, None), "a,é\n".as_bytes());
        assert_eq!(read(&utf16, Some("utf-16le")), "a,é\n".as_bytes());
        assert_eq!(read("aé".as_bytes(), None), "aé".as_bytes());
        assert_eq!(read(b"", None), b"");
        assert_eq!(read(b"a\x81", Some("shift_jis")), b"a\xff");
        let long = "日本".repeat(100_000);
        assert_eq!(read(encoding_rs::SHIFT_JIS.encode(&long).0.as_ref(), Some("shift_jis")), long.as_bytes());
    }
}
