//! Groups that are carried on: what changed rows add to them is merged with what is stored of them.
//!
//! It is so of a plan that gives a row for each group, where each aggregate of more rows can be made of that of some and that of the
//! others. The sums of floats can not: they are as exact as the order in which they are added. Rows may go too, where counts and sums are all that
//! there is, and one of them counts the rows of a group.

use datafusion::common::{Column, Result};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams};
use datafusion::logical_expr::{
    Aggregate, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Projection, lit,
};

use crate::exact_sum::exact_sum;

use super::changed_rows::{plan_asks, sign};
use super::states::with_signs;
use super::{Changes, column_at, columns_of, named, named_as};

/// How a stored value and that of the rows that came make one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It is what groups are told apart by, or follows from that.
    Key,
    /// The smaller one.
    Least,
    /// The greater one.
    Greatest,
    /// Both together.
    Sum,
    /// How many rows a group has: both together, and a group that has none is none.
    Rows,
    /// Whether both are true.
    And,
    /// Whether one is.
    Or,
}

/// What rows that came add to the groups of a plan.
pub struct CarriedOn {
    /// The groups of these rows alone, with the plan's columns.
    pub added: LogicalPlan,
    /// How each column is merged.
    pub columns: Vec<Merge>,
    /// Other rows of the plan, which no change reaches.
    pub others: Vec<LogicalPlan>,
}

impl Changes {
    /// What changed rows add to a plan's groups; `None` where they cannot be carried on.
    ///
    /// # Errors
    /// Where a plan cannot be made.
    pub fn carried_on(&self, plan: &LogicalPlan) -> Result<Option<CarriedOn>> {
        // What a subquery answers is no part of a group, and may be another one now.
        if plan_asks(plan)? {
            return Ok(None);
        }
        match plan {
            LogicalPlan::Projection(node) => self.of_projection(plan, node),
            LogicalPlan::SubqueryAlias(node) => {
                let Some(below) = self.carried_on(&node.input)? else { return Ok(None) };
                renamed(below, plan).map(Some)
            }
            LogicalPlan::Sort(node) if node.fetch.is_none() => self.carried_on(&node.input),
            LogicalPlan::Union(node) => {
                let (changed, others): (Vec<_>, Vec<_>) =
                    node.inputs.iter().partition(|input| self.reach(input));
                let [changed] = changed.as_slice() else { return Ok(None) };
                let Some(below) = self.carried_on(changed)? else { return Ok(None) };
                let mut below = renamed(below, plan)?;
                for other in others {
                    below.others.push(named_as(other.as_ref().clone(), plan.schema())?);
                }
                Ok(Some(below))
            }
            LogicalPlan::Aggregate(node) => self.of_groups(node),
            _ => Ok(None),
        }
    }

    fn of_projection(&self, plan: &LogicalPlan, node: &Projection) -> Result<Option<CarriedOn>> {
        let Some(below) = self.carried_on(&node.input)? else { return Ok(None) };
        let schema = node.input.schema();
        let merged = |at: usize| below.columns.get(at).copied().unwrap_or(Merge::Key);
        let mut columns = Vec::new();
        let mut told = vec![false; below.columns.len()];
        for expression in &node.expr {
            let expression = expression.clone().unalias_nested().data;
            let reads: Vec<usize> = expression
                .column_refs()
                .into_iter()
                .filter_map(|column| schema.maybe_index_of_column(column))
                .collect();
            let column = match (&expression, reads.as_slice()) {
                (Expr::Column(_), [at]) => {
                    told[*at] = true;
                    merged(*at)
                }
                _ if expression.is_volatile() => return Ok(None),
                _ if reads.iter().all(|at| merged(*at) == Merge::Key) => Merge::Key,
                _ => return Ok(None),
            };
            columns.push(column);
        }
        // A stored row is of one group only where all that tells groups apart is stored; that one is gone is known where its rows are.
        if (0..told.len()).any(|at| matches!(merged(at), Merge::Key | Merge::Rows) && !told[at]) {
            return Ok(None);
        }
        let project = |input: LogicalPlan| {
            let columns: Vec<Expr> = named(node.expr.iter().cloned(), plan.schema()).collect();
            LogicalPlanBuilder::from(input).project(columns)?.build()
        };
        let others = below.others.into_iter().map(project).collect::<Result<_>>()?;
        Ok(Some(CarriedOn { added: project(below.added)?, columns, others }))
    }

    fn of_groups(&self, node: &Aggregate) -> Result<Option<CarriedOn>> {
        let is_plain =
            !node.group_expr.iter().any(|key| matches!(key, Expr::GroupingSet(_)) || key.is_volatile());
        let Some(rows) = self.rows(&node.input)?.filter(|_| is_plain) else { return Ok(None) };
        for key in &node.group_expr {
            // Zeros of both signs are one group, and two values.
            if key.get_type(node.input.schema().as_ref())?.is_floating() {
                return Ok(None);
            }
        }
        if self.take_rows(&node.input) {
            return of_signed_rows(rows, node);
        }
        let merges: Option<Vec<Merge>> = node.aggr_expr.iter().map(|one| merge_of(one, node)).collect();
        let Some(merges) = merges else { return Ok(None) };
        let columns = vec![Merge::Key; node.group_expr.len()].into_iter().chain(merges).collect();
        let rows = named_as(rows, node.input.schema())?;
        let added = LogicalPlanBuilder::from(rows)
            .aggregate(node.group_expr.clone(), node.aggr_expr.clone())?
            .build()?;
        Ok(Some(CarriedOn { added: named_as(added, &node.schema)?, columns, others: Vec::new() }))
    }
}

