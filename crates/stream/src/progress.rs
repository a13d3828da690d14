//! What is going on in a stream, as numbers that anyone can look at while it runs.

use std::collections::BTreeMap;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use parking_lot::{Mutex, MutexGuard};

use super::checkpoint::Counts;
use mep_contract::source::tail::{Offsets, StreamPartition};

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
    pub partitions: BTreeMap<StreamPartition, PartitionProgress>,
    /// The models, by name.
    pub models: BTreeMap<String, ModelProgress>,
    /// Events that were read from the source since the process began.
    pub read: u64,
    /// For each model, the offset behind the last event of each partition that is committed.
    pub committed: BTreeMap<String, Offsets>,
    /// Events whose time is one of the years before 1980, by the table of their source.
    pub early: BTreeMap<String, EarlyEvents>,
    /// What a sink or a source waits for, by the model or the source that waits.
    pub waiting: BTreeMap<String, String>,
}

impl Now {
    /// How many events of a partition are not committed by every model.
    pub fn lag(&self, partition: &StreamPartition) -> u64 {
        let Some(shown) = self.partitions.get(partition) else { return 0 };
        let committed = self.committed.values().filter_map(|committed| committed.get(partition)).min();
        shown.behind(committed.copied())
    }

    /// How many events a model has not committed.
    pub fn lag_of(&self, model: &str) -> u64 {
        let committed = self.committed.get(model).into_iter().flatten();
        committed
            .filter_map(|(partition, next)| Some(self.partitions.get(partition)?.behind(Some(*next))))
            .sum()
    }

    /// How many events are not committed by every model.
    pub fn whole_lag(&self) -> u64 {
        self.partitions.keys().map(|partition| self.lag(partition)).sum()
    }
}

/// Events of which the time is seldom meant: seconds that are read as milliseconds are of January 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EarlyEvents {
    /// How many.
    pub events: u64,
    /// The column that says when they happened.
    pub column: String,
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
    /// How many events lie behind an offset; of one that is not known, behind what was read.
    fn behind(self, offset: Option<i64>) -> u64 {
        self.end.map_or(0, |end| u64::try_from(end - offset.unwrap_or(self.next)).unwrap_or(0))
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
    /// When this process began with it.
    pub began: DateTime<Utc>,
    /// When this process committed an epoch of it last.
    pub last_commit: Option<DateTime<Utc>>,
}

impl ModelProgress {
    /// How long ago the last commit was; before the first one, how long ago it began.
    pub fn commit_age(&self, now: DateTime<Utc>) -> TimeDelta {
        (now - self.last_commit.unwrap_or(self.began)).max(TimeDelta::zero())
    }
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
        self.now.lock()
    }
}
