//! What a partition column of the output is, followed from the top of a plan down to its scans.
//!
//! Comes in: an optimized plan, and for each partition column the expression over the plan's columns that it is. Goes out: for
//! each scan the expression over its columns, and which scans' partitions say what partitions there are. Must not know:
//! which columns a table is partitioned by.
//!
//! At each node the claim is: a row of the node for which the expression is not `x` leaves the rows of partition `x` as they
//! are. The optimizer pushes a filter only where it can execute one, and does not carry it across an outer join, to the rows
//! that are only looked for, or through groups in several sets. No filter is made here, so that more can be said.

use crate::tree::TreeWalk;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, DataFusionError};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::expr::{AggregateFunction, Case, ScalarFunction, WindowFunction};
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, ExprSchemable, GroupingSet, Join, JoinType, LogicalPlan, TableScan, Unnest,
    Window,
};

/// For each partition column of the output, what it is over the columns of a node; `None` where that cannot be said.
pub type Wanted = Vec<Option<Expr>>;

/// Which scans' partitions say what partitions of the output there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// They cannot be known before the rows are.
    Unknown,
    /// Those of this scan, by its place among all.
    Scan(usize),
    /// All of these, as of a union.
    Any(Vec<Keys>),
    /// Each of one with each of the other that says nothing else, as of a join.
    Each(Box<Keys>, Box<Keys>),
}

impl Keys {
    /// Whether they say a partition column of every row, where scans say these.
    pub fn say(&self, column: usize, scans: &dyn Fn(usize, usize) -> bool) -> bool {
        match self {
            Self::Unknown => false,
            Self::Scan(scan) => scans(*scan, column),
            Self::Any(all) => all.iter().all(|keys| keys.say(column, scans)),
            Self::Each(one, other) => one.say(column, scans) || other.say(column, scans),
        }
    }
}

/// Follows what is wanted down a plan. `scan` is called for each scan with what is wanted of it, and says whether its
/// partitions tell anything, and its place.
///
/// # Errors
/// Those of `scan`, and of walking a plan.
pub(super) fn follow(
    plan: &LogicalPlan,
    wanted: &Wanted,
    scan: &mut dyn FnMut(&TableScan, &Wanted) -> Result<Keys, DataFusionError>,
) -> Result<Keys, DataFusionError> {
    let nothing: Wanted = vec![None; wanted.len()];
    plan.apply_subqueries(|subquery| {
        follow(subquery, &nothing, scan)?;
        Ok(TreeNodeRecursion::Jump)
    })?;
    let keys = match plan {
        LogicalPlan::TableScan(node) => scan(node, wanted)?,
        LogicalPlan::EmptyRelation(node) if !node.produce_one_row => Keys::Any(Vec::new()),
        LogicalPlan::Union(node) => {
            let inputs = node.inputs.iter();
            let keys = inputs.map(|input| {
                let below =
                    mapped(wanted, plan.schema(), |position| Some(column_at(input.schema(), position)));
                follow(input, &below, scan)
            });
            Keys::Any(keys.collect::<Result<_, _>>()?)
        }
        LogicalPlan::Join(node) => {
            let (left, right) = of_join(node, wanted);
            let (left, right) = (follow(&node.left, &left, scan)?, follow(&node.right, &right, scan)?);
            keys_of_join(node.join_type, left, right)
        }
        LogicalPlan::Aggregate(node) => {
            let keys = follow(&node.input, &of_aggregate(node, wanted), scan)?;
            if has_group_of_nothing(node) { Keys::Unknown } else { keys }
        }
        LogicalPlan::Projection(node) => {
            let below =
                mapped(wanted, plan.schema(), |at| Some(node.expr.get(at)?.clone().unalias_nested().data));
            follow(&node.input, &below, scan)?
        }
        LogicalPlan::SubqueryAlias(node) => {
            let below = mapped(wanted, plan.schema(), |at| Some(column_at(node.input.schema(), at)));
            follow(&node.input, &below, scan)?
        }
        LogicalPlan::Window(node) => follow(&node.input, &of_window(node, wanted), scan)?,
        LogicalPlan::Unnest(node) => follow(&node.input, &of_unnest(node, wanted), scan)?,
        LogicalPlan::Filter(node) => follow(&node.input, wanted, scan)?,
        LogicalPlan::Distinct(Distinct::All(input)) => follow(input, wanted, scan)?,
        LogicalPlan::Sort(node) if node.fetch.is_none() => follow(&node.input, wanted, scan)?,
        // Which rows are the first ones, all rows decide; where a row that is left comes from is still known.
        LogicalPlan::Sort(node) => follow(&node.input, &constants(wanted), scan)?,
        LogicalPlan::Limit(node) => follow(&node.input, &constants(wanted), scan)?,
        other => {
            for input in other.inputs() {
                follow(input, &nothing, scan)?;
            }
            Keys::Unknown
        }
    };
    Ok(keys)
}

