//! Values of YAML whose texts hold Jinja: arguments of tests, and variables where they are read.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::{Environment, Error, Value};
use serde_json::Value as Json;

use super::collections::{Dict, List, of_json};
use super::rewrite::Rewritten;
use super::scope::RenderScope;
use super::visits::bounded;

/// Whether a text is a template.
pub(super) fn is_jinja(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether any text of a value is a template.
pub(super) fn holds_jinja(value: &Json) -> bool {
    match value {
        Json::String(text) => is_jinja(text),
        Json::Array(values) => values.iter().any(holds_jinja),
        Json::Object(entries) => entries.values().any(holds_jinja),
        _ => false,
    }
}

/// What a text is where it has no braces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bare {
    /// Itself.
    Text,
    /// Evaluated where it is a call of `ref`, `source`, `var` or `env_var`, as dbt does it for a test's arguments.
    Call,
}

/// A value with its Jinja rendered. An expression that is all of a text keeps its type.
pub(super) fn rendered(
    environment: &Environment<'_>,
    scope: &Arc<RenderScope>,
    value: &Json,
    bare: Bare,
) -> Result<Value, Error> {
    match value {
        Json::String(text) => match expression(text, bare) {
            Some(expression) => evaluated(environment, scope, expression),
            None if is_jinja(text) => rendered_text(environment, scope, text).map(Value::from),
            None => Ok(text.as_str().into()),
        },
        Json::Array(values) => {
            let values: Result<Vec<Value>, _> =
                values.iter().map(|value| rendered(environment, scope, value, bare)).collect();
            values.map(List::of)
        }
        Json::Object(entries) => {
            let entries: Result<IndexMap<Value, Value>, Error> = entries
                .iter()
                .map(|(key, value)| {
                    Ok((Value::from(key.as_str()), rendered(environment, scope, value, bare)?))
                })
                .collect();
            entries.map(Dict::of)
        }
        other => Ok(of_json(other)),
    }
}

/// A text as a template.
pub(super) fn rendered_text(
    environment: &Environment<'_>,
    scope: &Arc<RenderScope>,
    text: &str,
) -> Result<String, Error> {
    let rewritten = Rewritten::of(text);
    let template = rewritten.parsed(|_| environment.template_from_str(&rewritten.text))?;
    bounded(|| template.render(Value::from_dyn_object(scope.clone())))
}

/// The value of an expression.
pub(super) fn evaluated(
    environment: &Environment<'_>,
    scope: &Arc<RenderScope>,
    expression: &str,
) -> Result<Value, Error> {
    let rewritten = Rewritten::of(&format!("{{% do __mep_give({expression}) %}}"));
    let template = rewritten.parsed(|_| environment.template_from_str(&rewritten.text))?;
    bounded(|| template.render(Value::from_dyn_object(scope.clone())))?;
    Ok(scope.take_given().unwrap_or_default())
}

/// The expression that a text is as a whole.
fn expression(text: &str, bare: Bare) -> Option<&str> {
    const CALLS: [&str; 4] = ["ref(", "source(", "var(", "env_var("];
    let text = text.trim();
    if let Some(inner) = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        return (!inner.contains("{{")).then(|| inner.trim_matches('-').trim());
    }
    let is_call = CALLS.iter().any(|call| text.starts_with(call)) && text.ends_with(')');
    (bare == Bare::Call && is_call).then_some(text)
}
