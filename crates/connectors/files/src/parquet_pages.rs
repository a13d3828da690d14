//! How much memory the pages of a Parquet file ask for, before they are read.
//!
//! A page's header says how large the page becomes and how many values its dictionary has; decoders reserve as much. A header
//! that says too much could end the process, so headers are looked at first. Comes in: an open file and its footer. Goes
//! out: why a page is not read. What is no header at all is left for the decoder to refuse. Must not know: rows.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use parquet::arrow::ProjectionMask;
use parquet::basic::Type;
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// How large a page may become. Writers make pages of about a megabyte.
const PAGE_LIMIT: i64 = 256 << 20;
/// How much is read to find a header, which is short unless it has long statistics.
const HEADER_BYTES: u64 = 4 << 10;
/// How long a header may be.
const HEADER_LIMIT: u64 = 16 << 20;
/// How deep structures are nested within a header. Two levels are what there is.
const DEPTH_LIMIT: usize = 8;

/// Looks at the headers of all pages of the columns that are to be read.
///
/// # Errors
/// Where a page asks for too much.
pub(super) fn check_pages(
    file: &mut File,
    metadata: &ParquetMetaData,
    mask: &ProjectionMask,
) -> Result<(), ParquetError> {
    for group in metadata.row_groups() {
        for (_, column) in group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)) {
            check_column(file, column)?;
        }
    }
    Ok(())
}

fn check_column(file: &mut File, column: &ColumnChunkMetaData) -> Result<(), ParquetError> {
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let length = column.compressed_size();
    let (Ok(mut at), Ok(length)) = (u64::try_from(start), u64::try_from(length)) else { return Ok(()) };
    let end = at.saturating_add(length);
    while at < end {
        let Some(header) = header(file, at, end)? else { return Ok(()) };
        if header.size > PAGE_LIMIT {
            return Err(too_much(column, &format!("{} bytes", header.size)));
        }
        // What a value of a dictionary takes at least.
        let value_bytes = match column.column_type() {
            Type::INT64 | Type::DOUBLE => 8,
            Type::INT96 => 12,
            Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
            Type::BOOLEAN | Type::FIXED_LEN_BYTE_ARRAY => 1,
        };
        if header.dictionary_values.saturating_mul(value_bytes) > header.size {
            return Err(too_much(
                column,
                &format!("a dictionary of {} values in {} bytes", header.dictionary_values, header.size),
            ));
        }
        let Ok(stored) = u64::try_from(header.stored) else { return Ok(()) };
        at = at.saturating_add(header.length).saturating_add(stored);
    }
    Ok(())
}

fn too_much(column: &ColumnChunkMetaData, what: &str) -> ParquetError {
    ParquetError::General(format!(
        "a page of column `{}` says that it is {what}; at most {PAGE_LIMIT} bytes are read",
        column.column_path().string()
    ))
}

/// What a page's header says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Header {
    /// How long the header itself is.
    length: u64,
    /// Bytes of the page, decompressed.
    size: i64,
    /// Bytes of the page in the file.
    stored: i64,
    /// Values of the dictionary, where it is one.
    dictionary_values: i64,
}

/// The header at a place; `None` where there is none.
fn header(file: &mut File, at: u64, end: u64) -> Result<Option<Header>, ParquetError> {
    let mut window = HEADER_BYTES;
    loop {
        let length = window.min(end - at);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at))?;
        file.by_ref().take(length).read_to_end(&mut bytes)?;
        match parse(&bytes) {
            Some(header) => return Ok(Some(header)),
            None if length == window && window < HEADER_LIMIT => window *= 16,
            None => return Ok(None),
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Header> {
    let mut compact = Compact { bytes, at: 0 };
    let mut header = Header::default();
    compact.fields(0, &mut |compact, path, kind| {
        match (path, kind) {
            ([2], I32) => header.size = compact.zigzag()?,
            ([3], I32) => header.stored = compact.zigzag()?,
            ([7, 1], I32) => header.dictionary_values = compact.zigzag()?,
            _ => return Some(false),
        }
        Some(true)
    })?;
    header.length = compact.at as u64;
    Some(header)
}

/// Thrift's compact protocol, as far as headers of pages need it.
struct Compact<'a> {
    bytes: &'a [u8],
    at: usize,
}

const BOOLEANS: [u8; 2] = [1, 2];
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const STRUCT: u8 = 12;

/// Takes a field, by its path of ids and its type: true where it has read it.
type Take<'t> = dyn FnMut(&mut Compact<'_>, &[i64], u8) -> Option<bool> + 't;

impl Compact<'_> {
    /// Reads the fields of a structure; `None` where it is none.
    fn fields(&mut self, depth: usize, take: &mut Take<'_>) -> Option<()> {
        self.fields_of(&mut Vec::new(), depth, take)
    }

    fn fields_of(&mut self, path: &mut Vec<i64>, depth: usize, take: &mut Take<'_>) -> Option<()> {
        if depth >= DEPTH_LIMIT {
            return None;
        }
        let mut id = 0;
        loop {
            let byte = self.byte()?;
            if byte == 0 {
                return Some(());
            }
            id = match byte >> 4 {
                0 => self.zigzag()?,
                step => id + i64::from(step),
            };
            let kind = byte & 0x0f;
            path.push(id);
            if !take(self, path, kind)? {
                match kind {
                    STRUCT => self.fields_of(path, depth + 1, take)?,
                    kind => self.skip(kind)?,
                }
            }
            path.pop();
        }
    }

    fn skip(&mut self, kind: u8) -> Option<()> {
        match kind {
            kind if BOOLEANS.contains(&kind) => {}
            BYTE => self.skip_bytes(1)?,
            I16 | I32 | I64 => {
                self.varint()?;
            }
            DOUBLE => self.skip_bytes(8)?,
            BINARY => {
                let length = self.varint()?;
                self.skip_bytes(usize::try_from(length).ok()?)?;
            }
            // Headers have no lists, sets and maps.
            _ => return None,
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn skip_bytes(&mut self, length: usize) -> Option<()> {
        self.at = self.at.checked_add(length).filter(|at| *at <= self.bytes.len())?;
        Some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Some(number);
            }
        }
        None
    }

    fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_how_large_the_page_becomes() {
        // A dictionary page: type 2, 300 bytes that are 40 in the file, 9 values.
        let header = [0x15, 4, 0x15, 0xd8, 0x04, 0x15, 80, 0x4c, 0x15, 18, 0x15, 0, 0, 0];
        let expected = Header { length: 14, size: 300, stored: 40, dictionary_values: 9 };
        assert_eq!(parse(&header), Some(expected));
        assert_eq!(parse(&header[..9]), None);
        assert_eq!(parse(&[0x1c; 100]), None);
    }
}
