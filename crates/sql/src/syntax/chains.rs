//! Long chains of one operator, such as generated SQL has: `a or b or c …`, `… union all …`.
//!
//! A parser nests a chain as deep as it is long, and what walks it takes stack for each level, and looks at all below at
//! each. A chain of an operator that may be grouped in any way is made as flat as can be; any other one may be so deep.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, Ident, Query, SetExpr, SetOperator, SetQuantifier, Spanned, Statement, Values,
    VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Location;

use super::nesting::Nesting;
use super::visits::visit_mut;

/// Terms that a chain may have before it is grouped anew: people's own SQL stays as it was written.
const TERMS: usize = 64;
/// How deep expressions and set operations may be nested.
pub(crate) const DEPTH: usize = 500;

/// Groups long chains anew. The terms stay in their order.
///
/// # Errors
/// Where something is nested deeper than [`DEPTH`] all the same.
pub(crate) fn balance(statement: &mut Statement) -> Result<(), Nesting> {
    match visit_mut(statement, &mut Balance { depth: 0 }) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(nesting) => Err(nesting),
    }
}

struct Balance {
    depth: usize,
}

impl VisitorMut for Balance {
    type Break = Nesting;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Nesting> {
        if let Expr::BinaryOp { op, .. } = expression
            && is_associative(op)
        {
            let op = op.clone();
            regroup(expression, &Operator(op));
        }
        self.depth += 1;
        if self.depth > DEPTH {
            ControlFlow::Break(Nesting { at: start(expression) })
        } else {
            ControlFlow::Continue(())
        }
    }

    fn post_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<Nesting> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Nesting> {
        regroup_unions(&mut query.body)
    }
}

/// A tree of two branches at each node.
trait Chain<T> {
    /// The two sides of a node that belongs to the chain; any other node is a term of it.
    fn split(&self, node: T) -> Result<(T, T), T>;
    /// Whether a node belongs to the chain, and its left side.
    fn left<'a>(&self, node: &'a T) -> Option<&'a T>;
    fn join(&self, left: T, right: T) -> T;
    /// What stands in a place for a moment.
    fn nothing() -> T;
}

struct Operator(BinaryOperator);

impl Chain<Expr> for Operator {
    fn split(&self, node: Expr) -> Result<(Expr, Expr), Expr> {
        match node {
            Expr::BinaryOp { left, op, right } if op == self.0 => Ok((*left, *right)),
            other => Err(other),
        }
    }

    fn left<'a>(&self, node: &'a Expr) -> Option<&'a Expr> {
        match node {
            Expr::BinaryOp { left, op, .. } if *op == self.0 => Some(left),
            _ => None,
        }
    }

    fn join(&self, left: Expr, right: Expr) -> Expr {
        Expr::BinaryOp { left: Box::new(left), op: self.0.clone(), right: Box::new(right) }
    }

    fn nothing() -> Expr {
        Expr::Identifier(Ident::new(""))
    }
}

struct Union(SetQuantifier);

impl Chain<SetExpr> for Union {
    fn split(&self, node: SetExpr) -> Result<(SetExpr, SetExpr), SetExpr> {
        match node {
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, right }
                if set_quantifier == self.0 =>
            {
                Ok((*left, *right))
            }
            other => Err(other),
        }
    }

    fn left<'a>(&self, node: &'a SetExpr) -> Option<&'a SetExpr> {
        match node {
            SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, .. }
                if *set_quantifier == self.0 =>
            {
                Some(left)
            }
            _ => None,
        }
    }

    fn join(&self, left: SetExpr, right: SetExpr) -> SetExpr {
        SetExpr::SetOperation {
            op: SetOperator::Union,
            set_quantifier: self.0,
            left: Box::new(left),
            right: Box::new(right),
        }
    }

    fn nothing() -> SetExpr {
        SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows: Vec::new() })
    }
}

/// Whether terms may be grouped in any way: sums and products as far as rounding goes, which is smaller where fewer
/// results are added up one after another.
fn is_associative(op: &BinaryOperator) -> bool {
    matches!(
        op,
        BinaryOperator::And
            | BinaryOperator::Or
            | BinaryOperator::StringConcat
            | BinaryOperator::Plus
            | BinaryOperator::Multiply
    )
}

