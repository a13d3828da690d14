//! From what is known of a project to what the page says.

use std::collections::HashMap;

use arrow::datatypes::SchemaRef;
use chrono::Utc;
use serde_json::Value as Json;

use super::holdings::Holdings;
use super::results::Results;
use super::site::{
    Chart, ColumnEntry, ExposureChart, ExposureEntry, NodeEntry, Relationship, Site, Stored, TestEntry,
};
use mep_core::relation::Relation;
use mep_graph::{
    Compiled, Graph, IncrementalStrategy, Materialization, ModelStore, Node, NodeIndex, NodeKind, NodeSet,
    Severity, TestDetail, tested_relation,
};
use mep_lang::project::{Project, StreamingTarget, WarehouseConfig};
use mep_sql::dialect::trino_type;
use mep_sql::{ColumnOf, Origins};

/// What is known of a project.
#[derive(Clone, Copy)]
pub struct SiteInputs<'a> {
    /// The files.
    pub project: &'a Project,
    /// The graph.
    pub graph: &'a Graph,
    /// Its compiled nodes.
    pub compiled: &'a Compiled,
    /// What the warehouse holds.
    pub holdings: &'a Holdings,
    /// What runs left.
    pub results: &'a Results,
}

/// Puts together what the page says of these nodes.
pub fn gather(
    known: SiteInputs<'_>,
    nodes: &NodeSet,
    charts: Vec<(NodeIndex, Chart)>,
    notices: Vec<String>,
) -> Site {
    let is_shown = |index: &NodeIndex| {
        !matches!(known.graph.node(*index).kind, NodeKind::Test(_) | NodeKind::Semantic(_))
    };
    let shown: Vec<NodeIndex> = nodes.iter().copied().filter(is_shown).collect();
    let places: HashMap<NodeIndex, usize> =
        shown.iter().enumerate().map(|(place, index)| (*index, place)).collect();
    let relations = shown.iter().map(|index| (tested_relation(known.graph.node(*index)), *index)).collect();
    let gathering = Gathering { known, places, relations };
    let tests: Vec<NodeIndex> = known
        .graph
        .indices()
        .filter(|index| known.graph.node(*index).is_test() && gathering.is_of_shown(*index))
        .collect();
    let relationships =
        tests.iter().enumerate().filter_map(|(place, index)| gathering.relationship(place, *index));
    let charts = charts.into_iter().filter_map(|(exposure, chart)| {
        Some(ExposureChart { exposure: *gathering.places.get(&exposure)?, chart })
    });
    Site {
        project: known.project.name.clone(),
        target: known.project.target.name.clone(),
        version: env!("CARGO_PKG_VERSION"),
        generated: Utc::now().timestamp_millis(),
        warehouse: matches!(known.holdings, Holdings::Known { .. }).then(|| place_of(known.project)),
        notices,
        last_run: known.results.last_run.clone(),
        relationships: relationships.collect(),
        charts: charts.collect(),
        nodes: shown.iter().map(|index| gathering.node(*index)).collect(),
        tests: tests.iter().map(|index| gathering.test(*index)).collect(),
    }
}

struct Gathering<'a> {
    known: SiteInputs<'a>,
    /// The place of each shown node on the page.
    places: HashMap<NodeIndex, usize>,
    /// The shown node behind each relation, by which lineage names it.
    relations: HashMap<Relation, NodeIndex>,
}

