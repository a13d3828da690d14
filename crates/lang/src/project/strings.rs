//! Jinja within the strings of YAML: the engine of all other texts, with `env_var()`, `var()` and `target`, and no node.

use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::{Kwargs, Rest, Serde};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value as Jinja};
use parking_lot::Mutex;
use serde_json::Value as Json;

use super::yaml::{Entry, Value, YamlNode, plain};
use super::{Problem, Problems, SourceText, Span, TOO_DEEP, Target, TemplateNesting, nearest};
use crate::jinja::{ADAPTER, engine_of_yaml, engine_said, within_bounds, yaml_expression, yaml_template};
use mep_core::secrets;

/// How much work one string may ask for: far more than any needs, and done within a second.
const FUEL: u64 = 1_000_000;

/// How deep texts of variables may read other variables.
const MOST_VARS: usize = 20;

/// What targets of dbt's adapters say, and mep's do not: a text that asks for it finds nothing there.
pub(crate) const OF_OTHER_TARGETS: [&str; 14] = [
    "database",
    "dbname",
    "project",
    "catalog",
    "account",
    "host",
    "port",
    "user",
    "role",
    "warehouse",
    "path",
    "location",
    "region",
    "method",
];

/// Renders the strings of YAML files.
#[derive(Clone, Debug)]
pub(super) struct Strings {
    environment: Environment<'static>,
    /// The variables of the environment that were asked for, with their values.
    taken: Arc<Mutex<Vec<(String, String)>>>,
    vars: Arc<IndexMap<String, Json>>,
}

/// Why a function of ours gives no value, in words for the user.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct ValueRefusal {
    message: String,
    help: String,
}

impl Strings {
    /// A renderer that knows these variables.
    pub(super) fn new(vars: &IndexMap<String, Json>) -> Self {
        Self::of(vars, false)
    }

    /// A renderer of the profile, or of the files that name packages, which may use secrets of the environment.
    pub(super) fn with_secrets(vars: &IndexMap<String, Json>) -> Self {
        Self::of(vars, true)
    }

    fn of(vars: &IndexMap<String, Json>, may_use_secrets: bool) -> Self {
        let mut environment = engine_of_yaml();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        let taken: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let noted = taken.clone();
        environment.add_function("env_var", move |name: &str, default: Rest<Jinja>, options: Kwargs| {
            if name.starts_with(secrets::PREFIX) && !may_use_secrets {
                return Err(refuse(secrets::misplaced(name), secrets::MISPLACED_HELP.to_owned()));
            }
            let value = env_var(name, default, options)?;
            // A default stands in the file, where its key says whether it is secret.
            if let Some(value) = value.as_str().filter(|_| std::env::var_os(name).is_some()) {
                let mut noted = noted.lock();
                noted.push((name.to_owned(), value.to_owned()));
            }
            Ok(value)
        });
        environment.add_filter("as_text", |value: Jinja| value.to_string());
        environment.add_filter("as_bool", as_native);
        environment.add_filter("as_number", as_native);
        environment.add_filter("as_native", as_native);
        let vars = Arc::new(vars.clone());
        add_var(&mut environment, vars.clone(), 0);
        Self { environment, taken, vars }
    }

