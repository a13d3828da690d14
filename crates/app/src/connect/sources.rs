//! Where the rows of a source come from, by what the target says of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use mep_contract::source::{LandingTable, Source, SourceError};
use mep_core::connection::{MessageFormat, PostgresConnection, SimulatorConfig};
use mep_files::{FilesSource, unread_folders as unread_folders_in};
use mep_graph::{Compiled, Graph, Node, NodeIndex, NodeKind, NodeSet};
use mep_kafka::KafkaSource;
use mep_lang::project::{
    KafkaConfig, OnLostOffsets, Problem, Problems, Project, SourceConnection, SourceTable,
};
use mep_postgres::{PostgresSource, PostgresTable};
use mep_run::ConnectedSource;
use mep_simulator::simulated::SimulatedSource;

/// Connects the selected nodes that are sources.
///
/// # Errors
/// A problem for each that the target does not connect.
pub fn connect(
    project: &Project,
    graph: &Graph,
    compiled: &Compiled,
    nodes: impl IntoIterator<Item = NodeIndex>,
) -> Result<Vec<ConnectedSource>, Problems> {
    let mut connected = Vec::new();
    let mut problems = Problems::default();
    let nodes: NodeSet = nodes.into_iter().collect();
    let are_all_sources =
        nodes.iter().all(|index| matches!(graph.node(*index).kind, NodeKind::Source { .. }));
    for index in nodes.iter().copied() {
        let node = graph.node(index);
        let NodeKind::Source { index: of, .. } = &node.kind else { continue };
        let Some(table) = compiled.sources.get(&index) else { continue };
        let declared = &project.sources[*of];
        match connect_one(project, declared, node, table) {
            Ok(source) => connected.push(ConnectedSource {
                node: index,
                table: table.clone(),
                source,
                max_rejected: declared.max_rejected,
            }),
            // What nothing reads need not be anywhere.
            Err(_)
                if !are_all_sources && !graph.children(index).iter().any(|child| nodes.contains(child)) => {}
            Err(problem) => problems.push(problem),
        }
    }
    problems.none_or(connected)
}

fn connect_one(
    project: &Project,
    declared: &SourceTable,
    node: &Node,
    table: &LandingTable,
) -> Result<Box<dyn Source>, Problem> {
    let at_table = |error: SourceError| at(Problem::new(error.to_string()), node);
    match connection(project, declared)? {
        SourceConnection::Files { path, .. } => {
            let source = FilesSource::new(absolute(project, path), pattern(declared), table);
            Ok(Box::new(source.map_err(|error| at(Problem::new(error.to_string()), node))?))
        }
        SourceConnection::Kafka(config) => {
            Ok(Box::new(kafka_source(project, declared, config, table).map_err(at_table)?))
        }
        SourceConnection::Postgres(config) => {
            let (place, cursor) = (postgres_table(declared, config), declared.cursor.as_ref());
            let cursor = cursor.map(|cursor| cursor.value.clone());
            let source = PostgresSource::new(config.clone(), place, cursor, table);
            Ok(Box::new(source.map_err(|error| at(Problem::new(error.to_string()), node))?))
        }
        SourceConnection::Simulator(config) => {
            Ok(Box::new(simulated_source(declared, config, table).map_err(at_table)?))
        }
        SourceConnection::Warehouse { .. } => {
            let message = format!("there is no table {} in the warehouse", table.raw);
            let help = "it is read where it is, once whoever publishes it has made it";
            Err(at(Problem::new(message).help(help), node))
        }
    }
}

/// Where the target says that a source is.
pub(super) fn connection<'p>(
    project: &'p Project,
    declared: &SourceTable,
) -> Result<&'p SourceConnection, Problem> {
    let target = &project.target;
    target.sources.get(&declared.source).ok_or_else(|| {
        let message =
            format!("the target `{}` does not say where the source `{}` is", target.name, declared.source);
        let problem = Problem::new(message).help(format!(
            "add it in profiles.yml, below `sources:` of `{}`: `{}: {{type: files, path: ...}}`; or have the table {}.{} in its warehouse",
            target.name,
            declared.source,
            declared.found_in(),
            declared.found_as()
        ));
        match &target.place {
            Some(place) => problem.at(place),
            None => problem,
        }
    })
}

/// A source table, as the database knows it.
pub(super) fn postgres_table(declared: &SourceTable, connection: &PostgresConnection) -> PostgresTable {
    PostgresTable { schema: declared.schema_in(connection).to_owned(), name: declared.found_as().to_owned() }
}

pub(super) fn at(problem: Problem, node: &Node) -> Problem {
    match &node.place {
        Some(place) => problem.at(place),
        None => problem,
    }
}

pub(super) fn kafka_source(
    project: &Project,
    declared: &SourceTable,
    config: &KafkaConfig,
    table: &LandingTable,
) -> Result<KafkaSource, SourceError> {
    let on_lost = declared.on_lost_offsets.unwrap_or(config.on_lost_offsets);
    KafkaSource::new(
        config.connection.clone(),
        &declared.name,
        config.topics_of(declared),
        on_lost == OnLostOffsets::Accept,
        &format(project, &config.format),
        &table.schema,
    )
}

pub(super) fn simulated_source(
    declared: &SourceTable,
    config: &SimulatorConfig,
    table: &LandingTable,
) -> Result<SimulatedSource, SourceError> {
    SimulatedSource::new(config.clone(), &declared.name, &table.schema)
}

/// A message's format, with the folder of schemas that a relative one lies in.
fn format(project: &Project, format: &MessageFormat) -> MessageFormat {
    match format {
        MessageFormat::Json => MessageFormat::Json,
        MessageFormat::Avro { schemas, wire } => {
            MessageFormat::Avro { schemas: project.root.join(schemas), wire: *wire }
        }
    }
}

/// For each place of files, the folders in it that no source table reads.
pub fn unread_folders(project: &Project) -> BTreeMap<PathBuf, Vec<String>> {
    let mut patterns: BTreeMap<PathBuf, Vec<String>> = BTreeMap::new();
    for table in &project.sources {
        if let Some(SourceConnection::Files { path, .. }) = project.target.sources.get(&table.source) {
            patterns.entry(absolute(project, path)).or_default().push(pattern(table));
        }
    }
    let unread = patterns.into_iter().filter_map(|(path, patterns)| {
        // Where the place cannot be listed, its tables say so.
        let folders = unread_folders_in(&path, &patterns).ok()?;
        (!folders.is_empty()).then_some((path, folders))
    });
    unread.collect()
}

fn pattern(table: &SourceTable) -> String {
    table.path.clone().unwrap_or_else(|| format!("{}/*", table.identifier.as_ref().unwrap_or(&table.name)))
}

/// A relative path is one in the project's folder, from wherever mep is called.
pub(super) fn absolute(project: &Project, path: &Path) -> PathBuf {
    let path = project.root.join(path);
    std::path::absolute(&path).unwrap_or(path)
}