impl Gathering<'_> {
    /// Whether a test is about a node that is shown.
    fn is_of_shown(&self, test: NodeIndex) -> bool {
        let subject = self.tested(test).first().copied();
        subject.is_some_and(|subject| self.places.contains_key(&subject))
    }

    /// The nodes that a test reads, the one that it is attached to first.
    fn tested(&self, test: NodeIndex) -> Vec<NodeIndex> {
        let graph = self.known.graph;
        let mut parents = graph.parents(test).to_vec();
        if let NodeKind::Test(TestDetail::Generic { attached, .. }) = &graph.node(test).kind
            && let Some(attached) = graph.position(attached)
        {
            parents.sort_by_key(|parent| *parent != attached);
        }
        parents
    }

    fn node(&self, index: NodeIndex) -> NodeEntry {
        let SiteInputs { project, graph, compiled, results, .. } = self.known;
        let node = graph.node(index);
        let (mut source, mut sql) = (None, None);
        if let NodeKind::Model { index: of, .. } = node.kind {
            let written = project.models[of].text.text();
            let model = compiled.models.get(&index).map(|model| model.sql.trim_end().to_owned());
            sql = model.filter(|model| model != written.trim_end());
            source = Some(written.trim_end().to_owned());
        }
        let parents = graph.parents(index).iter().filter_map(|parent| self.places.get(parent).copied());
        NodeEntry {
            kind: node.resource_type(),
            name: node.shown_name(),
            materialized: matches!(node.kind, NodeKind::Model { .. })
                .then(|| node.config.materialized().as_str()),
            path: node.path.to_string_lossy().into_owned(),
            folders: folders(node),
            relation: node.relation.as_ref().map(ToString::to_string),
            description: node.description.clone().filter(|text| !text.trim().is_empty()),
            tags: node.config.tags.clone(),
            config: config(node),
            parents: parents.collect(),
            columns: self.columns(index),
            source,
            compiled: sql,
            stored: self.stored(node),
            result: results.by_id.get(node.id.as_str()).cloned(),
            exposure: self.exposure(node),
        }
    }

    fn exposure(&self, node: &Node) -> Option<ExposureEntry> {
        let NodeKind::Exposure { index } = node.kind else { return None };
        let exposure = &self.known.project.exposures[index];
        let words = exposure.owner.values().filter_map(Json::as_str).map(str::to_owned);
        Some(ExposureEntry { kind: exposure.kind.clone(), url: exposure.url.clone(), owner: words.collect() })
    }

    fn stored(&self, node: &Node) -> Stored {
        let Some(relation) = &node.relation else { return Stored::Nowhere };
        let target = &self.known.project.target;
        if node.config.materialized() == Materialization::Streaming {
            let elsewhere = match (&target.streaming, &target.warehouse) {
                (Some(StreamingTarget::Cassandra(cassandra)), _) => {
                    Some(format!("Cassandra, keyspace {}", cassandra.keyspace))
                }
                (None, WarehouseConfig::Hive(_)) => Some("no place: this target streams nothing".to_owned()),
                (None, WarehouseConfig::Local { .. }) => None,
            };
            if let Some(place) = elsewhere {
                return Stored::Elsewhere { place };
            }
        }
        self.known.holdings.of(relation)
    }

    /// The columns of the table, with what the properties say of them; then those that are described and not there.
    fn columns(&self, index: NodeIndex) -> Vec<ColumnEntry> {
        let node = self.known.graph.node(index);
        let mut described: Vec<&mep_lang::project::Column> = node.columns.iter().collect();
        let model = self.known.compiled.models.get(&index);
        let mut columns = Vec::new();
        for field in self.schema(index).iter().flat_map(|schema| schema.fields()) {
            let found =
                described.iter().position(|column| column.name.value.eq_ignore_ascii_case(field.name()));
            let said = found.map(|place| described.remove(place));
            columns.push(ColumnEntry {
                name: field.name().clone(),
                data_type: Some(
                    trino_type(field.data_type()).unwrap_or_else(|_| field.data_type().to_string()),
                ),
                description: said.and_then(|column| column.description.clone()),
                from: model
                    .and_then(|model| model.lineage.get(field.name()))
                    .map_or_else(Vec::new, |origins| self.from(origins)),
            });
        }
        columns.extend(described.into_iter().map(|column| ColumnEntry {
            name: column.name.value.clone(),
            data_type: None,
            description: column.description.clone(),
            from: Vec::new(),
        }));
        columns
    }

    /// The columns that a column comes from, as the page names them.
    fn from(&self, origins: &Origins) -> Vec<(usize, usize)> {
        let place = |origin: &ColumnOf| {
            let node = *self.relations.get(&origin.relation)?;
            let column = self.schema(node)?.index_of(&origin.column).ok()?;
            Some((*self.places.get(&node)?, column))
        };
        origins.iter().filter_map(place).collect()
    }

    fn schema(&self, index: NodeIndex) -> Option<SchemaRef> {
        let compiled = self.known.compiled;
        let model = compiled.models.get(&index).map(|model| model.schema.clone());
        let seed = || compiled.seeds.get(&index).map(|seed| seed.schema.clone());
        let source = || compiled.sources.get(&index).and_then(|table| table.table_schema().ok());
        let in_place = || compiled.in_place.get(&index).map(|table| table.schema.clone());
        model.or_else(seed).or_else(source).or_else(in_place)
    }

    fn test(&self, index: NodeIndex) -> TestEntry {
        let SiteInputs { project, graph, results, .. } = self.known;
        let node = graph.node(index);
        let nodes = self.tested(index).into_iter().filter_map(|tested| self.places.get(&tested).copied());
        let mut entry = TestEntry {
            name: node.name.clone(),
            test: None,
            nodes: nodes.collect(),
            column: None,
            arguments: Json::Null,
            where_sql: node.config.test().where_sql.clone(),
            warns: node.config.test().severity == Severity::Warn,
            description: node.description.clone(),
            path: node.path.to_string_lossy().into_owned(),
            source: None,
            result: results.by_id.get(node.id.as_str()).cloned(),
        };
        match &node.kind {
            NodeKind::Test(TestDetail::Generic { test, column, .. }) => {
                entry.test = Some(test.test.value.clone());
                entry.column.clone_from(column);
                if !test.arguments.is_empty() {
                    entry.arguments = Json::Object(test.arguments.clone().into_iter().collect());
                }
            }
            NodeKind::Test(TestDetail::Singular { index: of }) => {
                entry.source = Some(project.tests[*of].text.text().trim_end().to_owned());
            }
            _ => {}
        }
        entry
    }

    /// What a `relationships` test says.
    fn relationship(&self, place: usize, index: NodeIndex) -> Option<Relationship> {
        let node = self.known.graph.node(index);
        let NodeKind::Test(TestDetail::Generic { test, column, .. }) = &node.kind else { return None };
        if test.test.value.rsplit('.').next() != Some("relationships") {
            return None;
        }
        let tested = self.tested(index);
        let from = *tested.first()?;
        // A table whose rows name rows of the same table is its only parent.
        let to = *tested.get(1).unwrap_or(&from);
        Some(Relationship {
            from: *self.places.get(&from)?,
            column: column.clone()?,
            to: *self.places.get(&to)?,
            field: test.arguments.get("field")?.as_str()?.to_owned(),
            test: place,
        })
    }
}

