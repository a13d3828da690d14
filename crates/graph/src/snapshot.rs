//! Compiling a snapshot: what its config means over the columns of its SELECT, and the columns that its table then has.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::datatypes::{DataType, Schema, SchemaRef};

use super::config::{CheckColumns, SnapshotStrategy};
use super::named::{self, at};
use super::node::Node;
use mep_core::fingerprint::Fingerprint;
use mep_lang::jinja::Rendered;
use mep_lang::project::Problem;
use mep_sql::snapshot::{Change, SnapshotQuery, StoredVersions, timestamp};
use mep_sql::{
    Alignment, PlannedQuery, Scope, SqlError, alignment, is_volatile, sql_type, stored_schema_of_query,
};

/// A snapshot, compiled.
#[derive(Clone, Debug)]
pub struct CompiledSnapshot {
    /// The SQL as rendered; ephemeral models are names in it.
    pub rendered: Rendered,
    /// What it is of; its source stands alone.
    pub query: SnapshotQuery,
    /// The columns that its table has once it is taken: those of the SELECT, those that it had, and those that are added.
    pub schema: SchemaRef,
    /// The tables that it reads, through views.
    pub alignment: Alignment,
    /// Of its SQL and its config.
    pub fingerprint: Fingerprint,
    /// Whether the same inputs can give other rows on another run.
    pub is_volatile: bool,
}

/// Compiles a snapshot. `source` is its SQL that stands alone, `stored` what its table has now.
///
/// # Errors
/// Where config names columns that are not there or cannot be what they are named for, or the table cannot go on.
pub(super) fn compile(
    scope: &Scope,
    node: &Node,
    rendered: Rendered,
    source: String,
    plan: &PlannedQuery,
    stored: Option<&SchemaRef>,
) -> Result<CompiledSnapshot, Problem> {
    let whole = rendered.map.place(0..rendered.sql.trim_end().len());
    let failed = |error: SqlError| {
        Problem::new(format!("the SQL cannot be optimized: {}", error.failure().message)).at(&whole)
    };
    let given = plan.schema().as_arrow();
    // Ephemeral models are names in the SQL that is planned here, and CTEs in the one that runs.
    let planned = query(node, given, rendered.sql.clone())?;
    check_columns(scope, node, &planned, given)?;
    let first = planned.first(0);
    let first = scope.plan(&first).and_then(|plan| {
        scope.check_executable(&plan, &first)?;
        Ok(plan)
    });
    let first = first.map_err(|problem| Problem::new(problem.message).at(&whole))?;
    let schema = stored_schema_of_query(first.schema().as_arrow(), &[])
        .map_err(|unstorable| Problem::new(unstorable.to_string()).at(&whole).help(unstorable.help()))?;
    let schema = match stored {
        Some(stored) => columns_after(node, &planned, &schema, stored)?,
        None => schema,
    };
    let meaning = SnapshotQuery { source: String::new(), ..planned.clone() };
    let columns: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
    let meaning = meaning.changes(StoredVersions { table: "stored", columns: &columns }, 0);
    Ok(CompiledSnapshot {
        rendered,
        query: SnapshotQuery { source, ..planned },
        schema,
        alignment: alignment::derive(scope, plan, &[]).map_err(failed)?,
        fingerprint: Fingerprint::of([meaning.as_str()]),
        is_volatile: is_volatile(plan),
    })
}

/// What the config means.
fn query(node: &Node, given: &Schema, source: String) -> Result<SnapshotQuery, Problem> {
    let config = node.config.snapshot();
    let columns: Vec<String> = given.fields().iter().map(|field| field.name().clone()).collect();
    let change = match (config.strategy, &config.updated_at) {
        (Some(SnapshotStrategy::Timestamp), Some(updated_at)) => {
            Change::Later { updated_at: updated_at.clone() }
        }
        (Some(SnapshotStrategy::Check), updated_at) => {
            let compared = match &config.check_cols {
                CheckColumns::All => columns.clone(),
                CheckColumns::These(compared) => compared.clone(),
            };
            Change::Differs { columns: compared, updated_at: updated_at.clone() }
        }
        (Some(SnapshotStrategy::Timestamp) | None, _) => {
            return Err(at(Problem::new("the snapshot has no strategy"), node, "strategy"));
        }
    };
    Ok(SnapshotQuery {
        source,
        columns,
        key: config.unique_key.clone(),
        change,
        hard_deletes: config.hard_deletes,
        valid_to_current: config.valid_to_current.clone(),
        names: config.names.clone(),
    })
}

