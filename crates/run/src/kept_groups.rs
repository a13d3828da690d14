//! Building a table by way of groups that are kept beside it.
//!
//! Where a SELECT makes groups of tables that grow, these are written first, and the table is made of them. The next run carries the groups
//! on, and makes those rows of the table that the groups which changed reach. Groups are published with the table, in one step.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::build::{BuildError, Built, TableBuild};
use super::by_key::SMALL_FILE;
use super::session::Session;
use mep_contract::executor::keyed::{ContentChange, KeyedRows};
use mep_contract::warehouse::{
    BuildFolder, Content, DataFile, Inputs, KeptGroups, Partition, PartitionKey, Spread, TableVersion,
    Version, WriteTarget,
};
use mep_core::relation::Relation;
use mep_graph::CompiledModel;
use mep_plan::PartitionBuild;
use mep_sql::PlannedQuery;
use mep_sql::keyed::{DividedQuery, Groups};

/// Into about so many files goes what all that a table reads would take: those with changed groups are written anew each time, so they are to be few of
/// many.
const FILES: u64 = 512;
/// Bytes at which a file of groups is full, at least and at most.
const FILE_BYTES: std::ops::RangeInclusive<u64> = 32 * 1024..=16 * 1024 * 1024;
/// Groups of so few bytes are kept whatever they are made of.
const LITTLE: u64 = 1024 * 1024;

/// How a model's SELECT is divided: found out where it is first asked for.
pub(super) struct DividedOnce<'a> {
    pub(super) model: &'a CompiledModel,
    /// Whether rows go from its inputs.
    loses: bool,
    found: OnceCell<Vec<DividedQuery>>,
}

