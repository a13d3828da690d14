//! The rows that came to a plan and those that went from it, where each of its rows is made of one row of a changed table.
//!
//! Such a plan is linear: its changed rows are what it makes of the changed rows of its tables. Each has a sign, 1 where it came
//! and -1 where it went, and may be there with both.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, DFSchema, Result};
use datafusion::functions_aggregate::expr_fn::sum;
use datafusion::logical_expr::{
    Expr, ExprSchemable, Join, JoinType, LogicalPlan, LogicalPlanBuilder, TableScan, cast, lit,
};

use super::{ChangedTable, Changes, all_of, columns_of, internal, named, scan_of};

/// The column that says whether a row came or went.
pub const SIGN: &str = "__sign";

pub(super) fn sign() -> Expr {
    Expr::Column(Column::from_name(SIGN))
}

impl Changes {
    /// The changed rows of a plan, with its columns and their sign; `None` where it is not linear.
    pub(super) fn rows(&self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        if self.is_linear(plan)? { self.linear_rows(plan) } else { Ok(None) }
    }

    /// Whether each row of a plan is made of one row of a changed table, as far as its operators say. No plan is made for that: it is asked of
    /// every part of one.
    fn is_linear(&self, plan: &LogicalPlan) -> Result<bool> {
        if plan_asks(plan)? {
            return Ok(false);
        }
        let is_so = match plan {
            LogicalPlan::TableScan(scan) => scan.fetch.is_none() && self.of(scan).is_some(),
            LogicalPlan::Projection(node) => !node.expr.iter().any(Expr::is_volatile),
            LogicalPlan::Filter(node) => !node.predicate.is_volatile(),
            LogicalPlan::SubqueryAlias(_) | LogicalPlan::Union(_) => true,
            LogicalPlan::Sort(node) => node.fetch.is_none(),
            LogicalPlan::Join(node) => {
                node.join_type == JoinType::Inner && !node.filter.as_ref().is_some_and(Expr::is_volatile)
            }
            _ => false,
        };
        let may_stay = matches!(plan, LogicalPlan::Union(_) | LogicalPlan::Join(_));
        for input in plan.inputs().into_iter().filter(|_| is_so) {
            if (!may_stay || self.reach(input)) && !self.is_linear(input)? {
                return Ok(false);
            }
        }
        Ok(is_so)
    }

    fn linear_rows(&self, plan: &LogicalPlan) -> Result<Option<LogicalPlan>> {
        match plan {
            LogicalPlan::TableScan(scan) => match self.of(scan) {
                Some(table) => of_scan(scan, table),
                None => Ok(None),
            },
            LogicalPlan::Projection(node) => {
                let Some(rows) = self.linear_rows(&node.input)? else { return Ok(None) };
                signed(rows, node.expr.iter().cloned(), plan.schema(), sign()).map(Some)
            }
            LogicalPlan::Filter(node) => {
                let Some(rows) = self.linear_rows(&node.input)? else { return Ok(None) };
                LogicalPlanBuilder::from(rows).filter(node.predicate.clone())?.build().map(Some)
            }
            LogicalPlan::SubqueryAlias(node) => {
                let Some(rows) = self.linear_rows(&node.input)? else { return Ok(None) };
                named_like(rows, plan).map(Some)
            }
            LogicalPlan::Sort(node) => self.linear_rows(&node.input),
            LogicalPlan::Union(node) => {
                let mut all = Vec::new();
                for input in node.inputs.iter().filter(|input| self.reach(input)) {
                    let Some(rows) = self.linear_rows(input)? else { return Ok(None) };
                    all.push(named_like(rows, plan)?);
                }
                all_of(all)
            }
            LogicalPlan::Join(node) => self.rows_of_join(plan, node),
            _ => Ok(None),
        }
    }

