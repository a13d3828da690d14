//! What is going on in a stream, as numbers that anyone can look at while it runs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::checkpoint::Counts;
use crate::source::tail::Partition;

/// What is going on, of all streams of a process.
#[derive(Debug)]
pub struct Progress {
    began: Instant,
    now: Mutex<Now>,
}

/// The numbers of a moment.
#[derive(Clone, Debug, Default)]
pub struct Now {
    /// The partitions.
    pub partitions: BTreeMap<Partition, PartitionProgress>,
    /// The models, by name.
    pub models: BTreeMap<String, ModelProgress>,
    /// Events that were read from the source since the process began.
    pub read: u64,
    /// What a sink or a source waits for, by the model or the source that waits.
    pub waiting: BTreeMap<String, String>,
}

/// The numbers of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartitionProgress {
    /// The offset of the next event.
    pub next: i64,
    /// The offset behind the last event that the source holds, when it was asked last.
    pub end: Option<i64>,
}

impl PartitionProgress {
    /// How many events are still to be read.
    pub fn lag(self) -> i64 {
        self.end.map_or(0, |end| (end - self.next).max(0))
    }
}

/// The numbers of a model.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModelProgress {
    /// What became of events since its table was made, up to the last checkpoint.
    pub counts: Counts,
    /// Until when windows are closed, in milliseconds since 1970; `None` before any is.
    pub closed_until: Option<i64>,
    /// Windows that are open.
    pub open_windows: usize,
    /// The last epoch.
    pub epoch: u64,
}

impl Default for Progress {
    fn default() -> Self {
        Self { began: Instant::now(), now: Mutex::default() }
    }
}

impl Progress {
    /// How many seconds it has been going on.
    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }

    /// The numbers now.
    pub fn now(&self) -> Now {
        self.lock().clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
