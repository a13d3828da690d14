//! The objects that dbt gives to texts: `adapter`, `exceptions`, the project as a package, and what mep has not.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{DynObject, Kwargs, Object, ObjectRepr, Rest, from_args};
use minijinja::{Error, State, Value};

use super::bound::{Bound, Function};
use super::column_value::{Api, created, quoted};
use super::macros::Macro;
use super::namespaces::{DBT, PREFIXES};
use super::patterns::ReModule;
use super::problem::{invalid, invalid_with_help, missing_macro, unsupported};
use super::python_text::shown;
use super::relation_value::RelationValue;
use super::scope::{RenderScope, SCOPE, Shared};
use super::time::Modules;
use super::visits;
use crate::project::nearest;
use mep_core::warnings::{self, WarningKind};

/// What `target.type` and `adapter.type()` say: the adapter of dbt whose macros are taken, so that what a project does for it is
/// done whether its macros are dispatched or ask.
pub(crate) const ADAPTER: &str = "duckdb";

/// The macros that `adapter.dispatch` looks for, the first one first.
pub(super) fn dispatched(name: &str) -> [String; 3] {
    PREFIXES.map(|prefix| format!("{prefix}__{name}"))
}

/// What a value is called that is no value for SQL: a function or one of dbt's own parts.
pub(super) fn thing(value: &Value) -> Option<String> {
    let object = value.as_object()?;
    if object.repr() != ObjectRepr::Plain {
        return None;
    }
    let is_thing = object.is::<Adapter>()
        || object.is::<Exceptions>()
        || object.is::<PackageMacros>()
        || object.is::<Unsupported>()
        || object.is::<Macro>()
        || object.is::<Bound>()
        || object.is::<Modules>()
        || object.is::<ReModule>()
        || object.is::<Api>();
    is_thing.then(|| format!("`{value}`"))
}

/// Whether one of dbt's own parts is a function or a macro.
pub(super) fn is_called(value: &Value) -> bool {
    let is = |object: &DynObject| object.is::<Macro>() || object.is::<Bound>() || object.is::<Unsupported>();
    value.as_object().is_some_and(is) || value.downcast_object_ref::<Modules>().is_some_and(Modules::is_class)
}

/// `adapter`, in a text of a package.
pub(super) struct Adapter {
    pub(super) scope: Arc<RenderScope>,
    pub(super) package: String,
}

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
            "dispatch" => self.dispatch(arguments),
            "type" => Ok(ADAPTER.into()),
            "quote" => {
                let (name,): (Value,) = from_args(arguments)?;
                Ok(quoted(&shown(&name)).into())
            }
            "quote_as_configured" => {
                let (name, _): (&str, Option<&str>) = from_args(arguments)?;
                Ok(quoted(name).into())
            }
            "get_columns_in_relation" => {
                let (relation,): (Value,) = from_args(arguments)?;
                self.scope.columns_of(&relation)
            }
            "get_relation" | "load_relation" => self.relation(arguments),
            "check_schema_exists" => {
                let _: (Rest<Value>, Kwargs) = from_args(arguments)?;
                // Where a schema is missing, a run makes it.
                Ok(true.into())
            }
            _ => Err(unsupported(
                &format!("`adapter.{method}()`"),
                "mep makes and takes away tables by itself; ask for rows by `run_query`. `adapter` has `dispatch`, `type`, `quote`, `get_columns_in_relation` and `get_relation`",
            )),
        }
    }
}

impl Adapter {
    /// The relation of these names, where it is known to be there.
    fn relation(&self, arguments: &[Value]) -> Result<Value, Error> {
        let relation = match arguments {
            [relation] if RelationValue::relation(relation).is_some() => relation.clone(),
            arguments => created(arguments)?,
        };
        let is_there = self.scope.is_there(&relation)?;
        Ok(if is_there { relation } else { Value::from(()) })
    }

