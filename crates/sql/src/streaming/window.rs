//! The window of time that rows are grouped by.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, DataFusionError, ScalarValue};
use datafusion::logical_expr::{Aggregate, Expr};

use super::StreamInput;
use super::refusal::Refusal;
use super::resolve::down;
use super::shape::towards;
use crate::scope::Scope;
use crate::tree::TreeWalk;

/// A tumbling window of time that rows are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Which group is its beginning.
    pub group: usize,
    /// How long it is, in milliseconds.
    pub length: i64,
}

const MINUTE: i64 = 60_000;
const DAY: i64 = 24 * 60 * MINUTE;
/// Milliseconds since 1970 by which it is tried whether an expression is the time of the event.
const SAMPLES: [i64; 4] = [0, 1_541_030_400_000, 1_541_079_999_999, 1_700_000_000_123];

/// The window of an aggregate: where several of its groups are windows, the shortest.
pub(super) fn find(
    scope: &Scope,
    aggregate: &Aggregate,
    stream: &StreamInput<'_>,
) -> Result<Window, Refusal> {
    let Some(event_time) = stream.event_time else {
        let refusal =
            Refusal::new("the source says no `event_time`, by which windows are closed").at("group");
        return Err(
            refusal.help("name the column of the event's time in the source's YAML: `event_time: ts`")
        );
    };
    let mut windows = Vec::new();
    for (group, expression) in aggregate.group_expr.iter().enumerate() {
        let resolved = down(expression.clone(), &aggregate.input, &|plan| towards(plan, stream))?;
        let Some((time, length)) = windowed(&resolved)? else { continue };
        if is_event_time(scope, time, event_time, stream)? {
            windows.push(Window { group, length });
        }
    }
    windows.into_iter().min_by_key(|window| window.length).ok_or_else(|| {
        let refusal = Refusal::new("groups without a window of time are never complete, so they would be kept for good");
        refusal.at("group").help(format!(
            "group by a window of the event time `{event_time}` too: date_trunc('minute', …) or tumble(…, interval '1 minute')"
        ))
    })
}

/// What an expression is a window of, and how long.
fn windowed(expression: &Expr) -> Result<Option<(&Expr, i64)>, Refusal> {
    Ok(match expression {
        Expr::Alias(alias) => windowed(&alias.expr)?,
        Expr::Cast(cast) if is_timestamp(cast.field.data_type()) => windowed(&cast.expr)?,
        Expr::ScalarFunction(call) => match (call.func.name(), call.args.as_slice()) {
            ("date_trunc", [unit, time]) => Some((time, length_of_unit(unit)?)),
            ("date_bin", [stride, time, ..]) | ("tumble", [time, stride]) => {
                Some((time, length_of_interval(stride)?))
            }
            _ => None,
        },
        _ => None,
    })
}

fn is_timestamp(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Timestamp(_, _))
}

fn length_of_unit(unit: &Expr) -> Result<i64, Refusal> {
    let unit = match unit {
        Expr::Literal(value, _) => value.try_as_str().flatten().map(str::to_lowercase),
        _ => None,
    };
    Ok(match unit.as_deref() {
        Some("second") => 1_000,
        Some("minute") => MINUTE,
        Some("hour") => 60 * MINUTE,
        Some("day") => DAY,
        Some("week") => 7 * DAY,
        _ => {
            let refusal = Refusal::new("a window of a stream has a fixed length").at_name("date_trunc");
            return Err(refusal.help("truncate to second, minute, hour, day or week"));
        }
    })
}

fn length_of_interval(stride: &Expr) -> Result<i64, Refusal> {
    let length = match stride {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), _) if interval.months == 0 => {
            Some(i64::from(interval.days) * DAY + interval.nanoseconds / 1_000_000)
        }
        Expr::Literal(ScalarValue::IntervalDayTime(Some(interval)), _) => {
            Some(i64::from(interval.days) * DAY + i64::from(interval.milliseconds))
        }
        _ => None,
    };
    length.filter(|length| *length > 0).ok_or_else(|| {
        let refusal = Refusal::new("a window of a stream has a fixed length of at least a millisecond");
        refusal.at("interval").help("give it as a literal of days or less: interval '5 minutes'")
    })
}

/// Whether an expression over the stream's columns is the time of the event, tried with some times.
fn is_event_time(
    scope: &Scope,
    expression: &Expr,
    event_time: &str,
    stream: &StreamInput<'_>,
) -> Result<bool, DataFusionError> {
    let columns = expression.column_refs();
    if columns.is_empty() || columns.iter().any(|column| column.name != event_time) {
        return Ok(false);
    }
    let unqualified = expression.clone().map_up(&mut |part| {
        Ok(match part {
            Expr::Column(column) => Transformed::yes(Expr::Column(Column::from_name(column.name))),
            other => Transformed::no(other),
        })
    })?;
    let data_type = stream.schema.field_with_name(event_time)?.data_type().clone();
    let schema = Schema::new(vec![Field::new(event_time, data_type.clone(), true)]);
    let physical =
        scope.state().create_physical_expr(unqualified.data, &DFSchema::try_from(schema.clone())?)?;
    let batch = RecordBatch::try_new(Arc::new(schema), vec![times(&data_type)?])?;
    let values = physical.evaluate(&batch)?.into_array(batch.num_rows())?;
    if !is_timestamp(values.data_type()) && values.data_type() != &DataType::Date32 {
        return Ok(false);
    }
    let millis = cast(&cast(&values, &DataType::Timestamp(TimeUnit::Millisecond, None))?, &DataType::Int64)?;
    Ok(millis.as_primitive::<Int64Type>().values().iter().eq(&SAMPLES))
}

/// The samples in the type of the event time's column: milliseconds, where it is a number.
fn times(data_type: &DataType) -> Result<ArrayRef, DataFusionError> {
    let millis: ArrayRef = Arc::new(Int64Array::from(SAMPLES.to_vec()));
    if data_type == &DataType::Int64 {
        return Ok(millis);
    }
    Ok(cast(&cast(&millis, &DataType::Timestamp(TimeUnit::Millisecond, None))?, data_type)?)
}
