//! ls: what is in the project.

use serde_json::{Map, Value as Json, json};

use super::arguments::{Global, LsArguments, LsOutput};
use super::exit::Exit;
use mep_app::AppError;
use mep_app::Rendering;
use mep_graph::{Node, NodeKind};

/// Lists nodes.
///
/// # Errors
/// Where the project or the words are wrong, or nothing is selected.
pub(super) fn ls(global: &Global, arguments: &LsArguments) -> Result<Exit, AppError> {
    let workspace = super::opened(global, &arguments.selecting, "list", Rendering::default())?;
    let nodes = workspace.select(arguments.selecting.selectors(), |_| true)?;
    let mut lines: Vec<String> = nodes
        .iter()
        .map(|index| workspace.graph.node(*index))
        .map(|node| line(node, arguments, &workspace.project.name))
        .collect();
    lines.sort();
    if arguments.output == LsOutput::Path {
        lines.dedup();
    }
    super::print(&(lines.join("\n") + "\n"))?;
    Ok(Exit::Success)
}

fn line(node: &Node, arguments: &LsArguments, project: &str) -> String {
    match arguments.output {
        LsOutput::Name => node.name.clone(),
        LsOutput::Path => node.path.to_string_lossy().into_owned(),
        LsOutput::Json => as_json(node, project, &arguments.output_keys).to_string(),
        LsOutput::Selector => match &node.kind {
            NodeKind::Source { source, .. } => format!("source:{project}.{source}.{}", node.name),
            NodeKind::Semantic(_) => format!("{}:{project}.{}", node.resource_type(), node.name),
            NodeKind::Exposure { .. } => format!("exposure:{project}.{}", node.name),
            _ => node.fqn.join("."),
        },
    }
}

fn as_json(node: &Node, project: &str, keys: &[String]) -> Json {
    let mut config: Map<String, Json> =
        node.config.raw.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    if matches!(node.kind, NodeKind::Model { .. }) {
        config.insert("materialized".to_owned(), node.config.materialized().as_str().into());
    }
    config.insert("tags".to_owned(), node.config.tags.clone().into());
    config.insert("enabled".to_owned(), node.config.enabled.into());
    let depends_on: Vec<&str> = node.depends_on.iter().map(|needed| needed.id.as_str()).collect();
    let mut all = json!({
        "name": node.name,
        "resource_type": node.resource_type(),
        "package_name": project,
        "original_file_path": node.path.to_string_lossy(),
        "unique_id": node.id.as_str(),
        "alias": node.relation.as_ref().map(|relation| relation.name.clone()),
        "schema": node.relation.as_ref().and_then(|relation| relation.schema.clone()),
        "fqn": node.fqn,
        "tags": node.config.tags,
        "config": config,
        "depends_on": {"macros": [], "nodes": depends_on},
        "description": node.description,
    });
    if let NodeKind::Source { source, .. } = &node.kind {
        all["source_name"] = source.clone().into();
    }
    if let (false, Json::Object(entries)) = (keys.is_empty(), &mut all) {
        let wanted: Vec<&str> = keys.iter().flat_map(|keys| keys.split([' ', ','])).collect();
        entries.retain(|key, _| wanted.contains(&key.as_str()));
    }
    all
}
