//! dbt's functions that are the same for every text.

use indexmap::IndexMap;
use md5::{Digest, Md5};
use minijinja::value::{Kwargs, Rest, Tuple, ValueOrKwargs, from_args};
use minijinja::{Environment, Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::collections::{Dict, List, hashable, of_json, own};
use super::depth::place;
use super::filters::all;
use super::given::{Given, described};
use super::json_text::{self, Layout};
use super::macros::return_value;
use super::problem::{invalid, invalid_with_help, valid};
use super::python_text::shown;
use super::scope::RenderScope;
use super::set_value::SetValue;
use super::views::Range;
use super::visits;
use super::yaml_text::{from_yaml, to_yaml};
use mep_core::keys::{Key, key};
use mep_core::secrets;

/// Names that a text can use, for a near one to a name that is unknown.
pub(super) const FUNCTIONS: [Key; 39] = [
    key(
        "ref",
        "ref('model') or ref('project', 'model')",
        "",
        "The relation of a model, seed or snapshot; makes it an input.",
    ),
    key("source", "source('source', 'table')", "", "The relation of a landed table; makes it an input."),
    key(
        "config",
        "config(key=value, …)",
        "",
        "Config of the model. `config.get('key', default)` and `config.require('key')` ask for it.",
    ),
    key(
        "var",
        "var('name', default)",
        "",
        "A variable, of `vars:` or `--vars`. `var.has_var('name')` asks whether it is set.",
    ),
    key("env_var", "env_var('NAME', default)", "", "A variable of the environment."),
    key("this", "this", "", "The model's own relation; `this.schema`, `this.identifier`."),
    key(
        "is_incremental",
        "is_incremental()",
        "",
        "Whether rows are stored that this run adds to. A model that asks has increments as in dbt.",
    ),
    key(
        "target",
        "target.name",
        "",
        "The target: `name`, `schema`, `threads`, `profile_name`, `type` (local or hive).",
    ),
    key(
        "run_started_at",
        "run_started_at",
        "",
        "When the run began, UTC. A model that asks is another one on every run.",
    ),
    key("logical_date", "logical_date", "", "The day of `--date`, as text; today without it."),
    key(
        "execute",
        "execute",
        "",
        "Whether names are resolved: false while a text is only read for its inputs.",
    ),
    key("log", "log(text, info=false)", "", "Says something at level debug, or info."),
    key("print", "print(text)", "", "Says something."),
    key(
        "exceptions",
        "exceptions.raise_compiler_error(text)",
        "",
        "Stops with an error at this place; `exceptions.warn(text)` warns.",
    ),
    key(
        "adapter",
        "adapter.dispatch('macro')",
        "",
        "The macro `mep__macro`, else `duckdb__macro`, else `default__macro`, of the packages that `dispatch:` says. `adapter.quote(name)`, `adapter.type()`, `adapter.get_columns_in_relation(relation)` and `adapter.get_relation(database, schema, identifier)` too; columns are known from the plan.",
    ),
    key(
        "run_query",
        "run_query('select ...')",
        "",
        "The rows of a SELECT over inputs of the text, once these are built; nothing where `execute` is false. `.columns`, `.rows`, `.column_names`, `.print_table()` as of dbt's tables. `{% if execute %}` stands around what uses them.",
    ),
    key(
        "statement",
        "{% call statement('name', fetch_result=true) %}select ...{% endcall %}",
        "",
        "The same, kept under a name for `load_result`.",
    ),
    key("load_result", "load_result('name')", "", "What a statement gave: `.table`, and `.data` as lists."),
    key(
        "load_relation",
        "load_relation(relation)",
        "",
        "The relation where it is there, else none, as `adapter.get_relation`.",
    ),
    key(
        "graph",
        "graph.nodes",
        "",
        "The nodes of the project as in dbt's manifest, and `graph.sources`, `graph.exposures`; empty where `execute` is false.",
    ),
    key(
        "selected_resources",
        "selected_resources",
        "",
        "The unique ids of what the command works on; empty where `execute` is false.",
    ),
    key(
        "api",
        "api.Relation.create(schema='s', identifier='t')",
        "",
        "A relation of these names. `api.Column('name', 'type')` and `api.Column.translate_type('string')` too.",
    ),
    key(
        "dbt",
        "dbt.datediff('a', 'b', 'day')",
        "",
        "The macros of dbt for SQL of any database, by `dbt.` or alone: `dateadd`, `date_trunc`, `date_spine`, `type_string`, `listagg`, `split_part`, `hash`, `safe_cast` and the others. A package's macros are called by its name.",
    ),
    key("return", "return(value)", "", "Ends a macro with a value."),
    key("flags", "flags.FULL_REFRESH", "", "`FULL_REFRESH` and `WHICH`, the command."),
    key(
        "model",
        "model.name",
        "",
        "The node: `name`, `unique_id`, `resource_type`, `fqn`, `schema`, `alias`, `original_file_path`, `config`.",
    ),
    key("schema", "schema", "", "The node's schema."),
    key("invocation_id", "invocation_id", "", "The run's id. A model that asks is another one on every run."),
    key("project_name", "project_name", "", "The project's name."),
    key("fromjson", "fromjson(text, default)", "", "A value from JSON."),
    key("tojson", "tojson(value, default, sort_keys=false)", "", "JSON of a value."),
    key("zip", "zip(list, list, …)", "", "Tuples of the items of several lists; `zip_strict` too."),
    key("set", "set(list, default)", "", "A set: each item once; `set_strict` too."),
    key("fromyaml", "fromyaml(text, default)", "", "A value from YAML."),
    key("toyaml", "toyaml(value, default, sort_keys=false)", "", "YAML of a value."),
    key("local_md5", "local_md5(text)", "", "The MD5 hash of a text."),
    key(
        "should_full_refresh",
        "should_full_refresh()",
        "",
        "Whether the node is refreshed in full: its config, else the command.",
    ),
    key(
        "builtins",
        "builtins.ref(…)",
        "",
        "`ref`, `source`, `config`, `var`, `is_incremental` and `should_full_refresh`, for a macro that stands in for one of them.",
    ),
    key(
        "modules",
        "modules.datetime",
        "",
        "Python's `datetime`: `datetime`, `date`, `time` and `timedelta`, where `now()` is when the run began; `pytz`: `timezone` and `utc`; `re`; and `itertools`.",
    ),
];

/// Makes the functions known that are the same for every text.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("__list", |literal: Value| List::of(items(&literal).unwrap_or_default()));
    environment.add_function("__dict", |literal: Value| own(&literal));
    environment.add_function("__tuple", |literal: Value| place(&literal, 0).map(|()| literal.clone()));
    environment.add_function("__key", |key: Value| hashable(&key).map(|()| key.clone()));
    environment.add_function("__do", |_: Value| "");
    environment.add_function("__own", |value: Value| {
        let value = own(&value);
        valid(&value).and_then(|()| visits::check()).map(|()| value)
    });
    environment.add_function("__held", |value: Value| {
        let value = own(&value);
        valid(&value)?;
        place(&value, 0).and_then(|()| visits::check()).map(|()| value)
    });
    environment.add_function("namespace", namespace);
    environment.add_function("list", |values: Option<Value>| match values {
        Some(values) => items(&values).map(List::of),
        None => Ok(List::of(Vec::new())),
    });
    environment.add_function("dict", |entries: Option<Value>, named: Kwargs| {
        let entries: Vec<Value> = entries.into_iter().chain([named_values(&named)?]).collect();
        Dict::from_arguments(&entries)
    });
    environment.add_function("range", |arguments: Rest<ValueOrKwargs>| Range::of_arguments(&all(&arguments)));
    environment.add_function("set", |arguments: Rest<ValueOrKwargs>| {
        let arguments = all(&arguments);
        let mut given = Given::of("set", &arguments)?;
        let (values, default) = (given.next("value")?, given.next("default")?);
        given.end()?;
        let values = values.unwrap_or_else(|| List::of(Vec::new()));
        SetValue::of(&values).or_else(|_| Ok::<_, Error>(default.unwrap_or_else(|| Value::from(()))))
    });
    environment.add_function("set_strict", |value: &Value| SetValue::of(value));
    environment.add_function("zip", |arguments: Rest<ValueOrKwargs>| {
        let arguments = all(&arguments);
        let mut given = Given::of("zip", &arguments)?;
        let lists = given.rest();
        let default = given.next("default")?;
        given.end()?;
        zip(lists).or_else(|_| Ok::<_, Error>(default.unwrap_or_else(|| Value::from(()))))
    });
    environment.add_function("zip_strict", |lists: Rest<Value>| zip(&lists));
    environment.add_function("local_md5", |text: &Value| match text.as_str() {
        Some(text) => Ok(md5(text)),
        None => Err(invalid_with_help(
            format!("local_md5() takes a text, found {}", described(text)),
            "write local_md5(value | string)",
        )),
    });
    environment.add_function("toyaml", |arguments: Rest<ValueOrKwargs>| to_yaml(&all(&arguments)));
    environment.add_function("fromyaml", |arguments: Rest<ValueOrKwargs>| from_yaml(&all(&arguments)));
    environment
        .add_function("diff_of_two_dicts", |arguments: Rest<ValueOrKwargs>| differing(&all(&arguments)));
    environment.add_function("cycler", |items: Rest<Value>| {
        items.iter().try_for_each(|item| place(item, 0))?;
        minijinja_contrib::globals::cycler(items.to_vec())
    });
    environment.add_function("fromjson", |text: &str, default: Rest<Value>, named: Kwargs| {
        from_json(text, default, &named)
    });
    environment.add_function("tojson", |value: &Value, default: Rest<Value>, named: Kwargs| {
        to_json(value, default, &named)
    });
    environment.add_function("return", return_value);
    environment.add_function("env_var", |name: &str, default: Rest<Value>, named: Kwargs| {
        env_var(name, default, &named)
    });
    environment.add_function(
        "log",
        |state: &mut State<'_, '_>, message: &Value, info: Option<bool>, named: Kwargs| {
            log(state, message, info, &named)
        },
    );
    environment.add_function("print", |state: &mut State<'_, '_>, message: &Value| {
        let message = shown(message);
        visits::check()?;
        if RenderScope::is_told(state) {
            tracing::info!("{message}");
        }
        Ok::<_, Error>("")
    });
}

