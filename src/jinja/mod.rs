//! The template environment.
//!
//! Owns rendering: dbt's functions with dbt's meaning, macros of every file for every file, generic tests, and where in
//! the user's file each byte of the SQL came from. Comes in: a [`Project`](crate::project::Project) and texts. Goes out:
//! what a text refers to and how it is configured (first pass), SQL with its source map (second pass), or a problem with
//! its place. Must not know: the graph, what SQL means, any warehouse.

mod adapter;
mod bound;
mod collections;
mod filters;
mod functions;
mod generic_test;
mod macros;
mod noted;
mod problem;
mod relation_value;
mod rewrite;
mod rewriter;
mod scope;
mod source_map;
mod subject;
mod templates;
#[cfg(test)]
mod tests;
mod text_methods;
mod time;
mod tokens;

pub use generic_test::TestSubject;
pub use source_map::SourceMap;
pub use subject::{Invocation, Parsed, RefUse, Rendered, Resolved, Resolver, SourceUse, Subject};
pub use templates::Templates;
