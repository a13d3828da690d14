//! A date and hours is a timestamp.
//!
//! The engine gives a date for a date and any interval, and the hours are lost. As in Spark and Trino, a date stays one where the
//! interval is written as whole days, months or years, so that what is partitioned by day stays aligned; with any other interval
//! it is a timestamp, as in PostgreSQL and DuckDB.

use arrow::datatypes::{DataType, IntervalDayTime, IntervalMonthDayNano, TimeUnit};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::config::ConfigOptions;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};
use datafusion::optimizer::AnalyzerRule;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;

use super::parts::under_their_names;
use super::whole_days::{is_days_interval, number_of_days};
use crate::tree::{PlanWalk, TreeWalk};

/// The rule. It comes after types are made equal, since only then they are known, and makes them equal again where it
/// changes one.
#[derive(Debug, Default)]
pub struct DateAndInterval;

impl AnalyzerRule for DateAndInterval {
    fn name(&self) -> &'static str {
        "date_and_interval"
    }

    fn analyze(&self, plan: LogicalPlan, config: &ConfigOptions) -> Result<LogicalPlan> {
        let outer = DFSchema::empty();
        let mended = plan.map_up_with_subqueries(&mut |node| of_node(node, &outer))?;
        if mended.transformed { TypeCoercion::new().analyze(mended.data, config) } else { Ok(mended.data) }
    }
}

fn of_node(node: LogicalPlan, outer: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    let mut adds = false;
    node.walk_expressions(&mut |expression| {
        adds = adds || expression.any_node(&mut |part| Ok(is_sum(part)))?;
        Ok(datafusion::common::tree_node::TreeNodeRecursion::Continue)
    })?;
    if !adds {
        return Ok(Transformed::no(node));
    }
    let mut schema = merge_schema(&node.inputs());
    if let LogicalPlan::TableScan(scan) = &node {
        schema.merge(&DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?);
    }
    schema.merge(outer);
    let mended = under_their_names(node, |_| Ok(true), |part| Ok(of_expression(part, &schema)))?;
    if mended.transformed { mended.map_data(LogicalPlan::recompute_schema) } else { Ok(mended) }
}

fn is_sum(part: &Expr) -> bool {
    matches!(part, Expr::BinaryExpr(BinaryExpr { op: Operator::Plus | Operator::Minus, .. }))
}

fn of_expression(part: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ (Operator::Plus | Operator::Minus), right }) = part
    else {
        return Transformed::no(part);
    };
    let is_date =
        |side: &Expr| side.get_type(schema).is_ok_and(|of| matches!(of, DataType::Date32 | DataType::Date64));
    let has_hours = |side: &Expr| {
        side.get_type(schema).is_ok_and(|of| matches!(of, DataType::Interval(_))) && !is_of_days(side)
    };
    let time = |date: Expr| cast(date, DataType::Timestamp(TimeUnit::Microsecond, None));
    let (left, right, changed) = if has_hours(&right) && is_date(&left) {
        (Box::new(time(*left)), right, true)
    } else if op == Operator::Plus && is_date(&right) && has_hours(&left) {
        (left, Box::new(time(*right)), true)
    } else {
        (left, right, false)
    };
    let sum = Expr::BinaryExpr(BinaryExpr { left, op, right });
    if changed { Transformed::yes(sum) } else { Transformed::no(sum) }
}

/// Whether an interval is written so that no value of it has a part below a day.
fn is_of_days(interval: &Expr) -> bool {
    match interval {
        Expr::Literal(ScalarValue::IntervalYearMonth(_), _) => true,
        Expr::Literal(ScalarValue::IntervalDayTime(value), _) => {
            value.is_none_or(|IntervalDayTime { milliseconds, .. }| milliseconds == 0)
        }
        Expr::Literal(ScalarValue::IntervalMonthDayNano(value), _) => {
            value.is_none_or(|IntervalMonthDayNano { nanoseconds, .. }| nanoseconds == 0)
        }
        Expr::Literal(value, _) => value.is_null(),
        Expr::Negative(inner) => is_of_days(inner),
        Expr::Alias(alias) => is_of_days(&alias.expr),
        Expr::Cast(inner) => number_of_days(interval).is_some() || is_of_days(&inner.expr),
        Expr::ScalarFunction(_) => is_days_interval(interval),
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Plus | Operator::Minus, right }) => {
            is_of_days(left) && is_of_days(right)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::display::array_value_to_string;

    use crate::Scope;

    fn value(expression: &str) -> String {
        let scope = Scope::for_planning();
        let sql = format!(
            "select {expression} as r from (values (date '2018-11-01', 36, interval '36 hours')) t(d, n, i)"
        );
        let plan = scope.plan(&sql).unwrap();
        let says = plan.schema().field(0).data_type().clone();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let batches = runtime
            .block_on(async {
                scope.context().execute_logical_plan(plan.into_plan()).await.unwrap().collect().await
            })
            .unwrap();
        assert_eq!(batches[0].column(0).data_type(), &says, "{expression}");
        array_value_to_string(batches[0].column(0), 0).unwrap()
    }

    #[test]
    fn a_date_and_hours_is_a_timestamp() {
        for (expression, is) in [
            ("d + interval '36 hours'", "2018-11-02T12:00:00"),
            ("interval '36 hours' + d", "2018-11-02T12:00:00"),
            ("d - interval '30 minutes'", "2018-10-31T23:30:00"),
            ("d + interval '1 day 2 hours'", "2018-11-02T02:00:00"),
            ("d + i", "2018-11-02T12:00:00"),
            ("d - i", "2018-10-30T12:00:00"),
            ("cast('2018-11-01' as date) + interval '1 second'", "2018-11-01T00:00:01"),
            ("coalesce(d, d) + interval '1 hour' + interval '1 day'", "2018-11-02T01:00:00"),
            ("case when n = 36 then d + interval '1 hour' else d end", "2018-11-01T01:00:00"),
            ("case when n = 1 then d else d + interval '1 hour' end", "2018-11-01T01:00:00"),
            ("greatest(d, d + interval '1 hour')", "2018-11-01T01:00:00"),
        ] {
            assert_eq!(value(expression), is, "{expression}");
        }
    }

    #[test]
    fn a_date_and_days_is_a_date() {
        for (expression, is) in [
            ("d + interval '1 day'", "2018-11-02"),
            ("d - interval '1' month", "2018-10-01"),
            ("interval '1 year' + d", "2019-11-01"),
            ("d + (interval '1 day' + interval '1 week')", "2018-11-09"),
            ("d + 7", "2018-11-08"),
            ("d - n", "2018-09-26"),
        ] {
            assert_eq!(value(expression), is, "{expression}");
        }
    }

    #[test]
    fn it_is_one_in_a_filter_and_in_a_subquery_too() {
        assert_eq!(
            value("(select max(x.d + interval '2 hours') from (values (date '2018-11-01')) x(d))"),
            "2018-11-01T02:00:00"
        );
        assert_eq!(value("d + interval '1 hour' > timestamp '2018-11-01 00:30:00'"), "true");
        assert_eq!(value("count(*) filter (where d + interval '1 hour' > d) over ()"), "1");
    }
}
