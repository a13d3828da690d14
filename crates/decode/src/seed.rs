//! Seeds: small tables given as CSV, with types told by their values or declared.
//!
//! A column is, by the first of these that all its values are: boolean, bigint, double, decimal, date, timestamp; else
//! varchar; a column without any value is bigint. A number keeps all its digits: it is a double only where the double is written with the same ones, and a text
//! where 38 digits are too few. A number with leading zeros, such as a postal code, is a text. An empty field is NULL.
//!
//! A value of a column with a declared type is of that type and loses nothing, or the seed is refused.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, Decimal128Array, Float64Array, RecordBatch, RecordBatchOptions, StringArray,
    StringBuilder,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use indexmap::IndexMap;

use super::rows::{Misfit, Number};
use mep_contract::source::declared_type::{TypeError, declared_type};
use mep_core::written_time::in_full;

/// Why a seed cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// The text is no CSV.
    #[error("the CSV cannot be read: {0}")]
    Csv(String),
    /// There is a byte that no text has.
    #[error("expected a text, found a NUL byte: the file is damaged, or no CSV")]
    Nul(usize),
    /// A quoted field goes on to the end of the file.
    #[error(
        "a quoted field of this row is not closed; close it with `\"`, and write a quote within it as `\"\"`"
    )]
    OpenQuote(Range<usize>),
    /// A row has too many fields.
    #[error("expected {expected} as the first line has, found {found}")]
    Fields {
        /// How many columns are named, in words.
        expected: String,
        /// How many fields there are.
        found: usize,
        /// Where the row stands, in bytes of the text.
        row: Range<usize>,
    },
    /// There is not even a line of column names.
    #[error("the file is empty; expected a first line of column names")]
    Empty,
    /// A declared type is unknown, or none that a seed can have.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// A type is declared for a column that is not there.
    #[error("`column_types` names `{0}`, which is not a column of the file")]
    NoSuchColumn(String),
    /// A value is not of the declared type.
    #[error("column `{column}`: `{value}` is no {data_type}{}", why.map(|why| format!(": {why}")).unwrap_or_default())]
    Value {
        /// Where the row stands, in bytes of the text.
        row: Range<usize>,
        /// The column.
        column: String,
        /// The value.
        value: String,
        /// The type as declared.
        data_type: String,
        /// What is in the way, where that is not plain to see.
        why: Option<&'static str>,
    },
}

impl SeedError {
    /// Whether it is what is declared that is wrong, and not the file.
    pub fn is_of_declaration(&self) -> bool {
        matches!(self, Self::Type(_) | Self::NoSuchColumn(_))
    }

    /// Where in the text it is wrong; the first line, where nothing says more.
    pub fn place(&self, text: &str) -> Range<usize> {
        match self {
            Self::Fields { row, .. } | Self::OpenQuote(row) => row.clone(),
            Self::Nul(at) => *at..*at + 1,
            Self::Value { row, value, .. } => match text.get(row.clone()).and_then(|line| line.find(value)) {
                Some(start) => row.start + start..row.start + start + value.len(),
                None => row.clone(),
            },
            _ => 0..text.lines().next().unwrap_or_default().len(),
        }
    }
}

