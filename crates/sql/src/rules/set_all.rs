//! EXCEPT ALL and INTERSECT ALL count equal rows.
//!
//! The planner makes joins of them that take no notice of how often a row is there: `except all` drops every row that the
//! other side has once. Here equal rows are numbered on both sides, and the number is one more column to compare, so that
//! the third of three equal rows meets the third of the other side, or nothing. The distinct forms have a DISTINCT below, which
//! leaves one of equal rows: for them the plan is right as it is.

use std::sync::Arc;

use crate::tree::PlanWalk;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{Column, NullEquality, Result};
use datafusion::functions_window::row_number::row_number;
use datafusion::logical_expr::{
    Distinct, Expr, ExprFunctionExt, Join, JoinType, LogicalPlan, LogicalPlanBuilder,
};

/// The name of the number in the plan.
const OCCURRENCE: &str = "occurrence of equal rows";

/// The plan in which EXCEPT ALL and INTERSECT ALL are what SQL means by them.
///
/// # Errors
/// Where a node cannot be built.
pub fn number_equal_rows(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan
        .map_up_with_subqueries(&mut |node| match node {
            LogicalPlan::Join(join) if is_counted(&join) => Ok(Transformed::yes(numbered(join)?)),
            other => Ok(Transformed::no(other)),
        })?
        .data)
}

/// Only set operations join by keys of which NULL equals NULL, before the optimizer has been at the plan.
fn is_counted(join: &Join) -> bool {
    matches!(join.join_type, JoinType::LeftAnti | JoinType::LeftSemi)
        && join.null_equality == NullEquality::NullEqualsNull
        && join.filter.is_none()
        && !join.on.is_empty()
        && !matches!(join.left.as_ref(), LogicalPlan::Distinct(Distinct::All(_)))
        && !join.on.iter().any(|(left, _)| is_occurrence(left))
}

fn is_occurrence(key: &Expr) -> bool {
    matches!(key, Expr::Column(column) if column.name == OCCURRENCE)
}

fn numbered(join: Join) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = join.left.schema().columns().into_iter().map(Expr::Column).collect();
    let (mut left_keys, mut right_keys): (Vec<Expr>, Vec<Expr>) = join.on.into_iter().unzip();
    let left = with_occurrence(join.left, &left_keys)?;
    let right = with_occurrence(join.right, &right_keys)?;
    let occurrence = || Expr::Column(Column::new_unqualified(OCCURRENCE));
    left_keys.push(occurrence());
    right_keys.push(occurrence());
    LogicalPlanBuilder::from(left)
        .join_with_expr_keys(right, join.join_type, (left_keys, right_keys), None)?
        .build()
        .map(null_equals_null)
        .and_then(|joined| LogicalPlanBuilder::from(joined).project(columns)?.build())
}

fn null_equals_null(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Join(join) => {
            LogicalPlan::Join(Join { null_equality: NullEquality::NullEqualsNull, ..join })
        }
        other => other,
    }
}

/// The rows, each with which of its equals it is, from 1.
fn with_occurrence(plan: Arc<LogicalPlan>, keys: &[Expr]) -> Result<LogicalPlan> {
    let number = row_number().partition_by(keys.to_vec()).build()?;
    let mut columns: Vec<Expr> = plan.schema().columns().into_iter().map(Expr::Column).collect();
    let name = number.schema_name().to_string();
    columns.push(Expr::Column(Column::new_unqualified(name)).alias(OCCURRENCE));
    LogicalPlanBuilder::from(plan).window([number])?.project(columns)?.build()
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    #[test]
    fn equal_rows_are_counted() {
        let a = "select * from (values (1), (1), (1), (2), (2), (null), (null)) a(x)";
        let b = "select * from (values (1), (2), (2), (2), (null), (3)) b(y)";
        let counted = |operator: &str| {
            rows(&format!("select x, count(*) from ({a} {operator} {b}) group by x order by x nulls last"))
        };
        let one_line = |text: String| text;
        assert_eq!(one_line(counted("except all")), "12 1");
        assert_eq!(one_line(counted("intersect all")), "11 22 1");
        assert_eq!(one_line(counted("except")), "");
        assert_eq!(one_line(counted("intersect")), "11 21 1");
        let distinct =
            format!("select x, count(*) from (select distinct x from ({a}) except all {b}) group by x");
        assert_eq!(rows(&distinct), "");
    }

    #[test]
    fn set_operations_of_the_same_table_are_counted_too() {
        let t = "with t as (select * from (values (1, 'a'), (1, 'a'), (2, 'b')) t(k, s))";
        assert_eq!(rows(&format!("{t} select * from t except all select * from t where k = 2")), "1a 1a");
        assert_eq!(
            rows(&format!(
                "{t} select k, s from t except all (select k, s from t intersect all select 1, 'a') order by k"
            )),
            "1a 2b"
        );
    }
}
