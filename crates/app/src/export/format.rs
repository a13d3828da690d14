//! Which format a file is written in, as its name or its user says.

use std::path::Path;

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportFormat {
    /// Parquet, compressed by zstd.
    Parquet,
    /// Comma-separated values with a header. NULL is nothing between two commas, a text without characters is `""`.
    Csv,
    /// One JSON array of objects.
    Json,
    /// A JSON object a line.
    Ndjson,
    /// Arrow's file format; on standard output its stream format.
    Arrow,
}

/// How the bytes of a file are made fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportCompression {
    /// They are not.
    None,
    /// By gzip.
    Gzip,
    /// By zstd.
    Zstd,
}

/// What a file holds, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportFile {
    /// The format of its rows.
    pub format: ExportFormat,
    /// The compression of the file as a whole.
    pub compression: ExportCompression,
}

impl ExportFile {
    /// What the name of a file says: by its last extensions, as in `plays.csv.gz`.
    pub fn of_name(path: &Path) -> Option<Self> {
        let (compression, rest) = ExportCompression::of_name(path);
        let format = match rest.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "parquet" => ExportFormat::Parquet,
            "csv" => ExportFormat::Csv,
            "json" => ExportFormat::Json,
            "ndjson" | "jsonl" => ExportFormat::Ndjson,
            "arrow" => ExportFormat::Arrow,
            _ => return None,
        };
        Some(Self { format, compression })
    }
}

impl ExportCompression {
    /// What the last extension of a name says, and the name without it.
    pub fn of_name(path: &Path) -> (Self, &Path) {
        let compression = match path.extension().and_then(|extension| extension.to_str()) {
            Some(gz) if gz.eq_ignore_ascii_case("gz") => Self::Gzip,
            Some(zst) if zst.eq_ignore_ascii_case("zst") => Self::Zstd,
            _ => return (Self::None, path),
        };
        (compression, path.file_stem().map_or(path, Path::new))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_format_and_compression() {
        let of =
            |name: &str| ExportFile::of_name(Path::new(name)).map(|file| (file.format, file.compression));
        assert_eq!(of("a/plays.parquet"), Some((ExportFormat::Parquet, ExportCompression::None)));
        assert_eq!(of("plays.CSV.GZ"), Some((ExportFormat::Csv, ExportCompression::Gzip)));
        assert_eq!(of("plays.by.day.jsonl.zst"), Some((ExportFormat::Ndjson, ExportCompression::Zstd)));
        assert_eq!(of("plays.json"), Some((ExportFormat::Json, ExportCompression::None)));
        assert_eq!(of("plays.arrow"), Some((ExportFormat::Arrow, ExportCompression::None)));
        for name in ["plays", "plays.gz", "plays.xlsx", ".csv", "a.csv/plays"] {
            assert_eq!(of(name), None, "{name}");
        }
    }
}