    /// The variables of the environment that were asked for since this was last called.
    pub(super) fn taken_of_environment(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.taken.lock())
    }

    /// Makes `project_name` and `target` known; with empty values where none could be chosen, which is a problem told already.
    pub(super) fn with_target(mut self, project: &str, target: Option<&Target>) -> Self {
        let text = |of: fn(&Target) -> &str| target.map_or("", of).to_owned();
        let known = [
            ("name", Json::from(text(|target| &target.name))),
            ("target_name", Json::from(text(|target| &target.name))),
            ("profile_name", Json::from(text(|target| &target.profile))),
            ("schema", Json::from(text(|target| &target.schema))),
            ("dataset", Json::from(text(|target| &target.schema))),
            ("threads", Json::from(target.map_or(1, |target| target.threads))),
            ("type", Json::from(ADAPTER)),
        ];
        let nothing = OF_OTHER_TARGETS.map(|name| (name, Json::Null));
        let all: Json =
            nothing.into_iter().chain(known).map(|(name, value)| (name.to_owned(), value)).collect();
        self.environment.add_global("target", Jinja::from(Serde(all)));
        self.environment.add_global("project_name", project);
        // Texts of variables may read it too.
        add_var(&mut self.environment, self.vars.clone(), 0);
        self
    }

    /// Renders the strings below a node, save those below keys that `skip` names.
    pub(super) fn render(
        &self,
        file: &SourceText,
        node: &mut YamlNode,
        skip: &[&str],
        problems: &mut Problems,
    ) {
        match &mut node.value {
            Value::Text(text) if is_jinja(text) => {
                match self.value(text, node.span) {
                    Ok(value) => node.value = value,
                    Err(problem) => {
                        problems.push(problem.at(&file.at(node.span)));
                        // The problem is told; a text with braces would only bring further ones.
                        node.value = Value::Null;
                    }
                }
            }
            Value::List(items) => items.iter_mut().for_each(|item| self.render(file, item, skip, problems)),
            Value::Mapping(entries) => {
                for entry in entries.iter_mut().filter(|entry| !skip.contains(&entry.key.as_str())) {
                    self.render(file, &mut entry.node, skip, problems);
                }
            }
            _ => {}
        }
    }

    /// A description, in which `doc()` gives what `block` finds by a name.
    pub(super) fn described(
        &self,
        text: &str,
        block: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
    ) -> Result<String, Problem> {
        let mut environment = self.environment.clone();
        // As in dbt: a description is read by people, and no row depends on it.
        environment.set_undefined_behavior(UndefinedBehavior::Chainable);
        environment.add_function("doc", move |names: Rest<String>| {
            let name = names.last().map_or("", String::as_str);
            block(name).ok_or_else(|| {
                let help =
                    format!("write {{% docs {name} %}}...{{% enddocs %}} in a .md file beside the models");
                refuse(format!("there is no docs block `{name}`"), help)
            })
        });
        guarded(text, |text| environment.render_str(&yaml_template(text), ()))
            .map_err(|error| problem(&error))
    }

    fn value(&self, text: &str, span: Span) -> Result<Value, Problem> {
        let value = if whole_expression(text).is_some() {
            guarded(text, |text| evaluated(&self.environment, text))
                .and_then(|value| yaml_value(&value, span))
        } else {
            guarded(text, |text| self.environment.render_str(&yaml_template(text), ())).map(Value::Rendered)
        };
        value.map_err(|error| problem(&error))
    }
}

/// Renders a text that is not so deep that to parse it takes more stack than there is.
fn guarded<T: Send>(text: &str, render: impl FnOnce(&str) -> Result<T, Error> + Send) -> Result<T, Error> {
    let nesting = TemplateNesting::of(text);
    if nesting.too_deep.is_some() {
        return Err(refuse(TOO_DEEP.0.to_owned(), TOO_DEEP.1.to_owned()));
    }
    nesting.with_room(|| within_bounds(|| render(text)))
}

fn evaluated(environment: &Environment<'_>, text: &str) -> Result<Jinja, Error> {
    let expression = yaml_expression(whole_expression(text).unwrap_or_default());
    environment.compile_expression_owned(expression).and_then(|found| found.eval(()))
}

/// The expression, where a text is one in braces and nothing else: its value keeps its type then.
fn whole_expression(text: &str) -> Option<&str> {
    let inner = text.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    let is_one = !inner.contains("{{") && !inner.contains("}}") && !inner.contains("{%");
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    is_one.then(|| inner.strip_suffix('-').unwrap_or(inner).trim())
}

fn yaml_value(value: &Jinja, span: Span) -> Result<Value, Error> {
    if value.is_undefined() {
        return Err(Error::new(ErrorKind::UndefinedError, "the name is not known here"));
    }
    let json = serde_json::to_value(value)
        .map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))?;
    Ok(of_json(json, span))
}

/// A value as if it were written where the Jinja stands.
fn of_json(json: Json, span: Span) -> Value {
    let node = |json| YamlNode { span, value: of_json(json, span) };
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Boolean(value),
        Json::Number(number) => Value::Number(number),
        Json::String(text) => Value::Rendered(text),
        Json::Array(items) => Value::List(items.into_iter().map(node).collect()),
        Json::Object(entries) => {
            let entry = |(key, json)| Entry { key, key_span: span, node: node(json) };
            Value::Mapping(entries.into_iter().map(entry).collect())
        }
    }
}

fn problem(error: &Error) -> Problem {
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        if let Some(refusal) = inner.downcast_ref::<ValueRefusal>() {
            return Problem::new(&refusal.message).help(&refusal.help);
        }
        source = inner.source();
    }
    if error.kind() == ErrorKind::OutOfFuel {
        let problem = Problem::new("the Jinja of this text does too much, or gives too long a text");
        return problem.help("make its loops and texts smaller");
    }
    let (said, help) = engine_said(error);
    if let Some(help) = help {
        return Problem::new(said).help(help);
    }
    let message = match error.detail() {
        Some(_) => format!("the Jinja of this text fails: {}: {said}", error.kind()),
        None => format!("the Jinja of this text fails: {}", error.kind()),
    };
    Problem::new(message)
        .help("in YAML, Jinja knows env_var(), var(), target, project_name and run_started_at")
}

