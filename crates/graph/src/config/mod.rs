//! What config says of a node, as types: what all kinds of nodes have, and what each kind has of its own.
//!
//! Each key is declared once (`keys`, `model_keys`): what it is called, what may stand behind it, what it says, and how it is read.

mod adapter_keys;
mod history;
mod incremental;
mod key;
mod keys;
mod model;
mod model_keys;
mod model_values;
mod reader;
mod seed;
mod snapshot;
mod streaming;
mod test;
mod threshold;
mod values;
mod word;

use std::sync::LazyLock;

use indexmap::IndexMap;
use mep_lang::project::{Located, Place};
use serde_json::Value as Json;

pub use history::HistoryConfig;
pub use incremental::{MergeColumns, MicrobatchConfig, time_of};
pub use keys::reference_of_config;
pub use model::{
    Access, IncrementalStrategy, Materialization, ModelConfig, ModelStore, OnCodeChange, OnSchemaChange,
    PublishWhen,
};
pub(super) use reader::{ConfigOf, read};
pub use seed::SeedConfig;
pub(super) use snapshot::check as check_snapshot;
pub use snapshot::{CheckColumns, SnapshotConfig, SnapshotStrategy};
pub(super) use streaming::ALLOWED_LATENESS;
pub use streaming::StreamingConfig;
pub use test::{FailuresKept, Severity, TestConfig};
pub use threshold::Threshold;

/// The config of a node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeConfig {
    /// Whether the node takes part at all.
    pub enabled: bool,
    /// Tags.
    pub tags: Vec<String>,
    /// Free data.
    pub meta: Json,
    /// The group that it is of.
    pub group: Option<String>,
    /// The schema, added to the target's as dbt adds it.
    pub schema: Option<String>,
    /// The relation's name, in place of the file's.
    pub alias: Option<String>,
    /// The column that says when a row's event happened: batches read by it.
    pub event_time: Option<String>,
    /// `Some(false)` protects the table from `--full-refresh`.
    pub full_refresh: Option<bool>,
    /// Texts that are called around it.
    pub hooks: Hooks,
    /// What nodes of its kind alone have.
    pub own: OwnConfig,
    /// Keys that mep refuses: the project can be read, and the node not be built.
    pub refused: Vec<String>,
    /// Everything as written, for selectors, `config.get` and artifacts.
    pub raw: IndexMap<String, Json>,
    /// Where each key stands.
    pub places: IndexMap<String, Place>,
}

/// The config that a node has as one of its kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum OwnConfig {
    /// Of a model.
    Model(Box<ModelConfig>),
    /// Of a seed.
    Seed(SeedConfig),
    /// Of a snapshot.
    Snapshot(Box<SnapshotConfig>),
    /// Of a test.
    Test(Box<TestConfig>),
    /// Sources and exposures have nothing of their own.
    #[default]
    Nothing,
}

impl Default for NodeConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            tags: Vec::new(),
            meta: Json::Object(serde_json::Map::new()),
            group: None,
            schema: None,
            alias: None,
            event_time: None,
            full_refresh: None,
            hooks: Hooks::default(),
            own: OwnConfig::default(),
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

impl NodeConfig {
    /// What it has as a model's; of another kind of node, what a model has that says nothing.
    pub fn model(&self) -> &ModelConfig {
        static UNSAID: LazyLock<ModelConfig> = LazyLock::new(ModelConfig::default);
        match &self.own {
            OwnConfig::Model(model) => model,
            _ => &UNSAID,
        }
    }

    /// What it has as a test's, as `model` has of a model.
    pub fn test(&self) -> &TestConfig {
        static UNSAID: LazyLock<TestConfig> = LazyLock::new(TestConfig::default);
        match &self.own {
            OwnConfig::Test(test) => test,
            _ => &UNSAID,
        }
    }

    /// What it has as a snapshot's, as `model` has of a model.
    pub fn snapshot(&self) -> &SnapshotConfig {
        static UNSAID: LazyLock<SnapshotConfig> = LazyLock::new(SnapshotConfig::default);
        match &self.own {
            OwnConfig::Snapshot(snapshot) => snapshot,
            _ => &UNSAID,
        }
    }

    /// What it has as a seed's, as `model` has of a model.
    pub fn seed(&self) -> &SeedConfig {
        static UNSAID: LazyLock<SeedConfig> = LazyLock::new(SeedConfig::default);
        match &self.own {
            OwnConfig::Seed(seed) => seed,
            _ => &UNSAID,
        }
    }

    /// How it becomes a relation, of a model; a view where it is none.
    pub fn materialized(&self) -> Materialization {
        self.model().materialized
    }

    /// The columns that name a row, of a model or a snapshot.
    pub fn unique_key(&self) -> &[String] {
        match &self.own {
            OwnConfig::Model(model) => &model.unique_key,
            OwnConfig::Snapshot(snapshot) => &snapshot.unique_key,
            _ => &[],
        }
    }
}
