//! Where a node stands in the graph: the one name of a node that is not its id, and what is kept of nodes by it.
//!
//! An index is made by a graph alone, so that no count, no step and no place in another list can be taken for a node.

use std::collections::BTreeSet;
use std::ops::{Index, IndexMut};

/// A node of a [`Graph`](super::Graph), by its place in the order in which each comes after what it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeIndex(usize);

impl NodeIndex {
    pub(super) fn new(position: usize) -> Self {
        Self(position)
    }

    /// Its place in [`Graph::nodes`](super::Graph::nodes), for sets of bits and for what is written for other tools.
    pub fn position(self) -> usize {
        self.0
    }
}

/// Nodes, each once, in the order of the graph.
pub type NodeSet = BTreeSet<NodeIndex>;

/// Something of every node of a graph.
#[derive(Clone, Debug, Default)]
pub struct NodeMap<T>(Vec<T>);

impl<T> NodeMap<T> {
    /// What is made of each node, one after the other.
    pub(super) fn of(nodes: usize, make: impl FnMut(NodeIndex) -> T) -> Self {
        Self((0..nodes).map(NodeIndex).map(make).collect())
    }
}

impl<T> Index<NodeIndex> for NodeMap<T> {
    type Output = T;

    fn index(&self, index: NodeIndex) -> &T {
        &self.0[index.0]
    }
}

impl<T> IndexMut<NodeIndex> for NodeMap<T> {
    fn index_mut(&mut self, index: NodeIndex) -> &mut T {
        &mut self.0[index.0]
    }
}
