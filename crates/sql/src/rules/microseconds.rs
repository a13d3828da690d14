//! Times in microseconds, throughout a plan.
//!
//! The engine takes a timestamp for one in nanoseconds wherever SQL does not say otherwise: in casts, literals, comparisons of a
//! date with a time, `now()`. Nanoseconds end in 2262, and 9999-12-31 is the common end of an open range. Tables hold microseconds,
//! so the plan computes in them. Runs after types were made equal, so that it sees every cast.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::datasource::cte_worktable::CteWorkTable;
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::functions::math::round;
use datafusion::logical_expr::expr::{Cast, Placeholder, ScalarFunction, TryCast};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, TableScan, TableScanBuilder, Union, cast, lit,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::parts::replaced;
use crate::tree::PlanWalk;
use mep_core::written_time;

/// The rule.
#[derive(Debug)]
pub struct Microseconds;

impl AnalyzerRule for Microseconds {
    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        // Once a type has changed, so may those of all plans above.
        let mut has_changed = false;
        let analyzed = plan.map_up_with_subqueries(&mut |node| {
            let rewritten = of_node(node)?;
            has_changed |= rewritten.transformed;
            if has_changed { rewritten.data.with_new_types().map(Transformed::yes) } else { Ok(rewritten) }
        });
        Ok(analyzed?.data)
    }

    fn name(&self) -> &'static str {
        "microseconds"
    }
}

trait NewTypes: Sized {
    /// The plan with its schema made up anew.
    fn with_new_types(self) -> Result<Self>;
}

impl NewTypes for LogicalPlan {
    fn with_new_types(self) -> Result<Self> {
        match self {
            Self::Union(union) => {
                let schema = union.schema.clone();
                let anew = Union::try_new(union.inputs.clone())?;
                // A union names its columns as its author had it; only the types are new.
                let fields = schema.iter().zip(anew.schema.fields()).map(|((qualifier, field), typed)| {
                    let field = field.as_ref().clone().with_data_type(typed.data_type().clone());
                    (qualifier.cloned(), Arc::new(field))
                });
                let schema = DFSchema::new_with_metadata(fields.collect(), schema.metadata().clone())?;
                Ok(Self::Union(Union { inputs: union.inputs, schema: Arc::new(schema) }))
            }
            Self::Values(values) => LogicalPlanBuilder::values(values.values)?.build(),
            other => other.recompute_schema(),
        }
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    if let LogicalPlan::TableScan(scan) = &node
        && scan.projected_schema.fields().iter().any(|field| in_microseconds(field.data_type()).is_some())
    {
        let of_rows_before = match source_as_provider(&scan.source) {
            Ok(table) => table.downcast_ref::<CteWorkTable>().map(|table| of_work_table(scan, table)),
            Err(_) => None,
        };
        return of_rows_before.unwrap_or_else(|| scan_in_microseconds(node)).map(Transformed::yes);
    }
    replaced(node, is_in_nanoseconds, of_expression)
}

/// A scan of the rows of the step before, in a recursive query: they come as the query gives them.
fn of_work_table(scan: &TableScan, table: &CteWorkTable) -> Result<LogicalPlan> {
    let schema = table.schema();
    let fields = schema.fields().iter().map(|field| match in_microseconds(field.data_type()) {
        Some(data_type) => retyped(field, data_type),
        None => field.clone(),
    });
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let source = provider_as_source(Arc::new(CteWorkTable::new(table.name(), schema)));
    let scan = TableScanBuilder::new(scan.table_name.clone(), source)
        .with_projection(scan.projection.clone())
        .with_filters(scan.filters.clone())
        .with_fetch(scan.fetch);
    Ok(LogicalPlan::TableScan(scan.build()?))
}

/// A scan of a table that comes in nanoseconds, such as what a table function gives.
fn scan_in_microseconds(scan: LogicalPlan) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = scan
        .schema()
        .iter()
        .map(|(qualifier, field)| {
            let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
            match in_microseconds(field.data_type()) {
                Some(data_type) => cast(column, data_type).alias_qualified(qualifier.cloned(), field.name()),
                None => column,
            }
        })
        .collect();
    LogicalPlanBuilder::from(scan).project(columns)?.build()
}

