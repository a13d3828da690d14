//! A plan over what its tables held before, and over both contents.

use std::collections::BTreeSet;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::changed_rows::sign;
use super::{Changes, named_as, scan_of};

impl Changes {
    /// The plan over the old contents.
    pub(super) fn before(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        let old = plan.clone().transform_up_with_subqueries(|node| {
            Ok(match &node {
                LogicalPlan::TableScan(scan) => match self.of(scan) {
                    Some(table) => Transformed::yes(scan_of(scan, &table.before)?),
                    None => Transformed::no(node),
                },
                _ => Transformed::no(node),
            })
        })?;
        Ok(old.data)
    }

    /// The rows of both contents, of which only some columns are read, by place. Where these are keys of groups, the groups of all rows
    /// that are there now or were before have them all.
    pub(super) fn both_of(&self, plan: &LogicalPlan, read: &BTreeSet<usize>) -> Result<LogicalPlan> {
        if !self.reach(plan) {
            return Ok(plan.clone());
        }
        match plan {
            LogicalPlan::Aggregate(node)
                if !node.group_expr.is_empty()
                    && !matches!(node.group_expr[..], [Expr::GroupingSet(_)])
                    && read.iter().all(|at| *at < node.group_expr.len()) =>
            {
                plan.with_new_exprs(plan.expressions(), vec![self.both(&node.input)?])
            }
            LogicalPlan::SubqueryAlias(node) => {
                plan.with_new_exprs(plan.expressions(), vec![self.both_of(&node.input, read)?])
            }
            LogicalPlan::Projection(node) => {
                let columns = read.iter().filter_map(|at| node.expr.get(*at)).flat_map(Expr::column_refs);
                let below = columns.filter_map(|column| node.input.schema().maybe_index_of_column(column));
                let input = self.both_of(&node.input, &below.collect())?;
                plan.with_new_exprs(plan.expressions(), vec![input])
            }
            _ => self.both(plan),
        }
    }

    /// The rows of a plan over the new contents and of that over the old ones. Most are there twice, which only what asks
    /// whether a row is there may read.
    pub(super) fn both(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        if !self.reach(plan) {
            return Ok(plan.clone());
        }
        let before = match self.rows(plan)? {
            // What is there no more is what went.
            Some(_) if !self.take_rows(plan) => return Ok(plan.clone()),
            Some(rows) => {
                let went = LogicalPlanBuilder::from(rows).filter(sign().lt(lit(0_i64)))?;
                named_as(went.build()?, plan.schema())?
            }
            None => self.before(plan)?,
        };
        let all = LogicalPlanBuilder::from(plan.clone()).union(before)?.build()?;
        named_as(all, plan.schema())
    }
}
