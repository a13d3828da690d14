//! YAML as Python writes it, and values out of YAML.

use minijinja::value::{ObjectRepr, ValueKind};
use minijinja::{Error, Value};

use super::collections::of_json;
use super::depth::is_writable;
use super::given::GivenArguments;
use super::problem::invalid;
use super::python_text::{float, shown};
use crate::project::yaml_of;

/// `toyaml(value, default, sort_keys=false)`.
pub(super) fn to_yaml(arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("toyaml", arguments)?;
    let (value, default) = (given.needed("value")?, given.next("default")?);
    let sorted = given.value::<bool>("sort_keys")?.unwrap_or(false);
    given.end()?;
    if !is_writable(&value) {
        return Err(invalid("toyaml: the value is too large, or holds itself"));
    }
    let mut text = String::new();
    let written = match block(&value) {
        Some(_) => write_block(&mut text, &value, 0, sorted),
        // A document that is a scalar alone ends with a mark.
        None => scalar(&value).map(|scalar| {
            let is_quoted = scalar.starts_with(['\'', '"']) || is_empty(&value);
            text = if is_quoted { format!("{scalar}\n") } else { format!("{scalar}\n...\n") };
        }),
    };
    match (written, default) {
        (Ok(()), _) => Ok(text.into()),
        (Err(_), Some(default)) => Ok(default),
        (Err(error), None) => Err(error),
    }
}

/// `fromyaml(text, default)`.
pub(super) fn from_yaml(arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("fromyaml", arguments)?;
    let (text, default) = (given.text("value")?, given.next("default")?);
    given.end()?;
    match (yaml_of(&text), default) {
        (Ok(value), _) => Ok(of_json(&value)),
        (Err(_), Some(default)) => Ok(default),
        (Err(problem), None) => Err(invalid(format!("fromyaml: {problem}"))),
    }
}

/// What a value is that has lines of its own: a mapping or a list, with something in it.
fn block(value: &Value) -> Option<ObjectRepr> {
    let repr = value.as_object()?.repr();
    let is_block = matches!(repr, ObjectRepr::Map | ObjectRepr::Seq | ObjectRepr::Iterable);
    (is_block && !is_empty(value)).then_some(repr)
}

fn is_empty(value: &Value) -> bool {
    value.as_object().is_some() && value.len() == Some(0)
}

fn write_block(text: &mut String, value: &Value, indent: usize, sorted: bool) -> Result<(), Error> {
    let spaces = " ".repeat(indent);
    let is_mapping = value.as_object().is_some_and(|object| object.repr() == ObjectRepr::Map);
    let mut keys: Vec<Value> = value.try_iter()?.collect();
    if is_mapping && sorted {
        keys.sort();
    }
    for (at, key) in keys.into_iter().enumerate() {
        // The first line stands behind the dash of the list that it lies in.
        let is_behind_dash = at == 0 && text.ends_with("- ");
        if !is_behind_dash {
            text.push_str(&spaces);
        }
        let held = if is_mapping {
            text.push_str(&scalar(&key)?);
            text.push(':');
            value.get_item(&key)?
        } else {
            text.push_str("- ");
            key
        };
        match block(&held) {
            Some(inner) if is_mapping => {
                text.push('\n');
                // A list stands as far left as the mapping that it lies in.
                let further = if inner == ObjectRepr::Map { 2 } else { 0 };
                write_block(text, &held, indent + further, sorted)?;
            }
            Some(_) => write_block(text, &held, indent + 2, sorted)?,
            None => {
                if is_mapping {
                    text.push(' ');
                }
                text.push_str(&scalar(&held)?);
                text.push('\n');
            }
        }
    }
    Ok(())
}

fn scalar(value: &Value) -> Result<String, Error> {
    let repr = value.as_object().map(|object| object.repr());
    Ok(match (value.kind(), repr) {
        (ValueKind::None, _) => "null".to_owned(),
        (ValueKind::Bool, _) => if value.is_true() { "true" } else { "false" }.to_owned(),
        (ValueKind::Number, _) if value.is_integer() => value.to_string(),
        (ValueKind::Number, _) => match float(f64::try_from(value.clone())?).as_str() {
            "nan" => ".nan".to_owned(),
            "inf" => ".inf".to_owned(),
            "-inf" => "-.inf".to_owned(),
            number => number.to_owned(),
        },
        (ValueKind::String, _) => quoted(value.as_str().unwrap_or_default()),
        (_, Some(ObjectRepr::Map)) => "{}".to_owned(),
        (_, Some(ObjectRepr::Seq | ObjectRepr::Iterable)) => "[]".to_owned(),
        _ if super::time::is_time(value) => shown(value),
        _ => return Err(invalid(format!("toyaml: {value:?} is no value of YAML"))),
    })
}

/// A text as it is, where YAML reads it as that text, else in quotes.
fn quoted(text: &str) -> String {
    if text.chars().any(char::is_control) {
        return serde_json::json!(text).to_string();
    }
    // Python's YAML has more words for truth values.
    let is_word = ["yes", "no", "on", "off"].iter().any(|word| text.eq_ignore_ascii_case(word));
    let is_text = !is_word && yaml_of(text).is_ok_and(|read| read.as_str() == Some(text));
    let is_plain = is_text
        && !text.starts_with([
            '-', '?', ':', ',', '[', ']', '{', '}', '#', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`',
            ' ',
        ])
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #");
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "''")) }
}
