//! Whole lines of a file, in chunks.
//!
//! Owns where lines begin and end, and their numbers. Comes in: a file, plain or compressed. Goes out: chunks of whole
//! lines, in order, and a bad row for each piece that is no line. Must not know: what a line says.
//!
//! - A line ends with `\n` or `\r\n`; the last one may end with the file. Blank lines count as lines.
//! - A UTF-8 byte order mark at the start is skipped.
//! - A line over the limit is never held whole in memory: it is one bad row.
//! - Where a compressed stream breaks, all lines that were complete come first; then one bad row says where it broke.
//! - A file of no bytes is empty, whatever it is named.
//!
//! One thread reads; since chunks know their line numbers and share nothing, any number of threads can decode them.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::FilesError;
use super::stream::{FileBytes, StreamError};
use mep_contract::source::unit::Reject;
use mep_decode::rows::{BadRow, Chunk, LineNumbers};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The next piece of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LinePiece {
    /// Lines to decode.
    Chunk(Chunk),
    /// What is no line: too long, or broken off. It counts as one row read.
    Bad(BadRow),
}

/// How a file is cut into chunks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ChunkSizes {
    /// About how many bytes a chunk holds.
    pub chunk: usize,
    /// How many bytes a line may have, without its end. Lines that fit in a chunk are always read.
    pub line: usize,
}

impl Default for ChunkSizes {
    fn default() -> Self {
        Self { chunk: 4 << 20, line: 64 << 20 }
    }
}

/// Reads a file as chunks of lines; an iterator that ends after the first error.
#[derive(Debug)]
pub(super) struct ChunkReader {
    path: PathBuf,
    stream: FileBytes,
    sizes: ChunkSizes,
    state: State,
    /// What is read and not given out.
    carry: Vec<u8>,
    /// How many bytes of the carry are known to hold no line feed.
    searched: usize,
    /// The number of the line that the carry begins with.
    line: u64,
    /// Why there is no more to read, if it is not the end of the file.
    damage: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing is read yet.
    Start,
    /// The carry begins with a line.
    Lines,
    /// A line is over the limit: `length` bytes of it are read, and the carry holds its start.
    LongLine { length: usize },
    /// All is given out.
    End,
}

impl ChunkReader {
    /// Reads the lines of `file`. Its path is for errors, and its ending tells the compression if the content does not.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn new(file: File, path: &Path, sizes: ChunkSizes) -> Result<Self, FilesError> {
        let stream = FileBytes::new(file, path).map_err(|error| FilesError::unreadable(path, error))?;
        Ok(Self::of_stream(stream, path, sizes))
    }

    /// Reads the lines of a stream of the file at `path`.
    pub(super) fn of_stream(stream: FileBytes, path: &Path, sizes: ChunkSizes) -> Self {
        let chunk = sizes.chunk.max(BYTE_ORDER_MARK.len());
        Self {
            path: path.to_owned(),
            stream,
            sizes: ChunkSizes { chunk, line: sizes.line.max(2 * chunk) },
            state: State::Start,
            carry: Vec::new(),
            searched: 0,
            line: 1,
            damage: None,
        }
    }

    fn next_piece(&mut self) -> Result<Option<LinePiece>, FilesError> {
        while self.state != State::End {
            let mut bytes = std::mem::take(&mut self.carry);
            let read = if self.damage.is_none() { self.fill(&mut bytes)? } else { 0 };
            if read == 0 && self.searched >= bytes.len() {
                return Ok(self.last_piece(bytes));
            }
            let piece = match self.state {
                State::LongLine { length } => self.end_of_long_line(bytes, length),
                _ => self.lines(bytes),
            };
            if piece.is_some() {
                return Ok(piece);
            }
        }
        Ok(None)
    }

    fn fill(&mut self, bytes: &mut Vec<u8>) -> Result<usize, FilesError> {
        bytes.reserve(self.sizes.chunk);
        let (read, result) = self.stream.append(bytes, self.sizes.chunk);
        match result {
            Ok(()) => {}
            Err(StreamError::Damaged(reason)) => self.damage = Some(reason),
            Err(StreamError::Disk(error)) => {
                self.state = State::End;
                return Err(FilesError::unreadable(&self.path, error));
            }
        }
        if self.state == State::Start {
            self.state = State::Lines;
            if bytes.starts_with(BYTE_ORDER_MARK) {
                bytes.drain(..BYTE_ORDER_MARK.len());
            }
        }
        Ok(read)
    }

    /// The whole lines of `bytes`, which begin with a line.
    fn lines(&mut self, mut bytes: Vec<u8>) -> Option<LinePiece> {
        let first_end = bytes[self.searched..].iter().position(|byte| *byte == b'\n');
        let first_end = first_end.map(|length| self.searched + length);
        let is_too_long = first_end.unwrap_or(bytes.len()) > self.sizes.line;
        match first_end {
            _ if is_too_long => self.end_of_long_line(bytes, self.searched),
            None => {
                self.keep(bytes);
                None
            }
            Some(first_end) => {
                let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(first_end, |last| last) + 1;
                let rest = bytes.split_off(end);
                self.keep(rest);
                let first_line = self.line;
                self.line += memchr::memchr_iter(b'\n', &bytes).count() as u64;
                Some(LinePiece::Chunk(Chunk { lines: LineNumbers::From(first_line), bytes }))
            }
        }
    }

    /// Looks for the end of a line that is over the limit, and of which `known` bytes were searched before.
    fn end_of_long_line(&mut self, mut bytes: Vec<u8>, known: usize) -> Option<LinePiece> {
        let end = bytes[self.searched..].iter().position(|byte| *byte == b'\n');
        match end {
            None => {
                self.state = State::LongLine { length: known + bytes.len() - self.searched };
                bytes.truncate(Reject::TEXT_LIMIT);
                bytes.shrink_to_fit();
                self.keep(bytes);
                None
            }
            Some(end) => {
                self.state = State::Lines;
                let rest = bytes.split_off(self.searched + end + 1);
                let bad = self.too_long(known + end, &bytes[..self.searched + end]);
                self.line += 1;
                self.carry = rest;
                self.searched = 0;
                Some(LinePiece::Bad(bad))
            }
        }
    }

    /// Keeps bytes without line feed until more is read.
    fn keep(&mut self, bytes: Vec<u8>) {
        self.searched = bytes.len();
        self.carry = bytes;
    }

    /// What is left when no more can be read: a line without end, or why nothing more comes.
    fn last_piece(&mut self, bytes: Vec<u8>) -> Option<LinePiece> {
        let state = std::mem::replace(&mut self.state, State::End);
        if let Some(damage) = self.damage.take() {
            let place = match self.line - 1 {
                0 => "before the end of line 1".to_owned(),
                complete => format!("after line {complete}"),
            };
            return Some(LinePiece::Bad(BadRow::new(self.line, format!("{damage} {place}"), &bytes)));
        }
        match state {
            State::LongLine { length } => Some(LinePiece::Bad(self.too_long(length, &bytes))),
            _ if bytes.is_empty() => None,
            _ => Some(LinePiece::Chunk(Chunk { lines: LineNumbers::From(self.line), bytes })),
        }
    }

    fn too_long(&self, length: usize, start: &[u8]) -> BadRow {
        let limit = self.sizes.line;
        BadRow::new(self.line, format!("the line has {length} bytes; at most {limit} are read"), start)
    }
}

impl Iterator for ChunkReader {
    type Item = Result<LinePiece, FilesError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_piece().transpose()
    }
}
