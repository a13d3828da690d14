//! What a part of a model reads of its inputs, and how a ledger notes that.

use std::collections::{BTreeMap, BTreeSet};

use super::table_state::PartitionState;
use super::table_states::TableStates;
use mep_contract::warehouse::{Inputs, Version};
use mep_core::fingerprint::Fingerprint;
use mep_core::relation::Relation;

/// The columns of a table.
#[derive(Clone, Copy)]
pub(super) enum ReadColumns<'a> {
    All,
    /// All, or of landed rows: which ones there are.
    AllOrRows,
    /// These, stored as these types.
    Some(&'a BTreeSet<String>, &'a Version),
    /// All, or of landed rows: these columns, of whatever types.
    AllOrSome(&'a BTreeSet<String>),
}

impl<'a> ReadColumns<'a> {
    /// Their version in a partition.
    pub(super) fn version(self, partition: &PartitionState) -> Version {
        let noted = match self {
            Self::Some(columns, _) => return partition.version_of(columns),
            Self::AllOrSome(columns) => partition.landed_version_of(columns),
            Self::AllOrRows => partition.landed_rows(),
            Self::All => None,
        };
        noted.unwrap_or(&partition.version).clone()
    }

    /// Of landed rows: as what types the columns are stored, which is noted beside the versions. What reads them may be built
    /// before they are landed as what they are declared as by now.
    pub(super) fn stored_as(self, partition: &PartitionState) -> Option<&'a Version> {
        match self {
            Self::Some(_, stored_as) if partition.landed_rows().is_some() => Some(stored_as),
            Self::Some(..) | Self::All | Self::AllOrRows | Self::AllOrSome(_) => None,
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
pub(super) struct ModelPart<'a> {
    pub(super) fingerprint: &'a Fingerprint,
    /// The columns that it reads.
    reads: Reads<'a>,
    /// As what types these are stored, by table.
    stored_as: BTreeMap<&'a Relation, Version>,
    /// The inputs that are the same for each partition of the output.
    pub(super) shared: Inputs,
}

impl<'a> ModelPart<'a> {
    /// A part that reads these columns of these tables.
    pub(super) fn of(fingerprint: &'a Fingerprint, reads: Reads<'a>, tables: &TableStates) -> Self {
        let mut stored_as = BTreeMap::new();
        if let Reads::Some(reads) = reads {
            let tables = reads.iter().map(|(relation, columns)| (relation, columns, tables.get(relation)));
            stored_as.extend(
                tables.filter_map(|(relation, columns, known)| Some((relation, known?.stored_as(columns)))),
            );
        }
        Self { fingerprint, reads, stored_as, shared: Inputs::default() }
    }

    /// The columns of a table that it reads; `None` where it reads nothing of it.
    pub(super) fn columns(&self, relation: &Relation) -> Option<ReadColumns<'_>> {
        match self.reads {
            Reads::All => Some(ReadColumns::All),
            Reads::AllOrRows => Some(ReadColumns::AllOrRows),
            Reads::Some(reads) => {
                Some(ReadColumns::Some(reads.get(relation)?, self.stored_as.get(relation)?))
            }
            Reads::AllOrSome(reads) => {
                Some(reads.get(relation).map_or(ReadColumns::All, ReadColumns::AllOrSome))
            }
        }
    }
}
