//! Seeds: small tables given as CSV, with types told by their values or declared.
//!
//! A column is, by the first of these that all its values are: boolean, bigint, double, date, timestamp; else varchar. A
//! number with leading zeros, such as a postal code, is a text. An empty field is NULL.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use arrow::compute::{CastOptions, cast_with_options, concat_batches};
use arrow::csv::ReaderBuilder;
use arrow::csv::reader::Format;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use indexmap::IndexMap;

use super::schema::sql_type;

/// Why a seed cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The text is no CSV: a line with too few or too many fields, a quote that is never closed.
    #[error("the CSV cannot be read: {0}")]
    Csv(String),
    /// There is not even a line of column names.
    #[error("the file is empty; expected a first line of column names")]
    Empty,
    /// Two columns have one name.
    #[error("two columns are named `{0}`")]
    DoubledColumn(String),
    /// A declared type is unknown.
    #[error(
        "unknown type `{data_type}` of column `{column}`; expected one of bigint, integer, double, real, boolean, varchar, date, timestamp"
    )]
    UnknownType {
        /// The column.
        column: String,
        /// The type as declared.
        data_type: String,
    },
    /// A type is declared for a column that is not there.
    #[error("`column_types` names `{0}`, which is no column of the file")]
    NoSuchColumn(String),
    /// A value is not of the declared type.
    #[error("line {line}: column `{column}`: `{value}` is no {data_type}")]
    Value {
        /// The line, from 1, where no field holds a line break.
        line: usize,
        /// The column.
        column: String,
        /// The value.
        value: String,
        /// The type as declared.
        data_type: String,
    },
}

/// Reads a seed.
///
/// # Errors
/// Where the text is no CSV, or a declared type does not fit.
pub fn read(
    text: &str,
    delimiter: char,
    column_types: &IndexMap<String, String>,
) -> Result<RecordBatch, SeedError> {
    let text = text.trim_start_matches('\u{feff}');
    let texts = read_texts(text, delimiter)?;
    let schema = texts.schema();
    for column in column_types.keys() {
        if schema.index_of(column).is_err() {
            return Err(SeedError::NoSuchColumn(column.clone()));
        }
    }
    let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (field, column) in schema.fields().iter().zip(texts.columns()) {
        let values = nulls_for_empty(column);
        let array = match column_types.get(field.name()) {
            Some(declared) => declared_column(field.name(), &values, declared)?,
            None => inferred_column(&values),
        };
        fields.push(Field::new(field.name(), array.data_type().clone(), true));
        arrays.push(array);
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| SeedError::Csv(error.to_string()))
}

