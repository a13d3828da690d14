//! Jinja within the strings of YAML: `env_var()`, `var()` and `target`, and no more.

use std::sync::{Arc, Mutex, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Kwargs, Rest, Serde};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value as Jinja, context};
use serde_json::Value as Json;

use super::yaml::{Entry, Node, Value, plain};
use super::{Problem, Problems, SourceText, Span, Target, nearest};
use crate::secrets;

/// Renders the strings of YAML files.
pub(super) struct Strings {
    environment: Environment<'static>,
    /// The variables of the environment that were asked for, with their values.
    taken: Arc<Mutex<Vec<(String, String)>>>,
}

/// Why a function of ours gives no value, in words for the user.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
struct Refusal {
    message: String,
    help: String,
}

impl Strings {
    /// A renderer that knows these variables.
    pub(super) fn new(vars: &IndexMap<String, Json>) -> Self {
        Self::of(vars, false)
    }

    /// A renderer of the profile, which may use secrets of the environment.
    pub(super) fn of_profile(vars: &IndexMap<String, Json>) -> Self {
        Self::of(vars, true)
    }

    fn of(vars: &IndexMap<String, Json>, may_use_secrets: bool) -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        let taken: Arc<Mutex<Vec<(String, String)>>> = Arc::default();
        let noted = taken.clone();
        environment.add_function("env_var", move |name: &str, default: Rest<Jinja>, options: Kwargs| {
            if name.starts_with(secrets::PREFIX) && !may_use_secrets {
                return Err(refuse(secrets::misplaced(name), secrets::MISPLACED_HELP.to_owned()));
            }
            let value = env_var(name, default, options)?;
            // A default stands in the file, where its key says whether it is secret.
            if let Some(value) = value.as_str().filter(|_| std::env::var_os(name).is_some()) {
                let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
                noted.push((name.to_owned(), value.to_owned()));
            }
            Ok(value)
        });
        let vars: Arc<IndexMap<String, Json>> = Arc::new(vars.clone());
        environment.add_function("var", move |name: String, default: Rest<Jinja>, options: Kwargs| {
            var(&vars, &name, default_of(default, &options)?)
        });
        environment.add_filter("as_text", |value: Jinja| value.to_string());
        environment.add_filter("as_bool", as_native);
        environment.add_filter("as_number", as_native);
        environment.add_filter("as_native", as_native);
        Self { environment, taken }
    }

    /// The variables of the environment that were asked for since this was last called.
    pub(super) fn taken_of_environment(&self) -> Vec<(String, String)> {
        std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Makes `target` known; with empty values where none could be chosen, which is a problem told already.
    pub(super) fn with_target(mut self, target: Option<&Target>) -> Self {
        let text = |of: fn(&Target) -> &str| target.map_or("", of).to_owned();
        let value = context! {
            name => text(|target| &target.name),
            profile_name => text(|target| &target.profile),
            schema => text(|target| &target.schema),
            threads => target.map_or(1, |target| target.threads),
            type => "local",
        };
        self.environment.add_global("target", value);
        self
    }

    /// Renders the strings below a node, save those below keys that `skip` names.
    pub(super) fn render(&self, file: &SourceText, node: &mut Node, skip: &[&str], problems: &mut Problems) {
        match &mut node.value {
            Value::Text(text) if text.contains("{{") || text.contains("{%") => {
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

    fn value(&self, text: &str, span: Span) -> Result<Value, Problem> {
        if let Some(expression) = whole_expression(text) {
            let value = self.environment.compile_expression(expression).and_then(|found| found.eval(()));
            return value.and_then(|value| yaml_value(&value, span)).map_err(|error| problem(&error));
        }
        self.environment.render_str(text, ()).map(Value::Rendered).map_err(|error| problem(&error))
    }
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
    let node = |json| Node { span, value: of_json(json, span) };
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
    let refusal = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Refusal>());
    if let Some(refusal) = refusal {
        return Problem::new(&refusal.message).help(&refusal.help);
    }
    let message = match error.detail() {
        Some(detail) => format!("the Jinja of this text fails: {}: {detail}", error.kind()),
        None => format!("the Jinja of this text fails: {}", error.kind()),
    };
    Problem::new(message).help("in YAML, Jinja knows env_var(), var() and target")
}

fn refuse(message: String, help: String) -> Error {
    Error::new(ErrorKind::InvalidOperation, "no value").with_source(Refusal { message, help })
}

fn default_of(Rest(rest): Rest<Jinja>, options: &Kwargs) -> Result<Option<Jinja>, Error> {
    let named = options.get::<Option<Jinja>>("default")?;
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

fn var(vars: &IndexMap<String, Json>, name: &str, default: Option<Jinja>) -> Result<Jinja, Error> {
    if let Some(value) = vars.get(name) {
        return Ok(Jinja::from(Serde(value)));
    }
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