impl Session<'_> {
    /// What tells how a table's SELECT is divided. `changed` are its changed inputs, as far as these are known.
    pub(super) fn divided_once<'a>(
        &self,
        relation: &Relation,
        model: &'a CompiledModel,
        changed: Option<&[ContentChange]>,
    ) -> DividedOnce<'a> {
        // Rows went from its inputs since it was built, or did so before.
        let went = |change: &ContentChange| change.gone().partitions().next().is_some();
        let loses = self.stored(relation).is_some_and(|stored| !stored.groups.is_empty())
            || changed.is_some_and(|changed| changed.iter().any(went));
        DividedOnce { model, loses, found: OnceCell::new() }
    }

    /// The ways to divide a table's SELECT into groups to be kept and what is made of them; none where none are kept.
    pub(super) fn divided<'a>(
        &self,
        table: &TableBuild<'_>,
        once: &'a DividedOnce<'_>,
    ) -> Result<&'a [DividedQuery], BuildError> {
        if let Some(divided) = once.found.get() {
            return Ok(divided);
        }
        let divided = self.divided_anew(table, once.model, once.loses)?;
        Ok(once.found.get_or_init(|| divided))
    }

    fn divided_anew(
        &self,
        table: &TableBuild<'_>,
        model: &CompiledModel,
        loses: bool,
    ) -> Result<Vec<DividedQuery>, BuildError> {
        let can_keep = model.partition_columns.is_empty()
            && !model.is_volatile
            && !self.warehouse.has_one_folder_a_partition();
        if !can_keep {
            return Ok(Vec::new());
        }
        let grows = |relation: &Relation| {
            self.stored(relation).is_some_and(|table| !table.partition_columns().is_empty())
        };
        let ways = DividedQuery::ways(self.engine.scope(), &table.plan()?, &grows, loses);
        Ok(ways.unwrap_or_else(|error| {
            // What cannot be divided is built as it is, which says what is wrong with it.
            tracing::debug!("{} cannot be divided: {error}", table.relation);
            Vec::new()
        }))
    }

    /// Builds all of a table, and the groups on the way to it, where some are kept.
    pub(super) fn whole(
        &self,
        table: &TableBuild<'_>,
        divided: &DividedOnce<'_>,
        build: &PartitionBuild,
    ) -> Result<Built, BuildError> {
        let ways = self.divided(table, divided)?;
        if ways.is_empty() {
            return self.block_on(table.whole(build));
        }
        match self.whole_by_groups(table, build, divided.model, ways) {
            Err(BuildError::Engine(error)) => {
                // The SELECT as it was written says what is wrong with it, and where.
                tracing::debug!("{} cannot be made of its groups: {error}", table.relation);
                self.block_on(table.whole(build))
            }
            built => built,
        }
    }

    /// By the first way whose groups are few enough to be kept. Groups that are too many are read by the next one, so that nothing is read twice.
    fn whole_by_groups(
        &self,
        table: &TableBuild<'_>,
        build: &PartitionBuild,
        model: &CompiledModel,
        ways: &[DividedQuery],
    ) -> Result<Built, BuildError> {
        let scope = self.engine.scope();
        let (of_inputs, file_bytes) = (self.to_read_inputs(model), self.bytes_of_a_file(model));
        let mut lower: Option<(&DividedQuery, KnownGroups<'_>)> = None;
        for (at, divided) in ways.iter().enumerate() {
            let mut known = KnownGroups::new(table, lower.as_ref().map_or(0, |(_, known)| known.next()));
            for groups in divided.groups() {
                let part = format!("groups{}", known.next());
                let rows = match &lower {
                    Some((lower, known)) => lower.groups_above(scope, &known.names, groups)?,
                    None => groups.rows.clone(),
                };
                let files = self.block_on(table.write_groups(&part, file_bytes, groups, rows))?;
                known.add(kept(groups, files))?;
            }
            let bytes: u64 = known.groups.iter().map(KeptGroups::bytes).sum();
            let are_few = bytes <= LITTLE || to_read(known.files()) <= of_inputs / 2;
            if !are_few && at + 1 < ways.len() {
                lower = Some((divided, known));
                continue;
            }
            let rest = divided.rest(scope, &known.names)?;
            let mut built = self.block_on(table.all_rows(rest, build, &table.output_of_part("made")))?;
            if are_few {
                built.table.groups.clone_from(&known.groups);
            }
            return Ok(built);
        }
        self.block_on(table.whole(build))
    }

    /// What it takes to read all that a model reads.
    fn to_read_inputs(&self, model: &CompiledModel) -> u64 {
        let relations: BTreeSet<&Relation> =
            model.alignment.scans.iter().map(|scan| &scan.relation).collect();
        let tables = relations.into_iter().filter_map(|relation| self.stored(relation));
        tables
            .map(|table| to_read(table.partitions().flat_map(|(_, partition)| partition.files.iter())))
            .sum()
    }

    /// Bytes at which a file of groups that are made of a model's inputs is full.
    pub(super) fn bytes_of_a_file(&self, model: &CompiledModel) -> u64 {
        (self.to_read_inputs(model) / FILES).clamp(*FILE_BYTES.start(), *FILE_BYTES.end())
    }

    /// Builds those rows of a table that changed groups and other changed tables reach; `None` where the stored groups cannot be
    /// carried on.
    pub(super) fn by_groups(
        &self,
        table: &TableBuild<'_>,
        build: &PartitionBuild,
        (stored, file_bytes): (&TableVersion, u64),
        ways: &[DividedQuery],
        changed: &[ContentChange],
    ) -> Result<Option<(Built, String)>, BuildError> {
        let is_kept = |divided: &&DividedQuery| {
            divided.groups().len() == stored.groups.len()
                && divided.groups().iter().zip(&stored.groups).all(|(groups, kept)| are_kept(groups, kept))
        };
        let Some(divided) = ways.iter().find(is_kept) else { return Ok(None) };
        let mut known = KnownGroups::new(table, 0);
        let mut changes = changed.to_vec();
        for (at, (groups, old)) in divided.groups().iter().zip(&stored.groups).enumerate() {
            let before = Arc::new(table.table_of_groups(old));
            let found = self.rows_of_keys(table, groups.rows.clone(), (&before, file_bytes / 2), changed);
            let (now, rows) = match found {
                None => return Ok(None),
                Some(KeyedRows::Same) => (old.clone(), None),
                Some(KeyedRows::Replaced(replaced)) => {
                    let part = format!("carried{at}");
                    let new = self.block_on(table.write_groups(&part, file_bytes, groups, replaced.rows))?;
                    let now = kept(groups, replaced.kept.into_iter().chain(new).collect());
                    (now, Some(replaced.changed))
                }
            };
            let now_table = Arc::new(table.table_of_groups(&now));
            let name = known.add(now)?;
            if let Ok(Some(change)) = ContentChange::of(&name, &before, &now_table) {
                let folder = Some(self.warehouse.table_folder(table.relation));
                changes.push(ContentChange { folder, rows, ..change });
            }
        }
        let rest = divided.rest(self.engine.scope(), &known.names)?;
        let found = self.rows_of_keys(table, rest.clone(), (stored, SMALL_FILE), &changes);
        let (mut built, said) = if let Some(built) = self.of_keys(table, build, stored, found)? {
            built
        } else {
            let built = match self.block_on(table.all_rows(rest, build, &table.output_of_part("carried"))) {
                Err(BuildError::Engine(_)) => return Ok(None),
                built => built?,
            };
            let built = self.keeping_same_rows(table, built, (std::slice::from_ref(build), &[]));
            (built, "its groups were carried on".to_owned())
        };
        built.table.groups.clone_from(&known.groups);
        Ok(Some((built, said)))
    }
}

