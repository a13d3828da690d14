//! Lists and mappings never lie in each other deeper than a bound, and none within itself: whatever walks them (printing,
//! comparing, JSON) is a recursion that ends.

use minijinja::value::{DynObject, ObjectRepr};
use minijinja::{Error, Value};

use super::collections::{Dict, List};
use super::problem::invalid_with_help;

/// How deep values may lie in each other.
const DEEPEST: usize = 120;
/// How many values one check may look at, where the engine's own collections hold them. Tests, which are not optimized, have
/// less.
const MOST_LOOKED_AT: usize = if cfg!(test) { 1 << 15 } else { 1_000_000 };

/// Makes known that a value lies in a collection at that depth.
///
/// # Errors
/// Where it would lie, or hold others, too deep.
pub(super) fn place(value: &Value, depth: usize) -> Result<(), Error> {
    placed(value, depth, &mut 0)
}

fn placed(value: &Value, depth: usize, looked_at: &mut usize) -> Result<(), Error> {
    let Some(object) = value.as_object() else { return Ok(()) };
    if depth > DEEPEST {
        return Err(invalid_with_help(
            format!("lists and mappings lie more than {DEEPEST} deep in each other"),
            "no list or mapping can be put into itself",
        ));
    }
    let inside = match (object.downcast_ref::<List>(), object.downcast_ref::<Dict>()) {
        // What lies as deep already has nothing new to say to what is in it.
        (Some(list), _) if !list.sinks_to(depth) => return Ok(()),
        (_, Some(dict)) if !dict.sinks_to(depth) => return Ok(()),
        (Some(list), _) => list.collections(),
        (_, Some(dict)) => dict.collections(),
        (None, None) => of_engine(object, looked_at)?,
    };
    inside.iter().try_for_each(|value| placed(value, depth + 1, looked_at))
}

fn is_namespace(object: &DynObject) -> bool {
    object.type_name().contains("Namespace")
}

/// The collections in one of the engine's own.
fn of_engine(object: &DynObject, looked_at: &mut usize) -> Result<Vec<Value>, Error> {
    if is_namespace(object) {
        return Err(invalid_with_help(
            "a namespace cannot be put into a list, a mapping or another namespace",
            "put in what it holds",
        ));
    }
    let values: Box<dyn Iterator<Item = Value>> = match object.repr() {
        ObjectRepr::Map => Box::new(object.try_iter_pairs().into_iter().flatten().map(|(_, value)| value)),
        ObjectRepr::Seq | ObjectRepr::Iterable => Box::new(object.try_iter().into_iter().flatten()),
        _ => return Ok(Vec::new()),
    };
    let mut inside = Vec::new();
    for value in values {
        *looked_at += 1;
        if *looked_at > MOST_LOOKED_AT {
            return Err(invalid_with_help(
                format!("more than {MOST_LOOKED_AT} values lie in each other"),
                "move the work into SQL",
            ));
        }
        if value.as_object().is_some() {
            inside.push(value);
        }
    }
    Ok(inside)
}

/// Whether a value as a whole, with all that lies in it counted as often as it does, is small enough to be written out.
pub(super) fn is_writable(value: &Value) -> bool {
    fn weigh(value: &Value, depth: usize, left: &mut usize) -> bool {
        if depth > DEEPEST || *left == 0 {
            return false;
        }
        *left -= 1;
        let Some(object) = value.as_object() else { return true };
        match object.repr() {
            ObjectRepr::Map => {
                let mut pairs = object.try_iter_pairs().into_iter().flatten();
                pairs.all(|(_, value)| weigh(&value, depth + 1, left))
            }
            ObjectRepr::Seq | ObjectRepr::Iterable => {
                object.try_iter().into_iter().flatten().all(|value| weigh(&value, depth + 1, left))
            }
            _ => true,
        }
    }
    weigh(value, 0, &mut { MOST_LOOKED_AT })
}