fn check_columns(scope: &Scope, node: &Node, query: &SnapshotQuery, given: &Schema) -> Result<(), Problem> {
    let columns = &query.columns;
    let mut seen = HashSet::new();
    if let Some(doubled) = columns.iter().find(|name| !seen.insert(*name)) {
        let problem = Problem::new(format!("two columns are named `{doubled}`"));
        return Err(at(problem.help("give one of them another name with `as`"), node, ""));
    }
    if let Some(added) = query.added().into_iter().find(|added| seen.contains(&(*added).to_owned())) {
        let problem =
            Problem::new(format!("a snapshot adds the column `{added}`, which the SELECT gives too"));
        let help = "give it another name with `as`, or the added one by `snapshot_meta_column_names`";
        return Err(at(problem.help(help), node, "snapshot_meta_column_names"));
    }
    named::check(node, "unique_key", &query.key, columns)?;
    let updated_at = match &query.change {
        Change::Later { updated_at } => Some(updated_at),
        Change::Differs { columns: compared, updated_at } => {
            named::check(node, "check_cols", compared, columns)?;
            updated_at.as_ref()
        }
    };
    if let Some(updated_at) = updated_at {
        named::check(node, "updated_at", std::slice::from_ref(updated_at), columns)?;
        check_time(node, updated_at, given)?;
    }
    match &query.valid_to_current {
        Some(end) => check_end(scope, node, end),
        None => Ok(()),
    }
}

fn check_time(node: &Node, updated_at: &str, given: &Schema) -> Result<(), Problem> {
    let found = given.field_with_name(updated_at).map(|field| field.data_type().clone());
    match found {
        Ok(DataType::Timestamp(..) | DataType::Date32 | DataType::Date64) | Err(_) => Ok(()),
        Ok(found) => {
            let message = format!(
                "`updated_at` names `{updated_at}`: expected a timestamp or a date, found {}",
                sql_type(&found)
            );
            let help = format!("cast it in the SELECT: cast({updated_at} as timestamp) as {updated_at}");
            Err(at(Problem::new(message).help(help), node, "updated_at"))
        }
    }
}

fn check_end(scope: &Scope, node: &Node, end: &str) -> Result<(), Problem> {
    let planned = scope.plan(&format!("select {} as valid_to", timestamp(end)));
    planned.map(|_| ()).map_err(|problem| {
        let message = format!("`dbt_valid_to_current`: {}", problem.message);
        let help = "write SQL of a time that reads no column, such as date '9999-12-31'";
        at(Problem::new(message).help(help), node, "dbt_valid_to_current")
    })
}

/// The columns of the table after this look at the source. What was a column stays one.
fn columns_after(
    node: &Node,
    query: &SnapshotQuery,
    new: &SchemaRef,
    stored: &SchemaRef,
) -> Result<SchemaRef, Problem> {
    let names = &query.names;
    for added in [&names.scd_id, &names.updated_at, &names.valid_from, &names.valid_to] {
        if stored.index_of(added).is_err() {
            let problem = Problem::new(format!(
                "there is a table `{}` already, which lacks `{added}`: it is not a snapshot with these columns",
                super::tested_relation(node)
            ));
            let help = "give the snapshot another `alias`, or the names that it was taken with";
            return Err(at(problem.help(help), node, "snapshot_meta_column_names"));
        }
    }
    for field in new.fields() {
        if let Ok(before) = stored.field_with_name(field.name())
            && before.data_type() != field.data_type()
        {
            let message = format!(
                "column `{}` is {} in the stored snapshot and {} now: what was stored cannot be read as that",
                field.name(),
                sql_type(before.data_type()),
                sql_type(field.data_type())
            );
            return Err(at(Problem::new(message).help("cast it in the SELECT"), node, ""));
        }
    }
    let is_gone = |name: &str| new.index_of(name).is_err();
    let (given, added): (Vec<_>, Vec<_>) =
        new.fields().iter().cloned().partition(|field| query.columns.contains(field.name()));
    let gone = stored.fields().iter().filter(|field| is_gone(field.name())).cloned();
    Ok(Arc::new(Schema::new(given.into_iter().chain(gone).chain(added).collect::<Vec<_>>())))
}
