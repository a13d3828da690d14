//! A source table in dbt's words.

use serde_json::{Value as Json, json};

use mep_graph::Node;
use mep_lang::project::SourceTable;

/// What a source table has that no other node has.
pub(super) fn add(json: &mut Json, node: &Node, table: &SourceTable) {
    json["source_name"] = table.source.clone().into();
    json["source_description"] = table.source_description.clone().unwrap_or_default().into();
    json["source_meta"] = json!(table.source_meta);
    json["loader"] = table.loader.clone().unwrap_or_default().into();
    json["identifier"] = node.own_relation().map_or(&table.name, |relation| &relation.name).as_str().into();
    json["external"] = Json::Null;
    for key in ["loaded_at_field", "loaded_at_query", "freshness"] {
        json[key] = json["config"].get(key).cloned().unwrap_or_default();
    }
}

/// `freshness` as every reader finds it: both limits, each with its two keys.
pub(in super::super) fn freshness(said: Option<&Json>) -> Json {
    let limit = |key: &str| {
        let part = |part: &str| said.and_then(|said| said.get(key)?.get(part)).cloned().unwrap_or_default();
        json!({ "count": part("count"), "period": part("period") })
    };
    let filter = said.and_then(|said| said.get("filter")).cloned().unwrap_or_default();
    json!({ "warn_after": limit("warn_after"), "error_after": limit("error_after"), "filter": filter })
}
