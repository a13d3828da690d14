//! Which streams there are to carry on: the streaming models of a selection, by the source that they read.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::sources::{at, connection, kafka_source, simulated_source};
use mep_contract::sink::{Sink, SinkTable};
use mep_contract::source::tail::Stream;
use mep_contract::source::{LandingTable, SourceError};
use mep_graph::{Compiled, CompiledStream, Graph, NodeIndex, NodeKind};
use mep_kafka::DeadLetterTopics;
use mep_lang::project::{Problem, Problems, Project, SourceConnection, SourceTable};
use mep_simulator::simulated_stream::SimulatedStream;
use mep_stream::{DeadLetters, Job, RejectLimit, StreamModel};

/// How streams are connected.
#[derive(Clone, Copy)]
pub struct Streaming<'a> {
    /// What makes the place of a model's rows.
    pub sink: &'a dyn Fn(&SinkTable) -> Arc<dyn Sink>,
    /// How many times as fast as the clock the simulator goes; `None`: as fast as it is read.
    pub speed: Option<f64>,
}

/// The streams of these nodes: one for each source, with the models that read it.
///
/// # Errors
/// A problem for each source that the target does not connect, or that does not go on.
pub fn connect_streams(
    project: &Project,
    graph: &Graph,
    compiled: &Compiled,
    nodes: impl IntoIterator<Item = NodeIndex>,
    streaming: Streaming<'_>,
) -> Result<Vec<Job>, Problems> {
    let mut by_source: BTreeMap<NodeIndex, Vec<&CompiledStream>> = BTreeMap::new();
    for index in nodes {
        let stream = compiled.models.get(&index).and_then(|model| model.stream.as_ref());
        if let Some(stream) = stream {
            by_source.entry(stream.source).or_default().push(stream);
        }
    }
    let (mut jobs, mut problems) = (Vec::new(), Problems::default());
    for (source, models) in by_source {
        let node = graph.node(source);
        let NodeKind::Source { index, .. } = &node.kind else { continue };
        let declared = &project.sources[*index];
        if node.is_in_place() {
            problems.push(at(
                Problem::new(does_not_go_on(declared, "a table of the warehouse, which does not go on")),
                node,
            ));
            continue;
        }
        let Some(table) = compiled.sources.get(&source) else { continue };
        let connected = connection(project, declared).and_then(|found| {
            connect(project, declared, found, table, streaming.speed)
                .map_err(|error| at(Problem::new(error.to_string()), node))
        });
        let models = models.into_iter().map(|stream| StreamModel {
            spec: stream.spec.clone(),
            sink: (streaming.sink)(&stream.spec.table),
        });
        match connected {
            Ok((source, dead_letters)) => jobs.push(Job {
                source,
                relation: table.raw.clone(),
                schema: table.schema.clone(),
                models: models.collect(),
                dead_letters,
                limit: declared.max_rejected.map(|limit| RejectLimit {
                    said: limit.to_string(),
                    allows: Arc::new(move |rejected, read| limit.allows(rejected, read)),
                }),
                reload: None,
                group: format!("mep.{}.{}", project.name, project.target.name),
            }),
            Err(problem) => problems.push(problem),
        }
    }
    problems.none_or(jobs)
}

type Connected = (Arc<dyn Stream>, Option<Arc<DeadLetters>>);

fn connect(
    project: &Project,
    declared: &SourceTable,
    connection: &SourceConnection,
    table: &LandingTable,
    speed: Option<f64>,
) -> Result<Connected, SourceError> {
    match connection {
        SourceConnection::Kafka(config) => {
            let source = kafka_source(project, declared, config, table)?;
            let topics = DeadLetterTopics::new(config.connection.clone());
            Ok((Arc::new(source), Some(Arc::new(move |letters: &mut Vec<_>| topics.send(letters)))))
        }
        SourceConnection::Simulator(config) => {
            let source = simulated_source(declared, config, table)?;
            let stream = SimulatedStream::new(source, &declared.name, table.schema.clone(), speed)?;
            Ok((Arc::new(stream), None))
        }
        SourceConnection::Files { .. } => {
            Err(SourceError::unreadable(does_not_go_on(declared, "in files, which do not go on")))
        }
        SourceConnection::Postgres(_) => {
            Err(SourceError::unreadable(does_not_go_on(declared, "a database, which does not go on")))
        }
        SourceConnection::Warehouse { .. } => Err(SourceError::unreadable(does_not_go_on(
            declared,
            "a table of the warehouse, which does not go on",
        ))),
    }
}

fn does_not_go_on(declared: &SourceTable, what: &str) -> String {
    format!("the source `{}` is {what}: streaming models read Kafka, or the simulator", declared.source)
}
