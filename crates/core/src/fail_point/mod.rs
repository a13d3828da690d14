//! Named places where a test can end the process, as `kill -9` would, or hold it.
//!
//! The environment variable `MEP_FAIL_POINT` names one place, or `place:n` for its n-th time. With `=wait` behind it the
//! thread says on standard error that it waits there, and goes on waiting until the process is killed. With `=stop` it
//! says so too, and then the whole process stands still until it gets the signal CONT. Without the variable a fail point
//! costs one load of a static. `MEP_ALWAYS` names what is to be done even where it is not worth it, with commas between. A release build has none of
//! this: nothing in the environment ends it.

#[cfg(debug_assertions)]
mod armed;

/// Ends the process at once with no clean-up, or holds it, where the environment asks for it at this place.
pub fn reached(place: &str) {
    #[cfg(debug_assertions)]
    armed::reached(place);
    #[cfg(not(debug_assertions))]
    let _ = place;
}

/// Whether a test asks for this to be done even where it is not worth it, by the environment variable `MEP_ALWAYS`.
pub fn is_always(what: &str) -> bool {
    #[cfg(debug_assertions)]
    return armed::is_always(what);
    #[cfg(not(debug_assertions))]
    {
        let _ = what;
        false
    }
}
