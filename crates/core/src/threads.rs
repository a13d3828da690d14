//! Threads with room for what is nested deep: SQL, plans and templates are walked level by level.
//!
//! Owns the size of their stacks. Must not know what they work on.

/// Bytes of a stack. The system gives a page of it when it is first touched, so that what is not used costs nothing.
pub const STACK_BYTES: usize = 64 << 20;

/// Does the work on a thread with such a stack, and waits for it; on this one where no thread can be had.
pub fn on_deep_stack<T: Send>(work: impl Fn() -> T + Sync) -> T {
    std::thread::scope(|scope| {
        match std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, &work) {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(_) => work(),
        }
    })
}

/// Does the work on this many threads with such a stack at once, and waits for all of them.
pub fn on_deep_stacks(count: usize, work: impl Fn() + Sync) {
    std::thread::scope(|scope| {
        for _ in 0..count {
            // Where fewer threads can be had, those that there are do the work.
            let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, &work);
            if thread.is_err() {
                work();
            }
        }
    });
}
