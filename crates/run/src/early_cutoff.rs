//! Leaving out builds that would come to what is stored.
//!
//! A partition that joins a table depends on all of it, as far as versions say. When such a table was built anew, both of
//! its contents are at hand: the rows that differ have keys, and only partitions that hold these keys are built. The
//! others keep their files and are noted as made of the new inputs.

use std::collections::{BTreeMap, BTreeSet};

use super::build::BuildError;
use super::session::Session;
use mep_contract::warehouse::{Content, Partition, PartitionKey, TableVersion};
use mep_core::relation::Relation;
use mep_graph::{CompiledModel, Node, tested_relation};
use mep_plan::confirm::{ReadTables, Touch};
use mep_plan::{PartitionBuild, PartitionPlan, TableState};
use mep_sql::{Lookup, PlannedQuery, changed_keys, lookups, texts};

impl Session<'_> {
    /// The plan, in which partitions that contain nothing that changed are confirmed in place of built.
    ///
    /// Where that cannot be told, all are built.
    pub(super) fn narrowed(&self, node: &Node, model: &CompiledModel, plan: &PartitionPlan) -> PartitionPlan {
        let Some(stored) = self.stored(&tested_relation(node)) else { return plan.clone() };
        if !plan.build.iter().any(PartitionBuild::is_of_inputs) {
            return plan.clone();
        }
        let stored: BTreeMap<&PartitionKey, &Partition> = stored.partitions().collect();
        let same = self.same();
        let before = |relation: &Relation| self.before.get(relation).map(|table| TableState::of(table));
        let inputs = ReadTables::of(model, &before, &same);
        let touch = |build: &PartitionBuild| match stored.get(&build.key) {
            Some(partition) => Touch::of(model, partition, build, &inputs),
            None => Touch::Certain,
        };
        let touched: Vec<Touch> = plan.build.iter().map(touch).collect();
        let in_question: u64 =
            plan.build.iter().zip(&touched).map(|(build, touch)| bytes(build, touch)).sum();
        let mut reached: BTreeMap<Relation, Option<BTreeSet<PartitionKey>>> = BTreeMap::new();
        for table in touched.iter().flat_map(tables) {
            if !reached.contains_key(table) {
                // Keys are evaluated on rows that the model's own filters may leave out, so what fails here says nothing of
                // the model: all that is in question is built.
                let found = self.reached(model, table, in_question).unwrap_or_else(|error| {
                    tracing::debug!("which partitions {table} reaches cannot be told: {error}");
                    None
                });
                reached.insert(table.clone(), found);
            }
        }
        let mut narrowed = PartitionPlan { build: Vec::new(), ..plan.clone() };
        for (build, touch) in plan.build.iter().zip(&touched) {
            let holds = |table: &Relation| {
                reached.get(table).and_then(Option::as_ref).is_none_or(|keys| keys.contains(&build.key))
            };
            let is_touched = *touch == Touch::Certain || tables(touch).any(holds);
            if is_touched { &mut narrowed.build } else { &mut narrowed.confirm }.push(build.clone());
        }
        self.note_same(&tested_relation(node), narrowed.confirm.iter().map(|build| build.key.clone()));
        narrowed
    }

    /// The partitions of a model that hold a changed key of a table; `None` where that cannot be said, or takes more
    /// reading than to build what is in question.
    fn reached(
        &self,
        model: &CompiledModel,
        table: &Relation,
        in_question: u64,
    ) -> Result<Option<BTreeSet<PartitionKey>>, BuildError> {
        let plan =
            self.engine.scope().plan(&model.sql).map_err(|problem| BuildError::Plan(problem.message))?;
        let columns = model.recipe.as_ref().and_then(|recipe| recipe.reads.get(table));
        let lookups = lookups(&plan, table, &model.partition_columns);
        let (Some(columns), Some(lookups)) = (columns, lookups) else { return Ok(None) };
        let (Some(old), Some(new)) = (self.before.get(table), self.stored(table)) else { return Ok(None) };
        let (old, new) = differing(old, &new);
        let has_columns = columns.iter().all(|column| {
            let field = |table: &TableVersion| {
                table.schema.field_with_name(column).map(|field| field.data_type().clone()).ok()
            };
            field(&old).is_some() && field(&old) == field(&new)
        });
        if !has_columns || columns.is_empty() || old.bytes() + new.bytes() > in_question {
            return Ok(None);
        }
        let mut partitions = BTreeSet::new();
        for lookup in &lookups {
            let changed = self.changed_keys(model, table, (&old, &new), columns, lookup)?;
            let found = lookup.partitions_of(changed, &model.partition_columns, &model.schema)?;
            for batch in self.block_on(self.engine.collect(found))? {
                let values = batch.columns().iter().map(texts).collect::<Result<Vec<_>, _>>()?;
                partitions.extend(
                    (0..batch.num_rows()).map(|row| {
                        PartitionKey::new(values.iter().map(|column| column[row].clone()).collect())
                    }),
                );
            }
        }
        Ok(Some(partitions))
    }

    /// The keys of the rows that are in one of two contents of a table and not, or not as often, in the other.
    fn changed_keys(
        &self,
        model: &CompiledModel,
        table: &Relation,
        (old, new): (&TableVersion, &TableVersion),
        columns: &BTreeSet<String>,
        lookup: &Lookup,
    ) -> Result<PlannedQuery, BuildError> {
        let folder = self.warehouse.table_folder(table);
        let name = |which: &str| Relation {
            schema: None,
            name: format!("__mep_{which}_{}_{}", table.name, model.fingerprint.as_str()),
        };
        for (which, content) in [("before", old), ("now", new)] {
            self.engine.register_aside(&name(which), folder.clone(), content.clone())?;
        }
        let sql = changed_keys((&name("before"), &name("now")), columns, lookup.key_columns());
        self.engine.scope().plan(&sql).map_err(|problem| BuildError::Plan(problem.message))
    }
}

fn tables(touch: &Touch) -> impl Iterator<Item = &Relation> {
    match touch {
        Touch::Certain => None,
        Touch::Perhaps(tables) => Some(tables.iter()),
    }
    .into_iter()
    .flatten()
}

/// What the build of a partition that may contain nothing that changed would read.
fn bytes(build: &PartitionBuild, touch: &Touch) -> u64 {
    if *touch == Touch::Certain { 0 } else { build.input_bytes }
}

/// Two contents of a table without the partitions that are the same in both.
fn differing(old: &TableVersion, new: &TableVersion) -> (TableVersion, TableVersion) {
    let without = |table: &TableVersion, other: &TableVersion| {
        let mut table = table.clone();
        let others: BTreeMap<&PartitionKey, &Partition> = other.partitions().collect();
        if let Content::Table { partitions, .. } = &mut table.content {
            partitions
                .retain(|key, partition| others.get(key).is_none_or(|other| other.files != partition.files));
        }
        table
    };
    (without(old, new), without(new, old))
}
