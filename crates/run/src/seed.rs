//! Loading a seed, or files of a source that are loaded as they are: the rows become the whole of a table.

use std::collections::BTreeMap;

use super::build::{BuildCounts, BuildError, Built};
use super::session::{Loads, Session};
use mep_contract::warehouse::{
    BuildFolder, ColumnVersions, Content, Inputs, Ledger, Partition, PartitionKey, Spread, TableVersion,
    WriteTarget,
};
use mep_core::relation::Relation;
use mep_core::time_range::TimeRanges;
use mep_graph::{Node, SeedRows, SeedTable, tested_relation};
use mep_plan::seed_version;
use mep_sql::{OutsideRows, sql_type};

/// Writes a seed's rows.
///
/// # Errors
/// Where the rows cannot be written; the old table is then still there.
pub async fn load(session: &Session<'_>, node: &Node, seed: &SeedTable) -> Result<Built, BuildError> {
    let relation = tested_relation(node);
    check_types(session, node, seed, &relation)?;
    let scope = session.engine.scope();
    let is_empty = session.options.loads == Loads::NoRows;
    let rows = match &seed.rows {
        SeedRows::Read(rows) if is_empty => scope.rows(rows.slice(0, 0))?,
        SeedRows::Read(rows) => scope.rows(rows.clone())?,
        SeedRows::Outside(table) => {
            let (schema, table) = (table.schema(), table.clone());
            scope.outside_rows(OutsideRows::new(schema, move || {
                if is_empty {
                    return Box::new(std::iter::empty());
                }
                let rows = table.rows().unwrap_or_else(|error| Box::new(std::iter::once(Err(error))));
                Box::new(rows.map(|batch| batch.map_err(Into::into)))
            }))?
        }
    };
    let target = WriteTarget {
        table_folder: session.warehouse.table_folder(&relation),
        folder: BuildFolder::of(session.run),
        schema: seed.schema.clone(),
        partition_columns: Vec::new(),
        spread: Spread::Threads,
    };
    let mut files = session.engine.write(rows, &target).await?;
    let ledger = Ledger {
        run: session.run.clone(),
        fingerprint: seed.fingerprint.clone(),
        inputs: Inputs::default(),
        version: seed_version(&seed.fingerprint),
        done: TimeRanges::default(),
        columns: ColumnVersions::default(),
    };
    let files = files.remove(&PartitionKey::whole()).unwrap_or_default();
    let partition = Partition { files: files.into(), ledger: ledger.into() };
    let partitions = BTreeMap::from([(PartitionKey::whole(), partition)]);
    let written = BuildCounts::of(&partitions);
    let content = Content::Table { partition_columns: Vec::new(), partitions, batches: BTreeMap::new() };
    let table = TableVersion::new(seed.schema.clone(), content, session.run.clone());
    Ok(Built { table, written })
}

/// A column that nobody declares has the type that all its values are of. What they are of by now must not change silently what reads it.
fn check_types(
    session: &Session<'_>,
    node: &Node,
    seed: &SeedTable,
    relation: &Relation,
) -> Result<(), BuildError> {
    if session.options.full_refresh || !matches!(seed.rows, SeedRows::Outside(_)) {
        return Ok(());
    }
    let Some(before) = session.warehouse.read(relation)? else { return Ok(()) };
    let declared = |name: &str| {
        let mut columns = node.columns.iter();
        columns.any(|column| column.name.value == name && column.data_type.is_some())
    };
    for field in seed.schema.fields().iter().filter(|field| !declared(field.name())) {
        let Ok(stored) = before.schema.field_with_name(field.name()) else { continue };
        let (before, now) = (sql_type(stored.data_type()), sql_type(field.data_type()));
        if before != now {
            return Err(BuildError::InferredType { column: field.name().clone(), before, now });
        }
    }
    Ok(())
}
