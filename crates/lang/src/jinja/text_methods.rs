//! Methods of Python's texts.

use minijinja::value::{Tuple, ValueKind};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::{Dict, List};
use super::formats::braces;
use super::given::{GivenArguments, described};
use super::problem::invalid;
use super::python_text::charged;

/// Calls a method of a text.
pub(super) fn call(
    state: &mut State<'_, '_>,
    text: &str,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    let mut given = GivenArguments::of(method, arguments)?;
    let found = match method {
        "format" => {
            return charged(state, braces(text, arguments)?);
        }
        "upper" => charged(state, text.to_uppercase())?,
        "lower" => charged(state, text.to_lowercase())?,
        "casefold" => charged(state, text.to_lowercase().replace('ß', "ss"))?,
        "title" => charged(state, titled(text))?,
        "capitalize" => charged(state, capitalized(text))?,
        "swapcase" => charged(state, text.chars().map(swapped).collect())?,
        "strip" | "lstrip" | "rstrip" => stripped(text, method, given.word("chars")?.as_deref()).into(),
        "removeprefix" => {
            let prefix = given.text("prefix")?;
            text.strip_prefix(prefix.as_str()).unwrap_or(text).into()
        }
        "removesuffix" => {
            let suffix = given.text("suffix")?;
            text.strip_suffix(suffix.as_str()).unwrap_or(text).into()
        }
        "ljust" | "rjust" | "center" | "zfill" => return padded(text, method, given),
        "expandtabs" => tabs_expanded(text, given.number("tabsize")?.unwrap_or(8)).into(),
        "startswith" | "endswith" => {
            let wanted = given.needed("prefix")?;
            let part = part(text, &mut given)?;
            begins_or_ends(part, method, &wanted)?.into()
        }
        "find" | "rfind" | "index" | "rindex" | "count" => found(text, method, &mut given)?,
        "replace" => replaced(state, text, &mut given)?,
        "split" | "rsplit" => split(text, method == "rsplit", &mut given)?,
        "partition" | "rpartition" => partitioned(text, method, &mut given)?,
        "splitlines" => lines(text, given.value::<bool>("keepends")?.unwrap_or(false)),
        "join" => {
            let values = given.needed("iterable")?;
            return joined(state, text, &values);
        }
        "translate" => {
            let table = given.needed("table")?;
            charged(state, translated(text, &table)?)?
        }
        "maketrans" => translation(&mut given)?,
        "encode" => {
            given.rest();
            Value::from_bytes(text.as_bytes().to_vec())
        }
        _ => is_of_kind(text, method).ok_or_else(|| Error::from(ErrorKind::UnknownMethod))?.into(),
    };
    given.end()?;
    Ok(found)
}

/// What all characters are, by the name of the method that asks.
fn is_of_kind(text: &str, method: &str) -> Option<bool> {
    let all = |is: fn(char) -> bool| !text.is_empty() && text.chars().all(is);
    Some(match method {
        "isdigit" | "isdecimal" | "isnumeric" => {
            all(|c| c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric()))
        }
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(char::is_whitespace),
        "isascii" => text.is_ascii(),
        "isprintable" => text.chars().all(|c| !c.is_control()),
        "isupper" => text.chars().any(char::is_uppercase) && !text.chars().any(char::is_lowercase),
        "islower" => text.chars().any(char::is_lowercase) && !text.chars().any(char::is_uppercase),
        "istitle" => text.chars().any(char::is_alphabetic) && titled(text) == text,
        "isidentifier" => {
            let starts = text.starts_with(|c: char| c.is_alphabetic() || c == '_');
            starts && text.chars().all(|c| c.is_alphanumeric() || c == '_')
        }
        _ => return None,
    })
}

fn swapped(c: char) -> String {
    if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() }
}

/// Each word with a capital: a word is a run of letters.
fn titled(text: &str) -> String {
    let mut after_letter = false;
    let mut titled = String::with_capacity(text.len());
    for c in text.chars() {
        if after_letter {
            titled.extend(c.to_lowercase());
        } else {
            titled.extend(c.to_uppercase());
        }
        after_letter = c.is_alphabetic();
    }
    titled
}

pub(super) fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().into_iter().flat_map(char::to_uppercase);
    first.chain(characters.as_str().to_lowercase().chars()).collect()
}

fn stripped<'t>(text: &'t str, method: &str, characters: Option<&str>) -> &'t str {
    let is_stripped = |c: char| characters.map_or_else(|| c.is_whitespace(), |of| of.contains(c));
    let text = if method == "rstrip" { text } else { text.trim_start_matches(is_stripped) };
    if method == "lstrip" { text } else { text.trim_end_matches(is_stripped) }
}

/// No text is padded to more than this: a slip of the pen should not fill the memory.
const MOST_WIDTH: usize = 1_000_000;

