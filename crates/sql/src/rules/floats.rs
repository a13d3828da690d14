//! Floats are compared, grouped, joined and sorted as SQL has them: one zero, and one NaN above all numbers.
//!
//! The engine goes by their bits (`sql/comparable.rs`). What compares is given its floats in one form, so that it does not matter
//! which they were stored in. Runs of the optimizer's rules once DISTINCT is a group and before subqueries are joins; plans that are
//! looked at stay as they are.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, DFSchema, Result, ScalarValue};
use datafusion::logical_expr::expr::{Between, InList, InSubquery, ScalarFunction, Sort, WindowFunction};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator, ScalarUDF,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::parts::{replaced, under_their_names};
use crate::comparable::Comparable;
use crate::tree::TreeWalk;

/// The rule.
#[derive(Debug)]
pub struct ComparableFloats;

impl OptimizerRule for ComparableFloats {
    fn name(&self) -> &'static str {
        "comparable_floats"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let schema = match &plan {
            LogicalPlan::TableScan(scan) => {
                DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?
            }
            _ => merge_schema(&plan.inputs()),
        };
        if !schema.fields().iter().any(|field| field.data_type().is_floating()) {
            return Ok(Transformed::no(plan));
        }
        match plan {
            LogicalPlan::Sort(mut sort) => {
                let changed = sorted(&mut sort.expr, &schema)?;
                let inner = in_expressions(LogicalPlan::Sort(sort), &schema)?;
                Ok(Transformed::new_transformed(inner.data, changed || inner.transformed))
            }
            LogicalPlan::Join(mut join) => {
                let mut changed = false;
                for (left, right) in &mut join.on {
                    changed |= compared(left, join.left.schema())?;
                    changed |= compared(right, join.right.schema())?;
                }
                let inner = in_expressions(LogicalPlan::Join(join), &schema)?;
                Ok(Transformed::new_transformed(inner.data, changed || inner.transformed))
            }
            LogicalPlan::Aggregate(mut aggregate) => {
                let mut changed = false;
                for key in &mut aggregate.group_expr {
                    changed |= grouped(key, &schema)?;
                }
                let inner = in_expressions(LogicalPlan::Aggregate(aggregate), &schema)?;
                Ok(Transformed::new_transformed(inner.data, changed || inner.transformed))
            }
            plan => in_expressions(plan, &schema),
        }
    }
}

/// The rule for constants, which are compared before the query runs. Runs before they are folded.
#[derive(Debug)]
pub struct ComparableConstants;

impl OptimizerRule for ComparableConstants {
    fn name(&self) -> &'static str {
        "comparable_constants"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        replaced(plan, compares_constants, of_expression)
    }
}

fn compares_constants(part: &Expr) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => {
            compares(*op) && is_constant(left) && is_constant(right)
        }
        Expr::Between(Between { expr, low, high, .. }) => {
            [expr, low, high].into_iter().all(|one| is_constant(one))
        }
        Expr::InList(InList { expr, list, .. }) => is_constant(expr) && list.iter().all(is_constant),
        Expr::ScalarFunction(ScalarFunction { func, args }) => {
            matches!(func.name(), "nullif" | "greatest" | "least") && args.iter().all(is_constant)
        }
        _ => false,
    }
}

fn is_constant(operand: &Expr) -> bool {
    match operand {
        Expr::Literal(..) => true,
        Expr::Cast(cast) => is_constant(&cast.expr),
        Expr::Negative(value) => is_constant(value),
        Expr::ScalarFunction(call) => call.args.iter().all(is_constant) && call.args.len() == 1,
        _ => false,
    }
}

fn in_expressions(plan: LogicalPlan, schema: &DFSchema) -> Result<Transformed<LogicalPlan>> {
    let may_compare =
        |whole: &Expr| Ok(!matches!(whole, Expr::Column(_) | Expr::Literal(..) | Expr::GroupingSet(_)));
    under_their_names(plan, may_compare, |part| of_expression(part, schema))
}

