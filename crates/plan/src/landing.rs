//! What of a source is to be landed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::datatypes::{Field, Schema};
use chrono::NaiveDate;
use serde::Serialize;

use super::table_state::ROWS;
use mep_contract::source::{Holding, LandingTable, READING_RULES, Recorded, RejectedRows, Unit};
use mep_contract::warehouse::{ColumnVersions, LandedUnit, RunId, TableVersion, Version};
use mep_core::fingerprint::{Fingerprint, Structure};
use mep_sql::structure;

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
    /// Its messages are read by other schemas by now.
    OtherSchemas,
    /// Rows of it were rejected that could perhaps be read by now.
    Rejected,
    /// The user asked for everything anew.
    FullRefresh,
}

/// What is to be landed of one source table, batch by batch: the rows of a batch are replaced together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LandingPlan {
    /// The units to land, in the source's order, each with its batch.
    pub land: Vec<(Unit, LandingReason)>,
    /// Units that were landed and that the source no longer has. Their rows stay.
    pub vanished: Vec<String>,
    /// How many units were to be landed anew, but the source cannot give all of their batch again. Their rows stay.
    pub kept: usize,
    /// How many of these had rejected rows, which could perhaps be read by now.
    pub kept_with_rejects: usize,
    /// Units that would be landed anew, but of which the source gives fewer rows than were landed. Their rows stay. Before
    /// they are read, this is known of none.
    pub short: Vec<ShortUnit>,
    /// How many units are landed as they are.
    pub current: usize,
    /// Whether the landed table has another schema than the declared one, so that it is to be published even where no
    /// unit is landed.
    pub reshapes: bool,
    /// What the source wants the user to know.
    pub warnings: Vec<String>,
}

/// A unit of which the source gives fewer rows than were landed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortUnit {
    /// The unit's id.
    pub id: String,
    /// The batch that its rows are in, which stays as it is.
    pub batch: String,
    /// How many rows were read when it was landed.
    pub before: u64,
    /// How many are read by now.
    pub now: u64,
    /// Rows of it that waited for a later run.
    pub withheld: u64,
}

/// How many units are told one by one.
const TOLD: usize = 3;

impl ShortUnit {
    /// What is said of such units, which stay as they were landed.
    pub fn told(short: &[Self]) -> impl Iterator<Item = String> {
        let told = short.iter().take(TOLD).map(|Self { id, before, now, .. }| {
            format!(
                "{before} rows of {id} were read when it was landed, but the source now has only {now} of them; its rows, and those landed with it, are kept as landed"
            )
        });
        let more = short.len().saturating_sub(TOLD);
        let more = (more > 0)
            .then(|| format!("{more} more are kept as well, since the source now has fewer of their rows"));
        told.chain(more)
    }
}

/// How a landing is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whether all units are to be landed anew.
    pub full_refresh: bool,
    /// The logical date, if there is one: days up to and including it are landed.
    pub until: Option<NaiveDate>,
    /// The run, which names the batch of units that have none.
    pub run: &'a RunId,
}

/// A unit that was landed, with the schema that it was read with.
struct LandedBefore<'a> {
    unit: &'a LandedUnit,
    batch: &'a str,
    fingerprint: &'a Fingerprint,
}

fn before(landed: Option<&TableVersion>) -> impl Iterator<Item = LandedBefore<'_>> {
    landed.into_iter().flat_map(TableVersion::batches).flat_map(|(name, batch)| {
        let fingerprint = &batch.fingerprint;
        batch.units.iter().map(move |unit| LandedBefore { unit, batch: name, fingerprint })
    })
}

/// The units that were landed, as sources want to know them.
pub fn recorded(landed: Option<&TableVersion>) -> Vec<Recorded> {
    let recorded = before(landed).map(|LandedBefore { unit, batch, .. }| Recorded {
        id: unit.id.clone(),
        version: unit.version.clone(),
        batch: batch.to_owned(),
        mark: unit.mark.clone(),
        withheld: unit.withheld,
        schemas: unit.schemas.clone(),
        is_short: unit.is_short,
    });
    recorded.collect()
}

