//! Compiling what dbt's strategies need beside the SELECT: columns of a merge, and the SQL of a batch.

use std::collections::HashSet;
use std::fmt;

use arrow::datatypes::{Schema, SchemaRef};
use chrono::NaiveDateTime;

use super::config::{IncrementalStrategy, Materialization, MergeColumns, PublishWhen};
use super::names::Parts;
use super::node::Node;
use mep_contract::source::{LandingTable, landed::EVENT_DATE};
use mep_core::relation::Relation;
use mep_core::time_range::{BatchSize, TimeRange};
use mep_lang::project::{Problem, nearest};
use mep_sql::{EventTime, Scope, SqlError};

/// A model that is run batch by batch.
#[derive(Clone, Debug)]
pub struct CompiledBatches {
    /// The SQL that stands alone, in which inputs with an event time are named by their parts.
    pub sql: String,
    /// The inputs of which a batch reads only a part.
    pub inputs: Vec<BatchInput>,
    /// The event time of the model's own rows.
    pub event_time: EventTime,
    /// The beginning of the first batch.
    pub begin: NaiveDateTime,
    /// How much event time a batch covers.
    pub size: BatchSize,
    /// How many batches before the latest one are run again each time.
    pub lookback: u32,
}

/// An input of which a batch reads the rows of its own time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchInput {
    /// The whole of it.
    pub relation: Relation,
    /// The name of the part in the SQL of a batch.
    pub part: Relation,
    /// When its rows' events happened.
    pub event_time: EventTime,
}

impl BatchInput {
    /// Makes the part that a batch reads known to SQL, in place of that of an earlier batch.
    ///
    /// # Errors
    /// Where the whole is not known, or lacks the event time.
    pub fn register(&self, scope: &Scope, batch: TimeRange) -> Result<(), SqlError> {
        let part = self.event_time.rows_within(scope.scan(&self.relation)?, batch)?;
        scope.register_view(&self.part, part)
    }
}

/// What config says of the batches, with nothing missing.
pub(super) struct Batching {
    pub(super) event_time: EventTime,
    pub(super) begin: NaiveDateTime,
    pub(super) size: BatchSize,
    pub(super) lookback: u32,
}

impl Batching {
    /// Of a microbatch model with these columns.
    pub(super) fn of(node: &Node, schema: &Schema, uses_is_incremental: bool) -> Result<Self, Problem> {
        if uses_is_incremental {
            let problem = Problem::new(
                "a microbatch model has no use for `is_incremental()`: what it reads is that of the batch already",
            );
            return Err(at_key(problem.help("take it away"), node, "incremental_strategy"));
        }
        let config = &node.config.model().microbatch;
        let lacks = |key: &str, help: &str| {
            let problem = Problem::new(format!("a microbatch model needs `{key}`"));
            at_key(problem.help(help), node, "incremental_strategy")
        };
        let Some(column) = &node.config.event_time else {
            return Err(lacks(
                "event_time",
                "name the column that says when a row's event happened: event_time='ts'",
            ));
        };
        let size = config.batch_size.ok_or_else(|| lacks("batch_size", "write hour, day, month or year"))?;
        let begin = config.begin.ok_or_else(|| lacks("begin", "name the first day: begin='2018-11-01'"))?;
        let event_time = EventTime::of(column, schema).map_err(|reason| {
            at_key(Problem::new(format!("`{}`: {reason}", node.name)), node, "event_time")
        })?;
        Ok(Self { event_time, begin: size.floor(begin), size, lookback: config.lookback })
    }
}

/// An input of a batch as it is compiled.
pub(super) enum Input<'a> {
    /// What a source landed.
    Landed(&'a LandingTable),
    /// A model or seed with these columns.
    Columns(SchemaRef),
}

