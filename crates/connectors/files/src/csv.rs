//! The records of a file of CSV, in chunks.
//!
//! Owns the header, and where a file can be cut so that each chunk has whole records. Comes in: a file. Goes out: which field is which
//! column, chunks in order, and a bad row for each piece that is no record. Must not know: what a field says.
//!
//! A file whose header lacks a column that is required is one bad row, and no row of it is read.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use encoding_rs::Encoding;

use super::FilesError;
use super::lines::{ChunkReader, ChunkSizes, LinePiece};
use super::stream::FileBytes;
use mep_decode::csv_records::{CsvRecord, csv_record, whole_csv_records};
use mep_decode::rows::{BadRow, Chunk, CsvColumns, CsvDecoder, LineNumbers};

/// The next piece of a file.
#[derive(Debug)]
pub(super) enum CsvPiece {
    /// Records to decode.
    Chunk(Chunk),
    /// What is no record. It counts as one row read.
    Bad(BadRow),
}

/// Reads a file as chunks of records.
#[derive(Debug)]
pub(super) struct CsvReader {
    lines: ChunkReader,
    decoder: Arc<CsvDecoder>,
    columns: Arc<CsvColumns>,
    /// The longest record that is waited for.
    limit: usize,
    /// Lines that are read, and not given out since the last record of them may go on.
    pending: Vec<u8>,
    /// The number of the line that they begin with.
    line: u64,
    /// What comes behind them.
    next: Option<BadRow>,
    is_done: bool,
}

impl CsvReader {
    /// Begins to read `file`; its path is for errors, and for its compression.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub(super) fn new(
        file: File,
        path: &Path,
        encoding: Option<&'static Encoding>,
        decoder: Arc<CsvDecoder>,
        sizes: ChunkSizes,
    ) -> Result<Self, FilesError> {
        let stream = FileBytes::new(file, path).map_err(|error| FilesError::unreadable(path, error))?;
        let columns = Arc::new(decoder.declared_columns());
        let mut reader = Self {
            lines: ChunkReader::of_stream(stream.into_utf8(encoding), path, sizes),
            columns,
            limit: sizes.line,
            pending: Vec::new(),
            line: 1,
            next: None,
            is_done: false,
            decoder,
        };
        if reader.decoder.dialect().header {
            reader.read_header()?;
        }
        Ok(reader)
    }

    /// Which field is which column.
    pub(super) fn columns(&self) -> &Arc<CsvColumns> {
        &self.columns
    }

    /// Reads up to the first record, which has the names of the columns.
    fn read_header(&mut self) -> Result<(), FilesError> {
        let (mut at, mut fields) = (0, Vec::new());
        loop {
            match csv_record(&self.pending, at, self.is_done, self.decoder.dialect(), &mut fields) {
                CsvRecord::Skipped(end) => at = end,
                CsvRecord::Fields(end) => {
                    let text = String::from_utf8(self.pending[..end].to_vec());
                    let found = match text {
                        Ok(text) => {
                            let names: Vec<String> = fields
                                .iter()
                                .map(|field| field.text(&text, self.decoder.dialect()).into_owned())
                                .collect();
                            self.decoder.columns_of(&names)
                        }
                        Err(_) => Err("the header is no UTF-8: say the `encoding` of the file".to_owned()),
                    };
                    match found {
                        Ok(columns) => self.columns = Arc::new(columns),
                        Err(reason) => self.refuse(at, end, &reason),
                    }
                    self.give_up_to(end);
                    return Ok(());
                }
                CsvRecord::Broken(end, reason) => {
                    self.refuse(at, end, &format!("the header cannot be read: {reason}"));
                    self.give_up_to(end);
                    return Ok(());
                }
                // A file without a header has no rows; what is broken in it comes next.
                CsvRecord::End if self.is_done => {
                    self.give_up_to(at);
                    return Ok(());
                }
                CsvRecord::Open | CsvRecord::End => {
                    if self.pending.len() > self.limit {
                        self.refuse(at, self.pending.len(), "the header has no end");
                        return Ok(());
                    }
                    self.read_on()?;
                    // A header that cannot be read says nothing of what follows it.
                    if self.next.is_some() {
                        self.pending.clear();
                        self.is_done = true;
                        return Ok(());
                    }
                }
            }
        }
    }

    /// The file as a whole is a bad row.
    fn refuse(&mut self, at: usize, end: usize, reason: &str) {
        let line = self.line + lines_in(&self.pending[..at]);
        let header = self.pending[at..end].trim_ascii_end();
        self.next = Some(BadRow::new(line, format!("{reason}; none of the file's rows are read"), header));
        self.pending.clear();
        self.is_done = true;
    }

    /// What stands before `end` is given out.
    fn give_up_to(&mut self, end: usize) {
        let end = end.min(self.pending.len());
        let rest = self.pending.split_off(end);
        self.line += lines_in(&self.pending);
        self.pending = rest;
    }

    /// Adds the next lines to those that are pending.
    fn read_on(&mut self) -> Result<(), FilesError> {
        match self.lines.next().transpose()? {
            None => self.is_done = true,
            Some(LinePiece::Chunk(chunk)) => {
                if self.pending.is_empty() {
                    self.line = chunk.lines.at(0);
                    self.pending = chunk.bytes;
                } else {
                    self.pending.extend_from_slice(&chunk.bytes);
                }
            }
            Some(LinePiece::Bad(bad)) => self.next = Some(bad),
        }
        Ok(())
    }

    fn take(&mut self, end: usize) -> Option<CsvPiece> {
        if end == 0 {
            return None;
        }
        let rest = self.pending.split_off(end);
        let bytes = std::mem::replace(&mut self.pending, rest);
        let lines = LineNumbers::From(self.line);
        self.line += lines_in(&bytes);
        Some(CsvPiece::Chunk(Chunk { lines, bytes }))
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Where the disk fails.
    pub(super) fn next(&mut self) -> Result<Option<CsvPiece>, FilesError> {
        loop {
            // A record that goes on for longer than a line may is read as the broken one that it is.
            let is_whole = self.is_done || self.next.is_some() || self.pending.len() > self.limit;
            let end = if is_whole {
                self.pending.len()
            } else {
                whole_csv_records(&self.pending, self.decoder.dialect())
            };
            if let Some(piece) = self.take(end) {
                return Ok(Some(piece));
            }
            if let Some(bad) = self.next.take() {
                return Ok(Some(CsvPiece::Bad(bad)));
            }
            if self.is_done {
                return Ok(None);
            }
            self.read_on()?;
        }
    }
}