/// Whether an expression can be evaluated for a partition by itself, without rows or a run.
pub(super) fn is_evaluable(expression: &Expr) -> bool {
    let is_open = expression.any_node(&mut |part| {
        Ok(matches!(
            part,
            Expr::Placeholder(_)
                | Expr::OuterReferenceColumn(..)
                | Expr::ScalarSubquery(_)
                | Expr::Exists(_)
                | Expr::InSubquery(_)
                | Expr::SetComparison(_)
                | Expr::AggregateFunction(_)
                | Expr::WindowFunction(_)
        ))
    });
    !is_open.unwrap_or(true) && !expression.is_volatile()
}

/// What is wanted whatever the rows are: the constants.
fn constants(wanted: &Wanted) -> Wanted {
    let is_constant = |expression: &&Expr| expression.column_refs().is_empty();
    wanted.iter().map(|one| one.as_ref().filter(is_constant).cloned()).collect()
}

fn column_at(schema: &DFSchema, position: usize) -> Expr {
    Expr::Column(Column::from(schema.qualified_field(position)))
}

/// What is wanted over the columns below, where `below` says what the column at a position is there.
pub(super) fn mapped(wanted: &Wanted, schema: &DFSchema, below: impl Fn(usize) -> Option<Expr>) -> Wanted {
    let one = |expression: &Expr| {
        replaced(expression.clone(), |column| below(schema.maybe_index_of_column(column)?))
    };
    wanted.iter().map(|expression| expression.as_ref().and_then(one)).collect()
}

/// The expression with each column as `by` says; `None` where it does not say one.
pub(super) fn replaced(expression: Expr, by: impl Fn(&Column) -> Option<Expr>) -> Option<Expr> {
    let mut is_complete = true;
    let replaced = expression.map_down(&mut |part| {
        let Expr::Column(column) = &part else { return Ok(Transformed::no(part)) };
        if let Some(other) = by(column) {
            return Ok(Transformed::new(other, true, TreeNodeRecursion::Jump));
        }
        is_complete = false;
        Ok(Transformed::no(part))
    });
    replaced.ok().map(|replaced| replaced.data).filter(|_| is_complete)
}

pub(super) fn of_aggregate(node: &Aggregate, wanted: &Wanted) -> Wanted {
    let keys = group_keys(node);
    mapped(wanted, &node.schema, |position| {
        if let Some((key, is_in_every_set)) = keys.get(position) {
            return is_in_every_set.then(|| (*key).clone().unalias_nested().data);
        }
        // Groups in several sets have one more column, their number.
        let position = position.checked_sub(node.schema.fields().len() - node.aggr_expr.len())?;
        let value = value_of_each_row(node.aggr_expr.get(position)?)?;
        let is_key = |(key, is_in_every_set): &(&Expr, bool)| {
            *is_in_every_set && (*key).clone().unalias_nested().data == *value && is_exact(value, node)
        };
        keys.iter().any(is_key).then(|| value.clone())
    })
}

/// What rows are grouped by, and whether it is a key of each set of groups.
fn group_keys(node: &Aggregate) -> Vec<(&Expr, bool)> {
    let is_in_every_set = |key: &Expr| match node.group_expr.as_slice() {
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().all(|set| set.contains(key)),
        // Among the sets of both is that of no key.
        [Expr::GroupingSet(GroupingSet::Rollup(_) | GroupingSet::Cube(_))] => false,
        _ => true,
    };
    let keys = grouping_set_to_exprlist(&node.group_expr).unwrap_or_default();
    keys.into_iter().map(|key| (key, is_in_every_set(key))).collect()
}

