//! Rows of which nothing but the partition is asked: how many there are, the manifest says, and no file is opened.

use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};

/// Rows of one batch.
const BATCH: usize = 8192;

/// Partitions by the values of some of their columns, with how many rows each has.
#[derive(Debug)]
struct CountedRows {
    schema: SchemaRef,
    partitions: Vec<(Vec<ScalarValue>, usize)>,
}

impl PartitionStream for CountedRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let schema = self.schema.clone();
        let batches = self.partitions.clone().into_iter().flat_map(move |(values, rows)| {
            let schema = schema.clone();
            let sizes = (0..rows).step_by(BATCH).map(move |from| BATCH.min(rows - from));
            sizes.map(move |rows| batch_of(&schema, &values, rows))
        });
        let rows = futures::stream::iter(batches);
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), rows))
    }
}

fn batch_of(schema: &SchemaRef, values: &[ScalarValue], rows: usize) -> Result<RecordBatch> {
    let columns = values.iter().map(|value| value.to_array_of_size(rows)).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema.clone(), columns, &options).map_err(DataFusionError::from)
}

/// The rows of partitions as a plan gives them.
///
/// # Errors
/// Where the plan cannot be made.
pub(super) fn counted(
    schema: SchemaRef,
    partitions: Vec<(Vec<ScalarValue>, usize)>,
    limit: Option<usize>,
) -> Result<Arc<dyn ExecutionPlan>> {
    let rows: Arc<dyn PartitionStream> = Arc::new(CountedRows { schema: schema.clone(), partitions });
    Ok(Arc::new(StreamingTableExec::try_new(schema, vec![rows], None, None, false, limit)?))
}
