//! A plan of which only the rows of some keys are right, and that reads little else.
//!
//! A scan of which the rows' keys are known reads those of the keys in question. Where a side of a join reads few rows then, the
//! keys of the join are asked for, and the other side reads the partitions that hold them. Rows of other keys may be wrong, or
//! lack: they are left out at the top.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use datafusion::common::{NullEquality, Result, ScalarValue};
use datafusion::datasource::{MemTable, provider_as_source};
use datafusion::logical_expr::{
    Distinct, Expr, Join, JoinConstraint, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan,
    TableScanBuilder, lit,
};

use super::key_name;
use super::sides::JoinSide;
use crate::alignment::{is_exact, is_stored};
use crate::carried::{self, Keys, Wanted, is_evaluable};

/// The name by which a plan reads keys.
pub const KEYS_TABLE: &str = "__mep_keys";

/// More values than this are not asked for one by one.
const VALUES: usize = 4_000;

/// Makes a plan read what some keys need.
pub struct Restricted<'a> {
    /// Runs a plan.
    collect: &'a mut dyn FnMut(LogicalPlan) -> Result<Vec<RecordBatch>>,
    /// How many scans of tables with partitions read all of these, of what was made so far.
    whole: usize,
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
        Self { collect, whole: 0 }
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
        self.whole += usize::from(filter.is_none() && has_partitions(scan));
        Ok(restricted)
    }

    fn of_join(&mut self, node: &Join, wanted: &Wanted, keys: &KeySet) -> Result<(LogicalPlan, LogicalPlan)> {
        let (of_left, of_right) = carried::of_join(node, wanted);
        let is_told_by_right = is_told(&of_right, keys) && !is_told(&of_left, keys);
        let (first, of_first, of_second) = if is_told_by_right {
            (JoinSide::Right, &of_right, &of_left)
        } else {
            (JoinSide::Left, &of_left, &of_right)
        };
        let (few, other) = first.of(node);
        let whole = self.whole;
        let few = self.at(few, of_first, keys)?;
        let is_few = self.whole == whole && is_told(of_first, keys) && !is_told(of_second, keys);
        let asked = if is_few && first.other().is_looked_up(node) {
            self.asked_for(&few, other, &first.pairs(node))?
        } else {
            None
        };
        let other = match asked {
            Some(asked) => asked,
            None => self.at(other, of_second, keys)?,
        };
        Ok(if is_told_by_right { (other, few) } else { (few, other) })
    }

    /// The other side of a join, of which those partitions are read that hold keys of a restricted side; `None` where these do not
    /// say which.
    fn asked_for(
        &mut self,
        few: &LogicalPlan,
        other: &LogicalPlan,
        on: &[(Expr, Expr)],
    ) -> Result<Option<LogicalPlan>> {
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
            return Ok(None);
        }
        let columns = told.iter().map(|at| on[*at].0.clone().unalias_nested().data.alias(key_name(*at)));
        let asked = LogicalPlanBuilder::from(few.clone()).project(columns)?.distinct()?;
        let asked = asked.limit(0, Some(VALUES + 1))?.build()?;
        let schema = Arc::new(asked.schema().as_arrow().clone());
        let rows = concat_batches(&schema, &(self.collect)(asked)?)?;
        if rows.num_rows() > VALUES {
            return Ok(None);
        }
        self.at(other, &wanted, &KeySet { rows, told }).map(Some)
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
        let on = self.told.iter().enumerate();
        let on = on.filter_map(|(column, at)| Some((said.get(*at).cloned().flatten()?, column)));
        let on: Vec<(Expr, usize)> = on.collect();
        if on.is_empty() { Ok(plan) } else { rows_by_key(plan, &self.rows, &on, JoinType::LeftSemi) }
    }
}

/// The rows of a plan by whether they are of some keys, of which NULL is one: those that are, or those that are not. `on` says what
/// of a row is which column of the keys.
///
/// # Errors
/// Where a plan cannot be made.
pub fn rows_by_key(
    rows: LogicalPlan,
    keys: &RecordBatch,
    on: &[(Expr, usize)],
    join_type: JoinType,
) -> Result<LogicalPlan> {
    if on.is_empty() {
        // All rows are of the one key that there is.
        let is_all = (keys.num_rows() > 0) == (join_type == JoinType::LeftSemi);
        return if is_all { Ok(rows) } else { LogicalPlanBuilder::from(rows).filter(lit(false))?.build() };
    }
    let table = MemTable::try_new(keys.schema(), vec![vec![keys.clone()]])?;
    let keys = LogicalPlanBuilder::scan(KEYS_TABLE, provider_as_source(Arc::new(table)), None)?.build()?;
    let on = on.iter().map(|(of_row, at)| (of_row.clone(), super::column_at(keys.schema(), *at))).collect();
    let (rows, keys) = (Arc::new(rows), Arc::new(keys));
    let (constraint, nulls) = (JoinConstraint::On, NullEquality::NullEqualsNull);
    Join::try_new(rows, keys, on, None, join_type, constraint, nulls, false).map(LogicalPlan::Join)
}

/// Whether a scan reads a column that names its table's partitions.
fn has_partitions(scan: &TableScan) -> bool {
    super::columns_of(&scan.projected_schema).any(|column| is_exact(scan, &column.is_null()))
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
        LogicalPlan::Projection(node) => carried::mapped(wanted, plan.schema(), |at| {
            Some(node.expr.get(at)?.clone().unalias_nested().data)
        }),
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
