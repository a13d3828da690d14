//! A node in dbt's words.

use std::fs;

use serde_json::{Map, Number, Value as Json, json};

use super::super::compiled_paths::CompiledPaths;
use super::super::paths::{in_package, in_resources};
use super::{Described, config, contract, exposure, groups, semantics, sha256, source, unit_test};
use mep_graph::{Node, NodeIndex, NodeKind, TestDetail, deprecation_time};
use mep_lang::project::{Column, Properties, SqlFile};

/// What is added to a target's schema to name that of tests, as dbt has it without a word of the user's.
pub(super) const TEST_SCHEMA: &str = "dbt_test__audit";

/// Writes nodes.
pub(super) struct NodeWriter<'a> {
    pub(super) described: Described<'a>,
    pub(super) paths: &'a CompiledPaths,
}

impl NodeWriter<'_> {
    /// A node, in the form that its kind has; one without an index is not in the graph.
    pub(super) fn written(&self, node: &Node, index: Option<NodeIndex>) -> Json {
        let Described { project, .. } = self.described;
        let config = Json::Object(config::config(node));
        let path = in_package(project, &node.path);
        let mut json = json!({
            "unique_id": node.id.as_str(),
            "name": node.name,
            "resource_type": node.resource_type(),
            "package_name": project.package_of(&node.path),
            "path": self.path(node),
            "original_file_path": path.to_string_lossy(),
            "fqn": node.fqn,
            "description": node.description.clone().unwrap_or_default(),
            "config": config,
        });
        match &node.kind {
            NodeKind::Semantic(detail) => {
                semantics::add(&mut json, self.described, node, *detail);
                return json;
            }
            NodeKind::Test(TestDetail::Unit { index, .. }) => {
                unit_test::add(&mut json, self.described, node, &project.unit_tests[*index]);
                return json;
            }
            _ => {}
        }
        json["tags"] = node.config.tags.clone().into();
        json["meta"] = node.config.meta.clone();
        if !matches!(node.kind, NodeKind::Exposure { .. }) {
            json["columns"] = node.columns.iter().map(|one| (one.name.value.clone(), column(one))).collect();
            json["database"] = Json::Null;
            json["schema"] = self.schema(node).into();
            json["relation_name"] = node.own_relation().map(ToString::to_string).into();
            json["patch_path"] = self.patch_path(node).into();
        }
        match &node.kind {
            NodeKind::Source { index, .. } => {
                let freshness = source::freshness(json["config"].get("freshness"));
                json["config"]["freshness"] = freshness;
                source::add(&mut json, node, &project.sources[*index]);
                return json;
            }
            NodeKind::Exposure { index } => exposure::add(&mut json, &project.exposures[*index]),
            _ => self.add_stored(&mut json, node, index),
        }
        if !matches!(node.kind, NodeKind::Seed { .. }) {
            add_inputs(&mut json, node);
        }
        json
    }

    /// The file below the folder in which files of its kind are looked for.
    fn path(&self, node: &Node) -> String {
        let Described { project, .. } = self.described;
        match &node.kind {
            NodeKind::Test(TestDetail::Generic { .. }) => format!("{}.sql", node.short_name()),
            NodeKind::Source { .. } => in_package(project, &node.path).to_string_lossy().into_owned(),
            _ => in_resources(project, node).to_string_lossy().into_owned(),
        }
    }

    fn schema(&self, node: &Node) -> String {
        let target = &self.described.project.target.schema;
        let own = node.own_relation().and_then(|relation| relation.schema.clone());
        own.unwrap_or_else(|| match node.kind {
            NodeKind::Test(_) => format!("{target}_{TEST_SCHEMA}"),
            _ => target.clone(),
        })
    }

    /// Where a properties file describes it.
    fn patch_path(&self, node: &Node) -> Option<String> {
        let Described { project, .. } = self.described;
        let properties: &Properties = match &node.kind {
            NodeKind::Model { index, .. } => &project.models[*index].properties,
            NodeKind::Seed { index } => &project.seeds[*index].properties,
            NodeKind::Snapshot { index } => &project.snapshots[*index].file.properties,
            NodeKind::Test(TestDetail::Singular { index }) => &project.tests[*index].properties,
            _ => return None,
        };
        let path = properties.place.as_ref()?.text.path();
        Some(format!("{}://{}", project.package_of(path), in_package(project, path).to_string_lossy()))
    }

    /// What models, seeds, snapshots and tests have.
    fn add_stored(&self, json: &mut Json, node: &Node, index: Option<NodeIndex>) {
        let Described { project, .. } = self.described;
        let alias = node.own_relation().map(|relation| relation.name.clone());
        json["alias"] = alias
            .unwrap_or_else(|| node.version().map_or_else(|| node.short_name(), |_| node.name_with_version()))
            .into();
        json["group"] = groups::group(self.described.graph, node).into();
        json["docs"] = json["config"].get("docs").cloned().unwrap_or_else(|| json!({ "show": true }));
        json["build_path"] = Json::Null;
        let code = self.raw_code(node);
        json["checksum"] = self.checksum(node, &code);
        json["raw_code"] = code.into();
        if let NodeKind::Seed { .. } = node.kind {
            json["root_path"] = project.root.to_string_lossy().into();
            json["depends_on"] = json!({ "macros": node.mentions.macros });
            return;
        }
        let language =
            if node.path.extension().is_some_and(|extension| extension == "py") { "python" } else { "sql" };
        json["language"] = language.into();
        json["compiled_path"] = Json::Null;
        if let Some(contract) = json["config"].get("contract") {
            let mut contract = contract.clone();
            contract["checksum"] = Json::Null;
            json["contract"] = contract;
        }
        if let NodeKind::Model { index, .. } = node.kind {
            add_model(json, node, &project.models[index]);
        }
        if let NodeKind::Test(TestDetail::Generic { test, attached, column }) = &node.kind {
            let (package, name) = test.package_and_name();
            json["column_name"] = column.clone().into();
            json["attached_node"] = attached.as_str().starts_with("source.").then_some(()).map_or_else(
                || Json::from(attached.as_str()),
                // dbt attaches no node to the tests of sources.
                |()| Json::Null,
            );
            let mut kwargs: Map<String, Json> =
                test.arguments.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
            if let Some(column) = column {
                kwargs.insert("column_name".to_owned(), column.as_str().into());
            }
            kwargs.insert("model".to_owned(), node.tested_model().into());
            json["test_metadata"] = json!({ "name": name, "kwargs": kwargs, "namespace": package });
        }
        if let Some(sql) = index.and_then(|index| self.compiled_code(index)) {
            json["compiled"] = true.into();
            json["compiled_code"] = sql.into();
            json["compiled_path"] =
                project.target_path.join(self.paths.path(project, node)).to_string_lossy().into();
        }
    }

    /// The SQL that a node was compiled to.
    fn compiled_code(&self, index: NodeIndex) -> Option<&str> {
        self.described.compiled.sql(index)
    }

    /// The text that the user wrote.
    fn raw_code(&self, node: &Node) -> String {
        let Described { project, .. } = self.described;
        match &node.kind {
            NodeKind::Model { index, .. } => project.models[*index].text.text().trim().to_owned(),
            NodeKind::Snapshot { index } => {
                let file = &project.snapshots[*index].file;
                let block = file.block.map_or(0..file.text.text().len(), |block| block.start..block.end());
                file.text.text().get(block).unwrap_or_default().trim().to_owned()
            }
            NodeKind::Test(TestDetail::Singular { index }) => {
                project.tests[*index].text.text().trim().to_owned()
            }
            NodeKind::Test(TestDetail::Generic { test, .. }) => {
                let (package, name) = test.package_and_name();
                let package = package.map(|package| format!("{package}.")).unwrap_or_default();
                let call = format!("{{{{ {package}test_{name}(**_dbt_generic_test_kwargs) }}}}");
                call + &config::call(node, &test.config)
            }
            NodeKind::Test(TestDetail::Unit { .. })
            | NodeKind::Seed { .. }
            | NodeKind::Source { .. }
            | NodeKind::Semantic(_)
            | NodeKind::Exposure { .. } => String::new(),
        }
    }

    /// What tells whether the file is another than it was.
    fn checksum(&self, node: &Node, code: &str) -> Json {
        let Described { project, .. } = self.described;
        let nothing = json!({ "name": "none", "checksum": "" });
        match &node.kind {
            NodeKind::Test(TestDetail::Generic { .. }) => nothing,
            NodeKind::Seed { .. } => {
                // From this size on, dbt goes by the path alone.
                const MOST: u64 = 1 << 20;
                let path = project.root.join(&node.path);
                if fs::metadata(&path).is_ok_and(|file| file.len() > MOST) {
                    let path = in_package(project, &node.path);
                    return json!({ "name": "path", "checksum": path.to_string_lossy() });
                }
                fs::read_to_string(&path).map_or(nothing, |text| checksum(text.trim().as_bytes()))
            }
            // That of the whole file, in which there may be other snapshots.
            NodeKind::Snapshot { index } => {
                checksum(project.snapshots[*index].file.text.text().trim().as_bytes())
            }
            _ => checksum(code.as_bytes()),
        }
    }
}

