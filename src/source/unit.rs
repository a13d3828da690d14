//! Pieces of a source, and rows of it that cannot be read.

use chrono::NaiveDate;

/// A piece of a source that is read as a whole: a file, or a simulated day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What it is called, the same on every run: a path below the source's folder, or a day.
    pub id: String,
    /// Changes when, and only when, the content may have changed: of size and modification time, or of the seed.
    pub version: String,
    /// How large it is in bytes as stored, where that is known.
    pub bytes: Option<u64>,
    /// The one UTC day that all its events are of, where that is known without reading it.
    pub day: Option<NaiveDate>,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The unit that it stands in.
    pub unit: String,
    /// The line, from 1 (for Parquet: the row).
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
    /// The start of the line, at most [`Reject::TEXT_LIMIT`] bytes.
    pub text: String,
}

impl Reject {
    /// How many bytes of a rejected line are kept.
    pub const TEXT_LIMIT: usize = 1024;
}
