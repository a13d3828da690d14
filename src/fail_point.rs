//! Named places where a test can end the process, as `kill -9` would, or hold it.
//!
//! The environment variable `MEP_FAIL_POINT` names one place, or `place:n` for its n-th time. With `=wait` behind it the
//! thread says on standard error that it waits there, and goes on waiting until the process is killed. Without the
//! variable a fail point costs one load of a static.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Armed {
    place: String,
    countdown: AtomicU64,
    waits: bool,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Ends the process at once with no clean-up, or waits, where the environment asks for it at this place.
pub fn reached(place: &str) {
    let armed = ARMED.get_or_init(|| {
        let wanted = std::env::var("MEP_FAIL_POINT").ok()?;
        let (wanted, waits) = match wanted.strip_suffix("=wait") {
            Some(wanted) => (wanted, true),
            None => (wanted.as_str(), false),
        };
        let (place, times) = match wanted.split_once(':') {
            Some((place, times)) => (place, times.parse().unwrap_or(1)),
            None => (wanted, 1),
        };
        Some(Armed { place: place.to_owned(), countdown: AtomicU64::new(times), waits })
    });
    if let Some(armed) = armed
        && armed.place == place
        && armed.countdown.fetch_sub(1, Ordering::SeqCst) == 1
    {
        if !armed.waits {
            std::process::abort();
        }
        eprintln!("waiting at {place}");
        loop {
            std::thread::park();
        }
    }
}
