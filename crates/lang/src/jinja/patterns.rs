//! Python's `re`, as much of it as projects use.

use std::sync::Arc;

use minijinja::value::{Kwargs, Object, ObjectRepr, Rest, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use regex::{Captures, Regex, RegexBuilder};

use super::collections::List;
use super::problem::{invalid, invalid_with_help};

/// `modules.re`.
#[derive(Debug)]
pub(super) struct ReModule;

/// `re.IGNORECASE`, as Python numbers it.
const IGNORECASE: i64 = 2;

impl Object for ReModule {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        matches!(key.as_str()?, "IGNORECASE" | "I").then(|| IGNORECASE.into())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let (Rest(given), named): (Rest<Value>, Kwargs) = from_args(arguments)?;
        let text = |at: usize| given.get(at).and_then(Value::as_str).map(str::to_owned);
        let needed =
            |at: usize| text(at).ok_or_else(|| invalid(format!("re.{method}() takes a pattern and a text")));
        let number = |at: usize, name: &str| -> Result<i64, Error> {
            let found = match given.get(at) {
                Some(found) => Some(found.clone()),
                None => named.get::<Option<Value>>(name)?,
            };
            Ok(found.and_then(|found| found.as_i64()).unwrap_or(0))
        };
        let flags = |at: usize| number(at, "flags");
        match method {
            "sub" => {
                let (replacement, subject) = (python_replacement(&needed(1)?), needed(2)?);
                let count = usize::try_from(number(3, "count")?).unwrap_or(0);
                let pattern = pattern(&needed(0)?, "", flags(4)?)?;
                Ok(pattern.replacen(&subject, count, replacement.as_str()).into_owned().into())
            }
            "search" | "match" | "fullmatch" => {
                let anchor = match method {
                    "match" => "start",
                    "fullmatch" => "both",
                    _ => "",
                };
                let (pattern, subject) = (pattern(&needed(0)?, anchor, flags(2)?)?, needed(1)?);
                Ok(pattern.captures(&subject).map_or_else(|| Value::from(()), |found| Match::value(&found)))
            }
            "findall" => {
                let (pattern, subject) = (pattern(&needed(0)?, "", flags(2)?)?, needed(1)?);
                let group = |found: &Captures<'_>, at: usize| {
                    Value::from(found.get(at).map_or("", |part| part.as_str()))
                };
                let all = pattern.captures_iter(&subject).map(|found| match found.len() {
                    1 => group(&found, 0),
                    2 => group(&found, 1),
                    groups => (1..groups).map(|at| group(&found, at)).collect::<Vec<_>>().into(),
                });
                Ok(List::of(all.collect()))
            }
            "split" => {
                let (pattern, subject) = (pattern(&needed(0)?, "", flags(3)?)?, needed(1)?);
                Ok(List::of(pattern.split(&subject).map(Value::from).collect()))
            }
            "escape" => Ok(regex::escape(&needed(0)?).into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

fn pattern(text: &str, anchor: &str, flags: i64) -> Result<Regex, Error> {
    let text = match anchor {
        "start" => format!("^(?:{text})"),
        "both" => format!("^(?:{text})$"),
        _ => text.to_owned(),
    };
    let built = RegexBuilder::new(&text).case_insensitive(flags & IGNORECASE != 0).build();
    built.map_err(|error| {
        let said = error.to_string();
        let last = said.lines().last().unwrap_or_default().trim().to_owned();
        invalid_with_help(
            format!("`{text}` is no regular expression: {last}"),
            "what looks around or back is not supported",
        )
    })
}

/// `\1` and `\g<name>` as the engine of patterns writes them.
fn python_replacement(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '$']) {
        written.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if rest[at..].starts_with('$') {
            written.push_str("$$");
            rest = after;
            continue;
        }
        let digits = after.len() - after.trim_start_matches(|digit: char| digit.is_ascii_digit()).len();
        let named = after.strip_prefix("g<").and_then(|named| named.split_once('>'));
        (rest, ()) = match named {
            Some((name, after)) => (after, written.push_str(&format!("${{{name}}}"))),
            None if digits > 0 => (&after[digits..], written.push_str(&format!("${{{}}}", &after[..digits]))),
            None => (after.strip_prefix('\\').unwrap_or(after), written.push('\\')),
        };
    }
    written.push_str(rest);
    written
}

/// What a pattern found.
#[derive(Debug)]
struct Match {
    groups: Vec<Option<String>>,
}

impl Match {
    fn value(found: &Captures<'_>) -> Value {
        let groups = found.iter().map(|group| group.map(|group| group.as_str().to_owned())).collect();
        Value::from_object(Self { groups })
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let group = |at: usize| match self.groups.get(at) {
            Some(Some(text)) => Ok(Value::from(text.as_str())),
            Some(None) => Ok(Value::from(())),
            None => Err(invalid(format!("the pattern has no group {at}"))),
        };
        match method {
            "group" => {
                let (at,): (Option<usize>,) = from_args(arguments)?;
                group(at.unwrap_or(0))
            }
            "groups" => Ok(List::of((1..self.groups.len()).map(group).collect::<Result<_, _>>()?)),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
