//! Of a join by IS NOT DISTINCT FROM no key is one of `=`.
//!
//! The engine joins by keys of which all take NULL for equal to NULL, or none. A join that was made of IS NOT DISTINCT FROM was
//! given the `=` of a WHERE above it as one more key, and joined rows by their NULLs. Such an `=` stays a condition of the join.

use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{NullEquality, Result};
use datafusion::logical_expr::{Join, LogicalPlan};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};

/// The engine's rule that makes keys of conditions, held back where it may not.
#[derive(Debug)]
pub struct NullSafeKeys(pub Arc<dyn OptimizerRule + Send + Sync>);

impl OptimizerRule for NullSafeKeys {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        self.0.apply_order()
    }

    fn supports_rewrite(&self) -> bool {
        true
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        // A rule without an order looks at the whole plan by itself.
        let holds = match self.0.apply_order() {
            Some(_) => is_null_safe(&plan),
            None => plan.exists(|node| Ok(is_null_safe(node)))?,
        };
        if holds { Ok(Transformed::no(plan)) } else { self.0.rewrite(plan, config) }
    }
}

/// The names of the rules that make keys.
pub const RULES: [&str; 2] = ["extract_equijoin_predicate", "eliminate_cross_join"];

fn is_null_safe(node: &LogicalPlan) -> bool {
    match node {
        LogicalPlan::Join(Join { on, null_equality: NullEquality::NullEqualsNull, .. }) => !on.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::executed::rows;

    #[test]
    fn an_equation_beside_is_not_distinct_from_joins_no_nulls() {
        let tables = "(values (1, 10, 1), (null, 20, null), (3, 30, 4)) as a(k, v, w)";
        let other = "(values (1, 1), (null, null), (3, 4)) as b(k, w)";
        for join in ["join", "left join"] {
            assert_eq!(
                rows(&format!(
                    "select a.v from {tables} {join} {other} on a.k is not distinct from b.k where b.w = a.w order by 1"
                )),
                "10 30",
                "{join}"
            );
        }
        assert_eq!(
            rows(&format!(
                "select a.v, b.w from {tables} left join {other} on a.k is not distinct from b.k and a.w = b.w order by 1"
            )),
            "101 20 304"
        );
    }
}
