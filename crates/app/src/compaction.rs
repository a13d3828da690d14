//! compact: which tables have small files, and writing these anew.

use super::error::AppError;
use super::streamed::is_streaming;
use super::workspace::{Workspace, runtime};
use mep_contract::source::BATCH;
use mep_contract::warehouse::{Presentation, TableVersion, Warehouse};
use mep_core::relation::Relation;
use mep_graph::{Materialization, Node, NodeKind, NodeSet};
use mep_plan::{Compaction, FileSizes};
use mep_run::{Compacted, Compactor, presentation};

/// A table with small files.
pub struct Fragmented<'a> {
    /// Whose it is.
    pub node: &'a Node,
    /// The table.
    pub relation: Relation,
    /// Which files are put together.
    pub compaction: Compaction,
    table: TableVersion,
}

/// Whether a node has a table that can be compacted.
pub fn has_table(node: &Node) -> bool {
    let is_built = match node.kind {
        NodeKind::Model { .. } => node.config.materialized() != Materialization::View,
        NodeKind::Seed { .. } | NodeKind::Snapshot { .. } | NodeKind::Source { .. } => true,
        NodeKind::Test(_) | NodeKind::Semantic(_) | NodeKind::Exposure { .. } => false,
    };
    is_built && node.relation.is_some() && !is_streaming(node) && !node.is_in_place()
}

/// The tables of these nodes that have small files.
///
/// # Errors
/// Where one cannot be read.
pub fn fragmented<'a>(
    workspace: &'a Workspace,
    warehouse: &dyn Warehouse,
    nodes: &NodeSet,
    sizes: FileSizes,
) -> Result<Vec<Fragmented<'a>>, AppError> {
    let mut found = Vec::new();
    for node in nodes.iter().map(|index| workspace.graph.node(*index)) {
        let Some(own) = node.relation.clone() else { continue };
        let rejects = matches!(node.kind, NodeKind::Source { .. }).then(|| own.rejects());
        for relation in [own].into_iter().chain(rejects) {
            let Some(table) = warehouse.read(&relation)? else { continue };
            let one_folder = warehouse.has_one_folder_a_partition();
            let is_landed = matches!(node.kind, NodeKind::Source { .. })
                && table.partition_columns().last().is_some_and(|last| last == BATCH);
            let compaction = if is_landed && !one_folder {
                Compaction::of_batches(&table, sizes)
            } else {
                Compaction::of(&table, sizes, one_folder)
            };
            if !compaction.is_nothing() {
                found.push(Fragmented { node, relation, compaction, table });
            }
        }
    }
    Ok(found)
}

/// Writes the small files of tables anew, one table after the other; `done` is told of each.
///
/// # Errors
/// Where something cannot be read or written.
pub fn compact(
    workspace: &Workspace,
    found: &[Fragmented<'_>],
    sizes: FileSizes,
    mut done: impl FnMut(&Relation, &Compacted),
) -> Result<(), AppError> {
    let warehouse = workspace.warehouse()?;
    let engine = workspace.engine(&warehouse)?;
    let runtime = runtime()?;
    let compactor = Compactor { engine: &engine, warehouse: warehouse.as_ref(), run: &workspace.run, sizes };
    for Fragmented { node, relation, table, compaction } in found {
        let is_own = node.relation.as_ref() == Some(relation);
        let presentation = if is_own { presentation(node) } else { Presentation::default() };
        let compacted = runtime.block_on(compactor.compact(relation, table, compaction, &presentation));
        let compacted = compacted
            .map_err(|error| AppError::Compact { relation: relation.to_string(), error: Box::new(error) })?;
        done(relation, &compacted);
    }
    Ok(())
}
