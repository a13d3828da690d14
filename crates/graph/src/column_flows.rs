//! Which columns of a project come from which: the lineage of all models, joined.
//!
//! Must not know: how it is asked for, or shown.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::compiled::Compiled;
use super::dag::Graph;
use super::node::{Node, NodeKind};
use super::node_index::{NodeIndex, NodeSet};
use mep_lang::project::Problem;
use mep_sql::lineage::RowUse;

/// A column of a node.
pub type ColumnOfNode = (NodeIndex, String);

/// How a column comes to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flow {
    /// Its values are there as they are.
    Direct,
    /// Values are made of it.
    Transformed,
    /// It decides by a filter, a join or a grouping which rows there are.
    Rows(RowUse),
}

/// From which column to which one, and how.
pub type FlowEdges = BTreeSet<(ColumnOfNode, ColumnOfNode, Flow)>;

/// The columns of the nodes, and how they come from one another.
#[derive(Clone, Debug, Default)]
pub struct ColumnFlows {
    columns: HashMap<NodeIndex, Vec<String>>,
    /// What comes of each column.
    uses: Ends,
    /// What each column comes from.
    origins: Ends,
}

/// What lies at the other ends of the flows of a column.
type Ends = BTreeMap<ColumnOfNode, BTreeSet<(ColumnOfNode, Flow)>>;

/// Which way flows are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Towards {
    /// To what a column comes from.
    Origins,
    /// To what comes from it.
    Uses,
}

impl ColumnFlows {
    /// Those of what is compiled.
    pub fn of(graph: &Graph, compiled: &Compiled) -> Self {
        let relations = graph.by_relation();
        let mut flows = Self::default();
        for (index, model) in &compiled.models {
            for (column, origins) in &model.lineage {
                for origin in origins {
                    let Some(from) = relations.get(&origin.relation) else { continue };
                    let is_copied = model.copied.get(column).is_some_and(|copied| copied.contains(origin));
                    let flow = if is_copied { Flow::Direct } else { Flow::Transformed };
                    flows.add((*from, origin.column.clone()), (*index, column.clone()), flow);
                }
            }
            for (origin, uses) in &model.row_uses {
                let Some(from) = relations.get(&origin.relation) else { continue };
                let uses_of = |column| uses.iter().map(move |how| (column, how));
                for (column, how) in model.lineage.keys().flat_map(uses_of) {
                    let (from, to) = ((*from, origin.column.clone()), (*index, column.clone()));
                    flows.add(from, to, Flow::Rows(*how));
                }
            }
        }
        flows.columns = graph.indexed().map(|(index, _)| (index, columns(compiled, index))).collect();
        flows
    }

    fn add(&mut self, from: ColumnOfNode, to: ColumnOfNode, flow: Flow) {
        self.uses.entry(from.clone()).or_default().insert((to.clone(), flow));
        self.origins.entry(to).or_default().insert((from, flow));
    }

    /// The column that `node.column`, or `source.table.column`, names.
    ///
    /// # Errors
    /// Where there is none.
    pub fn column(&self, graph: &Graph, words: &str) -> Result<ColumnOfNode, Problem> {
        let Some((node, column)) = words.rsplit_once('.') else {
            let problem = Problem::new(format!("expected a column, found `{words}`"));
            return Err(problem.help("write node.column, such as fact_listen.song_id"));
        };
        let is_named = |(_, known): &(NodeIndex, &Node)| {
            !known.is_test() && (known.shown_name() == node || known.name == node)
        };
        let Some((index, _)) = graph.indexed().find(is_named) else {
            let names: Vec<String> = graph.nodes().iter().map(Node::shown_name).collect();
            let problem = Problem::new(format!("there is no model or source table `{node}`"));
            return Err(problem.did_you_mean(node, names.iter().map(String::as_str)));
        };
        let columns = self.columns.get(&index).map_or(&[][..], Vec::as_slice);
        let in_any_case = || columns.iter().find(|known| known.eq_ignore_ascii_case(column));
        let Some(found) = columns.iter().find(|known| *known == column).or_else(in_any_case) else {
            let problem = Problem::new(format!("`{node}` has no column `{column}`"));
            return Err(problem.did_you_mean(column, columns.iter().map(String::as_str)));
        };
        Ok((index, found.clone()))
    }

    /// The flows that lead to a column, or from it. What decides rows is a step where it is asked for, and not followed further.
    pub fn reached(&self, from: &ColumnOfNode, towards: Towards, with_rows: bool) -> FlowEdges {
        let (mut reached, mut open, mut seen) = (FlowEdges::new(), vec![from.clone()], BTreeSet::new());
        while let Some(at) = open.pop() {
            if !seen.insert(at.clone()) {
                continue;
            }
            for (far, flow) in self.beside(&at, towards) {
                let decides_rows = matches!(flow, Flow::Rows(_));
                if decides_rows && !with_rows {
                    continue;
                }
                let (from, to) = match towards {
                    Towards::Origins => (far, &at),
                    Towards::Uses => (&at, far),
                };
                reached.insert((from.clone(), to.clone(), *flow));
                if !decides_rows {
                    open.push(far.clone());
                }
            }
        }
        reached
    }

    /// The nodes that a column reaches in so many steps, or that reach it: by values, or by deciding which rows there are. What
    /// reads it as a whole, as snapshots and exposures do, is among them.
    pub(super) fn nodes(
        &self,
        graph: &Graph,
        from: &ColumnOfNode,
        towards: Towards,
        steps: Option<usize>,
    ) -> NodeSet {
        let mut nodes = NodeSet::from([from.0]);
        let (mut open, mut seen) = (VecDeque::from([(from.clone(), 0)]), BTreeSet::new());
        while let Some((at, depth)) = open.pop_front() {
            if steps.is_some_and(|steps| depth >= steps) || !seen.insert(at.clone()) {
                continue;
            }
            for (far, _) in self.beside(&at, towards) {
                nodes.insert(far.0);
                open.push_back((far.clone(), depth + 1));
            }
            if towards == Towards::Uses {
                let is_whole = |child: &&NodeIndex| {
                    matches!(graph[**child].kind, NodeKind::Snapshot { .. } | NodeKind::Exposure { .. })
                };
                let whole: NodeSet = graph.children(at.0).iter().filter(is_whole).copied().collect();
                let left = steps.map(|steps| steps - depth - 1);
                nodes.extend(graph.descendants(&whole, left));
            }
        }
        nodes
    }

    fn beside(&self, at: &ColumnOfNode, towards: Towards) -> impl Iterator<Item = &(ColumnOfNode, Flow)> {
        let ends = match towards {
            Towards::Origins => &self.origins,
            Towards::Uses => &self.uses,
        };
        ends.get(at).into_iter().flatten()
    }
}

fn columns(compiled: &Compiled, index: NodeIndex) -> Vec<String> {
    let schema = compiled.schema(index);
    schema.iter().flat_map(|schema| schema.fields().iter().map(|field| field.name().clone())).collect()
}
