//! JSON: an object a line, objects one after another, or a list of objects.

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use arrow::json::ReaderBuilder;
use arrow::json::reader::infer_json_schema_from_iterator;
use indexmap::IndexMap;
use serde_json::{Deserializer, Value};

use super::{FileRows, FilesError, SAMPLE, WholeFormat, text_of};
use mep_contract::source::Unit;
use mep_decode::seed::inferred_column;

const BATCH_ROWS: usize = 8192;

pub(super) fn schema(files: &[(PathBuf, &Unit, WholeFormat)]) -> Result<SchemaRef, FilesError> {
    let mut objects = Vec::new();
    for (path, unit, _) in files {
        objects.extend(objects_of(&text_of(path, &unit.id, Some(SAMPLE), None)?, &unit.id, true)?);
    }
    let wrong = |error: arrow::error::ArrowError| {
        let id = files.first().map_or("", |(_, unit, _)| unit.id.as_str());
        FilesError::content(id, error.to_string())
    };
    let inferred = infer_json_schema_from_iterator(objects.iter().map(Ok)).map_err(wrong)?;
    let mut columns: IndexMap<&str, Option<DataType>> = IndexMap::new();
    for key in objects.iter().filter_map(Value::as_object).flat_map(|object| object.keys()) {
        columns.entry(key).or_default();
    }
    let field = |name: &str| -> Option<Field> {
        let found = inferred.field_with_name(name).ok()?;
        let data_type = match found.data_type() {
            DataType::Utf8 => time_or_text(&objects, name),
            DataType::Null => DataType::Utf8,
            other => other.clone(),
        };
        Some(Field::new(name, data_type, true))
    };
    Ok(Arc::new(Schema::new(columns.keys().filter_map(|name| field(name)).collect::<Vec<_>>())))
}

/// A day or a time where all texts of a key are one, else a text.
fn time_or_text(objects: &[Value], name: &str) -> DataType {
    let texts = objects.iter().map(|object| object.get(name).and_then(Value::as_str));
    let texts: StringArray = texts.collect();
    let are_all_texts = objects
        .iter()
        .all(|object| object.get(name).is_none_or(|value| value.is_null() || value.is_string()));
    match inferred_column(&texts).data_type() {
        DataType::Date32 if are_all_texts => DataType::Date32,
        DataType::Timestamp(..) if are_all_texts => DataType::Timestamp(TimeUnit::Microsecond, None),
        _ => DataType::Utf8,
    }
}

/// The objects of a text; what breaks off at the end of a sample is left out.
fn objects_of(text: &str, id: &str, is_sample: bool) -> Result<Vec<Value>, FilesError> {
    let text = text.trim_start_matches('\u{feff}');
    let mut objects = Vec::new();
    for value in Deserializer::from_str(text).into_iter::<Value>() {
        match value {
            Ok(Value::Array(values)) => objects.extend(values),
            Ok(value) => objects.push(value),
            Err(error) if is_sample && error.is_eof() && !objects.is_empty() => break,
            Err(error) => return Err(FilesError::content(id, format!("this is no JSON: {error}"))),
        }
    }
    match objects.iter().find(|value| !value.is_object()) {
        Some(other) => {
            let found: String = other.to_string().chars().take(40).collect();
            Err(FilesError::content(id, format!("expected objects, found `{found}`")))
        }
        None => Ok(objects),
    }
}

pub(super) fn rows(path: &Path, id: &str, schema: &SchemaRef) -> Result<FileRows, FilesError> {
    let text = text_of(path, id, None, None)?;
    let is_list = text.trim_start_matches('\u{feff}').trim_start().starts_with('[');
    let lines = if is_list {
        let objects = objects_of(&text, id, false)?;
        objects.iter().map(|object| format!("{object}\n")).collect()
    } else {
        text.trim_start_matches('\u{feff}').to_owned()
    };
    let wrong = |id: &str, error: &arrow::error::ArrowError| FilesError::content(id, error.to_string());
    let reader = ReaderBuilder::new(readable(schema))
        .with_batch_size(BATCH_ROWS)
        .with_coerce_primitive(true)
        .build(Cursor::new(lines))
        .map_err(|error| wrong(id, &error))?;
    let id = id.to_owned();
    Ok(Box::new(reader.map(move |batch| batch.map_err(|error| wrong(&id, &error)))))
}

/// The columns with the types that JSON is read into.
fn readable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Utf8View => DataType::Utf8,
            other => other.clone(),
        };
        Field::new(field.name(), data_type, true)
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}
