//! The tests of a node's own content, which can be run before anything is built from it.

use super::dag::Graph;
use super::node::{NodeKind, TestDetail};
use super::node_index::{NodeIndex, NodeSet};

impl Graph {
    /// The generic tests that are attached to a node, and the singular tests that read it; without those that also read
    /// what is built from it.
    pub fn own_tests(&self, node: NodeIndex) -> Vec<NodeIndex> {
        let below = self.descendants(&NodeSet::from([node]), None);
        let is_own = |test: &NodeIndex| {
            let of = match &self.node(*test).kind {
                NodeKind::Test(TestDetail::Generic { attached, .. }) => *attached == self.node(node).id,
                NodeKind::Test(TestDetail::Singular { .. }) => true,
                // A unit test says nothing of rows.
                _ => false,
            };
            of && self.parents(*test).iter().all(|parent| *parent == node || !below.contains(parent))
        };
        self.children(node).iter().copied().filter(is_own).collect()
    }
}
