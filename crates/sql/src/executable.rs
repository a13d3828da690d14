//! What is said of SQL that was planned and cannot be executed, and where in it.
//!
//! The optimizer and the physical planner know no places, and speak of their own rules and types.

use std::cell::OnceCell;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use arrow::compute::can_cast_types;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DataFusionError, ScalarValue};
use datafusion::logical_expr::{Distinct, Expr, ExprSchemable, JoinType, LogicalPlan};
use datafusion::physical_expr::window::{PlainAggregateWindowExpr, SlidingAggregateWindowExpr};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::windows::{BoundedWindowAggExec, WindowAggExec};
use datafusion::sql::sqlparser::ast::{Expr as Syntax, Spanned};

use super::problem::SqlProblem;
use super::rules::parts;
use super::surely_fails::check_accumulates;
use super::syntax::visits::visit_expressions;
use super::{lateral, offset, syntax};
use crate::tree::{PlanWalk, TreeWalk};

/// Whether a plan consists of nothing but what the engine executes in any combination: scans, filters, projections, joins, groups
/// and plain expressions. Most plans do, and to make an execution of them only to see that it can be made would take longer than all
/// the rest of compiling.
pub(super) fn is_plain(plan: &LogicalPlan) -> bool {
    let mut is_plain = true;
    // The closures return no error, so neither does the walk.
    let _ = plan.walk(&mut |node| {
        // Lists and structs are cast and compared by rules that only the physical planner knows.
        let is_flat =
            |node: &LogicalPlan| node.schema().fields().iter().all(|field| !field.data_type().is_nested());
        is_plain = is_plain && is_flat(node) && is_plain_node(node);
        if is_plain {
            let read = OnceCell::new();
            let type_of = |part: &Expr| {
                part.get_type(read.get_or_init(|| parts::read_by(node).unwrap_or_else(|_| DFSchema::empty())))
                    .ok()
            };
            let _ = node.walk_expressions(&mut |expression| {
                let mut is_odd = |part: &Expr| Ok(!is_plain_part(part, &type_of));
                is_plain = is_plain && !expression.any_node(&mut is_odd).unwrap_or(true);
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(if is_plain { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    is_plain
}

fn is_plain_node(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::TableScan(_)
        | LogicalPlan::Projection(_)
        | LogicalPlan::Filter(_)
        | LogicalPlan::Aggregate(_)
        | LogicalPlan::Sort(_)
        | LogicalPlan::SubqueryAlias(_)
        | LogicalPlan::Union(_)
        | LogicalPlan::EmptyRelation(_)
        | LogicalPlan::Distinct(Distinct::All(_)) => true,
        LogicalPlan::Join(join) => {
            matches!(join.join_type, JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full)
        }
        LogicalPlan::Limit(limit) => {
            let is_known = |bound: &Option<Box<Expr>>| bound.as_deref().is_none_or(is_count);
            is_known(&limit.skip) && is_known(&limit.fetch)
        }
        _ => false,
    }
}

fn is_plain_part(part: &Expr, type_of: &dyn Fn(&Expr) -> Option<DataType>) -> bool {
    match part {
        Expr::Column(_) | Expr::Literal(..) => true,
        operator if parts::is_operator(operator) => true,
        Expr::Negative(value) => type_of(value).is_some_and(|of| of.is_numeric()),
        // What names no column is computed when the plan is optimized, and can fail there.
        Expr::Cast(cast) => {
            let casts = |from: DataType| can_cast_types(&from, cast.field.data_type());
            !is_literal(&cast.expr) && type_of(&cast.expr).is_some_and(casts)
        }
        Expr::ScalarFunction(call) => !call.args.iter().all(is_literal),
        Expr::AggregateFunction(call) => {
            let of = &call.params;
            // What else it takes must be constants, which its accumulator checks.
            let takes = of.args.first().map(type_of);
            of.args.len() < 2
                && takes.is_none_or(|of| of.is_some_and(|of| is_plain_aggregate(call.func.name(), &of)))
                && !of.distinct
                && of.filter.is_none()
                && of.order_by.is_empty()
                && of.null_treatment.is_none()
        }
        _ => false,
    }
}

/// Whether there is an accumulator of an aggregate for a type: of most, this is known only where one is made.
fn is_plain_aggregate(name: &str, of: &DataType) -> bool {
    match name {
        "count" => true,
        "sum" | "avg" => of.is_numeric(),
        "min" | "max" => {
            of.is_numeric()
                || of.is_string()
                || matches!(of, DataType::Boolean | DataType::Date32 | DataType::Timestamp(..))
        }
        "bool_and" | "bool_or" => *of == DataType::Boolean,
        _ => false,
    }
}

/// Whether it is a number that rows can be counted by.
fn is_count(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(ScalarValue::Int64(Some(rows)), _) if *rows >= 0)
}

fn is_literal(expression: &Expr) -> bool {
    matches!(expression, Expr::Literal(..))
}

/// Makes sure that the aggregates of an execution can begin, and take rows: some find only then that what they were given is not a constant, or of a type
/// that they do not know.
pub(super) fn check_accumulators(execution: &Arc<dyn ExecutionPlan>) -> Result<(), DataFusionError> {
    execution.walk(&mut |node| {
        if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
            let is_grouped = !aggregate.group_expr().is_empty();
            for function in aggregate.aggr_expr() {
                check_accumulates(function, &aggregate.input_schema(), is_grouped)?;
            }
        }
        let windows =
            match (node.downcast_ref::<BoundedWindowAggExec>(), node.downcast_ref::<WindowAggExec>()) {
                (Some(bounded), _) => bounded.window_expr(),
                (None, Some(whole)) => whole.window_expr(),
                (None, None) => &[],
            };
        for window in windows {
            // Of a frame that moves on, rows are taken out again.
            if let Some(sliding) = window.as_any().downcast_ref::<SlidingAggregateWindowExpr>() {
                sliding.get_aggregate_expr().create_sliding_accumulator()?;
            } else if let Some(whole) = window.as_any().downcast_ref::<PlainAggregateWindowExpr>()
                && let [input] = node.children().as_slice()
            {
                check_accumulates(whole.get_aggregate_expr(), &input.schema(), false)?;
            }
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(())
}

/// The problem of SQL that the engine failed to optimize or to make an execution of.
pub(super) fn problem(error: &DataFusionError, described: SqlProblem, sql: &str) -> SqlProblem {
    let root = error.find_root();
    // The names were right when it was planned: what was moved out of a subquery to be joined is not known there.
    if let DataFusionError::SchemaError(..) = root
        && let Some(range) = SubqueryKind::first_of_all(sql)
    {
        return SqlProblem {
            message: "this subquery cannot be executed: what it reads of the query around it must be compared in its own WHERE, and not \
                      in a query within it"
                .to_owned(),
            range: Some(range),
            help: Some("join what it reads, and aggregate or number the rows".to_owned()),
        };
    }
    if matches!(root, DataFusionError::SchemaError(..))
        && let Some(of_lateral) = lateral::of(sql)
    {
        return of_lateral;
    }
    let Some(kind) = SubqueryKind::of(&root.strip_backtrace()) else { return described };
    if kind.first_in(sql).is_none()
        && let Some(of_lateral) = lateral::of(sql)
    {
        return of_lateral;
    }
    let (message, help) = match kind {
        SubqueryKind::Value => (
            "this subquery cannot be executed: what it reads of the query around it must be compared by `=` in its WHERE",
            "join what it reads, and aggregate or number the rows",
        ),
        SubqueryKind::Exists | SubqueryKind::In => (
            "this subquery cannot be executed: EXISTS and IN with one cannot stand in the ON of an outer join, and what they \
             read of the query around them must be compared in their WHERE",
            "join it: left join (select distinct k, true as found from …), and select coalesce(found, false)",
        ),
    };
    SqlProblem {
        message: message.to_owned(),
        range: kind.first_in(sql).or(described.range),
        help: Some(help.to_owned()),
    }
}

/// What a subquery stands for.
#[derive(Clone, Copy)]
enum SubqueryKind {
    Value,
    Exists,
    In,
}

impl SubqueryKind {
    /// That which an error of the engine speaks of.
    fn of(message: &str) -> Option<Self> {
        let speaks = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if speaks(&["InSubquery"]) {
            Some(Self::In)
        } else if speaks(&["Exists(", "EXISTS", "Exists {"]) {
            Some(Self::Exists)
        } else if speaks(&[
            "ScalarSubquery",
            "OuterReferenceColumn",
            "outer_ref",
            "subquery",
            "SetComparison",
        ]) {
            Some(Self::Value)
        } else {
            None
        }
    }

    /// Where the first one of any kind stands.
    fn first_of_all(sql: &str) -> Option<Range<usize>> {
        let all = [Self::Value, Self::Exists, Self::In].into_iter();
        all.filter_map(|kind| kind.first_in(sql)).min_by_key(|range| range.start)
    }

    /// Where the first one of its kind stands.
    fn first_in(self, sql: &str) -> Option<Range<usize>> {
        let statement = syntax::statement(sql, DEPTH).ok()?;
        let search = visit_expressions(syntax::query(&statement)?, |expression| match (self, expression) {
            (Self::Value, Syntax::Subquery(query)) => ControlFlow::Break(query.span()),
            (Self::Exists, Syntax::Exists { subquery, .. })
            | (Self::In, Syntax::InSubquery { subquery, .. }) => ControlFlow::Break(subquery.span()),
            _ => ControlFlow::Continue(()),
        });
        match search {
            ControlFlow::Break(span) => {
                let start = offset(sql, span.start);
                Some(start..offset(sql, span.end).max(start))
            }
            ControlFlow::Continue(()) => None,
        }
    }
}

/// How deep SQL may be nested that was planned before.
const DEPTH: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use crate::rules::executed::rows;
    use crate::{DeclaredTable, Scope};
    use mep_core::relation::Relation;

    fn checked(sql: &str) -> String {
        let scope = Scope::for_planning();
        let schema = Schema::new(vec![
            Field::new("k", DataType::Int64, true),
            Field::new("s", DataType::Utf8View, true),
        ]);
        for name in ["a", "b"] {
            let table = DeclaredTable::new(Arc::new(schema.clone()), Vec::new());
            scope.register(&Relation::new("m", name), Arc::new(table)).unwrap();
        }
        let executable = scope.plan(sql).and_then(|plan| scope.check_executable(&plan, sql));
        let Err(problem) = executable else { return "runs".to_owned() };
        let place = problem.range.map_or("nowhere", |range| &sql[range]);
        format!("{} [{place}] {}", problem.message, problem.help.unwrap_or_default())
    }

    #[test]
    fn a_subquery_that_cannot_be_executed_is_found_before_the_run() {
        insta::assert_snapshot!(checked("select k, (select max(b.k) from m.b where b.k < a.k) as x from m.a"), @"this subquery cannot be executed: what it reads of the query around it must be compared by `=` in its WHERE [select max(b.k) from m.b where b.k < a.k] join what it reads, and aggregate or number the rows");
        insta::assert_snapshot!(checked("select a.k from m.a left join m.b on a.k = b.k and exists (select 1 from m.b c where c.k = a.k)"), @"this subquery cannot be executed: EXISTS and IN with one cannot stand in the ON of an outer join, and what they read of the query around them must be compared in their WHERE [select 1 from m.b c where c.k = a.k] join it: left join (select distinct k, true as found from …), and select coalesce(found, false)");
        insta::assert_snapshot!(checked("select a.k from m.a left join m.b on a.k = b.k and a.k in (select k from m.b c)"), @"this subquery cannot be executed: EXISTS and IN with one cannot stand in the ON of an outer join, and what they read of the query around them must be compared in their WHERE [select k from m.b c] join it: left join (select distinct k, true as found from …), and select coalesce(found, false)");
    }

    #[test]
    fn a_lateral_that_cannot_be_executed_is_found_before_the_run() {
        insta::assert_snapshot!(checked("select a.k, z.s from m.a, lateral (select b.s from m.b where b.k = a.k order by b.s limit 1) z"), @"this LATERAL cannot be executed: what it reads of the query around it must be compared by `=` in its WHERE, and the rows that it picks so can be neither limited, numbered nor put together [select b.s from m.b where b.k = a.k order by b.s limit 1] join what it reads; of each group the first row is that with row_number() over (partition by … order by …) = 1");
        for lateral in [
            "select a.k + 1 as s",
            "select max(b.s) as s from m.b where b.k < a.k",
            "select distinct b.s from m.b where b.k = a.k union all select 'x'",
            "select b.s, row_number() over (order by b.k) as n from m.b where b.k <= a.k",
            "select count(*) as s from (select max(b.s) as s from m.b where b.k = a.k) t",
        ] {
            let said = checked(&format!("select a.k, z.s from m.a left join lateral ({lateral}) z on true"));
            assert!(said.starts_with("this LATERAL cannot be executed"), "{lateral}: {said}");
            assert!(said.contains(&format!("[{}", &lateral[..lateral.len() - 2])), "{lateral}: {said}");
        }
        for lateral in
            ["select b.s from m.b where b.k < a.k", "select max(b.s) as s from m.b where b.k = a.k"]
        {
            assert_eq!(
                checked(&format!("select a.k, z.s from m.a left join lateral ({lateral}) z on true")),
                "runs",
                "{lateral}"
            );
        }
    }

    #[test]
    fn a_subquery_that_reads_further_out_than_the_query_around_it_is_found_before_the_run() {
        for sql in [
            "select k from m.a where exists (select 1 from m.b where b.k = a.k and exists (select 1 from m.b c where c.k = a.k))",
            "select k from m.a where k in (select b.k from m.b where s in (select c.s from m.b c where c.k = a.k))",
            "select k, exists (select 1 from m.b where exists (select 1 from m.b c where c.k = b.k and c.s = a.s)) as e from m.a",
            "select k, (select sum(t.k) from (select b.k from m.b where b.s = a.s) t) as x from m.a",
        ] {
            let said = checked(sql);
            assert!(
                said.starts_with("this subquery cannot be executed") && !said.contains("[nowhere]"),
                "{sql}: {said}"
            );
        }
    }

    #[test]
    fn what_no_rows_decide_is_found_before_the_run() {
        for expression in [
            "cast(cast(s as date) as double)",
            "cast(k > 1 as decimal(10, 2))",
            "approx_distinct(cast(s as double))",
            "approx_distinct(s) over (order by k rows 1 preceding)",
        ] {
            assert_ne!(checked(&format!("select {expression} as x from m.a")), "runs", "{expression}");
        }
        for expression in [
            "cast(cast(s as date) as timestamp)",
            "-k",
            "sum(k) over (order by k rows 1 preceding)",
            "min(k > 1)",
        ] {
            assert_eq!(checked(&format!("select {expression} as x from m.a")), "runs", "{expression}");
        }
    }

    #[test]
    fn a_constant_that_cannot_be_computed_is_pointed_at() {
        insta::assert_snapshot!(checked("select k from m.a where k = cast('abc' as bigint) + 1"), @"the text 'abc' is no bigint ['abc'] try_cast(… as …) gives NULL there; or leave such rows out");
    }

    #[test]
    fn truth_values_are_grouped() {
        let t = "(values (1, true), (2, false), (3, null)) as t(k, f)";
        assert_eq!(rows(&format!("select distinct f is true as a from {t} order by 1")), "false true");
        assert_eq!(
            rows(&format!("select distinct not (f is not true) as a from {t} order by 1")),
            "false true"
        );
        assert_eq!(
            rows(&format!(
                "select a, count(*) from (select f is not false as a from {t}) group by a order by a"
            )),
            "false1 true2"
        );
    }

    #[test]
    fn what_can_be_executed_is() {
        for sql in [
            "select k, (select max(b.k) from m.b where b.k = a.k) as x from m.a",
            "select k from m.a where exists (select 1 from m.b where b.k = a.k and b.s < a.s)",
            "select k from m.a where k in (select k from m.b) or s = 'x'",
            "select k, (select count(*) from m.b) as n from m.a",
            "select k, exists (select 1 from m.b where b.k = a.k) as x from m.a",
            "select k, case when k in (select b.k from m.b where b.s < a.s) then 1 end as x from m.a",
        ] {
            assert_eq!(checked(sql), "runs", "{sql}");
        }
    }
}
