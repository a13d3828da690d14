//! A plan over what its tables held before, and over both contents.

use std::collections::BTreeSet;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, lit};

use super::changed_rows::sign;
use super::touched::used;
use super::{Changes, named_as, scan_of};
use crate::tree::PlanWalk;

impl Changes {
    /// The plan over the old contents.
    pub(super) fn before(&self, plan: &LogicalPlan) -> Result<LogicalPlan> {
        let old = plan.clone().map_up_with_subqueries(&mut |node| {
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

    /// The rows of both contents, of which only some columns are read, by place.
    pub(super) fn both_of(&self, plan: &LogicalPlan, read: &BTreeSet<usize>) -> Result<LogicalPlan> {
        match self.groups_of_both(plan, read)? {
            Some(groups) => Ok(groups),
            None => self.both(plan),
        }
    }

    /// The groups of all rows that are there now or were before, which have all keys of both; `None` where more than keys are read.
    fn groups_of_both(&self, plan: &LogicalPlan, read: &BTreeSet<usize>) -> Result<Option<LogicalPlan>> {
        match plan {
            LogicalPlan::Aggregate(node) => {
                let is_of_sets = matches!(node.group_expr[..], [Expr::GroupingSet(_)]);
                if is_of_sets || !self.reach(plan) || read.iter().any(|at| *at >= node.group_expr.len()) {
                    return Ok(None);
                }
                plan.with_new_exprs(plan.expressions(), vec![self.both(&node.input)?]).map(Some)
            }
            LogicalPlan::SubqueryAlias(node) => {
                let Some(input) = self.groups_of_both(&node.input, read)? else { return Ok(None) };
                named_as(input, plan.schema()).map(Some)
            }
            LogicalPlan::Projection(node) => {
                let below = used(read.iter().filter_map(|at| node.expr.get(*at)), &node.input);
                let Some(input) = self.groups_of_both(&node.input, &below)? else { return Ok(None) };
                plan.with_new_exprs(plan.expressions(), vec![input]).map(Some)
            }
            _ => Ok(None),
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