/// Where the warehouse is, as the target says it.
fn place_of(project: &Project) -> String {
    match &project.target.warehouse {
        WarehouseConfig::Local { path } => path.display().to_string(),
        WarehouseConfig::Hive(hive) => hive.location.clone(),
    }
}

/// The folders between the project and the node's own name.
fn folders(node: &Node) -> Vec<String> {
    match &node.kind {
        NodeKind::Source { source, .. } => vec![source.clone()],
        NodeKind::Model { .. } | NodeKind::Seed { .. } | NodeKind::Snapshot { .. } => {
            let inner = node.fqn.get(1..node.fqn.len().saturating_sub(1));
            inner.unwrap_or_default().to_vec()
        }
        NodeKind::Test(_) | NodeKind::Semantic(_) | NodeKind::Exposure { .. } => Vec::new(),
    }
}

fn config(node: &Node) -> Vec<(&'static str, String)> {
    let config = node.config.model();
    let streaming = &config.streaming;
    let strategy = config.incremental_strategy.map(IncrementalStrategy::as_str);
    let store = match config.store {
        ModelStore::Warehouse => "",
        ModelStore::Cassandra => "cassandra",
    };
    let clustering = streaming
        .clustering
        .iter()
        .map(|one| if one.descending { format!("{} desc", one.column) } else { one.column.clone() });
    let lateness = streaming.allowed_lateness.map(|span| format!("{} s", span.as_secs()));
    let kept = streaming.ttl.map(|span| format!("{} s", span.as_secs()));
    let all = [
        ("partitioned by", config.partition_by.join(", ")),
        ("unique key", node.config.unique_key().join(", ")),
        ("strategy", strategy.unwrap_or_default().to_owned()),
        ("served from", store.to_owned()),
        ("partition key", streaming.partition_key.join(", ")),
        ("clustering", clustering.collect::<Vec<_>>().join(", ")),
        ("allowed lateness", lateness.unwrap_or_default()),
        ("kept for", kept.unwrap_or_default()),
    ];
    all.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
