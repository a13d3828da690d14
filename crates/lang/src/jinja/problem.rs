//! The engine's errors as problems with a place in the user's files.

use std::collections::HashMap;
use std::fmt::Display;

use minijinja::value::ValueKind;
use minijinja::{Error, ErrorKind, Value};

use super::functions::FUNCTIONS;
use super::rewrite::{BODY, Rewritten};
use super::subject::{Refusal, Subject};
use crate::project::{Place, Problem, SourceText, Span, nearest};
use mep_core::keys;

/// Filters, tests and blocks, for a near one to one that is unknown.
const FILTERS: [&str; 34] = [
    "abs",
    "as_bool",
    "as_native",
    "as_number",
    "as_text",
    "capitalize",
    "default",
    "dictsort",
    "first",
    "float",
    "format",
    "groupby",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "reject",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "string",
    "title",
    "tojson",
    "trim",
    "unique",
    "upper",
];
const TESTS: [&str; 12] = [
    "boolean",
    "defined",
    "divisibleby",
    "float",
    "integer",
    "iterable",
    "mapping",
    "none",
    "number",
    "sequence",
    "string",
    "undefined",
];
const BLOCKS: [&str; 8] = ["call", "do", "filter", "for", "if", "macro", "raw", "set"];

/// Stands between an error's message and its help, where both have to travel as one text.
const HELP: char = '\u{1f}';

/// An error with a message for the user.
pub(super) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message.into())
}

/// An error with a message for the user and a way on.
pub(super) fn invalid_with_help(message: impl Display, help: &str) -> Error {
    invalid(format!("{message}{HELP}{help}"))
}

/// The error of a name that stands for nothing, or of a question that is not answered.
pub(super) fn refused(refusal: Refusal) -> Error {
    match refusal.help {
        Some(help) => invalid_with_help(refusal.message, &help),
        None => invalid(refusal.message),
    }
}

/// The error that a value is, where it is one: the engine takes it along until it is looked into.
///
/// # Errors
/// Where it is.
pub(super) fn valid(value: &Value) -> Result<(), Error> {
    if value.kind() != ValueKind::Invalid {
        return Ok(());
    }
    let said = value.to_string();
    let said = said.trim_start_matches("<invalid value: ").trim_start_matches("invalid operation: ");
    Err(invalid(said.strip_suffix('>').unwrap_or(said)))
}

/// An error about something that dbt has.
pub(super) fn unsupported(what: &str, help: &str) -> Error {
    invalid_with_help(format!("{what} is not supported by mep"), help)
}

/// An error about a macro that is not there.
pub(super) fn missing_macro(message: &str, help: &str) -> Error {
    Error::new(ErrorKind::UnknownFunction, format!("{message}{HELP}{help}"))
}

/// Whether rendering ended at a call of a macro that is not there.
pub(super) fn is_missing_macro(error: &Error) -> bool {
    let root = root(error);
    root.kind() == ErrorKind::UnknownFunction || is_call_of_nothing(root)
}

/// An error's message and its help, if it has one.
pub(super) fn message_and_help(error: &Error) -> (String, Option<String>) {
    let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match detail.split_once(HELP) {
        Some((message, help)) => (message.to_owned(), Some(help.to_owned())),
        None => (detail, None),
    }
}

/// A template as it was given to the engine, and the file that it came from.
#[derive(Clone, Debug)]
pub(super) struct Origin {
    pub(super) text: SourceText,
    pub(super) rewritten: Rewritten,
}

impl Origin {
    /// The name by which the engine knows it.
    pub(super) fn name(&self) -> &str {
        self.text.path().to_str().unwrap_or_default()
    }

    /// Of a text that is not one of macros.
    pub(super) fn of(subject: &Subject<'_>) -> Self {
        let text = subject.text;
        let rewritten = match subject.block {
            Some(block) => Rewritten::of_part(text.text(), block.start..block.end()),
            None => Rewritten::of(text.text()),
        };
        Self { text: text.clone(), rewritten }
    }
}

