//! Batches of another schema as rows of the declared one.
//!
//! Owns which column becomes which, and which rows are bad. Comes in: a batch whose values are typed already (of Parquet,
//! of Avro). Goes out: the good rows, and bad rows with their number. Must not know: where the batch comes from.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::filter;
use arrow::datatypes::{DataType, Int64Type, SchemaRef, TimestampMicrosecondType};
use arrow::error::ArrowError;
use arrow::util::display::array_value_to_string;

use super::bad_row::BadRow;
use super::column::{is_plausible_millis, sql_name};
use super::convert::{convert, is_convertible, is_written_null};
use super::decode::Decoded;
use mep_contract::source::schema::RowSchema;

/// For each column of the declared schema, which of the given one it is read from; or why that cannot be.
///
/// Columns are found by name, and where none is spelled so, by name in any case. One that is not there is null, unless it
/// is required.
pub fn columns_of(given: &SchemaRef, schema: &RowSchema) -> Result<Vec<Option<usize>>, String> {
    let mut columns = Vec::new();
    for field in schema.fields.fields() {
        let name = field.name();
        let column = find(given, name)?;
        match column {
            None if !field.is_nullable() => return Err(format!("the column \"{name}\" is missing")),
            Some(column) if !is_convertible(given.field(column).data_type(), field.data_type()) => {
                let found = kind(given.field(column).data_type());
                let expected = sql_name(field.data_type());
                return Err(format!("the column \"{name}\" is {found}, which cannot be read as {expected}"));
            }
            _ => columns.push(column),
        }
    }
    Ok(columns)
}

/// The names of the given columns that none of those found by [`columns_of`] is.
pub fn undeclared<'a>(
    given: &'a SchemaRef,
    columns: &'a [Option<usize>],
) -> impl Iterator<Item = String> + 'a {
    let fields = given.fields().iter().enumerate();
    let others = fields.filter(|(index, _)| !columns.contains(&Some(*index)));
    others.map(|(_, field)| field.name().clone())
}

/// What values of a type are, in words.
fn kind(data_type: &DataType) -> Cow<'static, str> {
    Cow::Borrowed(match data_type {
        DataType::Map(..) => "a map",
        DataType::Struct(_) => "a record",
        DataType::Union(..) => "a union of several types",
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "a list",
        DataType::FixedSizeBinary(_) => "bytes of a fixed length",
        DataType::Binary | DataType::LargeBinary => "bytes",
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "a text",
        of if of.is_integer() => "a whole number",
        of if of.is_floating() => "a floating-point number",
        DataType::Boolean => "a boolean",
        DataType::Date32 | DataType::Date64 => "a date",
        DataType::Timestamp(..) => "a timestamp",
        DataType::Time32(_) | DataType::Time64(_) => "a time of day",
        DataType::Interval(_) | DataType::Duration(_) => "a length of time",
        other => return Cow::Owned(other.to_string()),
    })
}

/// Which column is called `name`.
fn find(schema: &SchemaRef, name: &str) -> Result<Option<usize>, String> {
    if let Ok(index) = schema.index_of(name) {
        return Ok(Some(index));
    }
    let lower = name.to_lowercase();
    let mut alike =
        schema.fields().iter().enumerate().filter(|(_, field)| field.name().to_lowercase() == lower);
    match (alike.next(), alike.next()) {
        (None, _) => Ok(None),
        (Some((index, _)), None) => Ok(Some(index)),
        (Some((_, a)), Some((_, b))) => {
            Err(format!("both \"{}\" and \"{}\" could be the column \"{name}\"", a.name(), b.name()))
        }
    }
}

/// The rows of a batch: the good ones as a batch of the schema. `columns` is as [`columns_of`] gives it.
///
/// # Errors
/// Where Arrow refuses to convert what it said it can.
pub fn rows_of(
    batch: &RecordBatch,
    columns: &[Option<usize>],
    schema: &SchemaRef,
    event_time: Option<usize>,
    first_row: u64,
) -> Result<Decoded, ArrowError> {
    let mut arrays = Vec::with_capacity(columns.len());
    let mut bad = BTreeMap::new();
    for (index, (field, column)) in schema.fields().iter().zip(columns).enumerate() {
        let Some(column) = column else {
            arrays.push(new_null_array(field.data_type(), batch.num_rows()));
            continue;
        };
        let given = batch.column(*column);
        let array = convert(given, field.data_type())?;
        let is_event_time = event_time == Some(index);
        if array.null_count() > 0 || is_event_time {
            for row in 0..batch.num_rows() {
                let fault = if array.is_valid(row) {
                    let is_bad = is_event_time && !is_plausible(&array, row);
                    is_bad.then(|| {
                        format!(": the event time {} is not in the years 1970 to 9999", show(given, row))
                    })
                } else if given.is_valid(row) && !is_written_null(given, row, field.data_type()) {
                    let found = show(given, row);
                    let is_exact = given.data_type().is_integer() || given.data_type().is_decimal();
                    Some(if is_exact && *field.data_type() == DataType::Float64 {
                        format!(": double would lose digits of {found}; declare it as bigint or decimal")
                    } else {
                        format!(": expected {}, found {found}", sql_name(field.data_type()))
                    })
                } else {
                    (!field.is_nullable()).then(|| " is null, but required".to_owned())
                };
                if let Some(fault) = fault {
                    bad.entry(row).or_insert_with(|| format!("field \"{}\"{fault}", field.name()));
                }
            }
        }
        arrays.push(array);
    }
    if !bad.is_empty() {
        let is_good: BooleanArray = (0..batch.num_rows()).map(|row| Some(!bad.contains_key(&row))).collect();
        arrays = arrays.iter().map(|array| filter(array, &is_good)).collect::<Result<_, _>>()?;
    }
    let landed = batch.num_rows() - bad.len();
    let mut batches = Vec::new();
    if landed > 0 {
        let options = RecordBatchOptions::new().with_row_count(Some(landed));
        batches.push(RecordBatch::try_new_with_options(Arc::clone(schema), arrays, &options)?);
    }
    let rejects = bad
        .into_iter()
        .map(|(row, reason)| BadRow::new(first_row + row as u64, reason, show_row(batch, row).as_bytes()));
    Ok(Decoded { batches, rejects: rejects.collect(), read: batch.num_rows() as u64 })
}

fn is_plausible(event_times: &ArrayRef, row: usize) -> bool {
    is_plausible_millis(match event_times.data_type() {
        DataType::Int64 => event_times.as_primitive::<Int64Type>().value(row),
        DataType::Timestamp(_, _) => {
            event_times.as_primitive::<TimestampMicrosecondType>().value(row).div_euclid(1_000)
        }
        _ => return false,
    })
}

fn show(array: &ArrayRef, row: usize) -> String {
    array_value_to_string(array, row).unwrap_or_else(|error| error.to_string())
}

fn show_row(batch: &RecordBatch, row: usize) -> String {
    let schema = batch.schema();
    let values = schema.fields().iter().zip(batch.columns());
    values
        .map(|(field, array)| format!("{}={}", field.name(), show(array, row)))
        .collect::<Vec<_>>()
        .join(", ")
}