/// Whether there is a group that has a row even where there are no rows.
fn has_group_of_nothing(node: &Aggregate) -> bool {
    match node.group_expr.as_slice() {
        [] | [Expr::GroupingSet(GroupingSet::Rollup(_) | GroupingSet::Cube(_))] => true,
        [Expr::GroupingSet(GroupingSet::GroupingSets(sets))] => sets.iter().any(Vec::is_empty),
        _ => false,
    }
}

/// The argument of an aggregate that gives the value of one of its rows: where all rows of a group agree, it is theirs.
fn value_of_each_row(aggregate: &Expr) -> Option<&Expr> {
    let aggregate = match aggregate {
        Expr::Alias(alias) => alias.expr.as_ref(),
        other => other,
    };
    let Expr::AggregateFunction(AggregateFunction { func, params }) = aggregate else { return None };
    let gives_one = ["first_value", "last_value", "min", "max"].contains(&func.name());
    match params.args.as_slice() {
        [value] if gives_one && params.filter.is_none() => Some(value),
        _ => None,
    }
}

/// Zeros of both signs are one group, and two values.
fn is_exact(value: &Expr, node: &Aggregate) -> bool {
    value.get_type(node.input.schema().as_ref()).is_ok_and(|data_type| !data_type.is_floating())
}

pub(super) fn of_window(node: &Window, wanted: &Wanted) -> Wanted {
    let input = node.input.schema();
    let below = mapped(wanted, &node.schema, |position| {
        (position < input.fields().len()).then(|| column_at(input, position))
    });
    let is_kept_apart =
        |expression: &Expr| node.window_expr.iter().all(|window| partitions_by(window, expression));
    below.into_iter().map(|one| one.filter(is_kept_apart)).collect()
}

/// Whether rows of one partition of a window have the same value of an expression.
fn partitions_by(window: &Expr, expression: &Expr) -> bool {
    let Expr::WindowFunction(window) = window.clone().unalias_nested().data else { return false };
    let WindowFunction { params, .. } = *window;
    let by = &params.partition_by;
    by.contains(expression)
        || expression.column_refs().into_iter().all(|column| by.contains(&Expr::Column(column.clone())))
}

pub(super) fn of_unnest(node: &Unnest, wanted: &Wanted) -> Wanted {
    mapped(wanted, &node.schema, |position| {
        let below = *node.dependency_indices.get(position)?;
        let column = Column::from(node.input.schema().qualified_field(below));
        let is_same = column == Column::from(node.schema.qualified_field(position));
        (is_same && !node.exec_columns.contains(&column)).then(|| Expr::Column(column))
    })
}

fn keys_of_join(join_type: JoinType, left: Keys, right: Keys) -> Keys {
    match join_type {
        JoinType::Inner => Keys::Each(Box::new(left), Box::new(right)),
        JoinType::Full => Keys::Any(vec![left, right]),
        JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => left,
        JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => right,
    }
}

/// What is wanted of both sides of a join.
///
/// A row of a side is joined with rows that bear its keys, and a partition holds it then, or holds it alone. A row on the
/// other side that bears its keys decides which of both: so the partition of a row that may stay alone must be the same one.
pub(super) fn of_join(node: &Join, wanted: &Wanted) -> (Wanted, Wanted) {
    let (left, right) = (Side::left(node), Side::right(node));
    let both = |wanted: &Expr| {
        let Some(wanted) = tagged(wanted, &|column| at_side(node, column)) else { return (None, None) };
        let (of_left, of_right) = (left.wanted(&wanted), right.wanted(&wanted));
        let is_left_told = !left.stays_alone || of_left.is_some();
        let is_right_told = !right.stays_alone || of_right.is_some();
        // Of a null-aware join, one NULL on the right decides of all rows on the left.
        (of_left.filter(|_| is_right_told), of_right.filter(|_| is_left_told && !node.null_aware))
    };
    let (of_left, of_right): (Wanted, Wanted) =
        wanted.iter().map(|one| one.as_ref().map_or((None, None), both)).unzip();
    (left.untagged(of_left), right.untagged(of_right))
}

