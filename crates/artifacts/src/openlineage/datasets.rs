//! The tables of a project as OpenLineage's datasets, named as its naming rules have it: a file's by its path, Hive's by the metastore.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value as Json, json};

use super::super::manifest::Described;
use super::facets;
use mep_core::connection::PostgresConnection;
use mep_core::relation::Relation;
use mep_graph::{Node, NodeIndex, NodeKind, TestDetail};
use mep_lang::project::{Project, SourceConnection, SourceTable, WarehouseConfig};
use mep_run::event::{NodeResult, Status};
use mep_sql::lineage::RowUse;
use mep_sql::sql_type;

/// What the events of a project say of its tables.
pub(super) struct Datasets<'a> {
    described: Described<'a>,
    relations: BTreeMap<Relation, NodeIndex>,
}

/// How a dataset is called.
#[derive(Clone, Debug, PartialEq, Eq)]
struct DatasetName {
    namespace: String,
    name: String,
}

impl DatasetName {
    fn field(&self, field: &str, kind: &str, subtype: &str) -> Json {
        json!({
            "namespace": self.namespace,
            "name": self.name,
            "field": field,
            "transformations": [{ "type": kind, "subtype": subtype }],
        })
    }
}

impl<'a> Datasets<'a> {
    pub(super) fn of(described: Described<'a>) -> Self {
        Self { described, relations: described.graph.by_relation() }
    }

    /// What a node reads; a source table, where it is landed from.
    pub(super) fn inputs(&self, index: NodeIndex) -> Vec<Json> {
        let Described { graph, project, .. } = self.described;
        if let NodeKind::Source { index: table, .. } = graph.node(index).kind {
            let of_source = |name: DatasetName| json!({ "namespace": name.namespace, "name": name.name });
            return origins(project, &project.sources[table]).into_iter().map(of_source).collect();
        }
        let mut tables = BTreeSet::new();
        self.add_tables(index, &mut tables);
        tables.into_iter().filter_map(|table| self.dataset(table)).collect()
    }

    /// The tables that a node reads, through what is inlined.
    fn add_tables(&self, index: NodeIndex, tables: &mut BTreeSet<NodeIndex>) {
        let graph = self.described.graph;
        for parent in graph.parents(index) {
            let node = graph.node(*parent);
            if node.is_inlined() && node.relation.is_none() || node.is_test() {
                self.add_tables(*parent, tables);
            } else {
                tables.insert(*parent);
            }
        }
    }

    /// What a test looked at, with what it found of the first of it.
    pub(super) fn tested(&self, index: NodeIndex, result: &NodeResult) -> Vec<Json> {
        let node = self.described.graph.node(index);
        let column = match &node.kind {
            NodeKind::Test(TestDetail::Generic { column, .. }) => column.as_deref(),
            _ => None,
        };
        let passed = result.status == Status::Pass;
        let mut inputs = self.inputs(index);
        if let Some(first) = inputs.first_mut() {
            let found = facets::assertion(&node.short_name(), passed, column);
            first["inputFacets"] = json!({ "dataQualityAssertions": found });
        }
        inputs
    }

    /// What a node wrote, of so many rows and bytes.
    pub(super) fn output(&self, index: NodeIndex, written: (u64, u64)) -> Option<Json> {
        let mut output = self.dataset(index)?;
        if let Some(lineage) = self.lineage(index) {
            output["facets"]["columnLineage"] = lineage;
        }
        if !self.described.graph.node(index).is_inlined() {
            output["outputFacets"] = json!({ "outputStatistics": facets::output_statistics(written) });
        }
        Some(output)
    }

    /// The table or view of a node, with its columns.
    fn dataset(&self, index: NodeIndex) -> Option<Json> {
        let Described { graph, compiled, .. } = self.described;
        let node = graph.node(index);
        let name = self.name(index)?;
        let mut facets = Map::new();
        if let Some(schema) = compiled.schema(index) {
            let field = |field: &std::sync::Arc<_>| field_of(node, field);
            facets.insert(
                "schema".to_owned(),
                facets::schema(&schema.fields().iter().map(field).collect::<Vec<_>>()),
            );
        }
        Some(json!({ "namespace": name.namespace, "name": name.name, "facets": facets }))
    }

