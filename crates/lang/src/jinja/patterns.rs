//! Python's `re`, as much of it as projects use.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;
use minijinja::value::{Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};
use regex::{Captures, Regex, RegexBuilder};

use super::collections::{Dict, List};
use super::given::{GivenArguments, described};
use super::problem::{invalid, invalid_with_help};

/// `modules.re`.
#[derive(Debug)]
pub(super) struct ReModule;

/// Flags, as Python numbers them.
const FLAGS: [(&str, &str, i64); 5] = [
    ("IGNORECASE", "I", 2),
    ("MULTILINE", "M", 8),
    ("DOTALL", "S", 16),
    ("UNICODE", "U", 32),
    ("VERBOSE", "X", 64),
];

impl Object for ReModule {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        FLAGS
            .iter()
            .find(|(name, short, _)| [*name, *short].contains(&key))
            .map(|(_, _, flag)| (*flag).into())
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let mut given = GivenArguments::of(method, arguments)?;
        if method == "escape" {
            return Ok(escaped(&given.text("pattern")?).into());
        }
        let pattern = given.needed("pattern")?;
        if method == "compile" {
            let flags = given.number("flags")?.unwrap_or(0);
            given.end()?;
            return Ok(Value::from_object(Pattern::new(&pattern, flags)?));
        }
        let asked = PatternQuestion::of(method, &mut given)?;
        let flags = given.number("flags")?.unwrap_or(0);
        given.end()?;
        match pattern.downcast_object_ref::<Pattern>() {
            Some(pattern) => pattern.answer(state, method, &asked),
            None => Pattern::new(&pattern, flags)?.answer(state, method, &asked),
        }
    }
}

/// As Python escapes what has a meaning in patterns.
fn escaped(text: &str) -> String {
    let is_special = |c: char| r"()[]{}?*+-|^$\.&~#".contains(c) || c.is_ascii_whitespace();
    text.chars().flat_map(|c| is_special(c).then_some('\\').into_iter().chain([c])).collect()
}

/// What is asked of a pattern.
struct PatternQuestion {
    replacement: Value,
    subject: String,
    count: usize,
}

impl PatternQuestion {
    fn of(method: &str, given: &mut GivenArguments<'_>) -> Result<Self, Error> {
        let replacement = match method {
            "sub" | "subn" => given.needed("repl")?,
            _ => Value::from(""),
        };
        let subject = given.text("string")?;
        let count = match method {
            "sub" | "subn" => given.number("count")?,
            "split" => given.number("maxsplit")?,
            _ => None,
        };
        Ok(Self {
            replacement,
            subject,
            count: count.and_then(|count| usize::try_from(count).ok()).unwrap_or(0),
        })
    }
}

/// A pattern that was compiled.
#[derive(Debug)]
struct Pattern {
    written: String,
    flags: i64,
    regex: Regex,
}

impl Pattern {
    fn new(written: &Value, flags: i64) -> Result<Self, Error> {
        let Some(text) = written.as_str() else {
            return Err(invalid(format!("a pattern is a text, found {}", described(written))));
        };
        Ok(Self { written: text.to_owned(), flags, regex: regex(text, flags)? })
    }

    fn answer(
        &self,
        state: &mut State<'_, '_>,
        method: &str,
        asked: &PatternQuestion,
    ) -> Result<Value, Error> {
        let subject = asked.subject.as_str();
        Ok(match method {
            "sub" => self.replaced(state, asked)?.0.into(),
            "subn" => {
                let (text, times) = self.replaced(state, asked)?;
                Tuple::from([Value::from(text), times.into()]).into()
            }
            "search" => first(subject, &self.regex),
            "match" => first(subject, &regex(&format!(r"\A(?:{})", self.written), self.flags)?),
            "fullmatch" => first(subject, &regex(&format!(r"\A(?:{})\z", self.written), self.flags)?),
            "findall" => List::of(self.regex.captures_iter(subject).map(|found| all_of(&found)).collect()),
            "finditer" => {
                let found = self.regex.captures_iter(subject);
                List::of(found.map(|found| Match::value(&found, subject, &self.regex)).collect())
            }
            "split" => List::of(self.split(subject, asked.count)),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        })
    }

