//! Tests that properties attach to models, seeds, snapshots, source tables and their columns.

use std::collections::HashSet;

use super::build::{Builder, parse_all, unique};
use super::config::NodeConfig;
use super::config_reader::{self, ConfigOf};
use super::node::{Node, NodeId, NodeKind, TestDetail};
use super::stored_names::file_name_problem;
use super::test_name::{Attachment, digest, test_name};
use crate::jinja::{Parsed, TestSubject};
use crate::project::{Problem, Properties, TestUse};
use crate::relation::Relation;

/// A use of a generic test, with what it is attached to.
struct Attached<'a> {
    test: &'a TestUse,
    column: Option<&'a str>,
    /// Tags of the column, which its tests inherit.
    tags: &'a [String],
    /// Index of the tested node.
    node: usize,
}

pub(super) struct AttachedTests;

impl AttachedTests {
    /// The nodes of all uses of generic tests.
    pub(super) fn of(builder: &mut Builder<'_>) -> Vec<Node> {
        let project = builder.project;
        let mut uses: Vec<Attached<'_>> = Vec::new();
        for (index, node) in builder.nodes.iter().enumerate() {
            let properties = match &node.kind {
                NodeKind::Model { index, .. } => &project.models[*index].properties,
                NodeKind::Seed { index } => &project.seeds[*index].properties,
                NodeKind::Snapshot { index } => &project.snapshots[*index].file.properties,
                NodeKind::Source { index, .. } => &project.sources[*index].properties,
                NodeKind::Test(_) | NodeKind::Exposure { .. } => continue,
            };
            uses.extend(attached(properties, index));
        }
        let mut configs: Vec<NodeConfig> = Vec::new();
        for used in &uses {
            let mut config = config_reader::read(ConfigOf::Test, &used.test.config, &mut builder.problems);
            let inherited = &builder.nodes[used.node].config.tags;
            config.tags = unique(config.tags.iter().chain(used.tags).chain(inherited));
            configs.push(config);
        }
        let parsed = {
            let builder = &*builder;
            let subjects: Vec<(&Attached<'_>, &NodeConfig)> = uses.iter().zip(&configs).collect();
            parse_all(&subjects, |(used, config)| parse(builder, used, config))
        };
        let mut nodes = Vec::new();
        let mut taken = HashSet::new();
        for ((used, config), parsed) in uses.iter().zip(configs).zip(parsed) {
            match parsed {
                Ok(parsed) if config.enabled => {
                    if let Some(node) = test_node(builder, used, config, &parsed, &mut taken) {
                        nodes.push(node);
                    }
                }
                Ok(_) => {}
                Err(problem) => builder.problems.push(problem),
            }
        }
        nodes
    }
}

fn attached(properties: &Properties, node: usize) -> impl Iterator<Item = Attached<'_>> {
    let of_table = properties.tests.iter().map(move |test| Attached { test, column: None, tags: &[], node });
    let of_columns = properties.columns.iter().flat_map(move |column| {
        let name = column.name.value.as_str();
        column.tests.iter().map(move |test| Attached { test, column: Some(name), tags: &column.tags, node })
    });
    of_table.chain(of_columns)
}

fn parse(builder: &Builder<'_>, used: &Attached<'_>, config: &NodeConfig) -> Result<Parsed, Problem> {
    let node = &builder.nodes[used.node];
    builder.templates.parse_test(&TestSubject {
        test: used.test,
        relation: tested_relation(node),
        column: used.column,
        where_sql: config.where_sql.as_deref(),
        unique_id: node.id.as_str(),
    })
}

/// The relation that a test of a node reads.
pub fn tested_relation(node: &Node) -> Relation {
    node.relation.clone().unwrap_or_else(|| Relation::ephemeral(&node.name))
}

fn test_node(
    builder: &mut Builder<'_>,
    used: &Attached<'_>,
    config: NodeConfig,
    parsed: &Parsed,
    taken: &mut HashSet<NodeId>,
) -> Option<Node> {
    let mut depends_on = builder.dependencies(parsed);
    let node = &builder.nodes[used.node];
    if !depends_on.iter().any(|needed| needed.id == node.id) {
        depends_on.insert(0, super::node::Dependency { id: node.id.clone(), place: None });
    }
    let source_name = match &node.kind {
        NodeKind::Source { source, .. } => Some(format!("{source}_{}", node.name)),
        _ => None,
    };
    let attachment = Attachment {
        name: source_name.as_deref().unwrap_or(&node.name),
        is_source: source_name.is_some(),
        column: used.column,
    };
    let name = test_name(used.test, attachment);
    if let Some(problem) = used.test.name.as_deref().and_then(|name| file_name_problem("test", name)) {
        builder.problems.push(problem.at(&used.test.test.place));
        return None;
    }
    let digest = digest(used.test, attachment);
    let id = NodeId::new(format!("test.{}.{name}.{digest}", builder.project.name));
    if !taken.insert(id.clone()) {
        let problem = Problem::new(format!("the test `{name}` is written twice")).at(&used.test.test.place);
        builder.problems.push(problem.help("take one of them away, or give one a `name`"));
        return None;
    }
    let mut fqn = node.fqn.clone();
    fqn.pop();
    fqn.push(name.clone());
    Some(Node {
        id,
        name,
        fqn,
        path: used.test.test.place.text.path().to_owned(),
        place: Some(used.test.test.place.clone()),
        relation: None,
        config,
        depends_on,
        description: used.test.description.clone(),
        columns: Vec::new(),
        kind: NodeKind::Test(TestDetail::Generic {
            test: Box::new(used.test.clone()),
            attached: node.id.clone(),
            column: used.column.map(str::to_owned),
        }),
    })
}
