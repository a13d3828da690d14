//! Walks through a syntax tree, compiled once.
//!
//! The syntax tree has some thousand kinds of nodes, and its own walk is compiled anew for each type of visitor: with eighteen of them this was most of what the
//! crate takes to build. Here a visitor is behind a pointer, and the walk is compiled for that.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Expr, ObjectName, Query, Select, Statement, TableFactor, ValueWithSpan, Visit, VisitMut, Visitor,
    VisitorMut,
};

/// Walks through a part; what the visitor breaks off with is given back.
pub(crate) fn visit<V: Visitor>(part: &impl Visit, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept { visitor, found: None };
    let _ = part.visit(&mut LookingOnly(&mut kept));
    kept.found.map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// The same, by a visitor that changes what it sees.
pub(crate) fn visit_mut<V: VisitorMut>(part: &mut impl VisitMut, visitor: &mut V) -> ControlFlow<V::Break> {
    let mut kept = Kept { visitor, found: None };
    let _ = part.visit(&mut Changing(&mut kept));
    kept.found.map_or(ControlFlow::Continue(()), ControlFlow::Break)
}

/// Calls `each` for each expression of a part, from the outside in.
pub(crate) fn visit_expressions<B>(
    part: &impl Visit,
    each: impl FnMut(&Expr) -> ControlFlow<B>,
) -> ControlFlow<B> {
    visit(part, &mut Each { each })
}

/// Calls `each` for each expression of a part, from the inside out.
pub(crate) fn visit_expressions_mut(part: &mut impl VisitMut, each: impl FnMut(&mut Expr)) {
    let _ = visit_mut(part, &mut Each { each });
}

struct Each<F> {
    each: F,
}

impl<B, F: FnMut(&Expr) -> ControlFlow<B>> Visitor for Each<F> {
    type Break = B;

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<B> {
        (self.each)(expression)
    }
}

impl<F: FnMut(&mut Expr)> VisitorMut for Each<F> {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        (self.each)(expression);
        ControlFlow::Continue(())
    }
}

/// A visitor, and what it broke off with.
struct Kept<'a, V, B> {
    visitor: &'a mut V,
    found: Option<B>,
}

impl<V, B> Kept<'_, V, B> {
    fn keep(&mut self, said: ControlFlow<B>) -> ControlFlow<()> {
        said.map_break(|found| self.found = Some(found))
    }
}

/// Any visitor that only looks.
struct LookingOnly<'a>(&'a mut dyn Visitor<Break = ()>);

/// Any visitor that changes.
struct Changing<'a>(&'a mut dyn VisitorMut<Break = ()>);

/// All that a walk calls, passed on.
macro_rules! passed_on {
    ($($before:ident, $after:ident: $part:ty;)*) => {
        impl<V: Visitor> Visitor for Kept<'_, V, V::Break> {
            type Break = ();
            $(
                fn $before(&mut self, part: &$part) -> ControlFlow<()> {
                    let said = self.visitor.$before(part);
                    self.keep(said)
                }
                fn $after(&mut self, part: &$part) -> ControlFlow<()> {
                    let said = self.visitor.$after(part);
                    self.keep(said)
                }
            )*
        }
        impl<V: VisitorMut> VisitorMut for Kept<'_, V, V::Break> {
            type Break = ();
            $(
                fn $before(&mut self, part: &mut $part) -> ControlFlow<()> {
                    let said = self.visitor.$before(part);
                    self.keep(said)
                }
                fn $after(&mut self, part: &mut $part) -> ControlFlow<()> {
                    let said = self.visitor.$after(part);
                    self.keep(said)
                }
            )*
        }
        impl Visitor for LookingOnly<'_> {
            type Break = ();
            $(
                fn $before(&mut self, part: &$part) -> ControlFlow<()> {
                    self.0.$before(part)
                }
                fn $after(&mut self, part: &$part) -> ControlFlow<()> {
                    self.0.$after(part)
                }
            )*
        }
        impl VisitorMut for Changing<'_> {
            type Break = ();
            $(
                fn $before(&mut self, part: &mut $part) -> ControlFlow<()> {
                    self.0.$before(part)
                }
                fn $after(&mut self, part: &mut $part) -> ControlFlow<()> {
                    self.0.$after(part)
                }
            )*
        }
    };
}

passed_on! {
    pre_visit_query, post_visit_query: Query;
    pre_visit_select, post_visit_select: Select;
    pre_visit_relation, post_visit_relation: ObjectName;
    pre_visit_table_factor, post_visit_table_factor: TableFactor;
    pre_visit_expr, post_visit_expr: Expr;
    pre_visit_statement, post_visit_statement: Statement;
    pre_visit_value, post_visit_value: ValueWithSpan;
}
