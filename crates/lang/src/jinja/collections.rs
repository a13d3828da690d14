//! Lists and mappings as Python has them: whoever holds one sees what another changes.

use std::cmp::Ordering;
use std::sync::atomic::{AtomicUsize, Ordering as AtomicOrdering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, Rest, Tuple, from_args};
use minijinja::{Error, ErrorKind, State, Value};
use serde_json::Value as Json;

use super::answer_value::AnswerValue;
use super::depth::{is_writable, place};
use super::problem::{invalid, invalid_with_help};
use super::visits::{any_left, visit, work_on};

/// No list or mapping holds more: a slip of the pen should not fill the memory.
const MOST_ITEMS: usize = 10_000_000;

/// A list.
#[derive(Debug, Default)]
pub(super) struct List {
    values: Mutex<Vec<Value>>,
    /// How deep it lies in others at most.
    depth: AtomicUsize,
}

impl List {
    /// A list of these values; an error in its place where they lie too deep in each other.
    pub(super) fn of(mut values: Vec<Value>) -> Value {
        for value in &mut values {
            *value = settled(value);
        }
        match values.iter().try_for_each(|value| place(value, 1)) {
            Ok(()) => Value::from_object(Self { values: Mutex::new(values), depth: AtomicUsize::new(0) }),
            Err(error) => Value::from(error),
        }
    }

    fn values(&self) -> MutexGuard<'_, Vec<Value>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that it lies at this depth; says whether it did not yet.
    pub(super) fn sinks_to(&self, depth: usize) -> bool {
        self.depth.fetch_max(depth, AtomicOrdering::Relaxed) < depth
    }

    /// The collections in it.
    pub(super) fn collections(&self) -> Vec<Value> {
        self.values().iter().filter(|value| value.as_object().is_some()).cloned().collect()
    }

    /// Puts values in at an index.
    fn put(&self, at: usize, values: &[Value]) -> Result<(), Error> {
        let values: Vec<Value> = values.iter().map(settled).collect();
        let length = self.values().len();
        check_length(length + values.len())?;
        // What stands behind is moved, many values at a time.
        work_on(values.len() + (length - at.min(length)) / 64)?;
        self.values().splice(at..at, values.iter().cloned());
        let depth = self.depth.load(AtomicOrdering::Relaxed) + 1;
        let placed = values.iter().try_for_each(|value| place(value, depth));
        if placed.is_err() {
            self.values().drain(at..at + values.len());
        }
        placed
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
        work_on(values.len())?;
        let found = values.iter().position(|value| value == wanted);
        found.ok_or_else(|| invalid(format!("the list has no item {wanted:?}")))
    }
}

impl Object for List {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.values().get(key.as_usize()?).filter(|value| visit(value)).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if any_left() { Enumerator::Seq(self.values().len()) } else { Enumerator::Empty }
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
                let end = self.values().len();
                self.put(end, &[value])?;
            }
            "extend" => {
                let (more,): (Value,) = from_args(arguments)?;
                let more: Vec<Value> = more.try_iter()?.collect();
                let end = self.values().len();
                self.put(end, &more)?;
            }
            "insert" => {
                let (at, value): (i64, Value) = from_args(arguments)?;
                let length = self.values().len();
                let at = self.index(at).unwrap_or(if at < 0 { 0 } else { length });
                self.put(at, &[value])?;
            }
            "pop" => {
                let (at,): (Option<i64>,) = from_args(arguments)?;
                let at = self.index(at.unwrap_or(-1))?;
                work_on(1 + (self.values().len() - at) / 64)?;
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
            "reverse" => {
                work_on(self.values().len())?;
                self.values().reverse();
            }
            "sort" => {
                let mut values = self.values().clone();
                work_on(values.len().saturating_mul(8))?;
                values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(Ordering::Equal));
                *self.values() = values;
            }
            "clear" => self.values().clear(),
            "copy" => {
                let values = self.values().clone();
                work_on(values.len())?;
                return Ok(Self::of(values));
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        }
        Ok(none)
    }
}

/// A mapping.
#[derive(Debug, Default)]
pub(super) struct Dict {
    entries: Mutex<IndexMap<Value, Value>>,
    /// How deep it lies in others at most.
    depth: AtomicUsize,
}

impl Dict {
    /// A mapping of these entries; an error in its place where they lie too deep in each other.
    pub(super) fn of(mut entries: IndexMap<Value, Value>) -> Value {
        entries.values_mut().for_each(|value| *value = settled(value));
        match entries.iter().try_for_each(|(key, value)| place(key, 1).and_then(|()| place(value, 1))) {
            Ok(()) => Value::from_object(Self { entries: Mutex::new(entries), depth: AtomicUsize::new(0) }),
            Err(error) => Value::from(error),
        }
    }

