//! Epochs that have been read: working out their rows and writing them, beside the reading of the next ones.
//!
//! Each model has at most one epoch here, so that epochs are written one after another, and its checkpoint last.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use chrono::Utc;
use tokio::task::{AbortHandle, JoinSet};

use super::checkpoint::encode_cut;
use super::job::JobError;
use super::model::{EndedEpoch, WrittenEpoch};
use super::progress::Progress;
use mep_contract::sink::{Epoch, LateEvent, Sink, SinkError};
use mep_core::fail_point;

/// How long to wait before what could not be done is tried again for the first time.
const PAUSE: Duration = Duration::from_millis(100);

/// The longest wait before it is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The pauses between calls that fail: longer and longer, up to a bound, and never all at the same time.
#[derive(Default)]
pub(super) struct Pauses {
    before: Option<Duration>,
}

impl Pauses {
    /// Waits after a call that took so long: one that waited by itself is made again soon.
    pub(super) async fn after(&mut self, took: Duration) {
        tokio::time::sleep(self.next(took)).await;
    }

    fn next(&mut self, took: Duration) -> Duration {
        let pause = match self.before {
            Some(before) if took < LONGEST_PAUSE => (before * 2).min(LONGEST_PAUSE),
            _ => PAUSE,
        };
        self.before = Some(pause);
        // The last bits of a clock differ between models and processes.
        let share = f64::from(Utc::now().timestamp_subsec_nanos() % 1_000) / 1_000.0;
        pause.mul_f64(0.5 + share / 2.0)
    }
}

/// Epochs that are being written.
#[derive(Default)]
pub(super) struct Writing {
    tasks: JoinSet<Result<(usize, WrittenEpoch), JobError>>,
    under_way: BTreeMap<String, AbortHandle>,
}

impl Writing {
    /// Begins to write an epoch of the model with this number, which has no other one here.
    pub(super) fn begin(&mut self, index: usize, ended: EndedEpoch, progress: Arc<Progress>) {
        let model = ended.spec.name.clone();
        let task = self.tasks.spawn(async move { Ok((index, write(ended, &progress).await?)) });
        self.under_way.insert(model, task);
    }

    /// Whether nothing is being written.
    pub(super) fn is_over(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether an epoch of a model is being written.
    pub(super) fn is_under_way(&self, model: &str) -> bool {
        self.under_way.get(model).is_some_and(|task| !task.is_finished())
    }

    /// The next epoch to be written, as the number of its model; `None` where none is left.
    pub(super) async fn next(&mut self) -> Option<Result<(usize, WrittenEpoch), JobError>> {
        let done = self.tasks.join_next().await?;
        Some(done.unwrap_or_else(|error| Err(error.into())))
    }

    /// An epoch that is written already.
    pub(super) fn try_next(&mut self) -> Option<Result<(usize, WrittenEpoch), JobError>> {
        let done = self.tasks.try_join_next()?;
        Some(done.unwrap_or_else(|error| Err(error.into())))
    }

    /// Stops where it is. What was written in part is written again by the next stream.
    pub(super) async fn stop(&mut self) {
        self.tasks.shutdown().await;
    }
}

/// Works out what an epoch writes, and writes it: the cut before anything, the checkpoint after everything.
async fn write(ended: EndedEpoch, progress: &Progress) -> Result<WrittenEpoch, JobError> {
    let name = ended.spec.name.as_str();
    let failed = |error| JobError::Model { model: name.to_owned(), error };
    let cut = encode_cut(&ended.cut);
    let output = ended.settle().await.map_err(failed)?;
    let checkpoint = ended.checkpoint(&output).map_err(failed)?;
    let bytes = checkpoint
        .encode()
        .map_err(|error| JobError::Checkpoint { model: name.to_owned(), reason: error.into() })?;
    persist(&ended, progress, Call::Prepare(&cut)).await?;
    fail_point::reached("stream-prepared");
    if !output.upserts.is_empty() {
        persist(&ended, progress, Call::Upsert(&output.upserts)).await?;
    }
    if !output.deletes.is_empty() {
        persist(&ended, progress, Call::Delete(&output.deletes)).await?;
    }
    fail_point::reached("stream-rows");
    if !ended.late.is_empty() {
        persist(&ended, progress, Call::KeepLate(&ended.late)).await?;
    }
    fail_point::reached("stream-late");
    persist(&ended, progress, Call::Commit(&bytes)).await?;
    fail_point::reached("stream-committed");
    Ok(WrittenEpoch { checkpoint })
}

/// What a sink is asked for.
enum Call<'a> {
    Prepare(&'a [u8]),
    Upsert(&'a [RecordBatch]),
    Delete(&'a [RecordBatch]),
    KeepLate(&'a [LateEvent]),
    Commit(&'a [u8]),
}

impl Call<'_> {
    async fn of(&self, sink: &dyn Sink, epoch: Epoch) -> Result<(), SinkError> {
        match self {
            Self::Prepare(cut) => sink.prepare(epoch, cut).await,
            Self::Upsert(rows) => sink.upsert(epoch, rows).await,
            Self::Delete(rows) => sink.delete(epoch, rows).await,
            Self::KeepLate(events) => sink.keep_late(epoch, events).await,
            Self::Commit(checkpoint) => sink.commit(epoch, checkpoint).await,
        }
    }
}

/// Calls a sink until it has done what it was asked for.
async fn persist(ended: &EndedEpoch, progress: &Progress, call: Call<'_>) -> Result<(), JobError> {
    let model = ended.spec.name.as_str();
    let mut pauses = Pauses::default();
    loop {
        let began = Instant::now();
        match call.of(&*ended.sink, ended.epoch).await {
            Ok(()) => {
                progress.lock().waiting.remove(model);
                return Ok(());
            }
            Err(SinkError::Passing(why)) => {
                tracing::warn!("{model}: {why}; trying again");
                progress.lock().waiting.insert(model.to_owned(), why);
                pauses.after(began.elapsed()).await;
            }
            Err(error) => return Err(JobError::Sink { model: model.to_owned(), error }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_are_short_after_a_call_that_waited() {
        let mut pauses = Pauses::default();
        for longest in [100, 200, 400, 800, 1_600, 2_000, 2_000] {
            let pause = pauses.next(Duration::ZERO).as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{pause} of {longest}");
        }
        assert!(pauses.next(Duration::from_secs(10)) <= PAUSE);
    }
}