fn regroup<T, C: Chain<T>>(node: &mut T, chain: &C) {
    let mut length = 1;
    let mut next = chain.left(node);
    while let Some(left) = next {
        length += 1;
        next = chain.left(left);
    }
    if length <= TERMS {
        return;
    }
    let mut terms = Vec::with_capacity(length);
    let mut rest = std::mem::replace(node, C::nothing());
    let first = loop {
        match chain.split(rest) {
            Ok((left, right)) => {
                terms.push(right);
                rest = left;
            }
            Err(first) => break first,
        }
    };
    terms.push(first);
    terms.reverse();
    *node = grouped(terms, chain);
}

/// The terms, joined by two, then by four, and so on.
fn grouped<T, C: Chain<T>>(mut terms: Vec<T>, chain: &C) -> T {
    while terms.len() > 1 {
        let mut pairs = Vec::with_capacity(terms.len().div_ceil(2));
        let mut each = terms.into_iter();
        while let Some(left) = each.next() {
            pairs.push(match each.next() {
                Some(right) => chain.join(left, right),
                None => left,
            });
        }
        terms = pairs;
    }
    terms.pop().unwrap_or_else(C::nothing)
}

/// Unions of a query, and of what is combined with them.
fn regroup_unions(body: &mut SetExpr) -> ControlFlow<Nesting> {
    let mut depth = 0;
    let mut body = body;
    loop {
        if let SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, .. } = body {
            let quantifier = *set_quantifier;
            if matches!(quantifier, SetQuantifier::All | SetQuantifier::Distinct | SetQuantifier::None) {
                regroup(body, &Union(quantifier));
            }
        }
        depth += 1;
        if depth > DEPTH {
            return ControlFlow::Break(Nesting { at: Location::empty() });
        }
        let SetExpr::SetOperation { left, .. } = body else { return ControlFlow::Continue(()) };
        body = left;
    }
}

/// Where an expression begins, found along its left side without walking all of it.
fn start(expression: &Expr) -> Location {
    let mut expression = expression;
    while let Expr::BinaryOp { left, .. } = expression {
        expression = left;
    }
    match expression {
        Expr::Identifier(name) => name.span.start,
        Expr::Value(value) => value.span.start,
        other => other.span().start,
    }
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn balanced(sql: &str) -> Result<Statement, Nesting> {
        let mut statement = Parser::parse_sql(&crate::syntax::Sql, sql).unwrap().remove(0);
        balance(&mut statement).map(|()| statement)
    }

    fn terms(count: usize, operator: &str) -> String {
        (0..count).map(|number| format!("c{number}")).collect::<Vec<_>>().join(operator)
    }

    #[test]
    fn a_chain_that_may_be_grouped_in_any_way_can_be_long_and_keeps_its_order() {
        for operator in [" OR ", " AND ", " || ", " + ", " * "] {
            let sql = format!("SELECT {} FROM t", terms(3000, operator));
            assert_eq!(balanced(&sql).unwrap().to_string(), sql);
        }
        for operator in [" UNION ALL SELECT ", " UNION SELECT "] {
            let sql = format!("SELECT {}", terms(3000, operator));
            assert_eq!(balanced(&sql).unwrap().to_string(), sql);
        }
    }

    #[test]
    fn one_that_may_not_is_told_where_it_begins() {
        let at = balanced(&format!("select 1,\n  {}", terms(600, " - "))).unwrap_err().at;
        assert_eq!(at, Location::new(2, 3));
        assert!(balanced(&format!("select {}", terms(400, " - "))).is_ok());
        assert!(balanced(&format!("select {}", terms(600, " except select "))).is_err());
    }

    #[test]
    fn terms_of_other_operators_and_in_brackets_stay_terms() {
        let parts: Vec<String> = (0..200).map(|number| format!("a = {number} AND (b OR c)")).collect();
        let sql = format!("SELECT * FROM t WHERE {}", parts.join(" OR "));
        assert_eq!(balanced(&sql).unwrap().to_string(), sql);
    }
}
