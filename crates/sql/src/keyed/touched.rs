//! Which keys of a plan's output can differ, once its tables hold other rows.
//!
//! At each node it is said which values of what is wanted the rows that came, went, or were made otherwise bear. It may be more
//! than there are, never less. What cannot be said of a node is wanted no more above it.

use std::collections::BTreeSet;

use datafusion::common::{Column, Result};
use datafusion::logical_expr::{Distinct, Expr, Join, JoinType, LogicalPlan, LogicalPlanBuilder};

use super::changed_rows::{SIGN, joined, plan_asks, sign, without_pairs};
use super::sides::JoinSide;
use super::{Changes, all_of, column_at, key_column, key_name};
use crate::carried::{self, Wanted, is_evaluable};

/// The values of what is wanted that changed rows bear.
pub struct Touched {
    /// They, each once; the columns are named by [`key_column`](super::key_column) in the order of `told`.
    pub plan: LogicalPlan,
    /// What of that which is wanted could be followed, by its place.
    pub told: Vec<usize>,
}

impl Changes {
    /// The values of some columns of a plan's output of which rows can differ; `None` where none can. What is wanted are
    /// expressions over the output's columns.
    ///
    /// # Errors
    /// Where a plan cannot be made.
    pub fn touched(&self, plan: &LogicalPlan, wanted: &Wanted) -> Result<Option<Touched>> {
        let needed = (0..plan.schema().fields().len()).collect();
        let Some(touched) = self.at(plan, wanted, &needed)? else { return Ok(None) };
        let plan = LogicalPlanBuilder::from(touched.plan).distinct()?.build()?;
        Ok(Some(Touched { plan, told: touched.told }))
    }

    /// `needed`: the columns of the node whose values make rows above it.
    fn at(&self, plan: &LogicalPlan, wanted: &Wanted, needed: &BTreeSet<usize>) -> Result<Option<Touched>> {
        if !self.reach(plan) {
            return Ok(None);
        }
        if let LogicalPlan::Join(join) = plan
            && self.is_told_by_one_side(join, wanted)
        {
            return self.of_sides(join, wanted, needed);
        }
        if let Some(rows) = self.rows(plan)? {
            return of_rows(rows, wanted).map(Some);
        }
        if plan_asks(plan)? {
            return nothing_told().map(Some);
        }
        match plan {
            LogicalPlan::Projection(node) => {
                let below = carried::mapped(wanted, plan.schema(), |at| {
                    Some(node.expr.get(at)?.clone().unalias_nested().data)
                });
                self.at(&node.input, &below, &used(&node.expr, &node.input))
            }
            LogicalPlan::Filter(node) => {
                let mut needed = needed.clone();
                needed.extend(used([&node.predicate], &node.input));
                self.at(&node.input, wanted, &needed)
            }
            LogicalPlan::SubqueryAlias(node) => {
                let below =
                    carried::mapped(wanted, plan.schema(), |at| Some(column_at(node.input.schema(), at)));
                self.at(&node.input, &below, needed)
            }
            LogicalPlan::Sort(node) if node.fetch.is_none() => self.at(&node.input, wanted, needed),
            LogicalPlan::Distinct(Distinct::All(input)) => self.at(input, wanted, needed),
            LogicalPlan::Union(node) => {
                let mut all = Vec::new();
                for input in &node.inputs {
                    let below =
                        carried::mapped(wanted, plan.schema(), |at| Some(column_at(input.schema(), at)));
                    all.extend(self.at(input, &below, needed)?);
                }
                union(all)
            }
            LogicalPlan::Aggregate(node) => {
                let below = carried::of_aggregate(node, wanted);
                let needed = used(node.group_expr.iter().chain(&node.aggr_expr), &node.input);
                self.at(&node.input, &below, &needed)
            }
            LogicalPlan::Window(node) => {
                let below = carried::of_window(node, wanted);
                let mut needed: BTreeSet<usize> = needed.clone();
                needed.retain(|at| *at < node.input.schema().fields().len());
                needed.extend(used(&node.window_expr, &node.input));
                self.at(&node.input, &below, &needed)
            }
            LogicalPlan::Join(node) => self.of_sides(node, wanted, needed),
            _ => nothing_told().map(Some),
        }
    }

    /// Whether the changed rows of one side of an inner join say by themselves all that is wanted, so that nothing need be read of the other.
    fn is_told_by_one_side(&self, node: &Join, wanted: &Wanted) -> bool {
        let (of_left, of_right) = carried::of_join(node, wanted);
        let tells = |side: &LogicalPlan, direct: &Wanted| self.reach(side) && tells_all(direct, wanted);
        node.join_type == JoinType::Inner && (tells(&node.left, &of_left) || tells(&node.right, &of_right))
    }

