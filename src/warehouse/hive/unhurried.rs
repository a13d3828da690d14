//! A future that goes on a moment later than it could.
//!
//! The end of a file on HDFS is a race: the DataNode acknowledges the last packet to the writer and reports the block to the NameNode
//! in the same moment, and the writer then asks the NameNode to complete the file. Where the question comes before the report the answer
//! is no, and `hdfs_native` asks again half a second later. A writer that waits a few milliseconds first is right the first time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Sleep, sleep};

/// Of 180 files that ended at once on one DataNode, 14 were too early after 8 ms, one after 15 ms, and none after 25 ms.
const PAUSE: Duration = Duration::from_millis(25);

/// Pauses a future once, when it is first woken. After that it goes on as any other: it may hold what others wait for, such as the
/// connection to the NameNode.
pub(super) struct Unhurried<F> {
    future: Pin<Box<F>>,
    pause: Pause,
}

enum Pause {
    /// The future was not polled yet.
    Before,
    /// It was polled, and waits.
    Next,
    /// It was woken.
    Now(Pin<Box<Sleep>>),
    /// It goes on as any other.
    Over,
}

impl<F> Unhurried<F> {
    /// Of this future.
    pub(super) fn new(future: F) -> Self {
        Self { future: Box::pin(future), pause: Pause::Before }
    }
}

impl<F: Future> Future for Unhurried<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match &mut self.pause {
            Pause::Before => self.pause = Pause::Next,
            Pause::Next => {
                // Whoever woke the future did so once; the pause wakes it again.
                let mut pause = Box::pin(sleep(PAUSE));
                let is_over = pause.as_mut().poll(context).is_ready();
                self.pause = if is_over { Pause::Over } else { Pause::Now(pause) };
                if !is_over {
                    return Poll::Pending;
                }
            }
            Pause::Now(pause) => {
                ready!(pause.as_mut().poll(context));
                self.pause = Pause::Over;
            }
            Pause::Over => {}
        }
        self.future.as_mut().poll(context)
    }
}
