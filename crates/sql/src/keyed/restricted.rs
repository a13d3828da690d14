//! A plan of which only the rows of some keys are right, and that reads little else.
//!
//! A scan of which the rows' keys are known reads those of the keys in question. Where a side of a join reads few rows then, the
//! keys of the join are asked for, and the other side reads the partitions that hold them. Rows of other keys may be wrong, or
//! lack: they are left out at the top.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, NullEquality, Result, ScalarValue};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{
    Distinct, Expr, Join, JoinConstraint, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan,
    TableScanBuilder, lit,
};

use super::key_name;
use crate::alignment::{is_exact, is_stored, relation, unqualified};
use crate::carried::{self, Keys, Wanted, is_evaluable};
use mep_core::relation::Relation;

/// More values than this are not asked for one by one.
const VALUES: usize = 4_000;

/// A filter on the partition columns that a scan was given.
#[derive(Clone, Debug)]
pub struct ScanFilter {
    /// The table.
    pub relation: Relation,
    /// What its partitions must fulfil; `None` where all are read.
    pub filter: Option<Expr>,
}

/// Makes a plan read what some keys need.
pub struct Restricted<'a> {
    /// Runs a plan.
    collect: &'a mut dyn FnMut(LogicalPlan) -> Result<Vec<RecordBatch>>,
    /// What each scan of the plan reads, once it was made.
    pub scans: Vec<ScanFilter>,
}

/// Keys, each once.
#[derive(Clone)]
struct KeySet {
    rows: RecordBatch,
    /// What the columns of the rows are, by the place of what is wanted.
    told: Vec<usize>,
}

impl<'a> Restricted<'a> {
    /// `collect` runs a plan.
    pub fn new(collect: &'a mut dyn FnMut(LogicalPlan) -> Result<Vec<RecordBatch>>) -> Self {
        Self { collect, scans: Vec::new() }
    }

    /// The plan of which the rows are those of the keys, and no others. `told` says which of what is wanted the columns of the
    /// keys are.
    ///
    /// # Errors
    /// Where a plan cannot be made, or what it asks for first fails.
    pub fn plan(
        &mut self,
        plan: &LogicalPlan,
        wanted: &Wanted,
        keys: &RecordBatch,
        told: &[usize],
    ) -> Result<LogicalPlan> {
        let keys = KeySet { rows: keys.clone(), told: told.to_vec() };
        let below = self.at(plan, wanted, &keys)?;
        keys.semi_join(below, wanted)
    }

    fn at(&mut self, plan: &LogicalPlan, wanted: &Wanted, keys: &KeySet) -> Result<LogicalPlan> {
        let inputs = match plan {
            LogicalPlan::TableScan(node) => return self.of_scan(plan, node, wanted, keys),
            LogicalPlan::Join(node) => {
                let (left, right) = self.of_join(node, wanted, keys)?;
                vec![left, right]
            }
            LogicalPlan::Union(node) => {
                let inputs = node.inputs.iter().map(|input| {
                    let below = carried::mapped(wanted, plan.schema(), |at| {
                        Some(super::column_at(input.schema(), at))
                    });
                    self.at(input, &below, keys)
                });
                inputs.collect::<Result<_>>()?
            }
            other => {
                let below = below(other, wanted);
                let inputs = other.inputs().into_iter().map(|input| self.at(input, &below, keys));
                inputs.collect::<Result<_>>()?
            }
        };
        plan.with_new_exprs(plan.expressions(), inputs)
    }

