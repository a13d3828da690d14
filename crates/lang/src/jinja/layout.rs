//! `pprint`: a value over several lines where one is too short for it, as Python lays it out.

use indexmap::IndexMap;
use minijinja::value::{ObjectRepr, Tuple};
use minijinja::{Error, Value};

use super::collections::Dict;
use super::depth::is_writable;
use super::problem::invalid;
use super::python_text::repr;

const WIDTH: usize = 80;

/// The value, laid out.
///
/// # Errors
/// Where it is too large.
pub(super) fn laid_out(value: &Value) -> Result<String, Error> {
    if !is_writable(value) {
        return Err(invalid("pprint: the value is too large, or holds itself"));
    }
    let mut text = String::new();
    write(&mut text, &sorted(value), 0, 0);
    Ok(text)
}

/// The value with the keys of its mappings in their order.
fn sorted(value: &Value) -> Value {
    match value.as_object().map(|object| object.repr()) {
        Some(ObjectRepr::Map) => {
            let mut entries: Vec<(Value, Value)> = value
                .try_iter()
                .into_iter()
                .flatten()
                .map(|key| (key.clone(), sorted(&value.get_item(&key).unwrap_or_default())))
                .collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Dict::of(entries.into_iter().collect::<IndexMap<_, _>>())
        }
        _ => value.clone(),
    }
}

fn write(text: &mut String, value: &Value, indent: usize, allowance: usize) {
    let line = repr(value);
    let fits = line.chars().count() <= WIDTH.saturating_sub(indent + allowance);
    let items = || value.try_iter().into_iter().flatten().collect::<Vec<Value>>();
    match value.as_object().map(|object| object.repr()) {
        _ if fits => text.push_str(&line),
        Some(ObjectRepr::Map) => {
            text.push('{');
            let keys = items();
            for (at, key) in keys.iter().enumerate() {
                let shown = repr(key);
                text.push_str(&shown);
                text.push_str(": ");
                let last = at + 1 == keys.len();
                let held = sorted(&value.get_item(key).unwrap_or_default());
                let further = indent + 1 + shown.chars().count() + 2;
                write(text, &held, further, if last { allowance + 1 } else { 1 });
                if !last {
                    next_line(text, indent + 1);
                }
            }
            text.push('}');
        }
        Some(ObjectRepr::Seq | ObjectRepr::Iterable) => {
            let is_tuple = value.downcast_object_ref::<Tuple>().is_some();
            let items = items();
            text.push(if is_tuple { '(' } else { '[' });
            for (at, item) in items.iter().enumerate() {
                let last = at + 1 == items.len();
                write(text, &sorted(item), indent + 1, if last { allowance + 1 } else { 1 });
                if !last {
                    next_line(text, indent + 1);
                }
            }
            text.push_str(match (is_tuple, items.len()) {
                (true, 1) => ",)",
                (true, _) => ")",
                (false, _) => "]",
            });
        }
        _ => text.push_str(&line),
    }
}

fn next_line(text: &mut String, indent: usize) {
    text.push_str(",\n");
    text.extend(std::iter::repeat_n(' ', indent));
}
