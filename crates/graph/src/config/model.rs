//! Config that models have.

use super::history::HistoryConfig;
use super::incremental::{MergeColumns, MicrobatchConfig};
use super::snapshot::CheckColumns;
use super::streaming::StreamingConfig;
use super::word::Word;

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
    /// The word that config uses.
    pub fn as_str(self) -> &'static str {
        self.word()
    }

    /// Whether a run builds rows of it into the warehouse.
    pub fn is_table(self) -> bool {
        matches!(self, Self::Table | Self::Incremental | Self::History)
    }
}

impl Word for Materialization {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("view", Self::View),
        ("table", Self::Table),
        ("incremental", Self::Incremental),
        ("ephemeral", Self::Ephemeral),
        ("streaming", Self::Streaming),
        ("history", Self::History),
    ];
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

impl IncrementalStrategy {
    /// The word that config uses.
    pub fn as_str(self) -> &'static str {
        self.word()
    }
}

impl Word for IncrementalStrategy {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("append", Self::Append),
        ("merge", Self::Merge),
        ("delete+insert", Self::DeleteInsert),
        ("insert_overwrite", Self::InsertOverwrite),
        ("microbatch", Self::Microbatch),
    ];
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

impl Word for OnSchemaChange {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("ignore", Self::Ignore),
        ("fail", Self::Fail),
        ("append_new_columns", Self::AppendNewColumns),
        ("sync_all_columns", Self::SyncAllColumns),
        ("backfill", Self::Backfill),
    ];
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

impl Word for OnCodeChange {
    const WORDS: &'static [(&'static str, Self)] = &[("rebuild", Self::Rebuild), ("keep", Self::Keep)];
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

impl Word for PublishWhen {
    const WORDS: &'static [(&'static str, Self)] =
        &[("at_once", Self::AtOnce), ("after_tests", Self::AfterTests)];
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

impl Word for ModelStore {
    const WORDS: &'static [(&'static str, Self)] =
        &[("warehouse", Self::Warehouse), ("cassandra", Self::Cassandra)];
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
        self.word()
    }
}

impl Word for Access {
    const WORDS: &'static [(&'static str, Self)] =
        &[("private", Self::Private), ("protected", Self::Protected), ("public", Self::Public)];
}

/// The config of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ModelConfig {
    /// How it becomes a relation.
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
    /// How it is run batch by batch.
    pub microbatch: MicrobatchConfig,
    /// When new content is shown to readers.
    pub publish: PublishWhen,
    /// What to do with content that another form of its SQL built.
    pub on_code_change: OnCodeChange,
    /// The names of inputs of which a change asks for no build.
    pub ignored_changes: Vec<String>,
    /// What to do when columns change.
    pub on_schema_change: OnSchemaChange,
    /// Who may refer to it.
    pub access: Access,
    /// Whether the columns that the properties say are those that it must have.
    pub contract: bool,
    /// Where its rows are beside the warehouse.
    pub store: ModelStore,
    /// Of a streaming model, and of one that is served.
    pub streaming: StreamingConfig,
    /// Of a history.
    pub history: HistoryConfig,
    /// The columns whose change makes a version, of a history.
    pub check_cols: CheckColumns,
}

impl ModelConfig {
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

    /// Whether the model is run batch by batch.
    pub fn is_microbatch(&self) -> bool {
        self.materialized == Materialization::Incremental
            && self.incremental_strategy == Some(IncrementalStrategy::Microbatch)
    }
}
