//! A scan is pruned by so many conditions at most.
//!
//! Whatever a filter consists of is asked of each file and of each group of rows in it, and simplified anew for each: thousands of
//! conditions over hundreds of files take longer than to read all rows. The filter above the scan asks them all, so that pruning
//! by some of them gives the same rows.

use std::sync::Arc;

use datafusion::common::Result;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::datasource::physical_plan::{FileScanConfigBuilder, FileSource, ParquetSource};
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_expr::{conjunction, split_conjunction};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;

/// Conditions that a scan is pruned by.
const MOST_CONDITIONS: usize = 64;

/// The rule.
#[derive(Debug)]
pub(crate) struct BoundedPruning;

impl PhysicalOptimizerRule for BoundedPruning {
    fn name(&self) -> &'static str {
        "bounded_pruning"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(plan.transform_up(|node| Ok(of_node(node)))?.data)
    }
}

fn of_node(node: Arc<dyn ExecutionPlan>) -> Transformed<Arc<dyn ExecutionPlan>> {
    match bounded(node.as_ref()) {
        Some(scan) => Transformed::yes(scan),
        None => Transformed::no(node),
    }
}

fn bounded(node: &dyn ExecutionPlan) -> Option<Arc<dyn ExecutionPlan>> {
    let (config, source) =
        node.downcast_ref::<DataSourceExec>()?.downcast_to_file_source::<ParquetSource>()?;
    // Then nothing above the scan asks the rest.
    if source.table_parquet_options().global.pushdown_filters {
        return None;
    }
    let predicate = source.filter()?;
    let conditions = split_conjunction(&predicate);
    if conditions.len() <= MOST_CONDITIONS {
        return None;
    }
    let first = conjunction(conditions.into_iter().take(MOST_CONDITIONS).cloned());
    let config =
        FileScanConfigBuilder::from(config.clone()).with_source(Arc::new(source.with_predicate(first)));
    Some(DataSourceExec::from_data_source(config.build()))
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{DataType, Field, Schema};
    use datafusion::datasource::listing::PartitionedFile;
    use datafusion::execution::object_store::ObjectStoreUrl;
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::PhysicalExpr;
    use datafusion::physical_expr::expressions::{BinaryExpr, col, lit};
    use datafusion::physical_plan::filter::FilterExec;

    use super::*;

    fn filtered(conditions: i64) -> Arc<dyn ExecutionPlan> {
        let schema = Arc::new(Schema::new(vec![Field::new("k", DataType::Int64, true)]));
        let column = col("k", &schema).unwrap();
        let predicate = conjunction((0..conditions).map(|value| {
            let condition = BinaryExpr::new(Arc::clone(&column), Operator::NotEq, lit(value));
            Arc::new(condition) as Arc<dyn PhysicalExpr>
        }));
        let source = ParquetSource::new(schema).with_predicate(Arc::clone(&predicate));
        let config = FileScanConfigBuilder::new(ObjectStoreUrl::local_filesystem(), Arc::new(source));
        let scan = DataSourceExec::from_data_source(
            config.with_file(PartitionedFile::new("part.parquet", 100)).build(),
        );
        Arc::new(FilterExec::try_new(predicate, scan).unwrap())
    }

    /// How many conditions the scan is pruned by, and how many the filter above it asks.
    fn asked(plan: &Arc<dyn ExecutionPlan>) -> (usize, usize) {
        let filter = plan.downcast_ref::<FilterExec>().unwrap();
        let scan = filter.input().downcast_ref::<DataSourceExec>().unwrap();
        let (_, source) = scan.downcast_to_file_source::<ParquetSource>().unwrap();
        (split_conjunction(&source.filter().unwrap()).len(), split_conjunction(filter.predicate()).len())
    }

    #[test]
    fn a_scan_is_pruned_by_the_first_of_many_conditions_and_the_filter_asks_them_all() {
        let bounded = |plan| BoundedPruning.optimize(plan, &ConfigOptions::default()).unwrap();
        assert_eq!(asked(&filtered(1_000)), (1_000, 1_000));
        assert_eq!(asked(&bounded(filtered(1_000))), (MOST_CONDITIONS, 1_000));
        assert_eq!(asked(&bounded(filtered(3))), (3, 3));
    }
}