/// Reads a seed; types that are declared for several seeds (`of_several`) may name columns that this one has not.
///
/// # Errors
/// Where the text is no CSV, or a declared type does not fit.
pub fn read(
    text: &str,
    delimiter: char,
    column_types: &IndexMap<String, String>,
    of_several: bool,
) -> Result<RecordBatch, SeedError> {
    let texts = Texts::read(text, delimiter, named_as_dbt)?;
    let unknown = column_types.keys().find(|column| !texts.names.contains(column));
    if let Some(unknown) = unknown.filter(|_| !of_several) {
        return Err(SeedError::NoSuchColumn(unknown.clone()));
    }
    let (mut fields, mut arrays): (Vec<Field>, Vec<ArrayRef>) = (Vec::new(), Vec::new());
    for (name, values) in texts.names.iter().zip(&texts.columns) {
        let array = match column_types.get(name) {
            Some(declared) => {
                let place = |row: usize| texts.rows[row].clone();
                declared_column(name, values, declared, &place)?
            }
            // As dbt has it: no value is an integer as well as anything else.
            None if !values.is_empty() && values.null_count() == values.len() => {
                arrow::array::new_null_array(&DataType::Int64, values.len())
            }
            None => inferred_column(values),
        };
        fields.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(texts.rows.len()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|error| SeedError::Csv(error.to_string()))
}

/// The fields as they are written; an empty one is NULL.
pub(super) struct Texts {
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<StringArray>,
    /// Where each row stands in the text.
    pub(super) rows: Vec<Range<usize>>,
}

impl Texts {
    pub(super) fn read(
        text: &str,
        delimiter: char,
        apart: fn(Vec<String>) -> Vec<String>,
    ) -> Result<Self, SeedError> {
        let csv = |error: csv::Error| SeedError::Csv(error.to_string());
        if let Some(at) = text.find('\0') {
            return Err(SeedError::Nul(at));
        }
        let content = text.trim_start_matches('\u{feff}');
        let before = text.len() - content.len();
        let delimiter = u8::try_from(delimiter).unwrap_or(b',');
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(content.as_bytes());
        let names = apart(names(reader.headers().map_err(csv)?)?);
        let mut columns: Vec<StringBuilder> = names.iter().map(|_| StringBuilder::new()).collect();
        let mut rows = Vec::new();
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).map_err(csv)? {
            let offset = |position: Option<&csv::Position>| position.map_or(0, |at| at.byte() as usize);
            let (start, end) = (offset(record.position()), offset(Some(reader.position())));
            let row = content.get(start..end).unwrap_or_default();
            let start = before + start + (row.len() - row.trim_start_matches(['\r', '\n']).len());
            let row = start..start + row.trim_matches(['\r', '\n']).len();
            // Only where the text ends can a quote be left open.
            if row.end + 1 >= text.trim_end().len() && ends_within_quotes(&text[row.clone()], delimiter) {
                let first_line = text[row.clone()].lines().next().unwrap_or_default().len();
                return Err(SeedError::OpenQuote(row.start..row.start + first_line));
            }
            // As dbt has it: fields that are missing at the end have no value.
            if record.len() > names.len() {
                let expected = match names.len() {
                    1 => "1 field".to_owned(),
                    several => format!("{several} fields"),
                };
                return Err(SeedError::Fields { expected, found: record.len(), row });
            }
            for (at, column) in columns.iter_mut().enumerate() {
                column.append_option(record.get(at).filter(|field| !field.is_empty()));
            }
            rows.push(row);
        }
        let columns = columns.iter_mut().map(StringBuilder::finish).collect();
        Ok(Self { names, columns, rows })
    }
}

/// Whether the last field of a row is quoted and not closed.
fn ends_within_quotes(row: &str, delimiter: u8) -> bool {
    let (mut is_quoted, mut is_start) = (false, true);
    let mut bytes = row.bytes().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' if is_quoted && bytes.peek() == Some(&b'"') => drop(bytes.next()),
            b'"' if is_quoted => is_quoted = false,
            b'"' if is_start => is_quoted = true,
            _ => {}
        }
        is_start = !is_quoted && byte == delimiter;
    }
    is_quoted
}

/// The names of columns, where those that stand again have a number after them as in dbt's seeds: `a`, `a_2`, `a_3`.
pub(super) fn named_as_dbt(names: Vec<String>) -> Vec<String> {
    named_apart(names, 2, |one, other| one == other)
}

/// The same as DuckDB reads files: `a`, `a_1`, `A_2`, whatever the case.
pub(super) fn named_as_duckdb(names: Vec<String>) -> Vec<String> {
    named_apart(names, 1, |one, other| one.to_lowercase() == other.to_lowercase())
}

