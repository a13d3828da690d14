//! Reading a source on a thread of its own.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use super::job::JobError;
use super::running::LOOK;
use mep_contract::source::SourceError;
use mep_contract::source::tail::{Offsets, Stream, StreamPartition, Stretch};

/// How often the source is asked where it ends.
const ASK_ENDS: Duration = Duration::from_secs(5);

/// How long the end of a thread that reads is waited for: it may wait for a broker that does not answer.
const LAST_LOOK: Duration = Duration::from_millis(500);

/// How long it is waited before a full queue is looked at again: the source is asked meanwhile where it ends.
const FULL: Duration = Duration::from_millis(5);

/// How many stretches are taken at once.
const AT_ONCE: usize = 16;

/// How many stretches wait between reading and taking: about so many megabytes. A slow sink makes the source wait.
const WAITING: usize = 32;

/// A thread that reads the source.
pub(super) struct SourceReader {
    received: mpsc::Receiver<Result<Stretch, SourceError>>,
    is_over: Arc<AtomicBool>,
    thread: tokio::task::JoinHandle<()>,
    /// Where reading began.
    pub(super) starts: Offsets,
    /// Where the source ended as reading began.
    pub(super) ends: Offsets,
    latest_ends: Arc<Mutex<Offsets>>,
    pub(super) began: Instant,
}

impl SourceReader {
    pub(super) async fn start(
        source: Arc<dyn Stream>,
        from: Offsets,
        cuts: BTreeMap<StreamPartition, Vec<i64>>,
    ) -> Result<Self, JobError> {
        let opened = tokio::task::spawn_blocking(move || {
            let mut tail = source.tail(&from, &cuts)?;
            let ends = tail.ends()?;
            let starts = tail.positions();
            Ok::<_, SourceError>((tail, starts, ends))
        });
        let (mut tail, starts, ends) = opened.await??;
        let (sender, received) = mpsc::channel(WAITING);
        let is_over = Arc::new(AtomicBool::new(false));
        let latest_ends = Arc::new(Mutex::new(ends.clone()));
        let (over, latest) = (is_over.clone(), latest_ends.clone());
        let thread = tokio::task::spawn_blocking(move || {
            let mut asked = Instant::now();
            let mut waiting: Option<Stretch> = None;
            while !over.load(Ordering::Relaxed) {
                if let Some(stretch) = waiting.take() {
                    match sender.try_send(Ok(stretch)) {
                        Ok(()) => {}
                        Err(TrySendError::Full(Ok(stretch))) => {
                            waiting = Some(stretch);
                            std::thread::sleep(FULL);
                        }
                        Err(_) => return,
                    }
                } else {
                    match tail.next(LOOK) {
                        Ok(None) => {}
                        Ok(Some(stretch)) => {
                            waiting = Some(stretch);
                        }
                        Err(error) => {
                            let _ = sender.blocking_send(Err(error));
                            return;
                        }
                    }
                }
                if asked.elapsed() >= ASK_ENDS {
                    asked = Instant::now();
                    // Brokers that are away do not say; the reader waits for them anyway.
                    if let Ok(ends) = tail.ends() {
                        *latest.lock() = ends;
                    }
                }
            }
        });
        Ok(Self { received, is_over, thread, starts, ends, latest_ends, began: Instant::now() })
    }

    /// Some stretches; none where none came before `patience` has passed.
    pub(super) async fn some(&mut self, patience: Duration) -> Result<Vec<Stretch>, JobError> {
        let mut stretches = Vec::new();
        if let Ok(received) = tokio::time::timeout(patience, self.received.recv()).await {
            match received {
                Some(stretch) => stretches.push(stretch?),
                None => return Err(SourceError::unreadable("reading the source ended early").into()),
            }
            while stretches.len() < AT_ONCE {
                match self.received.try_recv() {
                    Ok(stretch) => stretches.push(stretch?),
                    Err(_) => break,
                }
            }
        }
        Ok(stretches)
    }

    pub(super) fn latest_ends(&self) -> Offsets {
        self.latest_ends.lock().clone()
    }

    pub(super) async fn end(mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.received.close();
        while self.received.recv().await.is_some() {}
        let _ = tokio::time::timeout(LAST_LOOK, &mut self.thread).await;
    }
}

impl Drop for SourceReader {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}