fn checksum(bytes: &[u8]) -> Json {
    json!({ "name": "sha256", "checksum": sha256(bytes) })
}

/// What models have, and nothing else that is stored.
fn add_model(json: &mut Json, node: &Node, file: &SqlFile) {
    let properties = &file.properties;
    json["access"] = node.config.model().access.as_str().into();
    json["constraints"] = properties.constraints.iter().map(contract::of_model).collect();
    if node.config.model().contract {
        json["contract"]["checksum"] = contract::checksum(node, &properties.constraints).into();
    }
    let of = node.version();
    json["version"] = of.map(|of| version(&of.version)).into();
    json["latest_version"] = of.map(|of| version(&of.latest)).into();
    let date = properties.deprecation_date.as_ref().and_then(|written| deprecation_time(&written.value));
    json["deprecation_date"] = date.map(|time| time.and_utc().to_rfc3339()).into();
}

/// A version of a model: a number, where it is one.
pub(super) fn version(written: &str) -> Json {
    serde_json::from_str::<Number>(written).map_or_else(|_| written.into(), Json::Number)
}

/// What a node is made of.
fn add_inputs(json: &mut Json, node: &Node) {
    json["refs"] = references(node);
    json["sources"] = node.mentions.sources.iter().map(|(source, table)| json!([source, table])).collect();
    json["metrics"] = json!([]);
    json["depends_on"] = depends_on(node);
}

