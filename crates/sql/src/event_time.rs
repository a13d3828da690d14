//! The column that says when a row's event happened, and the filter for the rows of a stretch of time.

use arrow::datatypes::{DataType, Schema};
use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, DataFusionError, ScalarValue};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::alignment::relation;
use super::planned::{PlannedQuery, SqlError};
use super::types_said::sql_type;
use crate::tree::PlanWalk;
use mep_core::relation::Relation;
use mep_core::time_range::TimeRange;

/// The column of a table's event time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventTime {
    column: String,
    form: Form,
    /// A partition column that holds the UTC day of the event time: a filter on it spares reading the other days.
    day: Option<String>,
}

/// How a column holds a time.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Milliseconds since 1970.
    Millis,
    /// A timestamp of this type.
    Timestamp(DataType),
    /// A day, which stands for its midnight.
    Date,
}

/// Why a column says no event time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoEventTime {
    /// It is not there.
    #[error("`event_time` names `{0}`, which is not one of its columns")]
    Missing(String),
    /// Its type holds no time.
    #[error(
        "`event_time` names `{column}`, which is {found}; expected timestamp, date or bigint (epoch milliseconds)"
    )]
    NoTime {
        /// The column.
        column: String,
        /// Its type, as SQL says it.
        found: String,
    },
}

impl EventTime {
    /// The event time in this column.
    ///
    /// # Errors
    /// Where there is no such column, or its type holds no time.
    pub fn of(column: &str, schema: &Schema) -> Result<Self, NoEventTime> {
        let Ok(field) = schema.field_with_name(column) else {
            return Err(NoEventTime::Missing(column.to_owned()));
        };
        let form = match field.data_type() {
            DataType::Int64 => Form::Millis,
            DataType::Date32 => Form::Date,
            data_type @ DataType::Timestamp(_, _) => Form::Timestamp(data_type.clone()),
            other => {
                return Err(NoEventTime::NoTime { column: column.to_owned(), found: sql_type(other) });
            }
        };
        Ok(Self { column: column.to_owned(), form, day: None })
    }

    /// The same, where a partition column holds the day.
    #[must_use]
    pub fn with_day(mut self, day: &str) -> Self {
        self.day = Some(day.to_owned());
        self
    }

    /// The rows of a plan whose event time lies within a stretch.
    ///
    /// # Errors
    /// Where the plan lacks the column, or the time is past what its type holds.
    pub fn rows_within(&self, query: PlannedQuery, range: TimeRange) -> Result<PlannedQuery, SqlError> {
        let filter = self.is_between(query.schema(), range.begin, Some(range.end))?;
        Ok(LogicalPlanBuilder::from(query.into_plan()).filter(filter)?.build()?.into())
    }

    /// The rows of a plan whose event time lies outside a stretch, or is NULL.
    ///
    /// # Errors
    /// Where the plan lacks the column, or the time is past what its type holds.
    pub fn rows_without(&self, query: PlannedQuery, range: TimeRange) -> Result<PlannedQuery, SqlError> {
        let filter = self.is_between(query.schema(), range.begin, Some(range.end))?.is_not_true();
        Ok(LogicalPlanBuilder::from(query.into_plan()).filter(filter)?.build()?.into())
    }

    /// A plan that reads of one table, wherever it does, only the rows whose event time is not before a time.
    ///
    /// # Errors
    /// Where the table lacks the column, or the time is past what its type holds.
    pub fn reading_since(
        &self,
        query: PlannedQuery,
        table: &Relation,
        begin: NaiveDateTime,
    ) -> Result<PlannedQuery, SqlError> {
        let read = query.into_plan().map_up_with_subqueries(&mut |part| {
            let LogicalPlan::TableScan(scan) = &part else { return Ok(Transformed::no(part)) };
            if relation(scan) != *table {
                return Ok(Transformed::no(part));
            }
            let filter = self.is_between(part.schema(), begin, None)?;
            LogicalPlanBuilder::from(part).filter(filter)?.build().map(Transformed::yes)
        })?;
        Ok(read.data.into())
    }