fn padding(text: &str, width: usize, fill: char) -> Result<String, Error> {
    if width > MOST_WIDTH {
        return Err(invalid(format!("expected a width of at most {MOST_WIDTH}, found {width}")));
    }
    Ok(std::iter::repeat_n(fill, width.saturating_sub(text.chars().count())).collect())
}

fn padded(text: &str, method: &str, mut given: GivenArguments<'_>) -> Result<Value, Error> {
    let width = given.needed("width")?;
    let width =
        width.as_i64().ok_or_else(|| invalid(format!("{method}() takes a width, found {width:?}")))?;
    let width = usize::try_from(width).unwrap_or(0);
    if method == "zfill" {
        given.end()?;
        let (sign, digits) = text.split_at(usize::from(text.starts_with(['-', '+'])));
        return Ok(format!("{sign}{}{digits}", padding(text, width, '0')?).into());
    }
    let fill = given.value::<char>("fillchar")?.unwrap_or(' ');
    given.end()?;
    Ok(match method {
        "ljust" => format!("{text}{}", padding(text, width, fill)?).into(),
        "rjust" => format!("{}{text}", padding(text, width, fill)?).into(),
        _ => centered(text, width, fill)?.into(),
    })
}

/// A text in the middle of its width; Python puts an odd space on the left where the width is odd.
pub(super) fn centered(text: &str, width: usize, fill: char) -> Result<String, Error> {
    let padding = padding(text, width, fill)?;
    let more = padding.chars().count();
    let left = more / 2 + (more & width & 1);
    let (left, right) = padding.split_at(left * fill.len_utf8());
    Ok(format!("{left}{text}{right}"))
}

fn tabs_expanded(text: &str, size: i64) -> String {
    let size = usize::try_from(size).unwrap_or(0).min(1_000);
    let (mut expanded, mut column) = (String::new(), 0);
    for c in text.chars() {
        match c {
            '\t' => {
                let spaces = if size == 0 { 0 } else { size - column % size };
                expanded.extend(std::iter::repeat_n(' ', spaces));
                column += spaces;
            }
            '\n' | '\r' => {
                expanded.push(c);
                column = 0;
            }
            _ => {
                expanded.push(c);
                column += 1;
            }
        }
    }
    expanded
}

/// The part of a text between two places that may count from its end.
fn part<'t>(text: &'t str, given: &mut GivenArguments<'_>) -> Result<&'t str, Error> {
    let (start, end) = (given.number("start")?, given.number("end")?);
    if start.is_none() && end.is_none() {
        return Ok(text);
    }
    let length = text.chars().count();
    let at = |place: i64| {
        let counted = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
        if place < 0 { length.saturating_sub(counted) } else { counted.min(length) }
    };
    let (start, end) = (start.map_or(0, at), end.map_or(length, at));
    let byte = |at: usize| text.char_indices().nth(at).map_or(text.len(), |(byte, _)| byte);
    Ok(text.get(byte(start)..byte(end)).unwrap_or_default())
}

fn begins_or_ends(text: &str, method: &str, wanted: &Value) -> Result<bool, Error> {
    let is_there = |wanted: &str| {
        if method == "startswith" { text.starts_with(wanted) } else { text.ends_with(wanted) }
    };
    let misfit =
        || invalid(format!("{method}() takes a text or a tuple of texts, found {}", described(wanted)));
    if let Some(wanted) = wanted.as_str() {
        return Ok(is_there(wanted));
    }
    if !matches!(wanted.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Err(misfit());
    }
    for wanted in wanted.try_iter()? {
        if is_there(wanted.as_str().ok_or_else(misfit)?) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn found(text: &str, method: &str, given: &mut GivenArguments<'_>) -> Result<Value, Error> {
    let wanted = given.text("sub")?;
    let part = part(text, given)?;
    if method == "count" {
        return Ok(part.matches(wanted.as_str()).count().into());
    }
    // Where the part begins, in characters.
    let before = part.as_ptr() as usize - text.as_ptr() as usize;
    let found =
        if method.starts_with('r') { part.rfind(wanted.as_str()) } else { part.find(wanted.as_str()) };
    match found {
        Some(at) => Ok(text[..before + at].chars().count().into()),
        None if method.ends_with("index") => Err(invalid(format!("`{wanted}` is not in `{text}`"))),
        None => Ok((-1).into()),
    }
}

fn replaced(state: &mut State<'_, '_>, text: &str, given: &mut GivenArguments<'_>) -> Result<Value, Error> {
    let (old, new) = (given.text("old")?, given.text("new")?);
    let count = given.number("count")?.and_then(|count| usize::try_from(count).ok());
    replaced_text(state, text, &old, &new, count)
}

/// A text with another in the place of what is looked for, which is paid for before it is made.
pub(super) fn replaced_text(
    state: &State<'_, '_>,
    text: &str,
    old: &str,
    new: &str,
    count: Option<usize>,
) -> Result<Value, Error> {
    let most = text.len() / old.len().max(1) + 1;
    let times = count.map_or(most, |count| count.min(most));
    state.consume_fuel(times.saturating_mul(new.len().saturating_sub(old.len())) as u64 / 64)?;
    Ok(match count {
        Some(count) => text.replacen(old, new, count).into(),
        None => text.replace(old, new).into(),
    })
}

fn split(text: &str, from_right: bool, given: &mut GivenArguments<'_>) -> Result<Value, Error> {
    let separator = given.word("sep")?;
    let most = given.number("maxsplit")?.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX);
    let parts = match separator.as_deref() {
        Some("") => return Err(invalid("split() cannot split at an empty text")),
        Some(separator) if from_right => {
            let mut parts: Vec<&str> = text.rsplitn(most.saturating_add(1), separator).collect();
            parts.reverse();
            parts
        }
        Some(separator) => text.splitn(most.saturating_add(1), separator).collect(),
        None => words(text, most, from_right),
    };
    Ok(List::of(parts.into_iter().map(Value::from).collect()))
}

/// The words of a text; what is left after the last split is one.
fn words(text: &str, most: usize, from_right: bool) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let cut = if from_right { rest.rfind(char::is_whitespace) } else { rest.find(char::is_whitespace) };
        let Some(at) = cut.filter(|_| words.len() < most) else {
            words.push(rest);
            break;
        };
        let (before, after) = rest.split_at(at);
        if from_right {
            words.push(after.trim_start());
            rest = before.trim_end();
        } else {
            words.push(before);
            rest = after.trim_start();
        }
    }
    if from_right {
        words.reverse();
    }
    words
}

