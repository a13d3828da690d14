//! Pieces of a source, and rows of it that cannot be read.

use std::fmt;
use std::sync::Arc;

use chrono::NaiveDate;

use mep_core::fingerprint::Structure;

/// Grows whenever rows can be read that were rejected before: what was rejected under an earlier one is tried again.
pub const READING_RULES: u32 = 2;

/// A piece of a source that is read as a whole: a file, a simulated day, a range of a Kafka partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// What it is called, the same on every run: a path below the source's folder, a day, a range of offsets.
    pub id: String,
    /// Changes when, and only when, the content may have changed: of size and modification time, or of the seed.
    pub version: String,
    /// The batch that its rows land in: those of a batch are replaced together. `None`: the batch of the run.
    pub batch: Option<String>,
    /// How large it is in bytes as stored, where that is known.
    pub bytes: Option<u64>,
    /// The one UTC day that all its events are of, where that is known without reading it.
    pub day: Option<NaiveDate>,
}

/// A unit as an earlier landing recorded it, for sources that go on from there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// The unit's id.
    pub id: String,
    /// The version that was landed, with what was withheld.
    pub version: String,
    /// The batch that its rows are in.
    pub batch: String,
    /// What its reader said of its end.
    pub mark: Option<String>,
    /// Rows of later days, which were left for a later run.
    pub withheld: u64,
    /// The schemas of its messages, as its reader told them.
    pub schemas: Option<String>,
    /// Whether a later reading gave fewer rows than were landed.
    pub is_short: bool,
}

/// What a source holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holding {
    /// The units, in a stable order.
    pub units: Vec<Unit>,
    /// Units that were landed and cannot be read again, as is to be expected of the source: their rows stay as landed.
    pub kept: Vec<String>,
    /// Units that were landed by other schemas of their messages than there are by now.
    pub of_other_schemas: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl From<Vec<Unit>> for Holding {
    fn from(units: Vec<Unit>) -> Self {
        Self { units, ..Self::default() }
    }
}

/// Where a Kafka message stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessagePlace {
    /// The topic.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reject {
    /// The unit that it stands in.
    pub unit: String,
    /// The line, from 1 (for Parquet: the row). A message has none.
    pub line: Option<u64>,
    /// The message, where it is one.
    pub message: Option<MessagePlace>,
    /// What is wrong with it.
    pub reason: String,
    /// The start of the line, at most [`Reject::TEXT_LIMIT`] bytes.
    pub text: String,
}

impl Reject {
    /// How many bytes of a rejected line are kept.
    pub const TEXT_LIMIT: usize = 1024;
}

/// Stands for which rows were rejected, in whatever order they were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RejectedRows(u128);

impl RejectedRows {
    /// One more was rejected.
    pub fn add(&mut self, reject: &Reject) {
        let (line, message) = (reject.line.unwrap_or_default(), reject.message.as_ref());
        let (partition, offset) = message.map_or((0, 0), |place| (place.partition, place.offset));
        let mut row = Structure::default();
        row.text(&reject.unit).number(line).number(partition).number(offset);
        self.0 = self.0.wrapping_add(row.fingerprint().number());
    }

    /// These were rejected, too.
    pub fn add_all(&mut self, others: Self) {
        self.0 = self.0.wrapping_add(others.0);
    }
}

impl fmt::Display for RejectedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}