fn of_expression(mut part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let mut changed = false;
    match &mut part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if compares(*op) => {
            changed |= compared(left, schema)?;
            changed |= compared(right, schema)?;
        }
        Expr::Between(Between { expr, low, high, .. }) => {
            for one in [expr, low, high] {
                changed |= compared(one, schema)?;
            }
        }
        Expr::InList(InList { expr, list, .. }) => {
            for one in std::iter::once(expr.as_mut()).chain(list) {
                changed |= compared(one, schema)?;
            }
        }
        Expr::InSubquery(InSubquery { expr, subquery, .. }) => {
            changed |= compared(expr, schema)?;
            if let Some(plan) = with_comparable_rows(&subquery.subquery)? {
                subquery.subquery = Arc::new(plan);
                changed = true;
            }
        }
        Expr::Case(case) => {
            if let Some(expr) = &mut case.expr {
                changed |= compared(expr, schema)?;
                for (when, _) in &mut case.when_then_expr {
                    changed |= compared(when, schema)?;
                }
            }
        }
        Expr::ScalarFunction(ScalarFunction { func, args })
            if matches!(func.name(), "nullif" | "greatest" | "least") =>
        {
            for one in args {
                changed |= compared(one, schema)?;
            }
        }
        Expr::AggregateFunction(call) => {
            if call.params.distinct {
                for one in &mut call.params.args {
                    changed |= compared(one, schema)?;
                }
            }
            changed |= sorted(&mut call.params.order_by, schema)?;
        }
        Expr::WindowFunction(call) => {
            let WindowFunction { params, .. } = call.as_mut();
            for one in &mut params.partition_by {
                changed |= compared(one, schema)?;
            }
            changed |= sorted(&mut params.order_by, schema)?;
        }
        _ => {}
    }
    Ok(if changed { Transformed::yes(part) } else { Transformed::no(part) })
}

fn compares(op: Operator) -> bool {
    use Operator::{Eq, Gt, GtEq, IsDistinctFrom, IsNotDistinctFrom, Lt, LtEq, NotEq};
    matches!(op, Eq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom | Lt | LtEq | NotEq)
}

fn sorted(by: &mut [Sort], schema: &DFSchema) -> Result<bool> {
    let mut changed = false;
    for one in by {
        changed |= compared(&mut one.expr, schema)?;
    }
    Ok(changed)
}

/// A key of groups, which keeps its name.
fn grouped(key: &mut Expr, schema: &DFSchema) -> Result<bool> {
    if let Expr::GroupingSet(sets) = key {
        let was = Expr::GroupingSet(sets.clone());
        let made = was.map_down(&mut |part| match part {
            Expr::GroupingSet(_) => Ok(Transformed::no(part)),
            key => {
                let (relation, name) = key.qualified_name();
                let is_alias = matches!(key, Expr::Alias(_));
                let within = key.map_up(&mut |part| of_expression(part, schema))?;
                let mut key = within.data;
                if within.transformed && !is_alias {
                    key = key.alias_qualified(relation, name);
                }
                let changed = grouped(&mut key, schema)? || within.transformed;
                Ok(Transformed::new(key, changed, datafusion::common::tree_node::TreeNodeRecursion::Jump))
            }
        })?;
        *key = made.data;
        return Ok(made.transformed);
    }
    let inner = if let Expr::Alias(alias) = &mut *key { alias.expr.as_mut() } else { &mut *key };
    let (relation, name) = inner.qualified_name();
    let is_alias = matches!(key, Expr::Alias(_));
    let inner = if let Expr::Alias(alias) = &mut *key { alias.expr.as_mut() } else { &mut *key };
    let changed = compared(inner, schema)?;
    if changed && !is_alias {
        *key = std::mem::take(key).alias_qualified(relation, name);
    }
    Ok(changed)
}

/// The query with its floats as they compare, where it has any that are not.
fn with_comparable_rows(plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
    if let LogicalPlan::Projection(projection) = plan
        && projection.expr.iter().any(is_comparable)
    {
        return Ok(None);
    }
    let mut any = false;
    let mut columns = Vec::new();
    for (qualifier, field) in plan.schema().iter() {
        let mut column = Expr::Column(Column::from((qualifier, field)));
        if compared(&mut column, plan.schema())? {
            any = true;
            column = column.alias_qualified(qualifier.cloned(), field.name());
        }
        columns.push(column);
    }
    any.then(|| LogicalPlanBuilder::from(plan.clone()).project(columns)?.build()).transpose()
}

/// Gives an operand as it compares, where it is a float that may be in another form.
fn compared(operand: &mut Expr, schema: &DFSchema) -> Result<bool> {
    if is_comparable(operand) || !operand.get_type(schema)?.is_floating() || is_half(operand, schema)? {
        return Ok(false);
    }
    let was = std::mem::take(operand);
    let function = Arc::new(ScalarUDF::new_from_impl(Comparable::default()));
    *operand = Expr::ScalarFunction(ScalarFunction::new_udf(function, vec![was]));
    Ok(true)
}