/// Groups that SQL knows while a table is built of them.
struct KnownGroups<'a> {
    table: &'a TableBuild<'a>,
    /// How many are known beside these.
    others: usize,
    names: Vec<Relation>,
    groups: Vec<KeptGroups>,
}

impl<'a> KnownGroups<'a> {
    fn new(table: &'a TableBuild<'_>, others: usize) -> Self {
        Self { table, others, names: Vec::new(), groups: Vec::new() }
    }

    fn files(&self) -> impl Iterator<Item = &DataFile> {
        self.groups.iter().flat_map(|groups| groups.files.iter())
    }

    /// The number that the next ones have.
    fn next(&self) -> usize {
        self.others + self.names.len()
    }

    /// Makes more groups known, and says by which name.
    fn add(&mut self, groups: KeptGroups) -> Result<Relation, BuildError> {
        let name = self.table.relation.kept_groups(self.next());
        let folder = self.table.warehouse.table_folder(self.table.relation);
        self.table.engine.register_aside(&name, folder, self.table.table_of_groups(&groups))?;
        self.names.push(name.clone());
        self.groups.push(groups);
        Ok(name)
    }
}

impl Drop for KnownGroups<'_> {
    fn drop(&mut self) {
        for name in &self.names {
            // A name that stays known is read by nobody.
            let _ = self.table.engine.forget(name);
        }
    }
}

impl TableBuild<'_> {
    /// Writes groups, in the order of their keys, to a folder of their own: what fails on the way leaves files there, and the build goes on
    /// elsewhere.
    async fn write_groups(
        &self,
        part: &str,
        file_bytes: u64,
        groups: &Groups,
        rows: PlannedQuery,
    ) -> Result<Vec<DataFile>, BuildError> {
        let target = WriteTarget {
            schema: groups.schema.clone(),
            partition_columns: Vec::new(),
            spread: Spread::InOrder { file_bytes, by: groups.keys() },
            ..self.output_in(BuildFolder::part(self.run, part))
        };
        let written = self.engine.write(groups.in_order(rows)?, &target).await?;
        Ok(written.into_values().flatten().collect())
    }

    /// Groups, as a table that SQL can read.
    fn table_of_groups(&self, groups: &KeptGroups) -> TableVersion {
        let ledger = self.ledger(Inputs::default(), Version::of([]));
        let partition = Partition { files: groups.files.clone(), ledger: Arc::new(ledger) };
        let content = Content::Table {
            partition_columns: Vec::new(),
            partitions: BTreeMap::from([(PartitionKey::whole(), partition)]),
            batches: BTreeMap::new(),
        };
        let (schema, run) = (groups.schema.clone(), self.run.clone());
        TableVersion::new(schema, content, run)
    }
}

/// What it takes to read files, each of which may hold several partitions.
fn to_read<'a>(files: impl Iterator<Item = &'a DataFile>) -> u64 {
    let mut opened = BTreeSet::new();
    files.map(|file| file.bytes + if opened.insert(&file.path) { DataFile::OPENING } else { 0 }).sum()
}

/// Groups of a SELECT, as they are kept in files.
fn kept(groups: &Groups, files: Vec<DataFile>) -> KeptGroups {
    let (fingerprint, schema) = (groups.fingerprint.clone(), groups.schema.clone());
    KeptGroups { fingerprint, schema, files: Arc::new(files) }
}

/// Whether kept groups are those of a SELECT.
fn are_kept(groups: &Groups, kept: &KeptGroups) -> bool {
    groups.fingerprint == kept.fingerprint && groups.schema == kept.schema
}
