//! mep: a declarative, SQL-first transformation framework.
//!
//! The modules are the stages that data goes through, one way:
//! `files -> project -> jinja -> graph -> plan -> run -> artifacts, docs`. ARCHITECTURE.md is the map.

pub mod app;
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
pub mod interrupt;
pub mod jinja;
pub mod keys;
pub mod os_error;
pub mod path_name;
pub mod patient_listener;
pub mod plan;
pub mod project;
pub mod quality;
#[cfg(test)]
mod reference;
pub mod relation;
pub mod root;
pub mod run;
pub mod secrets;
pub mod source;
pub mod sql;
pub mod stream;
pub mod threads;
pub mod time_range;
pub mod warehouse;
