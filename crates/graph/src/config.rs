//! What config says of a node, as types.

use indexmap::IndexMap;
use serde_json::Value as Json;

use super::history_config::HistoryConfig;
use super::incremental_config::{MergeColumns, MicrobatchConfig};
use super::snapshot_config::SnapshotConfig;
use super::streaming_config::StreamingConfig;
use super::threshold::Threshold;
use mep_lang::project::{Located, Place};

/// How a model becomes a relation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Materialization {
    /// A name for the SELECT.
    #[default]
    View,
    /// Rows, built as a whole.
    Table,
    /// Rows, built where they are dirty.
    Incremental,
    /// Nothing in the warehouse: inlined where it is used.
    Ephemeral,
    /// Rows that are kept in step with a source that goes on.
    Streaming,
    /// What was true of each key and when, from the events that the SELECT gives.
    History,
}

impl Materialization {
    /// Whether a run builds rows of it into the warehouse.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Incremental | Self::History)
    }

    /// The word that config uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Table => "table",
            Self::Incremental => "incremental",
            Self::Ephemeral => "ephemeral",
            Self::Streaming => "streaming",
            Self::History => "history",
        }
    }
}

/// How new rows join the stored ones where a model asks `is_incremental()`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IncrementalStrategy {
    /// All are added.
    Append,
    /// Rows of the same key are replaced.
    Merge,
    /// Rows of the same keys go, the new ones come.
    DeleteInsert,
    /// The partitions that they fall into are replaced.
    InsertOverwrite,
    /// The model is run for one stretch of event time after another, each replacing its rows.
    Microbatch,
}

/// What to do when a model's columns are not the stored ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnSchemaChange {
    /// Keep the stored columns.
    #[default]
    Ignore,
    /// Stop.
    Fail,
    /// Add the new ones.
    AppendNewColumns,
    /// Add the new ones, take away those that are gone.
    SyncAllColumns,
    /// Build the table anew by the model's full SELECT, so that stored rows have the new columns too.
    Backfill,
}

/// What to do with content that another form of the model's SQL built.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnCodeChange {
    /// Build it anew.
    #[default]
    Rebuild,
    /// Keep it for as long as its inputs are the same.
    Keep,
}

/// When new content of a table is shown to readers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PublishWhen {
    /// Once it is built.
    #[default]
    AtOnce,
    /// Once it has passed the tests of its model.
    AfterTests,
}

/// Where the rows of a table are beside the warehouse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ModelStore {
    /// Nowhere.
    #[default]
    Warehouse,
    /// In Cassandra, served by key.
    Cassandra,
}

/// Who may refer to a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Access {
    /// What is of its group.
    Private,
    /// What is of its project; other projects too, where its own does not restrict access.
    #[default]
    Protected,
    /// All.
    Public,
}

impl Access {
    /// The word that config uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Protected => "protected",
            Self::Public => "public",
        }
    }
}

/// What the rows that fail a test are kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailuresKept {
    /// A table, written anew by each run of the test.
    Table,
    /// A view of the test's SELECT.
    View,
    /// Nothing: they are counted.
    Ephemeral,
}

/// How bad a failing test is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// It fails the run.
    #[default]
    Error,
    /// It is told.
    Warn,
}