impl LandingPlan {
    /// Compares what the source holds with what was landed.
    pub fn new(
        holding: Holding,
        landed: Option<&TableVersion>,
        fingerprint: &Fingerprint,
        asked: Asked<'_>,
    ) -> Self {
        let Holding { units, kept, of_other_schemas, warnings } = holding;
        let of_other_schemas: BTreeSet<&str> = of_other_schemas.iter().map(String::as_str).collect();
        let has_stale_rejects = |before: &LandedBefore<'_>| {
            let is_other = of_other_schemas.contains(before.unit.id.as_str());
            before.unit.rejected > 0 && (is_other || before.unit.rejected_by != Some(READING_RULES))
        };
        let there: BTreeSet<&str> = units.iter().map(|unit| unit.id.as_str()).collect();
        let is_vanished = |before: &LandedBefore<'_>| !there.contains(before.unit.id.as_str());
        // A batch of which the source has not all units would lose the rows of the others.
        let partly_there: BTreeSet<&str> =
            before(landed).filter(is_vanished).map(|before| before.batch).collect();
        let is_kept: BTreeSet<&str> = kept.iter().map(String::as_str).collect();
        let vanished = before(landed)
            .filter(is_vanished)
            .map(|before| before.unit.id.clone())
            .filter(|id| !is_kept.contains(id.as_str()));
        let vanished: BTreeSet<String> = vanished.collect();
        let by_id: BTreeMap<&str, LandedBefore<'_>> =
            before(landed).map(|before| (before.unit.id.as_str(), before)).collect();
        let until = asked.until;
        let reason = |unit: &Unit| match by_id.get(unit.id.as_str()) {
            _ if asked.full_refresh => Some(LandingReason::FullRefresh),
            None => Some(LandingReason::New),
            Some(before) if !is_same(&before.unit.version, &unit.version, until) => {
                Some(LandingReason::Changed)
            }
            Some(before) if before.fingerprint != fingerprint => Some(LandingReason::SchemaChanged),
            Some(before) if has_stale_rejects(before) => Some(LandingReason::Rejected),
            Some(_) if of_other_schemas.contains(unit.id.as_str()) => Some(LandingReason::OtherSchemas),
            Some(_) => None,
        };
        let is_due = |unit: &Unit| unit.day.zip(until).is_none_or(|(day, until)| day <= until);
        let mut reasons: Vec<Option<LandingReason>> =
            units.iter().map(|unit| reason(unit).filter(|_| is_due(unit))).collect();
        let mut plan = Self { vanished: vanished.into_iter().collect(), warnings, ..Self::default() };
        plan.kept = before(landed)
            .filter(|before| is_kept.contains(before.unit.id.as_str()))
            .filter(|before| {
                asked.full_refresh || before.fingerprint != fingerprint || has_stale_rejects(before)
            })
            .count();
        // Of a table that an earlier mep landed it is not known by what rows were rejected, which is nothing to speak of.
        let is_known = |before: &LandedBefore<'_>| before.unit.rejected_by.is_some();
        plan.kept_with_rejects = before(landed)
            .filter(|before| is_kept.contains(before.unit.id.as_str()) || partly_there.contains(before.batch))
            .filter(|before| has_stale_rejects(before) && is_known(before))
            .count();
        // Where one unit of a batch is landed anew, all of them are.
        let mut anew: BTreeMap<&str, LandingReason> = BTreeMap::new();
        for (unit, reason) in units.iter().zip(&mut reasons) {
            let Some(batch) = unit.batch.as_deref() else { continue };
            if partly_there.contains(batch) {
                plan.kept += usize::from(reason.take().is_some());
            } else if let Some(reason) = reason {
                anew.entry(batch).or_insert(*reason);
            }
        }
        let batches: Vec<Option<LandingReason>> = units
            .iter()
            .map(|unit| unit.batch.as_deref().and_then(|batch| anew.get(batch).copied()))
            .collect();
        for ((mut unit, reason), batch) in units.into_iter().zip(reasons).zip(batches) {
            match reason.or(batch) {
                None => plan.current += usize::from(is_due(&unit)),
                Some(reason) => {
                    unit.batch.get_or_insert_with(|| match until {
                        None => asked.run.to_string(),
                        // A unit that holds rows of later days will be landed anew, without those beside it.
                        Some(_) => format!("{}-{}", asked.run, plan.land.len()),
                    });
                    plan.land.push((unit, reason));
                }
            }
        }
        plan
    }
}

