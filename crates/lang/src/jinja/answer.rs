//! What data answers to a text that asks while it is rendered.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// A value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// NULL.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number; a decimal without places is one too.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// A text, and what templates know no type for.
    Text(String),
    /// A day.
    Date(NaiveDate),
    /// A time without a zone.
    Time(NaiveDateTime),
    /// A point in time.
    Instant(DateTime<Utc>),
}

/// The rows of a SELECT, in an order that is the same whenever the tables hold the same.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The names of its columns.
    pub columns: Vec<String>,
    /// Its rows, each with a value for each column.
    pub rows: Vec<Vec<Cell>>,
}

/// What comes of asking.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    /// Rows.
    Rows(Answer),
    /// Nothing is known of them: texts are only looked through for what they name.
    Unknown,
}
