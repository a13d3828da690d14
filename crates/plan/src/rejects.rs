//! How many rows of a source were rejected, and whether that is more than the project lets pass.

use std::collections::{BTreeMap, BTreeSet};

use super::landing::LandingPlan;
use super::planner::UnitContent;
use mep_contract::warehouse::{LandedUnit, TableVersion};
use mep_lang::project::MaxRejected;

/// Rows that were read, and those among them that were rejected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rejects {
    /// All of them.
    pub read: u64,
    /// Those that were rejected.
    pub rejected: u64,
}

impl Rejects {
    /// Of all that was landed in a table, as it is by now.
    pub fn of(table: &TableVersion) -> Self {
        Self::of_units(table.batches().flat_map(|(_, batch)| &batch.units))
    }

    /// Of these units.
    pub fn of_units<'a>(units: impl IntoIterator<Item = &'a LandedUnit>) -> Self {
        units.into_iter().fold(Self::default(), |all, unit| all.and(unit.read, unit.rejected))
    }

    /// Of a landing and of all that the table then has, where the contents of the units to land are known.
    pub fn after(
        landed: Option<&TableVersion>,
        landing: &LandingPlan,
        contents: &BTreeMap<String, Option<UnitContent>>,
    ) -> Option<(Self, Self)> {
        let replaced: BTreeSet<&str> =
            landing.land.iter().filter_map(|(unit, _)| unit.batch.as_deref()).collect();
        let stays = landed.into_iter().flat_map(TableVersion::batches);
        let stays = stays.filter(|(name, _)| !replaced.contains(name.as_str()));
        let mut all = Self::of_units(stays.flat_map(|(_, batch)| &batch.units));
        let mut new = Self::default();
        for (unit, _) in &landing.land {
            let content = contents.get(&unit.id)?.as_ref()?;
            new = new.and(content.read, content.rejects);
            all = all.and(content.read, content.rejects);
        }
        Some((new, all))
    }

    /// The same with more rows.
    #[must_use]
    pub fn and(self, read: u64, rejected: u64) -> Self {
        Self { read: self.read + read, rejected: self.rejected + rejected }
    }
}

/// Whether the rows of a landing, or all that the table would then have, are more than may be rejected. A count is a count of
/// all; a share holds for each landing too, so that a long history does not hide a bad day.
pub fn is_past(limit: MaxRejected, landing: Rejects, all: Rejects) -> bool {
    let allows = |rows: Rejects| limit.allows(rows.rejected, rows.read);
    match limit {
        MaxRejected::Rows(_) => !allows(all),
        MaxRejected::Share(_) => !allows(landing) || !allows(all),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(read: u64, rejected: u64) -> Rejects {
        Rejects { read, rejected }
    }

    #[test]
    fn a_count_is_of_the_table_and_a_share_of_each_landing_too() {
        let count = MaxRejected::Rows(10);
        assert!(!is_past(count, rows(5, 5), rows(5_000, 10)));
        assert!(is_past(count, rows(0, 0), rows(5_000, 11)));
        let share = MaxRejected::Share(1.0);
        assert!(!is_past(share, rows(100, 1), rows(10_000, 100)));
        assert!(is_past(share, rows(100, 2), rows(1_000_000, 2)));
        assert!(is_past(share, rows(0, 0), rows(100, 2)));
        assert!(!is_past(share, rows(0, 0), rows(0, 0)));
    }
}