impl LandingPlan {
    /// Whether a table that is there stays as it is.
    pub fn is_nothing(&self) -> bool {
        self.land.is_empty() && !self.reshapes
    }
}

impl LandingPlan {
    /// The units that would give fewer rows than were landed of them, where `read` says how many they give by now: where the
    /// same version of a unit has fewer rows, the source has lost some of them.
    pub fn find_short(
        &self,
        landed: Option<&TableVersion>,
        read: &mut dyn FnMut(&Unit) -> Option<u64>,
    ) -> Vec<ShortUnit> {
        let units = self.land.iter().map(|(unit, _)| unit);
        short_units(units, landed, read)
    }

    /// What is said of the units that stay as they were landed although there is a reason to read them again.
    pub fn kept_notes(&self, full_refresh: bool) -> impl Iterator<Item = String> {
        let units = |count: usize| if count == 1 { "1 unit".to_owned() } else { format!("{count} units") };
        // Without a reason to read them again, units that cannot be are nothing to speak of.
        let kept = (self.kept > 0 && (full_refresh || self.reshapes)).then(|| {
            format!(
                "{} cannot be read again, or share a batch with units that cannot; their rows are kept as landed",
                units(self.kept)
            )
        });
        let rejected = (self.kept_with_rejects > 0).then(|| {
            format!(
                "rejected rows of {} might be readable now, but the source cannot supply them again; they stay rejected",
                units(self.kept_with_rejects)
            )
        });
        kept.into_iter().chain(rejected)
    }

    /// The same plan, with the batches of these units left as they are.
    #[must_use]
    pub fn without(mut self, short: Vec<ShortUnit>) -> Self {
        let batches: BTreeSet<&str> = short.iter().map(|unit| unit.batch.as_str()).collect();
        self.land.retain(|(unit, _)| !unit.batch.as_deref().is_some_and(|batch| batches.contains(batch)));
        self.short = short;
        self
    }
}

/// Those of these units that have fewer rows by now than were landed of them.
pub fn short_units<'u>(
    units: impl Iterator<Item = &'u Unit>,
    landed: Option<&TableVersion>,
    read: &mut dyn FnMut(&Unit) -> Option<u64>,
) -> Vec<ShortUnit> {
    let by_id: BTreeMap<&str, LandedBefore<'_>> =
        before(landed).map(|before| (before.unit.id.as_str(), before)).collect();
    let short = units.filter_map(|unit| {
        let LandedBefore { unit: before, batch, .. } = by_id.get(unit.id.as_str())?;
        let is_same_content = uncut(&before.version) == unit.version;
        let now = if is_same_content { read(unit)? } else { return None };
        (now < before.read).then(|| ShortUnit {
            id: unit.id.clone(),
            batch: (*batch).to_owned(),
            before: before.read,
            now,
            withheld: before.withheld,
        })
    });
    short.collect()
}

/// The version of a unit by which its rows are named: with the schemas of its messages, where it has such.
pub fn content_version(version: &str, schemas: Option<&str>) -> String {
    match schemas {
        None => version.to_owned(),
        Some(schemas) => format!("{version} by {schemas}"),
    }
}

/// Stands between a unit's version and the last day that was landed of it.
const UNTIL: &str = " until ";

/// The version that is noted for a unit of which the rows of days after `until` were withheld.
pub fn cut_version(version: &str, until: NaiveDate) -> String {
    format!("{version}{UNTIL}{until}")
}

/// The version without what was withheld.
fn uncut(version: &str) -> &str {
    version.rsplit_once(UNTIL).map_or(version, |(version, _)| version)
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

/// The versions of what the rows of a batch become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchVersions {
    /// Of all of it: of the landed table's schema, and of its units as they were landed.
    pub version: Version,
    /// Of which rows there are, alone. The value of a column follows from the row, from the column's name, which what reads it
    /// has in its own recipe, and from the type that the table has for it, which is noted with the version that is read.
    pub columns: ColumnVersions,
}

