//! Methods of Python's values on the engine's own.

use minijinja::value::{Tuple, ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::own;
use super::problem::{invalid, invalid_with_help};
use super::{python_text, text_methods};

/// Calls a method that the engine does not know.
pub(super) fn unknown_method(
    state: &mut State<'_, '_>,
    value: &Value,
    method: &str,
    arguments: &[Value],
) -> Result<Value, Error> {
    if let Some(text) = value.as_str() {
        return text_methods::call(state, text, method, arguments);
    }
    if matches!(value.kind(), ValueKind::Number | ValueKind::Bool) {
        return number_method(value, method, arguments);
    }
    if let Some(tuple) = value.downcast_object_ref::<Tuple>() {
        return tuple_method(tuple, method, arguments);
    }
    let changes = ["append", "extend", "insert", "pop", "remove", "update", "setdefault", "clear"];
    match minijinja_contrib::pycompat::unknown_method_callback(state, value, method, arguments) {
        Err(error) if error.kind() == ErrorKind::UnknownMethod && value.as_object().is_some() => {
            // What the engine made is copied into what has the methods; a change of the copy would be lost.
            if changes.contains(&method) {
                return Err(invalid_with_help(
                    format!("`{method}()` cannot change this {}", value.kind()),
                    "give it a name by `{% set %}`, and change that",
                ));
            }
            let copy = own(value);
            match copy.as_object() {
                Some(object) if !is_same(value, &copy) => object.call_method(state, method, arguments),
                _ => Err(error),
            }
        }
        found => found,
    }
}

fn is_same(value: &Value, copy: &Value) -> bool {
    let name = |value: &Value| value.as_object().map(|object| object.type_name());
    name(value) == name(copy)
}

fn number_method(value: &Value, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    let unknown = || Error::from(ErrorKind::UnknownMethod);
    let () = from_args(arguments)?;
    if value.is_integer() || value.kind() == ValueKind::Bool {
        let number = i128::try_from(value.clone()).map_err(|_| unknown())?;
        return match method {
            "bit_length" => Ok((u128::BITS - number.unsigned_abs().leading_zeros()).into()),
            "bit_count" => Ok(number.unsigned_abs().count_ones().into()),
            "conjugate" => Ok(value.clone()),
            "is_integer" => Ok(true.into()),
            "as_integer_ratio" => Ok(Tuple::from([value.clone(), Value::from(1)]).into()),
            _ => Err(unknown()),
        };
    }
    let number = f64::try_from(value.clone())?;
    match method {
        "is_integer" => Ok((number.fract() == 0.0).into()),
        "conjugate" => Ok(value.clone()),
        "as_integer_ratio" => ratio(number),
        _ => Err(unknown()),
    }
}

/// The fraction that a number is.
fn ratio(number: f64) -> Result<Value, Error> {
    let mut denominator = 1_i128;
    let mut numerator = number;
    while numerator.fract() != 0.0 {
        numerator *= 2.0;
        denominator = denominator.checked_mul(2).ok_or_else(|| {
            invalid(format!("{} is no fraction of whole numbers", python_text::float(number)))
        })?;
    }
    if !numerator.is_finite() || numerator.abs() >= 1e38 {
        return Err(invalid(format!("{} is no fraction of whole numbers", python_text::float(number))));
    }
    Ok(Tuple::from([Value::from(numerator as i128), Value::from(denominator)]).into())
}

fn tuple_method(tuple: &Tuple, method: &str, arguments: &[Value]) -> Result<Value, Error> {
    match method {
        "index" => {
            let (wanted,): (Value,) = from_args(arguments)?;
            let found = tuple.iter().position(|value| *value == wanted);
            found.map(Value::from).ok_or_else(|| invalid(format!("the tuple has no item {wanted:?}")))
        }
        "count" => {
            let (wanted,): (Value,) = from_args(arguments)?;
            Ok(tuple.iter().filter(|value| **value == wanted).count().into())
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}
