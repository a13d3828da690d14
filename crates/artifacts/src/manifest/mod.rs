//! The graph as `manifest.json`, in the form of dbt's version 12.
//!
//! A key has the meaning that it has for dbt, or is not there: what mep does not know is not made up.

mod config;
mod contract;
mod exposure;
mod groups;
mod macros;
mod node;
mod semantics;
mod source;
mod unit_test;

use std::io;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};

use self::node::NodeWriter;
pub(super) use self::source::freshness;
use super::compiled_paths::CompiledPaths;
use super::files;
use mep_contract::warehouse::RunId;
use mep_core::secrets;
use mep_graph::{Compiled, Graph, NodeIndex, NodeKind, SemanticDetail, TestDetail};
use mep_lang::jinja::Templates;
use mep_lang::project::Project;

/// The dbt whose artifacts these are.
const DBT_VERSION: &str = "1.11.16";
/// Environment variables that begin so are passed on to readers of the artifacts, as with dbt.
const PASSED_ON: &str = "DBT_ENV_CUSTOM_ENV_";

/// What the artifacts of one call are made of.
#[derive(Clone, Copy)]
pub struct Described<'a> {
    /// The files.
    pub project: &'a Project,
    /// The templates, for the macros.
    pub templates: &'a Templates,
    /// The graph.
    pub graph: &'a Graph,
    /// What was compiled of it.
    pub compiled: &'a Compiled,
    /// The id of the call.
    pub run: &'a RunId,
}

/// Writes the manifest.
///
/// # Errors
/// Where the file cannot be written.
pub fn write_manifest(described: Described<'_>) -> io::Result<()> {
    let mut json = manifest(described);
    secrets::mask_json(&mut json);
    files::write(&described.project.artifact("manifest.json")?, &serde_json::to_vec(&json)?)?;
    super::semantic_manifest::write(described, &json)
}

/// What every artifact says of the call that wrote it.
pub(super) fn metadata(schema: &str, described: Described<'_>) -> Json {
    let variables = std::env::vars_os().filter_map(|(name, value)| {
        let name = name.to_str()?.strip_prefix(PASSED_ON)?.to_owned();
        Some((name, value.to_str()?.to_owned()))
    });
    let started = time(described.templates.run_started_at());
    json!({
        "dbt_schema_version": format!("https://schemas.getdbt.com/dbt/{schema}.json"),
        "dbt_version": DBT_VERSION,
        "generated_at": time(Utc::now()),
        "invocation_id": described.run.as_str(),
        "invocation_started_at": started,
        "env": variables.collect::<std::collections::BTreeMap<_, _>>(),
    })
}

/// A hash in the digits that dbt writes it in.
fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A time as dbt's artifacts have it.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// The manifest as it is written.
pub(super) fn manifest(described: Described<'_>) -> Json {
    let Described { project, graph, .. } = described;
    let paths = CompiledPaths::of(project, graph);
    let writer = NodeWriter { described, paths: &paths };
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
        let json = writer.written(node, Some(index));
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
    let mut disabled: Map<String, Json> = Map::new();
    for node in graph.disabled() {
        let of_id = disabled.entry(node.id.as_str()).or_insert_with(|| json!([]));
        if let Some(of_id) = of_id.as_array_mut() {
            of_id.push(writer.written(node, None));
        }
    }
    let mut metadata = metadata("manifest/v12", described);
    metadata["project_name"] = project.name.clone().into();
    metadata["adapter_type"] = "mep".into();
    metadata["send_anonymous_usage_stats"] = false.into();
    // Moved in one by one: `json!` would copy them.
    let sections = [
        ("metadata", metadata),
        ("nodes", nodes.into()),
        ("sources", sources.into()),
        ("macros", macros::macros(project, described.templates)),
        ("docs", macros::docs(project)),
        ("exposures", exposures.into()),
        ("metrics", metrics.into()),
        ("groups", groups::groups(project)),
        ("selectors", json!({})),
        ("disabled", disabled.into()),
        ("parent_map", parents.into()),
        ("child_map", children.into()),
        ("group_map", groups::group_map(project, graph)),
        ("saved_queries", saved_queries.into()),
        ("semantic_models", semantic_models.into()),
        ("unit_tests", unit_tests.into()),
        ("functions", json!({})),
    ];
    sections.into_iter().map(|(name, section)| (name.to_owned(), section)).collect()
}
