//! dbt's functions.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, Rest, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::collections::{Dict, List, of_json, own};
use super::macros::return_value;
use super::problem::{invalid, invalid_with_help};
use super::relation_value::RelationValue;
use super::scope::Scope;
use super::time::{Timestamp, shifted};
use crate::project::nearest;
use crate::relation::Relation;

/// Names that a text can use, for a near one to a name that is unknown.
pub(super) const NAMES: [&str; 27] = [
    "ref",
    "source",
    "config",
    "var",
    "env_var",
    "this",
    "is_incremental",
    "target",
    "run_started_at",
    "logical_date",
    "execute",
    "log",
    "print",
    "exceptions",
    "adapter",
    "return",
    "flags",
    "model",
    "schema",
    "invocation_id",
    "project_name",
    "fromjson",
    "tojson",
    "zip",
    "should_full_refresh",
    "builtins",
    "modules",
];

/// Makes the functions and filters known that are the same for every text.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("__list", |literal: Value| List::of(items(&literal).unwrap_or_default()));
    environment.add_function("__dict", |literal: Value| own(&literal));
    environment.add_function("__own", |value: Value| own(&value));
    environment.add_function("list", |values: Option<Value>| match values {
        Some(values) => items(&values).map(List::of),
        None => Ok(List::of(Vec::new())),
    });
    environment.add_function("dict", |entries: Option<Value>, named: Kwargs| {
        let entries: Vec<Value> = entries.into_iter().chain([named_values(&named)?]).collect();
        Dict::from_arguments(&entries)
    });
    environment.add_function("set", distinct);
    environment.add_function("set_strict", distinct);
    environment.add_function("zip", |lists: Rest<Value>| zip(&lists));
    environment.add_function("zip_strict", |lists: Rest<Value>| zip(&lists));
    environment.add_function("fromjson", |text: &str, default: Option<Value>, named: Kwargs| {
        from_json(text, default, &named)
    });
    environment.add_function("tojson", |value: &Value, default: Option<Value>, named: Kwargs| {
        to_json(value, default, &named)
    });
    environment.add_function("return", return_value);
    environment.add_function("env_var", |name: &str, default: Option<Value>, named: Kwargs| {
        env_var(name, default, &named)
    });
    environment
        .add_function("log", |message: &Value, info: Option<bool>, named: Kwargs| log(message, info, &named));
    environment.add_function("print", |message: Value| {
        tracing::info!("{message}");
        ""
    });
    environment.add_filter("__minus", |time: Value, delta: Value| shifted(&time, &delta, -1));
    environment.add_filter("__plus", |time: Value, delta: Value| shifted(&time, &delta, 1));
    environment.add_filter("as_text", |value: Value| value.to_string());
    environment.add_filter("as_native", |value: Value| native(&value).unwrap_or(value));
    environment.add_filter("as_number", |value: Value| match native(&value) {
        Some(number) if number.is_number() => Ok(number),
        _ => Err(invalid(format!("as_number: {value:?} is not a number"))),
    });
    environment.add_filter("as_bool", |value: Value| match native(&value) {
        Some(found) if bool::try_from(found.clone()).is_ok() => Ok(found),
        _ => Err(invalid(format!("as_bool: {value:?} is neither true nor false"))),
    });
}

/// Named arguments as a mapping.
fn named_values(named: &Kwargs) -> Result<Value, Error> {
    let entries = named.args().map(|name| Ok((Value::from(name), named.get::<Value>(name)?)));
    Ok(Dict::of(entries.collect::<Result<_, Error>>()?))
}

/// A default, which may be given by name.
fn default_of(default: Option<Value>, named: &Kwargs) -> Result<Option<Value>, Error> {
    match default {
        None if named.has("default") => named.get("default").map(Some),
        default => Ok(default),
    }
}

fn items(values: &Value) -> Result<Vec<Value>, Error> {
    Ok(values.try_iter()?.collect())
}

fn distinct(values: &Value) -> Result<Value, Error> {
    let mut seen: Vec<Value> = Vec::new();
    for value in values.try_iter()? {
        if !seen.contains(&value) {
            seen.push(value);
        }
    }
    Ok(List::of(seen))
}

fn zip(lists: &[Value]) -> Result<Value, Error> {
    let lists = lists.iter().map(items).collect::<Result<Vec<_>, Error>>()?;
    let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
    let row = |index: usize| List::of(lists.iter().map(|list| list[index].clone()).collect());
    Ok(List::of((0..shortest).map(row).collect()))
}

fn from_json(text: &str, default: Option<Value>, named: &Kwargs) -> Result<Value, Error> {
    let default = default_of(default, named)?;
    named.assert_all_used()?;
    match serde_json::from_str::<Json>(text) {
        Ok(value) => Ok(of_json(&value)),
        Err(error) => default.ok_or_else(|| invalid(format!("fromjson: {error}"))),
    }
}

fn to_json(value: &Value, default: Option<Value>, named: &Kwargs) -> Result<Value, Error> {
    let default = default_of(default, named)?;
    let sorted = named.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    named.assert_all_used()?;
    let json = serde_json::to_value(value).map(|mut json| {
        if sorted {
            json.sort_all_objects();
        }
        Value::from(json.to_string())
    });
    json.or_else(|error| default.ok_or_else(|| invalid(format!("tojson: {error}"))))
}

fn log(message: &Value, info: Option<bool>, named: &Kwargs) -> Result<&'static str, Error> {
    let named_info = named.get::<Option<bool>>("info")?;
    named.assert_all_used()?;
    if info.or(named_info) == Some(true) {
        tracing::info!("{message}");
    } else {
        tracing::debug!("{message}");
    }
    Ok("")
}

