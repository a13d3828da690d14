//! The objects that dbt gives to texts: `adapter`, `exceptions`, the project as a package, and what mep has not.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, from_args};
use minijinja::{Error, State, Value};

use super::bound::Bound;
use super::macros::Macro;
use super::problem::{invalid, invalid_with_help, unsupported};
use super::scope::Shared;
use super::time::Modules;
use super::visits;
use crate::project::nearest;

/// The adapter's own name, which `adapter.dispatch` looks for first.
const ADAPTER: &str = "mep";

/// The macros that `adapter.dispatch` looks for, the first one first.
pub(super) fn dispatched(name: &str) -> [String; 2] {
    [format!("{ADAPTER}__{name}"), format!("default__{name}")]
}

/// What a value is called that is no value for SQL: a function or one of dbt's own parts.
pub(super) fn thing(value: &Value) -> Option<String> {
    let object = value.as_object()?;
    if object.repr() != ObjectRepr::Plain {
        return None;
    }
    let is_thing = object.is::<Adapter>()
        || object.is::<Exceptions>()
        || object.is::<Package>()
        || object.is::<Unsupported>()
        || object.is::<Macro>()
        || object.is::<Bound>()
        || object.is::<Modules>();
    is_thing.then(|| format!("`{value}`"))
}

/// `adapter`.
pub(super) struct Adapter(pub(super) Arc<Shared>);

impl fmt::Debug for Adapter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("adapter")
    }
}

impl Object for Adapter {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match method {
            // The namespace says which packages to search; here is just the project.
            "dispatch" => match arguments.first().and_then(Value::as_str) {
                Some(name) => dispatch(&self.0, name),
                None => Err(invalid_with_help(
                    "adapter.dispatch() takes the name of a macro",
                    "write adapter.dispatch('macro')(...)",
                )),
            },
            "type" => Ok(ADAPTER.into()),
            "quote" => {
                let (name,): (&str,) = from_args(arguments)?;
                Ok(format!("\"{}\"", name.replace('"', "\"\"")).into())
            }
            _ => Err(unsupported(
                &format!("`adapter.{method}()`"),
                "mep asks no warehouse while it renders; it has `dispatch`, `type` and `quote`",
            )),
        }
    }
}

fn dispatch(shared: &Shared, name: &str) -> Result<Value, Error> {
    let wanted = dispatched(name);
    if let Some(found) = wanted.iter().find_map(|candidate| shared.macros.get(candidate)) {
        return Ok(Macro::value(found));
    }
    Err(invalid_with_help(
        format!("there is no macro to dispatch `{name}` to: expected `{}` or `{}`", wanted[0], wanted[1]),
        &format!("define `{}` in macros/", wanted[1]),
    ))
}

/// `exceptions`.
pub(super) struct Exceptions;

impl fmt::Debug for Exceptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("exceptions")
    }
}

impl Object for Exceptions {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "raise_compiler_error" | "raise_not_implemented" => {
                let (message,): (Value,) = from_args(arguments)?;
                let message = message.to_string();
                visits::check()?;
                Err(invalid(message))
            }
            "warn" => {
                let (message,): (Value,) = from_args(arguments)?;
                let message = message.to_string();
                visits::check()?;
                tracing::warn!(file = state.name(), "{message}");
                Ok("".into())
            }
            _ => Err(unsupported(
                &format!("`exceptions.{method}()`"),
                "mep has `raise_compiler_error` and `warn`",
            )),
        }
    }
}

/// The macros of the project by a package's name, `music_events.surrogate_key(...)`: those that a project took over
/// from dbt's packages are found by the package's name too.
pub(super) struct Package {
    name: String,
    shared: Arc<Shared>,
}

impl fmt::Debug for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Package {
    const FOREIGN: [&str; 6] =
        ["dbt", "dbt_utils", "dbt_expectations", "dbt_date", "audit_helper", "codegen"];

    pub(super) fn named(name: &str, shared: &Arc<Shared>) -> Option<Self> {
        let is_known = name == shared.project_name || Self::FOREIGN.contains(&name);
        is_known.then(|| Self { name: name.to_owned(), shared: shared.clone() })
    }
}

impl Object for Package {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.shared.macros.get(key.as_str()?).map(Macro::value)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        if let Some(found) = self.shared.macros.get(method) {
            return found.call(state, arguments);
        }
        if self.name != self.shared.project_name {
            return Err(unsupported(
                &format!("`{}.{method}()`", self.name),
                &format!(
                    "mep has no packages: put the macro `{method}` in macros/, and the call will find it"
                ),
            ));
        }
        let near = nearest(method, self.shared.macros.keys().map(String::as_str));
        let help =
            near.map_or_else(|| "define it in macros/".to_owned(), |near| format!("did you mean `{near}`?"));
        Err(invalid_with_help(format!("there is no macro `{method}`"), &help))
    }
}

/// A name that dbt knows and mep does not: an error that says so, wherever it is used.
pub(super) struct Unsupported {
    name: String,
    help: &'static str,
}

impl fmt::Debug for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl Unsupported {
    pub(super) fn named(name: &str) -> Option<Self> {
        let help = match name {
            "run_query"
            | "statement"
            | "load_result"
            | "store_result"
            | "load_relation"
            | "load_agate_table"
            | "get_columns_in_relation"
            | "api" => {
                "mep asks no warehouse while it renders: write the values out, or take them from a seed by SQL"
            }
            "graph" | "selected_resources" | "database_schemas" | "dbt_metadata_envs" | "context" => {
                "a text sees itself, its target and the variables, not the rest of the project"
            }
            "fromyaml" | "toyaml" => "use `fromjson` and `tojson`",
            "submit_python_job" => "mep runs SQL models alone",
            _ => return None,
        };
        Some(Self { name: name.to_owned(), help })
    }

    /// As a text finds it: a function says so when it is called, what would be read does so at once.
    pub(super) fn value(self) -> Value {
        let is_read = matches!(
            self.name.as_str(),
            "graph" | "selected_resources" | "database_schemas" | "dbt_metadata_envs" | "context" | "api"
        );
        if is_read { Value::from(self.error()) } else { Value::from_object(self) }
    }

    fn error(&self) -> Error {
        unsupported(&format!("`{}`", self.name), self.help)
    }
}

impl Object for Unsupported {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, _: &Value) -> Option<Value> {
        Some(Value::from(self.error()))
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, _: &[Value]) -> Result<Value, Error> {
        Err(self.error())
    }

    fn call_method(self: &Arc<Self>, _: &mut State<'_, '_>, _: &str, _: &[Value]) -> Result<Value, Error> {
        Err(self.error())
    }
}
