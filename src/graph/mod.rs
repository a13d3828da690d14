//! The project as a graph.
//!
//! Owns nodes, their typed config, what depends on what, and the selector grammar. Comes in: a project and what Jinja
//! finds in its files. Goes out: a [`Graph`], selections of it. Must not know: warehouses, what was built when.

pub mod config;
pub mod node;

pub use config::{IncrementalStrategy, Materialization, NodeConfig, OnSchemaChange, Severity};
pub use node::{Dependency, Node, NodeId, NodeKind, TestDetail};
