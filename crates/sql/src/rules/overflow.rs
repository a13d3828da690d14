//! Arithmetic that would wrap around is computed checked.
//!
//! The engine adds, subtracts and multiplies integers and decimals without looking for overflow, also where it folds constants.
//! Runs first of the optimizer's rules, so that these find only what is checked; the plans that are analyzed and not run
//! (a view in another engine's words, what depends on what) keep the operators.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::logical_expr_common::type_coercion::binary::BinaryTypeCoercer;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::parts::replaced;
use crate::checked::{Checked, Operation};
use crate::tree::PlanWalk;

/// The rule.
#[derive(Debug)]
pub struct CheckedArithmetic;

impl OptimizerRule for CheckedArithmetic {
    fn name(&self) -> &'static str {
        "checked_arithmetic"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        of_node(plan)
    }
}

/// A plan that is run as it is, with no optimizer, with its arithmetic checked.
///
/// # Errors
/// Where the types of the plan do not fit.
pub fn checked(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.map_up_with_subqueries(&mut of_node)?.data)
}

fn of_node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    replaced(plan, computes, of_expression)
}

fn computes(part: &Expr) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => is_checked(*op),
        Expr::Negative(_) => true,
        _ => false,
    }
}

fn is_checked(operator: Operator) -> bool {
    use Operator::{BitwiseShiftLeft, BitwiseShiftRight, Divide, Minus, Multiply, Plus};
    matches!(operator, Plus | Minus | Multiply | Divide | BitwiseShiftLeft | BitwiseShiftRight)
}

fn of_expression(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_checked(op) => {
            let (of_left, of_right) = (type_of(&left, schema)?, type_of(&right, schema)?);
            let operation = Operation::of(op, &of_left).filter(|_| of_right.is_numeric());
            let Some(operation) = operation else {
                return Ok(Transformed::no(Expr::BinaryExpr(BinaryExpr { left, op, right })));
            };
            let returns = BinaryTypeCoercer::new(&of_left, &op, &of_right).get_result_type()?;
            let call = Checked::call(operation, &returns, *left, *right);
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        Expr::Negative(value) => {
            let data_type = type_of(&value, schema)?;
            if !data_type.is_integer() && !data_type.is_decimal() {
                return Ok(Transformed::no(Expr::Negative(value)));
            }
            Ok(Transformed::yes(Expr::ScalarFunction(Checked::negation(&data_type, *value))))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The type of an expression. Of sums of thousands of terms it is told by the last step alone.
fn type_of(expression: &Expr, schema: &DFSchema) -> Result<DataType> {
    let mut expression = expression;
    loop {
        match expression {
            Expr::Alias(alias) => expression = &alias.expr,
            Expr::ScalarFunction(call) => {
                return match call.func.inner().downcast_ref::<Checked>() {
                    Some(checked) => Ok(checked.returns().clone()),
                    None => expression.get_type(schema),
                };
            }
            // What is left of these has operands of one type, doubles, or is of times.
            Expr::BinaryExpr(BinaryExpr {
                left,
                op: Operator::Plus | Operator::Minus | Operator::Multiply,
                ..
            }) => expression = left,
            other => return other.get_type(schema),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::{failure, rows};

    #[test]
    fn bits_that_are_shifted_out_of_a_number_are_an_error() {
        assert_eq!(
            rows(
                "select 3 << 2 as a, 1 << 62 as b, -4 << 1 as c, 8 >> 2 as d, 8 >> 70 as e, -8 >> 70 as f, -8 >> 1 as g"
            ),
            "124611686018427387904-820-1-4"
        );
        assert_eq!(
            rows("select k << 2 as a, k >> k as b from (values (1), (null), (5)) t(k) order by k"),
            "40 200 "
        );
        for sql in ["1 << 70", "1 << 64", "1 << -1", "8 >> -1"] {
            let said = failure(&format!("select {sql} as a"));
            assert!(said.contains("the 64 bits of a bigint cannot be shifted by"), "{sql}: {said}");
        }
        let said = failure("select 1 << 63 as a");
        assert!(said.contains("overflow"), "{said}");
    }
}
