//! Tables of PostgreSQL as a source.
//!
//! Owns what is asked of the database (`connection`, `catalog`), into which ranges a table is divided and how it is found out which of them
//! changed (`ranges`), and reading their rows (`source`). Comes in: a connection, a table, the landed table. Goes out: units, batches, rejects.
//! Must not know: models, where rows go.
//!
//! All that a run reads of a table is of one snapshot: a transaction that is begun when the ranges are asked for, and ends with the run. What
//! a range holds is told by a hash that the database makes of its rows, so that rows which did not change are never sent.

mod catalog;
mod connection;
mod ranges;
mod source;

pub use catalog::FoundColumn;
pub use source::{PostgresSource, PostgresTable, columns_of};

/// Why a database cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// It cannot be reached, or does not let mep in.
    #[error("postgres: {place} cannot be reached: {reason}")]
    Unreachable {
        /// Where it is.
        place: String,
        /// What is in the way.
        reason: String,
    },
    /// It is too old.
    #[error("postgres: {place} is version {found}; mep reads from 11 on")]
    TooOld {
        /// Where it is.
        place: String,
        /// Its version.
        found: String,
    },
    /// It refuses a query.
    #[error("postgres: cannot {doing}: {reason}")]
    Refused {
        /// What was asked for.
        doing: String,
        /// What it says.
        reason: String,
    },
    /// There is no such table.
    #[error("postgres: {place} has no table {table}{hint}")]
    NoTable {
        /// Where it is.
        place: String,
        /// The table.
        table: String,
        /// A table that was perhaps meant.
        hint: String,
    },
    /// The table has no such column.
    #[error("postgres: the table {table} has no column `{column}`{hint}")]
    NoColumn {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// A column that was perhaps meant.
        hint: String,
    },
    /// A column that ranges cannot be made of.
    #[error(
        "postgres: `cursor: {column}` of {table} is of the type {found}; expected a date, a timestamp or a whole number"
    )]
    Cursor {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// The connection was lost, and the rows of a range are others by now.
    #[error("postgres: {0} changed while it was read; run again")]
    Changed(String),
}
