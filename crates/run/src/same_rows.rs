//! Leaving files in place whose rows a build came to again.
//!
//! A partition that was built anew since its inputs are others may hold what it held: duplicates under a DISTINCT, a dimension to which
//! nothing was added. Its old files stay then, and what reads it has nothing to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::build::{BuildCounts, Built, TableBuild};
use super::session::Session;
use mep_contract::warehouse::{Content, Partition, PartitionKey, TableVersion};
use mep_plan::PartitionBuild;

impl Session<'_> {
    /// What was built, in which partitions that came to the rows they had keep their files. Of `builds`, whose keys are of the
    /// partition columns at these places, those are looked at for which nothing but their inputs asked, and that have as many rows as before.
    pub(super) fn keeping_same_rows(
        &self,
        table: &TableBuild<'_>,
        built: Built,
        (builds, by): (&[PartitionBuild], &[usize]),
    ) -> Built {
        let Some(stored) = self.stored(table.relation).filter(|stored| stored.schema == *table.schema) else {
            return built;
        };
        let before: BTreeMap<&PartitionKey, &Partition> = stored.partitions().collect();
        let now: BTreeMap<&PartitionKey, &Partition> = built.table.partitions().collect();
        let builds: BTreeMap<&PartitionKey, &PartitionBuild> =
            builds.iter().filter(|build| build.is_of_inputs()).map(|build| (&build.key, build)).collect();
        let in_question = now.iter().filter_map(|(key, now)| {
            let build = builds.get(&key.of_columns(by))?;
            let before = before.get(key)?;
            (now.rows() == before.rows() && now.files != before.files).then_some((*build, *key))
        });
        let in_question: Vec<(&PartitionBuild, &PartitionKey)> = in_question.collect();
        if in_question.is_empty() {
            return built;
        }
        let some = |table: &TableVersion| {
            let mut some = table.clone();
            if let Content::Table { partitions, .. } = &mut some.content {
                partitions.retain(|key, _| in_question.iter().any(|(_, one)| *one == key));
            }
            some
        };
        let mut collect = |plan| self.collected(plan);
        let (old, new) = (some(&stored), some(&built.table));
        let differing = match self.engine.partitions_that_differ(table.relation, old, new, &mut collect) {
            Ok(differing) => differing,
            // What was built is right in any case.
            Err(error) => {
                tracing::debug!("whether rows of {} are others cannot be told: {error}", table.relation);
                return built;
            }
        };
        let same: Vec<(PartitionKey, Partition)> = in_question
            .iter()
            .filter(|(_, key)| !differing.contains(key))
            .filter_map(|(build, key)| {
                let before = before.get(key)?;
                let ledger = table.ledger_of_same(build, &before.ledger.run);
                Some(((*key).clone(), Partition { files: before.files.clone(), ledger: Arc::new(ledger) }))
            })
            .collect();
        self.note_same(table.relation, same.iter().map(|(key, _)| key.clone()));
        let mut written = built.written;
        let mut kept = built.table;
        if let Content::Table { partitions, .. } = &mut kept.content {
            for (key, partition) in same {
                if let Some(anew) = partitions.insert(key, partition) {
                    written.take(BuildCounts::of_files(&anew.files));
                }
            }
        }
        Built { table: kept, written }
    }
}
