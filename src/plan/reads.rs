//! What a part of a model reads of its inputs, and how a ledger notes that.

use std::collections::{BTreeMap, BTreeSet};

use super::known::KnownPartition;
use crate::relation::Relation;
use crate::warehouse::{Fingerprint, Inputs, Version};

/// The columns of a table.
#[derive(Clone, Copy)]
pub(super) enum Columns<'a> {
    All,
    /// All, or of landed rows: which ones there are.
    AllOrRows,
    Some(&'a BTreeSet<String>),
    /// All, or of landed rows: these columns.
    AllOrSome(&'a BTreeSet<String>),
}

impl Columns<'_> {
    /// Their version in a partition.
    pub(super) fn version(self, partition: &KnownPartition) -> Version {
        let of_rows = partition.landed_rows();
        match self {
            Self::Some(columns) => partition.version_of(columns),
            Self::AllOrSome(columns) if of_rows.is_some() => partition.version_of(columns),
            Self::AllOrRows => of_rows.unwrap_or(&partition.version).clone(),
            Self::All | Self::AllOrSome(_) => partition.version.clone(),
        }
    }
}

/// How the columns that are read are noted.
#[derive(Clone, Copy)]
pub(super) enum Reads<'a> {
    All,
    AllOrRows,
    /// By table.
    Some(&'a BTreeMap<Relation, BTreeSet<String>>),
    AllOrSome(&'a BTreeMap<Relation, BTreeSet<String>>),
}

/// The part of a model that versions are made for: all of it, or one column.
pub(super) struct Part<'a> {
    pub(super) fingerprint: &'a Fingerprint,
    /// The columns that it reads.
    pub(super) reads: Reads<'a>,
    /// The inputs that are the same for each partition of the output.
    pub(super) shared: Inputs,
}

impl<'a> Part<'a> {
    /// The columns of a table that it reads; `None` where it reads nothing of it.
    pub(super) fn columns(&self, relation: &Relation) -> Option<Columns<'a>> {
        match self.reads {
            Reads::All => Some(Columns::All),
            Reads::AllOrRows => Some(Columns::AllOrRows),
            Reads::Some(reads) => reads.get(relation).map(Columns::Some),
            Reads::AllOrSome(reads) => Some(reads.get(relation).map_or(Columns::All, Columns::AllOrSome)),
        }
    }
}