/// Finds places for errors.
pub(super) struct PlaceFinder<'a> {
    /// The file that is being rendered, by the name that the engine knows it by.
    pub(super) subject: (&'a str, &'a Origin),
    /// The files of macros.
    pub(super) macros: &'a HashMap<String, Origin>,
    /// Names of macros, for near ones.
    pub(super) names: Vec<&'a str>,
}

impl PlaceFinder<'_> {
    /// The problem that an error stands for.
    pub(super) fn problem(&self, error: &Error) -> Problem {
        let chain = chain(error);
        let root = root(error);
        let place = self.place(root);
        let called = place.as_ref().filter(|_| is_call_of_nothing(root)).and_then(called_name);
        let (message, help) = match called {
            Some(name) => unknown_function(name, &self.names),
            None => message(root, &self.names),
        };
        let mut problem = Problem::new(message);
        if let Some(help) = help {
            problem = problem.help(help);
        }
        let Some(place) = place else { return problem };
        if root.name().is_some_and(|name| name != self.subject.0)
            && let Some(call) = chain.iter().find_map(|error| self.place_in_subject(error))
        {
            let (line, column) = call.line_column();
            let path = call.text.path().display();
            problem = problem.label(format!("in a macro that {path} calls at {line}:{column}"));
        }
        problem.at(&place)
    }

    fn place_in_subject(&self, error: &Error) -> Option<Place> {
        let (name, origin) = self.subject;
        (error.name()? == name).then(|| origin.text.at(span(error, origin)))
    }

    fn place(&self, error: &Error) -> Option<Place> {
        let (subject_name, subject) = self.subject;
        let name = error.name().unwrap_or(subject_name);
        let origin = if name == subject_name { subject } else { self.macros.get(name)? };
        Some(origin.text.at(span(error, origin)))
    }
}

/// Within a macro the engine looks a function up as a variable, and says no more than that there is none.
fn is_call_of_nothing(error: &Error) -> bool {
    error.detail().is_some_and(|detail| detail == "value of type undefined is not callable")
}

/// The name before the bracket of a call.
fn called_name(place: &Place) -> Option<&str> {
    let called = place.text.text().get(place.span.start..)?.split('(').next()?.trim();
    let is_name = !called.is_empty() && called.chars().all(|c| c.is_alphanumeric() || c == '_');
    is_name.then_some(called)
}

fn unknown_function(name: &str, names: &[&str]) -> (String, Option<String>) {
    let names = keys::names(&FUNCTIONS).chain(names.iter().copied());
    let help = match nearest(name, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "define it by a `macro` block in macros/".to_owned(),
    };
    (format!("there is no function or macro `{name}`"), Some(help))
}

/// What to say of an error, and how to go on; the names are those of all macros.
pub(super) fn message(error: &Error, names: &[&str]) -> (String, Option<String>) {
    let (said, help) = message_and_help(error);
    if help.is_some() {
        return (said, help);
    }
    let near = |name: &str, names: &mut dyn Iterator<Item = &'static str>| {
        nearest(name, names).map(|near| format!("did you mean `{near}`?"))
    };
    let near_function = |name: &str| {
        let names = keys::names(&FUNCTIONS).chain(names.iter().copied());
        nearest(name, names).map(|near| format!("did you mean `{near}`?"))
    };
    match error.kind() {
        ErrorKind::UnknownFunction => {
            unknown_function(said.split_whitespace().next().unwrap_or_default(), names)
        }
        ErrorKind::UnknownFilter => {
            let name = said.split_whitespace().nth(1).unwrap_or(&said);
            (format!("there is no filter `{name}`"), near(name, &mut FILTERS.iter().copied()))
        }
        ErrorKind::UnknownTest => {
            let name = said.split_whitespace().nth(1).unwrap_or(&said);
            (format!("there is no test `{name}`"), near(name, &mut TESTS.iter().copied()))
        }
        ErrorKind::UndefinedError | ErrorKind::UnknownMethod => match undefined_name(error) {
            Some(name) => {
                let is_plain = !name.contains(['.', '[']);
                let help = if is_plain { near_function(&name) } else { None };
                let help =
                    help.unwrap_or_else(|| format!("give it a value, or ask `{name} is defined` first"));
                (format!("`{name}` is not defined"), Some(help))
            }
            None => (said, None),
        },
        ErrorKind::SyntaxError => syntax_error(&said.replace(BODY, "")),
        ErrorKind::OutOfFuel => {
            let help = "make its loops and texts smaller, or move the work into SQL".to_owned();
            ("the text does too much, or becomes too long".to_owned(), Some(help))
        }
        _ if said == "recursion limit exceeded" => {
            let help = "let the recursion end by an `if`".to_owned();
            ("blocks and macros nest too deep".to_owned(), Some(help))
        }
        _ => (said, None),
    }
}

