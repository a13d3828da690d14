//! Tables in folders of a file system: the warehouse for runs, the sink for streams.
//!
//! Owns the manifest whose rename is a publish, its parts and checksums, and the lock. Must not know: SQL, models.

pub mod sink;
pub mod warehouse;