/// The config of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    /// How a model becomes a relation.
    pub materialized: Materialization,
    /// The columns that name the partitions.
    pub partition_by: Vec<String>,
    /// The columns that name a row.
    pub unique_key: Vec<String>,
    /// As asked for; `None` lets mep choose.
    pub incremental_strategy: Option<IncrementalStrategy>,
    /// The columns that a merge replaces in stored rows.
    pub merge_columns: MergeColumns,
    /// SQL that a stored row must fulfil to be replaced.
    pub incremental_predicates: Vec<String>,
    /// How a model is run batch by batch.
    pub microbatch: MicrobatchConfig,
    /// The column that says when a row's event happened: batches read by it.
    pub event_time: Option<String>,
    /// When new content is shown to readers.
    pub publish: PublishWhen,
    /// What to do with content that another form of the model built.
    pub on_code_change: OnCodeChange,
    /// The names of inputs of which a change asks for no build.
    pub ignored_changes: Vec<String>,
    /// What to do when columns change.
    pub on_schema_change: OnSchemaChange,
    /// The schema, added to the target's as dbt adds it.
    pub schema: Option<String>,
    /// The relation's name, in place of the file's.
    pub alias: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Who may refer to a model.
    pub access: Access,
    /// The group that it is of.
    pub group: Option<String>,
    /// Whether the columns that the properties say are those that a model must have.
    pub contract: bool,
    /// Whether the node takes part at all.
    pub enabled: bool,
    /// `Some(false)` protects the table from `--full-refresh`.
    pub full_refresh: Option<bool>,
    /// Free data.
    pub meta: Json,
    /// Where its rows are beside the warehouse.
    pub store: ModelStore,
    /// Of a streaming model, and of one that is served.
    pub streaming: StreamingConfig,
    /// Of a history.
    pub history: HistoryConfig,
    /// Of a snapshot.
    pub snapshot: SnapshotConfig,
    /// The columns whose change makes a version, of a history or a snapshot.
    pub check_cols: CheckColumns,
    /// Types of a seed's columns, by name.
    pub column_types: IndexMap<String, String>,
    /// What separates a seed's fields.
    pub delimiter: char,
    /// How bad a failing test is.
    pub severity: Severity,
    /// A test looks only at rows for which this SQL holds.
    pub where_sql: Option<String>,
    /// A test counts at most so many rows.
    pub limit: Option<u64>,
    /// When a number of failing rows warns.
    pub warn_if: Threshold,
    /// When a number of failing rows fails.
    pub error_if: Threshold,
    /// How a test counts what fails.
    pub fail_calc: String,
    /// Whether the rows that fail a test are kept.
    pub store_failures: Option<bool>,
    /// What they are kept as, where that is said.
    pub store_failures_as: Option<FailuresKept>,
    /// Texts that are called around it.
    pub hooks: Hooks,
    /// Keys that mep refuses: the project can be read, and the node not be built.
    pub refused: Vec<String>,
    /// Everything as written, for selectors, `config.get` and artifacts.
    pub raw: IndexMap<String, Json>,
    /// Where each key stands.
    pub places: IndexMap<String, Place>,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            materialized: Materialization::default(),
            partition_by: Vec::new(),
            unique_key: Vec::new(),
            incremental_strategy: None,
            merge_columns: MergeColumns::default(),
            incremental_predicates: Vec::new(),
            microbatch: MicrobatchConfig::default(),
            event_time: None,
            publish: PublishWhen::default(),
            on_code_change: OnCodeChange::default(),
            ignored_changes: Vec::new(),
            on_schema_change: OnSchemaChange::default(),
            schema: None,
            alias: None,
            tags: Vec::new(),
            access: Access::default(),
            group: None,
            contract: false,
            enabled: true,
            full_refresh: None,
            meta: Json::Object(serde_json::Map::new()),
            store: ModelStore::default(),
            streaming: StreamingConfig::default(),
            history: HistoryConfig::default(),
            snapshot: SnapshotConfig::default(),
            check_cols: CheckColumns::default(),
            column_types: IndexMap::new(),
            delimiter: ',',
            severity: Severity::default(),
            where_sql: None,
            limit: None,
            warn_if: Threshold::NOT_ZERO,
            error_if: Threshold::NOT_ZERO,
            fail_calc: "count(*)".to_owned(),
            store_failures: None,
            store_failures_as: None,
            hooks: Hooks::default(),
            refused: Vec::new(),
            raw: IndexMap::new(),
            places: IndexMap::new(),
        }
    }
}

/// Texts that are called around the building of a node.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Hooks {
    /// Before it.
    pub before: Vec<Located<String>>,
    /// After it.
    pub after: Vec<Located<String>>,
}

/// The columns whose change makes a version of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CheckColumns {
    /// Every one that does not name the row or order its events.
    #[default]
    All,
    /// These.
    These(Vec<String>),
}

impl NodeConfig {
    /// How new rows join the stored ones: what the user asked for; else a key means merge, partitions mean overwriting
    /// them, and neither means append. Without a key there is nothing to merge by, so that the rows are added, as dbt
    /// adds them.
    pub fn increment(&self) -> IncrementalStrategy {
        let has_key = !self.unique_key.is_empty();
        match self.incremental_strategy {
            Some(IncrementalStrategy::Merge | IncrementalStrategy::DeleteInsert) if !has_key => {
                IncrementalStrategy::Append
            }
            Some(asked_for) => asked_for,
            None if has_key => IncrementalStrategy::Merge,
            None if !self.partition_by.is_empty() => IncrementalStrategy::InsertOverwrite,
            None => IncrementalStrategy::Append,
        }
    }

    /// What the rows that fail a test are kept as; `unsaid` is whether they are kept where config does not say.
    pub fn failures_kept(&self, unsaid: bool) -> FailuresKept {
        match (self.store_failures_as, self.store_failures.unwrap_or(unsaid)) {
            (Some(kept), _) => kept,
            (None, true) => FailuresKept::Table,
            (None, false) => FailuresKept::Ephemeral,
        }
    }

    /// Whether the model is run batch by batch.
    pub fn is_microbatch(&self) -> bool {
        self.materialized == Materialization::Incremental
            && self.incremental_strategy == Some(IncrementalStrategy::Microbatch)
    }
}
