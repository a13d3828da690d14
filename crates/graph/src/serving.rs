//! Compiling what is particular to a model that is served by key beside the warehouse.

use arrow::datatypes::SchemaRef;

use super::config::{Materialization, ModelStore, NodeConfig};
use super::node::Node;
use mep_contract::sink::SinkTable;
use mep_lang::project::{Place, Problem, Problems, nearest};

/// What knows whether the target can serve a table.
pub trait ServingPlace {
    /// Whether it can.
    ///
    /// # Errors
    /// Why not: the target has no place for it, or that has no such types, keys or names.
    fn check(&self, table: &SinkTable) -> Result<(), Problem>;
}

/// Takes every table.
impl ServingPlace for () {
    fn check(&self, _: &SinkTable) -> Result<(), Problem> {
        Ok(())
    }
}

/// Says which models cannot be served at all.
pub(super) fn check_config(config: &NodeConfig, problems: &mut Problems) {
    if config.model().store == ModelStore::Warehouse || config.materialized().is_table() {
        return;
    }
    let problem = match config.materialized() {
        Materialization::Streaming => {
            Problem::new("rows of a streaming model go where the target's `streaming` says, and nowhere else")
                .help("take `store` away, or make the model a table")
        }
        other => Problem::new(format!(
            "`store: cassandra` serves the rows of a table, and a model that is materialized='{}' has none",
            other.as_str()
        ))
        .help("make it a table, incremental or history, or take `store` away"),
    };
    problems.push(at(problem, config.places.get("store")));
}

/// The table by which a model is served; `None` where it is not.
///
/// # Errors
/// Where its key names no columns, or the target cannot serve it.
pub(super) fn compile(
    node: &Node,
    schema: &SchemaRef,
    place: &dyn ServingPlace,
) -> Result<Option<SinkTable>, Problem> {
    if node.config.model().store == ModelStore::Warehouse || !node.config.materialized().is_table() {
        return Ok(None);
    }
    let places = &node.config.places;
    let of = |keys: &[&str]| keys.iter().find_map(|key| places.get(*key)).or(node.place.as_ref());
    let table = sink_table(node, schema);
    check_key(&table).map_err(|(problem, key)| at(problem, of(&[key, "store"])))?;
    place.check(&table).map_err(|problem| at(problem, of(&["store"])))?;
    Ok(Some(table))
}

/// A model's table outside the warehouse.
pub(super) fn sink_table(node: &Node, schema: &SchemaRef) -> SinkTable {
    let config = &node.config.model().streaming;
    let described = node.columns.iter().filter_map(|column| {
        Some((column.name.value.clone(), column.description.clone().filter(|text| !text.is_empty())?))
    });
    SinkTable {
        relation: super::tested_relation(node),
        schema: schema.clone(),
        partition_key: config.partition_key.clone(),
        clustering: config.clustering.clone(),
        ttl: config.ttl,
        description: node.description.clone().unwrap_or_default(),
        column_descriptions: described.collect(),
    }
}

fn at(problem: Problem, place: Option<&Place>) -> Problem {
    match place {
        Some(place) => problem.at(place),
        None => problem,
    }
}

/// What is wrong with the key of a table, and with which part of config.
fn check_key(table: &SinkTable) -> Result<(), (Problem, &'static str)> {
    if table.partition_key.is_empty() {
        let problem = Problem::new(
            "a model with `store: cassandra` needs `partition_key`: the columns by which its rows are asked for",
        );
        let help = "such as partition_key=['grain', 'period_start'], clustering='rank'; both together name one row each";
        return Err((problem.help(help), "store"));
    }
    let key: Vec<&str> = table.key().collect();
    for (number, name) in key.iter().enumerate() {
        let part = if number < table.partition_key.len() { "partition_key" } else { "clustering" };
        if key[..number].contains(name) {
            let problem = Problem::new(format!("the key names `{name}` twice"));
            return Err((problem.help("take one of them away"), part));
        }
        if table.schema.column_with_name(name).is_some() {
            continue;
        }
        let names = table.schema.fields().iter().map(|field| field.name().as_str());
        let problem = Problem::new(format!("the key names `{name}`, which is not a column of the model"));
        let help = match nearest(name, names.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the columns are {}", names.collect::<Vec<_>>().join(", ")),
        };
        return Err((problem.help(help), part));
    }
    Ok(())
}