fn read_texts(text: &str, delimiter: char) -> Result<RecordBatch, SeedError> {
    let csv = |error: arrow::error::ArrowError| {
        let message = error.to_string();
        SeedError::Csv(message.strip_prefix("Csv error: ").unwrap_or(&message).to_owned())
    };
    let delimiter = u8::try_from(delimiter).unwrap_or(b',');
    let format = Format::default().with_header(true).with_delimiter(delimiter);
    let (header, _) = format.infer_schema(text.as_bytes(), Some(0)).map_err(csv)?;
    if header.fields().is_empty() {
        return Err(SeedError::Empty);
    }
    let mut fields: Vec<Field> = Vec::new();
    for field in header.fields() {
        let name = field.name().trim();
        if fields.iter().any(|earlier| earlier.name() == name) {
            return Err(SeedError::DoubledColumn(name.to_owned()));
        }
        fields.push(Field::new(name, DataType::Utf8, true));
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    let reader =
        ReaderBuilder::new(schema.clone()).with_format(format).build(text.as_bytes()).map_err(csv)?;
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().map_err(csv)?;
    concat_batches(&schema, &batches).map_err(csv)
}

fn nulls_for_empty(column: &ArrayRef) -> StringArray {
    column.as_string::<i32>().iter().map(|value| value.filter(|value| !value.is_empty())).collect()
}

fn declared_column(name: &str, values: &StringArray, declared: &str) -> Result<ArrayRef, SeedError> {
    let data_type = sql_type(declared)
        .ok_or_else(|| SeedError::UnknownType { column: name.to_owned(), data_type: declared.to_owned() })?;
    let array = lenient(values, &data_type);
    let misfit = (0..values.len()).find(|row| values.is_valid(*row) && array.is_null(*row));
    match misfit {
        Some(row) => Err(SeedError::Value {
            line: row + 2,
            column: name.to_owned(),
            value: values.value(row).to_owned(),
            data_type: declared.to_owned(),
        }),
        None => Ok(array),
    }
}

fn inferred_column(values: &StringArray) -> ArrayRef {
    let present = || values.iter().flatten();
    let candidates: [(DataType, fn(&str) -> bool); 5] = [
        (DataType::Boolean, |text| ["true", "false"].contains(&text.to_ascii_lowercase().as_str())),
        (DataType::Int64, is_number),
        (DataType::Float64, is_number),
        (DataType::Date32, |text| text.len() == 10),
        (DataType::Timestamp(TimeUnit::Microsecond, None), |text| text.len() >= 19),
    ];
    for (data_type, looks_like) in candidates {
        if values.null_count() < values.len() && present().all(looks_like) {
            let array = lenient(values, &data_type);
            if array.null_count() == values.null_count() {
                return array;
            }
        }
    }
    Arc::new(values.clone())
}

/// Whether a text may be a number: leading zeros mean a code, not a number.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let zeros = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    !zeros && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// The values in a type; NULL where one does not fit.
fn lenient(values: &StringArray, data_type: &DataType) -> ArrayRef {
    let options = CastOptions { safe: true, ..CastOptions::default() };
    cast_with_options(values, data_type, &options)
        .unwrap_or_else(|_| arrow::array::new_null_array(data_type, values.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed(text: &str, types: &[(&str, &str)]) -> Result<RecordBatch, SeedError> {
        let types =
            types.iter().map(|(name, data_type)| ((*name).to_owned(), (*data_type).to_owned())).collect();
        read(text, ',', &types)
    }

    fn types(text: &str) -> String {
        let batch = seed(text, &[]).unwrap();
        let fields = batch.schema();
        let texts: Vec<String> = fields.fields().iter().map(|field| field.data_type().to_string()).collect();
        texts.join(" ")
    }

    #[test]
    fn types_are_told_by_the_values() {
        assert_eq!(
            types("a,b,c,d,e,f\n1,1.5,true,2018-11-03,2018-11-03 01:02:03,x\n"),
            "Int64 Float64 Boolean Date32 Timestamp(µs) Utf8"
        );
        assert_eq!(types("ms,zip,none\n1714590000000,02139,\n1,10115,\n"), "Int64 Utf8 Utf8");
        assert_eq!(types("a\n1\nx\n"), "Utf8");
    }

    #[test]
    fn an_empty_field_is_null_and_a_quoted_one_may_hold_anything() {
        let batch = seed("a,b\n,\"x, \"\"y\"\"\nz\"\n", &[]).unwrap();
        assert!(batch.column(0).is_null(0));
        assert_eq!(batch.column(1).as_string::<i32>().value(0), "x, \"y\"\nz");
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |text, types: &[(&str, &str)]| seed(text, types).unwrap_err().to_string();
        insta::assert_snapshot!(said("", &[]), @"the file is empty; expected a first line of column names");
        insta::assert_snapshot!(said("a,a\n1,2\n", &[]), @"two columns are named `a`");
        insta::assert_snapshot!(said("a,b\n1\n", &[]), @"the CSV cannot be read: incorrect number of fields for line 2, expected 2 got 1");
        insta::assert_snapshot!(said("a\nx\n", &[("a", "bigint")]), @"line 2: column `a`: `x` is no bigint");
        insta::assert_snapshot!(said("a\nx\n", &[("b", "bigint")]), @"`column_types` names `b`, which is no column of the file");
        insta::assert_snapshot!(said("a\nx\n", &[("a", "bigit")]), @"unknown type `bigit` of column `a`; expected one of bigint, integer, double, real, boolean, varchar, date, timestamp");
    }
}
