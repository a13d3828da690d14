//! Which of the planned builds may come to what is stored already.
//!
//! A version says that inputs are not the same, not what of them a partition holds. Once the inputs are built, more is
//! known: an input's partition may have come to the content that it had, and of a table that is read as a whole only
//! some rows may be others.

use std::collections::{BTreeMap, BTreeSet};

use super::partitions::{Known, PartitionBuild};
use super::reason::ALL;
use crate::graph::CompiledModel;
use crate::relation::Relation;
use crate::warehouse::{Partition, PartitionKey, Version};

/// What a run knows of the tables that a model reads.
pub struct Inputs<'a> {
    /// As they were when the run began, by the name that ledgers have for them.
    before: BTreeMap<String, Before<'a>>,
}

/// A table as it was, as far as the model reads it.
struct Before<'a> {
    relation: &'a Relation,
    /// Of the columns that the model reads.
    digest: Version,
    /// Of these columns, for the partitions that were published since with the content that they had.
    same: BTreeMap<String, Version>,
}

impl<'a> Inputs<'a> {
    /// The inputs of a model, of which `before` says what they were when the run began and `same` which partitions were
    /// published since with the content that they had.
    pub fn of(
        model: &'a CompiledModel,
        before: &dyn Fn(&Relation) -> Option<Known>,
        same: &BTreeMap<Relation, BTreeSet<PartitionKey>>,
    ) -> Self {
        let reads = model.recipe.iter().flat_map(|recipe| &recipe.reads);
        let tables = reads.filter_map(|(relation, columns)| {
            let known = before(relation)?;
            let is_same = |key: &PartitionKey| same.get(relation).is_some_and(|same| same.contains(key));
            let partitions = known.partitions.iter().filter(|(key, _)| is_same(key));
            let same =
                partitions.map(|(key, partition)| (key.to_string(), partition.version_of(columns))).collect();
            let digest = known.digest(Some(columns));
            Some((relation.to_string(), Before { relation, digest, same }))
        });
        Self { before: tables.collect() }
    }

    /// What became of the input that a ledger noted by this table, key and version.
    fn change(&self, table: &str, key: &str, noted: &Version) -> Change<'a> {
        match self.before.get(table) {
            Some(before) if key == ALL && before.digest == *noted => Change::Rows(before.relation),
            Some(before) if before.same.get(key) == Some(noted) => Change::Nothing,
            _ => Change::Unknown,
        }
    }
}

/// What became of an input.
enum Change<'a> {
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
        inputs: &Inputs<'_>,
    ) -> Self {
        if !build.is_of_inputs() || stored.ledger.fingerprint != model.fingerprint {
            return Self::Certain;
        }
        let (old, new) = (&stored.ledger.inputs.0, &build.inputs.0);
        let mut perhaps = BTreeSet::new();
        let tables: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for table in tables {
            let (Some(old), Some(new)) = (old.get(table), new.get(table)) else { return Self::Certain };
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
                let (Some(noted), true) = (old.get(key), new.contains_key(key)) else {
                    return Self::Certain;
                };
                match inputs.change(table, key, noted) {
                    Change::Nothing => {}
                    Change::Rows(relation) => {
                        perhaps.insert(relation.clone());
                    }
                    Change::Unknown => return Self::Certain,
                }
            }
        }
        Self::Perhaps(perhaps)
    }
}
