//! Which fail point the environment names, and what happens there.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Clone, Copy)]
enum Fate {
    End,
    Wait,
    Stop,
}

struct Armed {
    place: String,
    countdown: AtomicU64,
    fate: Fate,
}

static ARMED: OnceLock<Option<Armed>> = OnceLock::new();

/// Ends the process at once with no clean-up, or holds it, where the environment asks for it at this place.
pub(super) fn reached(place: &str) {
    let armed = ARMED.get_or_init(|| std::env::var("MEP_FAIL_POINT").ok().map(|wanted| Armed::of(&wanted)));
    if let Some(armed) = armed
        && armed.place == place
        && armed.countdown.fetch_sub(1, Ordering::SeqCst) == 1
    {
        match armed.fate {
            Fate::End => std::process::abort(),
            Fate::Wait => {
                eprintln!("waiting at {place}");
                loop {
                    std::thread::park();
                }
            }
            Fate::Stop => {
                eprintln!("waiting at {place}");
                stand_still();
            }
        }
    }
}

/// Whether the environment asks for this to be done always.
pub(super) fn is_always(what: &str) -> bool {
    std::env::var("MEP_ALWAYS").is_ok_and(|always| always.split(',').any(|one| one == what))
}

impl Armed {
    fn of(wanted: &str) -> Self {
        let (wanted, fate) = match wanted.split_once('=') {
            Some((wanted, "wait")) => (wanted, Fate::Wait),
            Some((wanted, "stop")) => (wanted, Fate::Stop),
            _ => (wanted, Fate::End),
        };
        let (place, times) = match wanted.split_once(':') {
            Some((place, times)) => (place, times.parse().unwrap_or(1)),
            None => (wanted, 1),
        };
        Self { place: place.to_owned(), countdown: AtomicU64::new(times), fate }
    }
}

#[cfg(target_os = "linux")]
fn stand_still() {
    let stopped = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
    if let Err(error) = stopped {
        eprintln!("cannot stand still: {error}");
    }
    // The signal may reach another thread first: this one does nothing until it has reached all.
    std::thread::sleep(std::time::Duration::from_secs(1));
}

#[cfg(not(target_os = "linux"))]
fn stand_still() {}
