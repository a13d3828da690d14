//! A truth value beside 0 or 1 is that number: `regexp_matches(x, 'a') > 0`.
//!
//! Engines that compare the two at all agree on these; of any other number they make different things, and there the two types stay apart.

use arrow::datatypes::DataType;
use datafusion::common::{DFSchema, Result, ScalarValue};
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{Expr, ExprSchemable, cast};
use datafusion::sql::sqlparser::ast::BinaryOperator;

/// What plans such comparisons.
#[derive(Debug)]
pub(super) struct TruthsBesideNumbers;

impl ExprPlanner for TruthsBesideNumbers {
    fn plan_binary_op(
        &self,
        mut compared: RawBinaryExpr,
        schema: &DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let is_truth = |side: &Expr| side.get_type(schema).is_ok_and(|of| of == DataType::Boolean);
        let as_number = |side: Expr| cast(side, DataType::Int64);
        if is_comparison(&compared.op) {
            if is_0_or_1(&compared.right) && is_truth(&compared.left) {
                compared.left = as_number(compared.left);
            } else if is_0_or_1(&compared.left) && is_truth(&compared.right) {
                compared.right = as_number(compared.right);
            }
        }
        Ok(PlannerResult::Original(compared))
    }
}

fn is_comparison(op: &BinaryOperator) -> bool {
    use BinaryOperator::{Eq, Gt, GtEq, Lt, LtEq, NotEq};
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq)
}

fn is_0_or_1(side: &Expr) -> bool {
    matches!(side, Expr::Literal(ScalarValue::Int64(Some(0 | 1)), _))
}

#[cfg(test)]
mod tests {
    use crate::Scope;
    use crate::rules::executed::rows;

    #[test]
    fn a_truth_value_is_1_or_0_beside_one_of_these() {
        let t = "(values ('ab', true), ('b', false), ('c', cast(null as boolean))) t(name, is_new)";
        assert_eq!(rows(&format!("select name from {t} where regexp_like(name, '^a') > 0")), "ab");
        assert_eq!(rows(&format!("select name from {t} where 0 = is_new")), "b");
        assert_eq!(
            rows(&format!("select name from {t} where is_new <> 1 or is_new is null order by 1")),
            "b c"
        );
        assert_eq!(
            rows(&format!("select count(*) from {t} where case when is_new = 1 then 1 else 0 end = 0")),
            "2"
        );
    }

    #[test]
    fn of_other_numbers_engines_make_different_things() {
        let planned = Scope::for_planning().plan("select 1 where true < 2");
        assert!(planned.is_err());
    }
}
