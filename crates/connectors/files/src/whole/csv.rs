//! CSV, with the columns that its first lines name.

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use encoding_rs::Encoding;

use super::{FileRows, FilesError, SAMPLE, WholeFormat, WholeOptions, text_of};
use mep_contract::source::Unit;
use mep_core::connection::CsvForm;
use mep_decode::csv_table::{CsvTableForm, columns_of_texts, rows_of_text};
use mep_decode::seed::SeedError;

pub(super) fn schema(
    files: &[(PathBuf, &Unit, WholeFormat)],
    options: &WholeOptions,
) -> Result<SchemaRef, FilesError> {
    let Some((_, first, WholeFormat::Csv(delimiter))) = files.first() else {
        return Ok(Schema::empty().into());
    };
    let texts = files.iter().map(|(path, unit, _)| text_of(path, &unit.id, Some(SAMPLE), encoding(options)));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let texts = texts.iter().map(String::as_str);
    let columns = columns_of_texts(texts, &form(*delimiter, options), &options.declared)
        .map_err(|error| FilesError::content(&first.id, error.to_string()))?;
    if !options.all_texts {
        return Ok(columns);
    }
    let fields = columns.fields().iter().map(|field| {
        let data_type = options.declared.get(field.name()).cloned().unwrap_or(DataType::Utf8);
        Field::new(field.name(), data_type, true)
    });
    Ok(Schema::new(fields.collect::<Vec<_>>()).into())
}

pub(super) fn rows(
    path: &Path,
    id: &str,
    delimiter: char,
    schema: &SchemaRef,
    options: &WholeOptions,
) -> Result<FileRows, FilesError> {
    let text = text_of(path, id, None, encoding(options))?;
    let plain = plain(schema);
    let rows = rows_of_text(&text, &form(delimiter, options), &plain).map_err(|error| {
        let line = 1 + text[..error.place(&text).start.min(text.len())].matches('\n').count();
        let help = match error {
            SeedError::Value { .. } => ": declare its `data_type` in the source's `columns`",
            _ => "",
        };
        FilesError::content(id, format!("line {line}: {error}{help}"))
    })?;
    Ok(Box::new(std::iter::once(Ok(rows))))
}

fn encoding(options: &WholeOptions) -> Option<&'static Encoding> {
    Encoding::for_label(options.reading.csv.encoding.as_deref()?.as_bytes())
}

/// How the CSV of files with this delimiter is read.
fn form(delimiter: char, options: &WholeOptions) -> CsvTableForm {
    let delimiter = u8::try_from(delimiter).unwrap_or(b',');
    let dialect = CsvForm { delimiter: Some(delimiter), ..options.reading.csv.clone() }.dialect(delimiter);
    CsvTableForm { dialect, names: options.names.clone() }
}

/// The columns with the types that texts are read into.
fn plain(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &Field| {
        let data_type = match field.data_type() {
            DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
            other => other.clone(),
        };
        Field::new(field.name(), data_type, true)
    };
    Schema::new(schema.fields().iter().map(|one| field(one)).collect::<Vec<_>>()).into()
}
