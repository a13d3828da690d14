//! Rows in each of the formats.

use std::io::{self, Write};
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::json::writer::{JsonArray, LineDelimited, Writer, WriterBuilder};
use flate2::write::GzEncoder;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use super::csv;
use super::destination::{Begun, RowsError};
use super::format::{ExportCompression, ExportFile, ExportFormat};

/// Rows that are being written.
pub(super) struct RowsOut {
    schema: SchemaRef,
    out: Formatted,
}

enum Formatted {
    Parquet(Box<ArrowWriter<Compressed>>),
    Csv(Compressed),
    Json(Writer<Compressed, JsonArray>),
    Ndjson(Writer<Compressed, LineDelimited>),
    ArrowFile(FileWriter<Compressed>),
    ArrowStream(StreamWriter<Compressed>),
}

impl RowsOut {
    /// Begins with what stands before the first row.
    ///
    /// # Errors
    /// Where it cannot be written, or the format has not these types.
    pub(super) fn open(begun: Begun, file: ExportFile, schema: &Schema) -> Result<Self, RowsError> {
        let is_stream = begun.is_stream();
        let mut out = Compressed::of(begun, file.compression)?;
        let schema = Arc::new(widely_read(schema));
        let json = || WriterBuilder::new().with_explicit_nulls(true);
        let out = match file.format {
            ExportFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(Compression::ZSTD(ZstdLevel::default()))
                    .build();
                Formatted::Parquet(ArrowWriter::try_new(out, schema.clone(), Some(properties))?.into())
            }
            ExportFormat::Csv => {
                csv::write_header(&mut out, &schema)?;
                Formatted::Csv(out)
            }
            ExportFormat::Json => Formatted::Json(json().build(out)),
            ExportFormat::Ndjson => Formatted::Ndjson(json().build(out)),
            ExportFormat::Arrow if is_stream => Formatted::ArrowStream(StreamWriter::try_new(out, &schema)?),
            ExportFormat::Arrow => Formatted::ArrowFile(FileWriter::try_new(out, &schema)?),
        };
        Ok(Self { schema, out })
    }

    /// Writes some rows.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<(), RowsError> {
        if batch.num_rows() == 0 {
            return Ok(());
        }
        let columns = batch.columns().iter().zip(self.schema.fields());
        let columns = columns.map(|(values, field)| cast(values, field.data_type()));
        let batch = &RecordBatch::try_new(self.schema.clone(), columns.collect::<Result<_, ArrowError>>()?)?;
        match &mut self.out {
            Formatted::Parquet(out) => out.write(batch)?,
            Formatted::Csv(out) => csv::write_rows(out, batch)?,
            Formatted::Json(out) => out.write(batch)?,
            Formatted::Ndjson(out) => out.write(batch)?,
            Formatted::ArrowFile(out) => out.write(batch)?,
            Formatted::ArrowStream(out) => out.write(batch)?,
        }
        Ok(())
    }

    /// Ends with what stands behind the last row.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub(super) fn finish(self) -> Result<Begun, RowsError> {
        let out = match self.out {
            Formatted::Parquet(out) => out.into_inner()?,
            Formatted::Csv(out) => out,
            Formatted::Json(mut out) => {
                out.finish()?;
                let mut out = out.into_inner();
                out.write_all(b"\n")?;
                out
            }
            Formatted::Ndjson(mut out) => {
                out.finish()?;
                out.into_inner()
            }
            Formatted::ArrowFile(out) => out.into_inner()?,
            Formatted::ArrowStream(out) => out.into_inner()?,
        };
        Ok(out.finish()?)
    }
}

/// The schema with types that all readers of Arrow know, in place of those that the engine computes with.
fn widely_read(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().map(|field| {
        let of = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            DataType::BinaryView => DataType::Binary,
            of => of.clone(),
        };
        Field::new(field.name(), of, field.is_nullable())
    });
    Schema::new(fields.collect::<Vec<_>>())
}

/// What is written, as it goes into the file.
enum Compressed {
    Plain(Begun),
    Gzip(GzEncoder<Begun>),
    Zstd(zstd::Encoder<'static, Begun>),
}

impl Compressed {
    fn of(begun: Begun, compression: ExportCompression) -> io::Result<Self> {
        Ok(match compression {
            ExportCompression::None => Self::Plain(begun),
            ExportCompression::Gzip => Self::Gzip(GzEncoder::new(begun, flate2::Compression::default())),
            ExportCompression::Zstd => {
                Self::Zstd(zstd::Encoder::new(begun, zstd::DEFAULT_COMPRESSION_LEVEL)?)
            }
        })
    }

    fn finish(self) -> io::Result<Begun> {
        match self {
            Self::Plain(begun) => Ok(begun),
            Self::Gzip(out) => out.finish(),
            Self::Zstd(out) => out.finish(),
        }
    }
}

impl Write for Compressed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Gzip(out) => out.write(bytes),
            Self::Zstd(out) => out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Gzip(out) => out.flush(),
            Self::Zstd(out) => out.flush(),
        }
    }
}
