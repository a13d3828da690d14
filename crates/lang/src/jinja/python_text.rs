//! Values as Python prints them: `str()`, and `repr()` for what lies in others.

use std::fmt::Write;

use minijinja::value::{ObjectRepr, Tuple, ValueKind};
use minijinja::{Error, State, Value};

use super::time;

/// A value as Python's `str()` gives it.
pub(super) fn shown(value: &Value) -> String {
    if value.kind() == ValueKind::Number && !value.is_integer() {
        return f64::try_from(value.clone()).map_or_else(|_| value.to_string(), float);
    }
    if value.as_object().is_some_and(|object| is_plain_list(value, object.repr())) {
        return repr(value);
    }
    value.to_string()
}

/// A value as Python's `repr()` gives it.
pub(super) fn repr(value: &Value) -> String {
    let mut written = String::new();
    write_repr(&mut written, value);
    written
}

/// Whether the engine would print it otherwise than Python: its tuples and lists.
fn is_plain_list(value: &Value, repr: ObjectRepr) -> bool {
    value.is_tuple() || (repr == ObjectRepr::Iterable && value.len().is_some() && is_of_engine(value))
}

fn is_of_engine(value: &Value) -> bool {
    value.as_object().is_some_and(|object| object.type_name().starts_with("minijinja::"))
}

fn write_repr(written: &mut String, value: &Value) {
    if value.kind() == ValueKind::Number && !value.is_integer() {
        written.push_str(&shown(value));
    } else if let Some(tuple) = value.downcast_object_ref::<Tuple>() {
        written.push('(');
        write_items(written, tuple.iter().cloned());
        written.push_str(if tuple.len() == 1 { ",)" } else { ")" });
    } else if value.as_object().is_some_and(|object| is_plain_list(value, object.repr())) {
        written.push('[');
        write_items(written, value.try_iter().into_iter().flatten());
        written.push(']');
    } else if let Some(time) = time::repr(value) {
        written.push_str(&time);
    } else {
        // A text into a text cannot fail.
        let _ = write!(written, "{value:?}");
    }
}

/// Items with commas between them, each as `repr()` gives it.
pub(super) fn write_items(written: &mut String, items: impl Iterator<Item = Value>) {
    for (at, item) in items.enumerate() {
        if at > 0 {
            written.push_str(", ");
        }
        write_repr(written, &item);
    }
}

/// Entries of a mapping, with commas between them.
pub(super) fn write_entries(written: &mut String, entries: impl Iterator<Item = (Value, Value)>) {
    for (at, (key, value)) in entries.enumerate() {
        if at > 0 {
            written.push_str(", ");
        }
        write_repr(written, &key);
        written.push_str(": ");
        write_repr(written, &value);
    }
}

/// A number with a point as Python writes it: the shortest digits that are that number, with an exponent where it is very
/// large or small.
pub(super) fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf".to_owned() } else { "-inf".to_owned() };
    }
    let size = number.abs();
    if size == 0.0 || (1e-4..1e16).contains(&size) {
        let plain = number.to_string();
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let written = format!("{number:e}");
    let (digits, exponent) = written.split_once('e').unwrap_or((&written, "0"));
    let (sign, exponent) = match exponent.strip_prefix('-') {
        Some(exponent) => ('-', exponent),
        None => ('+', exponent),
    };
    format!("{digits}e{sign}{exponent:0>2}")
}

/// Counts a text that was made as work.
///
/// # Errors
/// Where there was too much of it.
pub(super) fn charged(state: &State<'_, '_>, text: String) -> Result<Value, Error> {
    state.consume_fuel(text.len() as u64 / 64)?;
    Ok(text.into())
}

#[cfg(test)]
mod tests {
    use super::float;

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        let written = [0.1, 1e16, 1e15, 1e-5, 1e-4, 123_456_789.125, -0.0, 1.5e300, f64::INFINITY].map(float);
        assert_eq!(
            written,
            [
                "0.1",
                "1e+16",
                "1000000000000000.0",
                "1e-05",
                "0.0001",
                "123456789.125",
                "-0.0",
                "1.5e+300",
                "inf"
            ]
        );
    }
}
