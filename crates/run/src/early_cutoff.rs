//! Leaving out builds that would come to what is stored.
//!
//! A partition that joins a table depends on all of it, as far as versions say. When such a table was built anew, both of
//! its contents are at hand: the rows that differ have keys, and only partitions that hold these keys are built. The
//! others keep their files and are noted as made of the new inputs.

use std::collections::{BTreeMap, BTreeSet};

use super::build::BuildError;
use super::session::Session;
use mep_contract::executor::EngineError;
use mep_contract::executor::keyed::ContentChange;
use mep_contract::warehouse::{Partition, PartitionKey};
use mep_core::relation::Relation;
use mep_graph::{CompiledModel, Node, tested_relation};
use mep_plan::confirm::{ReadTables, Touch};
use mep_plan::{PartitionBuild, PartitionPlan, TableState};

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
        let changed: BTreeSet<Relation> = touched.iter().flat_map(tables).cloned().collect();
        // What is evaluated may meet rows that the model's own filters leave out, so what fails here says nothing of the model: all
        // that is in question is built.
        let reached = if changed.is_empty() {
            Some(BTreeSet::new())
        } else {
            self.reached(model, &changed, in_question).unwrap_or_else(|error| {
                tracing::debug!("which partitions of {} a change reaches cannot be told: {error}", node.name);
                None
            })
        };
        let mut narrowed = PartitionPlan { build: Vec::new(), ..plan.clone() };
        for (build, touch) in plan.build.iter().zip(&touched) {
            let is_reached = || reached.as_ref().is_none_or(|keys| keys.contains(&build.key));
            let is_touched = match touch {
                Touch::Certain => true,
                Touch::Perhaps(tables) => !tables.is_empty() && is_reached(),
            };
            if is_touched { &mut narrowed.build } else { &mut narrowed.confirm }.push(build.clone());
        }
        self.note_same(&tested_relation(node), narrowed.confirm.iter().map(|build| build.key.clone()));
        narrowed
    }

    /// The partitions of a model that rows of some changed tables can reach; `None` where that cannot be said, or takes more
    /// reading than to build what is in question.
    fn reached(
        &self,
        model: &CompiledModel,
        tables: &BTreeSet<Relation>,
        in_question: u64,
    ) -> Result<Option<BTreeSet<PartitionKey>>, BuildError> {
        let plan =
            self.engine.scope().plan(&model.sql).map_err(|problem| BuildError::Plan(problem.message))?;
        let mut changed = Vec::new();
        for table in tables {
            let (Some(before), Some(now)) = (self.before.get(table), self.stored(table)) else {
                return Ok(None);
            };
            let Ok(change) = ContentChange::of(table, before, &now) else { return Ok(None) };
            changed.extend(change);
        }
        let columns = model.partition_columns.iter().map(|name| model.schema.field_with_name(name));
        let columns = columns.collect::<Result<Vec<_>, _>>().map_err(EngineError::from)?;
        let mut collect = |plan| self.collected(plan);
        let found = self.engine.reached(plan, &columns, &changed, in_question, &mut collect)?;
        let Some(found) = found else { return Ok(None) };
        let mut partitions = BTreeSet::new();
        for batch in found {
            partitions.extend(PartitionKey::of_rows(&batch).map_err(EngineError::from)?);
        }
        Ok(Some(partitions))
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
