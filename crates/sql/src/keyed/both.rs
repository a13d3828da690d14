//! A plan over what its tables held before, and over both contents.

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder, lit};

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
