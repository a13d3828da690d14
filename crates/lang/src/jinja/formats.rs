//! `text % values` and `text.format(…)` as Python has them.

use minijinja::value::{Kwargs, ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, Value};

use super::format_spec::Spec;
use super::given::described;
use super::problem::invalid;
use super::python_text::{repr, shown};
use super::relation_value::RelationValue;
use super::widths::{Style, check, within};

/// `text % values`: a tuple gives a value to each place, a mapping gives values by name.
///
/// # Errors
/// Where values and places do not fit.
pub(super) fn percent(text: &str, values: &Value) -> Result<String, Error> {
    let positional = match values.downcast_object_ref::<Tuple>() {
        Some(tuple) => tuple.to_vec(),
        None => vec![values.clone()],
    };
    check(text, Style::Percent, positional.iter())?;
    let is_mapping = values.as_object().is_some_and(|object| object.repr() == ObjectRepr::Map)
        && RelationValue::relation(values).is_none();
    let mut places = PercentPlaces { positional, next: 0, named: is_mapping.then(|| values.clone()) };
    let mut formatted = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        formatted.push_str(&rest[..at]);
        rest = places.one(&rest[at + 1..], &mut formatted)?;
    }
    formatted.push_str(rest);
    if places.next < places.positional.len() && !is_mapping {
        let more = places.positional.len() - places.next;
        return Err(invalid(format!("the format has no place for {more} of its values")));
    }
    Ok(formatted)
}

struct PercentPlaces {
    positional: Vec<Value>,
    next: usize,
    named: Option<Value>,
}

impl PercentPlaces {
    fn take(&mut self) -> Result<Value, Error> {
        let value = self.positional.get(self.next).cloned();
        self.next += 1;
        value.ok_or_else(|| invalid("the format has more places than it is given values"))
    }

    /// A number in the format, or `*` for one among the values.
    fn size<'t>(&mut self, rest: &'t str) -> Result<(Option<i64>, &'t str), Error> {
        if let Some(rest) = rest.strip_prefix('*') {
            let size = self.take()?;
            let size = size.as_i64().ok_or_else(|| invalid(format!("`*` takes a number, found {size:?}")))?;
            return Ok((Some(size), rest));
        }
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        Ok((rest[..digits].parse().ok(), &rest[digits..]))
    }

    /// Reads one place, writes its value, and gives what stands behind.
    fn one<'t>(&mut self, rest: &'t str, formatted: &mut String) -> Result<&'t str, Error> {
        let (name, rest) = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((name, rest)) => (Some(name), rest),
            None => (None, rest),
        };
        let flags = rest.len() - rest.trim_start_matches(['-', '+', ' ', '#', '0']).len();
        let (flags, rest) = rest.split_at(flags);
        let (width, rest) = self.size(rest)?;
        let (precision, rest) = match rest.strip_prefix('.') {
            Some(rest) => {
                let (precision, rest) = self.size(rest)?;
                (Some(precision.unwrap_or(0)), rest)
            }
            None => (None, rest),
        };
        let rest = rest.trim_start_matches(['h', 'l', 'L']);
        let mut characters = rest.chars();
        let kind = characters.next().ok_or_else(|| invalid("the format ends within a place"))?;
        let rest = characters.as_str();
        if kind == '%' {
            formatted.push('%');
            return Ok(rest);
        }
        let value = match (name, &self.named) {
            (Some(name), Some(named)) => {
                let value = named.get_item(&Value::from(name))?;
                if value.is_undefined() {
                    return Err(invalid(format!("the mapping has no key '{name}'")));
                }
                value
            }
            (Some(_), None) => return Err(invalid("a format with names takes a mapping")),
            (None, _) => self.take()?,
        };
        let is_left = flags.contains('-') || width.is_some_and(|width| width < 0);
        let is_number = "diouxXeEfFgG".contains(kind);
        let size = |size: i64| usize::try_from(size.unsigned_abs()).unwrap_or(0);
        within(width.map_or(0, size))?;
        let mut spec = Spec {
            align: Some(if is_left { '<' } else { '>' }),
            sign: flags.chars().find(|flag| "+ ".contains(*flag)),
            is_alternate: flags.contains('#'),
            width: width.map_or(0, size),
            precision: precision.map(size),
            ..Spec::default()
        };
        if flags.contains('0') && !is_left && is_number {
            (spec.fill, spec.align) = ('0', Some('='));
        }
        let text = match kind {
            's' => spec.text(&shown(&value)),
            'r' | 'a' => spec.text(&repr(&value)),
            'c' => {
                let code = value.as_i64().and_then(|code| char::from_u32(u32::try_from(code).ok()?));
                let character = code.map_or_else(|| shown(&value), String::from);
                spec.text(&character)
            }
            'd' | 'i' | 'u' => whole(&value, kind).and_then(|value| spec.with_kind('d').number(&value))?,
            'o' | 'x' | 'X' | 'e' | 'E' | 'f' | 'F' | 'g' | 'G' => spec.with_kind(kind).number(&value)?,
            other => return Err(invalid(format!("there is no format `%{other}`"))),
        };
        formatted.push_str(&text);
        Ok(rest)
    }
}

