//! Tables as they were: at a time, or after a run.
//!
//! Of each table that a query names, or a view in it, what was published last by then is made known to SQL. What is not kept any more is an
//! error that says what is.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use parking_lot::Mutex;

use super::error::AppError;
use mep_contract::executor::Executor;
use mep_contract::warehouse::{Content, Publication, RunId, Warehouse};
use mep_core::relation::Relation;
use mep_graph::time_of;
use mep_lang::project::Problem;
use mep_sql::named_tables;

/// As of when tables are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// With all that was published by then.
    Time(DateTime<Utc>),
    /// With what this run published last, and all that was published before.
    Run(RunId),
}

impl AsOf {
    /// A day (the end of it), a time (in UTC where it does not say an offset), or the id of a run.
    pub fn of_text(text: &str) -> Option<Self> {
        if let Ok(day) = text.parse::<NaiveDate>() {
            let end = day.succ_opt()?.and_time(chrono::NaiveTime::MIN).and_utc();
            return Some(Self::Time(end - TimeDelta::microseconds(1)));
        }
        let with_offset = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
        let time = with_offset.ok().or_else(|| Some(time_of(text)?.and_utc()));
        time.map(Self::Time).or_else(|| RunId::of_text(text).map(Self::Run))
    }
}

/// The tables of a warehouse as of a time.
#[derive(Debug)]
pub struct Past {
    warehouse: Arc<dyn Warehouse>,
    relations: Vec<Relation>,
    at: DateTime<Utc>,
    known: Mutex<Vec<(Relation, Publication)>>,
}

impl Past {
    /// The tables of a warehouse that keeps what they were.
    ///
    /// # Errors
    /// Where the warehouse keeps nothing of it, nothing that the run published, or cannot be read.
    pub(super) fn of(warehouse: Arc<dyn Warehouse>, as_of: &AsOf) -> Result<Self, AppError> {
        let relations = warehouse.relations()?;
        let at = match as_of {
            AsOf::Time(time) => *time,
            AsOf::Run(run) => end_of(run, warehouse.as_ref(), &relations)?,
        };
        Ok(Self { warehouse, relations, at, known: Mutex::default() })
    }

    /// Makes the tables that a query names known, and those that views among them name; `ephemeral` gives the SQL of a name that is stored
    /// nowhere.
    ///
    /// # Errors
    /// Where what one of them was is not kept, or cannot be read.
    pub(super) fn make_known(
        &self,
        sql: &str,
        ephemeral: &dyn Fn(&Relation) -> Option<String>,
        engine: &dyn Executor,
    ) -> Result<(), AppError> {
        let mut seen = BTreeSet::new();
        self.know(sql, ephemeral, engine, &mut seen)
    }

    fn know(
        &self,
        sql: &str,
        ephemeral: &dyn Fn(&Relation) -> Option<String>,
        engine: &dyn Executor,
        seen: &mut BTreeSet<Relation>,
    ) -> Result<(), AppError> {
        for named in named_tables(sql) {
            if named.schema.as_deref().is_some_and(|schema| schema.eq_ignore_ascii_case("information_schema"))
            {
                let problem = Problem::new("`information_schema` says what tables are, not what they were");
                return Err(problem.help("ask it without --at").into());
            }
            if let Some(below) = ephemeral(&named) {
                self.know(&below, ephemeral, engine, seen)?;
            }
            for relation in self.relations.iter().filter(|relation| is_named(relation, &named)) {
                if !seen.insert(relation.clone()) {
                    continue;
                }
                let published = self.publication(relation)?;
                if let Content::View { sql, .. } = &published.table.content {
                    self.know(sql, ephemeral, engine, seen)?;
                }
                engine.register(relation, published.table.clone())?;
                let mut known = self.known.lock();
                known.push((relation.clone(), published));
            }
        }
        Ok(())
    }

