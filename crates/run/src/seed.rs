//! Loading a seed, or files of a source that are loaded as they are: the rows become the whole of a table.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::DataFusionError;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::stream;

use super::build::{BuildCounts, BuildError, Built};
use super::session::Session;
use mep_contract::source::WholeTable;
use mep_contract::warehouse::BuildFolder;
use mep_contract::warehouse::{
    ColumnVersions, Content, Inputs, Ledger, Partition, PartitionKey, TableVersion,
};
use mep_core::time_range::TimeRanges;
use mep_datafusion::Output;
use mep_graph::{Node, SeedRows, SeedTable, tested_relation};
use mep_plan::seed_version;

/// The rows of a table outside, read as they are asked for.
#[derive(Debug)]
struct OutsideRows {
    table: Arc<dyn WholeTable>,
    schema: SchemaRef,
}

impl PartitionStream for OutsideRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.table.rows().unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
        let rows = rows.map(|batch| batch.map_err(|error| DataFusionError::External(Box::new(error))));
        Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream::iter(rows)))
    }
}

/// Writes a seed's rows.
///
/// # Errors
/// Where the rows cannot be written; the old table is then still there.
pub async fn load(session: &Session<'_>, node: &Node, seed: &SeedTable) -> Result<Built, BuildError> {
    let relation = tested_relation(node);
    let context = session.engine.scope().context();
    let rows = match &seed.rows {
        SeedRows::Read(rows) => context.read_batch(rows.clone())?,
        SeedRows::Outside(table) => {
            let part = Arc::new(OutsideRows { table: table.clone(), schema: table.schema() });
            context.read_table(Arc::new(StreamingTable::try_new(table.schema(), vec![part])?))?
        }
    };
    let plan = rows.into_unoptimized_plan();
    let output = Output {
        table_folder: session.warehouse.table_folder(&relation),
        folder: BuildFolder::of(session.run),
        schema: seed.schema.clone(),
        partition_columns: Vec::new(),
    };
    let mut files = session.engine.write(plan, &output).await?.files;
    let ledger = Ledger {
        run: session.run.clone(),
        fingerprint: seed.fingerprint.clone(),
        inputs: Inputs::default(),
        version: seed_version(&seed.fingerprint),
        done: TimeRanges::default(),
        columns: ColumnVersions::default(),
    };
    let files = files.remove(&PartitionKey::whole()).unwrap_or_default();
    let partition = Partition { files: files.into(), ledger: ledger.into() };
    let partitions = BTreeMap::from([(PartitionKey::whole(), partition)]);
    let written = BuildCounts::of(&partitions);
    let content = Content::Table { partition_columns: Vec::new(), partitions, batches: BTreeMap::new() };
    let table = TableVersion { schema: seed.schema.clone(), content, run: session.run.clone(), sql: None };
    Ok(Built { table, written })
}
