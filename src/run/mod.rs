//! Carrying a plan out.
//!
//! Owns the order of the steps, threads, landing, building, publishing and results. Comes in: a plan. Goes out: tables
//! in the warehouse and a result for each node. Must not know: how results are shown.

pub mod build;
pub mod event;
pub mod increment;
pub mod landing;
pub mod schedule;
