//! The words that all stages share.
//!
//! Owns what has no place of its own in a stage: the name of a table, a folder that nothing leaves, what is never written
//! out, a hash of meaning, stretches of time. Must not know: any stage.

pub mod connection;
pub mod fail_point;
pub mod fingerprint;
pub mod guard;
pub mod interrupt;
pub mod keys;
pub mod nearest;
pub mod os_error;
pub mod path_name;
pub mod patient_listener;
pub mod quantity;
pub mod relation;
pub mod root;
pub mod secrets;
pub mod threads;
pub mod time_range;
pub mod warnings;
pub mod written_time;
