//! Groups of rows that are not each made of one row of a changed table: of a semi join, an outer join, other groups.
//!
//! What is below such groups and is not linear stands as a table in a plan of its own. Its changed rows are those of the keys that the
//! change reaches, as they were and as they are now; all above it is linear again.

use std::sync::Arc;

use arrow::array::{RecordBatch, UInt64Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{Field, Schema, SchemaRef};
use datafusion::common::cast::as_int64_array;
use datafusion::common::tree_node::{Transformed, TreeNodeRecursion};
use datafusion::common::{Column, Result, TableReference};
use datafusion::datasource::{MemTable, TableProvider, provider_as_source};
use datafusion::logical_expr::{Expr, JoinType, LogicalPlan, LogicalPlanBuilder};

use super::changed_rows::plan_asks;
use super::{
    CarriedOn, ChangedTable, Changes, Restricted, Wanted, columns_of, differing_rows, is_exact_type, named_as,
};
use crate::scope::DeclaredTable;
use crate::tree::TreeWalk;
use crate::view::{self, View};
use mep_core::relation::Relation;

/// So many parts of one plan are made tables.
const PARTS: usize = 3;
/// The schema of such tables, which no relation has.
const SCHEMA: &str = "__mep_made";

/// Runs a plan by which changed rows are found; `None` where it is not worth it, or gives more rows than are told apart.
pub type FindRows<'a> = dyn FnMut(LogicalPlan) -> Result<Option<RecordBatch>> + 'a;

impl Changes {
    /// What changed rows add to a plan's groups, where rows below these are not each made of one row of a changed table; `None` where
    /// they cannot be carried on even so.
    ///
    /// # Errors
    /// Where a plan cannot be made, or one that is run fails.
    pub fn carried_on_by_key(
        &self,
        plan: &LogicalPlan,
        find: &mut FindRows<'_>,
    ) -> Result<Option<CarriedOn>> {
        if !self.can_be_carried_on_by_key(plan)? {
            return Ok(None);
        }
        let Some((plan, changes)) =
            self.made_linear(plan, &mut |changes, part| changes.changed_part(part, find))?
        else {
            return Ok(None);
        };
        let Some(mut carried) = changes.carried_on(&plan)? else { return Ok(None) };
        // So that it is seen what they take.
        carried.added = view::expand(carried.added)?;
        carried.others = carried.others.into_iter().map(view::expand).collect::<Result<_>>()?;
        Ok(Some(carried))
    }

    /// Whether what changes in its tables can be carried on in the groups of a plan, as far as that is seen without looking at rows.
    ///
    /// # Errors
    /// Where a plan cannot be made.
    pub(super) fn can_be_carried_on_by_key(&self, plan: &LogicalPlan) -> Result<bool> {
        let unknown = |changes: &Self, part: &LogicalPlan| {
            let schema = schema_of(part);
            let table: Arc<dyn TableProvider> = Arc::new(DeclaredTable::new(schema, Vec::new()));
            let wanted = exact_columns(part);
            let told = changes.touched(part, &wanted)?.is_some_and(|touched| !touched.told.is_empty());
            Ok(told.then(|| ChangedTable {
                before: table.clone(),
                gone: Some(table.clone()),
                come: Some(table),
            }))
        };
        let Some((plan, changes)) = self.made_linear(plan, &mut { unknown })? else { return Ok(false) };
        Ok(changes.carried_on(&plan)?.is_some())
    }

    /// The plan in which the parts below its groups that are not linear are tables, and the changes of these too; `None` where there are
    /// none, or where it cannot be said how one changes.
    fn made_linear(
        &self,
        plan: &LogicalPlan,
        changed: &mut dyn FnMut(&Self, &LogicalPlan) -> Result<Option<ChangedTable>>,
    ) -> Result<Option<(LogicalPlan, Self)>> {
        let (mut plan, mut changes) = (plan.clone(), self.clone());
        for at in 0..PARTS {
            let Some(part) = changes.not_linear(&plan)? else {
                return Ok((at > 0).then_some((plan, changes)));
            };
            let Some(change) = changed(&changes, &part)? else { return Ok(None) };
            let name = Relation::new(SCHEMA, format!("part{at}"));
            let now: Arc<dyn TableProvider> = Arc::new(View::new(numbered(part.clone())?));
            plan = plan
                .map_down(&mut |node| {
                    if node != part {
                        return Ok(Transformed::no(node));
                    }
                    Ok(Transformed::new(in_place_of(&part, &name, &now)?, true, TreeNodeRecursion::Jump))
                })?
                .data;
            if change.gone.is_some() || change.come.is_some() {
                changes.0.insert(name, change);
            }
        }
        Ok(changes.not_linear(&plan)?.is_none().then_some((plan, changes)))
    }

    /// The first part below a plan's groups that is not linear.
    fn not_linear(&self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        match plan {
            LogicalPlan::Projection(node) => self.not_linear(&node.input),
            LogicalPlan::SubqueryAlias(node) => self.not_linear(&node.input),
            LogicalPlan::Sort(node) if node.fetch.is_none() => self.not_linear(&node.input),
            LogicalPlan::Aggregate(node) => self.part_not_linear(&node.input),
            _ => Ok(None),
        }
    }

    fn part_not_linear(&self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        if !self.reach(plan) || self.rows(plan)?.is_some() || plan_asks(plan)? {
            return Ok(None);
        }
        let below = match plan {
            LogicalPlan::Projection(_)
            | LogicalPlan::Filter(_)
            | LogicalPlan::SubqueryAlias(_)
            | LogicalPlan::Union(_) => true,
            LogicalPlan::Sort(node) => node.fetch.is_none(),
            LogicalPlan::Join(node) => node.join_type == JoinType::Inner,
            LogicalPlan::TableScan(_) => return Ok(None),
            _ => false,
        };
        for input in plan.inputs().into_iter().filter(|_| below) {
            if let Some(part) = self.part_not_linear(input)? {
                return Ok(Some(part));
            }
        }
        Ok((!below).then(|| plan.clone()))
    }

    /// How a part of a plan changed, found by the keys that the changes reach.
    fn changed_part(&self, part: &LogicalPlan, find: &mut FindRows<'_>) -> Result<Option<ChangedTable>> {
        let before: Arc<dyn TableProvider> = Arc::new(View::new(numbered(self.before(part)?)?));
        let nothing = || ChangedTable { before: before.clone(), gone: None, come: None };
        let wanted = exact_columns(part);
        let Some(touched) = self.touched(part, &wanted)? else { return Ok(Some(nothing())) };
        if touched.told.is_empty() {
            return Ok(None);
        }
        let Some(keys) = find(touched.plan)? else { return Ok(None) };
        let mut of_keys = |plan: &LogicalPlan| {
            let mut collect = |plan| match find(plan)? {
                Some(rows) => Ok(vec![rows]),
                None => Err(super::internal("more keys than are told apart")),
            };
            Restricted::new(&mut collect).plan(plan, &wanted, &keys, &touched.told)
        };
        let (now, old) = (numbered(of_keys(part)?)?, numbered(of_keys(&self.before(part)?)?)?);
        let Some(differing) = find(differing_rows(old, now)?)? else { return Ok(None) };
        let schema = schema_of(part);
        let (come, gone) = by_sign(&schema, &differing)?;
        let table = |rows: RecordBatch| -> Result<Option<Arc<dyn TableProvider>>> {
            Ok(Some(Arc::new(MemTable::try_new(schema.clone(), vec![vec![rows]])?)))
        };
        Ok(Some(ChangedTable { gone: table(gone)?, come: table(come)?, before }))
    }
}

/// Rows with a sign, apart: those that came and those that went, each as often as it did so.
///
/// # Errors
/// Where the rows have other columns.
pub fn by_sign(schema: &SchemaRef, rows: &RecordBatch) -> Result<(RecordBatch, RecordBatch)> {
    let columns: Vec<usize> = (0..schema.fields().len()).collect();
    let signs = as_int64_array(rows.column(columns.len()))?;
    let rows = RecordBatch::try_new(schema.clone(), rows.project(&columns)?.columns().to_vec())?;
    let times = |sign: i64| {
        let rows = signs.iter().enumerate().flat_map(move |(row, count)| {
            let count = usize::try_from(count.unwrap_or_default() * sign).unwrap_or_default();
            std::iter::repeat_n(row as u64, count)
        });
        UInt64Array::from_iter_values(rows)
    };
    Ok((take_record_batch(&rows, &times(1))?, take_record_batch(&rows, &times(-1))?))
}

/// The columns of a part, by numbers.
fn schema_of(part: &LogicalPlan) -> SchemaRef {
    let fields = part.schema().fields().iter().enumerate();
    let fields = fields.map(|(at, field)| Field::new(format!("n{at}"), field.data_type().clone(), true));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn numbered(part: LogicalPlan) -> Result<LogicalPlan> {
    let columns: Vec<Expr> =
        columns_of(part.schema()).enumerate().map(|(at, column)| column.alias(format!("n{at}"))).collect();
    LogicalPlanBuilder::from(part).project(columns)?.build()
}

/// A scan of what stands for a part, with its columns.
fn in_place_of(part: &LogicalPlan, name: &Relation, now: &Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let table = TableReference::partial(SCHEMA, name.name.clone());
    let scan = LogicalPlanBuilder::scan(table, provider_as_source(now.clone()), None)?.build()?;
    named_as(scan, part.schema())
}

/// The columns of a part whose values are equal only where they are the same.
fn exact_columns(part: &LogicalPlan) -> Wanted {
    let columns = part.schema().iter().map(|(qualifier, field)| {
        is_exact_type(field.data_type()).then(|| Expr::Column(Column::from((qualifier, field))))
    });
    columns.collect()
}
