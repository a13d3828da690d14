//! Compiling what is particular to a streaming model: its SQL taken apart, and the key of its rows.

use std::collections::HashMap;
use std::sync::Arc;

use super::config::ALLOWED_LATENESS;
use super::node::Node;
use super::node_index::NodeIndex;
use super::serving::sink_table;
use mep_contract::sink::ModelSpec;
use mep_contract::source::LandingTable;
use mep_core::fingerprint::{Fingerprint, Structure};
use mep_lang::jinja::Rendered;
use mep_lang::project::{Problem, nearest};
use mep_sql::streaming::{Refusal, StreamInput, StreamQuery, relations};
use mep_sql::{PlannedQuery, Scope};

/// A streaming model, compiled.
#[derive(Clone, Debug)]
pub struct CompiledStream {
    /// The source that it reads: the node's index.
    pub source: NodeIndex,
    /// What it is to the stream.
    pub spec: Arc<ModelSpec>,
}

/// Compiles a streaming model.
///
/// # Errors
/// Where its SQL cannot be kept as events come, or its key names no rows.
pub(super) fn compile(
    scope: &Scope,
    node: &Node,
    rendered: &Rendered,
    plan: &PlannedQuery,
    sources: &HashMap<NodeIndex, LandingTable>,
    fingerprint: &Fingerprint,
    is_volatile: bool,
) -> Result<CompiledStream, Problem> {
    let whole = || rendered.map.place(0..0);
    if is_volatile {
        return Err(refused(&Refusal::of_volatile(), rendered));
    }
    let read = relations(scope, plan).map_err(|refusal| refused(&refusal, rendered))?;
    let mut streams: Vec<(NodeIndex, &LandingTable)> = sources
        .iter()
        .map(|(index, table)| (*index, table))
        .filter(|(_, table)| read.contains(&table.raw))
        .collect();
    streams.sort_by_key(|(index, _)| *index);
    let (source, table) = match streams.as_slice() {
        [one] => *one,
        [] => {
            let problem =
                Problem::new("a streaming model reads a source, and this one reads none").at(&whole());
            return Err(problem.help("read it with source(), or through views of it"));
        }
        [(_, one), (_, other), ..] => {
            let message = format!(
                "a streaming model reads one source, and this one reads {} and {}",
                one.raw, other.raw
            );
            return Err(Problem::new(message).at(&whole()).help("make a model of each"));
        }
    };
    let schema = table.stream_schema().map_err(|error| Problem::new(error.to_string()).at(&whole()))?;
    let event_time = table.schema.event_time_field().map(|field| field.name().as_str());
    let input = StreamInput { relation: &table.raw, schema, event_time };
    let query = StreamQuery::of(scope, plan, &input).map_err(|refusal| refused(&refusal, rendered))?;
    check_key(node, &query).map_err(|problem| at_config(problem, node))?;
    let config = &node.config.model().streaming;
    let sink_table = sink_table(node, &Arc::new(plan.schema().as_arrow().clone()));
    let landed = table.fingerprint();
    let mut parts = Structure::default();
    parts.text(fingerprint.as_str()).text(landed.as_str());
    parts.names(sink_table.partition_key.iter().map(String::as_str));
    parts.names(sink_table.clustering.iter().map(|by| by.column.as_str()));
    let lateness = config.allowed_lateness.unwrap_or(ALLOWED_LATENESS);
    let spec = ModelSpec {
        name: node.name.clone(),
        fingerprint: parts.fingerprint().as_str().to_owned(),
        query,
        lateness: i64::try_from(lateness.as_millis()).unwrap_or(i64::MAX),
        table: sink_table,
    };
    Ok(CompiledStream { source, spec: Arc::new(spec) })
}

fn refused(refusal: &Refusal, rendered: &Rendered) -> Problem {
    let range = refusal.range(&rendered.sql).unwrap_or(0..0);
    let problem =
        Problem::new(format!("it cannot be streamed: {}", refusal.reason)).at(&rendered.map.place(range));
    match &refusal.help {
        Some(help) => problem.help(help),
        None => problem,
    }
}

fn at_config(problem: Problem, node: &Node) -> Problem {
    let places = &node.config.places;
    let key = ["clustering", "partition_key", "materialized"].into_iter().find_map(|key| places.get(key));
    match key.or(node.place.as_ref()) {
        Some(place) => problem.at(place),
        None => problem,
    }
}

/// Each row must be named by its key, and by nothing that changes as events come.
fn check_key(node: &Node, query: &StreamQuery) -> Result<(), Problem> {
    let config = &node.config.model().streaming;
    let key: Vec<&str> = config
        .partition_key
        .iter()
        .map(String::as_str)
        .chain(config.clustering.iter().map(|by| by.column.as_str()))
        .collect();
    if config.partition_key.is_empty() {
        let problem =
            Problem::new("a streaming model needs `partition_key`: the columns that decide where a row lies");
        return Err(problem.help("such as partition_key='day', clustering=['minute', 'title']; keep partitions bounded, by a day or an hour"));
    }
    for (number, name) in key.iter().enumerate() {
        if key[..number].contains(name) {
            return Err(Problem::new(format!("the key names `{name}` twice")).help("take one of them away"));
        }
        let Some(column) = query.columns.iter().find(|column| column.name == *name) else {
            let problem = Problem::new(format!("the key names `{name}`, which is not a column of the model"));
            let names = query.columns.iter().map(|column| column.name.as_str());
            return Err(match nearest(name, names.clone()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("the columns are {}", names.collect::<Vec<_>>().join(", "))),
            });
        };
        if !column.is_of_group {
            let problem = Problem::new(format!("the key names `{name}`, whose value changes as events come"));
            return Err(problem.help("a key is made of the columns that rows are grouped by"));
        }
    }
    let groups = query.windowed.as_ref().map_or(0, |windowed| windowed.groups);
    for group in 0..groups {
        let columns = || query.columns.iter().filter(|column| column.group == Some(group));
        if columns().any(|column| key.contains(&column.name.as_str())) {
            continue;
        }
        let problem = if let Some(column) = columns().next() {
            let name = &column.name;
            let problem = Problem::new(format!(
                "rows are grouped by `{name}`, which the key does not name: rows of different groups would replace one another"
            ));
            problem.help(format!("add `{name}` to `clustering`"))
        } else {
            let problem = Problem::new(format!(
                "rows are grouped by {groups} expressions, and the {} of them is no column of the model: rows of different groups would replace one another",
                ordinal(group)
            ));
            problem.help("select it, and add it to `clustering`")
        };
        return Err(problem);
    }
    Ok(())
}

fn ordinal(index: usize) -> String {
    match index {
        0 => "first".to_owned(),
        1 => "second".to_owned(),
        2 => "third".to_owned(),
        more => format!("{}th", more + 1),
    }
}
