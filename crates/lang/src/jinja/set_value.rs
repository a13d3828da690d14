//! Sets, as Python has them: whoever holds one sees what another changes.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use indexmap::IndexSet;
use minijinja::value::{DynObject, Enumerator, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};
use parking_lot::{Mutex, MutexGuard};

use super::collections::hashable;
use super::given::GivenArguments;
use super::problem::{invalid, invalid_with_help};
use super::python_text::write_items;
use super::visits::{any_left, work_on};

/// A set; its values are in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct SetValue(Mutex<IndexSet<Value>>);

impl SetValue {
    /// The values of something that can be gone through, each once.
    pub(super) fn of(values: &Value) -> Result<Value, Error> {
        Ok(Value::from_object(Self(Mutex::new(distinct(values)?))))
    }

    fn with(values: IndexSet<Value>) -> Value {
        Value::from_object(Self(Mutex::new(values)))
    }

    fn values(&self) -> MutexGuard<'_, IndexSet<Value>> {
        self.0.lock()
    }

    /// What is in this one and not in another.
    pub(super) fn less(&self, other: &Self) -> Value {
        let (own, other) = (self.values().clone(), other.values().clone());
        Self::with(own.into_iter().filter(|value| !other.contains(value)).collect())
    }
}

fn distinct(values: &Value) -> Result<IndexSet<Value>, Error> {
    let mut found = IndexSet::new();
    for value in values.try_iter()? {
        hashable(&value)?;
        work_on(1)?;
        found.insert(value);
    }
    Ok(found)
}

impl Object for SetValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Iterable
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if any_left() {
            Enumerator::Values(self.values().iter().cloned().collect())
        } else {
            Enumerator::Empty
        }
    }

    fn enumerator_len(self: &Arc<Self>) -> Option<usize> {
        Some(self.values().len())
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?.values().clone();
        let own = self.values().clone();
        let holds_all = own.len() == other.len() && own.iter().all(|value| other.contains(value));
        holds_all.then_some(Ordering::Equal).or(Some(own.len().cmp(&other.len()).then(Ordering::Less)))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let mut given = GivenArguments::of(method, arguments)?;
        let own = self.values().clone();
        work_on(own.len())?;
        let none = Value::from(());
        let found = match method {
            "add" => {
                let value = given.needed("elem")?;
                hashable(&value)?;
                self.values().insert(value);
                none
            }
            "discard" | "remove" => {
                let value = given.needed("elem")?;
                let was_there = self.values().shift_remove(&value);
                if !was_there && method == "remove" {
                    return Err(invalid(format!("the set has no {value:?}")));
                }
                none
            }
            "pop" => {
                let first = self.values().shift_remove_index(0);
                first.ok_or_else(|| invalid("pop() of an empty set"))?
            }
            "clear" => {
                self.values().clear();
                none
            }
            "copy" => Self::with(own),
            "update" | "union" => {
                let mut all = own;
                for more in given.rest() {
                    all.extend(distinct(more)?);
                }
                if method == "update" {
                    *self.values() = all;
                    none
                } else {
                    Self::with(all)
                }
            }
            "intersection" | "difference" => {
                let mut left = own;
                for other in given.rest() {
                    let other = distinct(other)?;
                    left.retain(|value| other.contains(value) == (method == "intersection"));
                }
                Self::with(left)
            }
            "symmetric_difference" => {
                let other = distinct(&given.needed("other")?)?;
                Self::with(own.symmetric_difference(&other).cloned().collect())
            }
            "issubset" => own.is_subset(&distinct(&given.needed("other")?)?).into(),
            "issuperset" => own.is_superset(&distinct(&given.needed("other")?)?).into(),
            "isdisjoint" => own.is_disjoint(&distinct(&given.needed("other")?)?).into(),
            "intersection_update" | "difference_update" | "symmetric_difference_update" => {
                return Err(invalid_with_help(
                    format!("a set has no `{method}()` here"),
                    "take the new set that `intersection()`, `difference()` or `symmetric_difference()` gives",
                ));
            }
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        given.end()?;
        Ok(found)
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let values = self.values().clone();
        if values.is_empty() {
            return f.write_str("set()");
        }
        let mut written = String::new();
        write_items(&mut written, values.into_iter());
        write!(f, "{{{written}}}")
    }
}
