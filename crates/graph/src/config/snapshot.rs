//! Config that snapshots have.

use serde_json::Value as Json;

use super::NodeConfig;
use super::reader::ConfigReader;
use super::word::Word;
use mep_lang::project::{Place, Problem, Problems, nearest};
use mep_sql::snapshot::{AddedColumns, HardDeletes};

/// How it is told that a row is not what it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SnapshotStrategy {
    /// By a column with the time of its last change.
    Timestamp,
    /// By comparing columns.
    Check,
}

impl Word for SnapshotStrategy {
    const WORDS: &'static [(&'static str, Self)] = &[("timestamp", Self::Timestamp), ("check", Self::Check)];
}

/// The columns whose change makes a version of a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum CheckColumns {
    /// Every one that does not name the row or order its events.
    #[default]
    All,
    /// These.
    These(Vec<String>),
}

/// Config of a snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SnapshotConfig {
    /// The columns that name a row.
    pub unique_key: Vec<String>,
    /// The columns whose change makes a version.
    pub check_cols: CheckColumns,
    /// How changes are found.
    pub strategy: Option<SnapshotStrategy>,
    /// The column with the time of a row's last change.
    pub updated_at: Option<String>,
    /// What becomes of rows that are gone.
    pub hard_deletes: HardDeletes,
    /// SQL of what the end of a current version's range is, where it is not NULL.
    pub valid_to_current: Option<String>,
    /// The names of the columns that a snapshot adds.
    pub names: AddedColumns,
    /// The schema, in place of the target's.
    pub target_schema: Option<String>,
}

impl ConfigReader<'_> {
    /// A mapping from dbt's names to the user's.
    pub(super) fn snapshot_names(&mut self) -> AddedColumns {
        let mut names = AddedColumns::default();
        let Json::Object(given) = &self.located.value else {
            return self.expected("a mapping from dbt's names to other ones").unwrap_or_default();
        };
        for (name, value) in given {
            match (names.named(name), value.as_str()) {
                (Some(column), Some(other)) => other.clone_into(column),
                (Some(_), None) => {
                    return self.expected("a text for each name").unwrap_or_default();
                }
                (None, _) => {
                    let message = format!("a snapshot adds no column `{name}`");
                    let problem = Problem::new(message).at(&self.located.place);
                    let problem = match nearest(name, AddedColumns::NAMES) {
                        Some(near) => problem.help(format!("did you mean `{near}`?")),
                        None => problem.help(format!("it adds {}", AddedColumns::NAMES.join(", "))),
                    };
                    self.problems.push(problem);
                }
            }
        }
        names
    }
}

/// Says what a snapshot lacks, which stands at `place`.
pub(crate) fn check(config: &NodeConfig, place: &Place, problems: &mut Problems) {
    let has = |key: &str| config.raw.get(key).is_some_and(|value| !value.is_null());
    let mut say = |near: &str, message: &str, help: &str| {
        let place = config.places.get(near).unwrap_or(place);
        problems.push(Problem::new(message).at(place).help(help));
    };
    if config.snapshot().unique_key.is_empty() {
        say("strategy", "a snapshot needs `unique_key`", "say which columns name a row");
    }
    match config.snapshot().strategy {
        None if !has("strategy") => say(
            "unique_key",
            "a snapshot needs `strategy`",
            "write timestamp, with `updated_at`, or check, with `check_cols`",
        ),
        Some(SnapshotStrategy::Timestamp) if config.snapshot().updated_at.is_none() => say(
            "strategy",
            "strategy `timestamp` needs `updated_at`",
            "say which column holds the time of a row's last change, or use strategy `check`",
        ),
        Some(SnapshotStrategy::Timestamp) if has("check_cols") => say(
            "check_cols",
            "strategy `timestamp` looks at `updated_at` alone, and `check_cols` is of strategy `check`",
            "take `check_cols` away, or use strategy `check`",
        ),
        Some(SnapshotStrategy::Check) if !has("check_cols") => say(
            "strategy",
            "strategy `check` needs `check_cols`",
            "list the columns to compare, or write all",
        ),
        _ => {}
    }
    if has("hard_deletes") && has("invalidate_hard_deletes") {
        say(
            "invalidate_hard_deletes",
            "`invalidate_hard_deletes` is the old name of `hard_deletes`, and both are written",
            "keep `hard_deletes` alone",
        );
    }
}
