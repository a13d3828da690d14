//! Which of the planned builds may come to what is stored already.
//!
//! A version says that inputs are not the same, not what of them a partition holds. Once the inputs are built, more is
//! known: an input's partition may have come to the content that it had, and of a table that is read as a whole only
//! some rows may be others.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::partitions::PartitionBuild;
use super::table_state::TableState;
use mep_contract::warehouse::{InputKey, Partition, PartitionKey, Version};
use mep_core::relation::Relation;
use mep_graph::CompiledModel;

/// What a run knows of the tables that a model reads.
pub struct ReadTables<'a> {
    /// As they were when the run began, by the name that ledgers have for them.
    before: BTreeMap<String, TableBefore<'a>>,
    /// What they were when the run began.
    known: &'a dyn Fn(&Relation) -> Option<TableState>,
    /// Which partitions were published since with the content that they had.
    same: &'a BTreeMap<Relation, BTreeSet<PartitionKey>>,
}

/// A table as it was, as far as the model reads it: made only when it is asked for.
struct TableBefore<'a> {
    relation: &'a Relation,
    columns: &'a BTreeSet<String>,
    /// Of the columns that the model reads.
    digest: OnceCell<Option<Version>>,
    /// Of these columns, for the partitions that were published since with the content that they had.
    same: OnceCell<BTreeMap<InputKey, Version>>,
}

impl<'a> ReadTables<'a> {
    /// The inputs of a model, of which `known` says what they were when the run began and `same` which partitions were
    /// published since with the content that they had.
    pub fn of(
        model: &'a CompiledModel,
        known: &'a dyn Fn(&Relation) -> Option<TableState>,
        same: &'a BTreeMap<Relation, BTreeSet<PartitionKey>>,
    ) -> Self {
        let reads = model.recipe.iter().flat_map(|recipe| &recipe.reads);
        let tables = reads.map(|(relation, columns)| {
            let (digest, same) = (OnceCell::new(), OnceCell::new());
            (relation.to_string(), TableBefore { relation, columns, digest, same })
        });
        Self { before: tables.collect(), known, same }
    }

    /// What became of the input that a ledger noted by this table, key and version.
    fn change(&self, table: &str, key: &InputKey, noted: &Version) -> InputChange<'a> {
        let Some(before) = self.before.get(table) else { return InputChange::Unknown };
        if key.is_all() && self.digest(before) == Some(noted) {
            InputChange::Rows(before.relation)
        } else if self.same_versions(before).get(key) == Some(noted) {
            InputChange::Nothing
        } else {
            InputChange::Unknown
        }
    }

    fn digest<'b>(&self, before: &'b TableBefore<'a>) -> Option<&'b Version> {
        let digest = before
            .digest
            .get_or_init(|| (self.known)(before.relation).map(|known| known.digest(Some(before.columns))));
        digest.as_ref()
    }

    fn same_versions<'b>(&self, before: &'b TableBefore<'a>) -> &'b BTreeMap<InputKey, Version> {
        before.same.get_or_init(|| {
            let same = self.same.get(before.relation).filter(|same| !same.is_empty());
            let Some((same, known)) = same.zip((self.known)(before.relation)) else { return BTreeMap::new() };
            let partitions = same.iter().filter_map(|key| known.partitions.get_key_value(key));
            partitions
                .map(|(key, partition)| (InputKey::of(key), partition.version_of(before.columns)))
                .collect()
        })
    }
}

/// What became of an input.
enum InputChange<'a> {
    /// The content is what it was.
    Nothing,
    /// Some rows of a table that is read as a whole; which ones, both of its contents tell.
    Rows(&'a Relation),
    Unknown,
}

/// By what a partition that is to be built is touched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touch {
    /// By something that asks for the build.
    Certain,
    /// By nothing but changes in these tables, of which it may hold nothing; with none, by nothing.
    Perhaps(BTreeSet<Relation>),
}

impl Touch {
    /// By what a planned build is touched, where this is stored.
    pub fn of(
        model: &CompiledModel,
        stored: &Partition,
        build: &PartitionBuild,
        inputs: &ReadTables<'_>,
    ) -> Self {
        if !build.is_of_inputs() || stored.ledger.fingerprint != model.fingerprint {
            return Self::Certain;
        }
        let (old, new) = (&stored.ledger.inputs.0, &build.inputs.0);
        let mut perhaps = BTreeSet::new();
        let tables: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for table in tables {
            let (Some(old), Some(new)) = (old.get(table), new.get(table)) else { return Self::Certain };
            let keys: BTreeSet<&InputKey> = old.keys().chain(new.keys()).collect();
            for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
                let (Some(noted), true) = (old.get(key), new.contains_key(key)) else {
                    return Self::Certain;
                };
                match inputs.change(table, key, noted) {
                    InputChange::Nothing => {}
                    InputChange::Rows(relation) => {
                        perhaps.insert(relation.clone());
                    }
                    InputChange::Unknown => return Self::Certain,
                }
            }
        }
        Self::Perhaps(perhaps)
    }
}