fn env_var(name: &str, default: Option<Value>, named: &Kwargs) -> Result<Value, Error> {
    let default = default_of(default, named)?;
    named.assert_all_used()?;
    match std::env::var(name) {
        Ok(value) => Ok(value.into()),
        Err(_) => default.ok_or_else(|| {
            let help = format!("set it, or give a default: env_var('{name}', '...')");
            invalid_with_help(format!("the environment variable `{name}` is not set"), &help)
        }),
    }
}

/// What a text stands for where it is the text of a number, a truth value or none.
fn native(value: &Value) -> Option<Value> {
    let Some(text) = value.as_str() else { return Some(value.clone()) };
    Some(match text.trim() {
        "true" | "True" => true.into(),
        "false" | "False" => false.into(),
        "none" | "None" | "null" => Value::from(()),
        text => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => return None,
        },
    })
}

/// A name and a default, which may be given by name.
fn first_and_default(arguments: &[Value]) -> Result<(&str, Option<Value>), Error> {
    match arguments {
        [name, options] if options.is_kwargs() => {
            let options = Kwargs::try_from(options.clone())?;
            let name = name.as_str().ok_or_else(|| invalid("a name was expected as the first argument"))?;
            Ok((name, options.get("default").ok()))
        }
        _ => from_args(arguments),
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
            _ => return None,
        })
    }
}

/// A function and the text that calls it.
pub(super) struct Bound {
    pub(super) scope: Arc<Scope>,
    pub(super) function: Function,
}

impl fmt::Debug for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<function {:?}>", self.function)
    }
}

impl Object for Bound {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        let scope = &self.scope;
        match self.function {
            Function::Ref => scope.reference(arguments),
            Function::Source => scope.source(arguments),
            Function::Config => scope.configure(arguments),
            Function::Var => scope.var(arguments),
            Function::IsIncremental => {
                scope.noted().uses_is_incremental = true;
                Ok(scope.resolver.as_ref().is_some_and(|resolver| resolver.is_incremental()).into())
            }
            Function::ShouldFullRefresh => {
                let own = scope.config_value("full_refresh").filter(|value| !value.is_none());
                Ok(own.unwrap_or_else(|| scope.shared.invocation.full_refresh.into()))
            }
            Function::RunStartedAt => Ok(Value::from_object(Timestamp(scope.run_started_at()))),
            Function::InvocationId => {
                scope.noted().uses_run_time = true;
                Ok(scope.shared.invocation.invocation_id.as_str().into())
            }
            Function::Start => {
                let (loader,): (Value,) = from_args(arguments)?;
                scope.loader.get_or_init(|| loader);
                Ok("".into())
            }
            Function::Keep => {
                let (file, module): (&str, Value) = from_args(arguments)?;
                scope.keep_module(file, module);
                Ok("".into())
            }
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
            (Function::Config, "get") => {
                let (key, default) = first_and_default(arguments)?;
                let value = self.scope.config_value(key).or(default);
                Ok(value.unwrap_or_else(|| Value::from(())))
            }
            (Function::Config, "require") => {
                let (key, _) = first_and_default(arguments)?;
                self.scope.config_value(key).ok_or_else(|| {
                    let help = format!("set it: config({key}=...)");
                    invalid_with_help(format!("the config `{key}` is required here"), &help)
                })
            }
            (Function::Var, "has_var") => {
                let (name,): (&str,) = from_args(arguments)?;
                Ok(self.scope.shared.vars.contains_key(name).into())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

fn texts(arguments: &[Value]) -> Option<Vec<&str>> {
    arguments.iter().map(Value::as_str).collect()
}

impl Scope {
    fn reference(&self, arguments: &[Value]) -> Result<Value, Error> {
        if arguments.last().is_some_and(Value::is_kwargs) {
            return Err(invalid_with_help(
                "ref() takes no named arguments",
                "mep has no versions of models: give each version a name of its own",
            ));
        }
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
        let relation = match &self.resolver {
            Some(resolver) => resolver.resolve_ref(package, name).map_err(invalid)?,
            None => Relation { schema: self.about.this.schema.clone(), name: name.to_owned() },
        };
        let mut noted = self.noted();
        let is_new = |(other, of): &(Option<String>, String)| other.as_deref() != package || of != name;
        if noted.refs.iter().all(is_new) {
            noted.refs.push((package.map(str::to_owned), name.to_owned()));
        }
        Ok(RelationValue::of(relation))
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
        let relation = match &self.resolver {
            Some(resolver) => resolver.resolve_source(source, table).map_err(invalid)?,
            None => Relation { schema: self.about.this.schema.clone(), name: (*table).to_owned() },
        };
        let mut noted = self.noted();
        if noted.sources.iter().all(|(other, of)| other != source || of != table) {
            noted.sources.push(((*source).to_owned(), (*table).to_owned()));
        }
        Ok(RelationValue::of(relation))
    }

    fn configure(&self, arguments: &[Value]) -> Result<Value, Error> {
        for argument in arguments {
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

    fn var(&self, arguments: &[Value]) -> Result<Value, Error> {
        let (name, default) = first_and_default(arguments)?;
        if let Some(value) = self.shared.vars.get(name) {
            return Ok(of_json(value));
        }
        default.ok_or_else(|| {
            let near = nearest(name, self.shared.vars.keys().map(String::as_str));
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
