//! What a unit test has macros, variables and the environment give while a model is rendered.

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::Object;
use minijinja::{Error, State, Value};
use serde_json::Value as Json;

use super::collections::of_json;
use crate::project::Overrides;

/// A function that gives the same value, whatever it is asked.
#[derive(Debug)]
struct Constant(Value);

impl Object for Constant {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        Ok(self.0.clone())
    }
}

/// `env_var`, with some variables that the environment need not have.
#[derive(Debug)]
struct Environment(IndexMap<String, Json>);

impl Object for Environment {
    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        match arguments.first().and_then(Value::as_str).and_then(|name| self.0.get(name)) {
            // The environment holds texts alone.
            Some(Json::String(text)) => Ok(text.as_str().into()),
            Some(other) => Ok(other.to_string().into()),
            None => super::functions::env_var_of(arguments),
        }
    }
}

/// What names mean while a unit test renders its model.
#[derive(Clone, Default)]
pub(super) struct Overridden {
    names: IndexMap<String, Value>,
}

impl fmt::Debug for Overridden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.names.keys()).finish()
    }
}

impl Overridden {
    pub(super) fn of(overrides: &Overrides) -> Self {
        let constant = |value: &Json| Value::from_object(Constant(of_json(value)));
        let mut names: IndexMap<String, Value> =
            overrides.macros.iter().map(|(name, value)| (name.clone(), constant(value))).collect();
        if !overrides.env_vars.is_empty() {
            let environment = Environment(overrides.env_vars.clone());
            names.insert("env_var".to_owned(), Value::from_object(environment));
        }
        Self { names }
    }

    /// What a name means.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.names.get(name)
    }

    /// What the name of a package's macro means.
    pub(super) fn of_package(&self, package: &str, name: &str) -> Option<&Value> {
        if self.names.is_empty() { None } else { self.names.get(&format!("{package}.{name}")) }
    }
}
