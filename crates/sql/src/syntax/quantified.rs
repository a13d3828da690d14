//! `= ANY (SELECT …)` is IN, and `<> ALL (SELECT …)` is NOT IN: they are read as such, since there is one way to execute both.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Ident, Statement as Tree, VisitorMut};

use super::visits::visit_mut;

/// Writes them so in all of a statement.
pub(crate) fn write_as_membership(statement: &mut Statement) {
    if let Statement::Statement(tree) = statement {
        let tree: &mut Tree = tree;
        // The visitor breaks nowhere.
        let _ = visit_mut(tree, &mut Quantified);
    }
}

struct Quantified;

impl VisitorMut for Quantified {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        let negated = match expression {
            Expr::AnyOp { compare_op: BinaryOperator::Eq, .. } => false,
            Expr::AllOp { compare_op: BinaryOperator::NotEq, .. } => true,
            _ => return ControlFlow::Continue(()),
        };
        let whole = std::mem::replace(expression, Expr::Identifier(Ident::new("_")));
        *expression = match whole {
            Expr::AnyOp { left, right, .. } | Expr::AllOp { left, right, .. }
                if matches!(right.as_ref(), Expr::Subquery(_)) =>
            {
                match *right {
                    Expr::Subquery(subquery) => Expr::InSubquery { expr: left, subquery, negated },
                    _ => *left,
                }
            }
            other => other,
        };
        ControlFlow::Continue(())
    }
}
