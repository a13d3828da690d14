//! dbt's functions that depend on the text that calls them: they note what it asks for.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::collections::{Dict, List, of_json};
use super::column_value::ApiColumn;
use super::depth::is_writable;
use super::problem::{invalid, invalid_with_help, refused};
use super::relation_value::RelationValue;
use super::scope::RenderScope;
use super::time::Timestamp;
use super::yaml_value::{Bare, holds_jinja, rendered};
use crate::project::nearest;
use mep_core::relation::Relation;

/// A name and a default, which may be given by name.
fn first_and_default(arguments: &[Value]) -> Result<(&str, Option<Value>), Error> {
    match arguments {
        [name, options] if options.is_kwargs() => {
            let options = Kwargs::try_from(options.clone())?;
            let name = name.as_str().ok_or_else(|| invalid("a name was expected as the first argument"))?;
            Ok((name, options.get::<Value>("default").ok()))
        }
        // A default of none is one.
        [name, default] => {
            let (name,): (&str,) = from_args(std::slice::from_ref(name))?;
            Ok((name, Some(default.clone())))
        }
        _ => from_args::<(&str,)>(arguments).map(|(name,)| (name, None)),
    }
}

/// The functions that depend on what is being rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Ref,
    Source,
    Config,
    Var,
    IsIncremental,
    ShouldFullRefresh,
    /// `run_started_at`, noted.
    RunStartedAt,
    /// `invocation_id`, noted.
    InvocationId,
    /// Of the loader: here is the macro that loads files.
    Start,
    /// Of the loader: here is what a file defines.
    Keep,
    /// Of an expression: here is its value.
    Give,
    /// `get_columns_in_relation`.
    Columns,
    /// The value of an expression of SQL that reads nothing.
    Constant,
    /// `run_query`.
    RunQuery,
    /// `statement`.
    Statement,
    /// `load_result`.
    LoadResult,
    /// `load_relation`.
    LoadRelation,
}

impl Function {
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "ref" => Self::Ref,
            "source" => Self::Source,
            "config" => Self::Config,
            "var" => Self::Var,
            "is_incremental" => Self::IsIncremental,
            "should_full_refresh" => Self::ShouldFullRefresh,
            "__run_started_at" => Self::RunStartedAt,
            "__invocation_id" => Self::InvocationId,
            "__mep_start" => Self::Start,
            "__mep_keep" => Self::Keep,
            "__mep_give" => Self::Give,
            "get_columns_in_relation" => Self::Columns,
            "__mep_constant" => Self::Constant,
            "run_query" => Self::RunQuery,
            "statement" => Self::Statement,
            "load_result" => Self::LoadResult,
            "load_relation" | "load_cached_relation" => Self::LoadRelation,
            _ => return None,
        })
    }
}

impl Function {
    /// Whether it asks data for something.
    pub(super) fn asks(self) -> bool {
        matches!(self, Self::RunQuery | Self::Statement | Self::LoadResult | Self::LoadRelation)
    }

    /// Whether it is a macro in dbt, and so one of the package `dbt`.
    pub(super) fn is_macro_of_dbt(self) -> bool {
        self.asks() || matches!(self, Self::IsIncremental | Self::ShouldFullRefresh | Self::Columns)
    }
}

/// A function and the text that calls it.
pub(super) struct Bound {
    pub(super) scope: Arc<RenderScope>,
    pub(super) function: Function,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.function {
            Function::Ref => "ref",
            Function::Source => "source",
            Function::Config => "config",
            Function::Var => "var",
            Function::IsIncremental => "is_incremental",
            Function::ShouldFullRefresh => "should_full_refresh",
            Function::RunStartedAt => "run_started_at",
            Function::InvocationId => "invocation_id",
            Function::Columns => "get_columns_in_relation",
            Function::RunQuery => "run_query",
            Function::Statement => "statement",
            Function::LoadResult => "load_result",
            Function::LoadRelation => "load_relation",
            Function::Start | Function::Keep | Function::Give | Function::Constant => "function",
        })
    }
}

