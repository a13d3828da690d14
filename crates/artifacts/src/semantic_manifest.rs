//! `semantic_manifest.json`: what of the manifest dbt's semantic layer reads, in the form of dbt-semantic-interfaces.

use std::io;

use serde_json::{Map, Value as Json, json};

use super::files;
use super::manifest::Described;
use mep_graph::{Node, NodeKind};

const OF_MODEL: [&str; 11] = [
    "name",
    "defaults",
    "description",
    "node_relation",
    "primary_entity",
    "entities",
    "measures",
    "dimensions",
    "label",
    "metadata",
    "config",
];
const OF_METRIC: [&str; 9] = [
    "name",
    "description",
    "type",
    "type_params",
    "filter",
    "metadata",
    "label",
    "config",
    "time_granularity",
];
const OF_QUERY: [&str; 7] = ["name", "description", "query_params", "metadata", "label", "exports", "tags"];

/// The model that dbt takes for the days of a calendar, where no model says that it is one.
const TIME_SPINE: &str = "metricflow_time_spine";

/// Writes it, where the manifest has anything of the semantic layer; takes one away that says what is no longer there.
///
/// # Errors
/// Where the file cannot be written.
pub(super) fn write(described: Described<'_>, manifest: &Json) -> io::Result<()> {
    let sections = ["semantic_models", "metrics", "saved_queries"];
    let path = described.project.artifact("semantic_manifest.json")?;
    if sections.iter().all(|section| manifest[section].as_object().is_none_or(Map::is_empty)) {
        return match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        };
    }
    let json = json!({
        "semantic_models": picked(&manifest["semantic_models"], &OF_MODEL),
        "metrics": picked(&manifest["metrics"], &OF_METRIC),
        "project_configuration": {
            "time_spine_table_configurations": time_spine(described),
            "metadata": null,
            "dsi_package_version": { "major_version": "0", "minor_version": "9", "patch_version": "0" },
            "time_spines": [],
        },
        "saved_queries": picked(&manifest["saved_queries"], &OF_QUERY),
    });
    files::write(&path, &serde_json::to_vec(&json)?)
}

/// These keys of each; config has nothing but `meta` there.
fn picked(of: &Json, keys: &[&str]) -> Json {
    let one = |node: &Json| {
        let mut json: Map<String, Json> = Map::new();
        for key in keys {
            let value = match *key {
                "config" => {
                    json!({ "meta": node["config"].get("meta").cloned().unwrap_or_else(|| json!({})) })
                }
                key => node.get(key).cloned().unwrap_or(Json::Null),
            };
            let value = shaped(key, value);
            json.insert((*key).to_owned(), value);
        }
        Json::Object(json)
    };
    of.as_object().into_iter().flat_map(Map::values).map(one).collect()
}

/// What stands within a key, with the keys that it has there and not in the manifest, or the other way round.
fn shaped(key: &str, mut value: Json) -> Json {
    for one in value.as_array_mut().into_iter().flatten() {
        match key {
            "entities" | "measures" | "dimensions" => one["metadata"] = Json::Null,
            "exports" => {
                if let Some(config) = one["config"].as_object_mut() {
                    config.remove("database");
                }
            }
            _ => {}
        }
    }
    value
}

fn time_spine(described: Described<'_>) -> Json {
    let is_it = |node: &&Node| node.name == TIME_SPINE && matches!(node.kind, NodeKind::Model { .. });
    let spine = described.graph.nodes().iter().find(is_it).and_then(|node| node.own_relation());
    spine
        .map(
            |relation| json!({ "location": relation.to_string(), "column_name": "date_day", "grain": "day" }),
        )
        .into_iter()
        .collect()
}
