//! Where records of CSV begin and end, and their fields.
//!
//! Owns the grammar: what quotes, escapes and comments mean, and how it goes on behind a record that is broken. Comes in: bytes in an
//! encoding that has ASCII's characters as ASCII's bytes, and a [`CsvDialect`]. Goes out: records. Must not know: values, types, files.
//!
//! - A record ends with `\n` or `\r\n`, which may stand within a quoted field; the last one may end with the text.
//! - A line without anything, and one that begins with the mark of a comment, is no record.
//! - A field is quoted where it begins with the quote; a quote in the middle of another field is a character like others. What follows
//!   the closing quote is a delimiter or the record's end, or the record is broken. A quote that is doubled, or escaped, is one quote.
//! - A quoted field that does not end breaks its record too. Reading goes on with the line behind the one that a broken record begins on,
//!   so that a quote which somebody forgot costs a line, and not what follows it.

use std::borrow::Cow;
use std::ops::Range;

use mep_core::connection::CsvDialect;

/// A field of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvField {
    /// Where it stands, without quotes.
    pub place: Range<usize>,
    /// Whether it stands in quotes.
    pub is_quoted: bool,
    /// Whether there are quotes or escapes in it that stand for other characters.
    pub is_escaped: bool,
}

impl CsvField {
    /// What it says, of the text that it stands in.
    pub fn text<'t>(&self, text: &'t str, dialect: &CsvDialect) -> Cow<'t, str> {
        let written = text.get(self.place.clone()).unwrap_or_default();
        if !self.is_escaped {
            return Cow::Borrowed(written);
        }
        let mut plain = String::with_capacity(written.len());
        let mut characters = written.chars().peekable();
        let is = |character: char, mark: Option<u8>| mark.is_some_and(|mark| character == char::from(mark));
        while let Some(character) = characters.next() {
            let doubled = self.is_quoted
                && is(character, dialect.quote)
                && characters.peek().is_some_and(|next| is(*next, dialect.quote));
            let next = if doubled || is(character, dialect.escape) { characters.next() } else { None };
            plain.push(next.unwrap_or(character));
        }
        Cow::Owned(plain)
    }
}

/// What stands at a place of a text of CSV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CsvRecord {
    /// A record, whose fields are those that were asked for; it ends, with its line end, at this byte.
    Fields(usize),
    /// A line that is no record, and its end.
    Skipped(usize),
    /// A record that is broken for this reason; its first line ends at this byte, and there reading goes on.
    Broken(usize, String),
    /// More must be read to know it.
    Open,
    /// Nothing.
    End,
}

/// Reads what stands at the byte `at`. `is_all`: nothing follows `bytes`.
pub fn csv_record(
    bytes: &[u8],
    at: usize,
    is_all: bool,
    dialect: &CsvDialect,
    fields: &mut Vec<CsvField>,
) -> CsvRecord {
    fields.clear();
    let Some(first) = bytes.get(at) else { return CsvRecord::End };
    let line_end = line_end(bytes, at);
    if *first == b'\n' || bytes[at..].starts_with(b"\r\n") || dialect.comment == Some(*first) {
        return match line_end {
            Some(end) => CsvRecord::Skipped(end),
            None if is_all => CsvRecord::Skipped(bytes.len()),
            None => CsvRecord::Open,
        };
    }
    if line_end.is_none() && !is_all {
        return CsvRecord::Open;
    }
    let broken = |reason: String| CsvRecord::Broken(line_end.unwrap_or(bytes.len()), reason);
    let mut next = at;
    loop {
        let ended = if dialect.quote.is_some() && bytes.get(next).copied() == dialect.quote {
            match quoted(bytes, next, is_all, dialect, fields) {
                Ok(ended) => ended,
                Err(Unclosed::Open) => return CsvRecord::Open,
                Err(Unclosed::Broken(reason)) => return broken(reason),
            }
        } else {
            unquoted(bytes, next, dialect, fields)
        };
        match ended {
            AfterField::Field(then) => next = then,
            AfterField::Record(end) => return CsvRecord::Fields(end),
        }
    }
}

/// What follows a field: where the next one begins, or where the next record does.
enum AfterField {
    Field(usize),
    Record(usize),
}

/// Why a quoted field has no end.
enum Unclosed {
    Open,
    Broken(String),
}

