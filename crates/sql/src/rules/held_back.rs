//! A rule of the engine that is held back from nodes for which it is wrong.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The rule, and the nodes that it leaves as they are.
pub struct HeldBack {
    rule: Arc<dyn OptimizerRule + Send + Sync>,
    from: fn(&LogicalPlan) -> bool,
}

impl HeldBack {
    /// The rule without the nodes that `from` holds of.
    pub fn new(rule: Arc<dyn OptimizerRule + Send + Sync>, from: fn(&LogicalPlan) -> bool) -> Self {
        Self { rule, from }
    }
}

impl fmt::Debug for HeldBack {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("HeldBack").field(&self.rule).finish()
    }
}

impl OptimizerRule for HeldBack {
    fn name(&self) -> &str {
        self.rule.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.rule.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // A rule without an order looks at the whole plan by itself.
        let is_left = match self.rule.apply_order() {
            Some(_) => (self.from)(&plan),
            None => plan.exists(|node| Ok((self.from)(node)))?,
        };
        if is_left { Ok(Transformed::no(plan)) } else { self.rule.rewrite(plan, config) }
    }
}