    /// The text after the replacement, and how often something was replaced.
    fn replaced(&self, state: &mut State<'_, '_>, asked: &PatternQuestion) -> Result<(String, usize), Error> {
        let (subject, most) =
            (asked.subject.as_str(), if asked.count == 0 { usize::MAX } else { asked.count });
        let written = asked.replacement.as_str().map(python_replacement);
        let (mut text, mut end, mut times) = (String::new(), 0, 0);
        for found in self.regex.captures_iter(subject).take(most) {
            let Some(whole) = found.get(0) else { continue };
            text.push_str(&subject[end..whole.start()]);
            if let Some(written) = &written {
                found.expand(written, &mut text);
            } else {
                let made = asked.replacement.call(state, &[Match::value(&found, subject, &self.regex)])?;
                text.push_str(made.as_str().unwrap_or_default());
            }
            state.consume_fuel(1 + text.len() as u64 / 4096)?;
            end = whole.end();
            times += 1;
        }
        text.push_str(&subject[end..]);
        Ok((text, times))
    }

    /// The parts between what is found, with the groups that are found.
    fn split(&self, subject: &str, count: usize) -> Vec<Value> {
        let most = if count == 0 { usize::MAX } else { count };
        let (mut parts, mut end) = (Vec::new(), 0);
        for found in self.regex.captures_iter(subject).take(most) {
            let Some(whole) = found.get(0) else { continue };
            parts.push(Value::from(&subject[end..whole.start()]));
            parts.extend(
                found
                    .iter()
                    .skip(1)
                    .map(|group| group.map_or_else(|| Value::from(()), |group| group.as_str().into())),
            );
            end = whole.end();
        }
        parts.push(Value::from(&subject[end..]));
        parts
    }
}

impl Object for Pattern {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "pattern" => Some(self.written.as_str().into()),
            "groups" => Some((self.regex.captures_len() - 1).into()),
            _ => None,
        }
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let mut given = GivenArguments::of(method, arguments)?;
        let asked = PatternQuestion::of(method, &mut given)?;
        given.end()?;
        self.answer(state, method, &asked)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "re.compile({:?})", Value::from(self.written.as_str()))
    }
}

/// The first find, or none.
fn first(subject: &str, regex: &Regex) -> Value {
    regex.captures(subject).map_or_else(|| Value::from(()), |found| Match::value(&found, subject, regex))
}

/// What `findall` gives of one find: its only group, all of its groups, or all of it.
fn all_of(found: &Captures<'_>) -> Value {
    let group = |at: usize| Value::from(found.get(at).map_or("", |part| part.as_str()));
    match found.len() {
        1 => group(0),
        2 => group(1),
        groups => Tuple::from((1..groups).map(group).collect::<Vec<_>>()).into(),
    }
}

fn regex(text: &str, flags: i64) -> Result<Regex, Error> {
    let has = |flag: i64| flags & flag != 0;
    let built = RegexBuilder::new(&python_pattern(text, has(64)))
        .case_insensitive(has(2))
        .multi_line(has(8))
        .dot_matches_new_line(has(16))
        .ignore_whitespace(has(64))
        .build();
    built.map_err(|error| {
        let said = error.to_string();
        let last = said.lines().last().unwrap_or_default().trim().to_owned();
        invalid_with_help(
            format!("`{text}` is no regular expression: {last}"),
            "what looks around or back is not supported",
        )
    })
}

/// A pattern of Python as the engine of patterns has it: a brace that says no number of times is a brace, and in brackets a bracket, `&`
/// and `~` mean themselves.
fn python_pattern(text: &str, is_verbose: bool) -> Cow<'_, str> {
    if !text.contains(['{', '}', '[']) {
        return text.into();
    }
    // Flags stand at the beginning, and what is said in comments means nothing.
    let flags = text.trim_start().strip_prefix("(?").and_then(|rest| rest.split_once(')'));
    let is_verbose =
        is_verbose || flags.is_some_and(|(flags, _)| flags.contains('x') && !flags.contains([':', '=']));
    let (mut written, mut rest, mut in_brackets) = (String::with_capacity(text.len() + 8), text, false);
    while let Some(next) = rest.chars().next() {
        let length = match next {
            '\\' => {
                let escaped = rest[1..].chars().next().map_or(0, char::len_utf8);
                let braced = matches!(&rest[1..=escaped], "p" | "P" | "N" | "x" | "u")
                    .then(|| rest[1 + escaped..].find('}'));
                let braced = braced.flatten().filter(|_| rest[1 + escaped..].starts_with('{'));
                1 + escaped + braced.map_or(0, |end| end + 1)
            }
            '#' if is_verbose && !in_brackets => rest.find('\n').unwrap_or(rest.len()),
            '[' if !in_brackets => {
                in_brackets = true;
                // A bracket that closes at once is one of the characters.
                let open = 1 + usize::from(rest[1..].starts_with('^'));
                let first = rest[open..].starts_with([']', '[']);
                written.push_str(&rest[..open]);
                if first {
                    written.push('\\');
                    written.push_str(&rest[open..=open]);
                }
                rest = &rest[open + usize::from(first)..];
                continue;
            }
            ']' if in_brackets => {
                in_brackets = false;
                1
            }
            '[' | '&' | '~' if in_brackets => {
                written.push('\\');
                1
            }
            '{' if !in_brackets => times(rest).unwrap_or_else(|| {
                written.push('\\');
                1
            }),
            '}' if !in_brackets => {
                written.push('\\');
                1
            }
            other => other.len_utf8(),
        };
        written.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    written.into()
}

