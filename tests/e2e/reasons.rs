//! Why a test fails is told when it fails: the test framework keeps what tests print until all of them have run, and a log that is cut
//! short then lacks it.

use std::io::Write as _;
use std::panic;
use std::sync::Once;

/// So many lines of a reason are told at once; all of it comes at the end.
const LINES: usize = 40;

/// From now on, whatever test panics.
pub(crate) fn are_told_at_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let also = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            let said = panicked.to_string();
            let first: Vec<&str> = said.lines().take(LINES).collect();
            let thread = std::thread::current();
            let test = thread.name().unwrap_or("a test");
            // Not `eprintln`, whose text is kept with that of the test.
            _ = writeln!(std::io::stderr(), "{test}: {}", first.join("\n"));
            also(panicked);
        }));
    });
}
