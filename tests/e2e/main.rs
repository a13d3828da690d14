//! The binary as a user meets it: small projects on disk, commands, what they print and what the tables then hold.

mod bad_input;
mod bundled;
mod changes;
mod commands;
mod errors;
mod incremental;
mod lease;
mod project;
mod promise;
mod selection;
mod shapes;
