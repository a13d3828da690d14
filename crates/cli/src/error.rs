//! Why a command ended early, how that is shown, and with which exit code.

use miette::{GraphicalReportHandler, GraphicalTheme};

use super::exit::Exit;
use super::terminal::Palette;
use mep_contract::sink::SinkError;
use mep_contract::warehouse::{LeaseError, WarehouseError};
use mep_datafusion::EngineError;
use mep_lang::project::{Problem, Problems};
use mep_run::SessionError;
use mep_run::build::BuildError;
use mep_stream::JobError;

/// Why a command ended early.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The project is wrong, or what was asked of it.
    #[error("{0}")]
    Problems(#[from] Problems),
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
    /// Files of a table cannot be written anew.
    #[error("compacting {relation}: {error}")]
    Compact {
        /// The table.
        relation: String,
        /// Why not.
        error: BuildError,
    },
    /// A file or stream cannot be used.
    #[error("{what}: {}", mep_core::os_error::Said(.error))]
    Io {
        /// What was tried.
        what: String,
        /// What the system says.
        error: std::io::Error,
    },
}

impl From<Problem> for CommandError {
    fn from(problem: Problem) -> Self {
        Self::Problems(problem.into())
    }
}

impl CommandError {
    /// An error of the system, with what was tried.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |error| Self::Io { what, error }
    }

    /// The exit code.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Problems(_) => Exit::Usage,
            Self::Lease(LeaseError::Held(_))
            | Self::Stream(JobError::Sink { error: SinkError::Held { .. }, .. }) => Exit::Held,
            _ => Exit::Failed,
        }
    }

    /// All of it, for standard error.
    pub fn shown(&self, palette: Palette) -> String {
        match self {
            Self::Problems(problems) => shown_problems(problems, palette),
            other => format!("{} {other}\n", palette.bad("error:")),
        }
    }
}

/// Each problem with its place, the source line and a way on.
pub fn shown_problems(problems: &Problems, palette: Palette) -> String {
    let mut theme =
        if palette.is_coloured() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    "error:".clone_into(&mut theme.characters.error);
    let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
    let mut text = String::new();
    for problem in problems.iter() {
        // Writing to a String cannot fail.
        let _ = handler.render_report(&mut text, problem);
        text.push('\n');
    }
    if problems.len() > 1 {
        text.push_str(&format!("{} problems\n", problems.len()));
    }
    text
}