fn line_end(bytes: &[u8], at: usize) -> Option<usize> {
    memchr::memchr(b'\n', bytes.get(at..)?).map(|length| at + length + 1)
}

fn unquoted(bytes: &[u8], start: usize, dialect: &CsvDialect, fields: &mut Vec<CsvField>) -> AfterField {
    let mut at = start;
    let mut is_escaped = false;
    let mut field = |end: usize, is_escaped| {
        fields.push(CsvField { place: start..end, is_quoted: false, is_escaped });
    };
    loop {
        let rest = &bytes[at.min(bytes.len())..];
        let found = match dialect.escape {
            Some(escape) => memchr::memchr3(dialect.delimiter, b'\n', escape, rest),
            None => memchr::memchr2(dialect.delimiter, b'\n', rest),
        };
        let Some(found) = found.map(|length| at + length) else {
            let end = bytes.len();
            // A return at the very end is one of a line end that is cut off.
            field(if bytes[start..].ends_with(b"\r") { end - 1 } else { end }, is_escaped);
            return AfterField::Record(end);
        };
        match bytes[found] {
            b'\n' => {
                field(if found > start && bytes[found - 1] == b'\r' { found - 1 } else { found }, is_escaped);
                return AfterField::Record(found + 1);
            }
            byte if byte == dialect.delimiter => {
                field(found, is_escaped);
                return AfterField::Field(found + 1);
            }
            _ => {
                is_escaped = true;
                // A line end ends the record all the same.
                at = found + if matches!(bytes.get(found + 1), None | Some(b'\n')) { 1 } else { 2 };
            }
        }
    }
}

fn quoted(
    bytes: &[u8],
    start: usize,
    is_all: bool,
    dialect: &CsvDialect,
    fields: &mut Vec<CsvField>,
) -> Result<AfterField, Unclosed> {
    let quote = dialect.quote.unwrap_or(b'"');
    let escape = dialect.escape.unwrap_or(quote);
    let mut at = start + 1;
    let mut is_escaped = false;
    let open = || {
        if is_all {
            Unclosed::Broken(format!("a field that begins with {} has no end", shown(quote)))
        } else {
            Unclosed::Open
        }
    };
    let end = loop {
        let found = memchr::memchr2(quote, escape, bytes.get(at..).unwrap_or_default());
        let found = at + found.ok_or_else(open)?;
        let next = bytes.get(found + 1);
        if bytes[found] == quote {
            match next {
                Some(next) if *next == quote => at = found + 2,
                None if !is_all => return Err(Unclosed::Open),
                _ => break found,
            }
        } else {
            if next.is_none() {
                return Err(open());
            }
            at = found + 2;
        }
        is_escaped = true;
    };
    fields.push(CsvField { place: start + 1..end, is_quoted: true, is_escaped });
    let then = end + 1;
    match bytes.get(then) {
        None => Ok(AfterField::Record(then)),
        Some(b'\n') => Ok(AfterField::Record(then + 1)),
        Some(byte) if *byte == dialect.delimiter => Ok(AfterField::Field(then + 1)),
        Some(b'\r') if bytes.get(then + 1) == Some(&b'\n') => Ok(AfterField::Record(then + 2)),
        Some(b'\r') if then + 1 == bytes.len() => {
            if is_all {
                Ok(AfterField::Record(then + 1))
            } else {
                Err(Unclosed::Open)
            }
        }
        Some(_) => Err(Unclosed::Broken(format!(
            "expected {} or the end of the row behind the {} that closes field {}, found {}",
            shown(dialect.delimiter),
            shown(quote),
            fields.len(),
            found_at(bytes, then)
        ))),
    }
}

fn shown(byte: u8) -> String {
    match byte {
        b'\t' => "a tab".to_owned(),
        byte => format!("`{}`", char::from(byte)),
    }
}

fn found_at(bytes: &[u8], at: usize) -> String {
    let rest = &bytes[at..bytes.len().min(at + 4)];
    match String::from_utf8_lossy(rest).chars().next() {
        Some(character) if character.is_control() => {
            format!("the control character U+{:04X}", u32::from(character))
        }
        Some(character) => format!("`{character}`"),
        None => "nothing".to_owned(),
    }
}

