//! A runtime of its own for the network, so that threads of any kind can wait for an answer.
//!
//! A thread that runs queries may not block on the runtime that it belongs to; here it only waits for a channel.

use std::future::Future;
use std::sync::mpsc::sync_channel;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that wait for the network.
const THREADS: usize = 2;

/// The runtime; it ends without waiting when dropped.
#[derive(Debug)]
pub(super) struct Background {
    runtime: Option<Runtime>,
    handle: Handle,
}

impl Background {
    /// Starts it.
    ///
    /// # Errors
    /// Where threads cannot be had.
    pub(super) fn start() -> std::io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("mep-network")
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }

    /// For what spawns tasks of its own.
    pub(super) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Runs a future there, and waits for what it gives; `None` where it panicked.
    pub(super) fn wait<T: Send + 'static>(
        &self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> Option<T> {
        let (sender, receiver) = sync_channel(1);
        self.handle.spawn(async move {
            // The receiver waits for as long as the sender lives.
            let _ = sender.send(future.await);
        });
        receiver.recv().ok()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
