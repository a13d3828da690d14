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
    /// Its content changed since it was landed: its rows replace those of the earlier landing.
    Changed,
    /// The declared schema is not the one that it was read with.
    SchemaChanged,
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
    /// Compares what the source holds with what was landed, up to and including the logical date if there is one.
    pub fn new(
        units: Vec<Unit>,
        landed: Option<&TableVersion>,
        fingerprint: &Fingerprint,
        full_refresh: bool,
        until: Option<NaiveDate>,
    ) -> Self {
        let landed: BTreeMap<&str, (&str, &Fingerprint)> = landed
            .iter()
            .flat_map(|table| table.batches())
            .flat_map(|(_, batch)| batch.units.iter().map(move |unit| (unit, &batch.fingerprint)))
            .map(|(unit, fingerprint)| (unit.id.as_str(), (unit.version.as_str(), fingerprint)))
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
                Some((version, _)) if !is_same(version, &unit.version, until) => LandingReason::Changed,
                Some((_, with)) if *with != fingerprint => LandingReason::SchemaChanged,
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

/// Stands between a unit's version and the last day that was landed of it.
const UNTIL: &str = " until ";

/// The version that is noted for a unit of which the rows of days after `until` were withheld.
pub fn cut_version(version: &str, until: NaiveDate) -> String {
    format!("{version}{UNTIL}{until}")
}

/// Whether what was landed under the version `landed` is what a run up to `until` would land of a unit of this version.
/// A run for an earlier day takes nothing away from what a later one landed.
fn is_same(landed: &str, version: &str, until: Option<NaiveDate>) -> bool {
    match landed.rsplit_once(UNTIL) {
        None => landed == version,
        Some((landed, day)) => {
            let day: Option<NaiveDate> = day.parse().ok();
            landed == version && until.zip(day).is_some_and(|(until, day)| until <= day)
        }
    }
}

/// The version of what a unit's rows become: of the landed table's schema, and of the unit as it was landed.
pub fn batch_version(fingerprint: &Fingerprint, id: &str, version: &str) -> Version {
    Version::of([fingerprint.as_str(), id, version])
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

    fn schema() -> Fingerprint {
        Fingerprint::of(["schema"])
    }

    fn landed(units: &[(&str, &str)]) -> TableVersion {
        let run = RunId::generate();
        let batch = |(id, version): &(&str, &str)| {
            let unit = LandedUnit {
                id: (*id).into(),
                version: (*version).into(),
                read: 1,
                landed: 1,
                rejected: 0,
                withheld: 0,
            };
            ((*id).to_owned(), Batch { run: run.clone(), fingerprint: schema(), units: vec![unit] })
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
            &schema(),
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
    fn a_unit_that_was_cut_off_at_a_day_is_landed_anew_for_a_later_one() {
        let day = |day| NaiveDate::from_ymd_opt(2018, 11, day).unwrap();
        let table = landed(&[("a", &cut_version("1", day(3)))]);
        let plan =
            |until| LandingPlan::new(vec![unit("a", "1")], Some(&table), &schema(), false, until).land.len();
        assert_eq!([plan(Some(day(2))), plan(Some(day(3))), plan(Some(day(4))), plan(None)], [0, 0, 1, 1]);
    }

    #[test]
    fn a_changed_schema_lands_everything_anew() {
        let table = landed(&[("a", "1")]);
        let other = Fingerprint::of(["other"]);
        let plan = LandingPlan::new(vec![unit("a", "1")], Some(&table), &other, false, None);
        assert_eq!(plan.land, [(unit("a", "1"), LandingReason::SchemaChanged)]);
    }

    #[test]
    fn days_after_the_logical_date_wait() {
        let until = NaiveDate::from_ymd_opt(2018, 11, 2);
        let plan = LandingPlan::new(
            vec![unit("2018-11-02", "1"), unit("2018-11-03", "1")],
            None,
            &schema(),
            true,
            until,
        );
        assert_eq!(plan.land, [(unit("2018-11-02", "1"), LandingReason::FullRefresh)]);
    }
}