/// Whether a part of an expression may be a time in nanoseconds by itself.
fn is_in_nanoseconds(part: &Expr) -> bool {
    match part {
        Expr::Cast(Cast { field, .. })
        | Expr::TryCast(TryCast { field, .. })
        | Expr::OuterReferenceColumn(field, _)
        | Expr::Placeholder(Placeholder { field: Some(field), .. }) => {
            in_microseconds(field.data_type()).is_some()
        }
        Expr::Literal(value, _) => in_microseconds(&value.data_type()).is_some(),
        Expr::ScalarFunction(call) => GIVE_TIMES.contains(&call.func.name()),
        _ => false,
    }
}

/// The functions that give a time of a unit of their own, or read a text by way of nanoseconds.
const GIVE_TIMES: [&str; 11] = [
    "now",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
    "to_unixtime",
    "arrow_cast",
    "arrow_try_cast",
    "range",
    "generate_series",
];

/// Those of them that count up from one time to another, in nanoseconds.
const SERIES: [&str; 2] = ["range", "generate_series"];

/// A series with its times made nanoseconds beforehand: it gives NULL where these do not hold one, and this is an error. One of days
/// is one of times, as in PostgreSQL and DuckDB.
fn of_series(mut call: ScalarFunction, schema: &DFSchema) -> Result<ScalarFunction> {
    for arg in &mut call.args {
        let zone = match arg.get_type(schema)? {
            DataType::Timestamp(_, zone) => zone,
            DataType::Date32 => None,
            _ => continue,
        };
        *arg = cast(std::mem::take(arg), DataType::Timestamp(TimeUnit::Nanosecond, zone));
    }
    Ok(call)
}

/// A text that is a time, written in full: the engine reads no other one.
fn in_full(expression: Expr) -> Expr {
    match &expression {
        Expr::Literal(ScalarValue::Utf8(Some(text)), _) => {
            written_time::in_full(text).map_or(expression, lit)
        }
        _ => expression,
    }
}

fn of_expression(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match part {
        Expr::Cast(Cast { expr, field }) => match in_microseconds(field.data_type()) {
            // A column in microseconds, which was to be compared with a day.
            Some(data_type) if matches!(*expr, Expr::Column(_)) && expr.get_type(schema)? == data_type => {
                Transformed::yes(*expr)
            }
            Some(data_type) => Transformed::yes(of_cast(in_full(*expr), &field, data_type)),
            None => Transformed::no(Expr::Cast(Cast { expr, field })),
        },
        Expr::TryCast(TryCast { expr, field }) => match in_microseconds(field.data_type()) {
            Some(data_type) => {
                Transformed::yes(Expr::TryCast(TryCast { expr, field: retyped(&field, data_type) }))
            }
            None => Transformed::no(Expr::TryCast(TryCast { expr, field })),
        },
        Expr::Literal(value, metadata) => match in_microseconds(&value.data_type()) {
            Some(data_type) => {
                let value = match value {
                    ScalarValue::TimestampNanosecond(value, zone) => {
                        ScalarValue::TimestampMicrosecond(value.map(|value| value.div_euclid(1000)), zone)
                    }
                    other => other.cast_to(&data_type)?,
                };
                Transformed::yes(Expr::Literal(value, metadata))
            }
            None => Transformed::no(Expr::Literal(value, metadata)),
        },
        Expr::OuterReferenceColumn(field, column) => match in_microseconds(field.data_type()) {
            Some(data_type) => {
                Transformed::yes(Expr::OuterReferenceColumn(retyped(&field, data_type), column))
            }
            None => Transformed::no(Expr::OuterReferenceColumn(field, column)),
        },
        Expr::Placeholder(Placeholder { id, field: Some(field) }) => {
            let data_type = in_microseconds(field.data_type());
            let is_changed = data_type.is_some();
            let field = data_type.map_or_else(|| field.clone(), |data_type| retyped(&field, data_type));
            let placeholder = Expr::Placeholder(Placeholder { id, field: Some(field) });
            if is_changed { Transformed::yes(placeholder) } else { Transformed::no(placeholder) }
        }
        Expr::ScalarFunction(call) if GIVE_TIMES.contains(&call.func.name()) => of_call(call, schema)?,
        other => Transformed::no(other),
    })
}

