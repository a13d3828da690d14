//! The template environment.
//!
//! Owns rendering: dbt's functions with dbt's meaning, macros of every file for every file, generic tests, and where in
//! the user's file each byte of the SQL came from. Comes in: a [`Project`](crate::project::Project) and texts. Goes out:
//! what a text refers to and how it is configured (first pass), SQL with its source map (second pass), or a problem with
//! its place. Must not know: the graph, what SQL means, any warehouse.

mod adapter;
mod answer;
mod answer_value;
mod arithmetic;
mod asking;
mod bound;
mod collections;
mod column_value;
mod depth;
mod filters;
mod functions;
mod generated_names;
mod generic_test;
mod macros;
mod moment;
mod namespaces;
mod noted;
mod of_project;
mod operators;
mod overrides;
mod passes;
mod patterns;
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
mod visits;
mod widths;
mod yaml_value;

use mep_core::keys::Section;

pub use answer::{Answer, Asked, Cell};
pub use generated_names::GeneratedName;
pub use generic_test::TestSubject;
pub use passes::silently;
pub use source_map::SourceMap;
pub use subject::{Invocation, Parsed, RefUse, Refusal, Rendered, Resolved, Resolver, SourceUse, Subject};
pub use templates::Templates;

/// The built-in tests, as `data_tests` use them, and what they find.
pub const BUILTIN_TESTS_DOC: [(&str, &str); 4] = [
    ("unique", "values that are there more than once; NULL is not looked at"),
    ("not_null", "rows without a value"),
    ("accepted_values: {arguments: {values: [a, b], quote: true}}", "other values; NULL is not looked at"),
    (
        "relationships: {arguments: {to: ref('dim_user'), field: user_key}}",
        "values that the other table does not have",
    ),
];

/// What texts can call, for the reference.
pub fn reference_of_functions() -> Vec<Section> {
    vec![
        Section::of("Functions and names of Jinja", &[&functions::FUNCTIONS]),
        Section::of("Filters of Jinja", &[&filters::FILTERS]),
    ]
}
