//! The declared schema of a source's rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Date32Type, Field, Int64Type, Schema, SchemaRef, TimeUnit, TimestampMicrosecondType,
};
use arrow::error::ArrowError;

use super::declared_type::{TypeError, declared_row_type};
use mep_sql::Unstorable;

/// The columns that a source's rows are read into, and which of them says when the event happened.
///
/// A field that is not nullable is required: a row without it is rejected. A key of a row that no column names is ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct RowSchema {
    /// Column names as the rows bear them (`itemInSession`), with their types.
    pub fields: SchemaRef,
    /// The index of the column of the event's time: `Int64` of epoch milliseconds or a timestamp. It is always required.
    pub event_time: Option<usize>,
}

/// Why a declared schema cannot be used.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum SchemaError {
    /// The type is not known, or none that rows are read into.
    #[error(transparent)]
    Type(#[from] TypeError),
    /// The event time is none of the columns.
    #[error("the event time `{0}` is not among the declared columns")]
    NoSuchEventTime(String),
    /// The event time's type holds no time.
    #[error("the event time `{column}` is {data_type}; expected bigint (epoch milliseconds) or timestamp")]
    NotATime {
        /// The column.
        column: String,
        /// Its type.
        data_type: String,
    },
    /// A declared column has a name that landing needs.
    #[error(
        "the declared column `{0}` has the name of a column that landing adds: declare it under another name"
    )]
    ReservedColumn(String),
    /// A column has a type that cannot be stored.
    #[error(transparent)]
    Unstorable(#[from] Unstorable),
}

impl RowSchema {
    /// The column of the event's time, where one is declared.
    pub fn event_time_field(&self) -> Option<&Field> {
        self.event_time.map(|index| self.fields.field(index))
    }

    /// A schema of columns given as (name, SQL type, required).
    ///
    /// # Errors
    /// Where a type is unknown, or the event time is no column or holds no time.
    pub fn new<'a>(
        columns: impl IntoIterator<Item = (&'a str, &'a str, bool)>,
        event_time: Option<&str>,
    ) -> Result<Self, SchemaError> {
        let mut fields = Vec::new();
        for (name, data_type, required) in columns {
            let data_type = declared_row_type(name, data_type)?;
            let required = required || event_time == Some(name);
            fields.push(Field::new(name, data_type, !required));
        }
        let event_time = match event_time {
            None => None,
            Some(name) => {
                let index = fields
                    .iter()
                    .position(|field| field.name() == name)
                    .ok_or_else(|| SchemaError::NoSuchEventTime(name.to_owned()))?;
                let data_type = fields[index].data_type();
                if !matches!(data_type, DataType::Int64 | DataType::Timestamp(_, _)) {
                    return Err(SchemaError::NotATime {
                        column: name.to_owned(),
                        data_type: data_type.to_string(),
                    });
                }
                Some(index)
            }
        };
        Ok(Self { fields: Arc::new(Schema::new(fields)), event_time })
    }

    /// The event time of each row in milliseconds since 1970, as `Int64`; `None` where the schema has no event time.
    ///
    /// # Errors
    /// Where the rows are not of this schema.
    pub fn event_millis(&self, rows: &RecordBatch) -> Result<Option<ArrayRef>, ArrowError> {
        let Some(index) = self.event_time else { return Ok(None) };
        let times = rows.column(index);
        if times.data_type() == &DataType::Int64 {
            return Ok(Some(times.clone()));
        }
        // A cast to milliseconds rounds towards 1970: the last of them before a midnight would be of the next day.
        let times = cast(times, &DataType::Timestamp(TimeUnit::Microsecond, None))?;
        let times = times.as_primitive::<TimestampMicrosecondType>();
        Ok(Some(Arc::new(times.unary::<_, Int64Type>(|micros| micros.div_euclid(1_000)))))
    }

    /// How many rows are of the years before 1980 by an event time that is a number: most likely of seconds, which are read as
    /// milliseconds.
    pub fn early_events(&self, rows: &RecordBatch) -> u64 {
        let times = self.event_time.map(|index| rows.column(index));
        let Some(times) = times.filter(|times| *times.data_type() == DataType::Int64) else { return 0 };
        let times = times.as_primitive::<Int64Type>();
        times.iter().flatten().filter(|time| *time < EIGHTIES).count() as u64
    }

    /// The UTC day of each row's event time; `None` where the schema has no event time.
    ///
    /// # Errors
    /// Where the rows are not of this schema.
    pub fn event_dates(&self, rows: &RecordBatch) -> Result<Option<ArrayRef>, ArrowError> {
        let Some(millis) = self.event_millis(rows)? else { return Ok(None) };
        let days = millis
            .as_primitive::<Int64Type>()
            .unary_opt::<_, Date32Type>(|millis| i32::try_from(millis.div_euclid(MILLIS_PER_DAY)).ok());
        Ok(Some(Arc::new(days)))
    }
}

/// 1980-01-01 in milliseconds since 1970: in seconds, no time before the year 11969.
const EIGHTIES: i64 = 315_532_800_000;

const MILLIS_PER_DAY: i64 = 86_400_000;

#[cfg(test)]
mod tests {
    use arrow::array::{Date32Array, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn the_last_microsecond_before_a_midnight_is_of_the_day_that_it_ends() {
        let schema = RowSchema::new([("ts", "timestamp", true)], Some("ts")).unwrap();
        let times = TimestampMicrosecondArray::from(vec![-86_400_001, -1, 0, 86_399_999_999]);
        let times = cast(&times, schema.fields.field(0).data_type()).unwrap();
        let rows = RecordBatch::try_new(schema.fields.clone(), vec![times]).unwrap();
        let days = schema.event_dates(&rows).unwrap().unwrap();
        assert_eq!(days.as_ref(), &Date32Array::from(vec![-1, -1, 0, 0]) as &dyn arrow::array::Array);
    }
}