impl Object for Bound {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    /// Packages ask `builtins.ref.config` for their own version.
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let is_config = self.function == Function::Ref && key.as_str() == Some("config");
        let shared = &self.scope.shared;
        is_config.then(|| {
            let name = shared.project_name.as_str().into();
            Dict::with([("project_name", name), ("dependencies", shared.dependencies.clone())])
        })
    }

    fn call(self: &Arc<Self>, state: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let scope = &self.scope;
        match self.function {
            Function::Ref => scope.reference(arguments),
            Function::Source => scope.source(arguments),
            Function::Config => scope.configure(arguments),
            Function::Var => scope.var(state, arguments),
            Function::IsIncremental => {
                scope.noted().uses_is_incremental = true;
                Ok(scope.resolver.as_ref().is_some_and(|resolver| resolver.is_incremental()).into())
            }
            Function::ShouldFullRefresh => {
                let own = scope.config_value("full_refresh").filter(|value| !value.is_none());
                Ok(own.unwrap_or_else(|| scope.shared.invocation.full_refresh.into()))
            }
            Function::RunStartedAt => Ok(Value::from_object(Timestamp::utc(scope.run_started_at()))),
            Function::InvocationId => {
                scope.noted().uses_run_time = true;
                Ok(scope.shared.invocation.invocation_id.as_str().into())
            }
            Function::Start => {
                let (loader,): (Value,) = from_args(arguments)?;
                scope.start(loader);
                Ok("".into())
            }
            Function::Keep => {
                let (file, module): (&str, Value) = from_args(arguments)?;
                scope.keep_module(file, module);
                Ok("".into())
            }
            Function::Columns => {
                let (relation,): (Value,) = from_args(arguments)?;
                scope.columns_of(&relation)
            }
            Function::Constant => {
                let (expression,): (&str,) = from_args(arguments)?;
                let Some(resolver) = &scope.resolver else { return Ok(1.into()) };
                resolver.constant(expression).map(|value| of_json(&value)).map_err(refused)
            }
            Function::RunQuery => scope.run_query(arguments),
            Function::Statement => scope.statement(state, arguments),
            Function::LoadResult => scope.load_result(arguments),
            Function::LoadRelation => scope.load_relation(arguments),
            Function::Give => {
                let (value,): (Value,) = from_args(arguments)?;
                scope.give(value);
                Ok("".into())
            }
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match (self.function, method) {
            (Function::Config, "get" | "meta_get") => {
                let (key, default) = first_and_default(arguments)?;
                let value = self.configured(key, method == "meta_get").or(default);
                Ok(value.unwrap_or_else(|| Value::from(())))
            }
            (Function::Config, "require" | "meta_require") => {
                let (key, _) = first_and_default(arguments)?;
                self.configured(key, method == "meta_require").ok_or_else(|| {
                    let help = format!("set it: config({key}=...)");
                    invalid_with_help(format!("the config `{key}` is required here"), &help)
                })
            }
            (Function::Var, "has_var") => {
                let (name,): (&str,) = from_args(arguments)?;
                Ok(self.scope.variables().contains_key(name).into())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

impl Bound {
    /// A value of config, or of its `meta`.
    fn configured(&self, key: &str, of_meta: bool) -> Option<Value> {
        if !of_meta {
            return self.scope.config_value(key);
        }
        self.scope.config_value("meta")?.get_attr(key).ok().filter(|value| !value.is_undefined())
    }
}

fn texts(arguments: &[Value]) -> Option<Vec<&str>> {
    arguments.iter().map(Value::as_str).collect()
}

/// The arguments of `ref()` without the version, and the version that `v` or `version` says.
fn with_version(arguments: &[Value]) -> Result<(&[Value], Option<String>), Error> {
    let Some((last, names)) = arguments.split_last().filter(|(last, _)| last.is_kwargs()) else {
        return Ok((arguments, None));
    };
    let named = Kwargs::try_from(last.clone())?;
    let version = ["v", "version"].into_iter().find(|name| named.has(name));
    let version: Option<Value> = version.map(|name| named.get(name)).transpose()?;
    if let Some(other) = named.args().find(|name| !["v", "version"].contains(name)) {
        return Err(invalid_with_help(
            format!("ref() takes no argument `{other}`"),
            "write ref('model', v=2) for a version of a model",
        ));
    }
    let version = version.filter(|version| !version.is_none() && !version.is_undefined());
    Ok((names, version.map(|version| version.to_string())))
}

impl RenderScope {
    fn reference(&self, arguments: &[Value]) -> Result<Value, Error> {
        let (arguments, version) = with_version(arguments)?;
        let (package, name) = match texts(arguments).as_deref() {
            Some([name]) => (None, *name),
            Some([package, name]) => (Some(*package), *name),
            _ => {
                return Err(invalid_with_help(
                    format!("ref() takes the name of a model, found {}", described(arguments)),
                    "write ref('model') or ref('project', 'model')",
                ));
            }
        };
        let of_version = version.map(|version| format!("{name}.v{version}"));
        let name = of_version.as_deref().unwrap_or(name);
        let resolved = match &self.resolver {
            Some(resolver) => {
                // A name alone is looked for in the project, then in the text's own package, then in any other, as in dbt.
                let (root, own) = (self.shared.project_name.as_str(), self.about.package.as_str());
                let order = if self.shared.own_package_first { [own, root] } else { [root, own] };
                let mut first = order.into_iter().filter(|_| package.is_none() && own != root);
                let found = first.find_map(|of| resolver.resolve_ref(Some(of), name).ok());
                found.map_or_else(|| resolver.resolve_ref(package, name), Ok).map_err(refused)?
            }
            None => Relation { schema: self.about.this.schema.clone(), name: name.to_owned() }.into(),
        };
        let mut noted = self.noted();
        noted.relations.push(resolved.relation.clone());
        let is_new = |(other, of): &(Option<String>, String)| other.as_deref() != package || of != name;
        if noted.refs.iter().all(is_new) {
            noted.refs.push((package.map(str::to_owned), name.to_owned()));
        }
        Ok(RelationValue::of(resolved))
    }

    fn source(&self, arguments: &[Value]) -> Result<Value, Error> {
        let texts = texts(arguments);
        let Some([source, table]) = texts.as_deref() else {
            return Err(invalid_with_help(
                format!(
                    "source() takes the name of a source and the name of a table, found {}",
                    described(arguments)
                ),
                "write source('source', 'table')",
            ));
        };
        let resolved = match &self.resolver {
            Some(resolver) => resolver.resolve_source(source, table).map_err(refused)?,
            None => Relation { schema: self.about.this.schema.clone(), name: (*table).to_owned() }.into(),
        };
        let mut noted = self.noted();
        noted.relations.push(resolved.relation.clone());
        if noted.sources.iter().all(|(other, of)| other != source || of != table) {
            noted.sources.push(((*source).to_owned(), (*table).to_owned()));
        }
        Ok(RelationValue::of(resolved))
    }

    /// The columns of a relation, as the plan of it says them: no warehouse is asked.
    pub(super) fn columns_of(&self, relation: &Value) -> Result<Value, Error> {
        let Some(relation) = RelationValue::relation(relation) else {
            return Err(invalid_with_help(
                format!("expected a relation, found {}", described(std::slice::from_ref(relation))),
                "write get_columns_in_relation(ref('model'))",
            ));
        };
        let Some(resolver) = &self.resolver else { return Ok(List::of(Vec::new())) };
        let columns = resolver.columns(&relation).map_err(refused)?;
        let is_input = relation == self.about.this || self.noted().relations.contains(&relation);
        if !is_input && !columns.is_empty() {
            return Err(invalid_with_help(
                format!("the columns of {relation} are asked for, which is no input of this text"),
                "make it one: name it by ref() or source()",
            ));
        }
        Ok(List::of(columns.iter().map(|(name, data_type)| ApiColumn::of(name, data_type)).collect()))
    }

    /// Whether a relation is there: an input, or the text's own, as the plan of it says; any other where a node of the project is it.
    pub(super) fn is_there(&self, relation: &Value) -> Result<bool, Error> {
        if let (Some(of), Some(resolver)) = (RelationValue::relation(relation), &self.resolver)
            && of != self.about.this
            && !self.noted().relations.contains(&of)
        {
            return Ok(resolver.is_there(&of));
        }
        Ok(self.columns_of(relation)?.len() != Some(0))
    }

    fn configure(&self, arguments: &[Value]) -> Result<Value, Error> {
        for argument in arguments {
            if !is_writable(argument) {
                return Err(invalid_with_help(
                    "config() is given values that are too large",
                    "make them smaller",
                ));
            }
            let Ok(Json::Object(entries)) = serde_json::to_value(argument) else {
                return Err(invalid_with_help(
                    format!("config() takes keys and values, found {argument:?}"),
                    "write config(materialized='table')",
                ));
            };
            self.noted().config.extend(entries);
        }
        Ok("".into())
    }

    /// A variable. Jinja in its texts is rendered where it is read, as dbt does it.
    fn var(self: &Arc<Self>, state: &State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let (name, default) = first_and_default(arguments)?;
        if let Some(value) = self.variables().get(name) {
            if !holds_jinja(value) {
                return Ok(of_json(value));
            }
            let value = self.as_var(|| rendered(state.env(), self, value, Bare::Text));
            return value.unwrap_or_else(|| {
                let message = format!("the variable `{name}` is made of itself");
                Err(invalid_with_help(message, "write its value out"))
            });
        }
        default.ok_or_else(|| {
            let near = nearest(name, self.variables().keys().map(String::as_str));
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!(
                    "set it under `vars:` in dbt_project.yml or by --vars, or give a default: var('{name}', ...)"
                ),
            };
            invalid_with_help(format!("the variable `{name}` is not set"), &help)
        })
    }
}

/// Arguments as a message names them.
fn described(arguments: &[Value]) -> String {
    if arguments.is_empty() {
        return "nothing".to_owned();
    }
    let arguments: Vec<String> = arguments
        .iter()
        .map(
            |argument| {
                if argument.is_undefined() { "an undefined value".into() } else { format!("{argument:?}") }
            },
        )
        .collect();
    arguments.join(", ")
}