/// How long `{2}`, `{2,}` or `{2,3}` is that a text begins with.
fn times(text: &str) -> Option<usize> {
    let (said, _) = text.strip_prefix('{')?.split_once('}')?;
    let (least, most) = said.split_once(',').unwrap_or((said, said));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!least.is_empty() && is_number(least) && is_number(most)).then(|| said.len() + 2)
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
            None if after.starts_with('n') => (&after[1..], written.push('\n')),
            None => (after.strip_prefix('\\').unwrap_or(after), written.push('\\')),
        };
    }
    written.push_str(rest);
    written
}

/// What a pattern found.
#[derive(Debug)]
struct Match {
    /// Each group with where it begins and ends, in characters.
    groups: Vec<Option<(String, usize, usize)>>,
    names: Vec<Option<String>>,
}

impl Match {
    fn value(found: &Captures<'_>, subject: &str, regex: &Regex) -> Value {
        let place = |byte: usize| subject[..byte].chars().count();
        let groups = found.iter().map(|group| {
            group.map(|group| (group.as_str().to_owned(), place(group.start()), place(group.end())))
        });
        let names = regex.capture_names().map(|name| name.map(str::to_owned)).collect();
        Value::from_object(Self { groups: groups.collect(), names })
    }

    /// The group of a number or of a name.
    fn group(&self, asked: Option<&Value>) -> Result<Option<&(String, usize, usize)>, Error> {
        let at = match asked {
            None => Some(0),
            Some(asked) => match asked.as_str() {
                Some(name) => self.names.iter().position(|of| of.as_deref() == Some(name)),
                None => asked.as_usize(),
            },
        };
        let group = at.and_then(|at| self.groups.get(at));
        let none =
            || invalid(format!("the pattern has no group {}", asked.map_or_else(String::new, described)));
        group.map(Option::as_ref).ok_or_else(none)
    }

    fn text(group: Option<&(String, usize, usize)>) -> Value {
        group.map_or_else(|| Value::from(()), |(text, ..)| text.as_str().into())
    }
}

impl Object for Match {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.group(Some(key)).ok().map(Self::text)
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let group = self.group(arguments.first()).ok().flatten();
        let place = |of: fn(&(String, usize, usize)) -> usize| {
            Ok(group.map_or_else(|| Value::from(-1), |group| of(group).into()))
        };
        match method {
            "group" if arguments.len() > 1 => {
                let all: Result<Vec<Value>, Error> =
                    arguments.iter().map(|asked| self.group(Some(asked)).map(Self::text)).collect();
                Ok(Tuple::from(all?).into())
            }
            "group" => self.group(arguments.first()).map(Self::text),
            "groups" => {
                let rest = self.groups.iter().skip(1).map(|group| Self::text(group.as_ref()));
                Ok(Tuple::from(rest.collect::<Vec<_>>()).into())
            }
            "groupdict" => {
                let named = self.names.iter().zip(&self.groups);
                let entries: IndexMap<Value, Value> = named
                    .filter_map(|(name, group)| Some((name.as_deref()?.into(), Self::text(group.as_ref()))))
                    .collect();
                Ok(Dict::of(entries))
            }
            "start" => place(|(_, start, _)| *start),
            "end" => place(|(_, _, end)| *end),
            "span" => {
                let (start, end) = (place(|(_, start, _)| *start)?, place(|(_, _, end)| *end)?);
                Ok(Tuple::from([start, end]).into())
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}
