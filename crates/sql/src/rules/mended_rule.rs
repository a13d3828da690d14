//! A rule of the engine under its name and in its place, that rewrites in another way.

use std::fmt;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::tree_node::Transformed;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// A rule of the engine.
pub(super) type Rule = Arc<dyn OptimizerRule + Send + Sync>;

type Rewrite =
    dyn Fn(&Rule, LogicalPlan, &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> + Send + Sync;

/// The rule, and how it is used.
pub(super) struct MendedRule {
    rule: Rule,
    rewrite: Box<Rewrite>,
}

impl MendedRule {
    /// The rule, in whose place `rewrite` is asked, which may ask it.
    pub(super) fn new(
        rule: Rule,
        rewrite: impl Fn(&Rule, LogicalPlan, &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Self { rule, rewrite: Box::new(rewrite) }
    }
}

impl fmt::Debug for MendedRule {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("MendedRule").field(&self.rule).finish()
    }
}

impl OptimizerRule for MendedRule {
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
        (self.rewrite)(&self.rule, plan, config)
    }
}
