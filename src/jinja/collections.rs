//! Lists and mappings as Python has them: whoever holds one sees what another changes.

use std::cmp::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::problem::invalid;

/// A list.
#[derive(Debug, Default)]
pub(super) struct List(Mutex<Vec<Value>>);

impl List {
    pub(super) fn of(values: Vec<Value>) -> Value {
        Value::from_object(Self(Mutex::new(values)))
    }

    fn values(&self) -> MutexGuard<'_, Vec<Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The index that Python means by a number that may count from the end.
    fn index(&self, at: i64) -> Result<usize, Error> {
        let length = self.values().len();
        let index = if at < 0 {
            length.checked_sub(at.unsigned_abs() as usize)
        } else {
            usize::try_from(at).ok().filter(|at| *at < length)
        };
        index.ok_or_else(|| invalid(format!("the list has {length} items, and none at {at}")))
    }

    fn position(&self, wanted: &Value) -> Result<usize, Error> {
        let values = self.values().clone();
        let found = values.iter().position(|value| value == wanted);
        found.ok_or_else(|| invalid(format!("the list has no item {wanted:?}")))
    }
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.values().get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.values().len())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let none = Value::from(());
        match method {
            "append" => {
                let (value,): (Value,) = from_args(arguments)?;
                self.values().push(value);
            }
            "extend" => {
                let (more,): (Value,) = from_args(arguments)?;
                let more: Vec<Value> = more.try_iter()?.collect();
                self.values().extend(more);
            }
            "insert" => {
                let (at, value): (i64, Value) = from_args(arguments)?;
                let length = self.values().len();
                let at = self.index(at).unwrap_or(if at < 0 { 0 } else { length });
                self.values().insert(at, value);
            }
            "pop" => {
                let (at,): (Option<i64>,) = from_args(arguments)?;
                let at = self.index(at.unwrap_or(-1))?;
                return Ok(self.values().remove(at));
            }
            "remove" => {
                let (value,): (Value,) = from_args(arguments)?;
                let at = self.position(&value)?;
                self.values().remove(at);
            }
            "index" => {
                let (value,): (Value,) = from_args(arguments)?;
                return self.position(&value).map(Value::from);
            }
            "reverse" => self.values().reverse(),
            "sort" => {
                let mut values = self.values().clone();
                values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
                *self.values() = values;
            }
            "clear" => self.values().clear(),
            "copy" => return Ok(Self::of(self.values().clone())),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(none)
    }
}

/// A mapping.
#[derive(Debug, Default)]
pub(super) struct Dict(Mutex<IndexMap<Value, Value>>);

impl Dict {
    pub(super) fn of(entries: IndexMap<Value, Value>) -> Value {
        Value::from_object(Self(Mutex::new(entries)))
    }

    pub(super) fn with<const N: usize>(entries: [(&str, Value); N]) -> Value {
        Self::of(entries.into_iter().map(|(key, value)| (Value::from(key), value)).collect())
    }

    /// The mapping that `dict(...)` makes of another one, of pairs or of named arguments.
    pub(super) fn from_arguments(arguments: &[Value]) -> Result<Value, Error> {
        let dict = Self::default();
        for argument in arguments {
            dict.update(argument)?;
        }
        Ok(Value::from_object(dict))
    }

    fn entries(&self) -> MutexGuard<'_, IndexMap<Value, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn update(&self, more: &Value) -> Result<(), Error> {
        let mut pairs = Vec::new();
        let is_mapping = more.as_object().is_some_and(|object| object.repr() == ObjectRepr::Map);
        for item in more.try_iter()? {
            if is_mapping {
                let value = more.get_item(&item)?;
                pairs.push((item, value));
            } else {
                let pair: Vec<Value> = item.try_iter()?.collect();
                let [key, value] = &pair[..] else {
                    return Err(invalid(format!("expected pairs of a key and a value, found {item:?}")));
                };
                pairs.push((key.clone(), value.clone()));
            }
        }
        self.entries().extend(pairs);
        Ok(())
    }
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.entries().get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.entries().keys().cloned().collect())
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.entries().len())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "update" => {
                for argument in arguments {
                    self.update(argument)?;
                }
                Ok(Value::from(()))
            }
            "pop" => {
                let (key, default): (Value, Rest<Value>) = from_args(arguments)?;
                let removed = self.entries().shift_remove(&key);
                removed
                    .or_else(|| default.first().cloned())
                    .ok_or_else(|| invalid(format!("the mapping has no key {key:?}")))
            }
            "setdefault" => {
                let (key, default): (Value, Option<Value>) = from_args(arguments)?;
                let default = default.unwrap_or_else(|| Value::from(()));
                Ok(self.entries().entry(key).or_insert(default).clone())
            }
            "clear" => {
                self.entries().clear();
                Ok(Value::from(()))
            }
            "copy" => Ok(Self::of(self.entries().clone())),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// A value as a variable holds it: the engine's own lists and mappings cannot change, so they are copied into ones
/// that can.
pub(super) fn own(value: &Value) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    if object.is::<List>() || object.is::<Tuple>() {
        return value.clone();
    }
    match object.repr() {
        ObjectRepr::Seq | ObjectRepr::Iterable => match object.try_iter() {
            Some(values) => List::of(values.collect()),
            None => value.clone(),
        },
        _ => match object.downcast_ref::<IndexMap<Value, Value>>() {
            Some(entries) => Dict::of(entries.clone()),
            None => value.clone(),
        },
    }
}

/// A value of the project's files as templates see it.
pub(super) fn of_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(value) => Value::from(*value),
        Json::String(text) => Value::from(text.as_str()),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::from(number),
            (None, Some(number)) => Value::from(number),
            (None, None) => Value::from(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::Array(values) => List::of(values.iter().map(of_json).collect()),
        Json::Object(entries) => {
            Dict::of(entries.iter().map(|(key, value)| (Value::from(key.as_str()), of_json(value))).collect())
        }
    }
}
