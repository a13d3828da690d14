//! A source that goes on: its partitions, and the events that come after an offset.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;

use super::SourceError;

/// A partition of a source that goes on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StreamPartition {
    /// The topic, or what the source calls its like.
    pub topic: Arc<str>,
    /// Its number in the topic.
    pub number: i32,
}

impl fmt::Display for StreamPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.number)
    }
}

/// For each partition, an offset: that of the event which comes next.
pub type Offsets = BTreeMap<StreamPartition, i64>;

/// A source of which the events come one after another, in partitions, each at an offset.
pub trait Stream: Send + Sync {
    /// What the source is, for people.
    fn describe(&self) -> String;

    /// Whether offsets count events, so that their difference is how many there are.
    fn counts_by_offset(&self) -> bool {
        true
    }

    /// Begins to read each partition at its offset, and partitions that `from` does not name at their first event, also
    /// those that come to be later. No stretch goes across an offset of `cuts`.
    ///
    /// # Errors
    /// Where the source cannot be reached, or no longer holds an offset.
    fn tail(
        &self,
        from: &Offsets,
        cuts: &BTreeMap<StreamPartition, Vec<i64>>,
    ) -> Result<Box<dyn Tail>, SourceError>;

    /// Whether the source is still the one that was read: each partition has the event that left this mark.
    ///
    /// # Errors
    /// Where it has another one, or the source cannot be reached.
    fn know_again(&self, _marks: &[(StreamPartition, String)]) -> Result<(), SourceError> {
        Ok(())
    }

    /// The place where the source's own tools look how far a reader of this name is; `None` where there is no such place.
    ///
    /// # Errors
    /// Where the source cannot be spoken to.
    fn group(&self, _name: &str) -> Result<Option<Box<dyn ReaderGroup>>, SourceError> {
        Ok(None)
    }

    /// How far each partition is landed, by the ids of the units that landing has noted.
    fn landed(&self, units: &mut dyn Iterator<Item = &str>) -> Offsets;
}

/// A name under which a source keeps how far a reader is, for its own tools.
pub trait ReaderGroup: Send {
    /// Notes how far the reader is.
    ///
    /// # Errors
    /// Where it cannot be noted.
    fn commit(&mut self, offsets: &Offsets) -> Result<(), SourceError>;
}

/// A source that is being read.
pub trait Tail: Send {
    /// The next events of some partition, where there are any before `patience` has passed.
    ///
    /// # Errors
    /// Where the source cannot be read on; that a broker is away for a while is no error.
    fn next(&mut self, patience: Duration) -> Result<Option<Stretch>, SourceError>;

    /// For each partition that is read, the offset that comes next.
    fn positions(&self) -> Offsets;

    /// For each partition, where it ends now.
    ///
    /// # Errors
    /// Where the source does not say.
    fn ends(&mut self) -> Result<Offsets, SourceError>;
}

/// Events of one partition, one after another, not decoded yet.
pub struct Stretch {
    /// The partition.
    pub partition: StreamPartition,
    /// The offset of the first event, or where there is none, of what would come first.
    pub from: i64,
    /// The offset behind the last one.
    pub to: i64,
    /// What the source knows the partition again by, once it was read up to here.
    pub mark: Option<String>,
    /// The events.
    pub events: Box<dyn Undecoded>,
}

/// Events that can be decoded on any thread.
pub trait Undecoded: Send {
    /// Decodes them.
    ///
    /// # Errors
    /// Where they cannot be decoded for a reason that lies outside of their content.
    fn decode(self: Box<Self>) -> Result<DecodedEvents, SourceError>;
}

/// What events are: `read` = the rows of the batches + `unreadable`.
#[derive(Debug, Default)]
pub struct DecodedEvents {
    /// Rows of the declared schema, each batch with the offsets of its rows.
    pub batches: Vec<(RecordBatch, Vec<i64>)>,
    /// Events that are no rows.
    pub unreadable: Vec<UnreadableEvent>,
    /// How many events there were.
    pub read: u64,
}

/// An event that is no row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadableEvent {
    /// Its offset.
    pub offset: i64,
    /// What is wrong with it.
    pub reason: String,
    /// Its content; a message can have none.
    pub payload: Option<Vec<u8>>,
}
