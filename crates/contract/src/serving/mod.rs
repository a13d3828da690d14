//! Where the rows of batch models are served by key, beside the warehouse.
//!
//! Owns which content of a table the store has, and bringing it another one: a *delivery*. Comes in: rows that are to be there, and keys
//! that are to be gone. Goes out: the contents that the store's rows may be of. Must not know: models, how a difference is found.
//!
//! The table in the warehouse is the truth; what the store has follows it. A delivery notes the content that it brings before it writes
//! the first row, and that all of it is there after the last one. Between the two a row may be of the content that was complete before,
//! or of any that was begun since: so the difference to all of these is what the next delivery writes, and whatever was cut short, the
//! rows are then those of the new content. Deliveries are numbered, and the number is the write timestamp of what they write: a request of
//! an earlier one that arrives late never replaces what a later one wrote.

mod content;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use crate::sink::{SinkError, SinkTable};
use crate::warehouse::TableVersion;

pub use content::{ContentError, note_of, noted};

/// What a store has of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum ServedStanding {
    /// No table that a delivery could go on with.
    Nothing(WhyAnew),
    /// Rows of these contents.
    Rows(ServedContents),
}

/// The contents that the rows of a served table may be of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServedContents {
    /// The one that was brought as a whole last; `None`: none yet, the table was empty.
    pub completed: Option<Arc<TableVersion>>,
    /// Those that were begun since and not completed.
    pub begun: Vec<Arc<TableVersion>>,
    /// Whether readers see the table already: one that is filled anew is shown when it is complete.
    pub is_shown: bool,
}

/// Why all rows go into a new generation of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyAnew {
    /// There is none yet.
    FirstTime,
    /// The columns, the key or the time to live are others.
    OtherShape,
    /// The store does not know of which content its rows are, or the warehouse has that content no more.
    Unknown,
    /// The table that readers saw is not there any more.
    Gone,
    /// It was asked for.
    FullRefresh,
}

impl fmt::Display for WhyAnew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FirstTime => "the first time",
            Self::OtherShape => "its columns, key or time to live are others",
            Self::Unknown => "what it had is no longer kept in the warehouse",
            Self::Gone => "its table is gone",
            Self::FullRefresh => "full refresh",
        })
    }
}

/// Keeps the rows of tables by their keys.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow::array::RecordBatch;
/// use mep_contract::serving::ServingStore;
/// use mep_contract::sink::{SinkError, SinkTable};
/// use mep_contract::warehouse::TableVersion;
///
/// /// Brings all rows of a content into a new generation of a table, and gives the name that readers find it by.
/// async fn served(
///     store: &dyn ServingStore,
///     table: &SinkTable,
///     content: Arc<TableVersion>,
///     rows: &[RecordBatch],
/// ) -> Result<String, SinkError> {
///     let delivery = store.begin(table, &content, true).await?;
///     delivery.upsert(rows).await?;
///     delivery.complete().await?;
///     Ok(delivery.table_name().to_owned())
/// }
/// ```
#[async_trait]
pub trait ServingStore: fmt::Debug + Send + Sync {
    /// The place, for people.
    fn describe(&self) -> String;

    /// What is there of a table.
    ///
    /// # Errors
    /// [`SinkError::Passing`] where the store cannot be reached; [`SinkError::Refused`] where the table is somebody else's.
    async fn standing(&self, table: &SinkTable) -> Result<ServedStanding, SinkError>;

    /// Begins to bring a content: notes it, and makes the table where it is missing. With `anew` into a new generation of the table,
    /// which is empty and which readers come to see once it is complete.
    ///
    /// # Errors
    /// As for [`Self::standing`]; [`SinkError::Lost`] where another run has begun since.
    async fn begin(
        &self,
        table: &SinkTable,
        content: &TableVersion,
        anew: bool,
    ) -> Result<Box<dyn ServedDelivery>, SinkError>;

    /// Drops generations of this target's tables that readers were led away from that long ago; gives their number.
    ///
    /// # Errors
    /// Where the store cannot be reached, or one cannot be dropped.
    async fn clean(&self, retention: Duration) -> Result<usize, SinkError>;
}

/// Brings one content of a table. No call of it and of another one for the same content have a key in common but with the same row.
#[async_trait]
pub trait ServedDelivery: Send + Sync {
    /// The table that is written to, as readers find it.
    fn table_name(&self) -> &str;

    /// Puts rows in place of those with the same keys.
    ///
    /// # Errors
    /// [`SinkError::Refused`] where a value cannot be kept; [`SinkError::Passing`] where the store keeps failing.
    async fn upsert(&self, rows: &[RecordBatch]) -> Result<(), SinkError>;

    /// Takes the rows of these keys away; of the columns only those of the key count.
    ///
    /// # Errors
    /// As for [`Self::upsert`].
    async fn delete(&self, keys: &[RecordBatch]) -> Result<(), SinkError>;

    /// Notes that all of the content is there, and leads readers to the table, in one step.
    ///
    /// # Errors
    /// [`SinkError::Lost`] where another run has begun since; [`SinkError::Passing`] where rows may have been lost meanwhile: the content
    /// stays one that was begun, and is to be brought again.
    async fn complete(&self) -> Result<(), SinkError>;
}
