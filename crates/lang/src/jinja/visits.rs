//! How often one rendering looks at what lies in lists and mappings.
//!
//! A list that holds another one twice, ninety times over, is small to hold and endless to print, to compare or to write as
//! JSON. The engine does all of these by asking lists and mappings for what they hold; so they count how often they are asked,
//! and have nothing to show once it was too often. Whoever meets a value next says so at its place.

use std::cell::Cell;

use minijinja::{Error, Value};

use super::problem::invalid_with_help;

/// The most visits of one rendering: each is of one value, or of 64 bytes of a text. Tests, which are not optimized, have less.
const MOST: u64 = if cfg!(test) { 1 << 17 } else { 16 << 20 };

thread_local! {
    /// What is left of them, within a rendering.
    static LEFT: Cell<Option<u64>> = const { Cell::new(None) };
}

/// Renders, with an error where values were looked at too often.
///
/// # Errors
/// As rendering has them.
pub(super) fn bounded<T>(render: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    if LEFT.get().is_some() {
        return render();
    }
    LEFT.set(Some(MOST));
    // What panics is caught further out; the next rendering of the thread has its own visits all the same.
    let end = End;
    let rendered = render();
    let checked = check();
    drop(end);
    let rendered = rendered?;
    checked.map(|()| rendered)
}

/// Ends a rendering, also one that panics.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        LEFT.set(None);
    }
}

/// Counts a visit of a value; false where there were too many.
pub(super) fn visit(value: &Value) -> bool {
    let Some(left) = LEFT.get() else { return true };
    let cost = 1 + value.as_str().map_or(0, |text| text.len() as u64 / 64);
    LEFT.set(Some(left.saturating_sub(cost)));
    left >= cost
}

/// Counts work on so many values at once.
///
/// # Errors
/// Where there was too much.
pub(super) fn work_on(values: usize) -> Result<(), Error> {
    if let Some(left) = LEFT.get() {
        LEFT.set(Some(left.saturating_sub(values as u64)));
    }
    check()
}

/// Whether anything may still be visited.
pub(super) fn any_left() -> bool {
    LEFT.get() != Some(0)
}

/// # Errors
/// Where values were looked at too often.
pub(super) fn check() -> Result<(), Error> {
    if any_left() {
        return Ok(());
    }
    Err(invalid_with_help(
        "lists and mappings are too large here: what lies in them, counted as often as it does, is too much to look at",
        "make them smaller, or move the work into SQL",
    ))
}