    fn name(&self, index: NodeIndex) -> Option<DatasetName> {
        let project = self.described.project;
        let relation = self.described.graph.node(index).relation.as_ref()?;
        let schema = relation.schema.as_deref().unwrap_or(&project.target.schema);
        Some(match &project.target.warehouse {
            WarehouseConfig::Local { path } => {
                let folder = project.root.join(path).join(schema).join(&relation.name);
                DatasetName { namespace: "file".to_owned(), name: folder.to_string_lossy().into_owned() }
            }
            WarehouseConfig::Hive(config) => {
                let metastore = config.metastore.first().map_or("", String::as_str);
                let namespace = format!("hive://{}", metastore.trim_start_matches("thrift://"));
                DatasetName { namespace, name: format!("{schema}.{}", relation.name) }
            }
        })
    }

    /// Where the columns of a model come from, and what decides which rows it has.
    fn lineage(&self, index: NodeIndex) -> Option<Json> {
        let model = self.described.compiled.models.get(&index)?;
        let of = |relation: &Relation| self.relations.get(relation).and_then(|index| self.name(*index));
        let mut fields = Map::new();
        for (column, origins) in &model.lineage {
            let copied = model.copied.get(column);
            let inputs = origins.iter().filter_map(|origin| {
                let is_copied = copied.is_some_and(|copied| copied.contains(origin));
                let subtype = if is_copied { "IDENTITY" } else { "TRANSFORMATION" };
                Some(of(&origin.relation)?.field(&origin.column, "DIRECT", subtype))
            });
            let inputs: Vec<Json> = inputs.collect();
            if !inputs.is_empty() {
                fields.insert(column.clone(), json!({ "inputFields": inputs }));
            }
        }
        let mut decides = Vec::new();
        for (origin, uses) in &model.row_uses {
            let Some(name) = of(&origin.relation) else { continue };
            decides.extend(uses.iter().map(|how| name.field(&origin.column, "INDIRECT", subtype(*how))));
        }
        (!fields.is_empty() || !decides.is_empty()).then(|| facets::column_lineage(&fields, &decides))
    }
}

fn subtype(how: RowUse) -> &'static str {
    match how {
        RowUse::Filter => "FILTER",
        RowUse::Join => "JOIN",
        RowUse::Group => "GROUP_BY",
    }
}

fn field_of(node: &Node, field: &arrow::datatypes::Field) -> Json {
    let described = node.columns.iter().find(|column| column.name.value == *field.name());
    let mut json = json!({ "name": field.name(), "type": sql_type(field.data_type()) });
    if let Some(description) = described.and_then(|column| column.description.as_deref()) {
        json["description"] = description.into();
    }
    json
}

/// Where the rows of a source table are landed from.
fn origins(project: &Project, table: &SourceTable) -> Vec<DatasetName> {
    let file = |path: String| DatasetName { namespace: "file".to_owned(), name: path };
    if let Some(location) = &table.external_location {
        return vec![file(project.root.join(&location.value).to_string_lossy().into_owned())];
    }
    match project.target.sources.get(&table.source) {
        Some(SourceConnection::Files { path, .. }) => {
            let below = table.path.clone().unwrap_or_else(|| table.name.clone());
            vec![file(project.root.join(path).join(below).to_string_lossy().into_owned())]
        }
        Some(SourceConnection::Kafka(config)) => {
            let brokers = config.connection.brokers.first().cloned().unwrap_or_default();
            let named = |name| DatasetName { namespace: format!("kafka://{brokers}"), name };
            config.topics_of(table).into_iter().map(named).collect()
        }
        Some(SourceConnection::Postgres(connection)) => {
            let PostgresConnection { host, port, database, .. } = connection;
            let schema = table.schema_in(connection);
            let name = format!("{database}.{schema}.{}", table.found_as());
            vec![DatasetName { namespace: format!("postgres://{host}:{port}"), name }]
        }
        Some(SourceConnection::Simulator(_)) => {
            vec![DatasetName {
                namespace: "simulator".to_owned(),
                name: format!("{}.{}", table.source, table.name),
            }]
        }
        // It is an input of what reads it, as a table of the warehouse.
        Some(SourceConnection::Warehouse { .. }) | None => Vec::new(),
    }
}
