//! Carrying a plan out.
//!
//! Owns the order of the steps, threads, landing, building, publishing and results. Comes in: a plan. Goes out: tables
//! in the warehouse and a result for each node. Must not know: how results are shown.

mod batches;
pub mod build;
mod by_key;
pub mod carry_out;
mod clone;
pub mod compact;
mod constraints;
mod early_cutoff;
pub mod event;
mod failed;
mod failures;
mod in_place;
pub mod increment;
mod kept_groups;
mod landed_columns;
mod landed_files;
pub mod landing;
pub mod landings;
mod order;
mod publish;
pub mod rejects;
mod same_rows;
pub mod schedule;
pub mod seed;
mod served_keys;
mod serving;
pub mod session;
pub mod snapshot;
pub mod sources;
mod unit_inputs;
pub mod unit_steps;

pub use carry_out::{in_short, presentation};
pub use clone::Cloner;
pub use compact::{Compacted, Compactor};
pub use in_place::stored_of;
pub use landings::Landings;
pub use publish::drop_old_rejected;
pub use serving::{ServedRowCounts, ServingPlan, difference};
pub use session::{Loads, RunOptions, Session, SessionError, TestsRun, held};
pub use sources::{ConnectedSource, plan_landings};
pub use unit_steps::{Scratch, Scratches};
