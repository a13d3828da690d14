//! `||` of a text and a value that is none: the value is written as text, whatever it is.
//!
//! The engine does so with some types and refuses others, such as the year of a date.

use arrow::datatypes::DataType;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, Result};
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, cast};

use super::parts::replaced;
use crate::tree::PlanWalk;

/// The plan in which it is.
///
/// # Errors
/// Where a mended node cannot be built.
pub fn as_texts(plan: LogicalPlan) -> Result<LogicalPlan> {
    Ok(plan.map_up_with_subqueries(&mut |node| replaced(node, is_joined, with_texts))?.data)
}

fn is_joined(part: &Expr) -> bool {
    matches!(part, Expr::BinaryExpr(BinaryExpr { op: Operator::StringConcat, .. }))
}

#[expect(clippy::unnecessary_wraps, reason = "the parts of a node are replaced by what can fail")]
fn with_texts(part: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let Expr::BinaryExpr(BinaryExpr { left, op: op @ Operator::StringConcat, right }) = part else {
        return Ok(Transformed::no(part));
    };
    let is_written = |of: &Expr| {
        let of = of.get_type(schema);
        of.is_ok_and(|of| of.is_numeric() || of.is_temporal() || of == DataType::Boolean)
    };
    let (writes_left, writes_right) = (is_written(&left), is_written(&right));
    let written = |of: Box<Expr>, writes| if writes { Box::new(cast(*of, DataType::Utf8)) } else { of };
    let joined = BinaryExpr { left: written(left, writes_left), op, right: written(right, writes_right) };
    let joined = Expr::BinaryExpr(joined);
    Ok(if writes_left || writes_right { Transformed::yes(joined) } else { Transformed::no(joined) })
}
