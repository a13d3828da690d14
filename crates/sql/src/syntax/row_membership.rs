//! `(a, b) IN (SELECT x, y …)`: whether a row of values is among rows.
//!
//! It is true where a row is equal, NULL where none is and one may be (a value on either side is NULL, and no other pair differs), else false. The engine knows
//! membership of single values alone; so it is written out with EXISTS, over the subquery with names of its own for its columns. As a condition, where only
//! what is true counts, one EXISTS says it, of which the engine makes a join.

use std::ops::{ControlFlow, Range};

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Query, Select, SelectItem,
    SetExpr, Spanned, Statement as Tree, TableFactor, VisitorMut,
};
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Tokenizer;

use super::Sql;
use super::visits::visit_mut;
use crate::offset;
use crate::problem::SqlProblem;

/// Writes them out in all of a statement.
///
/// Gives what is wrong with one: it compares another number of values than the subquery gives.
pub(crate) fn write_row_memberships(statement: &mut Statement, sql: &str) -> Option<SqlProblem> {
    let Statement::Statement(tree) = statement else { return None };
    let tree: &mut Tree = tree;
    match visit_mut(tree, &mut Memberships { sql }) {
        ControlFlow::Break(problem) => Some(problem),
        ControlFlow::Continue(()) => None,
    }
}

/// The name of the subquery, and what its columns' names begin with.
const ROWS: &str = "__rows";
const VALUE: &str = "__value";

struct Memberships<'a> {
    sql: &'a str,
}

impl VisitorMut for Memberships<'_> {
    type Break = SqlProblem;

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<SqlProblem> {
        match &mut select.selection {
            Some(condition) => self.condition(condition),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<SqlProblem> {
        self.written_out(expression, Membership::value)
    }
}

impl Memberships<'_> {
    /// Of a condition, the sides of AND and OR, and what is in brackets, only what is true counts.
    fn condition(&mut self, expression: &mut Expr) -> ControlFlow<SqlProblem> {
        match expression {
            Expr::BinaryOp { left, op: BinaryOperator::And | BinaryOperator::Or, right } => {
                self.condition(left)?;
                self.condition(right)
            }
            Expr::Nested(inner) => self.condition(inner),
            _ => self.written_out(expression, Membership::condition),
        }
    }

    fn written_out(
        &mut self,
        expression: &mut Expr,
        write: fn(&Membership) -> Option<Expr>,
    ) -> ControlFlow<SqlProblem> {
        let Some(membership) = Membership::of(expression) else { return ControlFlow::Continue(()) };
        if let Some(columns) = columns(&membership.subquery)
            && columns != membership.values.len()
        {
            return ControlFlow::Break(membership.other_number(columns, self.sql));
        }
        if let Some(written) = write(&membership) {
            *expression = written;
        }
        ControlFlow::Continue(())
    }
}

/// Values that are looked for among the rows of a subquery.
struct Membership {
    values: Vec<Expr>,
    subquery: Query,
    negated: bool,
}

impl Membership {
    fn of(expression: &Expr) -> Option<Self> {
        let Expr::InSubquery { expr, subquery, negated } = expression else { return None };
        let values = values(expr)?;
        if gives_rows_of_values(subquery) {
            return None;
        }
        Some(Self { values, subquery: subquery.as_ref().clone(), negated: *negated })
    }

    /// What is true where the membership is.
    fn condition(&self) -> Option<Expr> {
        if self.negated { self.there_is(" IS NOT FALSE", "NOT ") } else { self.there_is("", "") }
    }

    /// What is true, false or NULL as the membership is.
    fn value(&self) -> Option<Expr> {
        let (found, unknown) = (self.there_is("", "")?, self.there_is(" IS NOT FALSE", "")?);
        let negation = if self.negated { "NOT " } else { "" };
        let whole = expression(&format!("{negation}(found OR (CAST(NULL AS BOOLEAN) AND unknown))"))?;
        Some(with(whole, &mut |part| match part {
            Expr::Identifier(name) if name.value == "found" => Some(found.clone()),
            Expr::Identifier(name) if name.value == "unknown" => Some(unknown.clone()),
            _ => None,
        }))
    }

    /// That there is a row of which each value compares so with its own.
    fn there_is(&self, suffix: &str, prefix: &str) -> Option<Expr> {
        let numbers = || 0..self.values.len();
        let names: Vec<String> = numbers().map(|number| format!("{VALUE}{number}")).collect();
        let equal: Vec<String> =
            numbers().map(|number| format!("(({ROWS}.{VALUE}{number} = {number}){suffix})")).collect();
        let mut whole = expression(&format!(
            "{prefix}EXISTS (SELECT 1 FROM (SELECT 1) AS {ROWS} ({}) WHERE {})",
            names.join(", "),
            equal.join(" AND ")
        ))?;
        // The visitor breaks nowhere.
        let _ = visit_mut(&mut whole, &mut Filled { membership: self });
        Some(whole)
    }

    fn other_number(&self, columns: usize, sql: &str) -> SqlProblem {
        let span = self.subquery.span();
        let start = offset(sql, span.start);
        let range: Range<usize> = start..offset(sql, span.end).max(start);
        let said = if columns == 1 { "1 column" } else { &format!("{columns} columns") };
        SqlProblem {
            message: format!(
                "{} values are looked for among the rows of a subquery that gives {said}",
                self.values.len()
            ),
            range: Some(range),
            help: Some("select as many columns as there are values, in their order".to_owned()),
        }
    }
}

/// Puts the subquery and the values into what is written of them.
struct Filled<'a> {
    membership: &'a Membership,
}

