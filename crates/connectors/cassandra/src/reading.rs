//! Reading a table as a whole, for those who compare it.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use datafusion::common::ScalarValue;
use futures::TryStreamExt;
use scylla::statement::unprepared::Statement;
use scylla::value::{CqlValue, Row};

use super::connection::CassandraSession;
use super::failure;
use super::shape::quoted;
use mep_contract::sink::SinkError;

/// How many rows a batch has.
const ROWS: usize = 8_192;

/// The day 1970-01-01 as Cassandra counts days.
const EPOCH_DAY: i64 = 1 << 31;

/// All rows of a table, of these columns.
///
/// # Errors
/// Where they cannot be read, or a value is none of its column's type.
pub(super) async fn read(
    session: &CassandraSession,
    keyspace: &str,
    name: &str,
    schema: &SchemaRef,
) -> Result<Vec<RecordBatch>, SinkError> {
    let doing = format!("read the table {name}");
    let columns: Vec<String> = schema.fields().iter().map(|field| quoted(field.name())).collect();
    let select = format!("SELECT {} FROM {}.{}", columns.join(", "), quoted(keyspace), quoted(name));
    let mut statement = Statement::new(select).with_page_size(5_000);
    statement.set_is_idempotent(true);
    let pager = session.driver.get_session().query_iter(statement, ()).await;
    let pager = pager.map_err(|error| failure::answer(&doing, &error))?;
    let mut rows = pager.rows_stream::<Row>().map_err(|error| failure::answer(&doing, &error))?;
    let mut batches = Vec::new();
    let mut some: Vec<Row> = Vec::with_capacity(ROWS);
    while let Some(row) = rows.try_next().await.map_err(|error| failure::answer(&doing, &error))? {
        some.push(row);
        if some.len() == ROWS {
            batches.push(batch(&some, schema, &doing)?);
            some.clear();
        }
    }
    if !some.is_empty() {
        batches.push(batch(&some, schema, &doing)?);
    }
    Ok(batches)
}

fn batch(rows: &[Row], schema: &SchemaRef, doing: &str) -> Result<RecordBatch, SinkError> {
    let wrong = |error: &dyn std::fmt::Display| SinkError::Refused(format!("cannot {doing}: {error}"));
    let mut arrays: Vec<ArrayRef> = Vec::new();
    for (index, field) in schema.fields().iter().enumerate() {
        let values = rows.iter().map(|row| scalar(row.columns.get(index).and_then(Option::as_ref), field));
        let values = values.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(&error))?;
        let array = ScalarValue::iter_to_array(values).map_err(|error| wrong(&error))?;
        arrays.push(cast(&array, field.data_type()).map_err(|error| wrong(&error))?);
    }
    // A key of the model can be null in its type, and none is here; the other way round a new column is null in old rows.
    let fields = schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<Field>>()));
    RecordBatch::try_new(schema, arrays).map_err(|error| wrong(&error))
}

/// A value in the type that it has in Arrow; of a null it is the column's.
fn scalar(value: Option<&CqlValue>, field: &Field) -> Result<ScalarValue, String> {
    let Some(value) = value else {
        return ScalarValue::try_from(&read_type(field.data_type())).map_err(|error| error.to_string());
    };
    Ok(match value {
        CqlValue::Text(text) | CqlValue::Ascii(text) => ScalarValue::Utf8(Some(text.clone())),
        CqlValue::Blob(bytes) => ScalarValue::Binary(Some(bytes.clone())),
        CqlValue::Boolean(value) => ScalarValue::Boolean(Some(*value)),
        CqlValue::TinyInt(value) => ScalarValue::Int8(Some(*value)),
        CqlValue::SmallInt(value) => ScalarValue::Int16(Some(*value)),
        CqlValue::Int(value) => ScalarValue::Int32(Some(*value)),
        CqlValue::BigInt(value) => ScalarValue::Int64(Some(*value)),
        CqlValue::Float(value) => ScalarValue::Float32(Some(*value)),
        CqlValue::Double(value) => ScalarValue::Float64(Some(*value)),
        CqlValue::Timestamp(value) => ScalarValue::TimestampMillisecond(Some(value.0), None),
        CqlValue::Date(value) => ScalarValue::Date32(i32::try_from(i64::from(value.0) - EPOCH_DAY).ok()),
        CqlValue::Decimal(value) => decimal(value.as_signed_be_bytes_slice_and_exponent(), field)?,
        other => return Err(format!("`{}` is {other:?}, which no model gives", field.name())),
    })
}

/// The type that a column's values are read as.
fn read_type(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::UInt8 => DataType::Int16,
        DataType::UInt16 => DataType::Int32,
        DataType::UInt32 | DataType::UInt64 => DataType::Int64,
        DataType::Timestamp(_, _) => DataType::Timestamp(arrow::datatypes::TimeUnit::Millisecond, None),
        other => other.clone(),
    }
}

fn decimal((bytes, exponent): (&[u8], i32), field: &Field) -> Result<ScalarValue, String> {
    let DataType::Decimal128(precision, scale) = field.data_type() else {
        return Err(format!("`{}` is a decimal, and {} in the model", field.name(), field.data_type()));
    };
    let unfit = || format!("`{}` has a decimal that does not fit {}", field.name(), field.data_type());
    if i32::from(*scale) != exponent || bytes.len() > 16 {
        return Err(unfit());
    }
    let negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let mut whole = [if negative { 0xff } else { 0 }; 16];
    whole[16 - bytes.len()..].copy_from_slice(bytes);
    Ok(ScalarValue::Decimal128(Some(i128::from_be_bytes(whole)), *precision, *scale))
}
