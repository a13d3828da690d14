//! What mep refuses to build or finds no rows of, and what needs that: all else of a project can be built.
//!
//! Must not know: how anything is built, what is wrong with SQL (that stops a run before it begins).

use std::collections::BTreeMap;

use super::node_index::{NodeIndex, NodeSet};
use mep_lang::project::{Problem, Problems};

/// What of a selection is not built.
#[derive(Clone, Debug, Default)]
pub struct Unbuilt {
    /// What mep has no way to build, each with why.
    pub refused: BTreeMap<NodeIndex, Problems>,
    /// The source tables that are nowhere and that something reads, each with where its rows were looked for.
    pub absent: BTreeMap<NodeIndex, Problem>,
    /// What needs that, each with what it needs.
    pub skipped: BTreeMap<NodeIndex, NodeIndex>,
}

impl Unbuilt {
    /// Whether all is built.
    pub fn is_empty(&self) -> bool {
        self.refused.is_empty() && self.absent.is_empty() && self.skipped.is_empty()
    }

    /// The nodes of a set that are built.
    #[must_use]
    pub fn rest_of(&self, nodes: &NodeSet) -> NodeSet {
        nodes.iter().copied().filter(|index| !self.has(*index)).collect()
    }

    /// Whether a node is not built.
    pub fn has(&self, index: NodeIndex) -> bool {
        self.refused.contains_key(&index)
            || self.absent.contains_key(&index)
            || self.skipped.contains_key(&index)
    }
}
