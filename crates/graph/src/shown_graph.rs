//! `graph`: the project as texts see it, in the words of dbt's manifest.

use serde_json::{Map, Value as Json, json};

use super::dag::Graph;
use super::node::{Node, NodeKind};
use mep_lang::project::Project;

/// The nodes of a project; none where no text of it says `graph`, nor `other`, which is rendered beside it.
pub(super) fn of(project: &Project, graph: &Graph, other: Option<&str>) -> Json {
    let is_looked_at = other.is_some_and(names_it) || is_looked_at(project, graph);
    let (mut nodes, mut sources, mut exposures) = (Map::new(), Map::new(), Map::new());
    for node in is_looked_at.then(|| graph.nodes()).into_iter().flatten() {
        let of_kind = match node.kind {
            NodeKind::Source { .. } => &mut sources,
            NodeKind::Exposure { .. } => &mut exposures,
            NodeKind::Semantic(_) => continue,
            _ => &mut nodes,
        };
        of_kind.insert(node.id.as_str().to_owned(), shown_node(node));
    }
    json!({ "nodes": nodes, "sources": sources, "exposures": exposures, "metrics": {}, "groups": {} })
}

fn names_it(text: &str) -> bool {
    text.contains("graph")
}

/// Whether a text may look at the graph.
fn is_looked_at(project: &Project, graph: &Graph) -> bool {
    let models = project.models.iter().map(|model| &model.text);
    let snapshots = project.snapshots.iter().map(|snapshot| &snapshot.file.text);
    let tests = project.tests.iter().map(|test| &test.text);
    let packages = project.packages.iter().flat_map(|package| &package.macros);
    let mut texts = models.chain(snapshots).chain(tests).chain(&project.macros).chain(packages);
    let of_nodes =
        graph.nodes().iter().flat_map(|node| node.config.hooks.before.iter().chain(&node.config.hooks.after));
    let mut hooks = of_nodes.chain(&project.on_run_start).chain(&project.on_run_end);
    texts.any(|text| names_it(text.text())) || hooks.any(|hook| names_it(&hook.value))
}

/// A node in the words of dbt's manifest.
pub fn shown_node(node: &Node) -> Json {
    let package = node.fqn.first().map_or("", String::as_str);
    let columns = node.columns.iter().map(|column| {
        let name = &column.name.value;
        (name.clone(), json!({ "name": name, "description": column.description.clone().unwrap_or_default() }))
    });
    let mut config: Map<String, Json> =
        node.config.raw.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    config.insert("enabled".to_owned(), true.into());
    config.insert("tags".to_owned(), node.config.tags.clone().into());
    config.insert("meta".to_owned(), node.config.meta.clone());
    if matches!(node.kind, NodeKind::Model { .. }) {
        config.insert("materialized".to_owned(), node.config.materialized().as_str().into());
    }
    let relation = node.relation.as_ref();
    let schema = relation.and_then(|relation| relation.schema.clone());
    let mut shown = json!({
        "unique_id": node.id.as_str(),
        "name": node.name,
        "resource_type": node.resource_type(),
        "package_name": package,
        "fqn": node.fqn,
        "original_file_path": node.path.to_string_lossy(),
        "description": node.description.clone().unwrap_or_default(),
        "database": null,
        "schema": schema,
        "alias": relation.map(|relation| relation.name.clone()),
        "identifier": relation.map(|relation| relation.name.clone()),
        "relation_name": relation.map(ToString::to_string),
        "tags": node.config.tags,
        "meta": node.config.meta,
        "config": config,
        "columns": Json::Object(columns.collect()),
        "depends_on": { "nodes": node.depends_on.iter().map(|needed| needed.id.as_str()).collect::<Vec<_>>() },
    });
    if let NodeKind::Source { source, .. } = &node.kind {
        shown["source_name"] = source.as_str().into();
    }
    shown
}
