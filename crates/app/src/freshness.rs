//! How old the rows of source tables are: `freshness` of sources, asked of what the warehouse holds.

use std::time::{Duration, Instant};

use arrow::array::{Array, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value as Json;

use super::error::AppError;
use super::query::Reader;
use super::workspace::Workspace;
use mep_graph::{Node, NodeIndex, NodeKind, NodeSet};
use mep_lang::project::{Problem, SourceText};

/// How old the rows may be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FreshnessCriteria {
    /// From this age on they are told.
    pub warn_after: Option<Duration>,
    /// From this age on they are an error.
    pub error_after: Option<Duration>,
    /// Which rows are looked at: SQL.
    pub filter: Option<String>,
}

/// What is wrong with the age of rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Nothing.
    Pass,
    /// They are older than they should be.
    Warn,
    /// They are older than they may be.
    Error,
}

/// What was found of a source table.
#[derive(Debug)]
pub struct SourceAge {
    /// The table.
    pub node: NodeIndex,
    /// How long it took to ask.
    pub took: Duration,
    /// When its latest row was loaded, when that was asked, and what follows; or why it cannot be known.
    pub found: Result<LatestRow, AppError>,
}

/// When the latest row was loaded.
#[derive(Clone, Copy, Debug)]
pub struct LatestRow {
    /// The time of the latest row; of a table without rows, the first day of all.
    pub at: DateTime<Utc>,
    /// When that was asked.
    pub asked: DateTime<Utc>,
    /// Whether they are too old.
    pub freshness: Freshness,
}

impl LatestRow {
    /// How old the latest row was when that was asked.
    pub fn age(&self) -> Duration {
        (self.asked - self.at).to_std().unwrap_or_default()
    }
}

/// Source tables that say how old their rows may be.
pub fn with_criteria(
    workspace: &Workspace,
    nodes: &NodeSet,
) -> Result<Vec<(NodeIndex, FreshnessCriteria)>, AppError> {
    let mut found = Vec::new();
    for index in nodes {
        let node = workspace.graph.node(*index);
        if !matches!(node.kind, NodeKind::Source { .. }) {
            continue;
        }
        if let Some(criteria) = criteria(node)? {
            found.push((*index, criteria));
        }
    }
    Ok(found)
}

/// How old the rows of these tables are, one after the other.
///
/// # Errors
/// Where the warehouse cannot be read; what cannot be known of one table is told of it alone.
pub fn ages(
    workspace: &Workspace,
    asked: &[(NodeIndex, FreshnessCriteria)],
) -> Result<Vec<SourceAge>, AppError> {
    let reader = Reader::open(workspace)?;
    let age = |(index, criteria): &(NodeIndex, FreshnessCriteria)| {
        let began = Instant::now();
        let found = loaded(&reader, workspace.graph.node(*index), criteria);
        SourceAge { node: *index, took: began.elapsed(), found }
    };
    Ok(asked.iter().map(age).collect())
}

fn loaded(reader: &Reader<'_>, node: &Node, criteria: &FreshnessCriteria) -> Result<LatestRow, AppError> {
    let text = query(node, criteria)?;
    let query = reader.inline(&SourceText::new(node.path.clone(), text))?;
    let batches = reader.rows(&query, Some(1))?;
    let asked = Utc::now();
    let column = batches.iter().find(|batch| batch.num_rows() > 0).map(|batch| batch.column(0).clone());
    let at = match column {
        Some(column) if !column.is_null(0) => time(&column, node)?,
        // Rows that are not there are as old as can be.
        _ => DateTime::from_naive_utc_and_offset(
            NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or_default().and_time(chrono::NaiveTime::MIN),
            Utc,
        ),
    };
    let mut found = LatestRow { at, asked, freshness: Freshness::Pass };
    let is_past = |limit: Option<Duration>| limit.is_some_and(|limit| found.age() > limit);
    let freshness = if is_past(criteria.error_after) {
        Freshness::Error
    } else if is_past(criteria.warn_after) {
        Freshness::Warn
    } else {
        Freshness::Pass
    };
    found.freshness = freshness;
    Ok(found)
}

