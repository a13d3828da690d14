//! SELECTs of very many columns, written as a pipe (`from … |> where … |> select …`).
//!
//! What the planner makes of a SELECT it searches for calls of `unnest`, and compares each column with all others by its text for that: of 10,000
//! columns this is a minute. It does not do so for a pipe, which means the same where nothing is grouped, ordered or taken apart.
//! A pipe begins with a query, so it begins with one row of one column, to which the first relation is joined; [without_beginnings]
//! takes that out of the plan again.

use std::ops::ControlFlow;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{EmptyRelation, Expr as Planned, Join as PlannedJoin, LogicalPlan};
use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    ExcludeSelectItem, Expr, GroupByExpr, Ident, Join, JoinConstraint, JoinOperator, ObjectName,
    PipeOperator, Query, Select, SelectItem, SetExpr, Statement as Tree, TableFactor, TableWithJoins,
    Visitor, VisitorMut, WildcardAdditionalOptions,
};

use super::visits::{visit, visit_expressions, visit_mut};
use super::{query, statement};
use crate::tree::PlanWalk;

/// From how many columns on a SELECT is written so: below that, the search is too short to be seen.
pub(crate) const MANY: usize = 500;

/// The column with which a pipe begins. No other has such a name.
const BEGINNING: &str = "\u{1}beginning";

/// Writes all SELECTs of a statement so that can be, where one of them may have very many columns.
///
/// Which functions make a value of each row alone is for `is_scalar` to say, and how many columns a relation has for `width`.
pub(crate) fn write_wide_as_pipes(
    statement: &mut Statement,
    is_scalar: &dyn Fn(&str) -> bool,
    width: &dyn Fn(&ObjectName) -> usize,
) {
    let Statement::Statement(tree) = statement else { return };
    let tree: &mut Tree = tree;
    let mut widest = Widest { width, columns: 0 };
    // Neither visitor breaks.
    let _ = visit_mut(tree, &mut widest);
    if widest.columns >= MANY
        && let Some(beginning) = beginning()
    {
        let _ = visit_mut(tree, &mut Pipes { is_scalar, beginning });
    }
}

struct Widest<'a> {
    width: &'a dyn Fn(&ObjectName) -> usize,
    columns: usize,
}

impl VisitorMut for Widest<'_> {
    type Break = ();

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: None, .. } = table {
            self.columns = self.columns.max((self.width)(name));
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<()> {
        self.columns = self.columns.max(select.projection.len());
        ControlFlow::Continue(())
    }
}

struct Pipes<'a> {
    is_scalar: &'a dyn Fn(&str) -> bool,
    beginning: Select,
}

impl VisitorMut for Pipes<'_> {
    type Break = ();

    fn post_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        let is_bare = query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none()
            && query.pipe_operators.is_empty();
        if let SetExpr::Select(select) = query.body.as_mut()
            && is_bare
            && can_be_pipe(select, self.is_scalar)
        {
            query.pipe_operators = pipe(select);
            **select = self.beginning.clone();
        }
        ControlFlow::Continue(())
    }
}

/// Whether a SELECT is nothing but relations, a condition, and values of each row.
fn can_be_pipe(select: &Select, is_scalar: &dyn Fn(&str) -> bool) -> bool {
    let is_plain = select.distinct.is_none()
        && select.top.is_none()
        && select.exclude.is_none()
        && select.into.is_none()
        && select.lateral_views.is_empty()
        && select.having.is_none()
        && select.named_window.is_empty()
        && select.qualify.is_none()
        && matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    let is_of_row = |item: &SelectItem| {
        let plain_star = |options: &WildcardAdditionalOptions| {
            let WildcardAdditionalOptions {
                wildcard_token: _,
                opt_ilike: None,
                opt_exclude: None,
                opt_except: None,
                opt_replace: None,
                opt_rename: None,
                opt_alias: None,
            } = options
            else {
                return false;
            };
            true
        };
        match item {
            SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options) => plain_star(options),
            SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. } => {
                is_value_of_row(value, is_scalar)
            }
            SelectItem::ExprWithAliases { .. } => false,
        }
    };
    is_plain && select.projection.iter().all(is_of_row)
}

