//! The word that selects one node and, but for its tests, nothing else.

use super::dag::Graph;
use super::node::{Node, NodeKind, TestDetail};
use super::node_index::NodeIndex;

impl Graph {
    /// A selector that takes this node and nothing else but tests of it; `None` where none is known.
    pub fn selector_of(&self, index: NodeIndex) -> Option<String> {
        candidates(self.node(index)).into_iter().find(|word| self.takes_alone(word, index))
    }

    fn takes_alone(&self, word: &str, index: NodeIndex) -> bool {
        let Ok(selection) = self.select(&[word.to_owned()], &[]) else { return false };
        let is_test_of_it =
            |node: NodeIndex| self.node(node).is_test() && self.parents(node).contains(&index);
        selection.nodes.contains(&index)
            && selection.nodes.iter().all(|node| *node == index || is_test_of_it(*node))
    }
}

/// What may select a node, the shortest first.
fn candidates(node: &Node) -> Vec<String> {
    match &node.kind {
        NodeKind::Source { .. } => {
            let name = node.shown_name();
            vec![format!("source:{name}"), format!("source:{}", without_signs(&name))]
        }
        NodeKind::Semantic(_) => vec![format!("{}:{}", node.resource_type(), node.name)],
        NodeKind::Exposure { .. } => vec![format!("exposure:{}", node.name)],
        NodeKind::Test(TestDetail::Generic { .. } | TestDetail::Unit { .. }) => {
            vec![node.name.clone(), without_signs(&node.name)]
        }
        NodeKind::Model { .. }
        | NodeKind::Seed { .. }
        | NodeKind::Snapshot { .. }
        | NodeKind::Test(TestDetail::Singular { .. }) => {
            vec![node.name.clone(), format!("path:{}", without_signs(&node.path.to_string_lossy()))]
        }
    }
}

/// The text with a wildcard in place of whatever means something in a selector, or between two.
fn without_signs(text: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "_-./".contains(c);
    text.chars().map(|c| if is_plain(c) { c } else { '?' }).collect()
}