impl VisitorMut for Filled<'_> {
    type Break = ();

    fn post_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Derived { subquery, .. } = factor {
            **subquery = self.membership.subquery.clone();
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = expression
            && let Expr::CompoundIdentifier(names) = left.as_ref()
            && let Some(value) = names.last().and_then(|name| self.membership.value_of(name))
        {
            **right = Expr::Nested(Box::new(value.clone()));
        }
        ControlFlow::Continue(())
    }
}

impl Membership {
    fn value_of(&self, name: &Ident) -> Option<&Expr> {
        self.values.get(name.value.strip_prefix(VALUE)?.parse::<usize>().ok()?)
    }
}

/// The values that stand before IN, where they are several.
fn values(expression: &Expr) -> Option<Vec<Expr>> {
    let values = match expression {
        Expr::Tuple(values) => values.clone(),
        Expr::Nested(inner) => return values(inner),
        Expr::Function(call) if is_row(&call.name.to_string()) => {
            let FunctionArguments::List(list) = &call.args else { return None };
            let values = list.args.iter().map(|argument| match argument {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(value)) => Some(value.clone()),
                _ => None,
            });
            values.collect::<Option<Vec<_>>>()?
        }
        _ => return None,
    };
    (values.len() > 1).then_some(values)
}

fn is_row(name: &str) -> bool {
    ["row", "struct"].iter().any(|row| name.eq_ignore_ascii_case(row))
}

/// The columns that a subquery gives, where its SELECT lists them.
fn columns(query: &Query) -> Option<usize> {
    let mut body = query.body.as_ref();
    loop {
        match body {
            SetExpr::Query(query) => body = query.body.as_ref(),
            SetExpr::SetOperation { left, .. } => body = left.as_ref(),
            SetExpr::Values(values) => return values.rows.first().map(|row| row.content.len()),
            SetExpr::Select(select) => {
                let is_one = |item: &SelectItem| {
                    matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. })
                };
                return select.projection.iter().all(is_one).then_some(select.projection.len());
            }
            _ => return None,
        }
    }
}

/// Whether what a subquery gives is one column of rows of values: these are compared as they are.
fn gives_rows_of_values(query: &Query) -> bool {
    let SetExpr::Select(select) = query.body.as_ref() else { return false };
    match select.projection.as_slice() {
        [SelectItem::UnnamedExpr(only) | SelectItem::ExprWithAlias { expr: only, .. }] => {
            values(only).is_some()
                || matches!(only, Expr::Function(call) if call.name.to_string().eq_ignore_ascii_case("named_struct"))
        }
        _ => false,
    }
}

/// What a text means as an expression, of which no part has a place in the user's SQL.
fn expression(text: &str) -> Option<Expr> {
    let tokens = Tokenizer::new(&Sql, text).tokenize().ok()?;
    Parser::new(&Sql).with_tokens(tokens).parse_expr().ok()
}

/// An expression with others in the places of some of its parts.
fn with(mut whole: Expr, of: &mut dyn FnMut(&Expr) -> Option<Expr>) -> Expr {
    super::visits::visit_expressions_mut(&mut whole, |part| {
        if let Some(other) = of(part) {
            *part = other;
        }
    });
    whole
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows;

    const A: &str = "(values (1, 'x'), (2, null), (null, 'z'), (4, 'w'), (5, null)) as a(k, s)";
    const B: &str = "(values (1, 'x'), (2, 'y'), (null, 'z'), (5, null), (6, null)) as b(p, q)";

    /// The keys of the rows for which a condition holds, as DuckDB has them.
    fn which(condition: &str) -> String {
        let condition = condition
            .replace("{all}", &format!("(select p, q from {B})"))
            .replace("{known}", &format!("(select p, q from {B} where p is not null and q is not null)"))
            .replace("{none}", &format!("(select p, q from {B} where p > 9)"));
        rows(&format!("select coalesce(k, 0) as k from {A} where {condition} order by 1"))
    }

    #[test]
    fn rows_are_members_where_an_equal_one_is_there() {
        assert_eq!(which("(k, s) in {all}"), "1");
        assert_eq!(which("row(k, s) in {all}"), "1");
        assert_eq!(which("(k, s) = any {all}"), "1");
        assert_eq!(which("(k, s) in {all} or k = 4"), "1 4");
        assert_eq!(which("((k, lower(upper(s))) in {all}) and k > 0"), "1");
        assert_eq!(which("(k, s) in {none}"), "");
        assert_eq!(
            which("(k, s, 1) in (select p, q, 1 from (select * from (values (1, 'x')) b(p, q)))"),
            "1"
        );
        assert_eq!(which("(k, s) in (select * from (values (1, 'x'), (4, 'v')) b(p, q))"), "1");
        assert_eq!(which("(k, s) in (values (1, 'x'), (4, 'w'))"), "1 4");
    }

    #[test]
    fn what_may_be_a_member_is_neither_in_nor_not_in() {
        assert_eq!(which("(k, s) not in {all}"), "4");
        assert_eq!(which("(k, s) not in {none}"), "0 1 2 4 5");
        assert_eq!(which("(k, s) not in {known}"), "0 4 5");
        assert_eq!(which("not ((k, s) in {all})"), "4");
        assert_eq!(which("((k, s) in {all}) is null"), "0 2 5");
        assert_eq!(which("((k, s) in {known}) is null"), "2");
        assert_eq!(which("coalesce((k, s) in {all}, true)"), "0 1 2 5");
        assert_eq!(which("(k, s) <> all {all} or k = 1"), "1 4");
    }

    #[test]
    fn a_membership_of_rows_is_a_value_as_well() {
        assert_eq!(
            rows(&format!(
                "select coalesce(k, 0) as k, (k, s) in (select p, q from {B}) as m from {A} order by 1"
            )),
            "0 1true 2 4false 5"
        );
    }
}