/// The end of the last record of `bytes` that is whole, when more is to follow; 0 where none is.
pub fn whole_csv_records(bytes: &[u8], dialect: &CsvDialect) -> usize {
    let has_quotes = dialect.quote.is_some_and(|quote| memchr::memchr(quote, bytes).is_some());
    if !has_quotes {
        return memchr::memrchr(b'\n', bytes).map_or(0, |at| at + 1);
    }
    let (mut at, mut fields) = (0, Vec::new());
    loop {
        match csv_record(bytes, at, false, dialect, &mut fields) {
            CsvRecord::Fields(end) | CsvRecord::Skipped(end) | CsvRecord::Broken(end, _) => at = end,
            CsvRecord::Open | CsvRecord::End => return at,
        }
    }
}

#[cfg(test)]
mod tests {
    use mep_core::connection::{CsvForm, CsvMark};

    use super::*;

    /// The records of a text: fields between `|`, or why there is none.
    fn records(text: &str, dialect: &CsvDialect) -> Vec<String> {
        let (mut at, mut fields, mut all) = (0, Vec::new(), Vec::new());
        loop {
            match csv_record(text.as_bytes(), at, true, dialect, &mut fields) {
                CsvRecord::Fields(end) => {
                    let texts: Vec<_> = fields.iter().map(|field| field.text(text, dialect)).collect();
                    all.push(texts.join("|"));
                    at = end;
                }
                CsvRecord::Skipped(end) => at = end,
                CsvRecord::Broken(end, reason) => {
                    all.push(format!("! {reason}"));
                    at = end;
                }
                CsvRecord::Open => panic!("all is there"),
                CsvRecord::End => return all,
            }
        }
    }

    fn plain() -> CsvDialect {
        CsvForm::default().dialect(b',')
    }

    #[test]
    fn fields_are_what_other_readers_take_them_for() {
        let text = "a,b\r\n1,\"x, \"\"y\"\"\nz\"\n\n,\n5\" pipe,\"\"\nlast,é";
        assert_eq!(records(text, &plain()), ["a|b", "1|x, \"y\"\nz", "|", "5\" pipe|", "last|é"]);
        assert_eq!(records("a,b\r", &plain()), ["a|b"]);
        assert_eq!(records("\"a\"\r", &plain()), ["a"]);
        assert_eq!(records("", &plain()), Vec::<String>::new());
    }

    #[test]
    fn a_quote_that_is_not_closed_costs_the_line_that_it_is_on() {
        let text = "1,a\n2,\"b\n3,c\n4,\"d\"\n5,e\n";
        assert_eq!(
            records(text, &plain()),
            [
                "1|a",
                "! expected `,` or the end of the row behind the `\"` that closes field 2, found `d`",
                "3|c",
                "4|d",
                "5|e"
            ]
        );
        assert_eq!(records("1,\"b\n2,c\n", &plain()), ["! a field that begins with `\"` has no end", "2|c"]);
    }

    #[test]
    fn other_marks_are_as_they_are_said() {
        let form = CsvForm {
            delimiter: Some(b'|'),
            quote: Some(CsvMark::Byte(b'\'')),
            escape: Some(CsvMark::Byte(b'\\')),
            comment: Some(CsvMark::Byte(b'#')),
            ..CsvForm::default()
        };
        let text = "# nothing\n1|'it\\'s ''so'''\n2|a\\|b\n3|\\\n'#'|\\\\\n";
        let dialect = form.dialect(b',');
        assert_eq!(records(text, &dialect), ["1|it's 'so'", "2|a|b", "3|\\", "#|\\"]);
        let bare = CsvForm { quote: Some(CsvMark::Nothing), ..CsvForm::default() }.dialect(b'\t');
        assert_eq!(records("\"a\t\"b\n", &bare), ["\"a|\"b"]);
    }

    #[test]
    fn records_are_cut_where_they_end() {
        let text = "1,a\n2,\"b\nc\"\n3,\"d\ne";
        assert_eq!(&text[..whole_csv_records(text.as_bytes(), &plain())], "1,a\n2,\"b\nc\"\n");
        assert_eq!(whole_csv_records(b"1,2\n3,4", &plain()), 4);
        assert_eq!(whole_csv_records(b"\"a\"", &plain()), 0);
    }
}
