//! The binary as a user meets it: small projects on disk, commands, what they print and what the tables then hold.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where what it needs is not there")]

mod bad_input;
mod bundled;
mod changes;
mod commands;
mod data_tests;
mod errors;
mod incremental;
mod lease;
mod project;
mod promise;
mod seeds;
mod selection;
mod shapes;
mod voice;
