//! The application: what a command does, apart from how it is shown.
//!
//! Owns opening a project as a [`Workspace`], and the one place where a target's words become connectors and engines. Comes in: which
//! project, and which of its nodes. Goes out: what they compile to, and what they are read and written by. Must not know: arguments,
//! exit codes, the terminal.

pub mod connect;
mod error;
mod run_command;
mod streamed;
mod workspace;

pub use error::AppError;
pub use run_command::RunCommand;
pub use streamed::{is_streaming, register_streamed};
pub use workspace::{Opening, Rendering, Selectors, Workspace, cores, runtime};
