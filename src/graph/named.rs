//! Columns that config names.

use super::node::Node;
use crate::project::{Problem, nearest};

/// The problem at a key of a node's config, or else at the node.
pub(super) fn at(problem: Problem, node: &Node, key: &str) -> Problem {
    match node.config.places.get(key).or(node.place.as_ref()) {
        Some(place) => problem.at(place),
        None => problem,
    }
}

/// Each of `names`, which config names at `key`, must be among the columns of the SELECT.
pub(super) fn check(node: &Node, key: &str, names: &[String], columns: &[String]) -> Result<(), Problem> {
    let Some(name) = names.iter().find(|name| !columns.contains(name)) else { return Ok(()) };
    let problem = Problem::new(format!("`{key}` names `{name}`, which is no column of the SELECT"));
    let problem = match nearest(name, columns.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the columns are {}", columns.join(", "))),
    };
    Err(at(problem, node, key))
}
