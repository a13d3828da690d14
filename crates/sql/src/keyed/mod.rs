//! What of a table a change in its inputs can reach, by the values of some of its columns.
//!
//! A **key** is a set of the output's columns such that rows of one key are made of the input's rows that bear it, by themselves
//! or through joins. So where the rows that came to an input and went from it are known, the keys that they bear
//! are all that can differ in the output (`touched`), and rows of these keys are computed from those rows of the inputs alone that bear
//! them (`restricted`). Which columns are a key is found while the changed rows are followed up the plan: a group keeps its keys, a window
//! what it is partitioned by, a join the columns of both sides.
//!
//! Comes in: an optimized plan, and the two contents of each changed table. Goes out: plans. Must not know: where tables
//! lie, what runs a plan, what is worth it.

mod both;
mod carried_on;
mod changed_rows;
mod followed;
mod kept_groups;
mod made_linear;
mod restricted;
mod sides;
mod states;
#[cfg(test)]
mod tests;
mod touched;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema, DataFusionError, Result};
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::logical_expr::{
    Expr, LogicalPlan, LogicalPlanBuilder, TableScan, TableScanBuilder, TableSource,
};

use super::alignment::{is_stored, relation};
pub use super::carried::Wanted;
use crate::tree::PlanWalk;
use mep_core::relation::Relation;

pub use carried_on::{CarriedOn, Merge, merged};
pub use changed_rows::{SIGN, differing_rows};
pub use followed::followed;
pub use kept_groups::{DividedQuery, Groups};
pub use made_linear::{FindRows, by_sign};
pub use restricted::{KEYS_TABLE, Restricted, rows_by_key};
pub use touched::Touched;

/// The two contents of a table that differ.
#[derive(Clone)]
pub struct ChangedTable {
    /// The old content.
    pub before: Arc<dyn TableProvider>,
    /// What of it is in the old content alone, and perhaps rows of the new one too; `None` where nothing is.
    pub gone: Option<Arc<dyn TableProvider>>,
    /// What is in the new content alone, and perhaps rows of the old one too.
    pub come: Option<Arc<dyn TableProvider>>,
}

/// The changed tables among those that a plan reads. The plan itself reads their new contents.
#[derive(Clone, Default)]
pub struct Changes(pub BTreeMap<Relation, ChangedTable>);

impl Changes {
    fn of(&self, scan: &TableScan) -> Option<&ChangedTable> {
        if is_stored(scan) { self.0.get(&relation(scan)) } else { None }
    }

    /// Whether a plan reads a changed table, in subqueries too.
    fn reach(&self, plan: &LogicalPlan) -> bool {
        self.any(plan, &|_| true)
    }

    /// Whether rows went from a table that it reads.
    fn take_rows(&self, plan: &LogicalPlan) -> bool {
        self.any(plan, &|table| table.gone.is_some())
    }

    fn any(&self, plan: &LogicalPlan, is_meant: &dyn Fn(&ChangedTable) -> bool) -> bool {
        let mut found = false;
        // The closure returns no error, so neither does the walk.
        let _ = plan.walk_with_subqueries(&mut |node| {
            if let LogicalPlan::TableScan(scan) = node {
                found |= self.of(scan).is_some_and(is_meant);
            }
            Ok(if found { TreeNodeRecursion::Stop } else { TreeNodeRecursion::Continue })
        });
        found
    }
}

/// The scan with another table in place of the one that it reads.
fn scan_of(scan: &TableScan, table: &Arc<dyn TableProvider>) -> Result<LogicalPlan> {
    let source: Arc<dyn TableSource> = provider_as_source(table.clone());
    let scan = TableScanBuilder::new(scan.table_name.clone(), source)
        .with_projection(scan.projection.clone())
        .with_filters(scan.filters.clone())
        .with_fetch(scan.fetch)
        .build()?;
    Ok(LogicalPlan::TableScan(scan))
}

/// Whether values of a type are equal only where they are the same, so that they can be a key: of floats, two zeros are equal.
pub fn is_exact_type(of: &DataType) -> bool {
    of.is_integer() || of.is_string() || of.is_temporal() || of.is_decimal() || *of == DataType::Boolean
}

fn column_at(schema: &DFSchema, position: usize) -> Expr {
    Expr::Column(Column::from(schema.qualified_field(position)))
}

/// The columns of a schema.
fn columns_of(schema: &DFSchema) -> impl Iterator<Item = Expr> {
    schema.iter().map(|field| Expr::Column(Column::from(field)))
}

/// The plan's first columns, named as those of a schema.
fn named_as(plan: LogicalPlan, schema: &DFSchema) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = named(columns_of(plan.schema()), schema).collect();
    LogicalPlanBuilder::from(plan).project(columns)?.build()
}

/// Expressions, named as the columns of a schema.
fn named(columns: impl Iterator<Item = Expr>, schema: &DFSchema) -> impl Iterator<Item = Expr> {
    columns.zip(schema.iter()).map(|(column, (qualifier, field))| {
        column.unalias().alias_qualified(qualifier.cloned(), field.name())
    })
}

/// The rows of several plans whose columns are the same by position, with the names of the first; `None` of no plans.
///
/// # Errors
/// Where the types differ.
pub fn all_of(mut plans: Vec<LogicalPlan>) -> Result<Option<LogicalPlan>> {
    let Some(last) = plans.pop() else { return Ok(None) };
    let schema = plans.first().unwrap_or(&last).schema().clone();
    let mut all = last;
    while let Some(plan) = plans.pop() {
        all = LogicalPlanBuilder::from(plan).union(all)?.build()?;
    }
    named_as(all, &schema).map(Some)
}

/// The name of the column that holds what is wanted at a place.
fn key_name(place: usize) -> String {
    format!("__k{place}")
}

fn key_column(place: usize) -> Expr {
    Expr::Column(Column::from_name(key_name(place)))
}

/// What is wanted at the top of a plan: its columns.
pub fn all_columns(plan: &LogicalPlan) -> Wanted {
    columns_of(plan.schema()).map(Some).collect()
}

fn internal(text: &str) -> DataFusionError {
    DataFusionError::Internal(text.to_owned())
}