/// A cast to nanoseconds as one to microseconds.
fn of_cast(value: Expr, field: &FieldRef, data_type: DataType) -> Expr {
    // What is of these types has a length in nanoseconds only.
    if matches!(data_type, DataType::Duration(_)) {
        let in_nanoseconds = Expr::Cast(Cast { expr: Box::new(value), field: field.clone() });
        return cast(in_nanoseconds, data_type);
    }
    Expr::Cast(Cast { expr: Box::new(value), field: retyped(field, data_type) })
}

fn of_call(call: ScalarFunction, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let name = call.func.name().to_owned();
    if let (
        "to_timestamp"
        | "to_timestamp_seconds"
        | "to_timestamp_millis"
        | "to_timestamp_micros"
        | "to_unixtime",
        [value],
    ) = (name.as_str(), call.args.as_slice())
        && let Some(time) = time_of(&name, value, schema)?
    {
        return Ok(Transformed::yes(time));
    }
    let call =
        Expr::ScalarFunction(if SERIES.contains(&name.as_str()) { of_series(call, schema)? } else { call });
    Ok(match in_microseconds(&call.get_type(schema)?) {
        Some(data_type) => Transformed::yes(cast(call, data_type)),
        None => Transformed::no(call),
    })
}

/// What a function makes of a text or a number without nanoseconds on the way; `None` where there are none.
fn time_of(function: &str, value: &Expr, schema: &DFSchema) -> Result<Option<Expr>> {
    let micros = DataType::Timestamp(TimeUnit::Microsecond, None);
    let seconds = DataType::Timestamp(TimeUnit::Second, None);
    let of = value.get_type(schema)?;
    let is_text = matches!(of, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
    Ok(match function {
        "to_timestamp" if is_text || of.is_temporal() => Some(cast(value.clone(), micros)),
        "to_timestamp" if of.is_integer() => {
            Some(cast(cast(cast(value.clone(), DataType::Int64), seconds), micros))
        }
        "to_timestamp" if of.is_floating() || of.is_decimal() => {
            let length = cast(value.clone(), DataType::Float64) * lit(1_000_000.0);
            Some(cast(cast(round().call(vec![length]), DataType::Int64), micros))
        }
        "to_timestamp_seconds" if is_text => Some(cast(cast(value.clone(), micros), seconds)),
        "to_timestamp_millis" if is_text => {
            Some(cast(cast(value.clone(), micros), DataType::Timestamp(TimeUnit::Millisecond, None)))
        }
        "to_timestamp_micros" if is_text => Some(cast(value.clone(), micros)),
        "to_unixtime" if is_text => Some(cast(cast(cast(value.clone(), micros), seconds), DataType::Int64)),
        _ => None,
    })
}

fn retyped(field: &FieldRef, data_type: DataType) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// The type with microseconds wherever it has nanoseconds; `None` where it has none.
fn in_microseconds(data_type: &DataType) -> Option<DataType> {
    let of_field = |field: &FieldRef| in_microseconds(field.data_type()).map(|inner| retyped(field, inner));
    Some(match data_type {
        DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
            DataType::Timestamp(TimeUnit::Microsecond, zone.clone())
        }
        DataType::Duration(TimeUnit::Nanosecond) => DataType::Duration(TimeUnit::Microsecond),
        DataType::List(field) => DataType::List(of_field(field)?),
        DataType::LargeList(field) => DataType::LargeList(of_field(field)?),
        DataType::FixedSizeList(field, length) => DataType::FixedSizeList(of_field(field)?, *length),
        DataType::Struct(fields) if fields.iter().any(|field| of_field(field).is_some()) => {
            let fields = fields.iter().map(|field| of_field(field).unwrap_or_else(|| field.clone()));
            DataType::Struct(fields.collect::<Vec<Arc<Field>>>().into())
        }
        _ => return None,
    })
}