/// The same where rows went too.
fn of_signed_rows(rows: LogicalPlan, node: &Aggregate) -> Result<Option<CarriedOn>> {
    let Some(states) = with_signs(node, &sign())? else { return Ok(None) };
    let keys = node.group_expr.len();
    let (values, types): (Vec<Expr>, Vec<_>) = states.signed.into_iter().unzip();
    let values = values.into_iter().enumerate().map(|(at, value)| exact_sum(value).alias(format!("__s{at}")));
    let added = LogicalPlanBuilder::from(rows)
        .aggregate(node.group_expr.clone(), values.collect::<Vec<_>>())?
        .build()?;
    let typed = columns_of(added.schema()).enumerate().map(|(at, column)| match at.checked_sub(keys) {
        Some(value) => column.cast_to(&types[value], added.schema()),
        None => Ok(column),
    });
    let typed = typed.collect::<Result<Vec<_>>>()?;
    let named: Vec<Expr> = named(typed.into_iter(), &node.schema).collect();
    let added = LogicalPlanBuilder::from(added).project(named)?.build()?;
    let mut columns = vec![Merge::Key; keys];
    columns.extend((0..types.len()).map(|at| if at == states.rows { Merge::Rows } else { Merge::Sum }));
    Ok(Some(CarriedOn { added, columns, others: Vec::new() }))
}

/// How an aggregate of some rows and that of others make that of all.
fn merge_of(aggregate: &Expr, node: &Aggregate) -> Option<Merge> {
    let Expr::AggregateFunction(AggregateFunction { func, params }) = aggregate.clone().unalias_nested().data
    else {
        return None;
    };
    let AggregateFunctionParams { distinct, order_by, args, .. } = &params;
    let value = args.first()?.get_type(node.input.schema().as_ref()).ok()?;
    match func.name() {
        "min" => Some(Merge::Least),
        "max" => Some(Merge::Greatest),
        "bool_and" => Some(Merge::And),
        "bool_or" => Some(Merge::Or),
        "count" if !distinct => Some(Merge::Sum),
        "sum" if !distinct && (value.is_integer() || value.is_decimal()) => Some(Merge::Sum),
        _ => None,
    }
    .filter(|_| order_by.is_empty())
}

fn renamed(below: CarriedOn, plan: &LogicalPlan) -> Result<CarriedOn> {
    let others =
        below.others.into_iter().map(|other| named_as(other, plan.schema())).collect::<Result<_>>()?;
    Ok(CarriedOn { added: named_as(below.added, plan.schema())?, columns: below.columns, others })
}

/// The rows of one group each, made of those that are stored and those that are added, by how their columns are merged.
///
/// # Errors
/// Where a plan cannot be made.
pub fn merged(
    scope: &crate::Scope,
    stored: LogicalPlan,
    added: LogicalPlan,
    columns: &[Merge],
) -> Result<LogicalPlan> {
    let schema = stored.schema().clone();
    let all = LogicalPlanBuilder::from(stored).union(added)?.build()?;
    let state = scope.state();
    let aggregate = |name: &str, column: Expr| {
        let function = state.aggregate_functions().get(name).cloned();
        function.map(|function| function.call(vec![column])).ok_or_else(|| super::internal(name))
    };
    let (mut keys, mut values, mut rows) = (Vec::new(), Vec::new(), Vec::new());
    for (at, merge) in columns.iter().enumerate() {
        let column = column_at(all.schema(), at);
        let name = format!("__m{at}");
        let function = match merge {
            Merge::Key => {
                keys.push(column.clone().alias(&name));
                None
            }
            Merge::Least => Some("min"),
            Merge::Greatest => Some("max"),
            Merge::Sum | Merge::Rows => Some("sum"),
            Merge::And => Some("bool_and"),
            Merge::Or => Some("bool_or"),
        };
        if let Some(function) = function {
            values.push(aggregate(function, column)?.alias(&name));
        }
        rows.push((name, schema.field(at).clone()));
    }
    let is_one = keys.is_empty();
    let mut groups = LogicalPlanBuilder::from(all).aggregate(keys, values)?;
    if let Some(at) = columns.iter().position(|merge| *merge == Merge::Rows)
        && !is_one
    {
        groups = groups.filter(Expr::Column(Column::from_name(format!("__m{at}"))).not_eq(lit(0_i64)))?;
    }
    let groups = groups.build()?;
    let columns = rows.into_iter().map(|(name, field)| {
        let merged = Expr::Column(Column::from_name(name));
        Ok(merged.cast_to(field.data_type(), groups.schema())?.alias(field.name()))
    });
    let columns = columns.collect::<Result<Vec<_>>>()?;
    LogicalPlanBuilder::from(groups).project(columns)?.build()
}