    /// What a relation held.
    fn publication(&self, relation: &Relation) -> Result<Publication, AppError> {
        let kept = kept(self.warehouse.as_ref(), relation)?;
        if let Some(found) = kept.iter().find(|one| one.at <= self.at) {
            return Ok(found.clone());
        }
        let message = format!("what `{relation}` was at {} is not kept", shown(self.at));
        let listed: Vec<String> = kept.iter().map(|one| format!("\n- {}", published(one))).collect();
        let problem = Problem::new(message);
        Err(problem
            .help(format!(
                "it was not there yet, or what it was is deleted; kept is what was{}",
                listed.concat()
            ))
            .into())
    }

    /// Which content of each table was made known, in words.
    pub fn read(&self) -> Vec<String> {
        let known = self.known.lock();
        known.iter().map(|(relation, one)| format!("{relation} as {}", published(one))).collect()
    }
}

/// What is kept of a relation, the latest first.
fn kept(warehouse: &dyn Warehouse, relation: &Relation) -> Result<Vec<Publication>, AppError> {
    match warehouse.publications(relation)? {
        Some(kept) => Ok(kept),
        None => Err(keeps_nothing(&warehouse.describe())),
    }
}

/// What is said where `--at` meets tables of which no former content is kept.
pub(super) fn keeps_nothing(place: &str) -> AppError {
    let problem = Problem::new(format!("what tables were before is not kept in {place}"));
    problem
        .help("`--at` reads tables of local warehouses alone; leave it out to read what is there now")
        .into()
}

/// When a run had published all of which something is still known.
fn end_of(run: &RunId, warehouse: &dyn Warehouse, relations: &[Relation]) -> Result<DateTime<Utc>, AppError> {
    let mut all = Vec::new();
    for relation in relations {
        all.extend(kept(warehouse, relation)?);
    }
    if let Some(end) = all.iter().filter(|one| one.table.run == *run).map(|one| one.at).max() {
        return Ok(end);
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.at));
    let mut runs: Vec<&RunId> = Vec::new();
    for one in &all {
        if !runs.contains(&&one.table.run) {
            runs.push(&one.table.run);
        }
    }
    let listed: Vec<String> = runs.iter().take(MOST_RUNS).map(|run| format!("\n- {}", began(run))).collect();
    let problem = Problem::new(format!("nothing is kept that the run {run} published"));
    Err(problem
        .help(format!(
            "it changed nothing, or what it published is deleted; the last runs of which something is kept:{}",
            listed.concat()
        ))
        .into())
}

/// So many runs are named.
const MOST_RUNS: usize = 8;

fn began(run: &RunId) -> String {
    run.began().map_or_else(|| run.to_string(), |began| format!("{run}, which began at {}", shown(began)))
}

fn published(one: &Publication) -> String {
    format!("published at {} by run {}", shown(one.at), one.table.run)
}

/// A time as `--at` takes it.
fn shown(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Whether SQL means a relation by a name.
fn is_named(relation: &Relation, named: &Relation) -> bool {
    let schema = relation.schema.as_deref().unwrap_or_default();
    relation.name.eq_ignore_ascii_case(&named.name)
        && named.schema.as_deref().is_none_or(|named| named.eq_ignore_ascii_case(schema))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_a_time_is_of_utc_and_all_else_is_a_run() {
        let time = |text: &str| match AsOf::of_text(text) {
            Some(AsOf::Time(time)) => shown(time),
            other => format!("{other:?}"),
        };
        assert_eq!(time("2018-11-01"), "2018-11-01T23:59:59.999999Z");
        assert_eq!(time("2018-11-01T06:00:00"), "2018-11-01T06:00:00.000000Z");
        assert_eq!(time("2018-11-01 06:00"), "2018-11-01T06:00:00.000000Z");
        assert_eq!(time("2018-11-01T06:00:00+02:00"), "2018-11-01T04:00:00.000000Z");
        assert_eq!(time("2018-11-01T06:00:00.123456Z"), "2018-11-01T06:00:00.123456Z");
        let run = RunId::generate();
        assert_eq!(AsOf::of_text(run.as_str()), Some(AsOf::Run(run)));
        assert_eq!(AsOf::of_text("yesterday"), None);
        assert_eq!(AsOf::of_text("2018-11-31"), None);
    }
}