    fn rows_of_join(&self, plan: &LogicalPlan, node: &Join) -> Result<Option<LogicalPlan>> {
        let (is_left, is_right) = (self.reach(&node.left), self.reach(&node.right));
        let left = node.left.schema().fields().len();
        let mut all = Vec::new();
        if is_left {
            let Some(rows) = self.linear_rows(&node.left)? else { return Ok(None) };
            // What came and went on both sides is told by both terms together.
            let others = if is_right { self.before(&node.right)? } else { node.right.as_ref().clone() };
            let joined = joined(node, rows, others)?;
            let columns: Vec<Expr> = columns_of(joined.schema()).collect();
            // Their sign stands between the columns of both sides.
            let columns = columns[..left].iter().chain(&columns[left + 1..]).cloned();
            all.push(signed(joined, columns, plan.schema(), sign())?);
        }
        if is_right {
            let Some(rows) = self.linear_rows(&node.right)? else { return Ok(None) };
            all.push(named_like(joined(node, node.left.as_ref().clone(), rows)?, plan)?);
        }
        all_of(all)
    }
}

/// The join of other inputs by the same condition, of which rows that find no other are left out.
pub(super) fn joined(node: &Join, left: LogicalPlan, right: LogicalPlan) -> Result<LogicalPlan> {
    let join = Join::try_new(
        Arc::new(left),
        Arc::new(right),
        node.on.clone(),
        node.filter.clone(),
        JoinType::Inner,
        node.join_constraint,
        node.null_equality,
        false,
    )?;
    Ok(LogicalPlan::Join(join))
}

/// Whether a node's own expressions ask a subquery.
pub(super) fn plan_asks(plan: &LogicalPlan) -> Result<bool> {
    let mut asks = false;
    plan.apply_subqueries(|_| {
        asks = true;
        Ok(TreeNodeRecursion::Stop)
    })?;
    Ok(asks)
}

/// Rows with their sign, by the names of another plan's columns.
fn named_like(rows: LogicalPlan, plan: &LogicalPlan) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = columns_of(rows.schema()).collect();
    signed(rows, columns, plan.schema(), sign())
}

fn of_scan(scan: &TableScan, table: &ChangedTable) -> Result<Option<LogicalPlan>> {
    let mut sides = Vec::new();
    for (content, sign) in [(&table.come, 1), (&table.gone, -1)] {
        if let Some(content) = content {
            sides.push(all_signed(scan_of(scan, content)?, sign)?);
        }
    }
    let Some(rows) = all_of(sides)? else { return Ok(None) };
    if table.gone.is_some() { without_pairs(rows).map(Some) } else { Ok(Some(rows)) }
}

/// The rows of a plan, all with one sign.
fn all_signed(plan: LogicalPlan, sign: i64) -> Result<LogicalPlan> {
    let schema = plan.schema().clone();
    signed(plan, columns_of(&schema), &schema, lit(sign).alias(SIGN))
}

/// Expressions over rows, by the names of a schema's columns, with a sign.
fn signed(
    rows: LogicalPlan,
    columns: impl IntoIterator<Item = Expr>,
    schema: &DFSchema,
    sign: Expr,
) -> Result<LogicalPlan> {
    let columns: Vec<Expr> = named(columns.into_iter(), schema).chain([sign]).collect();
    LogicalPlanBuilder::from(rows).project(columns)?.build()
}

/// The rows that are in one of two plans and not, or not as often, in the other, with how much more often they are in the new one.
///
/// # Errors
/// Where a plan cannot be made.
pub fn differing_rows(old: LogicalPlan, new: LogicalPlan) -> Result<LogicalPlan> {
    let rows = all_of(vec![all_signed(new, 1)?, all_signed(old, -1)?])?;
    without_pairs(rows.ok_or_else(|| internal("two plans have rows"))?)
}

/// Changed rows without those that went as often as they came.
pub(super) fn without_pairs(rows: LogicalPlan) -> Result<LogicalPlan> {
    let mut columns: Vec<Expr> = columns_of(rows.schema()).collect();
    columns.pop().ok_or_else(|| internal("rows have a sign"))?;
    let schema = rows.schema().clone();
    let mut keys = columns.clone();
    for (at, column) in columns.iter().enumerate() {
        // Zeros of both signs are one group, and two values.
        if column.get_type(schema.as_ref())?.is_floating() {
            keys.push(cast(column.clone(), DataType::Utf8).alias(format!("__text{at}")));
        }
    }
    let summed = LogicalPlanBuilder::from(rows).aggregate(keys, vec![sum(sign()).alias(SIGN)])?;
    let differs = summed.filter(sign().not_eq(lit(0_i64)))?;
    differs.project(columns.into_iter().chain([sign()]).collect::<Vec<_>>())?.build()
}
