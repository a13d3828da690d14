//! dbt's own increments: a model that asks `is_incremental()` says itself which rows are new.
//!
//! The new rows are written first. Then `append` adds their files, `insert_overwrite` replaces the partitions that they
//! fall into, and `merge` and `delete+insert` write the table anew without the stored rows whose key they bear. Keys
//! are compared so that NULL equals NULL.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};

use super::build::{BuildError, Built, TableBuild, Written};
use crate::engine::PublishedTable;
use crate::graph::{IncrementalStrategy, OnSchemaChange};
use crate::relation::Relation;
use crate::warehouse::{Inputs, Ledger, Partition, PartitionKey, TableVersion, Version, WrittenFiles};

impl TableBuild<'_> {
    /// Adds what the model's SELECT gives to the stored table.
    ///
    /// # Errors
    /// Where the query fails, or a key is doubled in a merge; the old table is then still there.
    pub async fn increment(
        &self,
        stored: &TableVersion,
        strategy: IncrementalStrategy,
        unique_key: &[String],
    ) -> Result<Built, BuildError> {
        let new = self.engine.write(self.plan()?, &self.output(".new")).await?.files;
        // The version of such a table is not derived of its inputs: what it holds depends on its own past.
        let ledger =
            self.ledger(Inputs::default(), Version::of([self.run.as_str(), &self.relation.to_string()]));
        let new = partitions(new, &ledger);
        let written = Written::of(&new);
        if written.rows == 0
            && (strategy != IncrementalStrategy::InsertOverwrite || !self.partition_columns.is_empty())
        {
            return Ok(Built { table: stored.clone(), written });
        }
        let all = match strategy {
            IncrementalStrategy::Append => appended(stored, new),
            IncrementalStrategy::InsertOverwrite => overwritten(stored, new),
            IncrementalStrategy::Merge | IncrementalStrategy::DeleteInsert => {
                let kept = self.without_keys_of(&new, strategy, unique_key).await?;
                joined(partitions(kept, &ledger), new)
            }
        };
        let all = if self.warehouse.has_one_folder_a_partition() { self.gathered(all).await? } else { all };
        self.publish(all, written)
    }

    /// The partitions, those whose files lie in several folders written anew into one.
    pub(super) async fn gathered(
        &self,
        mut all: BTreeMap<PartitionKey, Partition>,
    ) -> Result<BTreeMap<PartitionKey, Partition>, BuildError> {
        let folder = |path: &str| path.rsplit_once('/').map(|(folder, _)| folder.to_owned());
        let is_scattered = |partition: &Partition| {
            partition.files.windows(2).any(|pair| folder(&pair[0].path) != folder(&pair[1].path))
        };
        let scattered = all.iter().filter(|(_, partition)| is_scattered(partition));
        let scattered: BTreeMap<PartitionKey, Partition> =
            scattered.map(|(key, partition)| (key.clone(), partition.clone())).collect();
        if scattered.is_empty() {
            return Ok(all);
        }
        let name = Relation { schema: None, name: format!("__mep_scattered_{}", self.relation.name) };
        let table =
            PublishedTable::new(self.warehouse.table_folder(self.relation), &self.table(scattered.clone()));
        self.engine.scope().register(&name, Arc::new(table))?;
        let plan = self.engine.scope().plan(&format!("select * from {name}"));
        let plan = plan.map_err(|problem| BuildError::Plan(problem.message))?;
        let mut written = self.engine.write(plan, &self.output(".gathered")).await?.files;
        for (key, partition) in scattered {
            let files = written.remove(&key).unwrap_or_default();
            all.insert(key, Partition { files, ledger: partition.ledger });
        }
        Ok(all)
    }

    /// The stored rows whose key no new row bears, written anew.
    async fn without_keys_of(
        &self,
        new: &BTreeMap<PartitionKey, Partition>,
        strategy: IncrementalStrategy,
        unique_key: &[String],
    ) -> Result<WrittenFiles, BuildError> {
        let name = Relation { schema: None, name: format!("__mep_new_{}", self.relation.name) };
        let folder = self.warehouse.table_folder(self.relation);
        let table = PublishedTable::new(folder, &self.table(new.clone()));
        let scope = self.engine.scope();
        scope.register(&name, Arc::new(table))?;
        let quoted = |column: &String| format!("\"{}\"", column.replace('"', "\"\""));
        let columns: Vec<String> = unique_key.iter().map(quoted).collect();
        if strategy == IncrementalStrategy::Merge {
            let key = columns.join(", ");
            let doubled = format!(
                "select coalesce(sum(n), 0) as n from (select count(*) as n from {name} group by {key}) where n > 1"
            );
            let plan = scope.plan(&doubled).map_err(|problem| BuildError::Plan(problem.message))?;
            let batches = self.engine.collect(plan).await?;
            let rows: i64 = batches
                .iter()
                .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().iter().flatten())
                .sum();
            if rows > 0 {
                let columns = unique_key.join(", ");
                return Err(BuildError::DoubledKey { columns, rows: rows.unsigned_abs() });
            }
        }
        let same: Vec<String> = columns
            .iter()
            // In brackets: all that follows DISTINCT FROM would be taken for its operand.
            .map(|column| format!("(stored.{column} is not distinct from new.{column})"))
            .collect();
        let kept = format!(
            "select stored.* from {} as stored left anti join {name} as new on {}",
            self.relation,
            same.join(" and ")
        );
        let plan = scope.plan(&kept).map_err(|problem| BuildError::Plan(problem.message))?;
        Ok(self.engine.write(plan, &self.output(".kept")).await?.files)
    }
}