    fn of_scan(
        &mut self,
        plan: &LogicalPlan,
        scan: &TableScan,
        wanted: &Wanted,
        keys: &KeySet,
    ) -> Result<LogicalPlan> {
        if !is_stored(scan) {
            return Ok(plan.clone());
        }
        let said: Wanted = wanted.iter().map(|one| one.as_ref().filter(|one| says(one)).cloned()).collect();
        let mut filter = None;
        let mut restricted = plan.clone();
        if scan.fetch.is_none() && keys.told.iter().any(|at| said[*at].is_some()) {
            let partition =
                |at: &usize| said[*at].clone().filter(|one| is_exact(scan, &one.clone().is_null()));
            let exact: Wanted =
                (0..said.len()).map(|at| keys.told.contains(&at).then(|| partition(&at)).flatten()).collect();
            filter = keys.as_filter(&exact)?;
            if let Some(filter) = &filter {
                let filters = scan.filters.iter().cloned().chain([filter.clone()]).collect();
                let scan = TableScanBuilder::new(scan.table_name.clone(), scan.source.clone())
                    .with_projection(scan.projection.clone())
                    .with_filters(filters)
                    .build()?;
                restricted = LogicalPlan::TableScan(scan);
            }
            if filter.is_none() || said.iter().flatten().count() > exact.iter().flatten().count() {
                restricted = keys.semi_join(restricted, &said)?;
            }
        }
        let filter = filter.as_ref().and_then(unqualified);
        self.scans.push(ScanFilter { relation: relation(scan), filter });
        Ok(restricted)
    }

    fn of_join(&mut self, node: &Join, wanted: &Wanted, keys: &KeySet) -> Result<(LogicalPlan, LogicalPlan)> {
        let (of_left, of_right) = carried::of_join(node, wanted);
        let from = self.scans.len();
        let (mut left, mut right);
        if is_told(&of_right, keys) && !is_told(&of_left, keys) {
            right = self.at(&node.right, &of_right, keys)?;
            let scans = self.scans.len();
            left = self.at(&node.left, &of_left, keys)?;
            let asks = matches!(
                node.join_type,
                JoinType::Inner | JoinType::Right | JoinType::RightSemi | JoinType::RightAnti
            );
            if asks && self.are_few(&right, from..scans) {
                self.scans.truncate(scans);
                let on: Vec<(Expr, Expr)> =
                    node.on.iter().cloned().map(|(left, right)| (right, left)).collect();
                left = self.asked_for(&right, &node.left, &on, left)?;
            }
        } else {
            left = self.at(&node.left, &of_left, keys)?;
            let scans = self.scans.len();
            right = self.at(&node.right, &of_right, keys)?;
            let asks = matches!(
                node.join_type,
                JoinType::Inner
                    | JoinType::Left
                    | JoinType::LeftSemi
                    | JoinType::LeftAnti
                    | JoinType::LeftMark
            );
            if asks
                && !node.null_aware
                && is_told(&of_left, keys)
                && !is_told(&of_right, keys)
                && self.are_few(&left, from..scans)
            {
                self.scans.truncate(scans);
                right = self.asked_for(&left, &node.right, &node.on, right)?;
            }
        }
        Ok((left, right))
    }