fn lines_in(bytes: &[u8]) -> u64 {
    memchr::memchr_iter(b'\n', bytes).count() as u64
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, Write};

    use mep_contract::source::RowSchema;
    use mep_core::connection::CsvForm;

    use super::*;

    /// The rows and rejects of a text, read in chunks of so few bytes.
    fn read(text: &[u8], chunk: usize, form: &CsvForm) -> Vec<String> {
        let columns = [("id", "bigint", true), ("note", "varchar", false)];
        let schema = RowSchema::new(columns, None).unwrap();
        let decoder = Arc::new(CsvDecoder::new(&schema, form.dialect(b','), None).unwrap());
        let mut file = tempfile();
        file.write_all(text).unwrap();
        file.rewind().unwrap();
        let sizes = ChunkSizes { chunk, line: 64 };
        let mut reader = CsvReader::new(file, Path::new("a.csv"), None, decoder.clone(), sizes).unwrap();
        let mut said = Vec::new();
        while let Some(piece) = reader.next().unwrap() {
            match piece {
                CsvPiece::Bad(bad) => said.push(format!("{}! {}", bad.line, bad.reason)),
                CsvPiece::Chunk(chunk) => {
                    let decoded = decoder.decode(&chunk, reader.columns()).unwrap();
                    for batch in &decoded.batches {
                        let shown = arrow::util::pretty::pretty_format_batches(std::slice::from_ref(batch));
                        let shown = shown.unwrap().to_string();
                        said.extend(
                            shown
                                .lines()
                                .skip(3)
                                .filter(|line| line.starts_with('|'))
                                .map(|line| line.replace(' ', "").trim_matches('|').to_owned()),
                        );
                    }
                    said.extend(decoded.rejects.iter().map(|bad| format!("{}! {}", bad.line, bad.reason)));
                }
            }
        }
        said
    }

    fn tempfile() -> File {
        let path = std::env::temp_dir().join(format!(
            "mep-csv-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        let file = File::options().read(true).write(true).create(true).truncate(true).open(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        file
    }

    #[test]
    fn a_file_is_read_alike_in_chunks_of_any_size() {
        let text = b"# made by hand\n\nnote,id\na,1\n\"b\n\"\"b\"\"\",2\nc\n\"d,4\n\"e\"x,5\nf,6";
        let form = CsvForm { comment: Some(mep_core::connection::CsvMark::Byte(b'#')), ..CsvForm::default() };
        let whole = read(text, 1 << 20, &form);
        insta::assert_snapshot!(whole.join("\n"));
        for chunk in [3, 5, 8, 13, 21] {
            let mut found = read(text, chunk, &form);
            let mut expected = whole.clone();
            found.sort();
            expected.sort();
            assert_eq!(found, expected, "chunks of {chunk} bytes");
        }
    }

    #[test]
    fn a_file_without_the_columns_that_it_needs_is_one_bad_row() {
        let plain = CsvForm::default();
        assert_eq!(
            read(b"note\na\nb\n", 100, &plain),
            ["1! the column \"id\" is missing; none of the file's rows are read"]
        );
        assert_eq!(
            read(b"id,ID,id\n1,2,3\n", 100, &plain),
            ["1! two columns are called \"id\"; none of the file's rows are read"]
        );
        assert_eq!(read(b"", 100, &plain), Vec::<String>::new());
        assert_eq!(read(b"id,note\n", 100, &plain), Vec::<String>::new());
        let bare = CsvForm { header: Some(false), ..CsvForm::default() };
        assert_eq!(read(b"1,a\n2\n", 100, &bare), ["1|a", "2! 1 field, and 2 columns are declared"]);
    }
}
