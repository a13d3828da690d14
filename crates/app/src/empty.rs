//! What a project reads where it is tried over no rows: sources that hold nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::run_command::RunCommand;
use super::workspace::Workspace;
use mep_contract::source::{Holding, Recorded, Source, SourceError, Unit, UnitReader};
use mep_contract::warehouse::{
    ColumnVersions, Content, Inputs, Ledger, Partition, PartitionKey, TableVersion, Version, Warehouse,
    WarehouseError,
};
use mep_core::fingerprint::Fingerprint;
use mep_core::time_range::TimeRanges;
use mep_graph::{Compiled, Node, NodeIndex, NodeKind, NodeSet, tested_relation};
use mep_run::{ConnectedSource, presentation};

/// A source without rows.
struct NoRows;

impl Source for NoRows {
    fn units(&self, _: &[Recorded]) -> Result<Holding, SourceError> {
        Ok(Holding::default())
    }

    fn open(&self, unit: &Unit) -> Result<Box<dyn UnitReader>, SourceError> {
        Err(SourceError::Unreadable(format!("there is nothing to read, and no {}", unit.id)))
    }
}

/// The source tables that are landed, as ones without rows.
pub(super) fn connect(
    workspace: &Workspace,
    compiled: &Compiled,
    nodes: impl IntoIterator<Item = NodeIndex>,
) -> Vec<ConnectedSource> {
    let source = |node: NodeIndex| {
        let NodeKind::Source { index, .. } = workspace.graph.node(node).kind else { return None };
        let table = compiled.sources.get(&node)?.clone();
        let max_rejected = workspace.project.sources[index].max_rejected;
        Some(ConnectedSource { node, table, source: Box::new(NoRows), max_rejected })
    };
    nodes.into_iter().filter_map(source).collect()
}

/// Puts tables without rows into a warehouse, in the place of those that others publish in another one.
///
/// # Errors
/// Where they cannot be published.
pub(super) fn publish_in_place(
    workspace: &Workspace,
    compiled: &Compiled,
    warehouse: &dyn Warehouse,
) -> Result<(), WarehouseError> {
    for (index, table) in &compiled.in_place {
        let node = workspace.graph.node(*index);
        let ledger = Ledger {
            run: workspace.run.clone(),
            fingerprint: Fingerprint::of([]),
            inputs: Inputs::default(),
            version: Version::of([]),
            done: TimeRanges::default(),
            columns: ColumnVersions::default(),
        };
        let whole = Partition { files: Arc::default(), ledger: Arc::new(ledger) };
        let is_whole = table.partition_columns.is_empty();
        let partitions = is_whole.then(|| (PartitionKey::whole(), whole)).into_iter().collect();
        let partition_columns = table.partition_columns.clone();
        let content = Content::Table { partition_columns, partitions, batches: BTreeMap::new() };
        let empty = TableVersion::new(table.schema.clone(), content, workspace.run.clone());
        warehouse.publish(&tested_relation(node), &empty, &presentation(node))?;
    }
    Ok(())
}

/// What is selected, with all that it reads: nothing of it is there yet.
pub(super) fn with_inputs(workspace: &Workspace, selected: &NodeSet) -> NodeSet {
    let is_built = |node: &Node| !node.is_test() && RunCommand::Build.works_on(node);
    let needed = workspace.graph.ancestors(selected, None);
    needed
        .into_iter()
        .filter(|index| selected.contains(index) || is_built(workspace.graph.node(*index)))
        .collect()
}
