//! Showing readers what was built, at once or after the tests of its model.
//!
//! With `publish: after_tests` the new content is known under the table's name to this process alone while the tests run.
//! What fails them is never pointed at: the ledger says nothing of it, so the next run tries again. Its rows are copied to
//! a table beside it, to be looked at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::build::BuildError;
use super::carry_out::presentation;
use super::event::Event;
use super::session::{Session, TestsRun};
use mep_contract::warehouse::{
    BuildFolder, Content, Partition, PartitionKey, Presentation, Spread, TableVersion, Warehouse,
    WarehouseError, WriteTarget,
};
use mep_core::relation::Relation;
use mep_graph::{Graph, Node, NodeIndex, PublishWhen, tested_relation};
use mep_quality as quality;
use mep_quality::Verdict;

impl Session<'_> {
    /// Points readers at a table.
    ///
    /// # Errors
    /// Where it fails its tests, or cannot be published; the old content is then still there.
    pub(super) fn publish(
        &self,
        index: NodeIndex,
        node: &Node,
        table: impl Into<Arc<TableVersion>>,
    ) -> Result<(), BuildError> {
        let table = table.into();
        let relation = tested_relation(node);
        self.check_constraints(index, &relation, &table)?;
        let served = self.compiled.models.get(&index).and_then(|model| model.served.as_ref());
        if let Some(served) = served {
            self.check_keys(served, &relation, &table, self.stored(&relation).as_deref())?;
            self.note_keys_checked(&relation);
        }
        let is_tested = node.config.model().publish == PublishWhen::AfterTests;
        if is_tested {
            self.test_before_publish(index, node, &relation, &table)?;
        }
        mep_core::fail_point::reached("build-before-publish");
        self.warehouse.publish(&relation, &table, &presentation(node))?;
        self.published(&relation, table)?;
        if is_tested {
            self.drop_superseded(&relation.rejected())?;
        }
        Ok(())
    }

    fn test_before_publish(
        &self,
        index: NodeIndex,
        node: &Node,
        relation: &Relation,
        table: &Arc<TableVersion>,
    ) -> Result<(), BuildError> {
        self.engine.register(relation, table.clone())?;
        let failed = self.failed_tests(index, node);
        if matches!(&failed, Ok(failed) if failed.is_empty()) {
            return Ok(());
        }
        match self.stored(relation) {
            Some(old) => self.engine.register(relation, old)?,
            None => self.engine.forget(relation)?,
        }
        let failed = failed?;
        let beside = relation.rejected();
        self.keep_rejected(relation, &beside, table)?;
        let (tests, verb) = if failed.len() == 1 { ("test", "fails") } else { ("tests", "fail") };
        let stays = match self.stored(relation) {
            Some(_) => "so readers still find the old content",
            None => "so there is no table yet",
        };
        let mut text = format!("{} {tests} of the new content {verb}, {stays}:\n", failed.len());
        for (test, failures) in failed {
            text.push_str(&format!("  {test}: {}\n", failing_rows(failures)));
        }
        text.push_str(&format!("see the rejected rows with: mep show --inline \"select * from {beside}\""));
        Err(BuildError::Rejected(text))
    }

    /// The tests that fail over the tables as this process knows them, each with its failing rows.
    fn failed_tests(&self, index: NodeIndex, node: &Node) -> Result<Vec<(String, i64)>, BuildError> {
        let mut failed = Vec::new();
        for test in self.graph.own_tests(index) {
            let of = self.graph.node(test);
            if self.compiled.late.contains_key(&test) {
                return Err(BuildError::Plan(format!(
                    "its test {} is not known before it is published: publish at once",
                    of.name
                )));
            }
            let Some(compiled) = self.compiled.tests.get(&test) else { continue };
            let others = self.graph.parents(test).iter().filter(|parent| **parent != index);
            for other in others.filter_map(|parent| self.graph.node(*parent).relation.as_ref()) {
                if self.stored(other).is_none() {
                    return Err(BuildError::Plan(format!(
                        "its test {} reads {other}, which is not built yet: build it first, or publish at once",
                        of.name
                    )));
                }
            }
            let finding = self.block_on(quality::run(self.engine, &compiled.sql, of.config.test()));
            let finding = finding.map_err(|error| match error {
                BuildError::Interrupted => error,
                error => BuildError::Plan(format!("its test {}: {}", of.name, self.why(test, &error))),
            })?;
            self.note_tried(test, finding);
            match finding.verdict {
                Verdict::Fail => failed.push((of.name.clone(), finding.failures)),
                Verdict::Warn if self.options.tests == TestsRun::BeforePublish => {
                    let (test, rows) = (&of.name, failing_rows(finding.failures));
                    let text = format!("{}: the test {test} warns of {rows}", node.name);
                    self.reporter.report(Event::Warning(&text));
                }
                Verdict::Warn | Verdict::Pass => {}
            }
        }
        Ok(failed)
    }

    /// Copies what the run wrote for a table to a table beside it.
    fn keep_rejected(
        &self,
        relation: &Relation,
        beside: &Relation,
        table: &TableVersion,
    ) -> Result<(), BuildError> {
        if self.warehouse.read(beside)?.is_some() {
            self.warehouse.drop_relation(beside)?;
        }
        let is_new = |partition: &Partition| partition.ledger.run == *self.run;
        let new = table.partitions().filter(|(_, partition)| is_new(partition));
        let new: BTreeMap<PartitionKey, Partition> =
            new.map(|(key, partition)| (key.clone(), partition.clone())).collect();
        let of = |partitions| {
            TableVersion::new(
                table.schema.clone(),
                Content::Table {
                    partition_columns: table.partition_columns().to_vec(),
                    partitions,
                    batches: BTreeMap::new(),
                },
                self.run.clone(),
            )
        };
        let name = beside.aside("tested");
        self.engine.register_aside(&name, self.warehouse.table_folder(relation), of(new.clone()))?;
        let target = WriteTarget {
            table_folder: self.warehouse.table_folder(beside),
            folder: BuildFolder::of(self.run),
            schema: table.schema.clone(),
            partition_columns: table.partition_columns().to_vec(),
            spread: Spread::Threads,
        };
        let rows = self.engine.scope().scan(&name)?;
        let mut written = self.block_on(self.engine.write(rows, &target))?;
        let copied = new.into_iter().map(|(key, partition)| {
            let files = written.remove(&key).unwrap_or_default();
            (key, Partition { files: files.into(), ledger: partition.ledger })
        });
        let description = Some(format!("Rows that failed the tests of {relation}, and were not published."));
        let presentation = Presentation { description, ..Presentation::default() };
        self.warehouse.publish(beside, &of(copied.collect()), &presentation)?;
        Ok(())
    }

    /// Drops what earlier runs rejected. What this one did is of another batch, and still to be looked at.
    fn drop_superseded(&self, beside: &Relation) -> Result<(), BuildError> {
        if self.warehouse.read(beside)?.is_some_and(|table| table.run != *self.run) {
            self.warehouse.drop_relation(beside)?;
        }
        Ok(())
    }
}

fn failing_rows(failures: i64) -> String {
    format!("{failures} failing row{}", if failures == 1 { "" } else { "s" })
}

/// Drops the tables of rejected rows that are older than the retention, and says how many.
///
/// # Errors
/// Where the warehouse cannot be read, or a table not be dropped.
pub fn drop_old_rejected(
    warehouse: &dyn Warehouse,
    graph: &Graph,
    retention: Duration,
) -> Result<usize, WarehouseError> {
    let mut dropped = 0;
    for relation in warehouse.relations()? {
        let is_of_a_node = graph.nodes().iter().any(|node| node.relation.as_ref() == Some(&relation));
        if is_of_a_node || !relation.is_named_rejected() {
            continue;
        }
        let Some(table) = warehouse.read(&relation)? else { continue };
        let age = table.run.began().and_then(|began| (Utc::now() - began).to_std().ok());
        if age.is_some_and(|age| age >= retention) {
            warehouse.drop_relation(&relation)?;
            dropped += 1;
        }
    }
    Ok(dropped)
}
