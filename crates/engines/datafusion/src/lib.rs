//! Where SQL is executed.
//!
//! Owns reading published tables, running plans within a bound on memory, writing what they give into new folders, and the partial
//! aggregates that streams keep. It is the embedded engine: an `Executor`. Comes in: plans and table versions. Goes out: batches and written files. Must not know: projects, models, the graph,
//! when to publish.

mod bounded_pruning;
mod counted_rows;
pub mod files_of_keys;
mod float_bounds;
mod in_place;
pub mod keyed;
mod published;
pub mod session;
mod stream_rows;
mod streamed_table;

pub use published::PublishedTable;
pub use session::{Engine, EngineOptions, ended};
pub use stream_rows::{RunningQuery, StreamedRows};
