//! What of a plan fails whatever rows there are: a constant that cannot be computed, a pattern, unit or format that is none, an operation
//! that values of a type do not have.
//!
//! The engine finds it at the first row. Looked at first is the plan as it was written, which is cheap; what is amiss there counts only where
//! the optimized plan, which is the one that runs, computes it still: `case when false then 1 / 0 end` is no error. How a function computes
//! ([`ways`]) is an error wherever it stands; a constant is one only where it is computed for every row ([`computed`]).

mod accumulated;
mod computed;
mod probes;
mod ways;

use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DataFusionError};
use datafusion::execution::session_state::SessionState;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, Volatility};

pub(super) use accumulated::check_accumulates;
pub(super) use ways::check_aggregates;

use super::rules::parts;
use crate::tree::{PlanWalk, TreeWalk};

/// The error that a plan ends with for each row that there may be.
///
/// Comes in: a plan as it was made of SQL. One that cannot be analyzed has errors of its own, which are not looked for.
pub(super) fn error(state: &SessionState, plan: &LogicalPlan) -> Option<DataFusionError> {
    if !is_suspect(plan) {
        return None;
    }
    let analyzed =
        state.analyzer().execute_and_check(plan.clone(), state.config_options(), |_, _| {}).ok()?;
    anywhere(&analyzed, &|part, schema| {
        let amiss = ways::error(part, schema);
        let amiss = amiss.or_else(|| is_constant(part).then(|| probes::of_constant(part)).flatten());
        // Whether a result fits its type is checked in the optimized plan alone.
        amiss.or_else(|| {
            (divides_by_zero(part) || is_computed_constant(part) || shifts_too_far(part, schema))
                .then(computed::division_by_zero)
        })
    })?;
    match state.optimize(plan) {
        Ok(optimized) => anywhere(&optimized, &ways::error).or_else(|| computed::error(&optimized)),
        Err(error) => Some(error),
    }
}

/// Whether there is anything in a plan that can fail whatever rows there are.
fn is_suspect(plan: &LogicalPlan) -> bool {
    let mut found = false;
    // The closures return no error, so neither does the walk.
    let _ = plan.walk_with_subqueries(&mut |node| {
        let _ = node.walk_expressions(&mut |expression| {
            found = found || expression.any_node(&mut |part| Ok(is_suspect_part(part))).unwrap_or(false);
            Ok(parts::until(found))
        });
        Ok(parts::until(found))
    });
    found
}

fn is_suspect_part(part: &Expr) -> bool {
    match part {
        Expr::Literal(..) | Expr::Column(_) => false,
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) if divides(*op) => is_fixed(right),
        Expr::BinaryExpr(BinaryExpr { op, right, .. }) if is_shift(*op) => {
            is_fixed(right) && !probes::whole_value(right).is_some_and(|by| (0..FEWEST_BITS).contains(&by))
        }
        _ => ways::is_one(part) || is_constant(part),
    }
}

/// The first error that is found of a part of an expression, with the columns that it reads.
fn anywhere(
    plan: &LogicalPlan,
    of: &dyn Fn(&Expr, &DFSchema) -> Option<DataFusionError>,
) -> Option<DataFusionError> {
    let mut found = None;
    let _ = plan.walk_with_subqueries(&mut |node| {
        let Ok(schema) = parts::read_by(node) else { return Ok(TreeNodeRecursion::Continue) };
        let _ = node.walk_expressions(&mut |expression| {
            expression.walk(&mut |part| {
                found = of(part, &schema);
                Ok(match part {
                    // It was computed as a whole, with what of it is computed only under a condition.
                    _ if found.is_none() && is_constant(part) && !holds_a_way(part) => {
                        TreeNodeRecursion::Jump
                    }
                    _ => parts::until(found.is_some()),
                })
            })
        });
        Ok(parts::until(found.is_some()))
    });
    found
}

fn holds_a_way(part: &Expr) -> bool {
    part.any_node(&mut |part| Ok(ways::is_one(part))).unwrap_or(true)
}

fn divides(operator: Operator) -> bool {
    matches!(operator, Operator::Divide | Operator::Modulo)
}

/// Whether it is a division by a constant that is zero, of numbers that have no infinity.
fn divides_by_zero(part: &Expr) -> bool {
    let Expr::BinaryExpr(BinaryExpr { op, right, .. }) = part else { return false };
    divides(*op) && is_fixed(right) && probes::is_zero(right)
}

/// The bits of the smallest number.
const FEWEST_BITS: i64 = 8;

/// Whether it is a shift that no number of its type stands.
fn shifts_too_far(part: &Expr, schema: &DFSchema) -> bool {
    let Expr::BinaryExpr(BinaryExpr { left, op, right }) = part else { return false };
    let (true, Some(by)) = (is_shift(*op), probes::whole_value(right)) else { return false };
    let bits = left.get_type(schema).ok().and_then(|of| of.primitive_width()).map(|bytes| bytes as i64 * 8);
    by < 0 || (*op == Operator::BitwiseShiftLeft && bits.is_some_and(|bits| by >= bits))
}

fn is_computed_constant(part: &Expr) -> bool {
    let is_arithmetic = |part: &Expr| matches!(part, Expr::BinaryExpr(BinaryExpr { op, .. }) if op.is_numerical_operators() || is_shift(*op));
    is_constant(part) && part.any_node(&mut |part| Ok(is_arithmetic(part))).unwrap_or(false)
}

fn is_shift(operator: Operator) -> bool {
    matches!(operator, Operator::BitwiseShiftLeft | Operator::BitwiseShiftRight)
}

/// Whether an expression has the same value in every run.
fn is_fixed(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(..)) || is_constant(expression)
}

/// Whether an expression that is to be computed has the same value in every run.
fn is_constant(expression: &Expr) -> bool {
    let varies = expression.any_node(&mut |part| {
        Ok(match part {
            Expr::Literal(..) | Expr::SimilarTo(_) | Expr::Negative(_) | Expr::Cast(_) | Expr::TryCast(_) => {
                false
            }
            operator if parts::is_operator(operator) => false,
            Expr::ScalarFunction(call) => call.func.signature().volatility != Volatility::Immutable,
            _ => true,
        })
    });
    !varies.unwrap_or(true) && !matches!(expression, Expr::Literal(..))
}

#[cfg(test)]
mod tests;
