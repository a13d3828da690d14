//! Config that tests have.

use super::threshold::Threshold;
use super::word::Word;

/// How bad a failing test is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Severity {
    /// It fails the run.
    #[default]
    Error,
    /// It is told.
    Warn,
}

impl Word for Severity {
    const WORDS: &'static [(&'static str, Self)] = &[("error", Self::Error), ("warn", Self::Warn)];
}

/// What the rows that fail a test are kept as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailuresKept {
    /// A table, written anew by each run of the test.
    Table,
    /// A view of the test's SELECT.
    View,
    /// Nothing: they are counted.
    Ephemeral,
}

impl Word for FailuresKept {
    const WORDS: &'static [(&'static str, Self)] =
        &[("table", Self::Table), ("view", Self::View), ("ephemeral", Self::Ephemeral)];
}

/// The config of a test.
#[derive(Clone, Debug, PartialEq)]
pub struct TestConfig {
    /// How bad it is when it fails.
    pub severity: Severity,
    /// It looks only at rows for which this SQL holds.
    pub where_sql: Option<String>,
    /// It counts at most so many rows.
    pub limit: Option<u64>,
    /// When a number of failing rows warns.
    pub warn_if: Threshold,
    /// When a number of failing rows fails.
    pub error_if: Threshold,
    /// How it counts what fails.
    pub fail_calc: String,
    /// Whether the rows that fail it are kept.
    pub store_failures: Option<bool>,
    /// What they are kept as, where that is said.
    pub store_failures_as: Option<FailuresKept>,
}

impl Default for TestConfig {
    fn default() -> Self {
        Self {
            severity: Severity::default(),
            where_sql: None,
            limit: None,
            warn_if: Threshold::NOT_ZERO,
            error_if: Threshold::NOT_ZERO,
            fail_calc: "count(*)".to_owned(),
            store_failures: None,
            store_failures_as: None,
        }
    }
}

impl TestConfig {
    /// What the rows that fail a test are kept as; `unsaid` is whether they are kept where config does not say.
    pub fn failures_kept(&self, unsaid: bool) -> FailuresKept {
        match (self.store_failures_as, self.store_failures.unwrap_or(unsaid)) {
            (Some(kept), _) => kept,
            (None, true) => FailuresKept::Table,
            (None, false) => FailuresKept::Ephemeral,
        }
    }
}
