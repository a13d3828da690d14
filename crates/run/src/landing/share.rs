//! What one thread of a landing wrote, and what all of them wrote together.

use std::collections::BTreeMap;

use crate::landed_columns::LandedColumns;
use crate::rejects::FirstRejects;
use mep_contract::source::RejectedRows;
use mep_contract::warehouse::WrittenFiles;

#[derive(Clone, Copy, Default)]
pub(super) struct LandingCounts {
    pub(super) read: u64,
    pub(super) landed: u64,
    pub(super) rejected: u64,
    pub(super) rejected_rows: RejectedRows,
    pub(super) withheld: u64,
}

/// What one thread wrote.
#[derive(Default)]
pub(super) struct Share {
    pub(super) rows: WrittenFiles,
    pub(super) rejects: WrittenFiles,
    pub(super) counts: BTreeMap<usize, LandingCounts>,
    pub(super) columns: LandedColumns,
    /// What the readers of units that ended here said of their end.
    pub(super) marks: BTreeMap<usize, String>,
    /// The schemas that the readers of such units read by.
    pub(super) schemas: BTreeMap<usize, String>,
    pub(super) first_rejects: FirstRejects,
    /// Of each unit, the rejected row that comes first.
    pub(super) first_of_unit: BTreeMap<usize, (u64, String)>,
}

impl Share {
    /// This row of a unit was rejected.
    pub(super) fn note_first(&mut self, unit: usize, line: u64, reason: &str) {
        if self.first_of_unit.get(&unit).is_none_or(|(first, _)| line < *first) {
            self.first_of_unit.insert(unit, (line, reason.to_owned()));
        }
    }
}

pub(super) fn merge(all: &mut WrittenFiles, more: WrittenFiles) {
    for (key, mut files) in more {
        all.entry(key).or_default().append(&mut files);
    }
}
