//! Where the rows of a streaming model go, and where the stream notes how far it has come.
//!
//! Owns keeping rows by their key, the checkpoint beside them, and the lease of one model. Comes in: rows, numbered epochs,
//! and checkpoints as bytes. Goes out: where the model stands. Must not know: where rows come from, what windows are, what
//! stands in a checkpoint.
//!
//! An **epoch** is a step of the stream: what it writes is decided by the checkpoint before it and by how far it reads. So the
//! order of the calls is: [`Sink::prepare`] (how far it reads), [`Sink::upsert`], [`Sink::delete`] and [`Sink::keep_late`] (any
//! number of times), [`Sink::commit`]. A stream that was killed in between writes the same epoch anew with the same rows, which is why
//! no step but the last needs to be atomic.

pub mod keyed;
pub mod late;
mod model_spec;

use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use mep_core::relation::Relation;

pub use model_spec::ModelSpec;

/// The number of an epoch, from 1. It grows with what was read, and is the write timestamp of the rows: what an older epoch
/// writes, however late, never replaces what a newer one wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl std::fmt::Display for Epoch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The table of a streaming model.
#[derive(Clone, Debug, PartialEq)]
pub struct SinkTable {
    /// Its name. Where a sink has keyspaces, the schema is not used.
    pub relation: Relation,
    /// Its columns, as the model's SELECT gives them.
    pub schema: SchemaRef,
    /// The columns whose values decide where a row lies; at least one.
    pub partition_key: Vec<String>,
    /// The columns by which the rows of one partition are told apart and sorted.
    pub clustering: Vec<Clustering>,
    /// How long a row is kept after it was written; `None`: for good.
    pub ttl: Option<Duration>,
    /// What it is, for people.
    pub description: String,
    /// What the columns are, by name, where that is said.
    pub column_descriptions: Vec<(String, String)>,
}

/// A column that rows of a partition are sorted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clustering {
    /// The column.
    pub column: String,
    /// Whether the largest comes first.
    pub descending: bool,
}

impl SinkTable {
    /// The columns that name a row: those of the partition key, then those of the clustering.
    pub fn key(&self) -> impl Iterator<Item = &str> {
        self.partition_key
            .iter()
            .map(String::as_str)
            .chain(self.clustering.iter().map(|by| by.column.as_str()))
    }
}

/// An event that came after its window was closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateEvent {
    /// The topic, or what the source calls its like.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// The offset.
    pub offset: i64,
    /// The beginning of its window, in milliseconds since 1970, UTC.
    pub window: i64,
}

/// Where a model stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The last checkpoint that was committed.
    pub committed: Option<(Epoch, Vec<u8>)>,
    /// The epoch after it, where it was begun: how far it reads.
    pub prepared: Option<(Epoch, Vec<u8>)>,
}

/// Why a sink did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// It cannot be reached or has no time; the same call may succeed later.
    #[error("{0}")]
    Passing(String),
    /// Another instance has the model.
    #[error("{model} is streamed by {holder}")]
    Held {
        /// The model's table.
        model: String,
        /// Who has it, in words.
        holder: String,
    },
    /// This instance had the model and lost it to another one.
    #[error("{0}")]
    Lost(String),
    /// It is refused, and will be refused again: other keys, a value that cannot be stored.
    #[error("{0}")]
    Refused(String),
}

/// Keeps the rows of one streaming model by their key. Calls may be repeated: after an error, the same call again.
///
/// ```
/// use arrow::array::RecordBatch;
/// use mep_contract::sink::{Epoch, Sink, SinkError};
///
/// /// Writes an epoch so that a process which ends in between writes the same again: how far it reads is noted first, and the
/// /// checkpoint, from which a stream goes on, comes last.
/// async fn written(
///     sink: &dyn Sink,
///     (epoch, cut): (Epoch, &[u8]),
///     rows: &[RecordBatch],
///     checkpoint: &[u8],
/// ) -> Result<(), SinkError> {
///     sink.prepare(epoch, cut).await?;
///     sink.upsert(epoch, rows).await?;
///     sink.commit(epoch, checkpoint).await
/// }
/// ```
#[async_trait]
pub trait Sink: Send + Sync {
    /// The place that the table is in, for people.
    fn describe(&self) -> String;

    /// How long a row is there after it was written; `None`: for good.
    fn kept_for(&self) -> Option<Duration>;

    /// Makes the table where it is missing, adds columns that are new, takes the model's lease and says where it stands. A lease
    /// that its holder did not renew for [`LEASE_LIFE`] is taken over.
    ///
    /// # Errors
    /// [`SinkError::Held`] where another instance streams the model; [`SinkError::Refused`] where the table has other keys,
    /// or a column another type.
    async fn open(&self) -> Result<Standing, SinkError>;

    /// Takes the model's lease and begins anew: takes away all rows, what was late, and the checkpoint, and makes the table anew
    /// as the model is now. In place of [`Sink::open`].
    ///
    /// # Errors
    /// [`SinkError::Held`] where another instance streams the model.
    async fn open_anew(&self) -> Result<(), SinkError>;

    /// Keeps the lease. To be called every [`LEASE_BEAT`], also while other calls are under way.
    ///
    /// # Errors
    /// [`SinkError::Lost`] where another instance has taken the model over.
    async fn renew(&self) -> Result<(), SinkError>;

    /// Notes how far an epoch reads before anything of it is written.
    ///
    /// # Errors
    /// [`SinkError::Lost`] where another instance has taken the model over: nothing is noted.
    async fn prepare(&self, epoch: Epoch, cut: &[u8]) -> Result<(), SinkError>;

    /// Puts rows in place of those with the same keys, except where a newer epoch wrote them.
    ///
    /// # Errors
    /// [`SinkError::Refused`] where a key is null.
    async fn upsert(&self, epoch: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError>;

    /// Takes rows away, of which only the columns of the key count, except where a newer epoch wrote them.
    ///
    /// # Errors
    /// Where it cannot be done.
    async fn delete(&self, epoch: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError>;

    /// Keeps what was too late, by topic, partition and offset.
    ///
    /// # Errors
    /// Where it cannot be written.
    async fn keep_late(&self, epoch: Epoch, events: &[LateEvent]) -> Result<(), SinkError>;

    /// Puts a checkpoint in place of the one before it, in one step.
    ///
    /// # Errors
    /// [`SinkError::Lost`] where another instance has taken the model over: the old checkpoint is then still in place.
    async fn commit(&self, epoch: Epoch, checkpoint: &[u8]) -> Result<(), SinkError>;

    /// Where the model stands, without its lease.
    ///
    /// # Errors
    /// Where it cannot be read.
    async fn standing(&self) -> Result<Standing, SinkError>;

    /// All rows as they are now; none where the table was never made.
    ///
    /// # Errors
    /// Where they cannot be read.
    async fn rows(&self) -> Result<Vec<RecordBatch>, SinkError>;

    /// What was too late.
    ///
    /// # Errors
    /// Where it cannot be read.
    async fn late(&self) -> Result<Vec<LateEvent>, SinkError>;

    /// Gives the lease back.
    ///
    /// # Errors
    /// Where the sink cannot be reached; the lease ends by itself after [`LEASE_LIFE`].
    async fn release(&self) -> Result<(), SinkError>;
}

/// How often a lease is renewed.
pub const LEASE_BEAT: Duration = Duration::from_secs(5);

/// How long a lease lasts that is not renewed.
pub const LEASE_LIFE: Duration = Duration::from_secs(30);