fn partitioned(text: &str, method: &str, given: &mut GivenArguments<'_>) -> Result<Value, Error> {
    let separator = given.text("sep")?;
    let separator = separator.as_str();
    let found = if method == "partition" { text.split_once(separator) } else { text.rsplit_once(separator) };
    let parts = match found {
        Some((before, after)) => [before, separator, after],
        None if method == "partition" => [text, "", ""],
        None => ["", "", text],
    };
    Ok(Tuple::from(parts.map(Value::from)).into())
}

fn lines(text: &str, with_ends: bool) -> Value {
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\n', '\r']) {
        let end = at + if rest[at..].starts_with("\r\n") { 2 } else { 1 };
        lines.push(Value::from(if with_ends { &rest[..end] } else { &rest[..at] }));
        rest = &rest[end..];
    }
    if !rest.is_empty() {
        lines.push(rest.into());
    }
    List::of(lines)
}

fn joined(state: &State<'_, '_>, separator: &str, values: &Value) -> Result<Value, Error> {
    let mut joined = String::new();
    for (at, value) in values.try_iter()?.enumerate() {
        let Some(text) = value.as_str() else {
            return Err(invalid(format!("join() takes texts, and item {at} is {}", described(&value))));
        };
        if at > 0 {
            joined.push_str(separator);
        }
        joined.push_str(text);
        state.consume_fuel((separator.len() + text.len()) as u64 / 64)?;
    }
    Ok(joined.into())
}

/// `maketrans`: a mapping from characters to what stands for them.
fn translation(given: &mut GivenArguments<'_>) -> Result<Value, Error> {
    let code = |c: char| Value::from(u32::from(c));
    let first = given.needed("x")?;
    let Some(from) = first.as_str() else {
        let mut entries = indexmap::IndexMap::new();
        for key in first.try_iter()? {
            let value = first.get_item(&key)?;
            let character = key.as_str().and_then(|text| text.chars().next());
            entries.insert(character.map_or(key, code), value);
        }
        return Ok(Dict::of(entries));
    };
    let to = given.text("y")?;
    if from.chars().count() != to.chars().count() {
        return Err(invalid("maketrans() takes two texts of the same length"));
    }
    let mut entries: indexmap::IndexMap<Value, Value> =
        from.chars().zip(to.chars()).map(|(from, to)| (code(from), code(to))).collect();
    let removed = given.word("z")?.unwrap_or_default();
    entries.extend(removed.chars().map(|c| (code(c), Value::from(()))));
    Ok(Dict::of(entries))
}

fn translated(text: &str, table: &Value) -> Result<String, Error> {
    let mut translated = String::with_capacity(text.len());
    for c in text.chars() {
        let found = table.get_item(&Value::from(u32::from(c)))?;
        if found.is_undefined() {
            translated.push(c);
        } else if let Some(number) = found.as_i64() {
            let character = u32::try_from(number).ok().and_then(char::from_u32);
            translated.push(character.ok_or_else(|| invalid(format!("{number} is no character")))?);
        } else if !found.is_none() {
            translated.push_str(found.as_str().unwrap_or_default());
        }
    }
    Ok(translated)
}
