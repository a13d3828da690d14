//! Which calls of mep a DAG is made of, and what each comes after.

use std::collections::{BTreeMap, BTreeSet};

use mep_graph::{Graph, Materialization, NodeIndex, NodeKind, NodeSet};
use mep_lang::project::Problem;

/// What one task stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grain {
    /// A model.
    Model,
    /// The models of a folder, in several tasks where others must be built in between; the tables of a source; all
    /// seeds; all snapshots.
    Folder,
}

/// The command of mep that a task calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskCommand {
    Run,
    Seed,
    Snapshot,
    Test,
}

impl TaskCommand {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Seed => "seed",
            Self::Snapshot => "snapshot",
            Self::Test => "test",
        }
    }
}

/// A call of mep.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Task {
    /// Its name in Airflow.
    pub(super) id: String,
    pub(super) call: TaskCommand,
    /// The words that select its nodes.
    pub(super) selectors: Vec<String>,
    /// The names of the tasks that come first.
    pub(super) after: Vec<String>,
}

/// The tasks of a DAG, each after those that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tasks(pub(super) Vec<Task>);

/// The nodes of one task that builds something.
#[derive(Debug)]
struct TaskNodes {
    id: String,
    call: TaskCommand,
    nodes: Vec<NodeIndex>,
}

/// The groups in their order.
struct Order<'a> {
    graph: &'a Graph,
    groups: Vec<TaskNodes>,
    /// The nodes that are in a group.
    built: NodeSet,
    /// The group of each.
    group_of: BTreeMap<NodeIndex, usize>,
}

impl Tasks {
    /// The tasks that build these nodes and, where it is asked for, run these nodes' tests. Streaming and ephemeral models
    /// have none; what comes after them comes after what they need.
    ///
    /// # Errors
    /// Where a node cannot be selected by itself.
    pub fn of(graph: &Graph, nodes: &NodeSet, grain: Grain, with_tests: bool) -> Result<Self, Problem> {
        let order = Order::of(graph, nodes, grain);
        let tests = if with_tests { order.tests(nodes) } else { BTreeMap::new() };
        let mut taken = BTreeSet::new();
        let ids: Vec<String> = order.groups.iter().map(|group| task_id(&group.id, &mut taken)).collect();
        let test_ids: BTreeMap<usize, String> = tests
            .keys()
            .map(|group| (*group, task_id(&format!("{}.test", ids[*group]), &mut taken)))
            .collect();
        // What fails its tests keeps what is built from it from being built.
        let last = |group: &usize| test_ids.get(group).unwrap_or(&ids[*group]).clone();
        let mut tasks = Vec::new();
        for (index, group) in order.groups.iter().enumerate() {
            tasks.push(Task {
                id: ids[index].clone(),
                call: group.call,
                selectors: selectors(graph, &group.nodes)?,
                after: order.needed(&group.nodes, index).iter().map(last).collect(),
            });
            let Some(tests) = tests.get(&index) else { continue };
            let others = order.needed(tests, index);
            tasks.push(Task {
                id: test_ids[&index].clone(),
                call: TaskCommand::Test,
                selectors: selectors(graph, tests)?,
                after: std::iter::once(&index).chain(&others).map(|group| ids[*group].clone()).collect(),
            });
        }
        Ok(Self(tasks))
    }
}

impl<'a> Order<'a> {
    fn of(graph: &'a Graph, nodes: &NodeSet, grain: Grain) -> Self {
        let groups = in_order(graph, groups(graph, nodes, grain));
        let of_group = |(index, group): (usize, &TaskNodes)| -> Vec<(NodeIndex, usize)> {
            group.nodes.iter().map(|node| (*node, index)).collect()
        };
        let group_of: BTreeMap<NodeIndex, usize> = groups.iter().enumerate().flat_map(of_group).collect();
        Self { graph, groups, built: group_of.keys().copied().collect(), group_of }
    }

    /// The groups that these nodes need, but for their own.
    fn needed(&self, nodes: &[NodeIndex], own: usize) -> BTreeSet<usize> {
        let needed = nodes.iter().flat_map(|node| nearest(self.graph, *node, &self.built));
        needed.map(|node| self.group_of[&node]).filter(|group| *group != own).collect()
    }

    /// Each test with the last of the groups that it looks at, so that all of them are built when it runs.
    fn tests(&self, nodes: &NodeSet) -> BTreeMap<usize, Vec<NodeIndex>> {
        let mut tests: BTreeMap<usize, Vec<NodeIndex>> = BTreeMap::new();
        for index in nodes.iter().filter(|index| self.graph.node(**index).is_test()) {
            let is_streaming =
                |node: &NodeIndex| self.graph.node(*node).config.materialized() == Materialization::Streaming;
            let tested = nearest(self.graph, *index, &self.built);
            let last = tested.iter().map(|node| self.group_of[node]).max();
            if let Some(last) = last.filter(|_| !self.graph.parents(*index).iter().any(is_streaming)) {
                tests.entry(last).or_default().push(*index);
            }
        }
        tests
    }
}

