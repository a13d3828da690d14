//! Intervals are compared by how long they are, and their parts are those that DuckDB and PostgreSQL give.
//!
//! The engine compares months, then days, then hours, so that 30 hours were less than one day; a time less a time is a number of
//! microseconds to it, which as an interval had no days at all, and whose parts were wholes: `extract(minute from …)` gave 2909 of two
//! days. A month is 30 days here and a day is 24 hours, as in both.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int32Array, Int64Array};
use arrow::compute::cast;
use arrow::datatypes::{DataType, DurationMicrosecondType, IntervalMonthDayNanoType, IntervalUnit, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue, exec_err, plan_err};
use datafusion::logical_expr::expr::{Between, Cast, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

use super::parts::replaced;
use crate::tree::PlanWalk;

/// The rule. It comes after types were made equal, since only then they are known.
#[derive(Debug, Default)]
pub struct Intervals;

impl AnalyzerRule for Intervals {
    fn name(&self) -> &'static str {
        "intervals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        Ok(plan.map_up_with_subqueries(&mut of_node)?.data)
    }
}

fn of_node(node: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let inputs = node.inputs();
    let mut fields = inputs.iter().flat_map(|input| input.schema().fields().iter());
    let has_columns = fields.any(|field| is_span(field.data_type()));
    replaced(node, |part| concerns(part, has_columns), |part, schema| Ok(of_expression(part, schema)))
}

/// A length of time.
fn is_span(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Interval(_) | DataType::Duration(_))
}

fn concerns(part: &Expr, has_columns: bool) -> bool {
    let may_be_span = |side: &Expr| match side {
        Expr::Literal(value, _) => is_span(&value.data_type()),
        Expr::Cast(Cast { field, .. }) => is_span(field.data_type()),
        Expr::Column(_) => has_columns,
        _ => true,
    };
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            compares(*op) && may_be_span(left) && may_be_span(right)
        }
        Expr::Between(between) => may_be_span(&between.expr) && may_be_span(&between.low),
        Expr::ScalarFunction(call) => {
            call.func.name() == "date_part" && call.args.get(1).is_some_and(may_be_span)
        }
        _ => false,
    }
}

fn compares(operator: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(operator, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

fn of_expression(part: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let is_one = |side: &Expr| side.get_type(schema).is_ok_and(|data_type| is_span(&data_type));
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right })
            if compares(op) && is_one(&left) && is_one(&right) =>
        {
            let (left, right) = (length(*left, schema).into(), length(*right, schema).into());
            Transformed::yes(Expr::BinaryExpr(BinaryExpr { left, op, right }))
        }
        Expr::Between(Between { expr, negated, low, high })
            if is_one(&expr) && is_one(&low) && is_one(&high) =>
        {
            let [expr, low, high] = [expr, low, high].map(|one| length(*one, schema).into());
            Transformed::yes(Expr::Between(Between { expr, negated, low, high }))
        }
        Expr::ScalarFunction(mut call) if call.func.name() == "date_part" && call.args.len() == 2 => {
            let of = match (&call.args[0], is_one(&call.args[1])) {
                (Expr::Literal(part, _), true) => part.try_as_str().flatten().and_then(IntervalPart::named),
                _ => None,
            };
            let Some(of) = of else { return Transformed::no(Expr::ScalarFunction(call)) };
            let span = as_counted(call.args.swap_remove(1), schema);
            Transformed::yes(called(Measure::Part(of), span))
        }
        other => Transformed::no(other),
    }
}

/// How many microseconds long a span is.
fn length(span: Expr, schema: &DFSchema) -> Expr {
    called(Measure::Length, as_counted(span, schema))
}

/// A difference of times as it is, without the cast to an interval that has no days then.
fn as_counted(span: Expr, schema: &DFSchema) -> Expr {
    match span {
        Expr::Cast(Cast { expr, .. })
            if expr.get_type(schema).is_ok_and(|of| matches!(of, DataType::Duration(_))) =>
        {
            *expr
        }
        other => other,
    }
}

