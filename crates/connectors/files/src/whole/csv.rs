//! CSV with a first line of names.

use std::path::{Path, PathBuf};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::{FileFormat, FileRows, FilesError, SAMPLE, WholeOptions, text_of};
use mep_contract::source::Unit;
use mep_decode::csv_table::{columns_of_texts, rows_of_text};
use mep_decode::seed::SeedError;

pub(super) fn schema(
    files: &[(PathBuf, &Unit, FileFormat)],
    options: &WholeOptions,
) -> Result<SchemaRef, FilesError> {
    let Some((_, first, FileFormat::Csv(delimiter))) = files.first() else {
        return Ok(Schema::empty().into());
    };
    let texts = files.iter().map(|(path, unit, _)| text_of(path, &unit.id, Some(SAMPLE)));
    let texts = texts.collect::<Result<Vec<_>, _>>()?;
    let texts = texts.iter().map(String::as_str);
    let columns = columns_of_texts(texts, *delimiter, &options.declared)
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
) -> Result<FileRows, FilesError> {
    let text = text_of(path, id, None)?;
    let plain = plain(schema);
    let rows = rows_of_text(&text, delimiter, &plain).map_err(|error| {
        let line = 1 + text[..error.place(&text).start.min(text.len())].matches('\n').count();
        let help = match error {
            SeedError::Value { .. } => ": declare its `data_type` in the source's `columns`",
            _ => "",
        };
        FilesError::content(id, format!("line {line}: {error}{help}"))
    })?;
    Ok(Box::new(std::iter::once(Ok(rows))))
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
