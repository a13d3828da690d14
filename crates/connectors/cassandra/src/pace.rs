//! How many requests with data are under way at once: fewer where Cassandra is slow or does not answer, more while it answers in time.
//!
//! Owns the count that all models of a cluster share, between 1 and the bound that the target sets. Comes in: when each request was sent
//! and what became of it. Must not know: what requests are about.
//!
//! The count is halved where a request failed or took longer than half of what it may take, at most once for those that were under way
//! together; it grows by one for each answer that came soon, up to what it was when it was halved last, and from there by one for as many
//! answers as it is large. So a cluster that fell behind is given less until it is up again, and the models wait for their turn in order.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many requests are under way at once before anything is known of the cluster.
const AT_FIRST: usize = 32;

/// The requests that may be under way.
pub(super) struct Pace {
    permits: Semaphore,
    limit: Mutex<Limit>,
}

/// What the number of requests is, and how it came to be.
struct Limit {
    at_once: f64,
    bound: f64,
    /// Up to here it grows fast.
    known_good: f64,
    /// When it was last halved: what was sent before says nothing more.
    halved: Instant,
    /// An answer that came within this time came soon.
    soon: Duration,
    /// One that took longer came nearly too late.
    late: Duration,
    /// How many of those under way are to be taken away when they have ended.
    surplus: usize,
}

/// A request's leave to be sent.
pub(super) struct Permit<'p> {
    pace: &'p Pace,
    held: Option<SemaphorePermit<'p>>,
    sent: Instant,
}

impl Pace {
    /// Requests that may take `timeout`, of which at most `bound` are under way at once.
    pub(super) fn new(bound: usize, timeout: Duration) -> Self {
        let bound = bound.max(1);
        let at_once = bound.min(AT_FIRST);
        let limit = Limit {
            at_once: at_once as f64,
            bound: bound as f64,
            known_good: bound as f64,
            halved: Instant::now(),
            soon: timeout / 20,
            late: timeout / 2,
            surplus: 0,
        };
        Self { permits: Semaphore::new(at_once), limit: Mutex::new(limit) }
    }

    /// Waits for leave to send a request.
    pub(super) async fn permit(&self) -> Permit<'_> {
        // Nobody closes the semaphore.
        let permit = self.permits.acquire().await.ok();
        Permit { pace: self, held: permit, sent: Instant::now() }
    }

    /// How many may be under way now.
    pub(super) fn at_once(&self) -> usize {
        self.limit().at_once as usize
    }

    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answered(&self, sent: Instant, now: Instant) {
        let mut limit = self.limit();
        if now.saturating_duration_since(sent) > limit.late {
            self.take_away(&mut limit, sent, now);
        } else if limit.grow(sent, now) {
            self.permits.add_permits(1);
        }
    }

    fn failed(&self, sent: Instant, now: Instant) {
        let mut limit = self.limit();
        self.take_away(&mut limit, sent, now);
    }

    fn take_away(&self, limit: &mut Limit, sent: Instant, now: Instant) {
        limit.halve(sent, now);
        limit.surplus -= self.permits.forget_permits(limit.surplus);
    }
}

impl Limit {
    /// Whether there is leave for one more, which none that was to be taken away makes up for.
    fn grow(&mut self, sent: Instant, now: Instant) -> bool {
        if now.saturating_duration_since(sent) > self.soon {
            return false;
        }
        let before = self.at_once as usize;
        let by = if self.at_once < self.known_good { 1.0 } else { 1.0 / self.at_once };
        self.at_once = (self.at_once + by).min(self.bound);
        let has_grown = self.at_once as usize > before;
        if has_grown && self.surplus > 0 {
            self.surplus -= 1;
            return false;
        }
        has_grown
    }

    fn halve(&mut self, sent: Instant, now: Instant) {
        if sent < self.halved {
            return;
        }
        let before = self.at_once as usize;
        let after = (before / 2).max(1);
        (self.at_once, self.known_good, self.halved) = (after as f64, before as f64, now);
        self.surplus += before - after;
    }
}

impl Permit<'_> {
    /// The request was acknowledged.
    pub(super) fn answered(self) {
        self.pace.answered(self.sent, Instant::now());
    }

    /// It was not, and may be sent again.
    pub(super) fn failed(self) {
        self.pace.failed(self.sent, Instant::now());
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let mut limit = self.pace.limit();
        if limit.surplus > 0
            && let Some(permit) = self.held.take()
        {
            limit.surplus -= 1;
            permit.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(10);

    /// Answers to so many requests, one after another, that each took so long.
    fn answers(pace: &Pace, count: usize, took: Duration) {
        for _ in 0..count {
            let now = Instant::now();
            pace.answered(now.checked_sub(took).unwrap(), now);
        }
    }

    /// How many are let through without waiting.
    fn free(pace: &Pace) -> usize {
        pace.permits.available_permits()
    }

    #[test]
    fn requests_grow_in_number_up_to_the_bound_while_answers_come_soon() {
        let pace = Pace::new(64, TIMEOUT);
        assert_eq!((pace.at_once(), free(&pace)), (32, 32));
        answers(&pace, 10, Duration::from_millis(5));
        assert_eq!((pace.at_once(), free(&pace)), (42, 42));
        answers(&pace, 1_000, Duration::from_millis(5));
        assert_eq!((pace.at_once(), free(&pace)), (64, 64));
        assert_eq!(Pace::new(4, TIMEOUT).at_once(), 4);
    }

    #[test]
    fn a_slow_answer_does_not_let_more_through_and_one_that_is_nearly_too_late_halves() {
        let pace = Pace::new(64, TIMEOUT);
        answers(&pace, 100, Duration::from_secs(2));
        assert_eq!(pace.at_once(), 32);
        pace.answered(Instant::now(), Instant::now() + Duration::from_secs(6));
        assert_eq!((pace.at_once(), free(&pace)), (16, 16));
    }

    #[test]
    fn what_was_under_way_together_halves_once_and_never_below_one() {
        let pace = Pace::new(64, TIMEOUT);
        let sent = Instant::now();
        for _ in 0..64 {
            pace.failed(sent, Instant::now());
        }
        assert_eq!((pace.at_once(), free(&pace)), (16, 16));
        for _ in 0..20 {
            pace.failed(Instant::now(), Instant::now());
        }
        assert_eq!((pace.at_once(), free(&pace)), (1, 1));
        // Up to the last good number fast, and from there by one for as many answers as it is.
        answers(&pace, 2, Duration::from_millis(5));
        assert_eq!(pace.at_once(), 2);
        answers(&pace, 30, Duration::from_millis(5));
        assert!((6..12).contains(&pace.at_once()), "{}", pace.at_once());
    }

    #[tokio::test]
    async fn leave_that_is_in_use_is_taken_away_when_it_comes_back() {
        let pace = Pace::new(8, TIMEOUT);
        let mut all = Vec::new();
        for _ in 0..8 {
            all.push(pace.permit().await);
        }
        all.pop().unwrap().failed();
        assert_eq!((pace.at_once(), free(&pace)), (4, 0));
        for _ in 0..3 {
            all.pop().unwrap().failed();
        }
        assert_eq!((pace.at_once(), free(&pace)), (4, 0));
        drop(all);
        assert_eq!((pace.at_once(), free(&pace)), (4, 4));
    }
}
