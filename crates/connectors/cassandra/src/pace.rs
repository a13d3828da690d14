//! How many requests with data are under way at once, and whose: fewer where Cassandra is slow or does not answer, more while it answers in time.
//!
//! Owns the count that all models of a cluster share, between 1 and the bound that the target sets, and who is next. Comes in: when each request
//! was sent, what became of it, and how much its sender has left to send. Must not know: what requests are about.
//!
//! The count is halved where a request failed or took longer than half of what it may take, at most once for those that were under way
//! together; it grows by one for each answer that came soon, up to what it was when it was halved last, and from there by one for as many
//! answers as it is large. So a cluster that fell behind is given less until it is up again.
//!
//! Who has the least left to send is next. What is sent of an epoch counts only once all of it is there and committed, so a cluster that
//! answers little finishes one model's epoch after another in place of a part of each.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::Notify;

/// How many requests are under way at once before anything is known of the cluster.
const AT_FIRST: usize = 32;

/// The requests that may be under way.
pub(super) struct Pace {
    limit: Mutex<Limit>,
    /// Something changed that those who wait look at.
    changed: Notify,
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
    under_way: usize,
    /// Those who wait.
    waiting: BTreeSet<QueuePosition>,
    /// How many have waited so far.
    came: u64,
}

/// A place among those who wait: who has less left comes first, and of two who have as much left who came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct QueuePosition {
    left: usize,
    came: u64,
}

/// Somebody who waits, until it is dropped.
struct QueuedRequest<'p> {
    pace: &'p Pace,
    place: QueuePosition,
}

/// A request's leave to be sent.
pub(super) struct Permit<'p> {
    pace: &'p Pace,
    sent: Instant,
}

impl Pace {
    /// Requests that may take `timeout`, of which at most `bound` are under way at once.
    pub(super) fn new(bound: usize, timeout: Duration) -> Self {
        let bound = bound.max(1);
        let limit = Limit {
            at_once: bound.min(AT_FIRST) as f64,
            bound: bound as f64,
            known_good: bound as f64,
            halved: Instant::now(),
            soon: timeout / 20,
            late: timeout / 2,
            under_way: 0,
            waiting: BTreeSet::new(),
            came: 0,
        };
        Self { limit: Mutex::new(limit), changed: Notify::new() }
    }

    /// Waits for leave to send a request, for somebody who has so many left to send.
    pub(super) async fn permit(&self, left: usize) -> Permit<'_> {
        let waiting = self.waiting(left);
        loop {
            let mut changed = pin!(self.changed.notified());
            // From here on nothing is missed.
            changed.as_mut().enable();
            if self.limit().takes(waiting.place) {
                return Permit { pace: self, sent: Instant::now() };
            }
            changed.await;
        }
    }

    /// How many may be under way now.
    pub(super) fn at_once(&self) -> usize {
        self.limit().at_once as usize
    }

    fn waiting(&self, left: usize) -> QueuedRequest<'_> {
        let mut limit = self.limit();
        limit.came += 1;
        let place = QueuePosition { left, came: limit.came };
        limit.waiting.insert(place);
        QueuedRequest { pace: self, place }
    }

    fn limit(&self) -> MutexGuard<'_, Limit> {
        self.limit.lock()
    }

    fn answered(&self, sent: Instant, now: Instant) {
        let mut limit = self.limit();
        if now.saturating_duration_since(sent) > limit.late {
            limit.halve(sent, now);
        } else {
            limit.grow(sent, now);
        }
    }

    fn failed(&self, sent: Instant, now: Instant) {
        self.limit().halve(sent, now);
    }
}

impl Limit {
    /// Whether whoever waits at a place has its turn now; then its request is under way.
    fn takes(&mut self, place: QueuePosition) -> bool {
        let is_next = self.under_way < self.at_once as usize && self.waiting.first() == Some(&place);
        self.under_way += usize::from(is_next);
        is_next
    }

    fn grow(&mut self, sent: Instant, now: Instant) {
        if now.saturating_duration_since(sent) > self.soon {
            return;
        }
        let by = if self.at_once < self.known_good { 1.0 } else { 1.0 / self.at_once };
        self.at_once = (self.at_once + by).min(self.bound);
    }

    fn halve(&mut self, sent: Instant, now: Instant) {
        if sent < self.halved {
            return;
        }
        let before = self.at_once as usize;
        let after = (before / 2).max(1);
        (self.at_once, self.known_good, self.halved) = (after as f64, before as f64, now);
    }
}

impl Drop for QueuedRequest<'_> {
    fn drop(&mut self) {
        self.pace.limit().waiting.remove(&self.place);
        self.pace.changed.notify_waiters();
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
        self.pace.limit().under_way -= 1;
        self.pace.changed.notify_waiters();
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
        let limit = pace.limit();
        (limit.at_once as usize).saturating_sub(limit.under_way)
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
    async fn what_is_under_way_counts_until_it_ends_though_fewer_may_be_by_now() {
        let pace = Pace::new(8, TIMEOUT);
        let mut all = Vec::new();
        for _ in 0..8 {
            all.push(pace.permit(9).await);
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

    #[tokio::test]
    async fn who_has_the_least_left_is_next_whoever_came_first() {
        let pace = Pace::new(1, TIMEOUT);
        let under_way = pace.permit(9).await;
        let order = Mutex::new(Vec::new());
        let wait = async |left| {
            let permit = pace.permit(left).await;
            order.lock().push(left);
            permit.answered();
        };
        let gone = wait(1);
        let gives_back = async {
            tokio::task::yield_now().await;
            under_way.answered();
        };
        // One that is given up takes nobody's turn.
        assert!(tokio::time::timeout(Duration::from_millis(1), gone).await.is_err());
        tokio::join!(wait(700), wait(5), wait(60), wait(5), gives_back);
        assert_eq!(*order.lock(), [5, 5, 60, 700]);
        assert_eq!(free(&pace), 1);
    }
}