impl BatchVersions {
    /// The versions of a batch of these units, each with its version, and with the rows of it that were rejected.
    ///
    /// A row may be rejected for what it has in any declared column, so which rows there are is not told by the units alone.
    pub fn of<'a>(
        table: &LandingTable,
        units: impl IntoIterator<Item = (&'a str, &'a str, RejectedRows)>,
    ) -> Self {
        let (mut whole, mut rows) =
            (vec![table.fingerprint().as_str().to_owned()], vec![table.event_time().as_str().to_owned()]);
        // What a file's text says, is another thing where it is read otherwise.
        rows.extend(table.reading.said());
        for (id, version, rejected) in units {
            whole.extend([id.to_owned(), version.to_owned()]);
            rows.extend([id.to_owned(), version.to_owned(), rejected.to_string()]);
        }
        let rows = Version::of(rows.iter().map(String::as_str));
        Self {
            version: Version::of(whole.iter().map(String::as_str)),
            columns: ColumnVersions::from_iter([(ROWS.to_owned(), rows)]),
        }
    }
}

/// Whether all rows of a landed table lie by the day of the event time that is declared: rows that were landed when it was another one,
/// and that could not be read again, do not.
pub fn lies_by_day(table: &LandingTable, stored: &TableVersion) -> bool {
    let declared = table.fingerprint();
    stored.batches().filter(|(_, batch)| batch.fingerprint != declared).all(|(name, batch)| {
        // The version of which rows there are is of the event time as well. Of which rows were rejected nothing else is known.
        let versions: Vec<String> =
            batch.units.iter().map(|unit| content_version(&unit.version, unit.schemas.as_deref())).collect();
        let units = batch.units.iter().zip(&versions);
        let units =
            units.map(|(unit, version)| (unit.id.as_str(), version.as_str(), RejectedRows::default()));
        let by_declared = BatchVersions::of(table, units).columns;
        let mut rows = stored.partitions().filter(|(key, _)| key.batch() == Some(name));
        batch.units.iter().all(|unit| unit.rejected == 0)
            && rows.all(|(_, rows)| rows.ledger.columns.get(ROWS) == by_declared.get(ROWS))
    })
}

/// What is known of the columns of rows that stay as they were landed under the schema `before`, once the table has the schema
/// `after`: those that are declared as before are as the rows say.
pub fn kept_columns(columns: &ColumnVersions, before: &Schema, after: &Schema) -> ColumnVersions {
    let Some(rows) = columns.get(ROWS) else { return columns.clone() };
    let is_known = |name: &str| columns.len() == 1 || columns.get(name).is_some();
    let is_as_before = |field: &&Arc<Field>| {
        let now = after.field_with_name(field.name());
        is_known(field.name()) && now.is_ok_and(|now| now.data_type() == field.data_type())
    };
    let same = before.fields().iter().filter(is_as_before).map(|field| field.name().clone());
    std::iter::once(ROWS.to_owned()).chain(same).map(|name| (name, rows.clone())).collect()
}