/// The engine's namespace, which holds no other one.
#[allow(clippy::needless_pass_by_value, reason = "the engine hands over what a function takes")]
fn namespace(entries: Option<Value>, named: Kwargs) -> Result<Value, Error> {
    let mut held_by_name: Vec<(String, Value)> = Vec::new();
    for entries in entries.into_iter().chain([named_values(&named)?]) {
        for key in entries.try_iter()? {
            let value = own(&entries.get_item(&key)?);
            place(&value, 0)?;
            held_by_name.push((key.to_string(), value));
        }
    }
    let entries = Kwargs::from_iter(held_by_name);
    minijinja::functions::namespace(Some(Value::from(entries).into()))
}

/// Named arguments as a mapping.
fn named_values(named: &Kwargs) -> Result<Value, Error> {
    let entries = named.args().map(|name| Ok((Value::from(name), named.get::<Value>(name)?)));
    Ok(Dict::of(entries.collect::<Result<_, Error>>()?))
}

/// A default, which may be given by name. None is one.
fn default_of(Rest(rest): Rest<Value>, named: &Kwargs) -> Result<Option<Value>, Error> {
    match rest.len() {
        0 if named.has("default") => named.get("default").map(Some),
        0 | 1 => Ok(rest.into_iter().next()),
        _ => Err(Error::from(ErrorKind::TooManyArguments)),
    }
}