fn named_apart(names: Vec<String>, first: usize, is_same: fn(&str, &str) -> bool) -> Vec<String> {
    let mut apart: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let is_taken = |name: &str| apart.iter().any(|taken| is_same(taken, name));
        let numbered = (first..).map(|number| format!("{name}_{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !is_taken(name));
        apart.push(free.unwrap_or(name));
    }
    apart
}

fn names(header: &csv::StringRecord) -> Result<Vec<String>, SeedError> {
    let names: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    if names.is_empty() { Err(SeedError::Empty) } else { Ok(names) }
}

fn declared_column(
    name: &str,
    values: &StringArray,
    declared: &str,
    place: &dyn Fn(usize) -> Range<usize>,
) -> Result<ArrayRef, SeedError> {
    let of = declared_type(name, declared)?;
    typed(name, values, &of.data_type, of.length, declared, place)
}

/// The values in a type, of which each must be; `declared` is the type's name.
pub(super) fn typed(
    name: &str,
    values: &StringArray,
    data_type: &DataType,
    length: Option<u64>,
    declared: &str,
    place: &dyn Fn(usize) -> Range<usize>,
) -> Result<ArrayRef, SeedError> {
    let array = match data_type {
        DataType::Decimal128(precision, scale) => decimals(values, *precision, *scale),
        DataType::Utf8 => Arc::new(length.map_or_else(|| values.clone(), |length| no_longer(values, length))),
        data_type => lenient(values, data_type),
    };
    let misfit = (0..values.len()).find(|row| values.is_valid(*row) && array.is_null(*row));
    match misfit {
        Some(row) => Err(SeedError::Value {
            row: place(row),
            column: name.to_owned(),
            value: values.value(row).to_owned(),
            data_type: declared.to_owned(),
            why: why_not(values.value(row), array.data_type()),
        }),
        None => Ok(array),
    }
}

/// The texts that have at most so many characters.
fn no_longer(values: &StringArray, length: u64) -> StringArray {
    values.iter().map(|text| text.filter(|text| text.chars().count() as u64 <= length)).collect()
}

/// Why a text cannot be of a type that it looks like.
fn why_not(value: &str, data_type: &DataType) -> Option<&'static str> {
    match data_type {
        DataType::Utf8 => Some("it is longer"),
        DataType::Decimal128(precision, scale) => {
            match Number::parse(value).and_then(|n| n.unscaled(*precision, *scale)) {
                Err(Misfit::Fraction) => Some("it has more digits behind the point, and none is dropped"),
                Err(Misfit::Range) => Some("it has more digits before the point"),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The values that a decimal keeps with all their digits.
fn decimals(values: &StringArray, precision: u8, scale: i8) -> ArrayRef {
    let kept = values.iter().map(|text| Number::parse(text?.trim()).ok()?.unscaled(precision, scale).ok());
    Arc::new(kept.collect::<Decimal128Array>().with_data_type(DataType::Decimal128(precision, scale)))
}

/// Whether a text may be of a type, before it is tried.
type LooksLike = fn(&str) -> bool;

/// A column in a type, where its values can be of it.
type TypedColumn = fn(&StringArray) -> Option<ArrayRef>;

/// The values in the first type that all of them are of.
pub fn inferred_column(values: &StringArray) -> ArrayRef {
    let candidates: [(TypedColumn, LooksLike); 6] = [
        (
            |values| Some(lenient(values, &DataType::Boolean)),
            |text| ["true", "false"].contains(&text.to_ascii_lowercase().as_str()),
        ),
        (|values| Some(lenient(values, &DataType::Int64)), is_number),
        (|values| Some(doubles(values)), is_number),
        (fitting_decimals, is_number),
        (|values| Some(lenient(values, &DataType::Date32)), |text| text.len() == 10),
        (
            |values| Some(lenient(values, &DataType::Timestamp(TimeUnit::Microsecond, None))),
            |text| (text.len() == 10 || text.len() >= 16 || in_full(text).is_some()) && !names_zone(text),
        ),
    ];
    if values.null_count() < values.len() {
        for (read, looks_like) in candidates {
            if !values.iter().flatten().all(|text| looks_like(text.trim())) {
                continue;
            }
            if let Some(array) = read(values).filter(|array| array.null_count() == values.null_count()) {
                return array;
            }
        }
    }
    Arc::new(values.clone())
}

/// The values that a double keeps with all their digits.
fn doubles(values: &StringArray) -> ArrayRef {
    Arc::new(values.iter().map(|text| Number::parse(text?.trim()).ok()?.double()).collect::<Float64Array>())
}

/// The values as the smallest decimal that keeps the digits of all of them; `None` where there is none.
fn fitting_decimals(values: &StringArray) -> Option<ArrayRef> {
    let (mut before, mut behind) = (0, 0);
    for text in values.iter().flatten() {
        let extent = Number::parse(text.trim()).ok()?.extent();
        (before, behind) = (before.max(extent.0), behind.max(extent.1));
    }
    let digits = |digits: u32| u8::try_from(digits).ok().filter(|digits| *digits <= 38);
    let scale = digits(behind)?;
    // Whole numbers are of one type, however long they are today.
    let precision =
        if scale == 0 { digits(before).map(|_| 38)? } else { digits(before.checked_add(behind)?)? };
    Some(decimals(values, precision, scale.cast_signed()))
}

/// Whether a time ends with the name of a zone (`2025-05-01 08:00:00 UTC`), which makes it a text, as in dbt.
fn names_zone(text: &str) -> bool {
    text.ends_with(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'Z' | 'z'))
}

/// Whether a text may be a number: leading zeros mean a code, not a number.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let zeros = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    !zeros && digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
}

/// The values in a type; NULL where one does not fit.
fn lenient(values: &StringArray, data_type: &DataType) -> ArrayRef {
    // A blank around a value means nothing where a value is no text.
    let values: &StringArray = &values.iter().map(|text| text.map(str::trim)).collect();
    if let DataType::Timestamp(..) = data_type
        && values.iter().flatten().any(|text| in_full(text).is_some())
    {
        let whole = values.iter().map(|text| text.map(|text| in_full(text).unwrap_or_else(|| text.into())));
        return lenient(&whole.collect(), data_type);
    }
    let options = CastOptions { safe: true, ..CastOptions::default() };
    cast_with_options(values, data_type, &options)
        .unwrap_or_else(|_| arrow::array::new_null_array(data_type, values.len()))
}

#[cfg(test)]
mod tests {
    use arrow::array::AsArray as _;

    use super::*;

    fn seed(text: &str, types: &[(&str, &str)]) -> Result<RecordBatch, SeedError> {
        let types =
            types.iter().map(|(name, data_type)| ((*name).to_owned(), (*data_type).to_owned())).collect();
        read(text, ',', &types, false)
    }

    fn types(text: &str) -> String {
        let batch = seed(text, &[]).unwrap();
        let fields = batch.schema();
        let texts: Vec<String> = fields.fields().iter().map(|field| field.data_type().to_string()).collect();
        texts.join(" ")
    }

    #[test]
    fn columns_of_one_name_are_told_apart_as_dbt_and_duckdb_do() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let doubled = names(&["a", "b", "a", "A", "a_1"]);
        assert_eq!(named_as_dbt(doubled.clone()), ["a", "b", "a_2", "A", "a_1"]);
        assert_eq!(named_as_duckdb(doubled), ["a", "b", "a_1", "A_2", "a_1_1"]);
        let read = read("a,a\n1,x\n", ',', &IndexMap::new(), false).unwrap();
        assert_eq!(read.schema().field(1).name(), "a_2");
    }

    #[test]
    fn types_are_told_by_the_values() {
        assert_eq!(
            types("a,b,c,d,e,f\n1,1.5,true,2018-11-03,2018-11-03 01:02:03,x\n"),
            "Int64 Float64 Boolean Date32 Timestamp(µs) Utf8"
        );
        assert_eq!(types("ms,zip,none\n1714590000000,02139,\n1,10115,\n"), "Int64 Utf8 Int64");
        assert_eq!(types("a\n1\nx\n"), "Utf8");
        assert_eq!(types("a,b\n2025-05-01 08:00:00 UTC, 2025-05-01 08:00:00.5 \n"), "Utf8 Timestamp(µs)");
    }

    #[test]
    fn a_type_is_told_so_that_no_digit_is_lost() {
        assert_eq!(types("a\n12345678901234567890\n1\n"), "Decimal128(38, 0)");
        assert_eq!(types("a\n12345678901234567890\n1.5\n"), "Decimal128(21, 1)");
        assert_eq!(types("a\n9007199254740993.5\n"), "Decimal128(17, 1)");
        assert_eq!(types("a\n0.30000000000000004\n1e300\n"), "Float64");
        assert_eq!(types(&format!("a\n1{}\n", "1".repeat(38))), "Utf8");
        assert_eq!(types("a\n1e999\n"), "Utf8");
        let batch = seed("a\n-12345678901234567890\n+007.50\n", &[("a", "decimal(22,2)")]).unwrap();
        let texts = arrow::compute::cast(batch.column(0), &DataType::Utf8).unwrap();
        let texts: Vec<_> = texts.as_string::<i32>().iter().flatten().collect();
        assert_eq!(texts, ["-12345678901234567890.00", "7.50"]);
    }

    #[test]
    fn an_empty_field_is_null_and_a_quoted_one_may_hold_anything() {
        let batch = seed("a,b\n,\"x, \"\"y\"\"\nz\"\n", &[]).unwrap();
        assert!(batch.column(0).is_null(0));
        assert_eq!(batch.column(1).as_string::<i32>().value(0), "x, \"y\"\nz");
    }

    #[test]
    fn what_is_wrong_is_found_in_the_text() {
        let place = |text: &str, types: &[(&str, &str)]| {
            let place = seed(text, types).unwrap_err().place(text);
            text[place].to_owned()
        };
        let date = [("b", "date")];
        assert_eq!(place("\u{feff}a,b\r\n\"1\r\n2\",2018-11-03\r\n\r\n3,never\r\n", &date), "never");
        assert_eq!(place("a,b\n1,\"no \"\"day\"\"\"\n2,\n", &date), "1,\"no \"\"day\"\"\"");
        assert_eq!(place("a,b\n1,2\n3,4,5\n4,5\n", &[]), "3,4,5");
        assert_eq!(place("a,b\n1,2\n3,\"4\n5,6\n", &[]), "3,\"4");
        assert_eq!(place("a\nx\n\"\"\"y\n", &[]), "\"\"\"y");
        assert_eq!(place("a\nx\0\n", &[]), "\0");
        assert_eq!(place("a\n1.005\n", &[("a", "numeric(10,2)")]), "1.005");
        assert!(seed("a,b\n5\" disk,\"x\"\"\"\n1,\"\"", &[]).is_ok());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = |text, types: &[(&str, &str)]| seed(text, types).unwrap_err().to_string();
        insta::assert_snapshot!(said("", &[]), @"the file is empty; expected a first line of column names");
        insta::assert_snapshot!(said("a,b\n1,2,3\n", &[]), @"expected 2 fields as the first line has, found 3");
        insta::assert_snapshot!(said("a\nx\n", &[("a", "bigint")]), @"column `a`: `x` is no bigint");
        insta::assert_snapshot!(said("a\n\"x\n", &[]), @r#"a quoted field of this row is not closed; close it with `"`, and write a quote within it as `""`"#);
        insta::assert_snapshot!(said("a\n1.005\n", &[("a", "numeric(10,2)")]), @"column `a`: `1.005` is no numeric(10,2): it has more digits behind the point, and none is dropped");
        insta::assert_snapshot!(said("a\nabc\n", &[("a", "varchar(2)")]), @"column `a`: `abc` is no varchar(2): it is longer");
        let of_all = IndexMap::from([("b".to_owned(), "bigint".to_owned())]);
        assert!(read("a\nx\n", ',', &of_all, true).is_ok());
        insta::assert_snapshot!(said("a\nx\n", &[("b", "bigint")]), @"`column_types` names `b`, which is not a column of the file");
        insta::assert_snapshot!(said("a\nx\n", &[("a", "bigit")]), @"unknown type `bigit` of column `a`; expected one of bigint, integer, smallint, tinyint, double, real, decimal(p,s), boolean, varchar, date, timestamp");
    }
}
