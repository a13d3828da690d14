//! Loading a seed: its rows become the whole of a table.

use std::collections::BTreeMap;

use super::build::{BuildCounts, BuildError, Built};
use super::session::Session;
use mep_contract::warehouse::{
    BuildFolder, ColumnVersions, Content, Inputs, Ledger, Partition, PartitionKey, TableVersion, WriteTarget,
};
use mep_core::time_range::TimeRanges;
use mep_graph::{Node, SeedTable, tested_relation};
use mep_plan::seed_version;

/// Writes a seed's rows.
///
/// # Errors
/// Where the rows cannot be written; the old table is then still there.
pub async fn load(session: &Session<'_>, node: &Node, seed: &SeedTable) -> Result<Built, BuildError> {
    let relation = tested_relation(node);
    let rows = session.engine.scope().rows(seed.rows.clone())?;
    let target = WriteTarget {
        table_folder: session.warehouse.table_folder(&relation),
        folder: BuildFolder::of(session.run),
        schema: seed.schema.clone(),
        partition_columns: Vec::new(),
        file_bytes: None,
    };
    let mut files = session.engine.write(rows, &target).await?;
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
