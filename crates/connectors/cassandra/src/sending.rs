//! Requests that may be sent more than once, until each is acknowledged: one that fails takes nothing back of the others.
//!
//! Owns which of a series of requests were acknowledged, and sending the rest. Comes in: the requests, in the same order each time, and how one
//! is sent. Must not know: what they are about.

use std::collections::VecDeque;
use std::future::Future;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

use super::pace::Pace;
use mep_contract::sink::SinkError;

/// How many requests may fail one after another, with none acknowledged in between, before the caller is told.
const IN_A_ROW: usize = 8;

/// How often one request is sent before the caller is told.
const ATTEMPTS: usize = 3;

/// Which requests of a series were acknowledged, by their number in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Acknowledged {
    requests: Vec<bool>,
}

impl Acknowledged {
    fn note(&mut self, number: usize) {
        if let Some(request) = self.requests.get_mut(number) {
            *request = true;
        }
    }

    /// How many were.
    pub(super) fn count(&self) -> usize {
        self.requests.iter().filter(|request| **request).count()
    }
}

/// Who sends.
pub(super) trait RowSender: Sync {
    /// Whether anything may be sent now.
    ///
    /// # Errors
    /// Where it may not.
    fn may_send(&self) -> Result<(), SinkError>;

    /// Is told of each request that failed and may be sent again.
    fn failed(&self);
}

