//! Rows that lie outside the tables of a scope, read as a query asks for them.

use std::fmt;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;

/// Batches, each read when it is asked for.
pub type Batches = Box<dyn Iterator<Item = Result<RecordBatch, ReadError>> + Send>;

/// Why rows cannot be read.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// Rows of some columns, which can be read more than once.
pub struct OutsideRows {
    schema: SchemaRef,
    read: Arc<dyn Fn() -> Batches + Send + Sync>,
}

impl OutsideRows {
    /// Rows of these columns, which `read` begins to read.
    pub fn new(schema: SchemaRef, read: impl Fn() -> Batches + Send + Sync + 'static) -> Self {
        Self { schema, read: Arc::new(read) }
    }
}

impl fmt::Debug for OutsideRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutsideRows").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl PartitionStream for OutsideRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = (self.read)().map(|batch| batch.map_err(DataFusionError::External));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream::iter(rows)))
    }
}