/// The names of a side's columns while a join is looked at: both sides may have a column of one name.
const LEFT: &str = "left";
const RIGHT: &str = "right";

/// The side that a column of a join's output comes from, and its place there.
fn at_side(node: &Join, column: &Column) -> Option<(&'static str, usize)> {
    let position = node.schema.maybe_index_of_column(column)?;
    let (left, right) = (node.left.schema().fields().len(), node.right.schema().fields().len());
    match node.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            Some(position.checked_sub(left).map_or((LEFT, position), |position| (RIGHT, position)))
        }
        // What comes after the columns of the side is the mark.
        JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
            (position < left).then_some((LEFT, position))
        }
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
            (position < right).then_some((RIGHT, position))
        }
    }
}

/// An expression over columns by side and place, in which what takes the first value that is not NULL is written in one way.
fn tagged(expression: &Expr, at: &dyn Fn(&Column) -> Option<(&'static str, usize)>) -> Option<Expr> {
    let named = replaced(expression.clone(), |column| {
        let (side, position) = at(column)?;
        Some(Expr::Column(Column::new(Some(side), position.to_string())))
    });
    let written = named?.map_up(&mut |part| {
        Ok(match terms(&part).and_then(first_of) {
            Some(first) if first != part => Transformed::yes(first),
            _ => Transformed::no(part),
        })
    });
    written.ok().map(|written| written.data)
}

fn is_tagged(column: &Column, side: &str) -> bool {
    column.relation.as_ref().is_some_and(|relation| relation.table() == side)
}

/// One side of a join.
struct Side<'a> {
    tag: &'static str,
    schema: &'a DFSchema,
    /// What is equal in joined rows: of the other side, and of this one.
    equal: Vec<(Expr, Expr)>,
    /// Whether its rows are in the output, or are not, without one of the other side too.
    stays_alone: bool,
}

impl<'a> Side<'a> {
    fn left(node: &'a Join) -> Self {
        let stays_alone = match node.join_type {
            JoinType::Left
            | JoinType::Full
            | JoinType::LeftSemi
            | JoinType::LeftAnti
            | JoinType::LeftMark => true,
            JoinType::Inner
            | JoinType::Right
            | JoinType::RightSemi
            | JoinType::RightAnti
            | JoinType::RightMark => false,
        };
        let equal = pairs(node).map(|(left, right)| (right, left)).collect();
        Self { tag: LEFT, schema: node.left.schema(), equal, stays_alone }
    }

    fn right(node: &'a Join) -> Self {
        let stays_alone = match node.join_type {
            JoinType::Right
            | JoinType::Full
            | JoinType::RightSemi
            | JoinType::RightAnti
            | JoinType::RightMark => true,
            JoinType::Inner
            | JoinType::Left
            | JoinType::LeftSemi
            | JoinType::LeftAnti
            | JoinType::LeftMark => false,
        };
        Self { tag: RIGHT, schema: node.right.schema(), equal: pairs(node).collect(), stays_alone }
    }

    fn untagged(&self, wanted: Wanted) -> Wanted {
        let column = |column: &Column| Some(column_at(self.schema, column.name.parse().ok()?));
        wanted.into_iter().map(|one| one.and_then(|one| replaced(one, column))).collect()
    }

    /// Whether an expression speaks of columns of this side alone.
    fn is_own(&self, expression: &Expr) -> bool {
        expression.column_refs().iter().all(|column| is_tagged(column, self.tag))
    }

    /// What is wanted over the columns of this side, for each of its rows.
    fn wanted(&self, wanted: &Expr) -> Option<Expr> {
        if self.is_own(wanted) {
            return Some(wanted.clone());
        }
        let joined = self.joined(wanted)?;
        (!self.stays_alone || self.alone(wanted).as_ref() == Some(&joined)).then_some(joined)
    }

