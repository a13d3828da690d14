//! mep: a declarative, SQL-first transformation framework, as one library.
//!
//! The stages are crates, and data goes through them one way; ARCHITECTURE.md is the map. This one names the stages for
//! whoever embeds mep.

#[doc(hidden)]
pub mod fuzzing;
#[cfg(test)]
mod map;
#[cfg(test)]
mod reference;
#[cfg(test)]
mod type_names;

pub use mep_app as app;
pub use mep_cli as cli;
pub use mep_contract as contract;
pub use mep_core as core;
pub use mep_graph as graph;
pub use mep_lang as lang;
pub use mep_plan as plan;
pub use mep_run as run;
pub use mep_sql as sql;
pub use mep_stream as stream;
