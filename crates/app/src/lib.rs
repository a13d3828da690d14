//! The application: what a command does, apart from how it is shown.
//!
//! Owns the one place where a target's words become connectors and engines. Must not know: arguments, the terminal.

pub mod connect;