fn is_value_of_row(value: &Expr, is_scalar: &dyn Fn(&str) -> bool) -> bool {
    let other = visit_expressions(value, |part| match part {
        Expr::Function(call) if call.over.is_some() || !is_scalar(&call.name.to_string().to_lowercase()) => {
            ControlFlow::Break(())
        }
        Expr::Subquery(_) | Expr::Exists { .. } | Expr::InSubquery { .. } => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    other.is_continue()
}

/// What comes after the beginning of the pipe; it is taken out of the SELECT.
fn pipe(select: &mut Select) -> Vec<PipeOperator> {
    let mut operators = Vec::new();
    for TableWithJoins { relation, joins } in std::mem::take(&mut select.from) {
        let crossed = |relation| {
            let join_operator = JoinOperator::CrossJoin(JoinConstraint::None);
            PipeOperator::Join(Join { relation, global: false, join_operator })
        };
        if operators.is_empty() {
            operators.push(crossed(relation));
            operators.extend(joins.into_iter().map(PipeOperator::Join));
        } else if joins.is_empty() {
            operators.push(crossed(relation));
        } else {
            let table_with_joins = Box::new(TableWithJoins { relation, joins });
            operators.push(crossed(TableFactor::NestedJoin { table_with_joins, alias: None }));
        }
    }
    operators.extend(select.selection.take().map(|expr| PipeOperator::Where { expr }));
    let mut exprs = std::mem::take(&mut select.projection);
    for item in &mut exprs {
        if let SelectItem::Wildcard(options) = item {
            let beginning = ObjectName::from(Ident::with_quote('"', BEGINNING));
            options.opt_exclude = Some(ExcludeSelectItem::Single(beginning));
        }
    }
    operators.push(PipeOperator::Select { exprs });
    operators
}

/// `select 1 as beginning`.
fn beginning() -> Option<Select> {
    let parsed = statement(&format!("select 1 as \"{BEGINNING}\""), super::NESTING).ok()?;
    match query(&parsed)?.body.as_ref() {
        SetExpr::Select(select) => Some(select.as_ref().clone()),
        _ => None,
    }
}

/// Whether something in a statement is written as a pipe.
pub(crate) fn has_pipes(statement: &Statement) -> bool {
    let Statement::Statement(tree) = statement else { return false };
    let tree: &Tree = tree;
    visit(tree, &mut Piped).is_break()
}

struct Piped;

impl Visitor for Piped {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        if query.pipe_operators.is_empty() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }
}

/// A plan without what its pipes begin with.
///
/// # Errors
/// Where the plan cannot be made anew.
pub(crate) fn without_beginnings(plan: LogicalPlan) -> Result<LogicalPlan> {
    let mut is_new = false;
    let joined = plan.map_up_with_subqueries(&mut |node| match node {
        LogicalPlan::Join(PlannedJoin { left, right, .. }) if is_beginning(&left) => {
            is_new = true;
            Ok(Transformed::yes(LogicalPlan::clone(&right)))
        }
        // What is joined further on has the columns of what was joined before.
        node @ LogicalPlan::Join(_) if is_new => node.recompute_schema().map(Transformed::yes),
        node => Ok(Transformed::no(node)),
    })?;
    let alone = joined.data.map_up_with_subqueries(&mut |node| {
        Ok(if is_beginning(&node) {
            let LogicalPlan::Projection(projection) = node else { return Ok(Transformed::no(node)) };
            Transformed::yes(LogicalPlan::clone(&projection.input))
        } else {
            Transformed::no(node)
        })
    })?;
    Ok(alone.data)
}

fn is_beginning(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(projection) => {
            let is_named = |of: &Planned| matches!(of, Planned::Alias(alias) if alias.name == BEGINNING);
            matches!(
                projection.input.as_ref(),
                LogicalPlan::EmptyRelation(EmptyRelation { produce_one_row: true, .. })
            ) && matches!(projection.expr.as_slice(), [one] if is_named(one))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use super::*;
    use crate::rules::executed::rows;
    use crate::{DeclaredTable, Scope};
    use mep_core::relation::Relation;

    fn planned(sql: &str) -> LogicalPlan {
        let scope = Scope::for_planning();
        for table in ["a", "b", "c"] {
            let fields = ["k", "v", "s"].map(|name| Field::new(name, DataType::Int64, true));
            let table_of = DeclaredTable::new(Arc::new(Schema::new(fields.to_vec())), Vec::new());
            scope.register(&Relation::new("m", table), Arc::new(table_of)).unwrap();
        }
        scope.plan(sql).unwrap_or_else(|problem| panic!("{sql}: {}", problem.message)).into_plan()
    }

    fn many(of: &str) -> String {
        (0..MANY).fold(String::new(), |mut all, number| {
            let _ = write!(all, ", {of} + {number} as c{number}");
            all
        })
    }

    #[test]
    fn a_wide_select_has_the_plan_of_a_narrow_one() {
        for from in [
            "",
            "from m.a",
            "from m.a as x",
            "from m.a x join m.b on x.k = b.k left join m.c on c.k = b.v and x.v > 1 where x.s > b.s or c.k is null",
            "from m.a x, m.b, m.c where x.k = b.k and c.k = b.k",
            "from m.a x, (m.b join m.c on b.k = c.k) where x.k = b.k",
            "from (select k, max(v) as v from m.a group by k) x where v > 1 and k in (select k from m.b)",
            "from (values (1, 2), (3, 4)) as x(k, v) where k = 1",
        ] {
            let of = if from.is_empty() {
                "7"
            } else if from.contains('x') {
                "x.k"
            } else {
                "a.k"
            };
            let narrow = planned(&format!("select {of} as k {from}"));
            let wide = planned(&format!("select {of} as k{} {from}", many(of)));
            assert_eq!(wide.schema().fields().len(), MANY + 1, "{from}");
            assert_eq!(wide.inputs(), narrow.inputs(), "{from}");
        }
    }

    #[test]
    fn stars_and_queries_within_have_their_columns_alone() {
        let columns = many("k");
        let wide = planned(&format!(
            "with w as (select k{columns} from m.a), r as (select * from w) select * from r"
        ));
        assert_eq!(wide.schema().fields().len(), MANY + 1);
        let joined = planned(&format!(
            "with w as (select k as w{columns} from m.a)
            select *, b.b as again from w join (select k as b from m.b) as b on w.w = b.b, (select k as c from m.c) as c"
        ));
        assert_eq!(joined.schema().fields().len(), MANY + 1 + 1 + 1 + 1);
    }

    #[test]
    fn rows_are_those_that_the_same_select_gives() {
        let t = "(values (1, 'a'), (2, 'b'), (3, null)) as t(k, s)";
        let columns = many("k");
        assert_eq!(
            rows(&format!("select k, s, c499 from (select *{columns} from {t} where k > 1) order by k")),
            "2b501 3502"
        );
        assert_eq!(
            rows(&format!(
                "select k, n from (select k, upper(s) as n{columns} from {t} where s is not null) order by k"
            )),
            "1A 2B"
        );
        // What is grouped, ordered, or taken apart stays as it is.
        assert_eq!(rows(&format!("select n from (select count(*) as n{} from {t})", many("max(k)"))), "3");
        assert_eq!(
            rows(&format!("select u from (select unnest([k, 0]) as u{columns} from {t} where k = 2)")),
            "2 0"
        );
        assert_eq!(rows(&format!("select k from (select k{columns} from {t} order by k desc limit 1)")), "3");
        assert_eq!(
            rows(&format!(
                "select k, n from (select k, row_number() over (order by k desc) as n{columns} from {t}) order by k"
            )),
            "13 22 31"
        );
    }
}
