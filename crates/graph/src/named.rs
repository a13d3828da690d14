//! What config names: columns of the SELECT, and tables that it reads.

use std::collections::{BTreeSet, HashSet};

use arrow::datatypes::{DataType, Schema};

use super::attached_tests::tested_relation;
use super::dag::Graph;
use super::node::{Node, NodeKind};
use super::node_index::NodeIndex;
use mep_core::relation::Relation;
use mep_lang::project::{Problem, nearest};

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
    let problem = Problem::new(format!("`{key}` names `{name}`, which is not a column of the model"));
    let problem = match nearest(name, columns.iter().map(String::as_str)) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(format!("the columns are {}", columns.join(", "))),
    };
    Err(at(problem, node, key))
}

/// The columns that config names must be there, and no two may share a name.
pub(super) fn check_columns(
    node: &Node,
    columns: &[String],
    partition_columns: &[String],
) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    if let Some(doubled) = columns.iter().find(|name| !seen.insert(*name)) {
        let problem = Problem::new(format!("two columns are named `{doubled}`"));
        return Err(at(problem.help("give one of them another name with `as`"), node, ""));
    }
    check(node, "partition_by", partition_columns, columns)?;
    check(node, "unique_key", node.config.unique_key(), columns)?;
    if !partition_columns.is_empty() && partition_columns.len() == columns.len() {
        let problem = Problem::new("`partition_by` names every column, so that files would hold none");
        return Err(at(problem.help("partition by fewer columns"), node, "partition_by"));
    }
    Ok(())
}

/// A partition is named by the text of its value, which must give the value again, in every engine that reads the table.
pub(super) fn check_partition_types(
    node: &Node,
    schema: &Schema,
    partition_columns: &[String],
) -> Result<(), Problem> {
    for name in partition_columns {
        let Ok(field) = schema.field_with_name(name) else { continue };
        let names_partitions = matches!(
            field.data_type(),
            DataType::Boolean
                | DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::Float32
                | DataType::Float64
                | DataType::Decimal128(..)
                | DataType::Utf8View
                | DataType::Date32
                | DataType::Time32(_)
                | DataType::Time64(_)
                | DataType::Timestamp(..)
        );
        if !names_partitions {
            let found = mep_sql::sql_type(field.data_type());
            let message =
                format!("`partition_by` names `{name}`, which is {found}: its values cannot name partitions");
            let help = format!(
                "partition by a number, a text or a time made of it, such as cast({name} as varchar)"
            );
            return Err(at(Problem::new(message).help(help), node, "partition_by"));
        }
    }
    Ok(())
}

/// The stored tables of which the config says that their changes are to be ignored.
pub(super) fn ignored(graph: &Graph, index: NodeIndex) -> Result<BTreeSet<Relation>, Problem> {
    let node = graph.node(index);
    let mut ignored = BTreeSet::new();
    for name in &node.config.model().ignored_changes {
        let mut parents = graph.parents(index).iter().map(|parent| graph.node(*parent));
        let is_stored = |parent: &Node| {
            !matches!(parent.kind, NodeKind::Model { .. }) || parent.config.materialized().is_table()
        };
        let problem = match parents.find(|parent| *name == parent.shown_name()) {
            Some(parent) if is_stored(parent) => {
                ignored.insert(tested_relation(parent));
                continue;
            }
            Some(parent) => {
                let materialized = parent.config.materialized().as_str();
                let message = format!(
                    "`changes` names `{name}`, which is not a table: it is materialized as {materialized}"
                );
                Problem::new(message).help("name the tables that it reads, and read them here")
            }
            None => {
                let message = format!("`changes` names `{name}`, which the model does not read");
                Problem::new(message).help("give the name as in ref(), or source.table as in source()")
            }
        };
        return Err(at(problem, node, "changes"));
    }
    Ok(ignored)
}