    /// Whether a restricted side of a join is read quickly: each table of partitions in part.
    fn are_few(&self, plan: &LogicalPlan, scans: std::ops::Range<usize>) -> bool {
        let mut has_partitions = Vec::new();
        let _ = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && is_stored(scan)
            {
                let is_partition = |at: usize| {
                    let column = super::column_at(&scan.projected_schema, at);
                    is_exact(scan, &column.is_null())
                };
                if (0..scan.projected_schema.fields().len()).any(is_partition) {
                    has_partitions.push(relation(scan));
                }
            }
            Ok(TreeNodeRecursion::Continue)
        });
        let scans = self.scans.get(scans).unwrap_or_default();
        scans.iter().all(|scan| scan.filter.is_some() || !has_partitions.contains(&scan.relation))
    }

    /// The other side of a join, of which those partitions are read that hold keys of a restricted side. `otherwise`: as it is
    /// where that says nothing.
    fn asked_for(
        &mut self,
        few: &LogicalPlan,
        other: &LogicalPlan,
        on: &[(Expr, Expr)],
        otherwise: LogicalPlan,
    ) -> Result<LogicalPlan> {
        let wanted: Wanted = on.iter().map(|(_, of_other)| Some(of_other.clone())).collect();
        let mut says_partition = vec![false; wanted.len()];
        carried::follow(other, &wanted, &mut |scan, wanted| {
            for (says_partition, wanted) in says_partition.iter_mut().zip(wanted) {
                let exact =
                    |one: &Expr| is_stored(scan) && says(one) && is_exact(scan, &one.clone().is_null());
                *says_partition |= wanted.as_ref().is_some_and(exact);
            }
            Ok(Keys::Unknown)
        })?;
        let told: Vec<usize> = (0..wanted.len()).filter(|at| says_partition[*at]).collect();
        if told.is_empty() {
            self.note_scans(&otherwise);
            return Ok(otherwise);
        }
        let columns = told.iter().map(|at| on[*at].0.clone().unalias().alias(key_name(*at)));
        let asked = LogicalPlanBuilder::from(few.clone()).project(columns)?.distinct()?;
        let asked = asked.limit(0, Some(VALUES + 1))?.build()?;
        let schema = Arc::new(asked.schema().as_arrow().clone());
        let rows = concat_batches(&schema, &(self.collect)(asked)?)?;
        if rows.num_rows() > VALUES {
            self.note_scans(&otherwise);
            return Ok(otherwise);
        }
        self.at(other, &wanted, &KeySet { rows, told })
    }

    /// Notes the scans of a plan that are read as a whole.
    fn note_scans(&mut self, plan: &LogicalPlan) {
        let _ = plan.apply_with_subqueries(|node| {
            if let LogicalPlan::TableScan(scan) = node
                && is_stored(scan)
            {
                self.scans.push(ScanFilter { relation: relation(scan), filter: None });
            }
            Ok(TreeNodeRecursion::Continue)
        });
    }
}

impl KeySet {
    /// The keys' columns that are said here, each row once.
    fn values(&self, said: &Wanted) -> Result<Vec<(usize, Vec<ScalarValue>)>> {
        let mut columns = Vec::new();
        for (column, at) in self.told.iter().enumerate() {
            if said.get(*at).is_some_and(Option::is_some) {
                let array = self.rows.column(column);
                let values = (0..array.len()).map(|row| ScalarValue::try_from_array(array, row));
                columns.push((*at, values.collect::<Result<_>>()?));
            }
        }
        Ok(columns)
    }

    /// The condition that what is said is of some key; `None` where nothing is, or the keys are too many.
    fn as_filter(&self, said: &Wanted) -> Result<Option<Expr>> {
        let columns = self.values(said)?;
        let mut rows: Vec<Vec<ScalarValue>> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for row in 0..self.rows.num_rows() {
            let values: Vec<ScalarValue> = columns.iter().map(|(_, values)| values[row].clone()).collect();
            if seen.insert(values.clone()) {
                rows.push(values);
            }
        }
        if columns.is_empty() || rows.len() > VALUES {
            return Ok(None);
        }
        let expression = |at: usize| said.get(at).cloned().flatten();
        if let [(at, _)] = columns.as_slice()
            && let Some(expression) = expression(*at)
        {
            let values: Vec<ScalarValue> = rows.into_iter().flatten().collect();
            let has_null = values.iter().any(ScalarValue::is_null);
            let values: Vec<Expr> = values.into_iter().filter(|value| !value.is_null()).map(lit).collect();
            let is_null = has_null.then(|| expression.clone().is_null());
            let is_in = (!values.is_empty()).then(|| expression.in_list(values, false));
            return Ok(Some(match (is_in, is_null) {
                (Some(is_in), Some(is_null)) => is_in.or(is_null),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => lit(false),
            }));
        }
        let is_row = |row: Vec<ScalarValue>| {
            let parts = columns.iter().zip(row).filter_map(|((at, _), value)| {
                let expression = expression(*at)?;
                Some(if value.is_null() { expression.is_null() } else { expression.eq(lit(value)) })
            });
            parts.reduce(Expr::and)
        };
        Ok(rows.into_iter().filter_map(is_row).reduce(Expr::or).or(Some(lit(false))))
    }

