//! Named places where a test can end the process, as `kill -9` would.
//!
//! The environment variable `MEP_FAIL_POINT` names one place, or `place:n` for its n-th time. Without the variable a
//! fail point costs one load of a static.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

struct Armed {
    place: String,
    countdown: AtomicU64,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Ends the process at once, with no clean-up, where the environment asks for it at this place.
pub fn reached(place: &str) {
    let armed = ARMED.get_or_init(|| {
        let wanted = std::env::var("MEP_FAIL_POINT").ok()?;
        let (place, times) = match wanted.split_once(':') {
            Some((place, times)) => (place.to_owned(), times.parse().unwrap_or(1)),
            None => (wanted, 1),
        };
        Some(Armed { place, countdown: AtomicU64::new(times) })
    });
    if let Some(armed) = armed
        && armed.place == place
        && armed.countdown.fetch_sub(1, Ordering::SeqCst) == 1
    {
        std::process::abort();
    }
}
