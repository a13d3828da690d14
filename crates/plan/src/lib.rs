//! What a run will do, and why, before it does it.
//!
//! Owns the comparison of what is stored with what the graph and the inputs say it should be. Comes in: the compiled
//! graph, the warehouse's table versions, what the sources hold. Goes out: a [`Plan`], a value that is shown before it is
//! carried out. Must not know: how a step is carried out.

pub mod batches;
mod changed;
pub mod compaction;
pub mod confirm;
mod landing;
mod output_keys;
pub mod partitions;
pub mod planner;
mod reads;
pub mod reason;
pub mod rejects;
pub mod snapshots;
mod step;
mod table_state;
pub mod table_states;

pub use batches::{BatchPlan, BatchReason, BatchTimes};
pub use compaction::{Compaction, FileSizes};
pub use confirm::Touch;
pub use landing::{
    Asked, BatchVersions, LandingPlan, LandingReason, ShortUnit, content_version, cut_version, kept_columns,
    kept_version, lies_by_day, recorded, short_units,
};
pub use partitions::{Basis, PartitionBuild, PartitionPlan, was_made_of};
pub use planner::{Planner, Tables, UnitContent, after_landing, seed_version};
pub use reason::{ModelChange, Reason, TableChange};
pub use rejects::Rejects;
pub use step::{Action, Plan, Step};
pub use table_state::{PartitionState, TableState};