    /// In rows that are joined, in which what is equal stands for each other.
    fn joined(&self, wanted: &Expr) -> Option<Expr> {
        self.written(wanted, &|part| {
            if let Some((_, own)) = self.equal.iter().find(|(other, _)| other == part) {
                return Some(own.clone());
            }
            let mut terms = terms(part)?;
            for (other, own) in &self.equal {
                let of_other = self::terms(other).unwrap_or_else(|| vec![other.clone()]);
                let at = terms.windows(of_other.len()).position(|some| some == of_other);
                if let Some(at) = at {
                    terms.splice(at..at + of_other.len(), [own.clone()]);
                }
            }
            first_of(terms)
        })
    }

    /// In rows that are not, in which the columns of the other side are NULL.
    fn alone(&self, wanted: &Expr) -> Option<Expr> {
        self.written(wanted, &|part| {
            let terms = terms(part)?;
            first_of(terms.into_iter().filter(|term| !self.is_null_alone(term)).collect())
        })
    }

    fn is_null_alone(&self, term: &Expr) -> bool {
        match term {
            Expr::Column(column) => !is_tagged(column, self.tag),
            Expr::Cast(cast) => self.is_null_alone(&cast.expr),
            _ => false,
        }
    }

    /// An expression in which some parts are written otherwise, if it speaks of this side alone then.
    fn written(&self, wanted: &Expr, otherwise: &dyn Fn(&Expr) -> Option<Expr>) -> Option<Expr> {
        let written = wanted.clone().map_down(&mut |part| {
            Ok(match otherwise(&part) {
                Some(other) => Transformed::new(other, true, TreeNodeRecursion::Jump),
                None => Transformed::no(part),
            })
        });
        written.ok().map(|written| written.data).filter(|written| self.is_own(written))
    }
}

/// The pairs of expressions, of the left side and of the right, that are the same value in joined rows: of floats, zeros of both
/// signs are equal and not the same.
fn pairs(node: &Join) -> impl Iterator<Item = (Expr, Expr)> {
    let (left, right) = (node.left.schema(), node.right.schema());
    node.on.iter().filter_map(move |(of_left, of_right)| {
        let at = |expression: &Expr, schema: &DFSchema, side| {
            tagged(&expression.clone().unalias_nested().data, &|column| {
                Some((side, schema.maybe_index_of_column(column)?))
            })
        };
        let is_exact = of_left.get_type(left.as_ref()).is_ok_and(|data_type| !data_type.is_floating());
        at(of_left, left, LEFT).zip(at(of_right, right, RIGHT)).filter(|_| is_exact)
    })
}

/// The values of which an expression takes the first that is not NULL.
fn terms(expression: &Expr) -> Option<Vec<Expr>> {
    let terms = match expression {
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == "coalesce" => args.clone(),
        Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(value) }) if matches!(when_then_expr.as_slice(), [(when, _)] if matches!(when.as_ref(), Expr::IsNull(one) if one == value)) =>
        {
            let other = when_then_expr.iter().map(|(_, then)| then.as_ref().clone());
            std::iter::once(value.as_ref().clone()).chain(other).collect()
        }
        // As the optimizer writes it.
        Expr::Case(Case { expr: None, when_then_expr, else_expr: Some(last) }) => {
            let mut values = Vec::new();
            for (when, then) in when_then_expr {
                if !matches!(when.as_ref(), Expr::IsNotNull(value) if value == then) {
                    return None;
                }
                values.push(then.as_ref().clone());
            }
            values.push(last.as_ref().clone());
            values
        }
        _ => return None,
    };
    Some(terms.into_iter().flat_map(|term| self::terms(&term).unwrap_or_else(|| vec![term])).collect())
}

/// The first of some values that is not NULL, each named once.
fn first_of(terms: Vec<Expr>) -> Option<Expr> {
    let mut each: Vec<Expr> = Vec::new();
    for term in terms {
        let flat = self::terms(&term).unwrap_or_else(|| vec![term]);
        for term in flat {
            if !each.contains(&term) {
                each.push(term);
            }
        }
    }
    match each.len() {
        0 => None,
        1 => each.pop(),
        _ => Some(coalesce(each)),
    }
}
