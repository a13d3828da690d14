//! So many days are an interval of days, and not of seconds.
//!
//! The analyzer makes `n * 86400` seconds of the `n` of `date + n`, and an interval of these. Once the product is computed checked, or
//! folded into a constant, nothing tells such an interval from one of hours, and where the plan is analyzed once more the sum
//! would be a timestamp (see [`super::date_interval`]). Runs first of the optimizer's rules, so that plans that are not run keep
//! the operators.

use std::sync::Arc;

use arrow::array::{Array, AsArray, IntervalMonthDayNanoArray};
use arrow::datatypes::{DataType, Int64Type, IntervalMonthDayNano, IntervalUnit, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{
    BinaryExpr, Cast, ColumnarValue, Expr, LogicalPlan, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::parts::replaced;

/// The rule.
#[derive(Debug)]
pub struct WholeDays;

impl OptimizerRule for WholeDays {
    fn name(&self) -> &'static str {
        "whole_days"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        replaced(plan, |part| number_of_days(part).is_some(), |part, _| Ok(of_expression(part)))
    }
}

fn of_expression(part: Expr) -> Transformed<Expr> {
    let Some(days) = number_of_days(&part) else { return Transformed::no(part) };
    let function = Arc::new(ScalarUDF::new_from_impl(DaysInterval { signature: signature() }));
    Transformed::yes(Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![days.clone()])))
}

/// The `n` of an interval that the analyzer made of so many days.
pub fn number_of_days(interval: &Expr) -> Option<&Expr> {
    let Expr::Cast(Cast { expr: duration, field }) = interval else { return None };
    let Expr::Cast(Cast { expr: seconds, field: unit }) = duration.as_ref() else { return None };
    let is_one = *field.data_type() == DataType::Interval(IntervalUnit::MonthDayNano)
        && *unit.data_type() == DataType::Duration(TimeUnit::Second);
    match seconds.as_ref() {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Multiply, right }) if is_one => {
            matches!(right.as_ref(), Expr::Literal(ScalarValue::Int64(Some(86_400)), _)).then_some(left)
        }
        _ => None,
    }
}

/// Whether an expression is the interval that the rule makes.
pub fn is_days_interval(interval: &Expr) -> bool {
    matches!(interval, Expr::ScalarFunction(call) if call.func.inner().is::<DaysInterval>())
}

/// The interval of so many days.
#[derive(Debug, PartialEq, Eq, Hash)]
struct DaysInterval {
    signature: Signature,
}

fn signature() -> Signature {
    Signature::exact(vec![DataType::Int64], Volatility::Immutable)
}

impl ScalarUDFImpl for DaysInterval {
    fn name(&self) -> &'static str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Interval(IntervalUnit::MonthDayNano))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match arguments.args.as_slice() {
            [ColumnarValue::Scalar(ScalarValue::Int64(days))] => {
                let interval = days.map(interval_of).transpose()?;
                Ok(ColumnarValue::Scalar(ScalarValue::IntervalMonthDayNano(interval)))
            }
            [ColumnarValue::Array(days)] if *days.data_type() == DataType::Int64 => {
                let days = days.as_primitive::<Int64Type>().iter();
                let intervals = days.map(|days| days.map(interval_of).transpose());
                let intervals: IntervalMonthDayNanoArray = intervals.collect::<Result<_>>()?;
                Ok(ColumnarValue::Array(Arc::new(intervals)))
            }
            _ => exec_err!("{NAME} takes a bigint"),
        }
    }
}

/// The name, which plans that are shown have.
pub const NAME: &str = "days_interval";

fn interval_of(days: i64) -> Result<IntervalMonthDayNano> {
    let fits = i32::try_from(days);
    let days = fits.map_err(|_| exec_datafusion_err!("{days} days lead past all dates that there are"))?;
    Ok(IntervalMonthDayNano { months: 0, days, nanoseconds: 0 })
}

#[cfg(test)]
mod tests {
    use crate::Scope;

    /// The types of a column of a plan, as it is analyzed and after each time that it is optimized to be run in parts.
    fn types(expression: &str) -> Vec<String> {
        let scope = Scope::for_planning();
        let sql = format!("select {expression} as r from (values (date '2018-11-01', 36)) t(d, n)");
        let mut plan = scope.plan(&sql).unwrap().into_plan();
        let mut types = vec![plan.schema().field(0).data_type().to_string()];
        for _ in 0..2 {
            plan = scope.optimize_in_parts(&plan).unwrap();
            types.push(plan.schema().field(0).data_type().to_string());
        }
        types
    }

    #[test]
    fn a_date_and_days_stays_a_date_however_often_a_plan_is_optimized() {
        for expression in ["d + n", "d - n", "d + 7", "d + (n + 1)", "date '2018-11-01' + 7", "d + (3 + 4)"] {
            assert_eq!(types(expression), ["Date32", "Date32", "Date32"], "{expression}");
        }
        let times = ["Timestamp(µs)", "Timestamp(µs)", "Timestamp(µs)"];
        for expression in ["d + interval '24 hours'", "d + interval '1 hour' * 24"] {
            assert_eq!(types(expression), times, "{expression}");
        }
    }

    #[test]
    fn days_that_no_date_has_are_an_error() {
        let said = super::super::executed::failure(
            "select d + n as r from (values (date '2018-11-01', 5000000000)) t(d, n)",
        );
        assert!(said.contains("5000000000 days lead past all dates that there are"), "{said}");
    }
}
