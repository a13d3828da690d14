//! What the page says, as it is embedded in it. Nodes name one another by their place in `Site::nodes`.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value as Json;

/// A project as its docs show it.
#[derive(Debug, Serialize)]
pub struct Site {
    /// The project's name.
    pub project: String,
    /// The target whose tables are meant.
    pub target: String,
    /// The version of mep that wrote it.
    pub version: &'static str,
    /// When it was written, in milliseconds since 1970.
    pub generated: i64,
    /// Where the warehouse is; `None` where it was not read.
    pub warehouse: Option<String>,
    /// What the reader must know of what could not be read.
    pub notices: Vec<String>,
    /// The last run that left results.
    pub last_run: Option<RunEntry>,
    /// Sources, seeds, models and exposures, each after what it needs.
    pub nodes: Vec<NodeEntry>,
    /// The tests.
    pub tests: Vec<TestEntry>,
    /// What the `relationships` tests say.
    pub relationships: Vec<Relationship>,
    /// The charts of the exposures.
    pub charts: Vec<ExposureChart>,
}

/// The last run.
#[derive(Clone, Debug, Serialize)]
pub struct RunEntry {
    /// `run`, `build`, `test` or `seed`.
    pub command: String,
    /// When it ended, in milliseconds since 1970.
    pub ended: Option<i64>,
    /// Seconds that it took.
    pub elapsed: f64,
}

/// A node other than a test.
#[derive(Debug, Serialize)]
pub struct NodeEntry {
    /// `model`, `seed`, `source` or `exposure`.
    pub kind: &'static str,
    /// The name; of a source table with its source's: `events.listen_events`.
    pub name: String,
    /// How a model becomes a relation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub materialized: Option<&'static str>,
    /// The file, relative to the project's root.
    pub path: String,
    /// The folders that it is listed under.
    pub folders: Vec<String>,
    /// The relation in the warehouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    /// Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Config that a reader asks for, by a word for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub config: Vec<(&'static str, String)>,
    /// What it reads.
    pub parents: Vec<usize>,
    /// Its columns, in the table's order.
    pub columns: Vec<ColumnEntry>,
    /// The SQL as written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The SQL as executed, where it differs from what is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compiled: Option<String>,
    /// What the warehouse holds of it.
    pub stored: Stored,
    /// What the last run did with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultEntry>,
    /// Of an exposure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure: Option<ExposureEntry>,
}

/// A column.
#[derive(Debug, Serialize)]
pub struct ColumnEntry {
    /// The name.
    pub name: String,
    /// Its SQL type; `None` for one that is described and not there.
    #[serde(rename = "type")]
    pub data_type: Option<String>,
    /// Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The columns that its values come from, as (node, place among its columns).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub from: Vec<(usize, usize)>,
}

/// What uses the models.
#[derive(Debug, Serialize)]
pub struct ExposureEntry {
    /// `dashboard`, `notebook`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it can be seen.
    pub url: Option<String>,
    /// Who answers for it.
    pub owner: Vec<String>,
}

/// What the warehouse holds of a node.
#[derive(Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Stored {
    /// Nothing is to be held of it.
    Nowhere,
    /// The warehouse was not read.
    Unread,
    /// It could not be read.
    Unreadable {
        /// Why.
        why: String,
    },
    /// Its rows lie in another place.
    Elsewhere {
        /// Where.
        place: String,
    },
    /// It is not built yet.
    Absent,
    /// A view.
    View {
        /// When it was published.
        published: Option<i64>,
    },
    /// A table.
    Table(TableEntry),
}

/// A table in the warehouse.
#[derive(Debug, PartialEq, Serialize)]
pub struct TableEntry {
    /// When its present state was published.
    pub published: Option<i64>,
    /// Rows.
    pub rows: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// The partition columns.
    pub partition_columns: Vec<String>,
    /// How many partitions there are.
    pub partition_count: usize,
    /// The partitions, the latest keys first, up to a number that a page can list.
    pub partitions: Vec<PartitionEntry>,
    /// What each run left that is still there, the latest first.
    pub runs: Vec<RunShare>,
    /// For a landed table: what was landed, the latest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<BatchEntry>,
}

