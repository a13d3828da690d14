//! Rules of the plan that mend what the engine does otherwise than SQL means.
//!
//! One file a rule. Comes in: a logical plan. Goes out: one with the same columns. Must not know: projects, warehouses.

pub mod coerced;
pub mod date_interval;
pub mod order_once;
pub mod set_all;
pub mod using;

use datafusion::common::Result;
use datafusion::logical_expr::LogicalPlan;

/// The plan of a query, just planned, as SQL means it.
///
/// # Errors
/// Where a mended node cannot be built.
pub fn mended(plan: LogicalPlan) -> Result<LogicalPlan> {
    order_once::order_once(set_all::number_equal_rows(using::merge_keys(plan)?)?)
}