/// Floats of 16 bits are of no table.
fn is_half(operand: &Expr, schema: &DFSchema) -> Result<bool> {
    Ok(operand.get_type(schema)? == DataType::Float16)
}

fn is_comparable(operand: &Expr) -> bool {
    match operand {
        Expr::Alias(alias) => is_comparable(&alias.expr),
        Expr::ScalarFunction(call) => call.func.inner().downcast_ref::<Comparable>().is_some(),
        Expr::Literal(ScalarValue::Float64(value), _) => {
            value.is_none_or(|value| value.is_finite() && (value != 0.0 || value.is_sign_positive()))
        }
        Expr::Literal(ScalarValue::Float32(value), _) => {
            value.is_none_or(|value| value.is_finite() && (value != 0.0 || value.is_sign_positive()))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    /// `d - d` is NaN with a sign where `d` is infinite, `-z` is -0.0.
    const T: &str = "(select n, k, d, d - d as x, -z as z from (values (1, 'a', cast('inf' as double), cast(0 as double)), (2, 'b', 2.5, 0), (3, 'a', cast('nan' as double), 1)) v(n, k, d, z)) t";

    #[test]
    fn constants_are_compared_as_columns_are() {
        assert_eq!(
            rows(
                "select nullif(cast('-0.0' as double), 0) is null as a, cast('-0.0' as double) = 0 as b, -cast(0 as double) in (0.0, 7) as c, cast('nan' as double) > cast('inf' as double) as d, 1 / cast('-0.0' as double) as e"
            ),
            "truetruetruetrue-inf"
        );
    }

    #[test]
    fn what_is_compared_in_a_key_of_several_sets_is_too() {
        assert_eq!(
            rows(&format!(
                "select 1 / nullif(z, 0) as q, count(*) as n from {T} group by grouping sets ((1 / nullif(z, 0)), ()) order by 2, 1"
            )),
            "-1.01 2 3"
        );
    }

    #[test]
    fn there_is_one_zero_and_one_nan() {
        assert_eq!(rows(&format!("select n from {T} where z = 0 order by n")), "1 2");
        assert_eq!(rows(&format!("select n from {T} where x = cast('nan' as double) order by n")), "1 3");
        assert_eq!(rows(&format!("select n from {T} where x > 5 or z in (0.0, 7) order by n")), "1 2 3");
        assert_eq!(
            rows(&format!(
                "select n, nullif(z, 0), greatest(x, 1), case z when 0 then 'zero' end from {T} order by n"
            )),
            "1NaNzero 21.0zero 3-1.0NaN"
        );
        assert_eq!(rows(&format!("select n from {T} where z between 0 and 1 order by n")), "1 2");
    }

    #[test]
    fn nan_is_sorted_above_all_numbers() {
        assert_eq!(rows(&format!("select n from {T} order by x desc, n")), "1 3 2");
        assert_eq!(rows(&format!("select n, rank() over (order by x) from {T} order by n")), "12 21 32");
        assert_eq!(rows(&format!("select array_agg(n order by x, n) from {T}")), "[2,1,3]");
    }

    #[test]
    fn equal_floats_are_one_group_and_one_key() {
        let both = "(values (cast(0 as double), 1), (cast('-0.0' as double), 2), (cast('inf' as double) - cast('inf' as double), 3), (cast('nan' as double), 4)) g(d, n)";
        assert_eq!(
            rows(&format!("select d, count(*), sum(n) from {both} group by d order by d")),
            "0.023 NaN27"
        );
        assert_eq!(rows(&format!("select count(*) from (select distinct d from {both})")), "2");
        assert_eq!(rows(&format!("select count(distinct d) from {both}")), "2");
        assert_eq!(
            rows(&format!("select count(*) from (select d from {both} union select d from {both})")),
            "2"
        );
        assert_eq!(
            rows(&format!("select count(*) from {both} join (select d, n as m from {both}) h on h.d = g.d")),
            "8"
        );
        assert_eq!(
            rows(&format!("select count(*) from {both} where d in (select d from {both} where n in (2, 3))")),
            "4"
        );
        assert_eq!(
            rows(&format!(
                "select count(*) from (select d from {both} where n in (1, 4) intersect select d from {both} where n in (2, 3))"
            )),
            "2"
        );
        assert_eq!(
            rows(&format!("select d, count(*) from {both} group by rollup (d) order by d nulls first")),
            "4 0.02 NaN2"
        );
    }
}