/// So many partitions of a table are listed; their number and sums are of all.
pub(super) const MOST_PARTITIONS: usize = 1_000;

/// A partition.
#[derive(Debug, PartialEq, Serialize)]
pub struct PartitionEntry {
    /// The values of the partition columns.
    pub key: String,
    /// Rows.
    pub rows: u64,
    /// Bytes.
    pub bytes: u64,
    /// When it was built.
    pub built: Option<i64>,
    /// How many partitions of each table it was built from.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, usize>,
}

/// The part of a table that one run built.
#[derive(Debug, PartialEq, Serialize)]
pub struct RunShare {
    /// When.
    pub at: Option<i64>,
    /// How many partitions.
    pub partitions: usize,
    /// Their rows.
    pub rows: u64,
}

/// What one landing brought in.
#[derive(Debug, PartialEq, Serialize)]
pub struct BatchEntry {
    /// When.
    pub at: Option<i64>,
    /// Units: files, days, ranges of offsets.
    pub units: usize,
    /// Rows that were read.
    pub read: u64,
    /// Rows that were landed.
    pub landed: u64,
    /// Rows that could not be read.
    pub rejected: u64,
    /// Rows that wait for a later date.
    pub withheld: u64,
}

/// A test.
#[derive(Debug, Serialize)]
pub struct TestEntry {
    /// Its name.
    pub name: String,
    /// The generic test that it uses; `None` for a file in `tests/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// The nodes that it reads; the first is the one that it is attached to.
    pub nodes: Vec<usize>,
    /// The column that it is attached to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// Its arguments.
    #[serde(skip_serializing_if = "Json::is_null")]
    pub arguments: Json,
    /// Only rows for which this holds.
    #[serde(skip_serializing_if = "Option::is_none", rename = "where")]
    pub where_sql: Option<String>,
    /// Whether a finding only warns.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub warns: bool,
    /// Markdown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The file that it is written in.
    pub path: String,
    /// The SQL of a test that is a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// What it found when it last ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultEntry>,
}

/// What came of a node in the last run, or of a test in the last run that had it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ResultEntry {
    /// `success`, `current`, `pass`, `warn`, `fail`, `error` or `skipped`.
    pub status: String,
    /// Seconds.
    pub seconds: f64,
    /// Rows that failed a test.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When, in milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
}

/// A key of one table that names rows of another.
#[derive(Debug, PartialEq, Serialize)]
pub struct Relationship {
    /// The node that holds the key.
    pub from: usize,
    /// The column of the key.
    pub column: String,
    /// The node whose rows it names.
    pub to: usize,
    /// The column that it equals there.
    pub field: String,
    /// The test's place among the tests.
    pub test: usize,
}

/// A chart, and where it is shown.
#[derive(Debug, Serialize)]
pub struct ExposureChart {
    /// The place on the page of the exposure that it belongs to.
    pub exposure: usize,
    /// The chart.
    #[serde(flatten)]
    pub chart: Chart,
}

/// A chart.
#[derive(Debug, Serialize)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// `bar` or `line`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What the labels are.
    pub x: String,
    /// What the numbers are.
    pub y: String,
    /// The query as written.
    pub sql: String,
    /// The values, or why there are none.
    pub drawn: Drawn,
}

impl Chart {
    /// Why it could not be drawn, where it could not.
    pub fn failure(&self) -> Option<&str> {
        match &self.drawn {
            Drawn::Rows(_) => None,
            Drawn::Failed(why) => Some(why),
        }
    }
}

/// What a chart draws.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Drawn {
    /// A label and its number, in the order of the query.
    Rows(Vec<(String, f64)>),
    /// Why there are none.
    Failed(String),
}
