//! Filters that dbt or Jinja2 has and the engine has not, or otherwise.

use minijinja::value::{Rest, StringInput, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};

use super::given::Given;
use super::layout::laid_out;
use super::{json_text, list_filters, number_filters, text_filters};
use mep_core::keys::{Key, key};

/// The filters that are added.
pub(super) const FILTERS: [Key; 6] = [
    key("as_text", "value | as_text", "", "The value as it is, as in dbt; in YAML its text."),
    key(
        "as_native",
        "text | as_native",
        "",
        "The value as it is, as in dbt; in YAML the number or truth value that a text stands for.",
    ),
    key("as_number", "text | as_number", "", "The same."),
    key("as_bool", "text | as_bool", "", "The same."),
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
    // They decide of which type a value of YAML is: in SQL all becomes text, and dbt leaves values as they are.
    for name in ["as_text", "as_native", "as_number", "as_bool"] {
        environment.add_filter(name, |value: Value| value);
    }
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
