//! The application: what a command does, apart from how it is shown.
//!
//! Owns opening a project as a [`Workspace`], the one place where a target's words become connectors and engines, and what each
//! command is: a [run](run::Run), its [preview](preview::Preview), [streams](streams::Streams), [rows](query::Reader), [rows for other programs](export). Comes in: which project,
//! and which of its nodes. Goes out: results. Must not know: arguments,
//! exit codes, the terminal.

pub mod cloning;
pub mod compaction;
pub mod connect;
pub mod deferred;
pub mod deps;
mod empty;
mod error;
pub mod export;
pub mod freshness;
mod hooks;
mod late;
pub mod past;
pub mod pinning;
pub mod preview;
pub mod query;
pub mod reconcile;
pub mod recording;
mod rejected;
pub mod run;
mod run_command;
mod scratch;
mod streamed;
pub mod streams;
mod workspace;

pub use error::AppError;
pub use rejected::SourceRejects;
pub use run_command::RunCommand;
pub use streamed::{is_streaming, register_streamed};
pub use workspace::{Opening, Rendering, Selectors, Workspace, cores, runtime};
