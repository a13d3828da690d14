//! Ways through a syntax tree that several rewrites take.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, JoinConstraint, JoinOperator, OrderBy, Query, Select, SetExpr, VisitMut, VisitorMut,
};

use super::visits::visit_mut;

/// Calls `each` for the SELECTs that a query consists of, not for those of the queries within; with the order of its rows where it
/// is one SELECT.
pub(super) fn selects_of(query: &mut Query, mut each: impl FnMut(&mut Select, Option<&mut OrderBy>)) {
    let mut parts = vec![(query.body.as_mut(), query.order_by.as_mut())];
    while let Some((part, order_by)) = parts.pop() {
        match part {
            SetExpr::Select(select) => each(select, order_by),
            SetExpr::SetOperation { left, right, .. } => {
                parts.push((left.as_mut(), None));
                parts.push((right.as_mut(), None));
            }
            _ => {}
        }
    }
}

/// Calls `each` for the expressions of a part, from the inside out, not for those of the queries within, whose columns may be
/// other ones.
pub(super) fn own_expressions(part: &mut impl VisitMut, each: impl FnMut(&mut Expr)) {
    // The visitor breaks nowhere.
    let _ = visit_mut(part, &mut OwnExpressions { queries: 0, each });
}

struct OwnExpressions<F> {
    queries: usize,
    each: F,
}

impl<F: FnMut(&mut Expr)> VisitorMut for OwnExpressions<F> {
    type Break = ();

    fn pre_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _: &mut Query) -> ControlFlow<()> {
        self.queries -= 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if self.queries == 0 {
            (self.each)(expression);
        }
        ControlFlow::Continue(())
    }
}

/// The constraint of a join that has one, of a reference or of a mutable one.
macro_rules! constraint_of {
    ($operator:expr) => {
        match $operator {
            JoinOperator::Join(by)
            | JoinOperator::Inner(by)
            | JoinOperator::Left(by)
            | JoinOperator::LeftOuter(by)
            | JoinOperator::Right(by)
            | JoinOperator::RightOuter(by)
            | JoinOperator::FullOuter(by)
            | JoinOperator::CrossJoin(by)
            | JoinOperator::LeftSemi(by)
            | JoinOperator::RightSemi(by)
            | JoinOperator::LeftAnti(by)
            | JoinOperator::RightAnti(by) => Some(by),
            _ => None,
        }
    };
}

/// What a join joins by.
pub(super) fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    constraint_of!(operator)
}

/// The same, to be changed.
pub(super) fn constraint_mut(operator: &mut JoinOperator) -> Option<&mut JoinConstraint> {
    constraint_of!(operator)
}
