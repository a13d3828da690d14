//! The first rows of several inputs are looked for by all of the keys.
//!
//! The engine leaves a key out of a sort where each of the sorted parts has one value of it, also where these values differ, as in
//! `select 1 as a … union all select 2 as a …`. The parts are then merged by all keys, which is right; but where only the first rows are
//! wanted, the parts share the last row that is still among them, and one part drops rows of another that come before it by the key that was left
//! out. Here a sort of parts that are merged has all keys of the merge.

use std::sync::Arc;

use crate::tree::TreeWalk;
use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::sorts::sort::SortExec;
use datafusion::physical_plan::sorts::sort_preserving_merge::SortPreservingMergeExec;

/// The rule of the engine that it comes after.
pub(super) const AFTER: &str = "EnsureRequirements";

/// The rule.
#[derive(Debug)]
pub(super) struct WholeSortKeys;

impl PhysicalOptimizerRule for WholeSortKeys {
    fn name(&self) -> &'static str {
        "whole_sort_keys"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(plan.map_up(&mut |node| Ok(of_node(node)))?.data)
    }
}

fn of_node(node: Arc<dyn ExecutionPlan>) -> Transformed<Arc<dyn ExecutionPlan>> {
    let Some(merge) = node.downcast_ref::<SortPreservingMergeExec>() else { return Transformed::no(node) };
    let Some(sort) = merge.input().downcast_ref::<SortExec>() else { return Transformed::no(node) };
    if sort.fetch().is_none() || sort.expr().len() == merge.expr().len() {
        return Transformed::no(node);
    }
    let whole = SortExec::new(merge.expr().clone(), Arc::clone(sort.input()))
        .with_fetch(sort.fetch())
        .with_preserve_partitioning(true);
    let merged =
        SortPreservingMergeExec::new(merge.expr().clone(), Arc::new(whole)).with_fetch(merge.fetch());
    Transformed::yes(Arc::new(merged))
}

#[cfg(test)]
mod tests {
    use crate::rules::executed::rows_by_threads;

    #[test]
    fn a_key_of_which_each_part_has_one_value_decides_between_the_parts() {
        let first = "select f as a, 2 as b from (values (null), (false), (false), (true)) t(f)";
        let second = "select false as a, 1 as b from (values (1), (2), (3), (4), (5)) t(x)";
        let union = format!("{first} union all {second}");
        let sorted = |order: &str| rows_by_threads(&format!("select a, b from ({union}) order by {order}"));
        assert_eq!(sorted("a nulls first, b desc limit 4"), "2 false2 false2 false1");
        assert_eq!(sorted("b desc, a nulls first limit 4"), "2 false2 false2 true2");
        assert_eq!(sorted("a, b desc limit 3"), "false2 false2 false1");
        let apart = "select 1 as a, 2 as b from (values (1), (2)) t(x) union all select 1 as a, 1 as b from (values (1), (2)) t(x)";
        assert_eq!(
            rows_by_threads(&format!("select * from ({apart}) order by a, b desc limit 3")),
            "12 12 11"
        );
        assert_eq!(rows_by_threads(&format!("select * from ({apart}) order by a, b limit 3")), "11 11 12");
    }
}
