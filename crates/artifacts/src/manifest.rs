//! The graph as `manifest.json`, in the form of dbt's version 12.

use std::io;

use chrono::Utc;
use serde_json::{Map, Value as Json, json};

use super::files;
use mep_contract::warehouse::RunId;
use mep_core::secrets;
use mep_graph::{Compiled, Graph, Node, NodeIndex, NodeKind, SemanticDetail, TestDetail};
use mep_lang::project::Project;

/// Writes the manifest.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_manifest(project: &Project, graph: &Graph, compiled: &Compiled, run: &RunId) -> io::Result<()> {
    let mut json = manifest(project, graph, compiled, run);
    secrets::mask_json(&mut json);
    files::write(&project.artifact("manifest.json")?, &serde_json::to_vec(&json)?)
}

pub(super) fn metadata(schema: &str, run: &RunId) -> Json {
    json!({
        "dbt_schema_version": schema,
        "dbt_version": "1.11.0",
        "generated_at": Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true),
        "invocation_id": run.as_str(),
        "env": {},
        "adapter_type": "mep",
        "mep_version": env!("CARGO_PKG_VERSION"),
    })
}

fn manifest(project: &Project, graph: &Graph, compiled: &Compiled, run: &RunId) -> Json {
    let (mut nodes, mut sources, mut exposures) = (Map::new(), Map::new(), Map::new());
    let (mut semantic_models, mut metrics, mut saved_queries) = (Map::new(), Map::new(), Map::new());
    let mut unit_tests = Map::new();
    let (mut parents, mut children) = (Map::new(), Map::new());
    for (index, node) in graph.indexed() {
        let id = node.id.as_str().to_owned();
        let ids = |indices: &[NodeIndex]| -> Json {
            indices.iter().map(|index| Json::from(graph.node(*index).id.as_str())).collect()
        };
        parents.insert(id.clone(), ids(graph.parents(index)));
        children.insert(id.clone(), ids(graph.children(index)));
        let json = node_json(project, compiled, index, node);
        match node.kind {
            NodeKind::Source { .. } => sources.insert(id, json),
            NodeKind::Exposure { .. } => exposures.insert(id, json),
            NodeKind::Semantic(SemanticDetail::Model(_)) => semantic_models.insert(id, json),
            NodeKind::Semantic(SemanticDetail::Metric(_)) => metrics.insert(id, json),
            NodeKind::Semantic(SemanticDetail::SavedQuery(_)) => saved_queries.insert(id, json),
            NodeKind::Test(TestDetail::Unit { .. }) => unit_tests.insert(id, json),
            _ => nodes.insert(id, json),
        };
    }
    let mut metadata = metadata("https://schemas.getdbt.com/dbt/manifest/v12.json", run);
    metadata["project_name"] = project.name.clone().into();
    // Moved in one by one: `json!` would copy them.
    let sections = [
        ("metadata", metadata),
        ("nodes", nodes.into()),
        ("sources", sources.into()),
        ("macros", json!({})),
        ("docs", json!({})),
        ("exposures", exposures.into()),
        ("metrics", metrics.into()),
        ("groups", json!({})),
        ("selectors", json!({})),
        ("disabled", json!({})),
        ("parent_map", parents.into()),
        ("child_map", children.into()),
        ("group_map", json!({})),
        ("saved_queries", saved_queries.into()),
        ("semantic_models", semantic_models.into()),
        ("unit_tests", unit_tests.into()),
        ("functions", json!({})),
    ];
    sections.into_iter().map(|(name, section)| (name.to_owned(), section)).collect()
}