/// What a node's `ref()` name.
pub(super) fn references(node: &Node) -> Json {
    let reference = |(package, name): &(Option<String>, String)| {
        let (plain, of) = match name.split_once(".v") {
            Some((plain, of)) if is_text(node, name) => (plain, of.into()),
            Some((plain, of)) => (plain, version(of)),
            None => (name.as_str(), Json::Null),
        };
        json!({ "name": plain, "package": package, "version": of })
    };
    node.mentions.refs.iter().map(reference).collect()
}

/// Whether dbt has the version of what a test tests from a text of its own: two tests it knows without one.
fn is_text(node: &Node, name: &str) -> bool {
    let NodeKind::Test(TestDetail::Generic { test, attached, .. }) = &node.kind else { return false };
    let is_tested = attached.as_str().splitn(3, '.').nth(2) == Some(name);
    is_tested && !["unique", "not_null"].contains(&test.test.value.as_str())
}

/// The macros and the nodes that a node needs.
pub(super) fn depends_on(node: &Node) -> Json {
    json!({
        "macros": node.mentions.macros,
        "nodes": node.depends_on.iter().map(|needed| needed.id.as_str()).collect::<Vec<_>>(),
    })
}

/// A column as the files describe it.
fn column(column: &Column) -> Json {
    json!({
        "name": column.name.value,
        "description": column.description.clone().unwrap_or_default(),
        "data_type": column.data_type.as_ref().map(|data_type| &data_type.value),
        "constraints": column.constraints.iter().map(contract::of_column).collect::<Vec<_>>(),
        "quote": column.quote.then_some(true),
        "meta": column.meta,
        "tags": column.tags,
        "config": { "meta": column.meta, "tags": column.tags },
    })
}
