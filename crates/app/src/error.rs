//! Why a command ended early, whoever called it.

use mep_contract::executor::EngineError;
use mep_contract::sink::SinkError;
use mep_contract::warehouse::{LeaseError, WarehouseError};
use mep_lang::project::{Problem, Problems};
use mep_run::SessionError;
use mep_run::build::BuildError;
use mep_stream::JobError;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The project is wrong, or what was asked of it.
    #[error("{0}")]
    Problems(#[from] Problems),
    /// A query failed on its rows.
    #[error("{0}")]
    Query(Box<Problem>),
    /// Another run holds the warehouse, or the lease cannot be used.
    #[error(transparent)]
    Lease(#[from] LeaseError),
    /// The warehouse cannot be read or written.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// A run could not begin.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// SQL could not be executed.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// A stream ended early.
    #[error(transparent)]
    Stream(#[from] JobError),
    /// What is served of tables cannot be cleaned up.
    #[error("{0}")]
    Serving(#[from] SinkError),
    /// Files of a table cannot be written anew.
    #[error("compacting {relation}: {error}")]
    Compact {
        /// The table.
        relation: String,
        /// Why not.
        error: Box<BuildError>,
    },
    /// A table cannot be written under another name.
    #[error("cloning {relation}: {error}")]
    Clone {
        /// The table that is cloned.
        relation: String,
        /// Why not.
        error: Box<BuildError>,
    },
    /// A file or stream cannot be used.
    #[error("{what}: {}", mep_core::os_error::OsMessage(.error))]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        error: std::io::Error,
    },
}

impl From<Problem> for AppError {
    fn from(problem: Problem) -> Self {
        Self::Problems(problem.into())
    }
}

impl AppError {
    /// An error of the system, with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }
}
