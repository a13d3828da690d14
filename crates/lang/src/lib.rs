//! The user's files, read: a project and its templates.
//!
//! Owns reading and checking files (`project`), rendering them (`jinja`), and what a model in Python reads (`python`). Comes in: a folder. Goes out: a `Project` with the
//! place of every value, and SQL with the place in the user's file of each byte. Must not know: what SQL means, the graph.

pub mod jinja;
pub mod project;
pub mod python;
