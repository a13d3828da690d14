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
mod called;
mod collections;
mod column_value;
mod depth;
mod filters;
mod format_spec;
mod formats;
mod functions;
mod generated_names;
mod generic_test;
mod given;
mod itertools;
mod json_text;
mod late_defaults;
mod layout;
mod list_filters;
mod macro_texts;
mod macros;
mod methods;
mod model_value;
mod namespaces;
mod noted;
mod number_filters;
mod of_project;
mod operators;
mod overridden;
mod overrides;
mod passes;
mod patterns;
mod problem;
mod python_text;
mod relation_value;
mod rewrite;
mod rewriter;
mod scope;
mod set_value;
mod source_map;
mod subject;
mod templates;
#[cfg(test)]
mod tests;
mod tests_of_values;
mod text_filters;
mod text_methods;
mod time;
mod tokens;
mod views;
mod visits;
mod widths;
mod yaml_text;
mod yaml_value;

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use mep_core::keys::Section;

pub(crate) use adapter::ADAPTER;
pub use answer::{Answer, Asked, Cell};
pub use generated_names::GeneratedName;
pub use generic_test::TestSubject;
pub use macro_texts::MacroText;
pub use passes::silently;
pub use source_map::SourceMap;
pub use subject::{Invocation, Parsed, RefUse, Refusal, Rendered, Resolved, Resolver, SourceUse, Subject};
pub use templates::Templates;

/// The engine for the texts of YAML files, which see no node: all that is the same for every text.
pub(crate) fn engine_of_yaml() -> minijinja::Environment<'static> {
    /// All files are read as if at one time.
    static NOW: LazyLock<DateTime<Utc>> = LazyLock::new(Utc::now);
    let mut environment = templates::environment();
    let now = || minijinja::Value::from_object(time::Timestamp::utc(*NOW));
    environment.add_function("__run_started_at", now);
    environment
}

/// A text of a YAML file as the engine takes it.
pub(crate) fn yaml_template(text: &str) -> String {
    rewrite::Rewritten::without_macros(text)
}

/// An expression of a YAML file as the engine takes it.
pub(crate) fn yaml_expression(text: &str) -> String {
    rewrite::Rewritten::expression(text)
}

/// Renders, within what one rendering may look at.
///
/// # Errors
/// As rendering has them.
pub(crate) fn within_bounds<T>(
    render: impl FnOnce() -> Result<T, minijinja::Error>,
) -> Result<T, minijinja::Error> {
    visits::bounded(render)
}

/// An error's message, and its help where it has one.
pub(crate) fn engine_said(error: &minijinja::Error) -> (String, Option<String>) {
    problem::message_and_help(problem::root(error))
}

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
