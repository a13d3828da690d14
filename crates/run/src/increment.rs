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
use datafusion::logical_expr::LogicalPlan;

use super::build::{BuildCounts, BuildError, Built, TableBuild};
use mep_contract::warehouse::{Inputs, Ledger, Partition, PartitionKey, TableVersion, Version, WrittenFiles};
use mep_core::relation::Relation;
use mep_datafusion::PublishedTable;
use mep_graph::{CompiledModel, IncrementalStrategy, MergeColumns, Node, NodeConfig, OnSchemaChange};
use mep_sql::{quoted, sql_type};

impl TableBuild<'_> {
    /// The stored table with what the model's SELECT gives; `None` where that changes nothing.
    ///
    /// # Errors
    /// Where the query fails, or a key is doubled in a merge; the old table is then still there.
    pub async fn increment(
        &self,
        stored: &TableVersion,
        config: &NodeConfig,
    ) -> Result<Option<Built>, BuildError> {
        let strategy = config.increment();
        let new = self.engine.write(self.plan()?, &self.output_of_part("new")).await?.files;
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
        let name = self.relation.aside("scattered");
        let table =
            PublishedTable::new(self.warehouse.table_folder(self.relation), self.table(scattered.clone()));
        self.engine.scope().register(&name, Arc::new(table))?;
        let plan = self.engine.scope().plan(&format!("select * from {name}"));
        let plan = plan.map_err(|problem| BuildError::Plan(problem.message))?;
        let mut written = self.engine.write(plan, &self.output_of_part(part)).await?.files;
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
    /// The name of the new rows.
    new: Relation,
    key: &'a [String],
    /// When a stored and a new row are the same one: the key, as SQL.
    same: String,
    /// The user's own conditions, as SQL.
    predicates: Option<String>,
}

impl<'a> ByKey<'a> {
    fn of(
        build: &'a TableBuild<'a>,
        new: &BTreeMap<PartitionKey, Partition>,
        config: &'a NodeConfig,
    ) -> Result<Self, BuildError> {
        let name = build.relation.aside("new");
        let folder = build.warehouse.table_folder(build.relation);
        let table = PublishedTable::new(folder, build.table(new.clone()));
        build.engine.scope().register(&name, Arc::new(table))?;
        let same: Vec<String> = config.unique_key.iter().map(|column| same(column)).collect();
        let predicates: Vec<String> =
            config.incremental_predicates.iter().map(|predicate| format!("({predicate})")).collect();
        let predicates = (!predicates.is_empty()).then(|| predicates.join(" and "));
        Ok(Self { build, new: name, key: &config.unique_key, same: same.join(" and "), predicates })
    }

    fn plan(&self, sql: &str) -> Result<LogicalPlan, BuildError> {
        self.build.engine.scope().plan(sql).map_err(|problem| {
            let of = if self.predicates.is_some() { "incremental_predicates: " } else { "" };
            BuildError::Plan(format!("{of}{}", problem.message))
        })
    }

    /// When a merge puts a new row in the place of a stored one, as SQL.
    fn matching(&self) -> String {
        match &self.predicates {
            Some(predicates) => format!("{} and {predicates}", self.same),
            None => self.same.clone(),
        }
    }

    /// A merge would match a stored row with several new ones.
    async fn check_doubled(&self) -> Result<(), BuildError> {
        let columns: Vec<String> = self.key.iter().map(|column| quoted(column)).collect();
        let doubled = format!(
            "select coalesce(sum(n), 0) as n from (select count(*) as n from {} group by {}) where n > 1",
            self.new,
            columns.join(", ")
        );
        let batches = self.build.engine.collect(self.plan(&doubled)?).await?;
        let rows: i64 = batches
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().iter().flatten())
            .sum();
        if rows > 0 {
            let columns = self.key.join(", ");
            return Err(BuildError::DoubledKey { columns, rows: rows.unsigned_abs() });
        }
        Ok(())
    }

    /// The stored rows that no new row takes the place of, written anew. The predicates of a merge see both rows; those
    /// of a deletion see the stored one alone, as dbt's do.
    async fn without_replaced(&self, strategy: IncrementalStrategy) -> Result<WrittenFiles, BuildError> {
        let Self { build, new, same, .. } = self;
        let stored = build.relation;
        let kept = match &self.predicates {
            Some(predicates) if strategy == IncrementalStrategy::DeleteInsert => format!(
                "select * from {stored} as dbt_internal_dest where ({predicates}) is not true
                union all
                select dbt_internal_dest.* from (
                    select * from {stored} as dbt_internal_dest where ({predicates}) is true
                ) as dbt_internal_dest
                left anti join {new} as dbt_internal_source on {same}"
            ),
            _ => format!(
                "select dbt_internal_dest.* from {stored} as dbt_internal_dest
                left anti join {new} as dbt_internal_source on {}",
                self.matching()
            ),
        };
        Ok(build.engine.write(self.plan(&kept)?, &build.output_of_part("kept")).await?.files)
    }

    /// The new rows, each with what the stored row of its key has in the columns that are not to be replaced.
    async fn merged(&self, stored: &SchemaRef, columns: &MergeColumns) -> Result<WrittenFiles, BuildError> {
        let Self { build, new, .. } = self;
        let taken: Vec<String> = build
            .schema
            .fields()
            .iter()
            .map(|field| {
                let name = field.name();
                let column = quoted(name);
                let is_new = self.key.contains(name) || columns.replaces(name) || stored.index_of(name).is_err();
                if is_new {
                    format!("dbt_internal_source.{column} as {column}")
                } else {
                    format!(
                        "case when dbt_internal_dest.__mep_is_stored then dbt_internal_dest.{column} else dbt_internal_source.{column} end as {column}"
                    )
                }
            })
            .collect();
        let merged = format!(
            "select {} from {new} as dbt_internal_source
            left join (select *, true as __mep_is_stored from {}) as dbt_internal_dest on {}",
            taken.join(", "),
            build.relation,
            self.matching()
        );
        Ok(build.engine.write(self.plan(&merged)?, &build.output_of_part("merged")).await?.files)
    }
}

/// In parentheses, since `and` binds closer than what stands behind `from`.
fn same(column: &str) -> String {
    let column = quoted(column);
    format!("(dbt_internal_dest.{column} is not distinct from dbt_internal_source.{column})")
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
    columns_after(node.config.on_schema_change, &stored.schema, &model.schema, &model.partition_columns)
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