    fn of_sides(&self, node: &Join, wanted: &Wanted, needed: &BTreeSet<usize>) -> Result<Option<Touched>> {
        let (of_left, of_right) = carried::of_join(node, wanted);
        let mut all = Vec::new();
        for (side, direct) in [(JoinSide::Left, of_left), (JoinSide::Right, of_right)] {
            all.extend(self.of_side(node, side, &direct, wanted, needed)?);
        }
        union(all)
    }

    /// What changed rows on one side of a join touch: by what is known of them alone, or with the rows on the other side that
    /// they are joined with.
    fn of_side(
        &self,
        node: &Join,
        side: JoinSide,
        direct: &Wanted,
        wanted: &Wanted,
        needed: &BTreeSet<usize>,
    ) -> Result<Option<Touched>> {
        let (own, other) = side.of(node);
        if !self.reach(own) {
            return Ok(None);
        }
        let needed = needed_of(node, side, needed);
        let mut needed_below = needed.clone();
        needed_below.extend(used(condition_of(node), own));
        if tells_all(direct, wanted) {
            return self.at(own, direct, &needed_below);
        }
        // A row that may stay alone has no row of the other side to tell of then.
        let is_told = |wanted: &Expr| {
            let of_other = |column: &Column| other.schema().maybe_index_of_column(column).is_some();
            node.join_type == JoinType::Inner || wanted.column_refs().into_iter().all(of_other)
        };
        let paired: Wanted =
            wanted.iter().map(|one| one.as_ref().filter(|one| is_told(one)).cloned()).collect();
        if !side.is_looked_up(node) || paired.iter().all(Option::is_none) {
            return self.at(own, direct, &needed_below);
        }
        let Some(rows) = self.rows(own)? else {
            return self.pairs_by_key(node, side, (direct, &paired), &needed_below);
        };
        let by_itself = direct.iter().flatten().count();
        if by_itself >= paired.iter().flatten().count() {
            return self.at(own, direct, &needed_below);
        }
        self.pairs_that_differ(node, side, rows, &paired, &needed).map(Some)
    }

    /// The rows on the other side that are joined with changed rows otherwise than before: with other values of the columns that
    /// are needed, or not as often.
    fn pairs_that_differ(
        &self,
        node: &Join,
        side: JoinSide,
        rows: LogicalPlan,
        wanted: &Wanted,
        needed: &BTreeSet<usize>,
    ) -> Result<Touched> {
        let (own, other) = side.of(node);
        let goes = self.take_rows(own);
        let read = used(condition_of(node).chain(wanted.iter().flatten()), other);
        let others = self.both_of(other, &read)?;
        let pairs = match side {
            JoinSide::Left => joined(node, rows, others)?,
            JoinSide::Right => joined(node, others, rows)?,
        };
        let told: Vec<usize> = (0..wanted.len()).filter(|at| wanted[*at].is_some()).collect();
        let keys = told.iter().filter_map(|at| Some((*at, wanted[*at].clone()?)));
        let mut columns: Vec<Expr> = keys.map(|(at, wanted)| wanted.alias(key_name(at))).collect();
        if goes {
            // Rows of one condition are joined with the same rows, so that together they say what each of them would.
            let other_columns =
                used(condition_of(node), other).into_iter().map(|at| column_at(other.schema(), at));
            let own_columns = needed.iter().map(|at| column_at(own.schema(), *at));
            for (at, column) in other_columns.chain(own_columns).enumerate() {
                columns.push(column.alias(format!("__c{at}")));
            }
        }
        columns.push(sign().alias(SIGN));
        let mut pairs = LogicalPlanBuilder::from(pairs).project(columns)?.build()?;
        if goes {
            pairs = without_pairs(pairs)?;
        }
        let plan = LogicalPlanBuilder::from(pairs).project(told.iter().map(|at| key_column(*at)))?.build()?;
        Ok(Touched { plan, told })
    }

