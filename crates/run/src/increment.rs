//! dbt's own increments: a model that asks `is_incremental()` says itself which rows are new.
//!
//! The new rows are written first. Then `append` adds their files, `insert_overwrite` replaces the partitions that they
//! fall into, and `merge` and `delete+insert` write the table anew without the stored rows whose key they bear. Keys
//! are compared so that NULL equals NULL. The user's predicates know the stored rows by the name `DBT_INTERNAL_DEST` and
//! the new ones by `DBT_INTERNAL_SOURCE`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::{Field, Int64Type, Schema, SchemaRef};

use super::build::{BuildCounts, BuildError, Built, TableBuild};
use mep_contract::warehouse::{Inputs, Ledger, Partition, PartitionKey, TableVersion, Version, WrittenFiles};
use mep_graph::{CompiledModel, IncrementalStrategy, MergeColumns, ModelConfig, Node, OnSchemaChange};
use mep_sql::{KeyedMerge, PlannedQuery, sql_type};

impl TableBuild<'_> {
    /// The stored table with what the model's SELECT gives; `None` where that changes nothing.
    ///
    /// # Errors
    /// Where the query fails, or a key is doubled in a merge; the old table is then still there.
    pub async fn increment(
        &self,
        stored: &TableVersion,
        config: &ModelConfig,
    ) -> Result<Option<Built>, BuildError> {
        let strategy = config.increment();
        let new = self.engine.write(self.plan()?, &self.output_of_part("new")).await?;
        // The version of such a table is not derived of its inputs: what it holds depends on its own past.
        let ledger =
            self.ledger(Inputs::default(), Version::of([self.run.as_str(), &self.relation.to_string()]));
        let new = partitions(new, &ledger);
        let written = BuildCounts::of(&new);
        if written.rows == 0
            && (strategy != IncrementalStrategy::InsertOverwrite || !self.partition_columns.is_empty())
        {
            return Ok(None);
        }
        let all = match strategy {
            IncrementalStrategy::InsertOverwrite => overwritten(stored, new),
            IncrementalStrategy::Merge | IncrementalStrategy::DeleteInsert => {
                let by_key = ByKey::of(self, &new, config)?;
                if strategy == IncrementalStrategy::Merge {
                    by_key.check_doubled().await?;
                }
                let kept = by_key.without_replaced(strategy).await?;
                let new = match &config.merge_columns {
                    MergeColumns::All => new,
                    columns => partitions(by_key.merged(&stored.schema, columns).await?, &ledger),
                };
                joined(partitions(kept, &ledger), new)
            }
            // Batches have a build of their own.
            IncrementalStrategy::Append | IncrementalStrategy::Microbatch => appended(stored, new),
        };
        let all = if self.warehouse.has_one_folder_a_partition() {
            self.gathered(all, "gathered").await?
        } else {
            all
        };
        Ok(Some(self.built(all, written)))
    }

    /// The partitions, those whose files lie in several folders written anew into one.
    pub(super) async fn gathered(
        &self,
        mut all: BTreeMap<PartitionKey, Partition>,
        part: &str,
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
        let name = self.register_aside("scattered", scattered.clone())?;
        let rows = self.engine.scope().scan(&name)?;
        let mut written = self.engine.write(rows, &self.output_of_part(part)).await?;
        for (key, partition) in scattered {
            let files = written.remove(&key).unwrap_or_default();
            all.insert(key, Partition { files: files.into(), ledger: partition.ledger });
        }
        Ok(all)
    }
}

/// New rows that take the place of stored ones by their key.
struct ByKey<'a> {
    build: &'a TableBuild<'a>,
    merge: KeyedMerge<'a>,
}

impl<'a> ByKey<'a> {
    fn of(
        build: &'a TableBuild<'a>,
        new: &BTreeMap<PartitionKey, Partition>,
        config: &'a ModelConfig,
    ) -> Result<Self, BuildError> {
        let merge = KeyedMerge {
            stored: build.relation,
            new: build.register_aside("new", new.clone())?,
            key: &config.unique_key,
            predicates: &config.incremental_predicates,
        };
        Ok(Self { build, merge })
    }

    fn planned(&self, sql: &str) -> Result<PlannedQuery, BuildError> {
        self.build.planned(sql).map_err(|error| match error {
            BuildError::Plan(message) if !self.merge.predicates.is_empty() => {
                BuildError::Plan(format!("incremental_predicates: {message}"))
            }
            error => error,
        })
    }

    /// A merge would match a stored row with several new ones.
    async fn check_doubled(&self) -> Result<(), BuildError> {
        let batches = self.build.engine.collect(self.planned(&self.merge.doubled())?).await?;
        let rows: i64 = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().iter().flatten())
            .sum();
        if rows > 0 {
            let columns = self.merge.key.join(", ");
            return Err(BuildError::DoubledKey { columns, rows: rows.unsigned_abs() });
        }
        Ok(())
    }

    /// The stored rows that no new row takes the place of, written anew. The predicates of a merge see both rows; those
    /// of a deletion see the stored one alone, as dbt's do.
    async fn without_replaced(&self, strategy: IncrementalStrategy) -> Result<WrittenFiles, BuildError> {
        let kept = match strategy {
            IncrementalStrategy::DeleteInsert => self.merge.kept_by_deletion(),
            _ => self.merge.kept_by_merge(),
        };
        self.written(&kept, "kept").await
    }

    /// The new rows, each with what the stored row of its key has in the columns that are not to be replaced.
    async fn merged(&self, stored: &SchemaRef, columns: &MergeColumns) -> Result<WrittenFiles, BuildError> {
        let names = self.build.schema.fields().iter().map(|field| field.name().as_str());
        let is_new = |name: &str| {
            let is_key = self.merge.key.iter().any(|column| column == name);
            is_key || columns.replaces(name) || stored.index_of(name).is_err()
        };
        self.written(&self.merge.merged(names, is_new), "merged").await
    }

    async fn written(&self, sql: &str, part: &str) -> Result<WrittenFiles, BuildError> {
        Ok(self.build.engine.write(self.planned(sql)?, &self.build.output_of_part(part)).await?)
    }
}

/// The columns that a model's table has after an increment.
///
/// # Errors
/// Where the table is partitioned otherwise, or its columns may not change as the model's did.
pub(super) fn columns_over(
    node: &Node,
    model: &CompiledModel,
    stored: &TableVersion,
) -> Result<SchemaRef, BuildError> {
    if stored.partition_columns() != model.partition_columns {
        let named = |columns: &[String]| match columns {
            [] => "nothing".to_owned(),
            columns => columns.join(", "),
        };
        return Err(BuildError::SchemaChange(format!(
            "the stored table is partitioned by {}, the model by {}: run with --full-refresh",
            named(stored.partition_columns()),
            named(&model.partition_columns)
        )));
    }
    columns_after(
        node.config.model().on_schema_change,
        &stored.schema,
        &model.schema,
        &model.partition_columns,
    )
}

/// The columns that the table has after an increment, by what the user wants done when they are not the stored ones.
///
/// # Errors
/// Where they may not change, or a column would change its type so that the stored rows could not be read.
fn columns_after(
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
                sql_type(before.data_type()),
                sql_type(field.data_type())
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
    let ledger = Arc::new(ledger.clone());
    written
        .into_iter()
        .map(|(key, files)| (key, Partition { files: files.into(), ledger: ledger.clone() }))
        .collect()
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
            partition.files = Arc::new(before.files.iter().chain(partition.files.iter()).cloned().collect());
        }
        all.insert(key, partition);
    }
    all
}