/// The event time of an input; `None` where it has none, so that each batch reads all of it.
pub(super) fn input_time(node: &Node, input: &Input<'_>) -> Result<Option<EventTime>, Problem> {
    let placed = |reason: &dyn fmt::Display| {
        at_key(Problem::new(format!("`{}`: {reason}", node.name)), node, "event_time")
    };
    let found = match input {
        Input::Landed(table) => {
            let Some(field) = table.schema.event_time_field() else { return Ok(None) };
            let schema = table.table_schema().map_err(|error| placed(&error))?;
            EventTime::of(field.name(), &schema).map(|time| time.with_day(EVENT_DATE))
        }
        Input::Columns(schema) => {
            let Some(column) = &node.config.event_time else { return Ok(None) };
            if node.config.materialized() == Materialization::Ephemeral {
                let problem = Problem::new(format!(
                    "`{}` is ephemeral, so that no batch can read a part of it by `event_time`",
                    node.name
                ));
                return Err(at_key(problem.help("make it a view"), node, "event_time"));
            }
            EventTime::of(column, schema)
        }
    };
    found.map(Some).map_err(|reason| placed(&reason))
}

/// The names of the parts that a model's batches read.
pub(super) fn parts(node: &Node, inputs: impl Iterator<Item = Relation>) -> Parts {
    // With its length, the model's name ends where it does, whatever the schema is named.
    Parts {
        prefix: format!("__mep_batch_{}_{}", node.name.len(), node.name),
        of: inputs.collect::<HashSet<_>>(),
    }
}

/// Config of increments and publishes must be about something that the model does, and name columns that are there.
pub(super) fn check_increment(
    node: &Node,
    schema: &Schema,
    uses_is_incremental: bool,
) -> Result<(), Problem> {
    let config = node.config.model();
    let strategy = uses_is_incremental.then(|| config.increment());
    let (key, columns) = config.merge_columns.named();
    if config.merge_columns != MergeColumns::All && strategy != Some(IncrementalStrategy::Merge) {
        let problem = Problem::new(format!("`{key}` is about a merge, which this model does not do"));
        let help =
            "a merge needs is_incremental() in the SQL, a unique_key, and no other incremental_strategy";
        return Err(at_key(problem.help(help), node, key));
    }
    if let Some(column) = columns.iter().find(|column| schema.index_of(column).is_err()) {
        let problem = Problem::new(format!("`{key}` names `{column}`, which is not a column of the model"));
        let names = || schema.fields().iter().map(|field| field.name().as_str());
        let problem = match nearest(column, names()) {
            Some(near) => problem.help(format!("did you mean `{near}`?")),
            None => problem.help(format!("the columns are {}", names().collect::<Vec<_>>().join(", "))),
        };
        return Err(at_key(problem, node, key));
    }
    let by_key = matches!(strategy, Some(IncrementalStrategy::Merge | IncrementalStrategy::DeleteInsert));
    if !config.incremental_predicates.is_empty() && !by_key {
        let problem = Problem::new(
            "`incremental_predicates` narrow what a merge or delete+insert replaces, which this model does not do",
        );
        let help = "both need is_incremental() in the SQL and a unique_key";
        return Err(at_key(problem.help(help), node, "incremental_predicates"));
    }
    let is_table = matches!(config.materialized, Materialization::Table | Materialization::Incremental);
    if config.publish == PublishWhen::AfterTests && !is_table {
        let problem = Problem::new(format!(
            "`publish` is about tables, and this model is {}",
            config.materialized.as_str()
        ));
        return Err(at_key(
            problem.help("write materialized='table' or 'incremental', or take it away"),
            node,
            "publish",
        ));
    }
    if config.incremental_strategy == Some(IncrementalStrategy::Microbatch) && !config.is_microbatch() {
        let problem =
            Problem::new(format!("a {} has no `incremental_strategy`", config.materialized.as_str()));
        return Err(at_key(problem.help("write materialized='incremental'"), node, "incremental_strategy"));
    }
    Ok(())
}

fn at_key(problem: Problem, node: &Node, key: &str) -> Problem {
    match node.config.places.get(key).or(node.place.as_ref()) {
        Some(place) => problem.at(place),
        None => problem,
    }
}
