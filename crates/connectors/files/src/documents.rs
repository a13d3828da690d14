//! JSON values over any number of lines: lists of objects, and objects one after another.
//!
//! Owns where such a value begins and ends, by brackets and quotes alone. Comes in: a file, plain or compressed. Goes out: chunks in which
//! each value is a line, with the number of the line that it begins on, and a bad row for what is no value. Must not know: what a
//! value says, or whether it is JSON within.
//!
//! - The objects of a list are values of their own, so that one that cannot be read is one bad row.
//! - A value that does not end, since a bracket or quote is missing, reaches to the end of the file: it is one bad row that says so.
//! - A value over the limit is not held in memory: it is one bad row.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::FilesError;
use super::stream::{FileBytes, StreamError};
use mep_contract::source::unit::Reject;
use mep_decode::rows::{BadRow, Chunk, LineNumbers};

/// How a file is cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct DocumentSizes {
    /// About how many bytes a chunk holds.
    pub(super) chunk: usize,
    /// How many bytes a value may have.
    pub(super) value: usize,
}

impl Default for DocumentSizes {
    fn default() -> Self {
        Self { chunk: 4 << 20, value: 64 << 20 }
    }
}

/// The next piece of a file.
#[derive(Debug)]
pub(super) enum DocumentPiece {
    /// Values to decode.
    Chunk(Chunk),
    /// What is no value. It counts as one row read.
    Bad(BadRow),
}

/// Reads a file as chunks of values.
#[derive(Debug)]
pub(super) struct DocumentReader {
    path: PathBuf,
    stream: FileBytes,
    sizes: DocumentSizes,
    splitter: Splitter,
    is_done: bool,
}

/// What is known of the bytes so far.
#[derive(Debug)]
struct Splitter {
    /// The line of the next byte.
    line: u64,
    /// Whether the file's outermost bracket is that of a list.
    is_in_list: bool,
    /// Whether a comma must come before the next value.
    wants_comma: bool,
    is_start: bool,
    value: Option<OpenValue>,
    limit: usize,
    /// Values, each a line.
    bytes: Vec<u8>,
    lines: Vec<u64>,
    bad: Vec<BadRow>,
}

/// A value whose end is not read yet.
#[derive(Clone, Copy, Debug)]
struct OpenValue {
    /// Where it begins in the bytes.
    start: usize,
    line: u64,
    depth: usize,
    is_in_string: bool,
    is_escaped: bool,
    /// How many bytes it has so far.
    length: usize,
}

impl DocumentReader {
    /// Reads the values of `file`; its path is for errors, and for its compression.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn new(file: File, path: &Path, sizes: DocumentSizes) -> Result<Self, FilesError> {
        let stream = FileBytes::new(file, path).map_err(|error| FilesError::unreadable(path, error))?;
        let splitter = Splitter {
            line: 1,
            is_in_list: false,
            wants_comma: false,
            is_start: true,
            value: None,
            limit: sizes.value,
            bytes: Vec::new(),
            lines: Vec::new(),
            bad: Vec::new(),
        };
        Ok(Self { path: path.to_owned(), stream, sizes, splitter, is_done: false })
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Where the disk fails.
    pub(super) fn next(&mut self) -> Result<Option<DocumentPiece>, FilesError> {
        loop {
            if let Some(chunk) =
                self.splitter.take(self.is_done || !self.splitter.bad.is_empty(), self.sizes.chunk)
            {
                return Ok(Some(DocumentPiece::Chunk(chunk)));
            }
            if !self.splitter.bad.is_empty() {
                return Ok(Some(DocumentPiece::Bad(self.splitter.bad.remove(0))));
            }
            if self.is_done {
                return Ok(None);
            }
            let mut read = Vec::new();
            let (count, result) = self.stream.append(&mut read, self.sizes.chunk);
            self.splitter.push(&read);
            match result {
                Ok(()) if count > 0 => {}
                Ok(()) => {
                    self.is_done = true;
                    self.splitter.end(None);
                }
                Err(StreamError::Damaged(reason)) => {
                    self.is_done = true;
                    self.splitter.end(Some(reason));
                }
                Err(StreamError::Disk(error)) => return Err(FilesError::unreadable(&self.path, error)),
            }
        }
    }
}

impl Splitter {
    fn push(&mut self, read: &[u8]) {
        let read = if std::mem::take(&mut self.is_start) {
            read.strip_prefix(b"\xef\xbb\xbf").unwrap_or(read)
        } else {
            read
        };
        for byte in read {
            match self.value {
                Some(open) => self.within(open, *byte),
                None => self.between(*byte),
            }
            self.line += u64::from(*byte == b'\n');
        }
    }

    /// A byte that is part of no value yet.
    fn between(&mut self, byte: u8) {
        match byte {
            b' ' | b'\t' | b'\r' | b'\n' => {}
            b'[' if !self.is_in_list => {
                self.is_in_list = true;
                self.wants_comma = false;
            }
            b']' if self.is_in_list => {
                self.is_in_list = false;
                self.wants_comma = false;
            }
            b',' if self.is_in_list && self.wants_comma => self.wants_comma = false,
            b',' | b']' | b'}' | b':' => {
                let found = char::from(byte);
                self.bad(self.line, format!("no JSON: expected a value, found `{found}`"), &[byte]);
            }
            _ => {
                if self.wants_comma {
                    self.bad(self.line, "no JSON: expected `,` or `]` before this value".to_owned(), b"");
                }
                let open = OpenValue {
                    start: self.bytes.len(),
                    line: self.line,
                    depth: 0,
                    is_in_string: false,
                    is_escaped: false,
                    length: 0,
                };
                self.within(open, byte);
            }
        }
    }