fn refuse(message: String, help: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, "no value").with_source(ValueRefusal { message, help })
}

fn default_of(Rest(rest): Rest<Jinja>, options: &Kwargs) -> Result<Option<Jinja>, Error> {
    // A default of none is one.
    let named = options.has("default").then(|| options.get::<Jinja>("default")).transpose()?;
    options.assert_all_used()?;
    if rest.len() > 1 {
        return Err(Error::from(ErrorKind::TooManyArguments));
    }
    Ok(rest.into_iter().next().or(named))
}

#[expect(clippy::needless_pass_by_value, reason = "minijinja gives values")]
fn env_var(name: &str, default: Rest<Jinja>, options: Kwargs) -> Result<Jinja, Error> {
    let default = default_of(default, &options)?;
    match (std::env::var(name), default) {
        (Ok(value), _) => Ok(Jinja::from(value)),
        (Err(std::env::VarError::NotPresent), Some(default)) => Ok(default),
        (Err(std::env::VarError::NotPresent), None) => Err(refuse(
            format!("environment variable `{name}` is not set"),
            format!("set it, or give a default: env_var('{name}', 'a default')"),
        )),
        (Err(std::env::VarError::NotUnicode(_)), _) => Err(refuse(
            format!("environment variable `{name}` is not UTF-8"),
            "set it to a text in UTF-8".to_owned(),
        )),
    }
}

fn add_var(environment: &mut Environment<'static>, vars: Arc<IndexMap<String, Json>>, depth: usize) {
    let base = environment.clone();
    let function = move |name: String, default: Rest<Jinja>, options: Kwargs| {
        let default = default_of(default, &options)?;
        let Some(value) = vars.get(&name) else { return missing(&vars, &name, default) };
        if !holds_jinja(value) {
            return Ok(Jinja::from(Serde(value)));
        }
        if depth == MOST_VARS {
            let help = "write the value out in one of them".to_owned();
            return Err(refuse(format!("var `{name}` is made of itself"), help));
        }
        let mut inner = base.clone();
        add_var(&mut inner, vars.clone(), depth + 1);
        rendered_value(&inner, value)
    };
    environment.add_function("var", function);
}

/// Whether a value of YAML has Jinja in any of its texts.
fn holds_jinja(value: &Json) -> bool {
    match value {
        Json::String(text) => is_jinja(text),
        Json::Array(values) => values.iter().any(holds_jinja),
        Json::Object(entries) => entries.values().any(holds_jinja),
        _ => false,
    }
}

/// Whether a text is a template.
pub(super) fn is_jinja(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// The value of a variable: Jinja in its texts is rendered where it is read, as dbt does it.
fn rendered_value(environment: &Environment<'static>, value: &Json) -> Result<Jinja, Error> {
    match value {
        Json::String(text) if is_jinja(text) => guarded(text, |text| match whole_expression(text) {
            Some(_) => evaluated(environment, text),
            None => environment.render_str(&yaml_template(text), ()).map(Jinja::from),
        }),
        Json::Array(values) => values.iter().map(|value| rendered_value(environment, value)).collect(),
        Json::Object(entries) => {
            let entries =
                entries.iter().map(|(key, value)| Ok((key.clone(), rendered_value(environment, value)?)));
            Ok(Jinja::from_pairs(entries.collect::<Result<Vec<_>, Error>>()?))
        }
        other => Ok(Jinja::from(Serde(other))),
    }
}

fn missing(vars: &IndexMap<String, Json>, name: &str, default: Option<Jinja>) -> Result<Jinja, Error> {
    default.ok_or_else(|| {
        let help = match nearest(name, vars.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("set it with --vars, or give a default: var('{name}', 'a default')"),
        };
        refuse(format!("var `{name}` is not set"), help)
    })
}

/// The number or boolean that a text stands for; other texts as they are.
fn as_native(value: Jinja) -> Jinja {
    match value.as_str().map(|text| plain(text.trim())) {
        Some(Value::Boolean(value)) => Jinja::from(value),
        Some(Value::Number(number)) => Jinja::from(Serde(number)),
        _ => value,
    }
}
