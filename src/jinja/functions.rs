//! dbt's functions that are the same for every text.

use minijinja::value::{Kwargs, Rest};
use minijinja::{Environment, Error, Value};
use serde_json::Value as Json;

use super::collections::{Dict, List, of_json, own};
use super::macros::return_value;
use super::problem::{invalid, invalid_with_help};

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

/// Makes the functions known that are the same for every text.
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
    environment
        .add_function("cycler", |items: Rest<Value>| minijinja_contrib::globals::cycler(items.to_vec()));
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
