//! A table that lies in texts of CSV: its columns, and the rows of one text.
//!
//! Owns of which type a column is that several texts have, by the rule of seeds. Comes in: texts. Goes out: a schema, and
//! batches of it. Must not know: files.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, StringBuilder, new_null_array,
};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use indexmap::IndexMap;

use super::csv_records::{CsvRecord, csv_record};
use super::rows::sql_name;
use super::seed::{SeedError, Texts, inferred_column, named_as_duckdb, typed};
use mep_core::connection::{CsvDialect, CsvForm};

/// How the texts of a table are written.
#[derive(Clone, Debug)]
pub struct CsvTableForm {
    /// How the CSV is read.
    pub dialect: CsvDialect,
    /// The names of columns, where no first line has them; without any, they are `column0` and so on.
    pub names: Vec<String>,
}

impl CsvTableForm {
    /// CSV as seeds are, with this between fields.
    pub fn plain(delimiter: u8) -> Self {
        Self { dialect: CsvForm::default().dialect(delimiter), names: Vec::new() }
    }

    fn read(&self, text: &str) -> Result<Texts, SeedError> {
        let dialect = &self.dialect;
        if *dialect == CsvForm::default().dialect(dialect.delimiter) {
            return Texts::read(text, char::from(dialect.delimiter), named_as_duckdb);
        }
        let text_start = text.len() - text.trim_start_matches('\u{feff}').len();
        let (mut at, mut fields) = (text_start, Vec::new());
        let mut names: Option<Vec<String>> = None;
        let mut columns: Vec<StringBuilder> = Vec::new();
        let mut rows = Vec::new();
        loop {
            let row = match csv_record(text.as_bytes(), at, true, dialect, &mut fields) {
                CsvRecord::Skipped(end) => {
                    at = end;
                    continue;
                }
                CsvRecord::Broken(_, reason) => {
                    let line = 1 + text[..at].matches('\n').count();
                    return Err(SeedError::Csv(format!("line {line}: {reason}")));
                }
                CsvRecord::Open | CsvRecord::End => break,
                CsvRecord::Fields(end) => at..end,
            };
            at = row.end;
            let texts = fields.iter().map(|field| field.text(text, dialect));
            let Some(known) = &names else {
                let first = if dialect.header {
                    texts.map(|name| name.trim().to_owned()).collect()
                } else {
                    at = row.start;
                    self.names_of(fields.len())
                };
                let first = named_as_duckdb(first);
                columns = first.iter().map(|_| StringBuilder::new()).collect();
                names = Some(first);
                continue;
            };
            if fields.len() != known.len() {
                let expected = format!("{} fields", known.len());
                return Err(SeedError::Fields { expected, found: fields.len(), row });
            }
            for (column, (field, value)) in columns.iter_mut().zip(fields.iter().zip(texts)) {
                let is_null = !field.is_quoted
                    && (value.is_empty() || dialect.null_text.iter().any(|null| null.as_str() == value));
                column.append_option((!is_null).then_some(value));
            }
            rows.push(row);
        }
        let columns = columns.iter_mut().map(StringBuilder::finish).collect();
        Ok(Texts { names: names.ok_or(SeedError::Empty)?, columns, rows })
    }

    fn names_of(&self, fields: usize) -> Vec<String> {
        if self.names.is_empty() {
            (0..fields).map(|index| format!("column{index}")).collect()
        } else {
            self.names.clone()
        }
    }
}

/// The columns of texts, each by all values that it has in any of them; in the order in which they first stand. Those in
/// `declared` have the type that is declared.
///
/// # Errors
/// Where a text is no CSV.
pub fn columns_of_texts<'t>(
    texts: impl IntoIterator<Item = &'t str>,
    form: &CsvTableForm,
    declared: &IndexMap<String, DataType>,
) -> Result<SchemaRef, SeedError> {
    let mut columns: IndexMap<String, Vec<StringArray>> = IndexMap::new();
    for text in texts {
        let read = form.read(text)?;
        for (name, values) in read.names.into_iter().zip(read.columns) {
            columns.entry(name).or_default().push(values);
        }
    }
    let field = |(name, values): (String, Vec<StringArray>)| {
        let data_type = match declared.get(&name) {
            Some(declared) => declared.clone(),
            None => inferred_column(&joined(&values)).data_type().clone(),
        };
        Field::new(name, data_type, true)
    };
    Ok(Arc::new(Schema::new(columns.into_iter().map(field).collect::<Vec<_>>())))
}

fn joined(parts: &[StringArray]) -> StringArray {
    let parts: Vec<&dyn Array> = parts.iter().map(|part| part as &dyn Array).collect();
    let whole = concat(&parts).ok();
    let whole = whole.and_then(|whole| whole.as_any().downcast_ref::<StringArray>().cloned());
    whole.unwrap_or_else(|| StringArray::new_null(0))
}

/// The rows of a text as rows of a schema; a column that the text has not is NULL in all of them.
///
/// # Errors
/// Where the text is no CSV, or a value is not of its column's type.
pub fn rows_of_text(text: &str, form: &CsvTableForm, schema: &SchemaRef) -> Result<RecordBatch, SeedError> {
    let read = form.read(text)?;
    let array = |field: &Arc<Field>| -> Result<ArrayRef, SeedError> {
        match read.names.iter().position(|name| name == field.name()) {
            Some(index) => {
                let place = |row: usize| read.rows[row].clone();
                let name = sql_name(field.data_type());
                typed(field.name(), &read.columns[index], field.data_type(), None, &name, &place)
            }
            None => Ok(new_null_array(field.data_type(), read.rows.len())),
        }
    };
    let arrays = schema.fields().iter().map(array).collect::<Result<Vec<_>, _>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(read.rows.len()));
    RecordBatch::try_new_with_options(schema.clone(), arrays, &options)
        .map_err(|error: ArrowError| SeedError::Csv(error.to_string()))
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use super::*;

    #[test]
    fn texts_of_one_table_share_the_types_of_their_columns() {
        let texts = ["id,day\n1,2024-01-02\n", "day,id,note\n2024-01-03,2.5,x\n"];
        let schema = columns_of_texts(texts, &CsvTableForm::plain(b','), &IndexMap::new()).unwrap();
        let rows: Vec<RecordBatch> = texts
            .iter()
            .map(|text| rows_of_text(text, &CsvTableForm::plain(b','), &schema).unwrap())
            .collect();
        insta::assert_snapshot!(pretty_format_batches(&rows).unwrap().to_string(), @r"
        +-----+------------+------+
        | id  | day        | note |
        +-----+------------+------+
        | 1.0 | 2024-01-02 |      |
        | 2.5 | 2024-01-03 | x    |
        +-----+------------+------+
        ");
        let wrong = rows_of_text("id,day\nx,2024-01-02\n", &CsvTableForm::plain(b','), &schema).unwrap_err();
        insta::assert_snapshot!(wrong.to_string(), @"column `id`: `x` is no double");
    }
}
