//! Streaming models among the nodes of a project, and what their streams keep outside the warehouse.

use std::collections::BTreeSet;

use super::connect::Sinks;
use super::error::AppError;
use super::workspace::Workspace;
use mep_contract::executor::Executor;
use mep_core::relation::Relation;
use mep_graph::{Compiled, CompiledStream, Materialization, Node, NodeSet};
use mep_stream::JobError;

/// Whether a node is a streaming model.
pub fn is_streaming(node: &Node) -> bool {
    node.config.materialized() == Materialization::Streaming
}

/// Makes what streams keep outside the warehouse known to SQL, of these nodes; gives the names of what is known. A model that was
/// never streamed is not.
///
/// # Errors
/// Where it cannot be asked for.
pub fn register_streamed(
    workspace: &Workspace,
    compiled: &Compiled,
    nodes: &NodeSet,
    engine: &dyn Executor,
    runtime: &tokio::runtime::Runtime,
) -> Result<BTreeSet<Relation>, AppError> {
    let mut known = BTreeSet::new();
    let models = nodes.iter().filter_map(|index| compiled.models.get(index));
    let streams: Vec<&CompiledStream> = models.filter_map(|model| model.stream.as_ref()).collect();
    if streams.is_empty() || workspace.project.target.streaming.is_none() {
        return Ok(known);
    }
    let sinks = runtime.block_on(async { Sinks::of_target(workspace) })?;
    for stream in streams {
        let table = &stream.spec.table;
        let sink = sinks.of(table);
        let standing = runtime.block_on(sink.standing());
        let standing = standing.map_err(|error| JobError::Sink { model: stream.spec.name.clone(), error })?;
        if standing.committed.is_some() {
            engine.register_streamed(table, sink)?;
            known.insert(table.relation.clone());
        }
    }
    Ok(known)
}