    fn dispatch(&self, arguments: &[Value]) -> Result<Value, Error> {
        let (named, texts) = match arguments.split_last() {
            Some((last, before)) if last.is_kwargs() => (Some(Kwargs::try_from(last.clone())?), before),
            _ => (None, arguments),
        };
        let by_name =
            |name: &str| named.as_ref().and_then(|named| named.get::<Option<Value>>(name).ok().flatten());
        let name = texts.first().cloned().or_else(|| by_name("macro_name"));
        let Some(name) = name.as_ref().and_then(Value::as_str) else {
            return Err(invalid_with_help(
                "adapter.dispatch() takes the name of a macro",
                "write adapter.dispatch('macro')(...)",
            ));
        };
        let namespace = texts.get(1).cloned().or_else(|| by_name("macro_namespace"));
        let namespace = namespace.as_ref().and_then(Value::as_str);
        match self.scope.shared.macros.dispatched(&self.package, name, namespace) {
            Ok(found) => Ok(Macro::value(found)),
            Err(looked_in) => {
                let wanted = dispatched(name).map(|wanted| format!("`{wanted}`"));
                let packages = looked_in.packages.join(", ");
                Err(invalid_with_help(
                    format!(
                        "there is no macro to dispatch `{name}` to: expected {} in {packages}",
                        wanted.join(", ")
                    ),
                    &format!("define `default__{name}` in macros/"),
                ))
            }
        }
    }
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
                let message = shown(&message);
                visits::check()?;
                if RenderScope::is_told(state) && warnings::note(WarningKind::SaidByText) {
                    tracing::warn!(file = state.name(), "{message}");
                }
                Ok("".into())
            }
            _ => Err(unsupported(
                &format!("`exceptions.{method}()`"),
                "mep has `raise_compiler_error` and `warn`",
            )),
        }
    }
}

/// The macros of a package by its name, `dbt_utils.star(...)`. Those that a project took over from a package that is not there are
/// found by the package's name too.
pub(super) struct PackageMacros {
    name: String,
    shared: Arc<Shared>,
}

impl fmt::Debug for PackageMacros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PackageMacros {
    pub(super) fn named(name: &str, shared: &Arc<Shared>) -> Option<Self> {
        shared.macros.is_package(name).then(|| Self { name: name.to_owned(), shared: shared.clone() })
    }
}

impl Object for PackageMacros {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let name = key.as_str()?;
        if let Some(value) = self.shared.overridden.of_package(&self.name, name) {
            return Some(value.clone());
        }
        self.shared.macros.qualified(&self.name, name).map(Macro::value)
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        if let Some(value) = self.shared.overridden.of_package(&self.name, method) {
            return value.call(state, arguments);
        }
        let macros = &self.shared.macros;
        if let Some(found) = macros.qualified(&self.name, method) {
            return found.call(state, arguments);
        }
        if let ("get", [name, default @ ..]) = (method, arguments) {
            // A package is a mapping of its macros, as in dbt.
            let found = self.get_value(name);
            return Ok(found.or_else(|| default.first().cloned()).unwrap_or_else(|| Value::from(())));
        }
        if self.name == DBT {
            let scope = state.lookup(SCOPE).and_then(|scope| scope.downcast_object::<RenderScope>());
            let asks = Function::named(method).filter(|function| function.is_macro_of_dbt());
            if let (Some(scope), Some(function)) = (scope, asks) {
                return Arc::new(Bound { scope, function }).call(state, arguments);
            }
            return Err(unsupported(
                &format!("`dbt.{method}()`"),
                &format!("put a macro `{method}` in macros/, and the call will find it"),
            ));
        }
        if !macros.is_installed(&self.name) {
            return Err(missing_macro(
                &format!(
                    "the package `{}` is not installed: there is no macro `{}.{method}`",
                    self.name, self.name
                ),
                &format!("run `mep deps`, or put the macro `{method}` in macros/, and the call will find it"),
            ));
        }
        if self.name != macros.root() {
            return Err(missing_macro(
                &format!("the package `{}` has no macro `{method}`", self.name),
                "look which version of it is installed",
            ));
        }
        let near = nearest(method, macros.names());
        let help =
            near.map_or_else(|| "define it in macros/".to_owned(), |near| format!("did you mean `{near}`?"));
        Err(missing_macro(&format!("there is no macro `{method}`"), &help))
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
            "store_result" | "load_agate_table" => "a text asks by `run_query` or `statement`",
            "database_schemas" => {
                "a text sees itself, its target and the variables, not the rest of the project"
            }
            "submit_python_job" => "mep runs SQL models alone",
            _ => return None,
        };
        Some(Self { name: name.to_owned(), help })
    }

    /// As a text finds it: a function says so when it is called, what would be read does so at once.
    pub(super) fn value(self) -> Value {
        let is_read = self.name == "database_schemas";
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
