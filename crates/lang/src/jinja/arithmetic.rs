//! What operators make of two values: as the engine has it, and as Python has it of times, sets and formats.

use minijinja::{Environment, Error, State, Value, context};

use super::formats::percent;
use super::python_text::charged;
use super::set_value::SetValue;
use super::time::{Delta, difference, is_time, shifted};

/// Makes the functions known that operators are written as.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("__minus", |state: &mut State<'_, '_>, left: &Value, right: &Value| {
        if let (Some(left), Some(right)) =
            (left.downcast_object_ref::<SetValue>(), right.downcast_object_ref::<SetValue>())
        {
            return Ok(left.less(right));
        }
        match whole(left, right) {
            Some((left, right)) if left.checked_sub(right).is_some() => Ok(Value::from(left - right)),
            _ if is_time(left) || is_time(right) => difference(left, right),
            _ => of_engine(state, "left - right", left, right),
        }
    });
    environment.add_function("__plus", |state: &mut State<'_, '_>, left: &Value, right: &Value| {
        sum(state, left, right)
    });
    environment.add_function("__times", |state: &mut State<'_, '_>, left: &Value, right: &Value| {
        match (left.downcast_object_ref::<Delta>(), right.downcast_object_ref::<Delta>()) {
            (Some(delta), None) => delta.times(right),
            (None, Some(delta)) => delta.times(left),
            _ => of_engine(state, "left * right", left, right),
        }
    });
    environment.add_function("__over", |state: &mut State<'_, '_>, left: &Value, right: &Value| {
        match left.downcast_object_ref::<Delta>() {
            Some(delta) => delta.divided(right, false),
            None => of_engine(state, "left / right", left, right),
        }
    });
    environment.add_function("__floor", |state: &mut State<'_, '_>, left: &Value, right: &Value| match left
        .downcast_object_ref::<Delta>(
    ) {
        Some(delta) => delta.divided(right, true),
        None => of_engine(state, "left // right", left, right),
    });
    environment.add_function("__percent", |state: &mut State<'_, '_>, left: &Value, right: &Value| {
        if let Some(text) = left.as_str() {
            return charged(state, percent(text, right)?);
        }
        of_engine(state, "left % right", left, right)
    });
}

/// Two whole numbers; one with a point is none, whatever stands behind it.
fn whole(left: &Value, right: &Value) -> Option<(i64, i64)> {
    (left.is_integer() && right.is_integer()).then(|| left.as_i64().zip(right.as_i64())).flatten()
}

/// `left + right`.
pub(super) fn sum(state: &mut State<'_, '_>, left: &Value, right: &Value) -> Result<Value, Error> {
    match whole(left, right) {
        Some((left, right)) if left.checked_add(right).is_some() => Ok(Value::from(left + right)),
        _ if is_time(left) || is_time(right) => shifted(left, right, 1).or_else(|_| shifted(right, left, 1)),
        _ => of_engine(state, "left + right", left, right),
    }
}

/// What the engine makes of it, or what it says against it.
fn of_engine(
    state: &mut State<'_, '_>,
    expression: &'static str,
    left: &Value,
    right: &Value,
) -> Result<Value, Error> {
    let expression = state.env().compile_expression(expression)?;
    let value = expression.eval(context! { left, right });
    value.map_err(|error| match error.detail() {
        Some(detail) => Error::new(error.kind(), detail.to_owned()),
        None => Error::from(error.kind()),
    })
}
