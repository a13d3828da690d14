//! What `range()` and a mapping's `keys()`, `values()` and `items()` give: each prints as Python prints it.

use std::fmt;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr};
use minijinja::{Error, Value};

use super::given::GivenArguments;
use super::problem::invalid;
use super::python_text::write_items;
use super::visits::any_left;

/// A part of a mapping as it was when it was asked for.
#[derive(Debug)]
pub(super) struct DictView {
    name: &'static str,
    values: Vec<Value>,
}

impl DictView {
    pub(super) fn value(name: &'static str, values: Vec<Value>) -> Value {
        Value::from_object(Self { name, values })
    }
}

impl Object for DictView {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if any_left() { Enumerator::Values(self.values.clone()) } else { Enumerator::Empty }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.values.len())
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut written = String::new();
        write_items(&mut written, self.values.iter().cloned());
        write!(f, "{}([{written}])", self.name)
    }
}

/// A `range`.
#[derive(Debug)]
pub(super) struct Range {
    start: i64,
    stop: i64,
    step: i64,
    length: usize,
}

/// No range is longer: a slip of the pen should not fill the memory.
const LONGEST: usize = 100_000;

impl Range {
    /// `range(stop)`, `range(start, stop)` or `range(start, stop, step)`.
    pub(super) fn of_arguments(arguments: &[Value]) -> Result<Value, Error> {
        let mut given = GivenArguments::of("range", arguments)?;
        let whole = |value: Option<Value>| match value {
            Some(value) => match value.as_i64() {
                Some(number) if value.is_integer() => Ok(Some(number)),
                _ => Err(invalid(format!("range() takes whole numbers, found {value:?}"))),
            },
            None => Ok(None),
        };
        let first = whole(Some(given.needed("stop")?))?.unwrap_or_default();
        let (second, step) = (whole(given.next("stop")?)?, whole(given.next("step")?)?);
        given.end()?;
        let (start, stop) = second.map_or((0, first), |stop| (first, stop));
        let step = step.unwrap_or(1);
        let distance = if step < 0 { start.saturating_sub(stop) } else { stop.saturating_sub(start) };
        let size = step.unsigned_abs();
        if size == 0 {
            return Err(invalid("range() takes no step of 0"));
        }
        let length = u64::try_from(distance).unwrap_or(0).div_ceil(size);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > LONGEST {
            return Err(invalid(format!("expected a range of at most {LONGEST} numbers, found {length}")));
        }
        Ok(Value::from_object(Self { start, stop, step, length }))
    }

    fn at(&self, index: usize) -> Option<Value> {
        let index = i64::try_from(index).ok()?;
        Some(Value::from(self.start + index * self.step))
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.at(key.as_usize().filter(|index| *index < self.length)?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.length)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            1 => write!(f, "range({}, {})", self.start, self.stop),
            step => write!(f, "range({}, {}, {step})", self.start, self.stop),
        }
    }
}
