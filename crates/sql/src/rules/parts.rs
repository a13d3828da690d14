//! Other parts in the expressions of a node, whose columns keep their names.

use crate::tree::{PlanWalk, TreeWalk};
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The node with its parts as `of` has them, which is given the columns that they read. Nodes and expressions without a part that
/// `concerns` holds of stay as they are.
///
/// # Errors
/// As `of` has them.
pub(super) fn replaced(
    plan: LogicalPlan,
    concerns: impl Fn(&Expr) -> bool,
    of: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let concerns = |expression: &Expr| expression.any_node(&mut |part| Ok(concerns(part)));
    let mut any = false;
    plan.walk_expressions(&mut |expression| {
        any |= concerns(expression)?;
        Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    if !any {
        return Ok(Transformed::no(plan));
    }
    let schema = read_by(&plan)?;
    under_their_names(plan, concerns, |part| of(part, &schema))
}

/// The node whose expressions, where `concerns` holds of them, have their parts as `of` has them.
///
/// # Errors
/// As `concerns` and `of` have them.
pub(super) fn under_their_names(
    plan: LogicalPlan,
    concerns: impl Fn(&Expr) -> Result<bool>,
    of: impl Fn(Expr) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let names = NamePreserver::new(&plan);
    plan.replace_expressions(&mut |expression| {
        if !concerns(&expression)? {
            return Ok(Transformed::no(expression));
        }
        let name = names.save(&expression);
        let made = expression.map_up(&mut &of)?;
        Ok(if made.transformed { made.update_data(|now| name.restore(now)) } else { made })
    })
}

/// Whether a part is an operator of SQL, which is evaluated from what stands in it.
pub(crate) fn is_operator(part: &Expr) -> bool {
    matches!(
        part,
        Expr::Alias(_)
            | Expr::BinaryExpr(_)
            | Expr::Not(_)
            | Expr::IsNull(_)
            | Expr::IsNotNull(_)
            | Expr::IsTrue(_)
            | Expr::IsFalse(_)
            | Expr::IsUnknown(_)
            | Expr::IsNotTrue(_)
            | Expr::IsNotFalse(_)
            | Expr::IsNotUnknown(_)
            | Expr::Between(_)
            | Expr::InList(_)
            | Expr::Case(_)
            | Expr::Like(_)
    )
}

/// How a search goes on.
pub(crate) fn until(found: bool) -> TreeNodeRecursion {
    if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue }
}

/// The columns that the expressions of a node read.
pub(crate) fn read_by(plan: &LogicalPlan) -> Result<DFSchema> {
    let inputs = plan.inputs();
    match plan {
        LogicalPlan::TableScan(scan) => {
            DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())
        }
        _ if inputs.is_empty() => Ok(plan.schema().as_ref().clone()),
        _ => Ok(merge_schema(&inputs)),
    }
}
