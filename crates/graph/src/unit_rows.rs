//! The rows of unit tests, as the SELECT that gives them.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::unit_tests::{UnitCompiler, unplanned};
use mep_decode::csv_table::{CsvTableForm, rows_of_text};
use mep_lang::project::{Place, Problem, UnitRows, UnitTest, nearest};
use mep_sql::{quoted, sql_type};

impl UnitCompiler<'_> {
    /// The columns that are compared: those that the first of the expected rows has, or all.
    pub(super) fn compared(
        &self,
        test: &UnitTest,
        expect: &UnitRows,
        schema: &SchemaRef,
        expected: &str,
    ) -> Result<Vec<String>, Problem> {
        let all = || schema.fields().iter().map(|field| field.name().clone()).collect();
        Ok(match expect {
            UnitRows::Listed(rows) => match rows.value.first() {
                Some(_) => {
                    let written = rows.value.iter().flat_map(IndexMap::keys);
                    let mut names: Vec<String> = Vec::new();
                    for name in written.filter_map(|name| column(schema, name)) {
                        if !names.contains(name.name()) {
                            names.push(name.name().clone());
                        }
                    }
                    names
                }
                None => all(),
            },
            UnitRows::Csv(text) => {
                let header = text.value.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
                let names = header.split(',').map(|name| name.trim().trim_matches('"'));
                names.filter_map(|name| column(schema, name)).map(|field| field.name().clone()).collect()
            }
            UnitRows::Sql(_) => {
                let plan = self.scope.plan(expected).map_err(|problem| unplanned(test, &problem))?;
                let output = plan.output();
                let names = output.fields().iter().filter_map(|field| column(schema, field.name()));
                names.map(|field| field.name().clone()).collect()
            }
        })
    }

    /// The SELECT of rows, of the types of these columns.
    pub(super) fn rows(&self, rows: &UnitRows, schema: &SchemaRef, of: &str) -> Result<String, Problem> {
        let listed = match rows {
            UnitRows::Sql(sql) => return Ok(sql.value.clone()),
            UnitRows::Listed(rows) => rows.value.clone(),
            UnitRows::Csv(text) => csv_rows(&text.value)
                .map_err(|message| Problem::new(format!("the rows of {of}: {message}")).at(&text.place))?,
        };
        let place = rows.place();
        let mut selects = Vec::new();
        for row in &listed {
            if let Some(name) = row.keys().find(|name| column(schema, name).is_none()) {
                let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
                let message = format!("the rows of {of} have a column `{name}`, and there is no such column");
                let problem = Problem::new(message).at(place);
                return Err(match nearest(name, names.iter().copied()) {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("the columns are {}", names.join(", "))),
                });
            }
            selects.push(self.row(row, schema, of, place)?);
        }
        if selects.is_empty() {
            return Ok(format!("{} where false", self.row(&IndexMap::new(), schema, of, place)?));
        }
        Ok(selects.join("\nunion all\n"))
    }

    fn row(
        &self,
        row: &IndexMap<String, Json>,
        schema: &SchemaRef,
        of: &str,
        place: &Place,
    ) -> Result<String, Problem> {
        let mut values = Vec::new();
        for field in schema.fields() {
            let is_it = |(name, _): &(&String, &Json)| {
                column(schema, name).is_some_and(|found| found.name() == field.name())
            };
            let value = row.iter().find(is_it).map_or(&Json::Null, |(_, value)| value);
            let literal = match value {
                Json::Null => "null".to_owned(),
                Json::Bool(_) | Json::Number(_) => value.to_string(),
                Json::String(text) => text_literal(text),
                Json::Array(_) | Json::Object(_) if is_text(field.data_type()) => {
                    text_literal(&value.to_string())
                }
                Json::Array(items) => match items.iter().map(simple_literal).collect::<Option<Vec<_>>>() {
                    Some(items) => format!("[{}]", items.join(", ")),
                    None => return Err(unwritten(field, of, place)),
                },
                Json::Object(_) => return Err(unwritten(field, of, place)),
            };
            values.push(format!("{} as {}", self.cast(&literal, field.data_type()), quoted(field.name())));
        }
        Ok(format!("select {}", values.join(", ")))
    }

    /// The value as one of a type, as far as SQL has a word for it.
    pub(super) fn cast(&self, literal: &str, data_type: &DataType) -> String {
        let cast = format!("cast({literal} as {})", sql_type(data_type));
        let is_sql = self.scope.plan(&format!("select cast(null as {}) as x", sql_type(data_type))).is_ok();
        if is_sql { cast } else { literal.to_owned() }
    }
}

fn unwritten(field: &Field, of: &str, place: &Place) -> Problem {
    let message = format!(
        "the rows of {of}: a value of `{}`, of type {}, cannot be written so",
        field.name(),
        sql_type(field.data_type())
    );
    Problem::new(message).at(place).help("write the rows as SQL, with format: sql")
}

/// The column of a name, in any case where none has it as written.
fn column<'s>(schema: &'s Schema, name: &str) -> Option<&'s Field> {
    let fields = || schema.fields().iter().map(AsRef::as_ref);
    fields()
        .find(|field: &&Field| field.name() == name)
        .or_else(|| fields().find(|field: &&Field| field.name().eq_ignore_ascii_case(name)))
}

fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8)
}

fn text_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn simple_literal(value: &Json) -> Option<String> {
    match value {
        Json::Null => Some("null".to_owned()),
        Json::String(text) => Some(text_literal(text)),
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        Json::Array(_) | Json::Object(_) => None,
    }
}

/// The rows of a text of CSV; a value that is not there is NULL.
///
/// # Errors
/// Where it is no CSV.
pub fn csv_rows(text: &str) -> Result<Vec<IndexMap<String, Json>>, String> {
    let text = text.trim_start_matches(['\n', '\r']);
    let names: Vec<String> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split(',')
        .map(|name| name.trim().trim_matches('"').to_owned())
        .collect();
    let trimmed: Vec<String> = text.lines().map(|line| line.trim_start().to_owned()).collect();
    let fields: Vec<Field> = names.iter().map(|name| Field::new(name, DataType::Utf8, true)).collect();
    let schema = Arc::new(Schema::new(fields));
    let form = CsvTableForm::plain(b',');
    let batch = rows_of_text(&trimmed.join("\n"), &form, &schema).map_err(|error| error.to_string())?;
    let row = |row: usize| {
        let value = |column: usize| {
            let values = batch.column(column).as_string::<i32>();
            if values.is_null(row) { Json::Null } else { values.value(row).trim().into() }
        };
        names.iter().enumerate().map(|(column, name)| (name.clone(), value(column))).collect()
    };
    Ok((0..batch.num_rows()).map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_read_as_texts_and_what_is_not_there_is_null() {
        let rows = csv_rows("\nid,name\n1,'a'\n2,\n").unwrap();
        let said: Vec<String> =
            rows.iter().map(|row| Json::Object(row.clone().into_iter().collect()).to_string()).collect();
        assert_eq!(said, [r#"{"id":"1","name":"'a'"}"#, r#"{"id":"2","name":null}"#]);
    }
}