fn called(measure: Measure, span: Expr) -> Expr {
    let function = MeasureFunction { measure, signature: Signature::any(1, Volatility::Immutable) };
    let function = Arc::new(ScalarUDF::new_from_impl(function));
    Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![span]))
}

/// What is told of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Measure {
    Length,
    Part(IntervalPart),
}

/// A part of an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum IntervalPart {
    Year,
    Quarter,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
    Epoch,
}

impl IntervalPart {
    fn named(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        Some(match name.strip_suffix('s').unwrap_or(&name) {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "millisecond" => Self::Millisecond,
            "microsecond" => Self::Microsecond,
            "epoch" => Self::Epoch,
            _ => return None,
        })
    }
}

/// An interval by its parts. Those of a difference of times are days of 24 hours, and what is left of one.
#[derive(Clone, Copy)]
struct IntervalSpan {
    months: i64,
    days: i64,
    micros: i64,
}

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

impl IntervalSpan {
    fn counted(micros: i64) -> Self {
        Self { months: 0, days: micros / DAY, micros: micros % DAY }
    }

    /// Its microseconds. What is longer than a number of them can say is as long as that.
    fn length(self) -> i64 {
        let days = self.months.saturating_mul(30).saturating_add(self.days);
        days.saturating_mul(DAY).saturating_add(self.micros)
    }

    fn part(self, part: IntervalPart) -> i64 {
        match part {
            IntervalPart::Year => self.months / 12,
            IntervalPart::Quarter => self.months % 12 / 3 + 1,
            IntervalPart::Month => self.months % 12,
            IntervalPart::Day => self.days,
            IntervalPart::Hour => self.micros / HOUR,
            IntervalPart::Minute => self.micros / 60_000_000 % 60,
            IntervalPart::Second | IntervalPart::Epoch => self.micros / 1_000_000 % 60,
            IntervalPart::Millisecond => self.micros % 60_000_000 / 1_000,
            IntervalPart::Microsecond => self.micros % 60_000_000,
        }
    }

    /// Its seconds, of years of 365.25 days.
    fn epoch(self) -> f64 {
        let days = self.months / 12 * 36_525 + (self.months % 12 * 30 + self.days) * 100;
        days as f64 * 864.0 + self.micros as f64 / 1e6
    }
}