    /// Whether the event time is not before one time, and before another one where there is an end.
    fn is_between(
        &self,
        schema: &DFSchema,
        begin: NaiveDateTime,
        end: Option<NaiveDateTime>,
    ) -> Result<Expr, DataFusionError> {
        let time = column(&self.column, schema)?;
        let mut own = time.clone().gt_eq(self.literal(begin)?);
        if let Some(end) = end {
            own = own.and(time.lt(self.literal(end)?));
        }
        let Some(day) = &self.day else { return Ok(own) };
        let day = column(day, schema)?;
        let mut days = day.clone().gt_eq(date(begin.date()));
        if let Some(end) = end {
            days = days.and(day.lt(date(next_midnight(end))));
        }
        Ok(days.and(own))
    }

    fn literal(&self, time: NaiveDateTime) -> Result<Expr, DataFusionError> {
        Ok(match &self.form {
            Form::Millis => lit(time.and_utc().timestamp_millis()),
            Form::Date => date(next_midnight(time)),
            Form::Timestamp(data_type) => {
                let micros = time.and_utc().timestamp_micros();
                lit(ScalarValue::TimestampMicrosecond(Some(micros), None).cast_to(data_type)?)
            }
        })
    }
}

fn column(name: &str, schema: &DFSchema) -> Result<Expr, DataFusionError> {
    let (qualifier, _) = schema.qualified_field_with_unqualified_name(name)?;
    Ok(Expr::Column(Column::new(qualifier.cloned(), name)))
}

/// The first day whose midnight is not before a time.
fn next_midnight(time: NaiveDateTime) -> NaiveDate {
    let day = time.date();
    if time.time() == NaiveTime::MIN {
        day
    } else {
        day.checked_add_signed(TimeDelta::days(1)).unwrap_or(day)
    }
}

fn date(day: NaiveDate) -> Expr {
    lit(ScalarValue::Date32(Some(arrow::datatypes::Date32Type::from_naive_date(day))))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, TimeUnit};

    use super::*;

    fn filter(data_type: DataType, day: bool, hours: (i64, i64)) -> String {
        let schema =
            Schema::new(vec![Field::new("at", data_type, true), Field::new("day", DataType::Date32, true)]);
        let of = EventTime::of("at", &schema).unwrap();
        let of = if day { of.with_day("day") } else { of };
        let midnight = NaiveDate::from_ymd_opt(1970, 1, 2).unwrap().and_time(NaiveTime::MIN);
        let range = TimeRange {
            begin: midnight + TimeDelta::hours(hours.0),
            end: midnight + TimeDelta::hours(hours.1),
        };
        of.is_between(&DFSchema::try_from(schema).unwrap(), range.begin, Some(range.end)).unwrap().to_string()
    }

    #[test]
    fn a_stretch_is_compared_in_the_columns_own_type_and_the_day_beside_it() {
        insta::assert_snapshot!(
            filter(DataType::Int64, true, (1, 2)),
            @r#"day >= Date32("1970-01-02") AND day < Date32("1970-01-03") AND at >= Int64(90000000) AND at < Int64(93600000)"#
        );
        insta::assert_snapshot!(
            filter(DataType::Timestamp(TimeUnit::Millisecond, None), false, (0, 24)),
            @"at >= TimestampMillisecond(86400000, None) AND at < TimestampMillisecond(172800000, None)"
        );
        insta::assert_snapshot!(
            filter(DataType::Date32, false, (1, 25)),
            @r#"at >= Date32("1970-01-03") AND at < Date32("1970-01-04")"#
        );
    }

    #[test]
    fn what_holds_no_time_is_refused() {
        let schema = Schema::new(vec![Field::new("at", DataType::Utf8, true)]);
        insta::assert_snapshot!(EventTime::of("at", &schema).unwrap_err(), @"`event_time` names `at`, which is varchar; expected timestamp, date or bigint (epoch milliseconds)");
        insta::assert_snapshot!(EventTime::of("on", &schema).unwrap_err(), @"`event_time` names `on`, which is not one of its columns");
    }
}
