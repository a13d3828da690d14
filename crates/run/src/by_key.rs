//! Building the rows of some keys of a table that is built as a whole.
//!
//! Where it is known what the inputs were that the stored table was made of, the rows that came and went since are at hand, and
//! what they reach can be told: the other rows are written as they are stored. Where nothing came out otherwise, the table stays, with a
//! ledger of the new inputs.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;

use super::build::{BuildCounts, BuildError, Built, TableBuild};
use super::kept_groups::DividedOnce;
use super::session::Session;
use mep_contract::executor::EngineError;
use mep_contract::executor::keyed::{ChangedRows, ContentChange, KeyedRows, ReplacedRows, StoredRows};
use mep_contract::warehouse::{DataFile, Partition, PartitionKey, TableVersion};
use mep_core::quantity::plural;
use mep_core::relation::Relation;
use mep_graph::CompiledModel;
use mep_plan::{PartitionBuild, was_made_of};
use mep_sql::PlannedQuery;

/// Files of a table that have fewer bytes are small.
pub(super) const SMALL_FILE: u64 = 256 * 1024;

/// Which rows of a table became others, as its build by key found.
#[derive(Clone, Debug)]
pub(super) struct KnownChange {
    before: Arc<Vec<DataFile>>,
    now: Arc<Vec<DataFile>>,
    rows: Arc<ChangedRows>,
}

impl KnownChange {
    /// Whether it is what became of the content before a change.
    fn is_of(&self, change: &ContentChange) -> bool {
        let is = |files: &Arc<Vec<DataFile>>, content| files_of(content).is_some_and(|of| of == *files);
        is(&self.before, &change.before) && is(&self.now, &change.now)
    }
}

/// The files of a table without partitions.
fn files_of(table: &TableVersion) -> Option<Arc<Vec<DataFile>>> {
    let (_, partition) = table.partitions().next().filter(|_| table.partition_columns().is_empty())?;
    Some(partition.files.clone())
}

