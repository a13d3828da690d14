//! mep: a declarative, SQL-first transformation framework.
//!
//! The modules are the stages that data goes through, one way:
//! `files -> project -> jinja -> graph -> plan -> run -> artifacts, docs`. ARCHITECTURE.md is the map.

pub mod artifacts;
pub mod cli;
pub mod docs;
pub mod engine;
pub mod fail_point;
pub mod fingerprint;
#[doc(hidden)]
pub mod fuzzing;
pub mod graph;
pub mod guard;
pub mod jinja;
pub mod keys;
pub mod plan;
pub mod project;
pub mod quality;
#[cfg(test)]
mod reference;
pub mod relation;
pub mod run;
pub mod source;
pub mod sql;
pub mod stream;
pub mod time_range;
pub mod warehouse;
