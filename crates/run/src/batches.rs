//! Microbatch models: one build for each batch of event time, in the place of the rows that are stored for it.
//!
//! Which batches are done stands in the ledger of the partitions, so that one publish brings both a batch's rows and the
//! note that it is done. A batch without rows is noted by whichever partition is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::AsArray;

use super::build::{BuildCounts, BuildError, Built, TableBuild};
use super::carry_out::{presentation, success};
use super::event::NodeResult;
use super::session::Session;
use mep_contract::warehouse::{Inputs, Ledger, Partition, PartitionKey, TableVersion, Version};
use mep_core::time_range::{TimeRange, TimeRanges};
use mep_graph::{CompiledBatches, Node, NodeIndex, tested_relation};
use mep_plan::BatchPlan;
use mep_sql::{EventTime, PlannedQuery};

/// A batch as a table is built for it.
#[derive(Clone, Copy)]
struct BatchBuild<'a> {
    event_time: &'a EventTime,
    range: TimeRange,
    /// Whether no more events of its time are to come.
    is_over: bool,
    /// Tells its folders from those of the run's other batches.
    number: usize,
}

impl Session<'_> {
    /// Runs the batches of a plan, each with a publish of its own; a full refresh has one at the end, so that until then
    /// readers find the old table.
    pub(super) fn run_batches(
        &self,
        index: NodeIndex,
        node: &Node,
        plan: &BatchPlan,
    ) -> Result<NodeResult, BuildError> {
        let relation = tested_relation(node);
        let model = self.model(index)?;
        let batches = model.batches.as_ref();
        let batches = batches.ok_or_else(|| BuildError::Plan("the model has no batches".to_owned()))?;
        let mut stored = if plan.anew { None } else { self.stored(&relation) };
        let columns = match &stored {
            Some(stored) => super::increment::columns_over(node, model, stored)?,
            None => model.schema.clone(),
        };
        let build = TableBuild { sql: &batches.sql, schema: &columns, ..self.table_build(&relation, model) };
        let mut written = BuildCounts::default();
        let mut failed: Vec<(TimeRange, String)> = Vec::new();
        let mut done = 0;
        for (number, (range, _)) in plan.batches.iter().enumerate() {
            let is_over = range.end <= plan.now;
            let batch = BatchBuild { event_time: &batches.event_time, range: *range, is_over, number };
            let built = self.batch(batches, &build, stored.as_deref(), batch).and_then(|built| {
                let built = built.map(|built| (Arc::new(built.table), built.written));
                if let Some((table, _)) = &built
                    && !plan.anew
                {
                    self.publish(index, node, table.clone())?;
                }
                Ok(built)
            });
            done += usize::from(built.is_ok());
            match built {
                Ok(Some((table, more))) => {
                    written.add(more);
                    stored = Some(table);
                }
                Ok(None) => {}
                Err(BuildError::Interrupted) if done > 0 && !plan.anew => {
                    return Err(BuildError::InterruptedBatches { done, all: plan.batches.len() });
                }
                Err(BuildError::Interrupted) => return Err(BuildError::Interrupted),
                Err(error) if plan.anew => {
                    return Err(BuildError::Batches(failures(&[(*range, self.why(index, &error))], plan)));
                }
                Err(error) => {
                    failed.push((*range, self.why(index, &error)));
                    if let Some(table) = stored.as_ref().and_then(|stored| build.undone(stored, *range)) {
                        let table = Arc::new(table);
                        self.warehouse.publish(&relation, &table, &presentation(node))?;
                        self.published(&relation, table.clone())?;
                        stored = Some(table);
                    }
                    if self.options.fail_fast {
                        break;
                    }
                }
            }
        }
        if let Some(table) = stored.filter(|_| plan.anew) {
            self.publish(index, node, table)?;
        }
        if !failed.is_empty() {
            return Err(BuildError::Batches(failures(&failed, plan)));
        }
        Ok(success(node, written, &plan.why()))
    }

    fn batch(
        &self,
        batches: &CompiledBatches,
        build: &TableBuild<'_>,
        stored: Option<&TableVersion>,
        batch: BatchBuild<'_>,
    ) -> Result<Option<Built>, BuildError> {
        for input in &batches.inputs {
            input.register(self.engine.scope(), batch.range)?;
        }
        self.block_on(build.batch(stored, batch))
    }
}

/// What failed, batch by batch, and how it goes on.
fn failures(failed: &[(TimeRange, String)], plan: &BatchPlan) -> String {
    let goes_on = if plan.anew {
        ", so the old table stays as it is"
    } else {
        "; the others are published, and the next run tries again"
    };
    let mut text = format!("{} of {} batches failed{goes_on}:", failed.len(), plan.batches.len());
    for (batch, why) in failed {
        text.push_str(&format!("\n{batch}: {}", why.replace('\n', "\n  ")));
    }
    text
}

