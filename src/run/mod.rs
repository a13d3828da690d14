//! Carrying a plan out.
//!
//! Owns the order of the steps, threads, landing, building, publishing and results. Comes in: a plan. Goes out: tables
//! in the warehouse and a result for each node. Must not know: how results are shown.

pub mod build;
pub mod carry_out;
pub mod event;
pub mod increment;
pub mod landing;
pub mod landings;
mod narrow;
mod order;
pub mod schedule;
pub mod seed;
pub mod session;
pub mod snapshot;

pub use carry_out::{in_short, shown_kind, shown_name};
pub use landings::Landings;
pub use session::{RunOptions, Session, SessionError, held};
