//! Which shapes of plans can be kept as events come, and what stands where in them.

use std::collections::BTreeSet;

use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::logical_expr::{Aggregate, Expr, Join, JoinType, LogicalPlan, TableScan};

use super::StreamInput;
use super::refusal::Refusal;
use mep_core::relation::Relation;

use crate::is_volatile;
use crate::tree::{PlanWalk, TreeWalk};

/// The column that landing adds: the batch of a row.
const BATCH: &str = "batch";

/// The aggregates whose partial states can be merged, whatever the order of the events.
const AGGREGATES: [&str; 6] = ["count", "sum", "min", "max", "avg", "approx_distinct"];

/// Whether a scan reads the stream.
pub(super) fn reads(scan: &TableScan, stream: &StreamInput<'_>) -> bool {
    relation_of(&scan.table_name) == *stream.relation
}

fn relation_of(reference: &TableReference) -> Relation {
    Relation { schema: reference.schema().map(str::to_owned), name: reference.table().to_owned() }
}

/// Whether the stream is read in or below a node.
pub(super) fn holds_stream(plan: &LogicalPlan, stream: &StreamInput<'_>) -> bool {
    let mut found = false;
    // The closure returns no error, so neither does the walk.
    let _ = plan.walk_with_subqueries(&mut |node| {
        found |= matches!(node, LogicalPlan::TableScan(scan) if reads(scan, stream));
        Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
    });
    found
}

/// The tables that a plan reads.
pub(super) fn relations(plan: &LogicalPlan) -> Vec<Relation> {
    let mut relations = BTreeSet::new();
    let _ = plan.walk_with_subqueries(&mut |node| {
        if let LogicalPlan::TableScan(scan) = node {
            relations.insert(relation_of(&scan.table_name));
        }
        Ok(TreeNodeRecursion::Continue)
    });
    relations.into_iter().collect()
}

/// The tables beside the stream.
pub(super) fn tables(plan: &LogicalPlan, stream: &StreamInput<'_>) -> Vec<Relation> {
    let mut tables = relations(plan);
    tables.retain(|table| table != stream.relation);
    tables
}

/// The aggregate on the way to the stream.
pub(super) fn aggregate<'p>(plan: &'p LogicalPlan, stream: &StreamInput<'_>) -> Option<&'p Aggregate> {
    match plan {
        LogicalPlan::Aggregate(aggregate) => Some(aggregate),
        other => self::aggregate(towards(other, stream)?, stream),
    }
}

/// The input of a node that leads to the stream.
pub(super) fn towards<'p>(plan: &'p LogicalPlan, stream: &StreamInput<'_>) -> Option<&'p LogicalPlan> {
    plan.inputs().into_iter().find(|input| holds_stream(input, stream))
}

/// Whether rows are filtered after they were grouped.
pub(super) fn has_filter_above(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Filter(_) => true,
        LogicalPlan::Projection(node) => has_filter_above(&node.input),
        LogicalPlan::SubqueryAlias(node) => has_filter_above(&node.input),
        _ => false,
    }
}

/// Checks that a plan can be kept as events come.
pub(super) fn check(plan: &LogicalPlan, stream: &StreamInput<'_>) -> Result<(), Refusal> {
    if is_volatile(plan) {
        return Err(Refusal::of_volatile());
    }
    check_node(plan, stream, false)?;
    check_columns(plan, stream)
}

fn check_node(plan: &LogicalPlan, stream: &StreamInput<'_>, is_grouped: bool) -> Result<(), Refusal> {
    check_subqueries(plan, stream)?;
    let is_grouped = match plan {
        LogicalPlan::TableScan(_) => return Ok(()),
        LogicalPlan::Projection(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_) => is_grouped,
        LogicalPlan::Aggregate(_) if is_grouped => {
            let refusal = Refusal::new("groups of groups cannot be kept as events come").at("group");
            return Err(
                refusal.help("group once, by all columns; what is derived from that belongs in a query")
            );
        }
        LogicalPlan::Aggregate(aggregate) => {
            check_aggregate(aggregate)?;
            true
        }
        LogicalPlan::Join(join) => {
            check_join(join, stream)?;
            is_grouped
        }
        LogicalPlan::Sort(_) => {
            let refusal =
                Refusal::new("rows of a stream have no last one, so they cannot be sorted").at("order");
            return Err(refusal.help("leave `order by` away; `clustering` sorts the rows of a partition"));
        }
        LogicalPlan::Limit(_) => {
            let refusal =
                Refusal::new("which rows are first changes with each event, so a limit cannot be kept")
                    .at("limit");
            return Err(refusal.help("leave it away, and limit where the table is read"));
        }
        LogicalPlan::Window(_) => {
            let refusal = Refusal::new("a function over a window of rows needs all of them").at("over");
            return Err(refusal.help(
                "group by a window of time: date_trunc('minute', ts) or tumble(ts, interval '1 minute')",
            ));
        }
        LogicalPlan::Distinct(_) => {
            let refusal = Refusal::new("`distinct` would have to remember every row for good").at("distinct");
            return Err(refusal.help("group by the columns and a window of time"));
        }
        LogicalPlan::Union(_) => {
            let refusal = Refusal::new("a union cannot be kept as events come").at("union");
            return Err(refusal.help("make a model of each part"));
        }
        other => {
            let name = other.display().to_string();
            let name = name.split([':', ' ']).next().unwrap_or_default().to_lowercase();
            return Err(Refusal::new(format!("a step of it cannot be kept as events come: {name}")));
        }
    };
    // What is joined is read as a whole, so that anything may stand in it.
    match towards(plan, stream) {
        Some(input) => check_node(input, stream, is_grouped),
        None => Err(Refusal::new("it reads no stream")),
    }
}