/// The version of all of such rows: another one where a column that they have is read as another type from then on.
pub fn kept_version(version: &Version, before: &Schema, after: &Schema) -> Version {
    let changes = |field: &Arc<Field>| {
        let now = after.field_with_name(field.name());
        now.is_ok_and(|now| now.data_type() != field.data_type())
    };
    if !before.fields().iter().any(changes) {
        return version.clone();
    }
    let mut stored_as = Structure::default();
    structure::columns(&mut stored_as, after);
    Version::of([version.as_str(), stored_as.fingerprint().as_str()])
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::DataType;

    use super::*;
    use mep_contract::warehouse::{Batch, Content};

    fn unit(id: &str, version: &str) -> Unit {
        let day = NaiveDate::parse_from_str(id, "%Y-%m-%d").ok();
        Unit { id: id.into(), version: version.into(), batch: Some(id.into()), bytes: None, day }
    }

    /// The plan of a run over these units.
    fn planned(
        units: Vec<Unit>,
        landed: Option<&TableVersion>,
        fingerprint: &Fingerprint,
        full_refresh: bool,
        until: Option<NaiveDate>,
    ) -> LandingPlan {
        let run = RunId::generate();
        LandingPlan::new(units.into(), landed, fingerprint, Asked { full_refresh, until, run: &run })
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
                mark: None,
                schemas: None,
                rejected_by: None,
                is_short: false,
            };
            ((*id).to_owned(), Batch { run: run.clone(), fingerprint: schema(), units: vec![unit] })
        };
        let content = Content::Table {
            partition_columns: Vec::new(),
            partitions: BTreeMap::new(),
            batches: units.iter().map(batch).collect(),
        };
        TableVersion::new(Arc::new(Schema::empty()), content, run.clone())
    }

    #[test]
    fn new_and_changed_units_are_landed_and_vanished_ones_are_told() {
        let table = landed(&[("a", "1"), ("b", "1"), ("gone", "1")]);
        let plan = planned(
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
        let plan = |until| planned(vec![unit("a", "1")], Some(&table), &schema(), false, until).land.len();
        assert_eq!([plan(Some(day(2))), plan(Some(day(3))), plan(Some(day(4))), plan(None)], [0, 0, 1, 1]);
    }

    #[test]
    fn a_changed_schema_lands_everything_anew() {
        let table = landed(&[("a", "1")]);
        let other = Fingerprint::of(["other"]);
        let plan = planned(vec![unit("a", "1")], Some(&table), &other, false, None);
        assert_eq!(plan.land, [(unit("a", "1"), LandingReason::SchemaChanged)]);
    }

    /// A table with one unit of ten rows, three of which were rejected by these rules.
    fn with_rejects(rules: Option<u32>) -> TableVersion {
        let mut table = landed(&[("a", "1")]);
        if let Content::Table { batches, .. } = &mut table.content {
            for unit in batches.values_mut().flat_map(|batch| &mut batch.units) {
                (unit.read, unit.landed, unit.rejected, unit.rejected_by) = (10, 7, 3, rules);
            }
        }
        table
    }

    #[test]
    fn rejected_rows_are_tried_again_once_they_could_be_read() {
        let run = RunId::generate();
        let asked = Asked { full_refresh: false, until: None, run: &run };
        let reason = |rules, of_other_schemas: &[&str]| {
            let of_other_schemas = of_other_schemas.iter().map(|id| (*id).to_owned()).collect();
            let holding = Holding { units: vec![unit("a", "1")], of_other_schemas, ..Holding::default() };
            let plan = LandingPlan::new(holding, Some(&with_rejects(rules)), &schema(), asked);
            plan.land.into_iter().map(|(_, reason)| reason).collect::<Vec<_>>()
        };
        assert_eq!(reason(Some(READING_RULES), &[]), []);
        assert_eq!(reason(Some(READING_RULES), &["a"]), [LandingReason::Rejected]);
        assert_eq!(reason(Some(READING_RULES - 1), &[]), [LandingReason::Rejected]);
        assert_eq!(reason(None, &[]), [LandingReason::Rejected]);
        let holding =
            Holding { units: vec![unit("a", "1")], of_other_schemas: vec!["a".into()], ..Holding::default() };
        let plan = LandingPlan::new(holding, Some(&landed(&[("a", "1")])), &schema(), asked);
        assert_eq!(plan.land, [(unit("a", "1"), LandingReason::OtherSchemas)]);
    }

    #[test]
    fn rejected_rows_that_cannot_be_read_again_are_counted() {
        let run = RunId::generate();
        let asked = Asked { full_refresh: false, until: None, run: &run };
        let holding =
            Holding { kept: vec!["a".into()], of_other_schemas: vec!["a".into()], ..Holding::default() };
        let plan =
            LandingPlan::new(holding.clone(), Some(&with_rejects(Some(READING_RULES))), &schema(), asked);
        assert_eq!((plan.land.len(), plan.kept_with_rejects), (0, 1));
        let plan = LandingPlan::new(holding, Some(&with_rejects(None)), &schema(), asked);
        assert_eq!(plan.kept_with_rejects, 0);
    }

    #[test]
    fn a_unit_that_gives_fewer_rows_than_were_landed_keeps_its_batch() {
        let table = landed_together("r1", &["a", "b"]);
        let units = vec![range("a", Some("r1")), range("b", Some("r1")), range("c", None)];
        let plan = planned(units, Some(&table), &Fingerprint::of(["other"]), false, None);
        assert_eq!(plan.find_short(Some(&table), &mut |_| Some(1)), []);
        let short = plan.find_short(Some(&table), &mut |unit| Some(u64::from(unit.id != "b")));
        let shown: Vec<_> = short.iter().map(|unit| (unit.id.as_str(), unit.before, unit.now)).collect();
        assert_eq!(shown, [("b", 1, 0)]);
        assert_eq!(ShortUnit::told(&vec![short[0].clone(); 5]).count(), 4);
        let plan = plan.without(short);
        let ids: Vec<&str> = plan.land.iter().map(|(unit, _)| unit.id.as_str()).collect();
        assert_eq!(ids, ["c"]);
        // Another version is other content, which may be shorter.
        let changed = planned(
            vec![Unit { version: "2".into(), ..range("a", Some("r1")) }],
            Some(&table),
            &schema(),
            false,
            None,
        );
        assert_eq!(changed.find_short(Some(&table), &mut |_| Some(0)), []);
    }

    #[test]
    fn days_after_the_logical_date_wait() {
        let until = NaiveDate::from_ymd_opt(2018, 11, 2);
        let plan =
            planned(vec![unit("2018-11-02", "1"), unit("2018-11-03", "1")], None, &schema(), true, until);
        assert_eq!(plan.land, [(unit("2018-11-02", "1"), LandingReason::FullRefresh)]);
    }

    /// A unit that has no batch of its own, and one that was landed in a batch.
    fn range(id: &str, batch: Option<&str>) -> Unit {
        Unit { id: id.into(), version: "1".into(), batch: batch.map(Into::into), bytes: None, day: None }
    }

    fn landed_together(batch: &str, ids: &[&str]) -> TableVersion {
        let units: Vec<(&str, &str)> = ids.iter().map(|id| (*id, "1")).collect();
        let mut table = landed(&units);
        if let Content::Table { batches, .. } = &mut table.content {
            let mut all = std::mem::take(batches).into_values();
            let mut first = all.next().unwrap();
            first.units.extend(all.flat_map(|batch| batch.units));
            batches.insert(batch.to_owned(), first);
        }
        table
    }

    #[test]
    fn new_units_without_a_batch_share_that_of_the_run_or_have_one_each_up_to_a_day() {
        let run = RunId::generate();
        let batches = |until| {
            let units = vec![range("a", None), range("b", None)];
            let asked = Asked { full_refresh: false, until, run: &run };
            let plan = LandingPlan::new(units.into(), None, &schema(), asked);
            plan.land.into_iter().map(|(unit, _)| unit.batch.unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(batches(None), [run.to_string(), run.to_string()]);
        assert_eq!(batches(NaiveDate::from_ymd_opt(2018, 11, 2)), [format!("{run}-0"), format!("{run}-1")]);
    }

    #[test]
    fn a_batch_is_landed_anew_as_a_whole_or_kept_as_a_whole() {
        let table = landed_together("r1", &["a", "b"]);
        let both = vec![range("a", Some("r1")), range("b", Some("r1")), range("c", None)];
        let plan = planned(both, Some(&table), &Fingerprint::of(["other"]), false, None);
        let reasons: Vec<LandingReason> = plan.land.iter().map(|(_, reason)| *reason).collect();
        assert_eq!(reasons, [LandingReason::SchemaChanged, LandingReason::SchemaChanged, LandingReason::New]);
        let one = Holding {
            units: vec![range("b", Some("r1")), range("c", None)],
            kept: vec!["a".into()],
            ..Holding::default()
        };
        let run = RunId::generate();
        let asked = Asked { full_refresh: true, until: None, run: &run };
        let plan = LandingPlan::new(one, Some(&table), &schema(), asked);
        let ids: Vec<&str> = plan.land.iter().map(|(unit, _)| unit.id.as_str()).collect();
        assert_eq!((ids, plan.kept, plan.current, plan.vanished.len()), (vec!["c"], 2, 1, 0));
    }

    #[test]
    fn rows_that_are_kept_have_another_version_where_they_are_read_as_another_type() {
        let schema = |fields: &[(&str, DataType)]| {
            let fields = fields.iter().map(|(name, data_type)| Field::new(*name, data_type.clone(), true));
            Schema::new(fields.collect::<Vec<_>>())
        };
        let version = Version::of(["rows"]);
        let before = schema(&[("a", DataType::Int64), ("b", DataType::Utf8View)]);
        let after = |after: &[(&str, DataType)]| kept_version(&version, &before, &schema(after));
        assert_eq!(after(&[("b", DataType::Utf8View), ("c", DataType::Int64)]), version);
        let changed = after(&[("a", DataType::Utf8View), ("b", DataType::Utf8View)]);
        let swapped = after(&[("a", DataType::Utf8View), ("b", DataType::Int64)]);
        assert!(changed != version && swapped != version && swapped != changed);
    }
}
