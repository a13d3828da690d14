//! Lists and mappings as Python has them: whoever holds one sees what another changes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering as AtomicOrdering};

use indexmap::IndexMap;
use minijinja::value::{
    DynObject, Enumerator, Object, ObjectExt, ObjectRepr, Rest, Tuple, ValueKind, from_args,
};
use minijinja::{Error, ErrorKind, State, Value};
use parking_lot::{Mutex, MutexGuard};
use serde_json::Value as Json;

use super::answer_value::AnswerValue;
use super::depth::{is_writable, place};
use super::given::GivenArguments;
use super::problem::{invalid, invalid_with_help};
use super::python_text::{write_entries, write_items};
use super::set_value::SetValue;
use super::views::{DictView, Range};
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
        self.values.lock()
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

    /// Where a value stands, from a place on and up to another; both may count from the end.
    fn position(&self, wanted: &Value, start: i64, stop: Option<i64>) -> Result<usize, Error> {
        let values = self.values().clone();
        work_on(values.len())?;
        let at = |place: i64| {
            let counted = usize::try_from(place.unsigned_abs()).unwrap_or(usize::MAX);
            if place < 0 { values.len().saturating_sub(counted) } else { counted.min(values.len()) }
        };
        let (start, stop) = (at(start), stop.map_or(values.len(), at));
        let found = (start..stop).find(|at| values[*at] == *wanted);
        found.ok_or_else(|| invalid(format!("the list has no item {wanted:?}")))
    }

    /// Sorts by what a function gives of each value, or by the values.
    fn sort(&self, state: &mut State<'_, '_>, key: Option<&Value>, is_reversed: bool) -> Result<(), Error> {
        let values = self.values().clone();
        work_on(values.len().saturating_mul(8))?;
        let mut keyed = Vec::with_capacity(values.len());
        for value in values {
            let by = match key {
                Some(key) => key.call(state, std::slice::from_ref(&value))?,
                None => value.clone(),
            };
            keyed.push((by, value));
        }
        comparable(keyed.iter().map(|(by, _)| by))?;
        // What is equal stays in its order, also where the order is turned round.
        keyed.sort_by(|a, b| if is_reversed { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
        *self.values() = keyed.into_iter().map(|(_, value)| value).collect();
        Ok(())
    }
}

/// # Errors
/// Where values are of kinds that have no order among each other.
pub(super) fn comparable<'v>(values: impl Iterator<Item = &'v Value>) -> Result<(), Error> {
    let kind = |value: &Value| match value.kind() {
        ValueKind::Bool | ValueKind::Number => ValueKind::Number,
        kind => kind,
    };
    let mut first: Option<&Value> = None;
    for value in values {
        match first {
            Some(first) if kind(first) != kind(value) => {
                return Err(invalid(format!("{first:?} and {value:?} have no order")));
            }
            _ => first = Some(value),
        }
    }
    Ok(())
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
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let mut given = GivenArguments::of(method, arguments)?;
        let none = Value::from(());
        let found = match method {
            "append" => {
                let value = given.needed("object")?;
                let end = self.values().len();
                self.put(end, &[value])?;
                none
            }
            "extend" => {
                let more: Vec<Value> = given.needed("iterable")?.try_iter()?.collect();
                let end = self.values().len();
                self.put(end, &more)?;
                none
            }
            "insert" => {
                let at =
                    given.number("index")?.ok_or_else(|| invalid("insert() takes an index and a value"))?;
                let value = given.needed("object")?;
                let length = self.values().len();
                let at = self.index(at).unwrap_or(if at < 0 { 0 } else { length });
                self.put(at, &[value])?;
                none
            }
            "pop" => {
                let at = self.index(given.number("index")?.unwrap_or(-1))?;
                work_on(1 + (self.values().len() - at) / 64)?;
                self.values().remove(at)
            }
            "remove" => {
                let at = self.position(&given.needed("value")?, 0, None)?;
                self.values().remove(at);
                none
            }
            "index" => {
                let value = given.needed("value")?;
                let (start, stop) = (given.number("start")?.unwrap_or(0), given.number("stop")?);
                self.position(&value, start, stop)?.into()
            }
            "count" => {
                let value = given.needed("value")?;
                let values = self.values().clone();
                work_on(values.len())?;
                values.iter().filter(|held| **held == value).count().into()
            }
            "reverse" => {
                work_on(self.values().len())?;
                self.values().reverse();
                none
            }
            "sort" => {
                let key = given.any("key")?;
                let is_reversed = given.value::<bool>("reverse")?.unwrap_or(false);
                self.sort(state, key.as_ref(), is_reversed)?;
                none
            }
            "clear" => {
                self.values().clear();
                none
            }
            "copy" => {
                let values = self.values().clone();
                work_on(values.len())?;
                Self::of(values)
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        given.end()?;
        Ok(found)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.try_iter().into_iter().flatten();
        let mut written = String::new();
        write_items(&mut written, values);
        write!(f, "[{written}]")
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
        self.entries.lock()
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
            "get" => {
                let (key, default): (Value, Option<Value>) = from_args(arguments)?;
                hashable(&key)?;
                let stored = self.entries().get(&key).cloned();
                Ok(stored.or(default).unwrap_or_else(|| Value::from(())))
            }
            "keys" | "values" | "items" => {
                let () = from_args(arguments)?;
                let entries = self.entries().clone();
                work_on(entries.len())?;
                Ok(match method {
                    "keys" => DictView::value("dict_keys", entries.into_keys().collect()),
                    "values" => DictView::value("dict_values", entries.into_values().collect()),
                    _ => {
                        let pairs = entries.into_iter().map(|(key, value)| Tuple::from([key, value]).into());
                        DictView::value("dict_items", pairs.collect())
                    }
                })
            }
            "popitem" => {
                let last = self.entries().pop();
                let (key, value) = last.ok_or_else(|| invalid("popitem() of an empty mapping"))?;
                Ok(Tuple::from([key, value]).into())
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

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.try_iter_pairs().into_iter().flatten();
        let mut written = String::new();
        write_entries(&mut written, entries);
        write!(f, "{{{written}}}")
    }
}

/// # Errors
/// Where a value cannot be the key of a mapping: what can change, or holds what can, would be found no more.
pub(super) fn hashable(key: &Value) -> Result<(), Error> {
    let Some(object) = key.as_object() else { return Ok(()) };
    let refused = match object.downcast_ref::<Tuple>() {
        Some(_) if !is_writable(key) => Some("a tuple of so many values"),
        Some(tuple) => return tuple.iter().try_for_each(hashable),
        None if object.is::<SetValue>() => Some("a set"),
        None if object.is::<Range>() => None,
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
        Some(object) if is_python(object) => value.clone(),
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

/// Whether it is a set, a range or a view, which are themselves wherever they lie.
fn is_python(object: &DynObject) -> bool {
    object.is::<SetValue>() || object.is::<Range>() || object.is::<DictView>()
}

/// A value as a variable holds it: the engine's own lists and mappings cannot change, so they are copied into ones
/// that can.
pub(super) fn own(value: &Value) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    if object.is::<Tuple>() {
        return place(value, 0).map_or_else(Value::from, |()| settled(value));
    }
    if object.is::<List>() || object.is::<AnswerValue>() || is_python(object) {
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
