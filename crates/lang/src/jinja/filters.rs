//! Filters that dbt or Jinja2 has and the engine has not, or otherwise.

use minijinja::value::{Rest, StringInput, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};

use super::given::Given;
use super::layout::laid_out;
use super::problem::invalid;
use super::{json_text, list_filters, number_filters, text_filters};
use mep_core::keys::{Key, key};

/// The filters that are added.
pub(super) const FILTERS: [Key; 6] = [
    key("as_text", "value | as_text", "", "The value as text."),
    key("as_native", "text | as_native", "", "The number, truth value or none that a text stands for."),
    key("as_number", "text | as_number", "", "The same, and an error where it is no number."),
    key("as_bool", "text | as_bool", "", "The same, and an error where it is neither true nor false."),
    key("center", "text | center(80)", "", "The text in the middle of a width."),
    key("truncate", "text | truncate(255, false, '...')", "", "The text cut to a length, at a word."),
];

/// A filter: of the value before it, and of its arguments.
pub(super) type Filter = fn(&mut State<'_, '_>, &Value, &[Value]) -> Result<Value, Error>;

/// All arguments, those with names as the last one.
pub(super) fn all(arguments: &[ValueOrKwargs]) -> Vec<Value> {
    arguments.iter().map(|argument| (**argument).clone()).collect()
}

/// Makes a filter known. A value that is not defined is refused, save where texts may name what is not there.
pub(super) fn add(environment: &mut Environment<'_>, name: &'static str, filter: Filter) {
    environment.add_filter(
        name,
        move |state: &mut State<'_, '_>, value: Value, arguments: Rest<ValueOrKwargs>| {
            if value.is_undefined() {
                StringInput::new(state, &value)?;
            }
            filter(state, &value, &all(&arguments))
        },
    );
}

/// Makes the filters known.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_filter("pprint", laid_out);
    for name in ["default", "d"] {
        environment.add_filter(name, |value: Value, arguments: Rest<ValueOrKwargs>| {
            or_default(value, &all(&arguments))
        });
    }
    add(environment, "tojson", |_, value, arguments| json_text::filter(value, arguments));
    environment.add_filter("as_text", |value: &Value| value.to_string());
    environment.add_filter("as_native", |value: Value| native(&value).unwrap_or(value));
    environment.add_filter("as_number", |value: &Value| match native(value) {
        Some(number) if number.is_number() => Ok(number),
        _ => Err(invalid(format!("as_number: {value:?} is not a number"))),
    });
    environment.add_filter("as_bool", |value: &Value| match native(value) {
        Some(found) if bool::try_from(found.clone()).is_ok() => Ok(found),
        _ => Err(invalid(format!("as_bool: {value:?} is neither true nor false"))),
    });
    text_filters::add_to(environment);
    number_filters::add_to(environment);
    list_filters::add_to(environment);
}

/// `default(default_value='', boolean=false)`.
fn or_default(value: Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = Given::of("default", arguments)?;
    let default = given.next("default_value")?.unwrap_or_else(|| "".into());
    let is_for_false = given.value::<bool>("boolean")?.unwrap_or(false);
    given.end()?;
    Ok(if value.is_undefined() || is_for_false && !value.is_true() { default } else { value })
}

/// What a text stands for where it is the text of a number, a truth value or none.
fn native(value: &Value) -> Option<Value> {
    let Some(text) = value.as_str() else { return Some(value.clone()) };
    Some(match text.trim() {
        "true" | "True" => true.into(),
        "false" | "False" => false.into(),
        "none" | "None" | "null" => Value::from(()),
        text => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => number.into(),
            (_, Ok(number)) => number.into(),
            _ => return None,
        },
    })
}
