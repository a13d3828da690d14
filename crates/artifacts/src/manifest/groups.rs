//! Groups in dbt's words, and what is of each.

use std::path::PathBuf;

use serde_json::{Map, Value as Json, json};

use super::super::paths::in_package;
use mep_graph::{Graph, Node, NodeKind, TestDetail};
use mep_lang::project::Project;

/// All groups, by unique id.
pub(super) fn groups(project: &Project) -> Json {
    let written = project.groups.iter().map(|group| {
        let path = group.name.place.text.path();
        let package = project.package_of(path);
        let path = in_package(project, path);
        let below: PathBuf = path.iter().skip(1).collect();
        let id = format!("group.{package}.{}", group.name.value);
        let mut owner = json!({ "email": null, "name": null });
        for (key, value) in &group.owner {
            owner[key.as_str()] = value.clone();
        }
        let json = json!({
            "name": group.name.value,
            "resource_type": "group",
            "package_name": package,
            "path": below.to_string_lossy(),
            "original_file_path": path.to_string_lossy(),
            "unique_id": id,
            "owner": owner,
            "description": group.description,
            "config": { "meta": group.meta },
        });
        (id, json)
    });
    Json::Object(written.collect::<Map<_, _>>())
}

/// What is of each group, by its name.
pub(super) fn group_map(project: &Project, graph: &Graph) -> Json {
    let mut map: Map<String, Json> =
        project.groups.iter().map(|group| (group.name.value.clone(), json!([]))).collect();
    for node in graph.nodes() {
        let is_grouped =
            !node.is_unit_test() && !matches!(node.kind, NodeKind::Source { .. } | NodeKind::Exposure { .. });
        let members = group(graph, node).filter(|_| is_grouped).and_then(|group| map.get_mut(group));
        if let Some(Json::Array(members)) = members {
            members.push(node.id.as_str().into());
        }
    }
    Json::Object(map)
}

/// The group of a node: of a generic test, that of what it tests.
pub(super) fn group<'g>(graph: &'g Graph, node: &'g Node) -> Option<&'g str> {
    let of = match &node.kind {
        NodeKind::Test(TestDetail::Generic { attached, .. }) => graph.node(graph.position(attached)?),
        _ => node,
    };
    of.config.group.as_deref().filter(|_| !matches!(of.kind, NodeKind::Source { .. }))
}