/// Sends those requests of a series that were not acknowledged, as many at once as the pace lets through and at most `at_most`.
///
/// # Errors
/// [`SinkError::Passing`] where requests keep failing: what was acknowledged meanwhile is noted, and the same call goes on from there.
pub(super) async fn send_rest<R, F>(
    pace: &Pace,
    at_most: usize,
    sender: &dyn RowSender,
    requests: &[R],
    acknowledged: &mut Acknowledged,
    send: impl Fn(usize) -> F,
) -> Result<(), SinkError>
where
    F: Future<Output = Result<(), SinkError>>,
{
    acknowledged.requests.resize(requests.len(), false);
    let rest = acknowledged.requests.iter().enumerate().filter(|(_, is_done)| !**is_done);
    let mut rest: VecDeque<(usize, usize)> = rest.map(|(number, _)| (number, 0)).collect();
    let mut under_way = FuturesUnordered::new();
    let (mut failure, mut in_a_row) = (None, 0);
    let mut is_over = false;
    loop {
        if !is_over
            && !rest.is_empty()
            && let Err(error) = sender.may_send()
        {
            (failure, is_over) = (Some(error), true);
        }
        let is_to_begin = !is_over && !rest.is_empty() && under_way.len() < at_most;
        tokio::select! {
            biased;
            Some((number, attempts, outcome)) = under_way.next(), if !under_way.is_empty() => match outcome {
                Ok(()) => {
                    acknowledged.note(number);
                    in_a_row = 0;
                }
                Err(error @ SinkError::Passing(_)) => {
                    sender.failed();
                    in_a_row += 1;
                    is_over |= in_a_row >= IN_A_ROW || attempts + 1 >= ATTEMPTS;
                    failure = Some(error);
                    // Behind the others, so that there is some time in between.
                    rest.push_back((number, attempts + 1));
                }
                Err(error) => return Err(error),
            },
            permit = pace.permit(rest.len()), if is_to_begin => {
                if let Some((number, attempts)) = rest.pop_front() {
                    let sending = send(number);
                    under_way.push(async move {
                        let outcome = sending.await;
                        match &outcome {
                            Ok(()) => permit.answered(),
                            Err(SinkError::Passing(_)) => permit.failed(),
                            Err(_) => {}
                        }
                        (number, attempts, outcome)
                    });
                }
            }
            else => break,
        }
    }
    match failure {
        Some(SinkError::Passing(why)) if !rest.is_empty() => {
            let (done, all) = (acknowledged.count(), requests.len());
            let at_once = pace.at_once();
            let progress = if all > 1 {
                format!("; {done} of {all} requests are acknowledged, {at_once} go at once")
            } else {
                String::new()
            };
            Err(SinkError::Passing(format!("{why}{progress}")))
        }
        Some(error) if !rest.is_empty() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use super::*;

    /// A server that answers by turns, and counts.
    #[derive(Default)]
    struct Fake {
        /// How often each request came.
        came: Mutex<Vec<usize>>,
        /// How many requests it answers before it stands still for as many.
        answers: usize,
        seen: AtomicUsize,
        under_way: AtomicUsize,
        most: AtomicUsize,
        failed: AtomicUsize,
        is_asleep: AtomicBool,
    }

    impl RowSender for Fake {
        fn may_send(&self) -> Result<(), SinkError> {
            if self.is_asleep.load(Ordering::Relaxed) {
                return Err(SinkError::Passing("the lease is old".to_owned()));
            }
            Ok(())
        }

        fn failed(&self) {
            self.failed.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Fake {
        async fn send(self: Arc<Self>, number: usize) -> Result<(), SinkError> {
            let now = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
            self.most.fetch_max(now, Ordering::Relaxed);
            tokio::time::sleep(Duration::from_micros(200)).await;
            self.under_way.fetch_sub(1, Ordering::Relaxed);
            let seen = self.seen.fetch_add(1, Ordering::Relaxed);
            if (seen / self.answers).is_multiple_of(2) {
                self.came.lock().unwrap()[number] += 1;
                return Ok(());
            }
            Err(SinkError::Passing("no answer".to_owned()))
        }
    }

    #[tokio::test]
    async fn only_what_was_not_acknowledged_is_sent_again_however_often_the_server_stands_still() {
        let requests: Vec<usize> = (0..2_000).collect();
        let fake = Arc::new(Fake { came: Mutex::new(vec![0; 2_000]), answers: 100, ..Fake::default() });
        let pace = Pace::new(64, Duration::from_secs(10));
        let mut acknowledged = Acknowledged::default();
        let (mut calls, mut told) = (0, Vec::new());
        loop {
            calls += 1;
            let before = acknowledged.count();
            let send = |number| Arc::clone(&fake).send(number);
            match send_rest(&pace, usize::MAX, &*fake, &requests, &mut acknowledged, send).await {
                Ok(()) => break,
                Err(error) => told.push(error.to_string()),
            }
            assert!(acknowledged.count() >= before, "what was acknowledged is not forgotten");
            assert!(calls < 1_000, "{told:?}");
        }
        assert!(fake.came.lock().unwrap().iter().all(|came| *came == 1), "each was acknowledged once");
        assert!(
            told.iter()
                .all(|why| why.starts_with("no answer; ")
                    && why.contains(" of 2000 requests are acknowledged, ")),
            "{told:?}"
        );
        assert!(fake.most.load(Ordering::Relaxed) <= 64);
        assert!(fake.failed.load(Ordering::Relaxed) > 0);
    }

    #[tokio::test]
    async fn a_server_that_never_answers_is_told_of_soon_and_by_fewer_and_fewer() {
        let requests = vec![(); 10_000];
        let fake = Arc::new(Fake { came: Mutex::new(vec![0; 10_000]), answers: 1, ..Fake::default() });
        fake.seen.store(1, Ordering::Relaxed);
        let pace = Pace::new(64, Duration::from_secs(10));
        let mut acknowledged = Acknowledged::default();
        for _ in 0..6 {
            let send = |_| async { Err(SinkError::Passing("no answer".to_owned())) };
            let sent = send_rest(&pace, usize::MAX, &*fake, &requests, &mut acknowledged, send).await;
            assert!(matches!(sent, Err(SinkError::Passing(_))), "{sent:?}");
        }
        assert_eq!(pace.at_once(), 1);
        assert!(fake.failed.load(Ordering::Relaxed) < 6 * 64);
    }

    #[tokio::test]
    async fn what_is_refused_ends_it_and_who_may_not_send_does_not() {
        let fake = Arc::new(Fake { came: Mutex::new(vec![0; 3]), answers: 100, ..Fake::default() });
        let pace = Pace::new(1, Duration::from_secs(10));
        let mut acknowledged = Acknowledged::default();
        let send = |number| async move {
            if number == 1 { Err(SinkError::Refused("no such column".to_owned())) } else { Ok(()) }
        };
        let sent = send_rest(&pace, 9, &*fake, &[(), (), ()], &mut acknowledged, send).await;
        assert!(matches!(sent, Err(SinkError::Refused(_))), "{sent:?}");
        fake.is_asleep.store(true, Ordering::Relaxed);
        let (mut nothing, send) = (Acknowledged::default(), |number| Arc::clone(&fake).send(number));
        let sent = send_rest(&pace, 9, &*fake, &[(), (), ()], &mut nothing, send).await;
        assert!(matches!(sent, Err(SinkError::Passing(_))), "{sent:?}");
        assert_eq!(*fake.came.lock().unwrap(), [0, 0, 0]);
    }
}
