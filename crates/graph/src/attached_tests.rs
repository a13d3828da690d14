//! Tests that properties attach to models, seeds, snapshots, source tables and their columns.

use std::collections::HashSet;
use std::path::Path;

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::build::{Builder, merged, parse_all, unique};
use super::config::{self, ConfigOf, NodeConfig};
use super::node::{Mentions, Node, NodeId, NodeKind, TestDetail};
use super::stored_names::file_name_problem;
use super::test_name::{Attachment, dbt_digest, digest_with_config, test_name};
use mep_core::relation::Relation;
use mep_lang::jinja::{Parsed, TestSubject};
use mep_lang::project::{Located, Problem, Properties, TestUse};

/// A use of a generic test, with what it is attached to.
struct Attached<'a> {
    test: &'a TestUse,
    /// The project's name, then the folders of the file that says it.
    folders: &'a [String],
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
                NodeKind::Test(_) | NodeKind::Semantic(_) | NodeKind::Exposure { .. } => continue,
            };
            uses.extend(attached(properties, index));
        }
        let parsed = {
            let builder = &*builder;
            parse_all(&uses, |used| parse(builder, used))
        };
        let mut nodes = Vec::new();
        let mut taken = HashSet::new();
        for (used, parsed) in uses.iter().zip(parsed) {
            let (parsed, unreadable) = match parsed {
                Ok(parsed) => (parsed, None),
                Err(problem) => (Parsed::default(), Some(problem)),
            };
            let raw = test_config(&used.test.config, &parsed.config);
            let mut config = config::read(ConfigOf::Test, &raw, &mut builder.problems);
            let inherited = &builder.nodes[used.node].config.tags;
            config.tags = unique(config.tags.iter().chain(used.tags).chain(inherited));
            match test_node(builder, used, config, &parsed, &mut taken) {
                Some(node) if node.config.enabled => {
                    builder.unreadable.extend(unreadable.map(|problem| (node.id.clone(), problem)));
                    nodes.push(node);
                }
                Some(node) => builder.disabled_nodes.push(node),
                None => {}
            }
        }
        nodes
    }
}

fn attached(properties: &Properties, node: usize) -> impl Iterator<Item = Attached<'_>> {
    let folders = &properties.folders[..];
    let of_table =
        properties.tests.iter().map(move |test| Attached { test, column: None, tags: &[], folders, node });
    let of_columns = properties.columns.iter().flat_map(move |column| {
        let name = column.name.value.as_str();
        column.tests.iter().map(move |test| Attached {
            test,
            column: Some(name),
            tags: &column.tags,
            folders,
            node,
        })
    });
    of_table.chain(of_columns)
}

/// The config of a use: what its entry says goes over what the test's macro says, and that over the project's file.
fn test_config(
    used: &IndexMap<String, Located<Json>>,
    of_macro: &IndexMap<String, Located<Json>>,
) -> IndexMap<String, Located<Json>> {
    if of_macro.is_empty() {
        return used.clone();
    }
    let is_of_project = |located: &Located<Json>| located.place.text.path() == Path::new("dbt_project.yml");
    let (project, own): (IndexMap<_, _>, IndexMap<_, _>) =
        used.clone().into_iter().partition(|(_, located)| is_of_project(located));
    merged(&merged(&project, of_macro), &own)
}

fn parse(builder: &Builder<'_>, used: &Attached<'_>) -> Result<Parsed, Problem> {
    let node = &builder.nodes[used.node];
    let config = used.test.config.iter().map(|(key, located)| (key.clone(), located.value.clone())).collect();
    builder.templates.parse_test(&TestSubject {
        test: used.test,
        relation: tested_relation(node),
        column: used.column,
        is_boolean: false,
        config: &config,
        unique_id: node.id.as_str(),
    })
}

/// The relation that a test of a node reads.
pub fn tested_relation(node: &Node) -> Relation {
    node.relation.clone().unwrap_or_else(|| Relation::ephemeral(&node.name_with_version()))
}

fn test_node(
    builder: &mut Builder<'_>,
    used: &Attached<'_>,
    mut config: NodeConfig,
    parsed: &Parsed,
    taken: &mut HashSet<NodeId>,
) -> Option<Node> {
    let mut depends_on = Vec::new();
    if config.enabled {
        builder.problems.extend(parsed.missing.iter().cloned());
        match builder.dependencies_of_test(parsed) {
            Some(found) => depends_on = found,
            // As in dbt, such a test is there, and takes no part.
            None => config.enabled = false,
        }
    }
    let node = &builder.nodes[used.node];
    if config.enabled && !depends_on.iter().any(|needed| needed.id == node.id) {
        depends_on.insert(0, super::node::Dependency { id: node.id.clone(), place: None });
    }
    let mut mentions = Mentions::of(parsed);
    mentions.add(node);
    let source = match &node.kind {
        NodeKind::Source { source, .. } => Some(source.as_str()),
        _ => None,
    };
    let version = node.version().map(|version| version.version.as_str());
    let attachment = Attachment { name: &node.name, version, source, column: used.column };
    let name = test_name(used.test, attachment);
    if let Some(problem) = used.test.name.as_deref().and_then(|name| file_name_problem("test", name)) {
        builder.problems.push(problem.at(&used.test.test.place));
        return None;
    }
    let package = builder.project.package_of(used.test.test.place.text.path());
    let id = |digest: String| NodeId::new(format!("test.{package}.{name}.{digest}"));
    // Uses that differ in their config alone have one id in dbt, which refuses the second one.
    let ids = [id(dbt_digest(&name, used.test, attachment)), id(digest_with_config(used.test, attachment))];
    let is_free = |id: &NodeId| !config.enabled || !taken.contains(id);
    let Some(id) = ids.into_iter().find(is_free) else {
        let problem = Problem::new(format!("the test `{name}` is written twice")).at(&used.test.test.place);
        builder.problems.push(problem.help("take one of them away, or give one a `name`"));
        return None;
    };
    if config.enabled {
        taken.insert(id.clone());
    }
    // As in dbt, a test lies in the folder of the file that says it.
    let mut fqn = used.folders.to_vec();
    fqn.push(name.clone());
    Some(Node {
        id,
        name,
        fqn,
        path: used.test.test.place.text.path().to_owned(),
        place: Some(used.test.test.place.clone()),
        relation: None,
        deferred: None,
        config,
        depends_on,
        mentions,
        description: used.test.description.clone(),
        columns: Vec::new(),
        constraints: Vec::new(),
        kind: NodeKind::Test(TestDetail::Generic {
            test: Box::new(used.test.clone()),
            attached: node.id.clone(),
            column: used.column.map(str::to_owned),
        }),
    })
}
