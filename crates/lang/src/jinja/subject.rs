//! What is rendered, and what comes of it.

use chrono::{DateTime, NaiveDate, Utc};
use indexmap::IndexMap;
use serde_json::Value as Json;

use super::answer::Asked;
use super::source_map::SourceMap;
use crate::project::{Column, Located, Place, Problem, SourceText, Span};
use mep_core::relation::Relation;

/// What is the same for all texts of one call of mep.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// `run_started_at`.
    pub run_started_at: DateTime<Utc>,
    /// `logical_date`: the `--date`, else the day of `run_started_at`.
    pub logical_date: NaiveDate,
    /// `flags.FULL_REFRESH`.
    pub full_refresh: bool,
    /// `invocation_id`.
    pub invocation_id: String,
    /// `flags.WHICH`: the command.
    pub command: String,
}

/// A text to render.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The text.
    pub text: &'a SourceText,
    /// Where in the text the template stands; `None`: it is all of it.
    pub block: Option<Span>,
    /// `model.name`.
    pub name: &'a str,
    /// `model.unique_id`.
    pub unique_id: &'a str,
    /// `model.resource_type`.
    pub resource_type: &'a str,
    /// `model.fqn`.
    pub fqn: &'a [String],
    /// `this`.
    pub this: Relation,
    /// The config so far, for `config.get()`.
    pub config: IndexMap<String, Json>,
    /// `model.description`.
    pub description: &'a str,
    /// `model.columns`: of each column what the files say.
    pub columns: &'a [Column],
}

/// A `ref()`.
#[derive(Clone, Debug, PartialEq)]
pub struct RefUse {
    /// The first of two arguments.
    pub package: Option<String>,
    /// The model's name.
    pub name: String,
    /// Where it stands.
    pub place: Place,
}

/// A `source()`.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceUse {
    /// The source's name.
    pub source: String,
    /// The table's name.
    pub table: String,
    /// Where it stands.
    pub place: Place,
}

/// What the first pass finds in a text.
#[derive(Clone, Debug, Default)]
pub struct Parsed {
    /// Every `ref()`, each once.
    pub refs: Vec<RefUse>,
    /// Every `source()`, each once.
    pub sources: Vec<SourceUse>,
    /// The unique ids of the macros that the text itself calls, each once: `macro.<package>.<name>`.
    pub macros: Vec<String>,
    /// What `config()` says.
    pub config: IndexMap<String, Located<Json>>,
    /// Whether the text asks `is_incremental()`.
    pub uses_is_incremental: bool,
    /// Whether the text reads `run_started_at` or `invocation_id`, so that it differs on every run.
    pub uses_run_time: bool,
    /// Warnings of what was not defined and taken for nothing.
    pub missing: Vec<Problem>,
}

impl Parsed {
    /// The same, all of it at one place.
    #[must_use]
    pub fn placed(mut self, place: &Place) -> Self {
        self.refs.iter_mut().for_each(|used| used.place = place.clone());
        self.sources.iter_mut().for_each(|used| used.place = place.clone());
        self
    }
}

/// What the second pass makes of a text.
#[derive(Clone, Debug)]
pub struct Rendered {
    /// The SQL.
    pub sql: String,
    /// Where it came from.
    pub map: SourceMap,
    /// Every `ref()` that was asked for on the way.
    pub refs: Vec<RefUse>,
    /// Every `source()`.
    pub sources: Vec<SourceUse>,
    /// What `config()` said.
    pub config: IndexMap<String, Located<Json>>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// The relation.
    pub relation: Relation,
    /// What SQL reads in its place, where that is only a part of it.
    pub part: Option<Relation>,
}

impl From<Relation> for Resolved {
    fn from(relation: Relation) -> Self {
        Self { relation, part: None }
    }
}

/// Why a name stands for nothing, or a question is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Refusal {
    /// What was expected and found.
    pub message: String,
    /// How to go on.
    pub help: Option<String>,
}

impl Refusal {
    /// One without a way on.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }
}

/// Answers what names stand for, in the second pass.
pub trait Resolver: Send + Sync {
    /// The relation that a `ref()` stands for.
    ///
    /// # Errors
    /// Where it stands for nothing.
    fn resolve_ref(&self, package: Option<&str>, name: &str) -> Result<Resolved, Refusal>;

    /// The relation that a `source()` stands for.
    ///
    /// # Errors
    /// Where it stands for nothing.
    fn resolve_source(&self, source: &str, table: &str) -> Result<Resolved, Refusal>;

    /// Whether the text is rendered for rows that join stored ones.
    fn is_incremental(&self) -> bool;

    /// The columns of a relation with their types, in their order; none of one that is not there.
    ///
    /// # Errors
    /// Where they cannot be known. While names are not known yet, there are none.
    fn columns(&self, _: &Relation) -> Result<Vec<(String, String)>, Refusal> {
        Ok(Vec::new())
    }

    /// Whether a node of the project is this relation. While names are not known yet, none is.
    fn is_there(&self, _: &Relation) -> bool {
        false
    }

    /// The rows of a SELECT.
    ///
    /// # Errors
    /// Where it is none, fails, or cannot be answered by now.
    fn ask(&self, _: &str) -> Result<Asked, Refusal> {
        Err(Refusal::new("data cannot be asked for here"))
    }

    /// `graph`: the nodes of the project. While names are not known yet, there are none.
    fn graph(&self) -> Json {
        serde_json::json!({ "nodes": {}, "sources": {}, "exposures": {}, "metrics": {}, "groups": {} })
    }

    /// `selected_resources`: the unique ids of what the command works on.
    fn selected(&self) -> Vec<String> {
        Vec::new()
    }

    /// The value of an expression of SQL that reads nothing. While names are not known yet, it is 1.
    ///
    /// # Errors
    /// Where it has none.
    fn constant(&self, _: &str) -> Result<Json, Refusal> {
        Ok(1.into())
    }
}
