//! What the files of a source are: their format, and how their CSV is written.
//!
//! Owns what can be said of it, what holds where nothing is said, and what of it decides which rows are read. Must not know: where it
//! is said, how files are read.

use crate::fingerprint::Structure;

/// What files are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFormat {
    /// JSON, an object a line.
    Ndjson,
    /// JSON: lists of objects, and objects one after another, over any number of lines.
    Json,
    /// Fields between delimiters.
    Csv,
    /// Parquet.
    Parquet,
    /// Avro's files of records.
    Avro,
}

impl FileFormat {
    /// All of them, by the names that they are declared with.
    pub const ALL: [Self; 5] = [Self::Ndjson, Self::Json, Self::Csv, Self::Parquet, Self::Avro];

    /// The name that it is declared with.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Avro => "avro",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// A character that means something in CSV, or that nothing does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CsvMark {
    /// No character has this meaning.
    Nothing,
    /// This one has.
    Byte(u8),
}

impl CsvMark {
    /// The character, where there is one.
    pub fn byte(self) -> Option<u8> {
        match self {
            Self::Nothing => None,
            Self::Byte(byte) => Some(byte),
        }
    }
}

/// How CSV is written, as far as it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CsvForm {
    /// Between fields.
    pub delimiter: Option<u8>,
    /// Around a field that has delimiters or line ends in it.
    pub quote: Option<CsvMark>,
    /// Before a character that is to mean nothing.
    pub escape: Option<CsvMark>,
    /// At the start of a line that is no row.
    pub comment: Option<CsvMark>,
    /// Whether the first line has the names of the columns.
    pub header: Option<bool>,
    /// Fields without quotes that are NULL.
    pub null_text: Option<Vec<String>>,
    /// The encoding, by its name in the WHATWG's list.
    pub encoding: Option<String>,
}

impl CsvForm {
    /// This, and where it says nothing, what `below` says.
    #[must_use]
    pub fn over(self, below: &Self) -> Self {
        Self {
            delimiter: self.delimiter.or(below.delimiter),
            quote: self.quote.or(below.quote),
            escape: self.escape.or(below.escape),
            comment: self.comment.or(below.comment),
            header: self.header.or(below.header),
            null_text: self.null_text.or_else(|| below.null_text.clone()),
            encoding: self.encoding.or_else(|| below.encoding.clone()),
        }
    }

    /// How the CSV of a file is read. `delimiter` is that of files of its name.
    pub fn dialect(&self, delimiter: u8) -> CsvDialect {
        CsvDialect {
            delimiter: self.delimiter.unwrap_or(delimiter),
            quote: self.quote.unwrap_or(CsvMark::Byte(b'"')).byte(),
            escape: self.escape.and_then(CsvMark::byte),
            comment: self.comment.and_then(CsvMark::byte),
            header: self.header.unwrap_or(true),
            null_text: self.null_text.clone().unwrap_or_else(|| vec![String::new()]),
        }
    }
}

/// How CSV is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvDialect {
    /// Between fields.
    pub delimiter: u8,
    /// Around a field that has delimiters or line ends in it.
    pub quote: Option<u8>,
    /// Before a character that is to mean nothing. A doubled quote is one quote in any case.
    pub escape: Option<u8>,
    /// At the start of a line that is no row.
    pub comment: Option<u8>,
    /// Whether the first line has the names of the columns.
    pub header: bool,
    /// Fields without quotes that are NULL.
    pub null_text: Vec<String>,
}

/// How the files of a source table are read, as far as it is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FilesReading {
    /// What they are; `None`: what each looks like.
    pub format: Option<FileFormat>,
    /// How CSV is written.
    pub csv: CsvForm,
}

impl FilesReading {
    /// Whether nothing is said.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What is said, as a text that is another one where other rows may be read; `None` where nothing is said.
    pub fn said(&self) -> Option<String> {
        if self.is_plain() {
            return None;
        }
        let mut parts = Structure::default();
        let mark = |mark: Option<CsvMark>| match mark {
            None => -1,
            Some(CsvMark::Nothing) => 256,
            Some(CsvMark::Byte(byte)) => i64::from(byte),
        };
        let Self { format, csv } = self;
        parts.text(format.map_or("", FileFormat::name)).number(mark(csv.delimiter.map(CsvMark::Byte)));
        parts.number(mark(csv.quote)).number(mark(csv.escape)).number(mark(csv.comment));
        parts.number(csv.header.map_or(-1, i64::from)).text(csv.encoding.as_deref().unwrap_or_default());
        parts.number(csv.null_text.as_ref().map_or(-1, |texts| texts.len() as i64));
        for text in csv.null_text.iter().flatten() {
            parts.text(text);
        }
        Some(parts.fingerprint().as_str().to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_key_by_key_what_its_connection_does_not() {
        let connection = CsvForm { delimiter: Some(b';'), header: Some(false), ..CsvForm::default() };
        let table = CsvForm { header: Some(true), quote: Some(CsvMark::Nothing), ..CsvForm::default() };
        let dialect = table.over(&connection).dialect(b',');
        assert_eq!((dialect.delimiter, dialect.quote, dialect.header), (b';', None, true));
    }

    #[test]
    fn what_is_read_otherwise_is_said_otherwise() {
        let said = |csv: CsvForm| FilesReading { format: Some(FileFormat::Csv), csv }.said();
        let null = |texts: &[&str]| CsvForm {
            null_text: Some(texts.iter().map(|text| (*text).to_owned()).collect()),
            ..CsvForm::default()
        };
        assert_eq!(FilesReading::default().said(), None);
        assert_ne!(said(CsvForm::default()), said(null(&[])));
        assert_ne!(said(null(&["a", "b"])), said(null(&["ab"])));
        assert_eq!(said(null(&["a"])), said(null(&["a"])));
    }
}
