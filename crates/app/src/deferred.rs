//! Deferring to an earlier state: what is not selected is read where that state has it, and need not be built in this target.

use std::collections::BTreeMap;

use super::error::AppError;
use super::workspace::{Selectors, Workspace};
use mep_core::relation::Relation;
use mep_graph::{Node, NodeIndex, NodeKind};

/// Which of two tables is read, where a node is built in this target and in the earlier state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Favor {
    /// That of this target.
    Target,
    /// That of the earlier state.
    State,
}

impl Workspace {
    /// Has the tables of models, seeds and snapshots that a selection needs, and does not hold, read as `earlier` names them
    /// by unique id. Both states are of one warehouse, in other schemas. Views and ephemeral models are SQL of this
    /// project wherever they are read.
    ///
    /// # Errors
    /// Where the words of the selection are wrong, or the warehouse cannot be read.
    pub fn defer(
        &mut self,
        selectors: Selectors<'_>,
        earlier: &BTreeMap<String, Relation>,
        favor: Favor,
    ) -> Result<(), AppError> {
        let selected = self.select(selectors, |_| true)?;
        let warehouse = self.warehouse()?;
        let needed = self.graph.ancestors(&selected, None);
        let mut deferred: Vec<(NodeIndex, &Relation)> = Vec::new();
        for index in needed.iter().copied().filter(|index| !selected.contains(index)) {
            let node = self.graph.node(index);
            let (Some(own), Some(there)) = (&node.relation, earlier.get(node.id.as_str())) else { continue };
            if !is_stored(node) || own == there {
                continue;
            }
            let is_here = favor == Favor::Target && warehouse.read(own)?.is_some();
            if !is_here && warehouse.read(there)?.is_some() {
                deferred.push((index, there));
            }
        }
        for (index, there) in deferred {
            tracing::info!("{} is read from {there}", self.graph.node(index).shown_name());
            self.graph.defer(index, there);
        }
        Ok(())
    }
}

/// Whether a node has rows of its own in the warehouse.
fn is_stored(node: &Node) -> bool {
    let is_of_a_kind =
        matches!(node.kind, NodeKind::Model { .. } | NodeKind::Seed { .. } | NodeKind::Snapshot { .. });
    is_of_a_kind && !node.is_inlined()
}
