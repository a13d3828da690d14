//! What a file is.
//!
//! Owns how that is told by what is declared, by a file's first bytes and by its name. Comes in: these. Goes out: a [`FileShape`], or why a
//! file is not what is declared. Must not know: how a format is read.

use std::fs::File;
use std::path::Path;

use mep_core::connection::{FileFormat, FilesReading};

use super::FilesError;
use super::stream::{Compression, FileBytes};

/// How many bytes tell what a file is.
pub(super) const HEAD: usize = 4096;

/// What a file is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileShape {
    /// JSON, an object a line.
    Lines,
    /// JSON values over any number of lines.
    Documents,
    /// CSV, with what stands between fields where nothing is said.
    Csv { delimiter: u8 },
    /// Parquet.
    Parquet,
    /// Avro.
    Avro,
}

/// What files are that say it by their first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Marked {
    Parquet,
    Avro,
    Orc,
}

impl Marked {
    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [b'P', b'A', b'R', b'1', ..] => Some(Self::Parquet),
            [b'O', b'b', b'j', 1, ..] => Some(Self::Avro),
            [b'O', b'R', b'C', ..] if !head.starts_with(b"ORC,") => Some(Self::Orc),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Avro => "Avro",
            Self::Orc => "ORC",
        }
    }
}

/// What the file at `path` is, of which `head` are the first bytes as stored; where it is not what is declared, an error.
pub(super) fn shape_of(
    head: &[u8],
    file: &File,
    path: &Path,
    id: &str,
    reading: &FilesReading,
) -> Result<FileShape, FilesError> {
    let marked = Marked::of(head);
    if marked == Some(Marked::Orc) {
        return Err(FilesError::content(
            id,
            "it is ORC, which is not read from folders: have what writes it write Parquet, or read the table by a connection of `type: warehouse`",
        ));
    }
    let delimiter = if ending(path) == "tsv" { b'\t' } else { b',' };
    if head.is_empty() {
        let is_csv = match reading.format {
            Some(format) => format == FileFormat::Csv,
            None => matches!(ending(path).as_str(), "csv" | "tsv"),
        };
        return Ok(if is_csv { FileShape::Csv { delimiter } } else { FileShape::Lines });
    }
    let shape = match (reading.format, marked) {
        (None | Some(FileFormat::Parquet), Some(Marked::Parquet)) => FileShape::Parquet,
        (None | Some(FileFormat::Avro), Some(Marked::Avro)) => FileShape::Avro,
        (Some(said), Some(found)) => return Err(is_other(id, said, &format!("it is {}", found.name()))),
        (Some(said @ (FileFormat::Parquet | FileFormat::Avro)), None) => {
            return Err(is_other(id, said, "its first bytes are others"));
        }
        (Some(FileFormat::Csv), None) => FileShape::Csv { delimiter },
        (Some(FileFormat::Ndjson), None) => FileShape::Lines,
        (Some(FileFormat::Json), None) => FileShape::Documents,
        (None, _) => shape_of_text(&plain_head(head, file, path), &ending(path)),
    };
    Ok(shape)
}

fn is_other(id: &str, said: FileFormat, found: &str) -> FilesError {
    FilesError::content(
        id,
        format!(
            "{found}, and `format: {}` is declared: keep other files in a folder of their own, or declare what these are",
            said.name()
        ),
    )
}

/// What a file's name ends with, without the ending of a compression, in small letters.
fn ending(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let plain = Compression::ENDINGS.iter().find_map(|(ending, _)| name.strip_suffix(&format!(".{ending}")));
    plain.unwrap_or(&name).rsplit_once('.').map(|(_, ending)| ending.to_owned()).unwrap_or_default()
}

/// The first bytes, decompressed.
fn plain_head(head: &[u8], file: &File, path: &Path) -> Vec<u8> {
    if Compression::detect(head, path) == Compression::Plain {
        return head.to_vec();
    }
    let mut plain = Vec::new();
    // A file that is damaged here is so for whoever reads it as well.
    let stream = file.try_clone().and_then(|file| FileBytes::new(file, path));
    if let Ok(mut stream) = stream {
        let _ = stream.append(&mut plain, HEAD);
    }
    plain
}

/// What a text is: CSV where its name ends so and it does not begin as JSON does, else JSON.
fn shape_of_text(head: &[u8], ending: &str) -> FileShape {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let is_object = text.starts_with(b"{");
    match ending {
        "csv" if !is_object => FileShape::Csv { delimiter: b',' },
        "tsv" if !is_object => FileShape::Csv { delimiter: b'\t' },
        "txt" if !is_object && !text.starts_with(b"[") && !text.is_empty() => {
            FileShape::Csv { delimiter: b',' }
        }
        _ if is_document(head) => FileShape::Documents,
        _ => FileShape::Lines,
    }
}

/// Whether JSON begins in a way that no line of NDJSON does: with a list of objects, or with a bracket alone on its line.
fn is_document(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_more = line.len() < text.len();
    match text.first() {
        Some(b'[') => matches!(text[1..].trim_ascii_start().first(), Some(b'{' | b']')),
        Some(b'{') => is_more && line.trim_ascii() == b"{",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_begins_as_no_line_of_ndjson_does() {
        for document in ["[{\"a\":1}]", "\u{feff} [\n {", "{\n  \"a\": 1\n}\n", "[]"] {
            assert!(is_document(document.as_bytes()), "{document}");
        }
        for lines in ["{\"a\":1}\n", "{", "[1]\n{\"a\":1}", "[[", "", "null\n", "{\"a\": 1,\n"] {
            assert!(!is_document(lines.as_bytes()), "{lines}");
        }
    }

    #[test]
    fn a_text_is_csv_where_it_does_not_begin_as_json() {
        assert_eq!(shape_of_text(b"id,name\n", "txt"), FileShape::Csv { delimiter: b',' });
        assert_eq!(shape_of_text(b" {\"id\": 1}\n", "txt"), FileShape::Lines);
        assert_eq!(shape_of_text(b"id,name\n", ""), FileShape::Lines);
        assert_eq!(shape_of_text(b"{\"id\": 1}\n", "csv"), FileShape::Lines);
        assert_eq!(shape_of_text(b"", "tsv"), FileShape::Csv { delimiter: b'\t' });
    }

    #[test]
    fn the_ending_is_that_of_what_was_compressed() {
        for (name, expected) in
            [("a.CSV", "csv"), ("a.csv.gz", "csv"), ("b.tsv.xz", "tsv"), ("c.gz", ""), ("d", "")]
        {
            assert_eq!(ending(Path::new(name)), expected);
        }
    }
}