    /// The rows of a plan of which what is said is of some key.
    fn semi_join(&self, plan: LogicalPlan, said: &Wanted) -> Result<LogicalPlan> {
        let keys = scanned(&self.rows)?;
        let mut on = Vec::new();
        for (column, at) in self.told.iter().enumerate() {
            if let Some(expression) = said.get(*at).cloned().flatten() {
                on.push((expression, Expr::Column(Column::from(keys.schema().qualified_field(column)))));
            }
        }
        if on.is_empty() {
            return Ok(plan);
        }
        semi_join(plan, keys, on, JoinType::LeftSemi)
    }
}

/// A join that keeps rows by whether another plan has their keys, of which NULL is one.
pub(super) fn semi_join(
    plan: LogicalPlan,
    keys: LogicalPlan,
    on: Vec<(Expr, Expr)>,
    join_type: JoinType,
) -> Result<LogicalPlan> {
    let (plan, keys) = (Arc::new(plan), Arc::new(keys));
    let (constraint, nulls) = (JoinConstraint::On, NullEquality::NullEqualsNull);
    Join::try_new(plan, keys, on, None, join_type, constraint, nulls, false).map(LogicalPlan::Join)
}

/// The rows of a table by whether they are of some keys: those that are, or those that are not. `on` says which column of the
/// table is which of the keys.
///
/// # Errors
/// Where a plan cannot be made.
pub fn rows_by_key(
    stored: LogicalPlan,
    keys: &RecordBatch,
    on: &[(Expr, usize)],
    join_type: JoinType,
) -> Result<LogicalPlan> {
    let keys = scanned(keys)?;
    let column = |at: usize| Expr::Column(Column::from(keys.schema().qualified_field(at)));
    let on = on.iter().map(|(of_table, at)| (of_table.clone(), column(*at))).collect();
    semi_join(stored, keys, on, join_type)
}

/// A plan that reads these rows.
fn scanned(rows: &RecordBatch) -> Result<LogicalPlan> {
    let table = MemTable::try_new(rows.schema(), vec![vec![rows.clone()]])?;
    LogicalPlanBuilder::scan("__mep_keys", provider_as_source(Arc::new(table)), None)?.build()
}

/// Whether an expression says something of each row.
fn says(expression: &Expr) -> bool {
    is_evaluable(expression) && !expression.column_refs().is_empty()
}

fn is_told(wanted: &Wanted, keys: &KeySet) -> bool {
    keys.told.iter().any(|at| wanted.get(*at).is_some_and(|one| one.as_ref().is_some_and(says)))
}

/// What is wanted below a node with one input.
fn below(plan: &LogicalPlan, wanted: &Wanted) -> Wanted {
    let nothing = || vec![None; wanted.len()];
    match plan {
        LogicalPlan::Projection(node) => {
            carried::mapped(wanted, plan.schema(), |at| Some(node.expr.get(at)?.clone().unalias()))
        }
        LogicalPlan::SubqueryAlias(node) => {
            carried::mapped(wanted, plan.schema(), |at| Some(super::column_at(node.input.schema(), at)))
        }
        LogicalPlan::Aggregate(node) => carried::of_aggregate(node, wanted),
        LogicalPlan::Window(node) => carried::of_window(node, wanted),
        LogicalPlan::Unnest(node) => carried::of_unnest(node, wanted),
        LogicalPlan::Filter(_) | LogicalPlan::Distinct(Distinct::All(_)) => wanted.clone(),
        LogicalPlan::Sort(node) if node.fetch.is_none() => wanted.clone(),
        _ => nothing(),
    }
}
