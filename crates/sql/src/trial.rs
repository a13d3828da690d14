//! Where in SQL the planner's error has come from, where the error itself does not say: found by trial.
//!
//! An expression is what an error is about where the SQL with NULL in its place has not that error. The smallest such
//! expression is looked for, and only once there is an error: SQL that is right pays nothing. Must not know: what is planned
//! how.

use std::collections::BTreeSet;
use std::ops::{ControlFlow, Range};
use std::time::{Duration, Instant};

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{self, Expr, Spanned, Value, Visitor, VisitorMut};
use datafusion::sql::sqlparser::tokenizer;

use super::offset;
use super::syntax::visits::{visit, visit_mut};

/// How often the SQL is planned at most.
const TRIALS: usize = 64;
/// How long that may take.
const LONGEST: Duration = Duration::from_millis(800);

/// The bytes of the smallest expression that an error is about; `still_fails` says whether SQL has the same error.
pub(super) fn range(
    sql: &str,
    statement: &Statement,
    still_fails: &mut dyn FnMut(Statement) -> bool,
) -> Option<Range<usize>> {
    let Statement::Statement(tree) = statement else { return None };
    let mut listed = Listed::default();
    let _ = visit(tree.as_ref(), &mut listed);
    let mut trials = Trials { began: Instant::now(), left: TRIALS, tree, still_fails };
    let mut found = None;
    let mut within = 0..listed.expressions.len();
    while let Some(culprit) = trials.one_of(&listed.siblings(within.clone())) {
        let expression = &listed.expressions[culprit];
        found = expression.range(sql).or(found);
        within = culprit + 1..expression.end;
    }
    found
}

/// An expression of the SQL. Those within it follow it in the list.
struct TrialSpot {
    span: tokenizer::Span,
    /// The first one that is not within it.
    end: usize,
}

impl TrialSpot {
    fn range(&self, sql: &str) -> Option<Range<usize>> {
        if self.span.start.line == 0 {
            return None;
        }
        let start = offset(sql, self.span.start);
        Some(start..offset(sql, self.span.end).max(start))
    }
}

/// All expressions, each before those within it.
#[derive(Default)]
struct Listed {
    expressions: Vec<TrialSpot>,
    open: Vec<usize>,
}

impl Listed {
    /// The outermost ones of a range of the list.
    fn siblings(&self, within: Range<usize>) -> Vec<usize> {
        let mut siblings = Vec::new();
        let mut next = within.start;
        while next < within.end {
            siblings.push(next);
            next = self.expressions[next].end;
        }
        siblings
    }
}

impl Visitor for Listed {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        self.open.push(self.expressions.len());
        self.expressions.push(TrialSpot { span: expression.span(), end: 0 });
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
        let end = self.expressions.len();
        if let Some(opened) = self.open.pop() {
            self.expressions[opened].end = end;
        }
        ControlFlow::Continue(())
    }
}

struct Trials<'a> {
    began: Instant,
    left: usize,
    tree: &'a ast::Statement,
    still_fails: &'a mut dyn FnMut(Statement) -> bool,
}

impl Trials<'_> {
    /// The one of these that the error is about, where it is about one of them: halves are tried.
    fn one_of(&mut self, siblings: &[usize]) -> Option<usize> {
        if siblings.is_empty() || !self.clears(siblings) {
            return None;
        }
        let mut among = siblings;
        while among.len() > 1 {
            let (first, second) = among.split_at(among.len() / 2);
            among = if self.clears(first) {
                first
            } else if self.clears(second) {
                second
            } else {
                return None;
            };
        }
        among.first().copied()
    }

    /// Whether the error goes away with NULL in the place of these.
    fn clears(&mut self, expressions: &[usize]) -> bool {
        if self.left == 0 || self.began.elapsed() > LONGEST {
            return false;
        }
        self.left -= 1;
        let mut tree = self.tree.clone();
        let mut nulls = Nulls { at: expressions.iter().copied().collect(), next: 0, open: Vec::new() };
        let _ = visit_mut(&mut tree, &mut nulls);
        !(self.still_fails)(Statement::Statement(Box::new(tree)))
    }
}

/// Puts NULL in the place of expressions, which are known by their place in the list.
struct Nulls {
    at: BTreeSet<usize>,
    next: usize,
    open: Vec<usize>,
}

impl VisitorMut for Nulls {
    type Break = ();

    fn pre_visit_expr(&mut self, _: &mut Expr) -> ControlFlow<()> {
        self.open.push(self.next);
        self.next += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if self.open.pop().is_some_and(|opened| self.at.contains(&opened)) {
            *expression = Expr::value(Value::Null);
        }
        ControlFlow::Continue(())
    }
}
