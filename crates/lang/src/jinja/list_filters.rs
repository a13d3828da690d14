//! Filters of lists that the engine has otherwise than Jinja2.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Tuple};
use minijinja::{Environment, Error, State, Value};

use super::collections::{List, comparable};
use super::filters::add;
use super::given::GivenArguments;
use super::problem::{invalid, unsupported};
use super::python_text::{repr, shown};

/// Makes the filters known.
pub(super) fn add_to(environment: &mut Environment<'_>) {
    add(environment, "join", joined);
    add(environment, "sort", |_, values, arguments| sorted(values, arguments));
    add(environment, "unique", |_, values, arguments| distinct(values, arguments));
    add(environment, "min", |_, values, arguments| extreme("min", values, arguments));
    add(environment, "max", |_, values, arguments| extreme("max", values, arguments));
    add(environment, "sum", summed);
    add(environment, "groupby", |_, values, arguments| grouped(values, arguments));
    add(environment, "dictsort", |_, value, arguments| entries_sorted(value, arguments));
    add(environment, "batch", |_, values, arguments| batches(values, arguments));
    add(environment, "slice", |_, values, arguments| slices(values, arguments));
    add(environment, "random", |_, _, _| {
        Err(unsupported("`random`", "every run would have other SQL: choose by a `var()`"))
    });
}

fn items(values: &Value) -> Result<Vec<Value>, Error> {
    Ok(values.try_iter()?.collect())
}

/// A part of a value, by a path such as `a.b` or by an index.
fn part(value: &Value, path: &Value, default: Option<&Value>) -> Result<Value, Error> {
    let Some(text) = path.as_str() else { return value.get_item(path) };
    let mut part = value.clone();
    for name in text.split('.') {
        if part.is_undefined() {
            return Err(invalid(format!("`{text}` is not defined of {value:?}")));
        }
        part = match name.parse::<usize>() {
            Ok(index) => part.get_item_by_index(index)?,
            Err(_) => part.get_attr(name)?,
        };
    }
    Ok(if part.is_undefined() { default.cloned().unwrap_or(part) } else { part })
}

/// A value in the case that it is compared in.
fn folded(value: Value, by_case: bool) -> Value {
    match value.as_str() {
        Some(text) if !by_case => text.to_lowercase().into(),
        _ => value,
    }
}

/// What a value is compared by: itself or its parts.
fn key(value: &Value, attribute: Option<&Value>, by_case: bool) -> Result<Value, Error> {
    let Some(attribute) = attribute else { return Ok(folded(value.clone(), by_case)) };
    match attribute.as_str() {
        Some(paths) if paths.contains(',') => {
            let parts =
                paths.split(',').map(|path| Ok(folded(part(value, &path.trim().into(), None)?, by_case)));
            Ok(Tuple::from(parts.collect::<Result<Vec<_>, Error>>()?).into())
        }
        _ => Ok(folded(part(value, attribute, None)?, by_case)),
    }
}

/// Values with what they are compared by.
fn keyed(values: Vec<Value>, attribute: Option<&Value>, by_case: bool) -> Result<Vec<(Value, Value)>, Error> {
    values.into_iter().map(|value| Ok((key(&value, attribute, by_case)?, value))).collect()
}

/// `join(d='', attribute)`.
fn joined(state: &mut State<'_, '_>, values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("join", arguments)?;
    let separator = given.next("d")?.map_or_else(String::new, |separator| shown(&separator));
    let attribute = given.any("attribute")?;
    given.end()?;
    let mut text = String::new();
    for (at, value) in items(values)?.into_iter().enumerate() {
        let value = match &attribute {
            Some(attribute) => part(&value, attribute, None)?,
            None => value,
        };
        if at > 0 {
            text.push_str(&separator);
        }
        let shown = shown(&value);
        state.consume_fuel((separator.len() + shown.len()) as u64 / 64)?;
        text.push_str(&shown);
    }
    Ok(text.into())
}

