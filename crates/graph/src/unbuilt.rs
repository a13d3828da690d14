//! What of a selection cannot be built, and what needs that: all else of a project can be.
//!
//! Must not know: how anything is built.

use std::collections::BTreeMap;

use super::node_index::{NodeIndex, NodeSet};
use mep_lang::project::Problems;

/// What of a selection is not built.
#[derive(Clone, Debug, Default)]
pub struct Unbuilt {
    /// What does not compile, what mep has no way to build, and the source tables that something reads and that are nowhere: each
    /// with why.
    pub broken: BTreeMap<NodeIndex, Problems>,
    /// What needs that, each with what it needs.
    pub skipped: BTreeMap<NodeIndex, NodeIndex>,
}

impl Unbuilt {
    /// The nodes of a set that are built.
    #[must_use]
    pub fn rest_of(&self, nodes: &NodeSet) -> NodeSet {
        nodes.iter().copied().filter(|index| !self.has(*index)).collect()
    }

    /// Whether a node is not built.
    pub fn has(&self, index: NodeIndex) -> bool {
        self.broken.contains_key(&index) || self.skipped.contains_key(&index)
    }

    /// What of it concerns a selection: all that is broken, and what of the selection needs that.
    #[must_use]
    pub fn told_of(&self, selected: &NodeSet) -> Self {
        let is_selected = |(index, _): &(&NodeIndex, &NodeIndex)| selected.contains(index);
        let skipped = self.skipped.iter().filter(is_selected).map(|(index, of)| (*index, *of));
        Self { broken: self.broken.clone(), skipped: skipped.collect() }
    }

    /// Whether a node is not built, since one of those that it needs is not.
    pub(super) fn skip_after(&mut self, needed: &[NodeIndex], index: NodeIndex) -> bool {
        if self.has(index) {
            return true;
        }
        let Some(missing) = needed.iter().find(|needed| self.has(**needed)) else { return false };
        let of = *self.skipped.get(missing).unwrap_or(missing);
        self.skipped.insert(index, of);
        true
    }
}
