//! The project as a graph.
//!
//! Owns nodes, their typed config, what depends on what, and the selector grammar. Comes in: a project and what Jinja
//! finds in its files. Goes out: a [`Graph`], selections of it. Must not know: warehouses, what was built when.

pub mod config;
pub mod node;

mod access;
mod asked;
mod attached_tests;
mod build;
mod column_flows;
mod compile;
mod compiled;
mod constraints;
mod contract;
mod dag;
mod declared;
mod derived;
mod exposures;
mod failures;
mod filled;
mod history;
mod hooks;
mod in_place;
mod incremental;
mod information_schema;
mod inline;
mod inputs;
mod late;
mod named;
mod names;
mod node_index;
mod own_tests;
mod resolve;
mod select;
mod selector_of;
mod semantics;
mod serving;
mod shown_graph;
mod snapshot;
mod stored_names;
mod streaming;
mod test_name;
mod tested_column;
mod unbuilt;
mod unit_macros;
mod unit_rows;
mod unit_steps;
mod unit_tests;
mod views;

pub use access::deprecation_time;
pub use asked::{Answers, Late, Question, Unanswered};
pub use attached_tests::tested_relation;
pub use column_flows::{ColumnFlows, ColumnOfNode, Flow, FlowEdges, Towards};
pub use compile::{Compiler, FoundSources, reading};
pub use compiled::{
    Compiled, CompiledIncrement, CompiledModel, CompiledTest, PlacedTable, SeedRows, SeedTable, SourceRows,
};
pub use config::{
    Access, CheckColumns, FailuresKept, HistoryConfig, Hooks, IncrementalStrategy, Materialization,
    MergeColumns, MicrobatchConfig, ModelConfig, ModelStore, NodeConfig, OnCodeChange, OnSchemaChange,
    OwnConfig, PublishWhen, SeedConfig, Severity, SnapshotConfig, SnapshotStrategy, StreamingConfig,
    TestConfig, reference_of_config, time_of,
};
pub use constraints::{CheckedConstraint, CompiledConstraint, Promise};
pub use dag::Graph;
pub use hooks::{Called, Hook, HookNames, When};
pub use in_place::spelled_as_declared;
pub use incremental::{BatchInput, CompiledBatches};
pub use node::{Dependency, Mentions, Node, NodeId, NodeKind, SemanticDetail, TestDetail};
pub use node_index::{NodeIndex, NodeMap, NodeSet};
pub use select::{
    Beside, IndirectSelection, LazyFlows, NamedSelectors, Selection, StateWords, Wanted, named,
};
pub use serving::ServingPlace;
pub use shown_graph::shown_node;
pub use snapshot::CompiledSnapshot;
pub use streaming::CompiledStream;
pub use test_name::python_quoted;
pub use unbuilt::Unbuilt;
pub use unit_macros::ComparedText;
pub use unit_rows::csv_rows;
pub use unit_steps::{CompiledStep, CompiledSteps, GivenRows};
pub use unit_tests::{ComparedRows, CompiledUnit};
