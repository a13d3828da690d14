//! Streaming models: kept in step with a source that goes on.
//!
//! Owns windows and their states, the watermark, epochs and checkpoints, and the loop that carries them on. Comes in: streams of
//! events, and models as [`StreamQuery`](mep_sql::streaming::StreamQuery). Goes out: rows in a sink, and what is going on as
//! numbers. Must not know: projects, how a sink keeps rows, how the numbers are shown.
//!
//! # How rows come to be right, whatever happens
//!
//! An epoch is decided by two things: the checkpoint that it begins with (offsets, the open windows' states, until when windows
//! are closed) and the cut that it ends with (offsets again). The cut is noted before anything is written; rows are absolute
//! values, written by key with the epoch as their timestamp; the checkpoint comes last. So a stream that is killed begins
//! with the last checkpoint, reads up to the noted cut, and writes the same rows with the same timestamps. Windows are closed
//! between epochs only: which event is late is decided by the checkpoint, and not by the order in which partitions are read.

mod checkpoint;
mod events;
mod group_commits;
mod job;
mod letters;
mod model;
mod opening;
mod progress;
mod reader;
pub mod reconcile;
mod running;
mod sets;
mod stretches;
mod watermark;
mod windows;
mod writing;

#[cfg(test)]
mod tests;

pub use checkpoint::CheckpointError;
pub use checkpoint::Counts;
pub use job::{DeadLetters, Job, JobError, JobOptions, RejectLimit, Reload, Until};
pub use model::{StreamModel, streamed};
pub use progress::{EarlyEvents, ModelProgress, Now, PartitionProgress, Progress};
