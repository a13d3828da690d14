//! Named places where a test can end the process, as `kill -9` would, or hold it.
//!
//! The environment variable `MEP_FAIL_POINT` names one place, or `place:n` for its n-th time. With `=wait` behind it the
//! thread says on standard error that it waits there, and goes on waiting until the process is killed. With `=stop` it
//! says so too, and then the whole process stands still until it gets the signal CONT. Without the variable a fail point
//! costs one load of a static.

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
pub fn reached(place: &str) {
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
}

#[cfg(not(target_os = "linux"))]
fn stand_still() {}