    /// The rows on the other side that bear a key of which rows on this side differ; or what is known of these alone, where it
    /// says as much.
    fn pairs_by_key(
        &self,
        node: &Join,
        side: JoinSide,
        (direct, paired): (&Wanted, &Wanted),
        needed: &BTreeSet<usize>,
    ) -> Result<Option<Touched>> {
        let (own, other) = side.of(node);
        let is_own = |column: &Column| own.schema().maybe_index_of_column(column).is_some();
        let columns = paired.iter().flatten().flat_map(Expr::column_refs);
        let columns: BTreeSet<&Column> = columns.filter(|column| is_own(column)).collect();
        let columns: Vec<&Column> = columns.into_iter().collect();
        let (own_keys, other_keys): (Vec<Expr>, Vec<Expr>) = side.pairs(node).into_iter().unzip();
        let (of_keys, of_columns) = (direct.len(), direct.len() + own_keys.len());
        let mut below = direct.clone();
        below.extend(own_keys.into_iter().map(Some));
        below.extend(columns.iter().map(|column| Some(Expr::Column((*column).clone()))));
        let Some(touched) = self.at(own, &below, needed)? else { return Ok(None) };
        let on: Vec<(Expr, Expr)> = (of_keys..)
            .zip(&other_keys)
            .filter(|(at, _)| touched.told.contains(at))
            .map(|(at, of_other)| match side {
                JoinSide::Left => (key_column(at), of_other.clone()),
                JoinSide::Right => (of_other.clone(), key_column(at)),
            })
            .collect();
        let place = |column: &Column| {
            let at = of_columns + columns.iter().position(|one| *one == column)?;
            touched.told.contains(&at).then(|| key_column(at))
        };
        let named = |wanted: &Expr| {
            carried::replaced(wanted.clone(), |column| {
                if is_own(column) { place(column) } else { Some(Expr::Column(column.clone())) }
            })
        };
        let named: Wanted = paired.iter().map(|one| one.as_ref().and_then(named)).collect();
        let by_itself = touched.told.iter().filter(|at| **at < of_keys).count();
        // Without a key all pairs of rows are in question: of a condition that compares otherwise, there may be too many.
        let is_open = on.is_empty() && (!node.on.is_empty() || node.filter.is_some());
        if is_open || by_itself >= named.iter().flatten().count() {
            let told = touched.told.into_iter().filter(|at| *at < of_keys).collect();
            return Ok(Some(Touched { plan: touched.plan, told }));
        }
        let bare = Join { on, filter: None, join_type: JoinType::Inner, null_aware: false, ..node.clone() };
        let others = self.both(other)?;
        let pairs = match side {
            JoinSide::Left => joined(&bare, touched.plan, others)?,
            JoinSide::Right => joined(&bare, others, touched.plan)?,
        };
        of_rows(pairs, &named).map(Some)
    }
}

/// What something touches of which nothing is known.
fn nothing_told() -> Result<Touched> {
    Ok(Touched { plan: LogicalPlanBuilder::empty(true).build()?, told: Vec::new() })
}

/// What is wanted of rows that have the columns.
fn of_rows(rows: LogicalPlan, wanted: &Wanted) -> Result<Touched> {
    let told: Vec<usize> =
        (0..wanted.len()).filter(|at| wanted[*at].as_ref().is_some_and(is_evaluable)).collect();
    let columns = told.iter().filter_map(|at| Some(wanted[*at].clone()?.alias(key_name(*at))));
    let columns: Vec<Expr> = columns.collect();
    if columns.is_empty() {
        return nothing_told();
    }
    let plan = LogicalPlanBuilder::from(rows).project(columns)?.build()?;
    Ok(Touched { plan, told })
}

/// What any of several touches, as far as all of them tell it.
fn union(all: Vec<Touched>) -> Result<Option<Touched>> {
    let Some(first) = all.first() else { return Ok(None) };
    let told: Vec<usize> =
        first.told.iter().copied().filter(|at| all.iter().all(|one| one.told.contains(at))).collect();
    if told.is_empty() {
        return nothing_told().map(Some);
    }
    let plans = all.into_iter().map(|one| {
        LogicalPlanBuilder::from(one.plan).project(told.iter().map(|at| key_column(*at)))?.build()
    });
    let plan = all_of(plans.collect::<Result<_>>()?)?;
    Ok(plan.map(|plan| Touched { plan, told }))
}

/// Whether what one side says by itself is all that is wanted.
fn tells_all(direct: &Wanted, wanted: &Wanted) -> bool {
    direct.iter().flatten().count() == wanted.iter().flatten().count()
}

/// The expressions by which a join joins.
fn condition_of(node: &Join) -> impl Iterator<Item = &Expr> {
    node.on.iter().flat_map(|(left, right)| [left, right]).chain(&node.filter)
}

/// The columns of an input that expressions read, by place.
pub(super) fn used<'a>(
    expressions: impl IntoIterator<Item = &'a Expr>,
    input: &LogicalPlan,
) -> BTreeSet<usize> {
    let columns = expressions.into_iter().flat_map(Expr::column_refs);
    columns.filter_map(|column| input.schema().maybe_index_of_column(column)).collect()
}

/// The columns of one side that make rows above a join.
fn needed_of(node: &Join, side: JoinSide, needed: &BTreeSet<usize>) -> BTreeSet<usize> {
    let left = node.left.schema().fields().len();
    let is_semi_right =
        matches!(node.join_type, JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark);
    let (own, _) = side.of(node);
    let is_out = !matches!(
        (node.join_type, side),
        (JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark, JoinSide::Right)
            | (JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark, JoinSide::Left)
    );
    let from = if side == JoinSide::Right && !is_semi_right { left } else { 0 };
    let mut below = BTreeSet::new();
    if is_out {
        let count = own.schema().fields().len();
        below.extend(needed.iter().filter_map(|at| at.checked_sub(from)).filter(|at| *at < count));
    }
    below
}