fn check_subqueries(plan: &LogicalPlan, stream: &StreamInput<'_>) -> Result<(), Refusal> {
    let mut is_bad = false;
    let _ = plan.walk_expressions(&mut |expression| {
        expression.walk(&mut |part| {
            let subquery = match part {
                Expr::ScalarSubquery(subquery) => Some(subquery),
                Expr::InSubquery(within) => Some(&within.subquery),
                Expr::Exists(exists) => Some(&exists.subquery),
                _ => None,
            };
            is_bad |= subquery.is_some_and(|subquery| holds_stream(&subquery.subquery, stream));
            Ok(TreeNodeRecursion::Continue)
        })
    });
    if is_bad {
        return Err(Refusal::new("a subquery over the stream needs all of its events").at("select"));
    }
    Ok(())
}

fn check_aggregate(aggregate: &Aggregate) -> Result<(), Refusal> {
    if matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)]) {
        return Err(Refusal::new("grouping sets cannot be kept as events come").at("group"));
    }
    for expression in &aggregate.aggr_expr {
        let Expr::AggregateFunction(call) = expression.clone().unalias_nested().data else {
            return Err(Refusal::new(format!("`{expression}` is no aggregate that can be kept")));
        };
        let name = call.func.name();
        if !AGGREGATES.contains(&name) {
            let refusal = Refusal::new(format!("`{name}` cannot be kept as events come")).at_name(name);
            return Err(refusal.help(format!("the aggregates are {}", AGGREGATES.join(", "))));
        }
        if call.params.distinct && name != "count" {
            let refusal = Refusal::new(format!("`{name}(distinct …)` cannot be kept as events come"));
            return Err(refusal.at_name(name).help("of the aggregates, only count takes `distinct`"));
        }
        if !call.params.order_by.is_empty() {
            let refusal = Refusal::new("the order of events within an aggregate is not kept");
            return Err(refusal.at_name(name));
        }
    }
    Ok(())
}

fn check_join(join: &Join, stream: &StreamInput<'_>) -> Result<(), Refusal> {
    let (left, right) = (holds_stream(&join.left, stream), holds_stream(&join.right, stream));
    if left && right {
        let refusal =
            Refusal::new("the stream is joined with itself, which needs all of its events").at("join");
        return Err(refusal.help("join it with seeds or tables of the warehouse"));
    }
    let fits = match join.join_type {
        JoinType::Inner => true,
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left,
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right,
        JoinType::Full => false,
    };
    if !fits {
        let refusal =
            Refusal::new("rows of the joined table without an event are known only at the end of the stream");
        return Err(refusal.at("join").help("use an inner join, or a left join with the stream on its left"));
    }
    Ok(())
}

/// What is known only of landed rows is not there yet.
fn check_columns(plan: &LogicalPlan, stream: &StreamInput<'_>) -> Result<(), Refusal> {
    let mut has_batch = false;
    let _ = plan.walk(&mut |node| {
        if let Some(input) = node.inputs().first()
            && holds_stream(input, stream)
        {
            let _ = node.walk_expressions(&mut |expression| {
                has_batch |= expression.column_refs().iter().any(|column| {
                    column.name == BATCH
                        && column.relation.as_ref().is_some_and(|of| relation_of(of) == *stream.relation)
                });
                Ok(TreeNodeRecursion::Continue)
            });
        }
        Ok(TreeNodeRecursion::Continue)
    });
    if has_batch {
        return Err(
            Refusal::new(format!("`{BATCH}` is known of landed rows, not of a stream's")).at_name(BATCH)
        );
    }
    Ok(())
}
