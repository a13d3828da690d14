//! Tests of Jinja2, `value is callable`, that the engine has not, or otherwise.

use minijinja::value::{ObjectRepr, ValueKind};
use minijinja::{Environment, Value};

use super::adapter;
use super::collections::{Dict, List};
use super::set_value::SetValue;
use super::views::DictView;

/// Makes the tests known.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    environment.add_test("callable", is_callable);
    environment.add_test("sequence", is_sequence);
    environment.add_test("iterable", |value: &Value| {
        matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
    });
}

/// Whether a value is a function, a macro or the like.
fn is_callable(value: &Value) -> bool {
    let Some(object) = value.as_object() else { return false };
    let is_value = object.is::<List>() || object.is::<Dict>();
    !is_value && (object.repr() == ObjectRepr::Plain && adapter::is_called(value) || is_of_engine(value))
}

/// Whether it is a function or macro of the engine's own.
fn is_of_engine(value: &Value) -> bool {
    let name = value.as_object().map_or("", |object| object.type_name());
    ["Macro", "BoxedFunction", "Joiner", "Cycler"].iter().any(|of| name.ends_with(of))
}

/// What can be asked for its length and for what it holds by a key.
fn is_sequence(value: &Value) -> bool {
    let has_no_keys =
        value.as_object().is_some_and(|object| object.is::<SetValue>() || object.is::<DictView>());
    !has_no_keys
        && matches!(value.kind(), ValueKind::String | ValueKind::Seq | ValueKind::Map | ValueKind::Iterable)
}
