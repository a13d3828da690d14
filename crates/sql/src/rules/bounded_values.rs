//! Values that grow in the plan itself are bounded: texts joined by `||`, lists and structs of lists and structs, and values
//! that are known before the query runs and stand in each of its rows.

use std::sync::Arc;

use arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result, internal_err};
use datafusion::logical_expr::expr::{AggregateFunction, ScalarFunction};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::logical_expr_common::type_coercion::binary::BinaryTypeCoercer;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

use super::parts::replaced;
use crate::bounded::{bounded, within_bounds};
use crate::joined_text::JoinedText;

/// The bytes of a value from which on it matters that each row of a batch has its own.
const LARGE: usize = 16 << 10;

/// The rule for what makes values of values. Runs before constants are folded.
#[derive(Debug)]
pub struct BoundedValues;

impl OptimizerRule for BoundedValues {
    fn name(&self) -> &'static str {
        "bounded_values"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        replaced(plan, grows, of_expression)
    }
}

/// The rule for constants. Runs last, when all are folded.
#[derive(Debug)]
pub struct RepeatedConstants;

impl OptimizerRule for RepeatedConstants {
    fn name(&self) -> &'static str {
        "repeated_constants"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::BottomUp)
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        if !matches!(plan, LogicalPlan::Projection(_) | LogicalPlan::Aggregate(_)) {
            return Ok(Transformed::no(plan));
        }
        replaced(plan, stands_in_rows, |part, _| Ok(of_rows(part)))
    }
}

const NESTING: [&str; 4] = ["make_array", "struct", "named_struct", "map"];

fn grows(part: &Expr) -> bool {
    match part {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => *op == Operator::StringConcat,
        Expr::ScalarFunction(call) => NESTING.contains(&call.func.name()),
        _ => false,
    }
}

fn of_expression(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match part {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::StringConcat, right }) => {
            let (of_left, of_right) = (type_of(&left, schema)?, type_of(&right, schema)?);
            let returns =
                BinaryTypeCoercer::new(&of_left, &Operator::StringConcat, &of_right).get_result_type()?;
            if !of_left.is_string() || !of_right.is_string() || !returns.is_string() {
                let kept = BinaryExpr { left, op: Operator::StringConcat, right };
                return Ok(Transformed::no(Expr::BinaryExpr(kept)));
            }
            let call = JoinedText::call(*left, *right, &returns);
            Ok(Transformed::yes(Expr::ScalarFunction(call)))
        }
        Expr::ScalarFunction(ScalarFunction { func, args }) if NESTING.contains(&func.name()) => {
            for arg in &args {
                if type_of(arg, schema)?.is_nested() {
                    let func = bounded(&func).map_or(func, Arc::new);
                    return Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })));
                }
            }
            Ok(Transformed::no(Expr::ScalarFunction(ScalarFunction { func, args })))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The type of an expression. Of texts of thousands of parts it is told by the last step alone.
fn type_of(expression: &Expr, schema: &DFSchema) -> Result<DataType> {
    match expression {
        Expr::ScalarFunction(call) => match call.func.inner().downcast_ref::<JoinedText>() {
            Some(joined) => Ok(joined.returns().clone()),
            None => expression.get_type(schema),
        },
        other => other.get_type(schema),
    }
}

fn is_large(value: &Expr) -> bool {
    match value {
        Expr::Literal(value, _) => {
            let is_long = value.data_type().is_string() || value.data_type().is_nested();
            is_long && value.size() > LARGE
        }
        Expr::Alias(alias) => is_large(&alias.expr),
        _ => false,
    }
}

fn stands_in_rows(part: &Expr) -> bool {
    match part {
        Expr::AggregateFunction(call) => call.params.args.iter().any(is_large),
        other => is_large(other),
    }
}

/// A constant that is a column, or that a group gathers, as a call that counts its rows.
fn of_rows(part: Expr) -> Transformed<Expr> {
    match part {
        Expr::AggregateFunction(AggregateFunction { func, mut params }) => {
            params.args = params.args.into_iter().map(|arg| of_rows(arg).data).collect();
            Transformed::yes(Expr::AggregateFunction(AggregateFunction { func, params }))
        }
        part @ Expr::Literal(..) if is_large(&part) => Transformed::yes(Expr::ScalarFunction(
            ScalarFunction::new_udf(Arc::new(EachRow::function()), vec![part]),
        )),
        other => Transformed::no(other),
    }
}

/// One value for each row, where they are not too large together.
#[derive(Debug, PartialEq, Eq, Hash)]
struct EachRow {
    signature: Signature,
}

impl EachRow {
    fn function() -> ScalarUDF {
        // Not to be folded: a constant knows nothing of rows.
        ScalarUDF::new_from_impl(Self { signature: Signature::any(1, Volatility::Volatile) })
    }
}

impl ScalarUDFImpl for EachRow {
    fn name(&self) -> &'static str {
        "each_row"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [one] = types else { return internal_err!("one value was expected for each row") };
        Ok(one.clone())
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let [one] = arguments.arg_fields else {
            return internal_err!("one value was expected for each row");
        };
        Ok(one.clone())
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        match arguments.args.into_iter().next() {
            Some(ColumnarValue::Scalar(value)) => {
                let bytes = value.size() as f64;
                // Of one row, what made the value has looked.
                if rows > 1 {
                    within_bounds("a constant in each row", rows, |_| Ok(bytes))?;
                }
                Ok(ColumnarValue::Scalar(value))
            }
            Some(array) => Ok(array),
            None => internal_err!("one value was expected for each row"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::{failure, rows};

    #[test]
    fn a_large_constant_is_not_made_for_each_of_many_rows() {
        for sql in [
            "select repeat('abc', 100000) as a from generate_series(1, 8000)",
            "select length(string_agg(repeat('abc', 100000), ',')) from generate_series(1, 8000)",
            "select array_length(array_agg(repeat('abc', 100000))) from generate_series(1, 8000)",
            "select count(*) from (select unnest(range(0, 1000000)) from generate_series(1, 1000))",
        ] {
            let said = failure(sql);
            assert!(said.contains("a constant in each row"), "{sql}: {said}");
        }
        assert_eq!(
            rows("select count(*) from (select unnest(range(0, 86400)) from generate_series(1, 7))"),
            "604800"
        );
        assert_eq!(
            rows("select max(length(a)) from (select repeat('abc', 9000) as a from generate_series(1, 5))"),
            "27000"
        );
    }
}