/// The SELECT of the time of the latest row.
fn query(node: &Node, criteria: &FreshnessCriteria) -> Result<String, Problem> {
    let said =
        |key: &str| node.config.raw.get(key).and_then(Json::as_str).filter(|text| !text.trim().is_empty());
    if let Some(query) = said("loaded_at_query") {
        return Ok(query.to_owned());
    }
    let Some(field) = said("loaded_at_field") else {
        let problem =
            Problem::new(format!("it is not known when the rows of `{}` were loaded", node.shown_name()));
        return Err(problem.help("give the table a `loaded_at_field` or a `loaded_at_query`"));
    };
    let NodeKind::Source { source, .. } = &node.kind else {
        return Err(Problem::new(format!("`{}` is no source", node.name)));
    };
    let filter = criteria.filter.as_ref().map(|filter| format!(" where {filter}")).unwrap_or_default();
    Ok(format!(
        "select max({field}) as max_loaded_at from {{{{ source('{source}', '{}') }}}}{filter}",
        node.name
    ))
}

/// A time of UTC.
fn time(column: &arrow::array::ArrayRef, node: &Node) -> Result<DateTime<Utc>, Problem> {
    let is_time = matches!(
        column.data_type(),
        DataType::Timestamp(..)
            | DataType::Date32
            | DataType::Date64
            | DataType::Utf8
            | DataType::Utf8View
            | DataType::LargeUtf8
    );
    let micros = is_time
        .then(|| cast(column, &DataType::Timestamp(TimeUnit::Microsecond, None)).ok())
        .flatten()
        .filter(|times| !times.is_null(0))
        .and_then(|times| {
            DateTime::from_timestamp_micros(times.as_primitive::<TimestampMicrosecondType>().value(0))
        });
    micros.ok_or_else(|| {
        let problem = Problem::new(format!(
            "when the rows of `{}` were loaded is of type {}, which is no time",
            node.shown_name(),
            column.data_type()
        ));
        problem.help("cast it in `loaded_at_field`, as by to_timestamp_millis(ts)")
    })
}

/// What a source table says of how old its rows may be; `None` where it says nothing.
fn criteria(node: &Node) -> Result<Option<FreshnessCriteria>, Problem> {
    let Some(Json::Object(said)) = node.config.raw.get("freshness") else { return Ok(None) };
    let wrong = |message: String| {
        let problem = Problem::new(message).help("write warn_after: {count: 12, period: hour}");
        match node.config.places.get("freshness") {
            Some(place) => problem.at(place),
            None => problem,
        }
    };
    let limit = |key: &str| -> Result<Option<Duration>, Problem> {
        let Some(limit) = said.get(key).filter(|limit| !limit.is_null()) else { return Ok(None) };
        let (count, period) = (limit.get("count"), limit.get("period"));
        if count.is_none_or(Json::is_null) && period.is_none_or(Json::is_null) {
            return Ok(None);
        }
        let seconds = match period.and_then(Json::as_str) {
            Some("minute") => 60,
            Some("hour") => 3_600,
            Some("day") => 86_400,
            _ => {
                return Err(wrong(format!(
                    "`{key}`: expected a period of minute, hour or day, found {limit}"
                )));
            }
        };
        let count = count.and_then(Json::as_u64);
        let count = count.ok_or_else(|| wrong(format!("`{key}`: expected a whole count, found {limit}")))?;
        Ok(Some(Duration::from_secs(count.saturating_mul(seconds))))
    };
    let criteria = FreshnessCriteria {
        warn_after: limit("warn_after")?,
        error_after: limit("error_after")?,
        filter: said.get("filter").and_then(Json::as_str).map(str::to_owned),
    };
    let says = criteria.warn_after.is_some() || criteria.error_after.is_some();
    Ok(says.then_some(criteria))
}
