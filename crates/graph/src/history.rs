//! Compiling what is particular to a history: which columns of its events are what, and the SQL of their ranges.

use indexmap::IndexMap;

use super::config::CheckColumns;
use super::named::{self, at};
use super::node::Node;
use mep_lang::jinja::Rendered;
use mep_lang::project::Problem;
use mep_sql::history::{Events, IS_CURRENT, VALID_FROM, VALID_TO, ranges};
use mep_sql::{PlannedQuery, Scope, sql_type};

/// The SQL that gives the ranges of the events that a model's SQL gives.
///
/// # Errors
/// Where config names columns that are not there or cannot be what they are named for.
pub(super) fn over_events(
    scope: &Scope,
    node: &Node,
    rendered: Rendered,
    plan: &PlannedQuery,
) -> Result<(Rendered, PlannedQuery), Problem> {
    let config = &node.config.model().history;
    let columns: Vec<String> = plan.schema().fields().iter().map(|field| field.name().clone()).collect();
    let time = config.valid_from.as_deref().unwrap_or_default();
    check_named(node, &columns, time)?;
    let versioned = match &node.config.model().check_cols {
        CheckColumns::These(columns) => columns.clone(),
        CheckColumns::All => {
            let is_versioned = |column: &&String| {
                let named = [node.config.unique_key(), &config.sequence_by];
                *column != time && !named.iter().any(|columns| columns.contains(column))
            };
            columns.iter().filter(is_versioned).cloned().collect()
        }
    };
    if let Some(condition) = &config.deleted_when {
        check_condition(scope, node, &rendered.sql, condition)?;
    }
    let events = Events {
        columns: &columns,
        key: node.config.unique_key(),
        time,
        sequence: &config.sequence_by,
        versioned: &versioned,
        deleted_when: config.deleted_when.as_deref(),
    };
    let ranges = ranges(&rendered.sql, &events);
    let planned = scope.plan(&ranges.sql).and_then(|plan| {
        scope.check_executable(&plan, &ranges.sql)?;
        Ok(plan)
    });
    let map = rendered.map.within(ranges.events.clone());
    let plan = planned.map_err(|problem| {
        // What lies outside the SQL of the events was written here, and is about all of it.
        let events = &ranges.events;
        let own = problem.range.filter(|range| events.start <= range.start && range.end <= events.end);
        let placed = Problem::new(format!("its history cannot be built: {}", problem.message))
            .at(&map.place(own.unwrap_or(events.start..events.start)));
        match problem.help {
            Some(help) => placed.help(help),
            None => placed,
        }
    })?;
    Ok((
        Rendered { sql: ranges.sql, map, refs: Vec::new(), sources: Vec::new(), config: IndexMap::new() },
        plan,
    ))
}

/// Columns that config names must be there, and each in one role; the columns that mep adds must not.
fn check_named(node: &Node, columns: &[String], time: &str) -> Result<(), Problem> {
    let config = node.config.model();
    let time = time.to_owned();
    let checked: &[String] = match &config.check_cols {
        CheckColumns::All => &[],
        CheckColumns::These(columns) => columns,
    };
    let named: [(&str, &[String]); 4] = [
        ("unique_key", &config.unique_key),
        ("valid_from", std::slice::from_ref(&time)),
        ("sequence_by", &config.history.sequence_by),
        ("check_cols", checked),
    ];
    for (key, names) in named {
        named::check(node, key, names, columns)?;
    }
    for (key, names) in [("unique_key", &config.unique_key[..]), ("check_cols", checked)] {
        if names.contains(&time) {
            let problem = Problem::new(format!("`{key}` names `{time}`, which is the time of the event"));
            return Err(at(problem.help("each event would be a version by itself"), node, key));
        }
    }
    for added in [VALID_FROM, VALID_TO, IS_CURRENT] {
        if added != time && columns.iter().any(|column| column == added) {
            let problem =
                Problem::new(format!("a history adds the column `{added}`, which the SELECT gives too"));
            return Err(at(problem.help("give it another name with `as`"), node, "materialized"));
        }
    }
    Ok(())
}

/// What says that an event is a deletion must be SQL over the columns of the events, and true or false.
fn check_condition(scope: &Scope, node: &Node, events: &str, condition: &str) -> Result<(), Problem> {
    let sql = format!("select (\n{condition}\n) as is_deleted from (\n{events}\n) as events");
    let problem = match scope.plan(&sql) {
        Err(problem) => {
            let placed = Problem::new(format!("`deleted_when`: {}", problem.message));
            match problem.help {
                Some(help) => placed.help(help),
                None => placed,
            }
        }
        Ok(plan) => {
            let found = plan.schema().field(0).data_type().clone();
            if found == arrow::datatypes::DataType::Boolean {
                return Ok(());
            }
            Problem::new(format!(
                "`deleted_when`: expected a condition, found SQL of type {}",
                sql_type(&found)
            ))
            .help("write one that is true for an event that deletes, such as op = 'delete'")
        }
    };
    Err(at(problem, node, "deleted_when"))
}