/// What is built, in groups; in the order of the graph.
fn groups(graph: &Graph, nodes: &NodeSet, grain: Grain) -> Vec<TaskNodes> {
    let mut groups: Vec<TaskNodes> = Vec::new();
    for index in nodes {
        let node = graph.node(*index);
        let is_built =
            !matches!(node.config.materialized(), Materialization::Ephemeral | Materialization::Streaming);
        let (call, id) = match (&node.kind, grain) {
            (NodeKind::Model { .. }, Grain::Model) if is_built => (TaskCommand::Run, node.name.clone()),
            (NodeKind::Model { .. }, Grain::Folder) if is_built => (TaskCommand::Run, folder(&node.fqn)),
            (NodeKind::Source { source, .. }, Grain::Model) => {
                (TaskCommand::Run, format!("land.{source}.{}", node.name))
            }
            (NodeKind::Source { source, .. }, Grain::Folder) => (TaskCommand::Run, format!("land.{source}")),
            (NodeKind::Seed { .. }, Grain::Model) => (TaskCommand::Seed, format!("seed.{}", node.name)),
            (NodeKind::Seed { .. }, Grain::Folder) => (TaskCommand::Seed, "seed".to_owned()),
            (NodeKind::Snapshot { .. }, Grain::Model) => {
                (TaskCommand::Snapshot, format!("snapshot.{}", node.name))
            }
            (NodeKind::Snapshot { .. }, Grain::Folder) => (TaskCommand::Snapshot, "snapshot".to_owned()),
            (
                NodeKind::Model { .. }
                | NodeKind::Test(_)
                | NodeKind::Semantic(_)
                | NodeKind::Exposure { .. },
                _,
            ) => continue,
        };
        let is_shared =
            |group: &&mut TaskNodes| grain == Grain::Folder && (&group.id, group.call) == (&id, call);
        match groups.iter_mut().find(is_shared) {
            Some(group) => group.nodes.push(*index),
            None => groups.push(TaskNodes { id, call, nodes: vec![*index] }),
        }
    }
    groups
}

/// A model's folders; the project's name where it lies in none.
fn folder(fqn: &[String]) -> String {
    match fqn {
        [_, folders @ .., _] if !folders.is_empty() => folders.join("."),
        [project, ..] => project.clone(),
        [] => String::new(),
    }
}

/// The groups, each after those that it needs. One that needs another which needs it too is divided.
fn in_order(graph: &Graph, mut groups: Vec<TaskNodes>) -> Vec<TaskNodes> {
    let built: NodeSet = groups.iter().flat_map(|group| &group.nodes).copied().collect();
    let mut done = BTreeSet::new();
    let mut ordered = Vec::new();
    while !groups.is_empty() {
        let next = next_group(graph, &groups, &built, &done);
        let group = &mut groups[next];
        let ready = ready(graph, &group.nodes, &built, &done);
        group.nodes.retain(|node| !ready.contains(node));
        done.extend(&ready);
        ordered.push(TaskNodes { id: group.id.clone(), call: group.call, nodes: ready });
        groups.retain(|group| !group.nodes.is_empty());
    }
    ordered
}

/// The first group of which everything can be built; where there is none, that of which the most can be.
fn next_group(graph: &Graph, groups: &[TaskNodes], built: &NodeSet, done: &NodeSet) -> usize {
    let number_ready = |group: &TaskNodes| ready(graph, &group.nodes, built, done).len();
    let whole = groups.iter().position(|group| number_ready(group) == group.nodes.len());
    let most = || (0..groups.len()).max_by_key(|index| number_ready(&groups[*index]));
    whole.or_else(most).unwrap_or_default()
}

/// Those of the nodes that need nothing but what is done, and each other.
fn ready(graph: &Graph, nodes: &[NodeIndex], built: &NodeSet, done: &NodeSet) -> Vec<NodeIndex> {
    let mut ready = Vec::new();
    for node in nodes {
        let needed = nearest(graph, *node, built);
        if needed.iter().all(|other| done.contains(other) || ready.contains(other)) {
            ready.push(*node);
        }
    }
    ready
}

/// The nearest nodes above that are among these.
fn nearest(graph: &Graph, node: NodeIndex, among: &NodeSet) -> NodeSet {
    let mut found = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open: Vec<NodeIndex> = graph.parents(node).to_vec();
    while let Some(parent) = open.pop() {
        if among.contains(&parent) {
            found.insert(parent);
        } else if seen.insert(parent) {
            open.extend(graph.parents(parent));
        }
    }
    found
}

fn selectors(graph: &Graph, nodes: &[NodeIndex]) -> Result<Vec<String>, Problem> {
    nodes
        .iter()
        .map(|index| {
            graph.selector_of(*index).ok_or_else(|| {
                let name = &graph.node(*index).name;
                let problem = Problem::new(format!("no selector takes `{name}` alone"));
                problem.help("give it a name of letters, digits and underscores that nothing else has")
            })
        })
        .collect()
}

/// The longest name that Airflow takes, less room for a number.
const LONGEST_ID: usize = 240;

/// A name that Airflow takes and no other task has.
fn task_id(wanted: &str, taken: &mut BTreeSet<String>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let id: String = wanted.chars().map(|c| if is_plain(c) { c } else { '_' }).take(LONGEST_ID).collect();
    let mut unique = id.clone();
    let mut number = 2;
    while !taken.insert(unique.clone()) {
        unique = format!("{id}_{number}");
        number += 1;
    }
    unique
}
