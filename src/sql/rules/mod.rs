//! Rules of the plan that mend what the engine does otherwise than SQL means.
//!
//! One file a rule. Comes in: a logical plan. Goes out: one with the same columns. Must not know: projects, warehouses.

use std::sync::Arc;

use datafusion::optimizer::{Optimizer, OptimizerRule};

pub mod guarded;
pub mod microseconds;
pub mod overflow;

/// The optimizer's rules for plans that are run.
pub fn of_execution() -> Vec<Arc<dyn OptimizerRule + Send + Sync>> {
    let mut rules = Optimizer::new().rules;
    rules.insert(0, Arc::new(overflow::CheckedArithmetic));
    rules.push(Arc::new(guarded::GuardedConditions));
    rules
}