/// `sort(reverse=false, case_sensitive=false, attribute)`.
fn sorted(values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("sort", arguments)?;
    let is_reversed = given.value::<bool>("reverse")?.unwrap_or(false);
    let by_case = given.value::<bool>("case_sensitive")?.unwrap_or(false);
    let attribute = given.any("attribute")?;
    given.end()?;
    let mut keyed = keyed(items(values)?, attribute.as_ref(), by_case)?;
    comparable(keyed.iter().map(|(by, _)| by))?;
    keyed.sort_by(|a, b| if is_reversed { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
    Ok(List::of(keyed.into_iter().map(|(_, value)| value).collect()))
}

/// `unique(case_sensitive=false, attribute)`.
fn distinct(values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("unique", arguments)?;
    let by_case = given.value::<bool>("case_sensitive")?.unwrap_or(false);
    let attribute = given.any("attribute")?;
    given.end()?;
    let mut seen = indexmap::IndexSet::new();
    let mut found = keyed(items(values)?, attribute.as_ref(), by_case)?;
    found.retain(|(by, _)| seen.insert(by.clone()));
    Ok(List::of(found.into_iter().map(|(_, value)| value).collect()))
}

/// `min(case_sensitive=false, attribute)`, and `max`.
fn extreme(filter: &str, values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of(filter, arguments)?;
    let by_case = given.value::<bool>("case_sensitive")?.unwrap_or(false);
    let attribute = given.any("attribute")?;
    given.end()?;
    let keyed = keyed(items(values)?, attribute.as_ref(), by_case)?;
    comparable(keyed.iter().map(|(by, _)| by))?;
    // Of several that are equal, the first one.
    let found = match filter {
        "min" => keyed.into_iter().min_by(|a, b| a.0.cmp(&b.0)),
        _ => keyed.into_iter().rev().max_by(|a, b| a.0.cmp(&b.0)),
    };
    Ok(found.map(|(_, value)| value).unwrap_or_default())
}

/// `sum(attribute, start=0)`.
fn summed(state: &mut State<'_, '_>, values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("sum", arguments)?;
    let attribute = given.any("attribute")?;
    let mut total = given.next("start")?.unwrap_or_else(|| Value::from(0));
    given.end()?;
    for value in items(values)? {
        let value = match &attribute {
            Some(attribute) => part(&value, attribute, None)?,
            None => value,
        };
        total = super::arithmetic::sum(state, &total, &value)?;
    }
    Ok(super::collections::own(&total))
}

/// A group of `groupby`: a pair whose parts have names.
#[derive(Debug)]
struct Group {
    grouper: Value,
    list: Value,
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str(), key.as_usize()) {
            (Some("grouper"), _) | (_, Some(0)) => Some(self.grouper.clone()),
            (Some("list"), _) | (_, Some(1)) => Some(self.list.clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {})", repr(&self.grouper), repr(&self.list))
    }
}

/// `groupby(attribute, default, case_sensitive=false)`.
fn grouped(values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("groupby", arguments)?;
    let attribute = given.needed("attribute")?;
    let default = given.any("default")?;
    let by_case = given.value::<bool>("case_sensitive")?.unwrap_or(false);
    given.end()?;
    let mut keyed = Vec::new();
    for value in items(values)? {
        let grouper = part(&value, &attribute, default.as_ref())?;
        keyed.push((folded(grouper.clone(), by_case), grouper, value));
    }
    comparable(keyed.iter().map(|(by, _, _)| by))?;
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    let mut groups: Vec<(Value, Value, Vec<Value>)> = Vec::new();
    for (by, grouper, value) in keyed {
        match groups.last_mut() {
            Some((last, _, list)) if *last == by => list.push(value),
            _ => groups.push((by, grouper, vec![value])),
        }
    }
    let group = |(_, grouper, list)| Value::from_object(Group { grouper, list: List::of(list) });
    Ok(List::of(groups.into_iter().map(group).collect()))
}

/// `dictsort(case_sensitive=false, by='key', reverse=false)`.
fn entries_sorted(value: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("dictsort", arguments)?;
    let by_case = given.value::<bool>("case_sensitive")?.unwrap_or(false);
    let by = given.word("by")?.unwrap_or_else(|| "key".to_owned());
    let is_reversed = given.value::<bool>("reverse")?.unwrap_or(false);
    given.end()?;
    if !["key", "value"].contains(&by.as_str()) {
        return Err(invalid(format!("dictsort() sorts by key or by value, not by `{by}`")));
    }
    let mut entries = Vec::new();
    for key in items(value)? {
        let held = value.get_item(&key)?;
        let compared = folded(if by == "key" { key.clone() } else { held.clone() }, by_case);
        entries.push((compared, Tuple::from([key, held]).into()));
    }
    comparable(entries.iter().map(|(by, _): &(Value, Value)| by))?;
    entries.sort_by(|a, b| if is_reversed { b.0.cmp(&a.0) } else { a.0.cmp(&b.0) });
    Ok(List::of(entries.into_iter().map(|(_, entry)| entry).collect()))
}

fn count_of(given: &mut GivenArguments<'_>, name: &str) -> Result<usize, Error> {
    let count = given.number(name)?.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
    count.ok_or_else(|| invalid(format!("expected a number of at least 1 as `{name}`")))
}

/// `batch(linecount, fill_with)`.
fn batches(values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("batch", arguments)?;
    let count = count_of(&mut given, "linecount")?;
    let fill = given.any("fill_with")?;
    given.end()?;
    let values = items(values)?;
    let batches = values.chunks(count).map(|batch| {
        let mut batch = batch.to_vec();
        if let Some(fill) = &fill {
            super::visits::work_on(count - batch.len())?;
            batch.resize(count, fill.clone());
        }
        Ok(List::of(batch))
    });
    Ok(List::of(batches.collect::<Result<_, Error>>()?))
}

/// `slice(slices, fill_with)`.
fn slices(values: &Value, arguments: &[Value]) -> Result<Value, Error> {
    let mut given = GivenArguments::of("slice", arguments)?;
    let count = count_of(&mut given, "slices")?;
    let fill = given.any("fill_with")?;
    given.end()?;
    let values = items(values)?;
    super::visits::work_on(count)?;
    let (each, more) = (values.len() / count, values.len() % count);
    let mut rest = values.as_slice();
    let mut slices = Vec::new();
    for at in 0..count {
        let (slice, after) = rest.split_at(each + usize::from(at < more));
        rest = after;
        let mut slice = slice.to_vec();
        if let Some(fill) = fill.as_ref().filter(|_| at >= more) {
            slice.push(fill.clone());
        }
        slices.push(List::of(slice));
    }
    Ok(List::of(slices))
}
