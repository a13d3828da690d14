//! The simulator of a music streaming service, as a source that needs no service.
//!
//! Owns the events of its users, as units to be landed and as a stream that goes on. Must not know: models, where rows go.

pub mod simulated;
pub mod simulated_stream;
pub mod simulator;