fn items(values: &Value) -> Result<Vec<Value>, Error> {
    Ok(values.try_iter()?.collect())
}

fn zip(lists: &[Value]) -> Result<Value, Error> {
    let lists = lists.iter().map(items).collect::<Result<Vec<_>, Error>>()?;
    let shortest = lists.iter().map(Vec::len).min().unwrap_or(0);
    let row =
        |index: usize| Tuple::from(lists.iter().map(|list| list[index].clone()).collect::<Vec<_>>()).into();
    Ok(List::of((0..shortest).map(row).collect()))
}

/// The hash of a text, in hexadecimal digits.
fn md5(text: &str) -> String {
    Md5::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Of two mappings from names to lists, what the first one has and the second one has not; in any case of letters.
fn differing(arguments: &[Value]) -> Result<Value, Error> {
    let mut given = Given::of("diff_of_two_dicts", arguments)?;
    let (first, second) = (given.needed("dict_a")?, given.needed("dict_b")?);
    given.end()?;
    let lower = |value: &Value| value.to_string().to_lowercase();
    let mut others: IndexMap<String, Vec<String>> = IndexMap::new();
    for key in second.try_iter()? {
        let held = second.get_item(&key)?.try_iter()?.map(|value| lower(&value)).collect();
        others.insert(lower(&key), held);
    }
    let mut entries = IndexMap::new();
    for key in first.try_iter()? {
        let other = others.get(&lower(&key));
        let is_more = |value: &Value| other.is_none_or(|other| !other.contains(&lower(value)));
        let more: Vec<Value> = first.get_item(&key)?.try_iter()?.filter(is_more).collect();
        if !more.is_empty() {
            entries.insert(key, List::of(more));
        }
    }
    Ok(Dict::of(entries))
}

fn from_json(text: &str, default: Rest<Value>, named: &Kwargs) -> Result<Value, Error> {
    let default = default_of(default, named)?;
    named.assert_all_used()?;
    match serde_json::from_str::<Json>(text) {
        Ok(value) => Ok(of_json(&value)),
        Err(error) => default.ok_or_else(|| invalid(format!("fromjson: {error}"))),
    }
}

fn to_json(value: &Value, default: Rest<Value>, named: &Kwargs) -> Result<Value, Error> {
    let default = default_of(default, named)?;
    let sorted = named.get::<Option<bool>>("sort_keys")?.unwrap_or(false);
    named.assert_all_used()?;
    match (json_text::written(value, Layout { indent: None, sorted }), default) {
        (Ok(text), _) => Ok(text.into()),
        (Err(_), Some(default)) => Ok(default),
        (Err(error), None) => Err(error),
    }
}

fn log(
    state: &State<'_, '_>,
    message: &Value,
    info: Option<bool>,
    named: &Kwargs,
) -> Result<&'static str, Error> {
    let named_info = named.get::<Option<bool>>("info")?;
    named.assert_all_used()?;
    let message = shown(message);
    visits::check()?;
    match (RenderScope::is_told(state), info.or(named_info)) {
        (false, _) => {}
        (true, Some(true)) => tracing::info!("{message}"),
        (true, _) => tracing::debug!("{message}"),
    }
    Ok("")
}

/// The value of a call of `env_var` with these arguments.
pub(super) fn env_var_of(arguments: &[Value]) -> Result<Value, Error> {
    let (name, default, named): (&str, Rest<Value>, Kwargs) = from_args(arguments)?;
    env_var(name, default, &named)
}

fn env_var(name: &str, default: Rest<Value>, named: &Kwargs) -> Result<Value, Error> {
    let default = default_of(default, named)?;
    named.assert_all_used()?;
    if name.starts_with(secrets::PREFIX) {
        return Err(invalid_with_help(secrets::misplaced(name), secrets::MISPLACED_HELP));
    }
    match std::env::var(name) {
        Ok(value) => Ok(value.into()),
        Err(_) => default.ok_or_else(|| {
            let help = format!("set it, or give a default: env_var('{name}', '...')");
            invalid_with_help(format!("the environment variable `{name}` is not set"), &help)
        }),
    }
}