    /// A byte of a value, or the first one behind it.
    fn within(&mut self, mut open: OpenValue, byte: u8) {
        let is_scalar = open.depth == 0;
        if !open.is_in_string && is_scalar && open.length > 0 && is_separator(byte) {
            self.close(open);
            return self.between(byte);
        }
        if open.is_in_string {
            match byte {
                _ if open.is_escaped => open.is_escaped = false,
                b'\\' => open.is_escaped = true,
                b'"' => open.is_in_string = false,
                _ => {}
            }
        } else {
            match byte {
                b'"' => open.is_in_string = true,
                b'{' | b'[' => open.depth += 1,
                b'}' | b']' => open.depth = open.depth.saturating_sub(1),
                _ => {}
            }
        }
        if open.length < self.limit {
            // In a string a line end is no JSON, and must not become any.
            self.bytes.push(match byte {
                b'\n' if open.is_in_string => b'\r',
                b'\n' => b' ',
                byte => byte,
            });
        } else if open.length == self.limit {
            self.bytes.truncate(open.start + Reject::TEXT_LIMIT.min(open.length));
        }
        open.length += 1;
        self.value = Some(open);
        if !is_scalar && open.depth == 0 && !open.is_in_string {
            self.close(open);
        }
    }

    fn close(&mut self, open: OpenValue) {
        self.value = None;
        self.wants_comma = self.is_in_list;
        if open.length > self.limit {
            let text = self.bytes.split_off(open.start);
            let reason = format!("the value has {} bytes; at most {} are read", open.length, self.limit);
            return self.bad(open.line, reason, &text);
        }
        self.bytes.push(b'\n');
        self.lines.push(open.line);
    }

    /// Nothing more comes, for a reason where it is not the file's end.
    fn end(&mut self, damage: Option<String>) {
        let is_list = self.is_in_list;
        if let Some(open) = self.value.take() {
            if open.depth == 0 && !open.is_in_string && damage.is_none() {
                self.close(open);
            } else {
                let text = self.bytes.split_off(open.start);
                let why = damage.unwrap_or_else(|| "the file ends".to_owned());
                let reason =
                    format!("{why} within the value that begins here, and nothing behind it is read");
                return self.bad(open.line, reason, &text);
            }
        }
        match damage {
            Some(damage) => {
                self.bad(self.line, format!("{damage} after the value before line {}", self.line), b"");
            }
            None if is_list => {
                self.bad(
                    self.line,
                    "the file ends before the `]` of its list (truncated file?)".to_owned(),
                    b"",
                );
            }
            None => {}
        }
    }

    fn bad(&mut self, line: u64, reason: String, text: &[u8]) {
        self.bad.push(BadRow::new(line, reason, text));
    }

    /// The values that are whole; `None` where they are too few yet.
    fn take(&mut self, is_all: bool, enough: usize) -> Option<Chunk> {
        let whole = self.value.map_or(self.bytes.len(), |open| open.start);
        if whole == 0 || (!is_all && whole < enough) {
            return None;
        }
        let rest = self.bytes.split_off(whole);
        let bytes = std::mem::replace(&mut self.bytes, rest);
        if let Some(open) = &mut self.value {
            open.start = 0;
        }
        Some(Chunk { lines: LineNumbers::Each(std::mem::take(&mut self.lines)), bytes })
    }
}

/// Whether a byte ends a number or a word.
fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | b',' | b']' | b'}' | b'[' | b'{' | b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values of a text with their lines, and what is bad in it, read some bytes at a time.
    fn split(text: &str, chunk: usize) -> Vec<String> {
        let mut splitter = Splitter {
            line: 1,
            is_in_list: false,
            wants_comma: false,
            is_start: true,
            value: None,
            limit: 60,
            bytes: Vec::new(),
            lines: Vec::new(),
            bad: Vec::new(),
        };
        for part in text.as_bytes().chunks(chunk) {
            splitter.push(part);
        }
        splitter.end(None);
        let mut said = Vec::new();
        if let Some(chunk) = splitter.take(true, 1) {
            let text = String::from_utf8(chunk.bytes).unwrap();
            said.extend(text.lines().enumerate().map(|(at, line)| format!("{}: {line}", chunk.lines.at(at))));
        }
        said.extend(splitter.bad.iter().map(|bad| format!("{}! {}", bad.line, bad.reason)));
        said
    }

    #[test]
    fn values_are_found_wherever_they_begin_and_end() {
        let text = "\u{feff}[\n {\"a\": [1, \"]}\\\"\"],\n  \"b\": {}\n },\n 12,\"x\", null ,{}]\n{\"c\":\n1}{\"d\":2}";
        let expected = [
            "2: {\"a\": [1, \"]}\\\"\"],   \"b\": {}  }",
            "5: 12",
            "5: \"x\"",
            "5: null",
            "5: {}",
            "6: {\"c\": 1}",
            "7: {\"d\":2}",
        ];
        assert_eq!(split(text, 1000), expected);
        // A mark at the beginning is read at once, as the first bytes of any file are.
        assert_eq!(split(text.trim_start_matches('\u{feff}'), 1), expected);
    }

    #[test]
    fn what_is_no_value_is_told_with_its_line() {
        insta::assert_snapshot!(split("[{\"a\":1}\n {\"b\":2},,\n{\"c\":\"x\ny\"}", 7).join("\n"));
        insta::assert_snapshot!(split("{\"a\":1}\n{\"b\":\n[1,\n{\"c\":2}\n", 7).join("\n"));
        let long = format!("{{\"a\":\"{}\"}}\n{{\"b\":1}}", "x".repeat(100));
        insta::assert_snapshot!(split(&long, 7).join("\n"));
    }
}