fn spans(values: &ArrayRef) -> Result<Vec<Option<IntervalSpan>>> {
    if matches!(values.data_type(), DataType::Duration(_)) {
        let counted = cast(values, &DataType::Duration(TimeUnit::Microsecond))?;
        let counted = counted.as_primitive::<DurationMicrosecondType>();
        return Ok(counted.iter().map(|micros| micros.map(IntervalSpan::counted)).collect());
    }
    let intervals = cast(values, &DataType::Interval(IntervalUnit::MonthDayNano))?;
    let intervals = intervals.as_primitive::<IntervalMonthDayNanoType>();
    let span = |interval: arrow::datatypes::IntervalMonthDayNano| IntervalSpan {
        months: interval.months.into(),
        days: interval.days.into(),
        micros: interval.nanoseconds / 1_000,
    };
    Ok(intervals.iter().map(|interval| interval.map(span)).collect())
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct MeasureFunction {
    measure: Measure,
    signature: Signature,
}

impl ScalarUDFImpl for MeasureFunction {
    fn name(&self) -> &str {
        match self.measure {
            Measure::Length => "interval_microseconds",
            Measure::Part(IntervalPart::Year) => "interval_year",
            Measure::Part(IntervalPart::Quarter) => "interval_quarter",
            Measure::Part(IntervalPart::Month) => "interval_month",
            Measure::Part(IntervalPart::Day) => "interval_day",
            Measure::Part(IntervalPart::Hour) => "interval_hour",
            Measure::Part(IntervalPart::Minute) => "interval_minute",
            Measure::Part(IntervalPart::Second) => "interval_second",
            Measure::Part(IntervalPart::Millisecond) => "interval_millisecond",
            Measure::Part(IntervalPart::Microsecond) => "interval_microsecond",
            Measure::Part(IntervalPart::Epoch) => "interval_epoch",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        match (types, self.measure) {
            ([of], _) if !is_span(of) => plan_err!("{} takes an interval", self.name()),
            (_, Measure::Length) => Ok(DataType::Int64),
            (_, Measure::Part(IntervalPart::Epoch)) => Ok(DataType::Float64),
            (_, Measure::Part(_)) => Ok(DataType::Int32),
        }
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value] = arguments.args.as_slice() else { return exec_err!("{} takes one value", self.name()) };
        let (values, is_one) = match value {
            ColumnarValue::Array(values) => (Arc::clone(values), false),
            ColumnarValue::Scalar(value) => (value.to_array()?, true),
        };
        let spans = spans(&values)?.into_iter();
        let told: ArrayRef = match self.measure {
            Measure::Length => {
                Arc::new(spans.map(|span| span.map(IntervalSpan::length)).collect::<Int64Array>())
            }
            Measure::Part(IntervalPart::Epoch) => {
                Arc::new(spans.map(|span| span.map(IntervalSpan::epoch)).collect::<Float64Array>())
            }
            Measure::Part(part) => {
                let part = |span: IntervalSpan| i32::try_from(span.part(part)).ok();
                Arc::new(spans.map(|span| span.and_then(part)).collect::<Int32Array>())
            }
        };
        Ok(if is_one {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&told, 0)?)
        } else {
            ColumnarValue::Array(told)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    const T: &str = "(values (1, timestamp '2020-01-03 10:00:00', timestamp '2020-01-01 09:30:00.5', interval '26 hours'), \
        (2, timestamp '2020-02-01 00:00:00', timestamp '2020-02-02 12:00:00', interval '1 day'), (3, null, timestamp '2020-01-01', null)) as t(k, a, b, i)";

    fn of(expression: &str) -> String {
        rows(&format!("select {expression} as r from {T} order by k"))
    }

    #[test]
    fn a_difference_of_times_is_compared_by_its_length() {
        for (condition, is) in [
            ("a - b > interval '1 day'", "true false "),
            ("interval '2 days' < a - b", "true false "),
            ("a - b between interval '48 hours' and interval '3 days'", "true false "),
            ("a - b = interval '-36 hours'", "false true "),
            ("a - b = interval '-1 day -12 hours'", "false true "),
            ("a - b is not distinct from interval '-36 hours'", "false true false"),
            ("i > interval '1 day'", "true false "),
            ("i = interval '24 hours'", "false true "),
            ("interval '30 hours' > interval '1 day'", "true true true"),
            ("interval '1 month' = interval '30 days'", "true true true"),
            ("a - b > b - a", "true false "),
            ("i <= a - b", "true false "),
            ("case when coalesce(a - b, interval '2 days') > interval '1 day' then 1 else 0 end", "1 0 1"),
        ] {
            assert_eq!(of(condition), is, "{condition}");
        }
        assert_eq!(rows(&format!("select k from {T} where a - b > interval '1 day'")), "1");
        assert_eq!(rows(&format!("select k from (select k, a - b as x, i from {T}) u where x > i")), "1");
        assert_eq!(
            rows(&format!(
                "select x.k from (select * from {T}) x join (select * from {T}) y on x.a - x.b > y.i and x.k = y.k"
            )),
            "1"
        );
    }

    #[test]
    fn parts_of_a_difference_of_times_are_those_of_an_interval() {
        for (part, is) in [
            ("epoch", "174599.5 -129600.0 "),
            ("day", "2 -1 "),
            ("hour", "0 -12 "),
            ("minute", "29 0 "),
            ("second", "59 0 "),
            ("millisecond", "59500 0 "),
        ] {
            assert_eq!(of(&format!("extract({part} from a - b)")), is, "{part}");
        }
        assert_eq!(of("extract(minute from interval '65 minutes')"), "5 5 5");
        assert_eq!(
            of("extract(epoch from interval '1 year 1 month 1 day 1.5 seconds')"),
            "34236001.5 34236001.5 34236001.5"
        );
        assert_eq!(rows(&format!("select extract(epoch from avg(a - b)) as r from {T}")), "22499.75");
        assert_eq!(of("date_part('day', b - a)"), "-2 1 ");
    }
}