/// The whole number of a value: what stands after its point is left out.
fn whole(value: &Value, kind: char) -> Result<Value, Error> {
    match value.kind() {
        ValueKind::Bool => Ok(Value::from(u8::from(value.is_true()))),
        ValueKind::Number if value.is_integer() => Ok(value.clone()),
        ValueKind::Number => Ok(Value::from(f64::try_from(value.clone())?.trunc() as i128)),
        _ => Err(invalid(format!("`%{kind}` takes a number, found {}", described(value)))),
    }
}

/// `text.format(…)`.
///
/// # Errors
/// Where values and places do not fit.
pub(super) fn braces(text: &str, arguments: &[Value]) -> Result<String, Error> {
    check(text, Style::Braces, arguments.iter())?;
    let (positional, named) = match arguments.split_last() {
        Some((last, positional)) if last.is_kwargs() => (positional, Some(Kwargs::try_from(last.clone())?)),
        _ => (arguments, None),
    };
    BracePlaces { positional, named, next: 0 }.all(text, 0)
}

struct BracePlaces<'a> {
    positional: &'a [Value],
    named: Option<Kwargs>,
    next: usize,
}

impl BracePlaces<'_> {
    fn all(&mut self, text: &str, depth: usize) -> Result<String, Error> {
        let mut formatted = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            formatted.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                formatted.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(invalid("a single `}` in a format: write `}}`"));
            }
            let end = closing(rest).ok_or_else(|| invalid("a single `{` in a format: write `{{`"))?;
            formatted.push_str(&self.one(&rest[..end], depth)?);
            rest = &rest[end + 1..];
        }
        formatted.push_str(rest);
        Ok(formatted)
    }

    fn one(&mut self, place: &str, depth: usize) -> Result<String, Error> {
        let bracket = place.rfind(']').map_or(0, |at| at);
        let name_end = place[bracket..].find(['!', ':']).map_or(place.len(), |at| bracket + at);
        let (name, rest) = place.split_at(name_end);
        let (conversion, rest) = match rest.strip_prefix('!') {
            Some(rest) => (rest.chars().next(), rest.get(1..).unwrap_or_default()),
            None => (None, rest),
        };
        let spec = rest.strip_prefix(':').unwrap_or_default();
        let value = self.value(name)?;
        let spec = if spec.contains('{') && depth == 0 { self.all(spec, 1)? } else { spec.to_owned() };
        match conversion {
            Some('r' | 'a') => Spec::read(&spec)?.value(&Value::from(repr(&value))),
            Some('s') => Spec::read(&spec)?.value(&Value::from(shown(&value))),
            Some(other) => Err(invalid(format!("there is no conversion `!{other}`"))),
            None => match super::time::in_pattern(&value, &spec) {
                Some(text) => text,
                None => Spec::read(&spec)?.value(&value),
            },
        }
    }

    /// The value that a name such as `0`, `name`, `name.part` or `name[key]` stands for.
    fn value(&mut self, name: &str) -> Result<Value, Error> {
        let first = name.find(['.', '[']).unwrap_or(name.len());
        let (first, mut path) = name.split_at(first);
        let mut value = match first.parse::<usize>() {
            _ if first.is_empty() => {
                self.next += 1;
                self.positional.get(self.next - 1).cloned()
            }
            Ok(index) => self.positional.get(index).cloned(),
            Err(_) => match &self.named {
                Some(named) if named.has(first) => Some(named.get::<Value>(first)?),
                _ => None,
            },
        }
        .ok_or_else(|| {
            invalid(format!("the format has a place `{{{name}}}` and is given no value for it"))
        })?;
        while !path.is_empty() {
            let (part, rest) = if let Some(inner) = path.strip_prefix('[') {
                let (key, rest) = inner.split_once(']').ok_or_else(|| invalid("a format lacks a `]`"))?;
                let key = key.parse::<i64>().map_or_else(|_| Value::from(key), Value::from);
                (value.get_item(&key)?, rest)
            } else {
                let path = &path[1..];
                let end = path.find(['.', '[']).unwrap_or(path.len());
                let is_number = value.kind() == ValueKind::Number && &path[..end] == "real";
                (if is_number { value.clone() } else { value.get_attr(&path[..end])? }, &path[end..])
            };
            if part.is_undefined() {
                return Err(invalid(format!("`{name}` is not there")));
            }
            (value, path) = (part, rest);
        }
        Ok(value)
    }
}

/// Where the brace is that closes a place.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}
