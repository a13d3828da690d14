//! What a sink keeps of a model, as a table that SQL reads: all of its rows, at the time that they are asked for.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use async_trait::async_trait;
use datafusion::catalog::memory::MemTable;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::DataFusionError;
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use mep_contract::sink::keyed::as_one;
use mep_contract::sink::{Sink, SinkTable};

/// The rows of a streaming model that lie outside the warehouse.
pub(super) struct StreamedTable {
    sink: Arc<dyn Sink>,
    schema: SchemaRef,
}

impl StreamedTable {
    /// What `sink` keeps of a table.
    pub(super) fn new(table: &SinkTable, sink: Arc<dyn Sink>) -> Self {
        Self { sink, schema: table.schema.clone() }
    }
}

impl fmt::Debug for StreamedTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StreamedTable({})", self.sink.describe())
    }
}

#[async_trait]
impl TableProvider for StreamedTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        let rows = self.sink.rows().await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        let rows = as_one(&self.schema, &rows)?;
        MemTable::try_new(self.schema.clone(), vec![vec![rows]])?
            .scan(state, projection, filters, limit)
            .await
    }
}
