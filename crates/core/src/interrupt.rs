//! Whether the process was asked to end: what is under way looks for it, and stops where nothing is half done.
//!
//! Owns that one bit. Must not know who asks, or what is stopped.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

static IS_REQUESTED: AtomicBool = AtomicBool::new(false);
static REQUESTED: Notify = Notify::const_new();

/// Asks everything under way to stop.
pub fn request() {
    IS_REQUESTED.store(true, Ordering::SeqCst);
    REQUESTED.notify_waiters();
}

/// Whether that was asked for.
pub fn is_requested() -> bool {
    IS_REQUESTED.load(Ordering::Relaxed)
}

/// Waits until it is asked for.
pub async fn requested() {
    let mut requested = std::pin::pin!(REQUESTED.notified());
    // From here on no call is missed, so that it is enough to look once.
    requested.as_mut().enable();
    if !IS_REQUESTED.load(Ordering::SeqCst) {
        requested.await;
    }
}
