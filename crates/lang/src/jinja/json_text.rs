//! JSON as Python writes it.

use std::fmt::Write;

use minijinja::value::{ObjectRepr, ValueKind};
use minijinja::{Error, Value};

use super::depth::is_writable;
use super::given::GivenArguments;
use super::problem::invalid;
use super::python_text::{float, shown};

/// How JSON is laid out.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Layout {
    /// How far what lies in others stands to the right, where each value has a line of its own.
    pub(super) indent: Option<usize>,
    pub(super) sorted: bool,
}

/// The JSON of a value.
///
/// # Errors
/// Where it is too large, or no value of JSON.
pub(super) fn written(value: &Value, layout: Layout) -> Result<String, Error> {
    if !is_writable(value) {
        return Err(invalid("tojson: the value is too large, or holds itself"));
    }
    let mut text = String::new();
    write(&mut text, value, layout, 0)?;
    Ok(text)
}

/// The filter of Jinja2, whose texts can stand in HTML.
pub(super) fn filter(value: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("tojson", arguments)?;
    let indent = given.number("indent")?.and_then(|indent| usize::try_from(indent).ok());
    given.end()?;
    let text = written(value, Layout { indent: indent.map(|indent| indent.min(100)), sorted: true })?;
    let escaped = [('<', "\\u003c"), ('>', "\\u003e"), ('&', "\\u0026"), ('\'', "\\u0027")];
    Ok(escaped.iter().fold(text, |text, (character, code)| text.replace(*character, code)).into())
}

fn write(text: &mut String, value: &Value, layout: Layout, depth: usize) -> Result<(), Error> {
    let repr = value.as_object().map(|object| object.repr());
    match (value.kind(), repr) {
        (ValueKind::None, _) => text.push_str("null"),
        (ValueKind::Bool, _) => text.push_str(if value.is_true() { "true" } else { "false" }),
        (ValueKind::Number, _) if value.is_integer() => text.push_str(&value.to_string()),
        (ValueKind::Number, _) => {
            let number = f64::try_from(value.clone())?;
            text.push_str(&match number {
                _ if number.is_nan() => "NaN".to_owned(),
                _ if number.is_infinite() => if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned(),
                _ => float(number),
            });
        }
        (ValueKind::String, _) => write_text(text, value.as_str().unwrap_or_default()),
        (_, Some(ObjectRepr::Map)) => {
            let mut entries = Vec::new();
            for key in value.try_iter()? {
                let held = value.get_item(&key)?;
                entries.push((key_text(&key)?, held));
            }
            if layout.sorted {
                entries.sort_by(|a, b| a.0.cmp(&b.0));
            }
            let is_empty = entries.is_empty();
            text.push('{');
            for (at, (key, held)) in entries.into_iter().enumerate() {
                separate(text, layout, depth + 1, at);
                write_text(text, &key);
                text.push_str(": ");
                write(text, &held, layout, depth + 1)?;
            }
            close(text, layout, depth, is_empty, '}');
        }
        (_, Some(ObjectRepr::Seq | ObjectRepr::Iterable)) => {
            let mut is_empty = true;
            text.push('[');
            for (at, held) in value.try_iter()?.enumerate() {
                is_empty = false;
                separate(text, layout, depth + 1, at);
                write(text, &held, layout, depth + 1)?;
            }
            close(text, layout, depth, is_empty, ']');
        }
        _ if value.is_undefined() => return Err(invalid("tojson: a value is not defined")),
        _ => return Err(invalid(format!("tojson: {value:?} is no value of JSON"))),
    }
    Ok(())
}

fn key_text(key: &Value) -> Result<String, Error> {
    match key.kind() {
        ValueKind::None => Ok("null".to_owned()),
        ValueKind::Bool => Ok(if key.is_true() { "true" } else { "false" }.to_owned()),
        ValueKind::String | ValueKind::Number => Ok(shown(key)),
        _ => Err(invalid(format!("tojson: {key:?} cannot be a key in JSON"))),
    }
}

fn separate(text: &mut String, layout: Layout, depth: usize, at: usize) {
    match layout.indent {
        Some(indent) => {
            text.push_str(if at > 0 { ",\n" } else { "\n" });
            text.extend(std::iter::repeat_n(' ', indent * depth));
        }
        None if at > 0 => text.push_str(", "),
        None => {}
    }
}

fn close(text: &mut String, layout: Layout, depth: usize, is_empty: bool, bracket: char) {
    if let Some(indent) = layout.indent.filter(|_| !is_empty) {
        text.push('\n');
        text.extend(std::iter::repeat_n(' ', indent * depth));
    }
    text.push(bracket);
}

/// A text in quotes, in ASCII alone.
fn write_text(text: &mut String, value: &str) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(character),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    // A text into a text cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}