    /// Notes that it lies at this depth; says whether it did not yet.
    pub(super) fn sinks_to(&self, depth: usize) -> bool {
        self.depth.fetch_max(depth, AtomicOrdering::Relaxed) < depth
    }

    /// The collections in it.
    pub(super) fn collections(&self) -> Vec<Value> {
        let entries = self.entries();
        let all = entries.iter().flat_map(|(key, value)| [key, value]);
        all.filter(|value| value.as_object().is_some()).cloned().collect()
    }

    /// Sets entries.
    fn put(&self, pairs: Vec<(Value, Value)>) -> Result<(), Error> {
        pairs.iter().try_for_each(|(key, _)| hashable(key))?;
        let pairs: Vec<(Value, Value)> =
            pairs.into_iter().map(|(key, value)| (key, settled(&value))).collect();
        check_length(self.entries().len() + pairs.len())?;
        self.entries().extend(pairs.iter().cloned());
        let depth = self.depth.load(AtomicOrdering::Relaxed) + 1;
        let both = |(key, value): &(Value, Value)| place(key, depth).and_then(|()| place(value, depth));
        let placed = pairs.iter().try_for_each(both);
        if placed.is_err() {
            // The rendering ends here; but nothing may be left that holds itself.
            let mut entries = self.entries();
            for (key, _) in &pairs {
                entries.shift_remove(key);
            }
        }
        placed
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
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.put(pairs)
    }
}

impl Object for Dict {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        hashable(key).ok()?;
        self.entries().get(key).filter(|value| visit(value)).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if !any_left() {
            return Enumerator::Empty;
        }
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
                hashable(&key)?;
                work_on(1 + self.entries().len() / 64)?;
                let removed = self.entries().shift_remove(&key);
                removed
                    .or_else(|| default.first().cloned())
                    .ok_or_else(|| invalid(format!("the mapping has no key {key:?}")))
            }
            "setdefault" => {
                let (key, default): (Value, Option<Value>) = from_args(arguments)?;
                hashable(&key)?;
                let default = default.unwrap_or_else(|| Value::from(()));
                let stored = self.entries().get(&key).cloned();
                if let Some(stored) = stored {
                    return Ok(stored);
                }
                self.put(vec![(key.clone(), default)])?;
                Ok(self.entries().get(&key).cloned().unwrap_or_default())
            }
            "clear" => {
                self.entries().clear();
                Ok(Value::from(()))
            }
            "copy" => {
                let entries = self.entries().clone();
                work_on(entries.len())?;
                Ok(Self::of(entries))
            }
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

/// # Errors
/// Where a value cannot be the key of a mapping: what can change, or holds what can, would be found no more.
pub(super) fn hashable(key: &Value) -> Result<(), Error> {
    let Some(object) = key.as_object() else { return Ok(()) };
    let refused = match object.downcast_ref::<Tuple>() {
        Some(_) if !is_writable(key) => Some("a tuple of so many values"),
        Some(tuple) => return tuple.iter().try_for_each(hashable),
        None if matches!(object.repr(), ObjectRepr::Seq | ObjectRepr::Iterable) => Some("a list"),
        None if object.is::<Dict>() || object.is::<IndexMap<Value, Value>>() => Some("a mapping"),
        None => None,
    };
    match refused {
        Some(what) => Err(invalid_with_help(
            format!("{what} cannot be the key of a mapping"),
            "use a text, a number, or a tuple of these: ('a', 1)",
        )),
        None => Ok(()),
    }
}

fn check_length(length: usize) -> Result<(), Error> {
    if length <= MOST_ITEMS {
        return Ok(());
    }
    Err(invalid(format!("expected at most {MOST_ITEMS} items in a list or mapping, found {length}")))
}

/// A value as a collection holds it: what is worked out only when it is looked at, is worked out now, so that nothing
/// in it can come to be the collection itself.
fn settled(value: &Value) -> Value {
    match value.as_object() {
        Some(object) if object.repr() == ObjectRepr::Iterable => own(value),
        Some(object) => match object.downcast_ref::<Tuple>() {
            Some(tuple) if place(value, 0).is_ok() => {
                Tuple::from(tuple.iter().map(settled).collect::<Vec<_>>()).into()
            }
            _ => value.clone(),
        },
        None => value.clone(),
    }
}

/// A value as a variable holds it: the engine's own lists and mappings cannot change, so they are copied into ones
/// that can.
pub(super) fn own(value: &Value) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    if object.is::<Tuple>() {
        return place(value, 0).map_or_else(Value::from, |()| settled(value));
    }
    if object.is::<List>() || object.is::<AnswerValue>() {
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