impl Session<'_> {
    /// The build of a table by the keys that its changed inputs reach, as far as these are known, with what is to be said of it; `None` where
    /// all of it is to be built.
    pub(super) fn by_key(
        &self,
        table: &TableBuild<'_>,
        divided: &DividedOnce<'_>,
        build: &PartitionBuild,
        changed: Option<&[ContentChange]>,
    ) -> Result<Option<(Built, String)>, BuildError> {
        let (Some(stored), Some(changed)) = (self.stored(table.relation), changed) else {
            tracing::debug!("what {} was made of is not known", table.relation);
            return Ok(None);
        };
        if !build.is_of_inputs() || divided.model.is_volatile {
            return Ok(None);
        }
        if changed.is_empty() {
            return Ok(self.came_out_same(table, build, &stored));
        }
        if !stored.groups.is_empty() {
            let ways = self.divided(table, divided)?;
            if !ways.is_empty() {
                // Where groups cannot be carried on, they are made anew with all rows.
                let file_bytes = self.bytes_of_a_file(divided.model);
                return self.by_groups(table, build, (&stored, file_bytes), ways, changed);
            }
        }
        let found = self.rows_of_keys(table, table.plan()?, (&stored, SMALL_FILE), changed);
        self.of_keys(table, build, &stored, found)
    }

    /// The rows of a table's SELECT, or of what stands for it, made of what is stored, in files of which those of fewer bytes are small, and of what
    /// changed; `None` where all rows are to be made.
    pub(super) fn rows_of_keys(
        &self,
        table: &TableBuild<'_>,
        query: PlannedQuery,
        (stored, small_bytes): (&TableVersion, u64),
        changed: &[ContentChange],
    ) -> Option<KeyedRows> {
        let mut collect = |plan| self.collected(plan);
        let rows = StoredRows {
            table: stored,
            folder: &self.warehouse.table_folder(table.relation),
            schema: &stored.schema,
            keeps_files: !self.warehouse.has_one_folder_a_partition(),
            small_bytes,
        };
        self.engine.rows_by_key(query, &rows, changed, &mut collect).unwrap_or_else(|error| {
            tracing::debug!("which rows of {} can be others cannot be told: {error}", table.relation);
            None
        })
    }

    /// The table of what was found of its keys, with what is to be said of it.
    pub(super) fn of_keys(
        &self,
        table: &TableBuild<'_>,
        build: &PartitionBuild,
        stored: &TableVersion,
        found: Option<KeyedRows>,
    ) -> Result<Option<(Built, String)>, BuildError> {
        match found {
            None => Ok(None),
            Some(KeyedRows::Same) => Ok(self.came_out_same(table, build, stored)),
            Some(KeyedRows::Replaced(replaced)) => {
                let (said, rows) = (said(&replaced), replaced.changed.clone());
                let built = self.block_on(table.of_keys(build, *replaced))?;
                if let (Some(before), Some(now)) = (files_of(stored), files_of(&built.table)) {
                    self.note_change(table.relation, KnownChange { before, now, rows });
                }
                Ok(Some((built, said)))
            }
        }
    }

    fn came_out_same(
        &self,
        table: &TableBuild<'_>,
        build: &PartitionBuild,
        stored: &TableVersion,
    ) -> Option<(Built, String)> {
        self.note_same(table.relation, [PartitionKey::whole()].into_iter());
        let built = table.confirmed(build, stored)?;
        Some((built, "all rows came out as they were".to_owned()))
    }

    /// The inputs of a model whose content is another one than what a stored table was made of by the model as it is; `None` where
    /// it was made otherwise, or where that cannot be compared.
    pub(super) fn changed_inputs(
        &self,
        model: &CompiledModel,
        stored: &TableVersion,
    ) -> Option<Vec<ContentChange>> {
        let (_, partition) = stored.partitions().next()?;
        let is_as_it_is = stored.partition_columns().is_empty()
            && stored.schema == model.schema
            && partition.ledger.fingerprint == model.fingerprint;
        let mut changed: BTreeMap<&Relation, ContentChange> = BTreeMap::new();
        for scan in model.alignment.scans.iter().filter(|_| is_as_it_is) {
            let relation = &scan.relation;
            let before = self.content_that_made(model, stored, relation)?;
            if let Some(change) = ContentChange::of(relation, &before, &self.stored(relation)?).ok()? {
                let rows = self.known_change(relation).filter(|known| known.is_of(&change));
                changed.insert(relation, ContentChange { rows: rows.map(|known| known.rows), ..change });
            }
        }
        is_as_it_is.then(|| changed.into_values().collect())
    }

    /// The content of an input that a stored table was made of, where it is still known.
    fn content_that_made(
        &self,
        model: &CompiledModel,
        stored: &TableVersion,
        relation: &Relation,
    ) -> Option<Arc<TableVersion>> {
        let made =
            |content: &Arc<TableVersion>| was_made_of(self.engine.scope(), model, stored, relation, content);
        let at_hand = self.stored(relation).into_iter().chain(self.before.get(relation).cloned());
        at_hand.into_iter().find(made).or_else(|| self.former(relation).into_iter().find(made))
    }

    /// What a table was before the run, the latest first.
    pub(super) fn former(&self, relation: &Relation) -> Vec<Arc<TableVersion>> {
        match self.warehouse.read_former(relation) {
            Ok(former) => former.into_iter().map(Arc::new).collect(),
            // What cannot be read says nothing; all is built then.
            Err(error) => {
                tracing::debug!("what {relation} was before cannot be read: {error}");
                Vec::new()
            }
        }
    }

    /// The rows of a plan, for what asks in the middle of making another one.
    pub(super) fn collected(&self, query: PlannedQuery) -> Result<Vec<RecordBatch>, EngineError> {
        // What ends it is told where the run goes on, which it does not where it was interrupted.
        self.block_on(self.engine.collect(query)).map_err(|error| EngineError::Worker(error.to_string()))
    }
}

impl TableBuild<'_> {
    /// The table as it is stored, with the ledger of a build that would come to the same.
    fn confirmed(&self, build: &PartitionBuild, stored: &TableVersion) -> Option<Built> {
        let (key, partition) = stored.partitions().next()?;
        let ledger = self.ledger_of_same(build, &partition.ledger.run);
        let partition = Partition { files: partition.files.clone(), ledger: Arc::new(ledger) };
        let mut built = self.built(BTreeMap::from([(key.clone(), partition)]), BuildCounts::default());
        built.table.groups.clone_from(&stored.groups);
        Some(built)
    }

    /// The table of the rows of some keys, and of the files that hold none of these.
    async fn of_keys(&self, build: &PartitionBuild, replaced: ReplacedRows) -> Result<Built, BuildError> {
        let new: Vec<DataFile> =
            self.engine.write(replaced.rows, &self.output()).await?.into_values().flatten().collect();
        let written = BuildCounts::of_files(&new);
        let files = replaced.kept.into_iter().chain(new).collect();
        let partition = Partition { files: Arc::new(files), ledger: Arc::new(self.ledger_of(build)) };
        Ok(self.built(BTreeMap::from([(PartitionKey::whole(), partition)]), written))
    }
}

fn said(replaced: &ReplacedRows) -> String {
    let values = plural(replaced.keys as u64, "value");
    if replaced.columns.is_empty() {
        return "its one row was carried on".to_owned();
    }
    format!("by {}: {values} looked at", replaced.columns.join(", "))
}
