//! Python's `itertools`, for lists that end.

use std::sync::Arc;

use minijinja::value::{Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use super::collections::List;
use super::given::GivenArguments;
use super::problem::{invalid, invalid_with_help, unsupported};
use super::visits::work_on;

/// `modules.itertools`.
#[derive(Debug)]
pub(super) struct Itertools;

impl Object for Itertools {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let mut given = GivenArguments::of(method, arguments)?;
        let found = match method {
            "chain" => given.rest().iter().map(items).collect::<Result<Vec<_>, _>>()?.concat(),
            "product" => {
                let mut lists = given.rest().iter().map(items).collect::<Result<Vec<_>, _>>()?;
                let repeat = usize::try_from(given.number("repeat")?.unwrap_or(1)).unwrap_or(0);
                lists = std::iter::repeat_n(lists, repeat.min(100)).flatten().collect();
                product(&lists)?
            }
            "combinations" | "combinations_with_replacement" | "permutations" => {
                let values = items(&given.needed("iterable")?)?;
                let length = given.number("r")?.map_or(values.len(), |r| usize::try_from(r).unwrap_or(0));
                choices(&values, length, method)?
            }
            "zip_longest" => {
                let lists = given.rest().iter().map(items).collect::<Result<Vec<_>, _>>()?;
                let fill = given.next("fillvalue")?.unwrap_or_else(|| Value::from(()));
                let longest = lists.iter().map(Vec::len).max().unwrap_or(0);
                let row = |at: usize| {
                    tuple(lists.iter().map(|list| list.get(at).unwrap_or(&fill).clone()).collect())
                };
                (0..longest).map(row).collect()
            }
            "islice" => sliced(&mut given)?,
            "accumulate" => accumulated(state, &mut given)?,
            "repeat" => {
                let value = given.needed("object")?;
                let times = given.number("times")?.ok_or_else(endless)?;
                let times = usize::try_from(times).unwrap_or(0);
                work_on(times)?;
                vec![value; times]
            }
            "starmap" => {
                let function = given.needed("function")?;
                let rows = items(&given.needed("iterable")?)?;
                rows.iter().map(|row| function.call(state, &items(row)?)).collect::<Result<_, _>>()?
            }
            "compress" => {
                let (values, chosen) = (items(&given.needed("data")?)?, items(&given.needed("selectors")?)?);
                values
                    .into_iter()
                    .zip(chosen)
                    .filter(|(_, is)| is.is_true())
                    .map(|(value, _)| value)
                    .collect()
            }
            "pairwise" => {
                let values = items(&given.needed("iterable")?)?;
                values.windows(2).map(|pair| tuple(pair.to_vec())).collect()
            }
            "count" | "cycle" => return Err(endless()),
            "groupby" | "tee" | "filterfalse" | "takewhile" | "dropwhile" => {
                return Err(unsupported(
                    &format!("`modules.itertools.{method}()`"),
                    "use the filters `groupby`, `select` and `reject`",
                ));
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        given.end()?;
        Ok(List::of(found))
    }
}

fn endless() -> Error {
    invalid_with_help("the list would have no end", "say how long it is: modules.itertools.repeat(value, 3)")
}

fn items(values: &Value) -> Result<Vec<Value>, Error> {
    let items: Vec<Value> = values.try_iter()?.collect();
    work_on(items.len())?;
    Ok(items)
}

fn tuple(values: Vec<Value>) -> Value {
    Tuple::from(values).into()
}

fn product(lists: &[Vec<Value>]) -> Result<Vec<Value>, Error> {
    let mut rows: Vec<Vec<Value>> = vec![Vec::new()];
    for list in lists {
        work_on(rows.len().saturating_mul(list.len()).saturating_mul(lists.len()))?;
        let longer = |row: &Vec<Value>| {
            let row = row.clone();
            list.iter()
                .map(move |value| row.iter().chain([value]).cloned().collect::<Vec<Value>>())
                .collect::<Vec<_>>()
        };
        rows = rows.iter().flat_map(longer).collect();
    }
    Ok(rows.into_iter().map(tuple).collect())
}

/// All choices of so many values, each in the order in which Python gives them.
fn choices(values: &[Value], length: usize, method: &str) -> Result<Vec<Value>, Error> {
    let mut found = Vec::new();
    let mut chosen = Vec::new();
    choose(values, length, method, &mut chosen, &mut found)?;
    Ok(found)
}

fn choose(
    values: &[Value],
    length: usize,
    method: &str,
    chosen: &mut Vec<usize>,
    found: &mut Vec<Value>,
) -> Result<(), Error> {
    if chosen.len() == length {
        work_on(length + 1)?;
        found.push(tuple(chosen.iter().map(|at| values[*at].clone()).collect()));
        return Ok(());
    }
    let first = match (method, chosen.last()) {
        ("combinations", Some(last)) => last + 1,
        ("combinations_with_replacement", Some(last)) => *last,
        _ => 0,
    };
    for at in first..values.len() {
        if method == "permutations" && chosen.contains(&at) {
            continue;
        }
        work_on(1)?;
        chosen.push(at);
        choose(values, length, method, chosen, found)?;
        chosen.pop();
    }
    Ok(())
}

fn sliced(given: &mut GivenArguments<'_>) -> Result<Vec<Value>, Error> {
    let values = items(&given.needed("iterable")?)?;
    let bounds: Vec<Option<i64>> = given.rest().iter().map(Value::as_i64).collect();
    let (start, end, step) = match bounds[..] {
        [end] => (None, end, None),
        [start, end] => (start, end, None),
        [start, end, step] => (start, end, step),
        _ => {
            return Err(invalid(
                "islice() takes a list and where to end, or where to begin and where to end",
            ));
        }
    };
    let at = |bound: Option<i64>, default| bound.map_or(default, |bound| usize::try_from(bound).unwrap_or(0));
    let (start, end) = (at(start, 0), at(end, values.len()).min(values.len()));
    let step = at(step, 1).max(1);
    Ok(values.into_iter().take(end).skip(start).step_by(step).collect())
}

fn accumulated(state: &mut State<'_, '_>, given: &mut GivenArguments<'_>) -> Result<Vec<Value>, Error> {
    let values = items(&given.needed("iterable")?)?;
    let function = given.next("func")?.filter(|function| !function.is_none());
    let mut total = given.next("initial")?.filter(|initial| !initial.is_none());
    let mut totals: Vec<Value> = total.iter().cloned().collect();
    for value in values {
        let next = match (total, &function) {
            (None, _) => value,
            (Some(total), Some(function)) => function.call(state, &[total, value])?,
            (Some(total), None) => super::arithmetic::sum(state, &total, &value)?,
        };
        totals.push(next.clone());
        total = Some(next);
    }
    Ok(totals)
}
