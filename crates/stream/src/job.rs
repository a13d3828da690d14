//! A stream to carry on: events of one source, the models that read them, and how and how long.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::checkpoint::CheckpointError;
use super::model::StreamModel;
use super::progress::Progress;
use super::running::Running;
use mep_contract::executor::EngineError;
use mep_contract::sink::SinkError;
use mep_contract::source::tail::{Stream, StreamPartition, UnreadableEvent};
use mep_contract::source::{RowSchema, SourceError};
use mep_core::relation::Relation;
use mep_datafusion::Engine;

/// How long to go on trying to write once the stream is to stop. With what is done after it, a stream ends within ten seconds.
const LAST_TRY: Duration = Duration::from_secs(6);

/// How long to try to give the leases back.
const RELEASE: Duration = Duration::from_secs(2);

/// Events of one source, and the models that read them.
pub struct Job {
    /// The source.
    pub source: Arc<dyn Stream>,
    /// The table that it lands in, by which SQL knows it.
    pub relation: Relation,
    /// The columns of its events.
    pub schema: RowSchema,
    /// The models.
    pub models: Vec<StreamModel>,
    /// Where events go that cannot be read.
    pub dead_letters: Option<Arc<DeadLetters>>,
    /// How many events may be such.
    pub limit: Option<RejectLimit>,
    /// Makes the tables that models join known to the engine as they are now.
    pub reload: Option<Arc<Reload>>,
    /// What the names begin with under which the source keeps how far models are.
    pub group: String,
}

/// Keeps events that cannot be read, and returns when they are safe. Those that are safe are taken away, so that after an error the
/// same call keeps the rest: [`SourceError::Away`] where that may succeed.
pub type DeadLetters =
    dyn Fn(&mut Vec<(StreamPartition, UnreadableEvent)>) -> Result<(), SourceError> + Send + Sync;

/// How many events may be rejected before a stream ends.
#[derive(Clone)]
pub struct RejectLimit {
    /// As the project says it.
    pub said: String,
    /// Whether so many may be rejected of so many that were read.
    pub allows: Arc<dyn Fn(u64, u64) -> bool + Send + Sync>,
}

/// Makes tables known as they are now, or says why that cannot be.
pub type Reload = dyn Fn() -> Result<(), String> + Send + Sync;

/// How a stream is run.
#[derive(Clone, Copy, Debug)]
pub struct JobOptions {
    /// How long an epoch is.
    pub interval: Duration,
    /// How long it is while more waits to be read than an epoch of that length reads.
    pub interval_behind: Duration,
    /// After how long without events a partition no longer holds the watermark back.
    pub idle_after: Duration,
    /// Threads that take events.
    pub threads: usize,
    /// When it ends.
    pub until: Until,
    /// Whether to begin anew, with empty tables.
    pub anew: bool,
    /// After how long the tables that models join are read again.
    pub refresh_after: Duration,
    /// Whether to stand by while another instance streams a model, and to take it over when that ends.
    pub stands_by: bool,
}

/// When a stream ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is told to.
    Stopped,
    /// When it has read what the source held as it began.
    CaughtUp,
}

/// Why a stream ended early. What was committed stays, and the next one goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The source.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A model's sink.
    #[error("{model}: {error}")]
    Sink {
        /// The model.
        model: String,
        /// What the sink says.
        error: SinkError,
    },
    /// A model's SQL.
    #[error("{model}: {error}")]
    Model {
        /// The model.
        model: String,
        /// What is wrong.
        error: EngineError,
    },
    /// A model's checkpoint.
    #[error("{model}: {reason}")]
    Checkpoint {
        /// The model.
        model: String,
        /// What is wrong.
        reason: CheckpointError,
    },
    /// It was told to stop while something that it needs was away.
    #[error(
        "stopped while there was no answer from {0}: what was read last is not written, and the next stream reads it again"
    )]
    Unfinished(String),
    /// It was told to stop before the place of its rows had answered.
    #[error("stopped while there was no answer from {0}: nothing was read or written")]
    NotBegun(String),
    /// More events were rejected than may be.
    #[error(
        "{model}: {rejected} of the {read} events that it has read are rejected, and `max_rejected` is {limit}: nothing of what was read last is written; the first of them:\n  {first}\nmend the events or the declared columns, or raise `max_rejected`"
    )]
    Rejected {
        /// The model.
        model: String,
        /// Events that were rejected since its table was made.
        rejected: u64,
        /// Events that were read since then.
        read: u64,
        /// How many may be rejected.
        limit: String,
        /// Where one of them is, and why it is rejected.
        first: String,
    },
    /// A thread that ended early.
    #[error("a worker ended early: {0}")]
    Worker(#[from] tokio::task::JoinError),
}

impl Job {
    /// Streams until it has caught up, or `stop` becomes true.
    ///
    /// # Errors
    /// Where the source cannot be read, a model fails, or its sink refuses or was taken over.
    pub async fn run(
        &self,
        engine: &Engine,
        options: JobOptions,
        stop: watch::Receiver<bool>,
        progress: Arc<Progress>,
    ) -> Result<(), JobError> {
        let given_up = given_up(stop.clone());
        let mut running = Running::new(self, options, stop, progress);
        let outcome = tokio::select! {
            outcome = running.all(engine) => outcome,
            // Whatever it waits for: each call has patience of its own, and many may follow one another.
            () = given_up => Err(running.unfinished()),
        };
        // Who has no lease writes nothing.
        running.stop_writing().await;
        running.end_group_commits().await;
        let leases = self.models.iter().map(|model| model.sink.release());
        // A lease that cannot be given back ends by itself.
        let _ = tokio::time::timeout(RELEASE, futures::future::join_all(leases)).await;
        outcome
    }
}

/// Ends when the stream was to stop, and had time to write.
async fn given_up(mut stop: watch::Receiver<bool>) {
    match stop.wait_for(|is_to_stop| *is_to_stop).await {
        Ok(_) => {}
        // Nobody is left who could stop it.
        Err(_) => std::future::pending().await,
    }
    tokio::time::sleep(LAST_TRY).await;
}
