//! LATERAL subqueries that cannot be executed: what is said of them, and where they stand.
//!
//! The engine knows no place of one, and of some it would pick the rows too late.

use std::ops::{ControlFlow, Range};

use datafusion::common::{DataFusionError, plan_datafusion_err};
use datafusion::sql::sqlparser::ast::{Query, Spanned, TableFactor, Visitor};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::problem::SqlProblem;
use super::syntax::visits::visit;
use super::{offset, syntax};

const REFUSED: &str = "this LATERAL cannot be executed: what it reads of the query around it must be compared by `=` in its WHERE, and the \
                       rows that it picks so can be neither limited, numbered nor put together";
const HELP: &str = "join what it reads; of each group the first row is that with row_number() over (partition by … order by …) = 1";

/// How deep SQL may be nested that was planned before.
const DEPTH: usize = 1_000;

/// The error of one whose rows would be picked after they were numbered.
pub(super) fn refused() -> DataFusionError {
    plan_datafusion_err!("{REFUSED}")
}

/// The problem, where it is said of a LATERAL, with its place and the way on.
pub(super) fn placed(problem: SqlProblem, sql: &str) -> SqlProblem {
    if problem.message == REFUSED { of(sql).unwrap_or(problem) } else { problem }
}

/// The problem of the first one in SQL, where there is one.
pub(super) fn of(sql: &str) -> Option<SqlProblem> {
    let statement = syntax::statement(sql, DEPTH).ok()?;
    let query: &Query = syntax::query(&statement)?;
    let ControlFlow::Break(span) = visit(query, &mut FirstLateral) else { return None };
    let start = offset(sql, span.start);
    let range: Range<usize> = start..offset(sql, span.end).max(start);
    Some(SqlProblem { message: REFUSED.to_owned(), range: Some(range), help: Some(HELP.to_owned()) })
}

struct FirstLateral;

impl Visitor for FirstLateral {
    type Break = Span;

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<Span> {
        match factor {
            TableFactor::Derived { lateral: true, subquery, .. } => ControlFlow::Break(subquery.span()),
            _ => ControlFlow::Continue(()),
        }
    }
}
