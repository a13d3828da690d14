//! Where SQL is executed.
//!
//! Owns reading published tables, running plans within a bound on memory, and writing what they give into new folders.
//! Comes in: plans and table versions. Goes out: batches and written files. Must not know: projects, models, the graph,
//! when to publish.

mod bounded_pruning;
mod counted_rows;
pub mod float_bounds;
pub mod keyed;
mod published;
pub mod session;

pub use published::PublishedTable;
pub use session::{Engine, EngineError, EngineOptions, Output, Written};
