//! How long the services of a Hive warehouse may take to answer: the one place of these numbers.
//!
//! All of them follow from the target's `timeout`. The clients' libraries have no limits of their own, or others: a service
//! that takes a connection and then says nothing would hold a run, and its lease, for ever.

use std::time::Duration;

/// A heartbeat that hangs keeps the next ones back, and a run that ends waits for its lease to be given back.
const SIGN_OF_LIFE: Duration = Duration::from_secs(10);
/// A machine that is there takes a connection at once.
const CONNECTING: Duration = Duration::from_secs(5);

/// The limits of one target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    timeout: Duration,
}

impl Limits {
    /// The limits that follow from a target's `timeout`.
    pub(super) fn new(timeout: Duration) -> Self {
        Self { timeout }
    }

    /// To connect.
    pub(super) fn connecting(self) -> Duration {
        self.timeout.min(CONNECTING)
    }

    /// To answer what is quickly answered.
    pub(super) fn answer(self) -> Duration {
        self.timeout
    }

    /// To take or give the next piece of a file: by default as long as Hadoop's own clients wait.
    pub(super) fn piece(self) -> Duration {
        self.timeout.saturating_mul(2)
    }

    /// To list or change thousands of partitions or files, which is one call.
    pub(super) fn many(self) -> Duration {
        self.timeout.saturating_mul(10)
    }

    /// To keep the lease, or take it back.
    pub(super) fn sign_of_life(self) -> Duration {
        self.timeout.min(SIGN_OF_LIFE)
    }
}
