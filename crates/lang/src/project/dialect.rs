//! For which engine a project's SQL is written, where engines read the same SQL otherwise.
//!
//! Must not know: what any engine does with it.

use super::item::{Item, Mapping};
use super::{Problems, nearest};

/// The engine that SQL is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// DuckDB.
    DuckDb,
    /// Snowflake.
    Snowflake,
    /// BigQuery.
    BigQuery,
    /// Spark, Databricks and Hive.
    Spark,
    /// PostgreSQL and Redshift.
    Postgres,
    /// Trino and Athena.
    Trino,
}

/// The names of dialects, and dbt's names of adapters that mean them.
const NAMES: [(&str, Dialect); 10] = [
    ("duckdb", Dialect::DuckDb),
    ("snowflake", Dialect::Snowflake),
    ("bigquery", Dialect::BigQuery),
    ("spark", Dialect::Spark),
    ("postgres", Dialect::Postgres),
    ("trino", Dialect::Trino),
    ("databricks", Dialect::Spark),
    ("hive", Dialect::Spark),
    ("redshift", Dialect::Postgres),
    ("athena", Dialect::Trino),
];

impl Dialect {
    fn named(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, dialect)| *dialect)
    }

    /// What a target's `dialect` says.
    pub(super) fn written(item: Item<'_>, problems: &mut Problems) -> Option<Self> {
        let name = item.text(problems)?;
        let found = Self::named(&name);
        if found.is_none() {
            let names = NAMES.iter().map(|(name, _)| *name);
            let problem = item.problem(format!("unknown dialect `{name}`"));
            problems.push(match nearest(&name, names.clone()) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help(format!("the dialects are {}", names.collect::<Vec<_>>().join(", "))),
            });
        }
        found
    }

    /// That of a profile's targets of dbt's, where all of them that are known agree.
    pub(super) fn of_adapters(outputs: Mapping<'_>) -> Option<Self> {
        let types = outputs.items().filter_map(|(_, output)| {
            let kind = output.mapping(&mut Problems::default()).get("type")?;
            kind.as_text().filter(|kind| *kind != "hive").and_then(Self::named)
        });
        let mut found = types.collect::<Vec<_>>();
        found.dedup();
        if let [only] = found[..] { Some(only) } else { None }
    }

    /// The name of dbt's adapter.
    pub fn adapter(self) -> &'static str {
        NAMES.iter().find(|(_, dialect)| *dialect == self).map_or("default", |(name, _)| name)
    }

    /// Whether `regexp_replace(text, pattern, other)` replaces all that is found, and not the first alone.
    pub fn replaces_all(self) -> bool {
        match self {
            Self::Snowflake | Self::BigQuery | Self::Spark | Self::Trino => true,
            Self::DuckDb | Self::Postgres => false,
        }
    }

    /// Whether `/` of two whole numbers gives a fraction.
    pub fn divides_in_fractions(self) -> bool {
        match self {
            Self::DuckDb | Self::Snowflake | Self::BigQuery | Self::Spark => true,
            Self::Postgres | Self::Trino => false,
        }
    }
}