impl TableBuild<'_> {
    /// The table with a batch's rows in the place of those that are stored for it; `None` where there is nothing to change.
    async fn batch(
        &self,
        stored: Option<&TableVersion>,
        batch: BatchBuild<'_>,
    ) -> Result<Option<Built>, BuildError> {
        let rows = batch.event_time.rows_within(self.plan()?, batch.range)?;
        let mut new = self.engine.write(rows, &self.output_of_part(&batch.number.to_string())).await?;
        let mut all: BTreeMap<PartitionKey, Partition> = stored
            .into_iter()
            .flat_map(TableVersion::partitions)
            .map(|(key, partition)| (key.clone(), partition.clone()))
            .collect();
        let touched = self.touched(&all, batch).await?;
        let mut kept = self.rows_beside(&all, &touched, batch).await?;
        let version =
            Version::of([self.run.as_str(), &self.relation.to_string(), &String::from(batch.range)]);
        let mut written = BuildCounts::default();
        let keys: BTreeSet<PartitionKey> = new.keys().chain(&touched).cloned().collect();
        for key in keys {
            let is_touched = touched.contains(&key);
            let (mut files, mut done) = match all.remove(&key) {
                Some(before) => (before.files.to_vec(), before.ledger.done.clone()),
                None => (Vec::new(), TimeRanges::default()),
            };
            if is_touched {
                files = kept.remove(&key).unwrap_or_default();
            }
            if batch.is_over {
                done.add(batch.range);
            }
            let new = new.remove(&key).unwrap_or_default();
            written.add(BuildCounts::of_files(&new));
            files.extend(new);
            let ledger = Ledger { done, ..self.ledger(Inputs::default(), version.clone()) };
            let partition = Partition { files: files.into(), ledger: ledger.into() };
            all.insert(key, partition);
        }
        if written.partitions == 0 {
            let is_noted = all.values().any(|partition| partition.ledger.done.covers(batch.range));
            if !all.is_empty() && (is_noted || !batch.is_over) {
                return Ok(None);
            }
            self.note_without_rows(&mut all, batch, &version);
        }
        self.drop_placeholder(&mut all);
        let suffix = format!(".{}.gathered", batch.number);
        let all = if self.warehouse.has_one_folder_a_partition() {
            self.gathered(all, &suffix).await?
        } else {
            all
        };
        Ok(Some(self.built(all, written)))
    }

    /// Notes a batch that left no trace in any partition.
    fn note_without_rows(
        &self,
        all: &mut BTreeMap<PartitionKey, Partition>,
        batch: BatchBuild<'_>,
        version: &Version,
    ) {
        if all.is_empty() {
            let ledger = self.ledger(Inputs::default(), version.clone());
            all.insert(self.placeholder(), Partition { files: Arc::default(), ledger: ledger.into() });
        }
        if batch.is_over
            && let Some(partition) = all.values_mut().next()
        {
            Arc::make_mut(&mut partition.ledger).done.add(batch.range);
        }
    }

    /// The key of the partition that stands for a table without rows.
    fn placeholder(&self) -> PartitionKey {
        PartitionKey::new(vec![None; self.partition_columns.len()])
    }

    /// Once there are rows, nothing needs to stand for a table without any.
    fn drop_placeholder(&self, all: &mut BTreeMap<PartitionKey, Partition>) {
        let key = self.placeholder();
        if all.len() < 2 || all.get(&key).is_none_or(|partition| !partition.files.is_empty()) {
            return;
        }
        if let Some(placeholder) = all.remove(&key)
            && let Some(other) = all.values_mut().next()
        {
            Arc::make_mut(&mut other.ledger).done.add_all(&placeholder.ledger.done);
        }
    }

    /// The table with a batch no longer noted as done; `None` where it was not.
    fn undone(&self, stored: &TableVersion, range: TimeRange) -> Option<TableVersion> {
        let mut any = false;
        let partitions = stored.partitions().map(|(key, partition)| {
            let mut partition = partition.clone();
            if !partition.ledger.done.is_empty() {
                any |= Arc::make_mut(&mut partition.ledger).done.remove(range);
            }
            (key.clone(), partition)
        });
        let partitions = partitions.collect();
        any.then(|| self.table(partitions))
    }

    /// The rows of some partitions of the table as it stands so far.
    fn stored_rows(&self, partitions: BTreeMap<PartitionKey, Partition>) -> Result<PlannedQuery, BuildError> {
        let name = self.register_aside("stored", partitions)?;
        Ok(self.engine.scope().scan(&name)?)
    }

    /// The partitions that hold rows of the batch.
    async fn touched(
        &self,
        all: &BTreeMap<PartitionKey, Partition>,
        batch: BatchBuild<'_>,
    ) -> Result<BTreeSet<PartitionKey>, BuildError> {
        let rows = batch.event_time.rows_within(self.stored_rows(all.clone())?, batch.range)?;
        let mut touched = BTreeSet::new();
        for rows in self.engine.collect(rows.distinct_texts(self.partition_columns)?).await? {
            for row in 0..rows.num_rows() {
                let value = |column: usize| {
                    let texts = rows.column(column).as_string::<i32>();
                    arrow::array::Array::is_valid(texts, row).then(|| texts.value(row).to_owned())
                };
                touched.insert(PartitionKey::new((0..self.partition_columns.len()).map(value).collect()));
            }
        }
        Ok(touched)
    }

    /// The rows of other times in the partitions that the batch touches, written anew.
    async fn rows_beside(
        &self,
        all: &BTreeMap<PartitionKey, Partition>,
        touched: &BTreeSet<PartitionKey>,
        batch: BatchBuild<'_>,
    ) -> Result<mep_contract::warehouse::WrittenFiles, BuildError> {
        if touched.is_empty() {
            return Ok(BTreeMap::new());
        }
        let partitions = all.iter().filter(|(key, _)| touched.contains(*key));
        let partitions = partitions.map(|(key, partition)| (key.clone(), partition.clone())).collect();
        let rows = batch.event_time.rows_without(self.stored_rows(partitions)?, batch.range)?;
        Ok(self.engine.write(rows, &self.output_of_part(&format!("{}.kept", batch.number))).await?)
    }
}
