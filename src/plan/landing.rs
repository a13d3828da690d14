//! What of a source is to be landed.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use serde::Serialize;

use crate::fingerprint::Fingerprint;
use crate::source::Unit;
use crate::warehouse::{TableVersion, Version};

/// Why a unit is landed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LandingReason {
    /// It was not there before.
    New,
    /// Its content, or the declared schema, changed since it was landed: its rows replace those of the earlier landing.
    Changed,
    /// The user asked for everything anew.
    FullRefresh,
}

/// What is to be landed of one source table. Each unit is a batch of its own, so that one that changes is replaced alone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LandingPlan {
    /// The units to land, in the source's order.
    pub land: Vec<(Unit, LandingReason)>,
    /// Units that were landed and that the source no longer has. Their rows stay.
    pub vanished: Vec<String>,
    /// How many units are landed as they are.
    pub current: usize,
}

impl LandingPlan {
    /// Compares what the source holds, and the fingerprint of how it is read, with what was landed, up to and including
    /// the logical date if there is one.
    pub fn new(
        units: Vec<Unit>,
        landed: Option<&TableVersion>,
        fingerprint: &Fingerprint,
        full_refresh: bool,
        until: Option<NaiveDate>,
    ) -> Self {
        let landed: BTreeMap<&str, &Version> = landed
            .iter()
            .flat_map(|table| table.batches())
            .flat_map(|(_, batch)| &batch.units)
            .map(|unit| (unit.id.as_str(), &unit.version))
            .collect();
        let there: BTreeSet<&str> = units.iter().map(|unit| unit.id.as_str()).collect();
        let vanished = landed.keys().filter(|id| !there.contains(*id)).map(|id| (*id).to_owned()).collect();
        let mut plan = Self { vanished, ..Self::default() };
        for unit in units {
            if unit.day.zip(until).is_some_and(|(day, until)| day > until) {
                continue;
            }
            let reason = match landed.get(unit.id.as_str()) {
                _ if full_refresh => LandingReason::FullRefresh,
                None => LandingReason::New,
                Some(version) if **version != batch_version(fingerprint, &unit) => LandingReason::Changed,
                Some(_) => {
                    plan.current += 1;
                    continue;
                }
            };
            plan.land.push((unit, reason));
        }
        plan
    }
}

/// The version of what a unit's rows become: of the landed table's schema and of the unit.
pub fn batch_version(fingerprint: &Fingerprint, unit: &Unit) -> Version {
    Version::of([fingerprint.as_str(), unit.id.as_str(), unit.version.as_str()])
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::Schema;

    use super::*;
    use crate::warehouse::{Batch, Content, LandedUnit, RunId};

    fn unit(id: &str, version: &str) -> Unit {
        let day = NaiveDate::parse_from_str(id, "%Y-%m-%d").ok();
        Unit { id: id.into(), version: version.into(), bytes: None, day }
    }

    fn fingerprint() -> Fingerprint {
        Fingerprint::of(["ts bigint"])
    }

    #[test]
    fn units_are_landed_again_when_they_are_to_be_read_by_another_schema() {
        let table = landed(&[("a", "1")]);
        let other = Fingerprint::of(["ts bigint", "city varchar"]);
        let plan = LandingPlan::new(vec![unit("a", "1")], Some(&table), &other, false, None);
        assert_eq!(plan.land, [(unit("a", "1"), LandingReason::Changed)]);
    }

    fn landed(units: &[(&str, &str)]) -> TableVersion {
        let run = RunId::generate();
        let batch = |(id, version): &(&str, &str)| {
            let version = batch_version(&fingerprint(), &unit(id, version));
            let unit = LandedUnit { id: (*id).into(), version, read: 1, landed: 1, rejected: 0 };
            ((*id).to_owned(), Batch { run: run.clone(), units: vec![unit] })
        };
        let content = Content::Table {
            partition_columns: Vec::new(),
            partitions: BTreeMap::new(),
            batches: units.iter().map(batch).collect(),
        };
        TableVersion { schema: Arc::new(Schema::empty()), content, run: run.clone() }
    }

    #[test]
    fn new_and_changed_units_are_landed_and_vanished_ones_are_told() {
        let table = landed(&[("a", "1"), ("b", "1"), ("gone", "1")]);
        let plan = LandingPlan::new(
            vec![unit("a", "1"), unit("b", "2"), unit("c", "1")],
            Some(&table),
            &fingerprint(),
            false,
            None,
        );
        assert_eq!(
            plan.land,
            [(unit("b", "2"), LandingReason::Changed), (unit("c", "1"), LandingReason::New)]
        );
        assert_eq!((plan.vanished, plan.current), (vec!["gone".to_owned()], 1));
    }

    #[test]
    fn days_after_the_logical_date_wait() {
        let until = NaiveDate::from_ymd_opt(2018, 11, 2);
        let plan = LandingPlan::new(
            vec![unit("2018-11-02", "1"), unit("2018-11-03", "1")],
            None,
            &fingerprint(),
            true,
            until,
        );
        assert_eq!(plan.land, [(unit("2018-11-02", "1"), LandingReason::FullRefresh)]);
    }
}