fn syntax_error(said: &str) -> (String, Option<String>) {
    if let Some((message, help)) = unsupported_block(said) {
        return (message, Some(help.to_owned()));
    }
    let unknown = said.strip_prefix("unknown statement ");
    let help = match unknown {
        Some(block) if block.starts_with("end") => {
            Some("remove it, or open the block that it closes".to_owned())
        }
        Some(block) => nearest(block, BLOCKS).map(|near| format!("did you mean `{near}`?")),
        None if said.contains("expected end of block") => Some("close the block: {% end... %}".to_owned()),
        None => None,
    };
    match unknown {
        Some(block) if block.starts_with("end") => (format!("`{block}` closes nothing"), help),
        Some(block) => (format!("there is no block `{block}`"), help),
        None => (format!("syntax error: {said}"), help),
    }
}

/// Blocks that dbt has and mep has not, by what the engine says of an unknown tag.
fn unsupported_block(detail: &str) -> Option<(String, &'static str)> {
    let blocks = [
        ("materialization", "use one of mep's own: view, table, incremental, ephemeral, streaming, history"),
        ("snapshot", "put the snapshot in snapshots/"),
        ("docs", "write the description in YAML"),
        ("test", "put the test in tests/generic/ or macros/"),
    ];
    let (block, help) =
        blocks.into_iter().find(|(block, _)| detail.contains(&format!("unknown statement {block}")))?;
    let verb = if ["test", "snapshot"].contains(&block) {
        "belongs in a file of its own"
    } else {
        "is not supported by mep"
    };
    Some((format!("`{{% {block} %}}` {verb}"), help))
}

/// The expression that was undefined: as the engine names it, else by its text.
fn undefined_name(error: &Error) -> Option<String> {
    if let Some(detail) = error.detail() {
        let before = &detail[..detail.find("` is undefined")?];
        return before.rfind('`').map(|at| before[at + 1..].to_owned());
    }
    let text = error.template_source()?.get(error.range()?)?;
    let plain = text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    (plain && !text.is_empty()).then(|| text.to_owned())
}

/// The error that was the first.
pub(super) fn root(error: &Error) -> &Error {
    chain(error).last().copied().unwrap_or(error)
}

/// An error and its causes, the root last.
fn chain(error: &Error) -> Vec<&Error> {
    let mut chain = vec![error];
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        chain.extend(inner.downcast_ref::<Error>());
        source = inner.source();
    }
    chain
}

/// The place of an error in the file as the user wrote it: the exact range where it is known, else the line.
fn span(error: &Error, origin: &Origin) -> Span {
    let text = origin.text.text();
    if let Some(range) = &origin.rewritten.nesting.too_deep {
        return Span::range(range.start, range.end);
    }
    if let Some(range) = error.range().filter(|range| !range.is_empty()) {
        let original = origin.rewritten.original(range);
        // What is missing at the end of a text may be placed behind it.
        return Span::range(text.floor_char_boundary(original.start), text.floor_char_boundary(original.end));
    }
    let line = error.line().unwrap_or(1).saturating_sub(1);
    let rendered = &origin.rewritten.text;
    let start = match line {
        0 => 0,
        _ => rendered.match_indices('\n').nth(line - 1).map_or(rendered.len(), |(at, _)| at + 1),
    };
    let start = text.floor_char_boundary(origin.rewritten.original(start..start).start);
    let length = text[start..].find('\n').unwrap_or(text.len() - start);
    let indent = text[start..start + length].len() - text[start..start + length].trim_start().len();
    Span::range(start + indent, start + length)
}
