//! A subquery that reads the query around it is made a join of, and what it picks by that query is picked after all else
//! in it. Where that would be another answer, it is said in another way, or refused.
//!
//! The engine moves the conditions on the outer query above what aggregates, numbers or limits the rows that they pick. A
//! count of nothing is 0 and would be no row; the second of the picked rows would be the second of all.

use std::cell::OnceCell;

use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{DataFusionError, Diagnostic, Result, plan_datafusion_err};
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Distinct, Expr, LogicalPlan, Subquery, lit};

use crate::lateral;
use crate::tree::{PlanWalk, TreeWalk};

/// The plan in which subqueries mean what SQL means by them.
///
/// # Errors
/// Where one does not, and cannot be said in another way.
pub fn keep_their_meaning(plan: LogicalPlan) -> Result<LogicalPlan> {
    let of_one_row = plan.map_up_with_subqueries(&mut |node| {
        node.replace_expressions(&mut |expression| expression.map_up(&mut |part| Ok(with_one_row(part))))
    })?;
    let plan = of_one_row.data;
    check_reach(&plan, false)?;
    plan.walk_with_subqueries(&mut |node| {
        // Of a LATERAL, the engine says what one aggregate of no rows is.
        if let LogicalPlan::Subquery(subquery) = node
            && picks_too_late(subquery, true)?
        {
            return Err(lateral::refused());
        }
        node.walk_expressions(&mut |expression| {
            expression.walk(&mut |part| {
                match part {
                    Expr::Exists(Exists { subquery, .. }) | Expr::InSubquery(InSubquery { subquery, .. }) => {
                        check(subquery, false)?;
                    }
                    Expr::ScalarSubquery(subquery) => check(subquery, true)?,
                    _ => {}
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(plan)
}

/// What is asked of a subquery that always gives one row, as an aggregate without GROUP BY does.
fn with_one_row(part: Expr) -> Transformed<Expr> {
    match part {
        Expr::Exists(Exists { subquery, negated }) if gives_one_row(&subquery.subquery) => {
            Transformed::yes(lit(!negated))
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) if gives_one_row(&subquery.subquery) => {
            let value = Expr::ScalarSubquery(subquery);
            Transformed::yes(if negated { (*expr).not_eq(value) } else { (*expr).eq(value) })
        }
        other => Transformed::no(other),
    }
}

fn gives_one_row(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Projection(node) => gives_one_row(&node.input),
        LogicalPlan::SubqueryAlias(node) => gives_one_row(&node.input),
        LogicalPlan::Subquery(node) => gives_one_row(&node.subquery),
        LogicalPlan::Sort(node) => node.fetch.is_none() && gives_one_row(&node.input),
        LogicalPlan::Aggregate(node) => node.group_expr.is_empty(),
        _ => false,
    }
}

/// Refuses a subquery within another one that reads what is further out than that: there is no join for it.
fn check_reach(plan: &LogicalPlan, is_within: bool) -> Result<()> {
    plan.walk(&mut |node| {
        let around = OnceCell::new();
        node.walk_expressions(&mut |expression| {
            expression.walk(&mut |part| {
                let (Expr::Exists(Exists { subquery, .. })
                | Expr::InSubquery(InSubquery { subquery, .. })
                | Expr::ScalarSubquery(subquery)) = part
                else {
                    return Ok(TreeNodeRecursion::Continue);
                };
                let around = || around.get_or_init(|| merge_schema(&node.inputs()));
                let is_further = |read: &Expr| match read {
                    Expr::OuterReferenceColumn(_, column) => {
                        around().maybe_index_of_column(column).is_none()
                            && node.schema().maybe_index_of_column(column).is_none()
                    }
                    _ => false,
                };
                if is_within && subquery.outer_ref_columns.iter().any(is_further) {
                    let message =
                        "this subquery cannot be executed: it reads a query that is not the one just around it";
                    let help = "compare what it reads in the subquery between them, or join it";
                    let diagnostic =
                        Diagnostic::new_error(message, subquery.spans.first()).with_help(help, None);
                    return Err(plan_datafusion_err!("{message}").with_diagnostic(diagnostic));
                }
                check_reach(&subquery.subquery, true)?;
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(())
}

fn check(subquery: &Subquery, is_value: bool) -> Result<()> {
    if picks_too_late(subquery, is_value)? { Err(refused(subquery)) } else { Ok(()) }
}

/// Whether the engine would pick rows by the query around a subquery after what is to be done with those alone.
fn picks_too_late(subquery: &Subquery, is_value: bool) -> Result<bool> {
    if subquery.outer_ref_columns.is_empty() {
        return Ok(false);
    }
    let (mut aggregates, mut any) = (0, false);
    subquery.subquery.walk(&mut |node| {
        let is_other = match node {
            LogicalPlan::Window(_) | LogicalPlan::Distinct(Distinct::On(_)) => true,
            LogicalPlan::Limit(limit) => limit.skip.is_some(),
            LogicalPlan::Aggregate(aggregate) => {
                aggregates += 1;
                // The engine knows what one aggregate of no rows is, where it is the value of the subquery.
                aggregate.group_expr.is_empty() && (!is_value || aggregates > 1)
            }
            _ => false,
        };
        any = is_other && picks_by_outer(node)?;
        Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    })?;
    Ok(any)
}

/// Whether rows below are picked by what is read of the query around.
fn picks_by_outer(node: &LogicalPlan) -> Result<bool> {
    let mut any = false;
    for input in node.inputs() {
        input.walk(&mut |node| {
            any |= node.contains_outer_reference();
            Ok(if any { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        })?;
    }
    Ok(any)
}

fn refused(subquery: &Subquery) -> DataFusionError {
    let message = "this subquery cannot be executed: it numbers, skips or aggregates rows that it picks by the query around it";
    let diagnostic = Diagnostic::new_error(message, subquery.spans.first())
        .with_help("join what it reads, and aggregate or number the rows", None);
    plan_datafusion_err!("{message}").with_diagnostic(diagnostic)
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;
    use crate::Scope;

    const A: &str = "(values (1, 0), (2, 1), (4, 2)) as a(k, v)";
    const B: &str = "(values (2, 1), (2, 2), (4, 3), (4, 4)) as b(k, w)";

    fn of(sql: &str) -> String {
        rows(&sql.replace("{a}", A).replace("{b}", B))
    }

    #[test]
    fn a_count_of_nothing_is_a_row() {
        assert_eq!(
            of("select k from {a} where exists (select count(*) from {b} where b.k = a.k) order by k"),
            "1 2 4"
        );
        assert_eq!(
            of("select k from {a} where v in (select count(*) from {b} where b.k = a.k) order by k"),
            "1 4"
        );
        assert_eq!(of("select k from {a} where v not in (select count(*) from {b} where b.k = a.k)"), "2");
        assert_eq!(
            of("select k, v in (select count(*) from {b} where b.k = a.k) from {a} order by k"),
            "1true 2false 4true"
        );
    }

    #[test]
    fn rows_that_are_picked_by_the_query_around_are_not_numbered_among_all() {
        for sql in [
            "select k from {a} where exists (select 1 from {b} where b.k = a.k offset 1)",
            "select k from {a} where exists (select 1 from (select row_number() over (order by w) as n from {b} where b.k = a.k) t where n = 2)",
            "select k from {a} where exists (select count(*) from {b} where b.k = a.k having count(*) = 0)",
            "select k, (select max(n) from (select row_number() over (order by w) as n from {b} where b.k = a.k) t) as m from {a}",
        ] {
            let problem = Scope::for_planning().plan(&sql.replace("{a}", A).replace("{b}", B)).unwrap_err();
            assert!(
                problem.message.starts_with("this subquery cannot be executed"),
                "{sql}: {}",
                problem.message
            );
            assert!(problem.help.is_some(), "{sql}");
        }
    }
}
