//! clone: tables of an earlier state, as another schema of the warehouse has them, written as this target's own.

use std::collections::BTreeMap;

use super::compaction::has_table;
use super::error::AppError;
use super::workspace::{Workspace, runtime};
use mep_core::relation::Relation;
use mep_graph::{Node, NodeKind, NodeSet};
use mep_run::{Cloner, presentation};

/// What comes of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cloned {
    /// Its table was written.
    Table {
        /// The table that it was made of.
        from: Relation,
        /// How many rows it has.
        rows: u64,
    },
    /// It has a table in this target already.
    IsThere,
    /// The earlier state has no table of it.
    NotInState,
}

/// Whether a node can be cloned.
pub fn can_be_cloned(node: &Node) -> bool {
    has_table(node) && !matches!(node.kind, NodeKind::Source { .. })
}

/// Writes the tables of an earlier state, named by unique id, as those of this target, one after the other; `done` is told of
/// each. What this target has already stays, unless it is to be cloned anew.
///
/// # Errors
/// Where another run holds the warehouse, or something cannot be read or written.
pub fn clone_tables(
    workspace: &Workspace,
    nodes: &NodeSet,
    earlier: &BTreeMap<String, Relation>,
    anew: bool,
    mut done: impl FnMut(&Relation, &Cloned),
) -> Result<(), AppError> {
    let warehouse = workspace.warehouse()?;
    let _lease = workspace.lease(warehouse.as_ref())?;
    let engine = workspace.engine(&warehouse)?;
    let runtime = runtime()?;
    let cloner = Cloner { engine: &engine, warehouse: warehouse.as_ref(), run: &workspace.run };
    for node in nodes.iter().map(|index| workspace.graph.node(*index)) {
        let Some(to) = &node.relation else { continue };
        if !anew && warehouse.read(to)?.is_some() {
            done(to, &Cloned::IsThere);
            continue;
        }
        let from = earlier.get(node.id.as_str()).filter(|from| *from != to);
        let table = from.map(|from| warehouse.read(from)).transpose()?.flatten();
        let (Some(from), Some(table)) = (from, table) else {
            done(to, &Cloned::NotInState);
            continue;
        };
        let rows = runtime.block_on(cloner.clone_table(from, &table, to, &presentation(node)));
        let rows =
            rows.map_err(|error| AppError::Clone { relation: from.to_string(), error: Box::new(error) })?;
        done(to, &Cloned::Table { from: from.clone(), rows });
    }
    Ok(())
}
