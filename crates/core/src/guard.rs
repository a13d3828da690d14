//! Work on bytes from outside, whose panics are errors.
//!
//! A decoder that meets bytes that its author did not think of may panic. Such a panic says something of the bytes, not of
//! the run: it is caught where the bytes are known by name, and nothing of it is printed. Panics of anything else are
//! printed and end the process as ever.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

thread_local! {
    static IS_GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Work panicked; this is what it said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Panicked(String);

impl Panicked {
    /// Of what a panic carries.
    pub fn new(payload: &(dyn Any + Send)) -> Self {
        let said = payload.downcast_ref::<&str>().copied();
        let said = said.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
        Self(said.unwrap_or("a panic without words").to_owned())
    }
}

/// What the work gives, or its panic.
///
/// # Errors
/// Where the work panics. What it was changing may be half changed then, and is not to be used again.
pub fn guarded<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    silence_guarded_panics();
    let was_guarded = IS_GUARDED.replace(true);
    let outcome = catch_unwind(AssertUnwindSafe(work));
    IS_GUARDED.set(was_guarded);
    outcome.map_err(|payload| Panicked::new(payload.as_ref()))
}

/// From now on panics of this thread print nothing: for threads of which every panic is handed to whoever waits for the work.
pub fn guard_this_thread() {
    silence_guarded_panics();
    IS_GUARDED.set(true);
}

fn silence_guarded_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if !IS_GUARDED.get() {
                hook(panic);
            }
        }));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_guarded_work_is_an_error_with_its_words() {
        assert_eq!(guarded(|| 1), Ok(1));
        let of_text = guarded(|| panic!("no such byte")).unwrap_err();
        assert_eq!(of_text.to_string(), "no such byte");
        let of_value = guarded(|| [1, 2].get(2).map(|_| ()).ok_or(2).unwrap()).unwrap_err();
        assert!(of_value.to_string().contains("unwrap"), "{of_value}");
        assert!(!IS_GUARDED.get());
    }
}
