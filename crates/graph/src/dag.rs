//! The graph: nodes in an order in which each comes after what it needs, and the edges between them.

use std::collections::{BTreeSet, HashMap};

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::node::{Node, NodeId};
use mep_lang::project::{Problem, Problems};

/// The nodes of a project, each after what it depends on. A node is named by its index in this order.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    by_id: HashMap<NodeId, usize>,
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
    /// What is worth saying of the nodes, and wrong with nothing.
    warnings: Vec<Problem>,
}

impl Graph {
    /// The graph of these nodes, whose dependencies are all among them.
    ///
    /// # Errors
    /// A problem for each cycle.
    pub(super) fn new(nodes: Vec<Node>) -> Result<Self, Problems> {
        let written: HashMap<&NodeId, usize> =
            nodes.iter().enumerate().map(|(index, node)| (&node.id, index)).collect();
        let mut edges = DiGraph::<(), ()>::with_capacity(nodes.len(), nodes.len() * 2);
        // Petgraph's order puts what was added last first; so the nodes come out as they were written where they may.
        for _ in &nodes {
            edges.add_node(());
        }
        let at = |index: usize| NodeIndex::new(nodes.len() - 1 - index);
        for (index, node) in nodes.iter().enumerate() {
            for parent in node.depends_on.iter().filter_map(|needed| written.get(&needed.id)) {
                edges.add_edge(at(*parent), at(index), ());
            }
        }
        let Ok(order) = toposort(&edges, None) else {
            return Err(cycles(&nodes, &edges));
        };
        let mut places = vec![0; nodes.len()];
        for (place, index) in order.iter().enumerate() {
            places[nodes.len() - 1 - index.index()] = place;
        }
        let mut ordered: Vec<(usize, Node)> = places.into_iter().zip(nodes).collect();
        ordered.sort_by_key(|(place, _)| *place);
        let nodes: Vec<Node> = ordered.into_iter().map(|(_, node)| node).collect();
        let by_id: HashMap<NodeId, usize> =
            nodes.iter().enumerate().map(|(index, node)| (node.id.clone(), index)).collect();
        let mut graph = Self {
            parents: vec![Vec::new(); nodes.len()],
            children: vec![Vec::new(); nodes.len()],
            nodes,
            by_id,
            warnings: Vec::new(),
        };
        for index in 0..graph.nodes.len() {
            for needed in &graph.nodes[index].depends_on {
                if let Some(parent) = graph.by_id.get(&needed.id) {
                    graph.parents[index].push(*parent);
                    graph.children[*parent].push(index);
                }
            }
        }
        Ok(graph)
    }

    /// The graph, with what is worth saying of its nodes.
    pub(super) fn warning(self, warnings: Vec<Problem>) -> Self {
        Self { warnings, ..self }
    }

    /// What is worth saying of the nodes, and wrong with nothing.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// All nodes, each after what it depends on.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node at an index.
    pub fn node(&self, index: usize) -> &Node {
        &self.nodes[index]
    }

    /// The index of the node with this id.
    pub fn position(&self, id: &NodeId) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// What a node depends on directly.
    pub fn parents(&self, index: usize) -> &[usize] {
        &self.parents[index]
    }

    /// What depends directly on a node.
    pub fn children(&self, index: usize) -> &[usize] {
        &self.children[index]
    }

    /// These nodes and what they depend on, up to so many steps away.
    pub fn ancestors(&self, of: &BTreeSet<usize>, steps: Option<usize>) -> BTreeSet<usize> {
        reach(of, steps, &self.parents)
    }

    /// These nodes and what depends on them, up to so many steps away.
    pub fn descendants(&self, of: &BTreeSet<usize>, steps: Option<usize>) -> BTreeSet<usize> {
        reach(of, steps, &self.children)
    }
}

fn reach(of: &BTreeSet<usize>, steps: Option<usize>, edges: &[Vec<usize>]) -> BTreeSet<usize> {
    let mut reached = of.clone();
    let mut edge: Vec<usize> = of.iter().copied().collect();
    let mut step = 0;
    while !edge.is_empty() && steps.is_none_or(|steps| step < steps) {
        edge = edge
            .iter()
            .flat_map(|node| &edges[*node])
            .copied()
            .filter(|next| reached.insert(*next))
            .collect();
        step += 1;
    }
    reached
}

fn cycles(nodes: &[Node], edges: &DiGraph<(), ()>) -> Problems {
    let mut problems = Problems::default();
    for component in tarjan_scc(edges) {
        let members: BTreeSet<usize> =
            component.iter().map(|index| nodes.len() - 1 - index.index()).collect();
        let Some(first) = members.iter().next().copied() else { continue };
        let path = cycle_from(nodes, first, &members);
        if path.is_empty() {
            continue;
        }
        let names: Vec<&str> = path.iter().map(|index| nodes[*index].name.as_str()).collect();
        let message = format!("a cycle: {} -> {}", names.join(" -> "), names[0]);
        let problem = Problem::new(message).help("take one of the references away");
        let next = &nodes[path[path.len().min(2) - 1]].id;
        let place = nodes[first]
            .depends_on
            .iter()
            .find(|needed| needed.id == *next)
            .and_then(|found| found.place.clone());
        problems.push(match place {
            Some(place) => problem.at(&place),
            None => problem,
        });
    }
    problems
}

/// A way from a node back to itself through `members`; empty where there is none.
fn cycle_from(nodes: &[Node], first: usize, members: &BTreeSet<usize>) -> Vec<usize> {
    let needs = |index: usize| -> Vec<usize> {
        let needed =
            |member: &usize| nodes[index].depends_on.iter().any(|needed| needed.id == nodes[*member].id);
        members.iter().copied().filter(needed).collect()
    };
    let mut came_from: HashMap<usize, usize> = HashMap::new();
    let mut edge = vec![first];
    while !edge.is_empty() {
        let mut next = Vec::new();
        for index in edge {
            for needed in needs(index) {
                if needed == first {
                    let mut path = vec![index];
                    while let Some(before) = came_from.get(path.last().unwrap_or(&first)) {
                        path.push(*before);
                    }
                    path.reverse();
                    return path;
                }
                if let std::collections::hash_map::Entry::Vacant(entry) = came_from.entry(needed) {
                    entry.insert(index);
                    next.push(needed);
                }
            }
        }
        edge = next;
    }
    Vec::new()
}
