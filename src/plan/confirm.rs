//! Which of the planned builds may come to what is stored already.
//!
//! A version says that inputs are not the same, not what of them a partition holds. Once the inputs are built, more is
//! known: an input's partition may have come to the content that it had, and of a table that is read as a whole only
//! some rows may be others.

use std::collections::{BTreeMap, BTreeSet};

use super::partitions::{Known, PartitionBuild};
use super::reason::{ALL, Reason};
use crate::graph::CompiledModel;
use crate::relation::Relation;
use crate::warehouse::{Partition, PartitionKey, Version};

/// What a run knows of the tables that a model reads.
pub struct Inputs<'a> {
    /// As they were when the run began.
    pub before: &'a BTreeMap<Relation, Known>,
    /// Partitions that were published since with the content that they had.
    pub same: &'a BTreeMap<Relation, BTreeSet<PartitionKey>>,
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
        let is_of_inputs = matches!(build.reason, Reason::InputsChanged { .. });
        if !is_of_inputs || stored.ledger.fingerprint != model.fingerprint {
            return Self::Certain;
        }
        let (old, new) = (&stored.ledger.inputs.0, &build.inputs.0);
        let mut perhaps = BTreeSet::new();
        let tables: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for table in tables {
            let (Some(old), Some(new)) = (old.get(table), new.get(table)) else { return Self::Certain };
            let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
            for key in keys.into_iter().filter(|key| old.get(*key) != new.get(*key)) {
                let scan = model.alignment.scans.iter().find(|scan| scan.relation.to_string() == *table);
                let (Some(scan), Some(noted), true) = (scan, old.get(key), new.contains_key(key)) else {
                    return Self::Certain;
                };
                match inputs.change(model, &scan.relation, key, noted) {
                    Change::Nothing => {}
                    Change::Rows => {
                        perhaps.insert(scan.relation.clone());
                    }
                    Change::Unknown => return Self::Certain,
                }
            }
        }
        Self::Perhaps(perhaps)
    }
}

enum Change {
    /// The content is what it was.
    Nothing,
    /// Some rows of a table that is read as a whole; which ones, both of its contents tell.
    Rows,
    Unknown,
}

impl Inputs<'_> {
    /// What became of the input that a ledger noted by this key and version.
    fn change(&self, model: &CompiledModel, relation: &Relation, key: &str, noted: &Version) -> Change {
        let columns = model.recipe.as_ref().and_then(|recipe| recipe.reads.get(relation));
        let (Some(columns), Some(before)) = (columns, self.before.get(relation)) else {
            return Change::Unknown;
        };
        if key == ALL {
            let is_known = before.digest(Some(columns)) == *noted;
            return if is_known { Change::Rows } else { Change::Unknown };
        }
        let found = before.partitions.iter().find(|(found, _)| found.to_string() == key);
        let is_same = |found: &PartitionKey| self.same.get(relation).is_some_and(|same| same.contains(found));
        match found {
            Some((found, partition)) if is_same(found) && partition.version_of(columns) == *noted => {
                Change::Nothing
            }
            _ => Change::Unknown,
        }
    }
}
