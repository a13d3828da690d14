//! What cannot be said in another dialect.

use super::Dialect;

/// A construct of which no equal is known in another engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{construct} has no known equal in {}", engines(*.dialect))]
pub struct Untranslatable {
    /// What it is, by name.
    pub construct: String,
    /// Where it cannot be said.
    pub dialect: Dialect,
    /// What can be written in its place.
    pub help: Option<String>,
}

impl Untranslatable {
    pub(super) fn new(dialect: Dialect, construct: impl Into<String>) -> Self {
        Self { construct: construct.into(), dialect, help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

fn engines(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Hive => "hive and spark",
        Dialect::Trino => "trino",
    }
}