fn node_json(project: &Project, compiled: &Compiled, index: NodeIndex, node: &Node) -> Json {
    let columns: Map<String, Json> = node
        .columns
        .iter()
        .map(|column| {
            let json = json!({
                "name": column.name.value,
                "description": column.description.clone().unwrap_or_default(),
                "data_type": column.data_type.as_ref().map(|data_type| data_type.value.clone()),
                "meta": {},
                "tags": column.tags,
            });
            (column.name.value.clone(), json)
        })
        .collect();
    let mut config: Map<String, Json> =
        node.config.raw.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    config.insert("enabled".to_owned(), true.into());
    config.insert("tags".to_owned(), node.config.tags.clone().into());
    config.insert("meta".to_owned(), node.config.meta.clone());
    let mut json = json!({
        "unique_id": node.id.as_str(),
        "name": node.name,
        "resource_type": node.resource_type(),
        "package_name": project.package_of(&node.path),
        "path": node.path.to_string_lossy(),
        "original_file_path": node.path.to_string_lossy(),
        "fqn": node.fqn,
        "database": null,
        "schema": node.relation.as_ref().and_then(|relation| relation.schema.clone()).unwrap_or_default(),
        "alias": node.relation.as_ref().map_or(&node.name, |relation| &relation.name),
        "relation_name": node.relation.as_ref().map(ToString::to_string),
        "description": node.description.clone().unwrap_or_default(),
        "columns": columns,
        "tags": node.config.tags,
        "meta": node.config.meta,
        "depends_on": {
            "macros": [],
            "nodes": node.depends_on.iter().map(|needed| needed.id.as_str()).collect::<Vec<_>>(),
        },
        "checksum": {"name": "none", "checksum": ""},
    });
    match &node.kind {
        NodeKind::Model { index: of, .. } => {
            config.insert("materialized".to_owned(), node.config.materialized.as_str().into());
            json["language"] = "sql".into();
            json["raw_code"] = project.models[*of].text.text().into();
            if let Some(model) = compiled.models.get(&index) {
                json["compiled"] = true.into();
                json["compiled_code"] = model.sql.clone().into();
                json["checksum"] = json!({"name": "md5", "checksum": model.fingerprint.as_str()});
            }
        }
        NodeKind::Snapshot { index: of } => {
            config.insert("materialized".to_owned(), "snapshot".into());
            let file = &project.snapshots[*of].file;
            let block = file.block.map_or(0..file.text.text().len(), |block| block.start..block.end());
            json["language"] = "sql".into();
            json["raw_code"] = file.text.text().get(block).unwrap_or_default().trim().into();
            if let Some(snapshot) = compiled.snapshots.get(&index) {
                json["compiled"] = true.into();
                json["compiled_code"] = snapshot.query.source.clone().into();
                json["checksum"] = json!({"name": "md5", "checksum": snapshot.fingerprint.as_str()});
            }
        }
        NodeKind::Seed { .. } => {
            config.insert("materialized".to_owned(), "seed".into());
            json["raw_code"] = "".into();
        }
        NodeKind::Source { source, index: of } => {
            let table = &project.sources[*of];
            json["source_name"] = source.clone().into();
            json["source_description"] = table.source_description.clone().unwrap_or_default().into();
            json["loader"] = "mep".into();
            json["identifier"] = node.relation.as_ref().map(|relation| relation.name.clone()).into();
        }
        NodeKind::Test(detail) => {
            let kind = if node.is_unit_test() { "unit" } else { "test" };
            config.insert("materialized".to_owned(), kind.into());
            json["raw_code"] = "".into();
            if let Some(test) = compiled.tests.get(&index) {
                json["compiled"] = true.into();
                json["compiled_code"] = test.sql.clone().into();
            }
            match detail {
                TestDetail::Singular { index: of } => {
                    json["raw_code"] = project.tests[*of].text.text().into();
                }
                TestDetail::Unit { index: of, .. } => {
                    json["model"] = project.unit_tests[*of].model.value.clone().into();
                }
                TestDetail::Generic { test, attached, column } => {
                    json["column_name"] = column.clone().into();
                    json["attached_node"] = attached.as_str().into();
                    let mut kwargs: Map<String, Json> =
                        test.arguments.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                    kwargs.insert("column_name".to_owned(), column.clone().into());
                    json["test_metadata"] =
                        json!({"name": test.test.value, "kwargs": kwargs, "namespace": null});
                }
            }
        }
        NodeKind::Semantic(detail) => {
            let semantics = &project.semantics;
            let said = match *detail {
                SemanticDetail::Model(of) => &semantics.models[of].said,
                SemanticDetail::Metric(of) => &semantics.metrics[of].said,
                SemanticDetail::SavedQuery(of) => &semantics.saved_queries[of].said,
            };
            json["label"] = said.label.clone().into();
            for key in ["type", "type_params", "entities", "dimensions", "measures", "query_params"] {
                if let Some(written) = said.written.get(key) {
                    json[key] = written.clone();
                }
            }
        }
        NodeKind::Exposure { index: of } => {
            let exposure = &project.exposures[*of];
            json["type"] = exposure.kind.clone().into();
            json["url"] = exposure.url.clone().into();
            json["owner"] = json!(exposure.owner);
        }
    }
    json["config"] = config.into();
    json
}