/// The columns that the table has after an increment, by what the user wants done when they are not the stored ones.
///
/// # Errors
/// Where they may not change, or a column would change its type so that the stored rows could not be read.
pub fn columns_after(
    on_change: OnSchemaChange,
    stored: &SchemaRef,
    model: &SchemaRef,
    partition_columns: &[String],
) -> Result<SchemaRef, BuildError> {
    let names = |fields: Vec<&str>| fields.join(", ");
    let missing_in = |a: &SchemaRef, b: &SchemaRef| -> Vec<String> {
        let lacks = |field: &&Arc<Field>| b.index_of(field.name()).is_err();
        a.fields().iter().filter(lacks).map(|field| field.name().clone()).collect()
    };
    for field in model.fields() {
        if let Ok(before) = stored.field_with_name(field.name())
            && before.data_type() != field.data_type()
        {
            return Err(BuildError::SchemaChange(format!(
                "column `{}` is {} in the stored table and {} in the model: cast it, or run with --full-refresh",
                field.name(),
                before.data_type(),
                field.data_type()
            )));
        }
    }
    let (added, removed) = (missing_in(model, stored), missing_in(stored, model));
    if added.is_empty() && removed.is_empty() {
        return Ok(stored.clone());
    }
    match on_change {
        OnSchemaChange::Ignore if removed.is_empty() => Ok(stored.clone()),
        OnSchemaChange::Ignore | OnSchemaChange::Fail => {
            let mut changes = Vec::new();
            if !added.is_empty() {
                changes.push(format!("adds {}", names(added.iter().map(String::as_str).collect())));
            }
            if !removed.is_empty() {
                changes.push(format!("lacks {}", names(removed.iter().map(String::as_str).collect())));
            }
            Err(BuildError::SchemaChange(format!(
                "the model's columns are not those of the stored table: it {}. Set on_schema_change to append_new_columns or sync_all_columns, or run with --full-refresh",
                changes.join(" and ")
            )))
        }
        OnSchemaChange::AppendNewColumns if removed.is_empty() => Ok(model.clone()),
        OnSchemaChange::AppendNewColumns => {
            let is_partition = |field: &&Arc<Field>| partition_columns.contains(field.name());
            let kept = stored.fields().iter().filter(|field| !is_partition(field));
            let new = model.fields().iter().filter(|field| added.contains(field.name()));
            let last = stored.fields().iter().filter(is_partition);
            Ok(Arc::new(Schema::new(kept.chain(new).chain(last).cloned().collect::<Vec<_>>())))
        }
        OnSchemaChange::SyncAllColumns | OnSchemaChange::Backfill => Ok(model.clone()),
    }
}

pub(super) fn partitions(written: WrittenFiles, ledger: &Ledger) -> BTreeMap<PartitionKey, Partition> {
    written.into_iter().map(|(key, files)| (key, Partition { files, ledger: ledger.clone() })).collect()
}

fn stored_partitions(stored: &TableVersion) -> BTreeMap<PartitionKey, Partition> {
    stored.partitions().map(|(key, partition)| (key.clone(), partition.clone())).collect()
}

fn appended(
    stored: &TableVersion,
    new: BTreeMap<PartitionKey, Partition>,
) -> BTreeMap<PartitionKey, Partition> {
    joined(stored_partitions(stored), new)
}

fn overwritten(
    stored: &TableVersion,
    new: BTreeMap<PartitionKey, Partition>,
) -> BTreeMap<PartitionKey, Partition> {
    let mut all = stored_partitions(stored);
    all.extend(new);
    all
}

/// The files of both, partition by partition, under the new rows' ledger.
pub(super) fn joined(
    mut all: BTreeMap<PartitionKey, Partition>,
    new: BTreeMap<PartitionKey, Partition>,
) -> BTreeMap<PartitionKey, Partition> {
    for (key, mut partition) in new {
        if let Some(before) = all.remove(&key) {
            partition.files.splice(0..0, before.files);
        }
        all.insert(key, partition);
    }
    all
}
