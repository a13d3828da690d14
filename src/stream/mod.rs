//! Streaming models: kept in step with a source that goes on.

pub mod sink;
