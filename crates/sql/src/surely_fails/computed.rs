//! Constants of an optimized plan that are computed for every row, and fail.
//!
//! What stands behind a condition is computed only for rows for which it holds, and no row may be left of those that a filter or a join has
//! passed: nothing is said of either.

use arrow::error::ArrowError;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DataFusionError, JoinType};
use datafusion::logical_expr::expr::{AggregateFunction, Case};
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator};

use super::{divides_by_zero, is_constant, probes};
use crate::checked::Checked;
use crate::rules::parts;

/// The first such error.
pub(super) fn error(plan: &LogicalPlan) -> Option<DataFusionError> {
    walked(plan).err()
}

pub(super) fn division_by_zero() -> DataFusionError {
    ArrowError::DivideByZero.into()
}

/// Whether some rows of a plan may have been left out.
///
/// # Errors
/// Where a constant that is computed for every row fails.
fn walked(plan: &LogicalPlan) -> Result<bool, DataFusionError> {
    let mut leaves_out = false;
    for input in plan.inputs() {
        leaves_out |= walked(input)?;
    }
    let is_computed = match plan {
        LogicalPlan::TableScan(scan) => return Ok(!scan.filters.is_empty() || scan.fetch.is_some()),
        LogicalPlan::EmptyRelation(empty) => return Ok(!empty.produce_one_row),
        LogicalPlan::Projection(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Window(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::Values(_)
        | LogicalPlan::Limit(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Repartition(_) => true,
        LogicalPlan::Join(_)
        | LogicalPlan::Unnest(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Distinct(_) => false,
        // Of what else there is, nothing is known.
        _ => return Ok(true),
    };
    if is_computed && !leaves_out {
        let schema = parts::read_by(plan)?;
        for expression in plan.expressions() {
            eager(&expression, &schema)?;
        }
    }
    Ok(leaves_out
        || match plan {
            LogicalPlan::Filter(_) | LogicalPlan::Limit(_) | LogicalPlan::Unnest(_) => true,
            LogicalPlan::Sort(sort) => sort.fetch.is_some(),
            LogicalPlan::Join(join) => {
                !matches!(join.join_type, JoinType::Left | JoinType::Right | JoinType::Full)
            }
            _ => false,
        })
}

/// Looks at the parts of an expression that are computed for every row.
fn eager(expression: &Expr, schema: &DFSchema) -> Result<(), DataFusionError> {
    if is_constant(expression) {
        return probes::of_constant(expression).map_or(Ok(()), Err);
    }
    if let Expr::Literal(value, _) = expression {
        return probes::of_far_time(value).map_or(Ok(()), Err);
    }
    let computed: Vec<&Expr> = match expression {
        Expr::Case(Case { expr, when_then_expr, .. }) => {
            let first = when_then_expr.first().map(|(when, _)| when.as_ref());
            expr.iter().map(AsRef::as_ref).chain(first).collect()
        }
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::And | Operator::Or, .. }) => vec![left],
        Expr::AggregateFunction(AggregateFunction { params, .. }) if params.filter.is_some() => Vec::new(),
        // It is computed for each element of a list, of which there may be none.
        Expr::HigherOrderFunction(_) | Expr::Lambda(_) => Vec::new(),
        Expr::ScalarFunction(call) => {
            if call.func.inner().downcast_ref::<Checked>().is_some()
                && let Some(error) =
                    probes::of_call(expression, &call.args.iter().collect::<Vec<_>>(), schema)
            {
                return Err(error);
            }
            match call.func.conditional_arguments(&call.args) {
                Some((eager, _)) => eager,
                None => call.args.iter().collect(),
            }
        }
        _ => {
            if divides_by_zero(expression) {
                return Err(division_by_zero());
            }
            let mut parts = Vec::new();
            expression.apply_children(|part| {
                parts.push(part.clone());
                Ok(TreeNodeRecursion::Continue)
            })?;
            return parts.iter().try_for_each(|part| eager(part, schema));
        }
    };
    computed.into_iter().try_for_each(|part| eager(part, schema))
}
