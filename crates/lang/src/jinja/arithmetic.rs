//! What `-`, `+` and `%` make of two values: as the engine has it, and as Python has it of times and formats.

use minijinja::value::{Kwargs, ObjectRepr, Tuple};
use minijinja::{Environment, Error, State, Value, context};

use super::time::{difference, is_time, shifted};

/// Makes the functions known that operators are written as.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_function("__minus", |state: &mut State<'_, '_>, left: &Value, right: &Value| {
        match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) if left.checked_sub(right).is_some() => Ok(Value::from(left - right)),
            _ if is_time(left) || is_time(right) => difference(left, right),
            _ => of_engine(state, "left - right", left, right),
        }
    });
    environment.add_function("__plus", |state: &mut State<'_, '_>, left: &Value, right: &Value| {
        match (left.as_i64(), right.as_i64()) {
            (Some(left), Some(right)) if left.checked_add(right).is_some() => Ok(Value::from(left + right)),
            _ if is_time(left) || is_time(right) => {
                shifted(left, right, 1).or_else(|_| shifted(right, left, 1))
            }
            _ => of_engine(state, "left + right", left, right),
        }
    });
    environment.add_function("__percent", |state: &mut State<'_, '_>, left: &Value, right: &Value| {
        if left.as_str().is_some() {
            return percent(state, left.clone(), right);
        }
        of_engine(state, "left % right", left, right)
    });
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

/// `text % values`: the engine's filter, which bounds what widths make.
fn percent(state: &mut State<'_, '_>, text: Value, values: &Value) -> Result<Value, Error> {
    let mut arguments = vec![text];
    if let Some(tuple) = values.downcast_object_ref::<Tuple>() {
        arguments.extend(tuple.iter().cloned());
    } else if values.as_object().is_some_and(|object| object.repr() == ObjectRepr::Map) {
        let mut named = Vec::new();
        for key in values.try_iter()? {
            named.push((key.to_string(), values.get_item(&key)?));
        }
        arguments.push(Kwargs::from_iter(named).into());
    } else {
        arguments.push(values.clone());
    }
    state.apply_filter("format", &arguments)
}
