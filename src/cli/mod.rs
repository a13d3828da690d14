//! The command line.
//!
//! Owns arguments, exit codes, and what the terminal shows. Comes in: words. Goes out: an exit code. Must not know how
//! anything is done: it calls the stages and shows what they return.

pub mod arguments;
pub mod exit;
pub mod terminal;

pub use arguments::Arguments;
pub use exit::Exit;
