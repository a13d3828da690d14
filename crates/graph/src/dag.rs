//! The graph: nodes in an order in which each comes after what it needs, and the edges between them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Index;

use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::DiGraph;

use super::attached_tests::tested_relation;
use super::config::{Materialization, OwnConfig};
use super::node::{Node, NodeId};
use super::node_index::{NodeIndex, NodeMap, NodeSet};
use mep_core::relation::Relation;
use mep_lang::project::{Problem, Problems};

/// The nodes of a project, each after what it depends on. A node is named by its index in this order.
///
/// ```
/// use mep_graph::{Graph, NodeIndex};
/// use mep_lang::project::Problem;
///
/// /// What is built anew when a model changes, and in which order.
/// fn touched(graph: &Graph, model: &str) -> Result<Vec<String>, Problem> {
///     let selection = graph.select(&[format!("{model}+")], &[])?;
///     let is_built = |index: &NodeIndex| !graph[*index].is_test();
///     Ok(selection.nodes.into_iter().filter(is_built).map(|index| graph[index].shown_name()).collect())
/// }
///
/// assert!(touched(&Graph::default(), "plays")?.is_empty());
/// # Ok::<(), Problem>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Graph {
    nodes: Vec<Node>,
    by_id: HashMap<NodeId, NodeIndex>,
    parents: NodeMap<Vec<NodeIndex>>,
    children: NodeMap<Vec<NodeIndex>>,
    /// Nodes that config takes out of the graph, for the artifacts.
    disabled: Vec<Node>,
    /// What is worth saying of the nodes, and wrong with nothing.
    warnings: Vec<Problem>,
    /// The nodes whose texts cannot be read to their end, each with why.
    unreadable: BTreeMap<NodeIndex, Problem>,
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
        let at = |index: usize| petgraph::graph::NodeIndex::new(nodes.len() - 1 - index);
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
        let by_id: HashMap<NodeId, NodeIndex> =
            nodes.iter().enumerate().map(|(index, node)| (node.id.clone(), NodeIndex::new(index))).collect();
        let parents_of = |index: NodeIndex| -> Vec<NodeIndex> {
            let needed = nodes[index.position()].depends_on.iter();
            needed.filter_map(|needed| by_id.get(&needed.id).copied()).collect()
        };
        let parents = NodeMap::of(nodes.len(), parents_of);
        let mut children = NodeMap::of(nodes.len(), |_| Vec::new());
        for index in (0..nodes.len()).map(NodeIndex::new) {
            for parent in &parents[index] {
                children[*parent].push(index);
            }
        }
        Ok(Self { nodes, by_id, parents, children, ..Self::default() })
    }

    /// The graph, with what is worth saying of its nodes.
    pub(super) fn warning(self, warnings: Vec<Problem>) -> Self {
        Self { warnings, ..self }
    }

    /// The graph, with the nodes that are not in it.
    pub(super) fn without(self, disabled: Vec<Node>) -> Self {
        Self { disabled, ..self }
    }

    /// The graph, in which these texts cannot be read to their end.
    pub(super) fn reading(self, unreadable: impl IntoIterator<Item = (NodeId, Problem)>) -> Self {
        let at = |(id, problem): (NodeId, Problem)| Some((self.position(&id)?, problem));
        let unreadable = unreadable.into_iter().filter_map(at).collect();
        Self { unreadable, ..self }
    }

    /// Why the text of a node cannot be read to its end, where it cannot: what it needs and how it is configured is known as far
    /// as that.
    pub fn unreadable(&self, index: NodeIndex) -> Option<&Problem> {
        self.unreadable.get(&index)
    }

    /// The graph, where all texts can be read to their end.
    ///
    /// # Errors
    /// What is wrong with those that cannot.
    pub fn wholly_read(self) -> Result<Self, Problems> {
        self.unreadable.values().cloned().collect::<Problems>().none_or(self)
    }

    /// The nodes that config takes out of the graph: nothing refers to them, and they have no relation.
    pub fn disabled(&self) -> &[Node] {
        &self.disabled
    }

    /// What is worth saying of the nodes, and wrong with nothing.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// All nodes, each after what it depends on.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The indices of all nodes, in their order.
    pub fn indices(&self) -> impl DoubleEndedIterator<Item = NodeIndex> + ExactSizeIterator + use<> {
        (0..self.nodes.len()).map(NodeIndex::new)
    }

    /// All nodes with their indices, in their order.
    pub fn indexed(&self) -> impl DoubleEndedIterator<Item = (NodeIndex, &Node)> + ExactSizeIterator {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeIndex::new(index), node))
    }

    /// Something of each node, made in their order.
    pub fn map<T>(&self, make: impl FnMut(NodeIndex) -> T) -> NodeMap<T> {
        NodeMap::of(self.nodes.len(), make)
    }

    /// The node at an index.
    pub fn node(&self, index: NodeIndex) -> &Node {
        &self[index]
    }

    /// Has another relation read in place of a node's own, also where a source table is what the node builds.
    pub fn defer(&mut self, index: NodeIndex, to: &Relation) {
        let Some(own) = self[index].own_relation().cloned() else { return };
        for node in self.nodes.iter_mut().filter(|node| node.own_relation() == Some(&own)) {
            node.deferred = Some(own.clone());
            node.relation = Some(to.clone());
        }
    }

    /// Has a model that is inlined where it is read stand as a table, of rows that come from elsewhere.
    pub fn store(&mut self, index: NodeIndex, schema: &str) {
        let node = &mut self.nodes[index.position()];
        if node.is_inlined() {
            let own = || Relation::new(schema, node.name_with_version());
            let relation = node.relation.clone().unwrap_or_else(own);
            node.relation = Some(relation);
            if let OwnConfig::Model(config) = &mut node.config.own {
                config.materialized = Materialization::Table;
            }
        }
    }

    /// The index of the node with this id.
    pub fn position(&self, id: &NodeId) -> Option<NodeIndex> {
        self.by_id.get(id).copied()
    }

    /// The nodes by what they are read as.
    pub fn by_relation(&self) -> BTreeMap<Relation, NodeIndex> {
        let is_read = |(_, node): &(NodeIndex, &Node)| !node.is_test();
        self.indexed().filter(is_read).map(|(index, node)| (tested_relation(node), index)).collect()
    }

    /// What a node depends on directly.
    pub fn parents(&self, index: NodeIndex) -> &[NodeIndex] {
        &self.parents[index]
    }

    /// What depends directly on a node.
    pub fn children(&self, index: NodeIndex) -> &[NodeIndex] {
        &self.children[index]
    }

    /// These nodes and what they depend on, up to so many steps away.
    pub fn ancestors(&self, of: &NodeSet, steps: Option<usize>) -> NodeSet {
        reach(of, steps, &self.parents)
    }

    /// These nodes and what depends on them, up to so many steps away.
    pub fn descendants(&self, of: &NodeSet, steps: Option<usize>) -> NodeSet {
        reach(of, steps, &self.children)
    }
}

impl Index<NodeIndex> for Graph {
    type Output = Node;

    fn index(&self, index: NodeIndex) -> &Node {
        &self.nodes[index.position()]
    }
}

fn reach(of: &NodeSet, steps: Option<usize>, edges: &NodeMap<Vec<NodeIndex>>) -> NodeSet {
    let mut reached = of.clone();
    let mut edge: Vec<NodeIndex> = of.iter().copied().collect();
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
