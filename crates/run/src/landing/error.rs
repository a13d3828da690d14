//! Why a landing failed.

use crate::rejects::TooManyRejected;
use mep_contract::source::{SchemaError, SourceError};
use mep_contract::warehouse::{WarehouseError, WriteError};

/// Why a landing failed. Nothing of it is visible then.
#[derive(Debug, thiserror::Error)]
pub enum LandingError {
    /// The source cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The rows cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The warehouse cannot be read or written.
    #[error(transparent)]
    Warehouse(#[from] WarehouseError),
    /// Rows are not of the declared schema.
    #[error("rows do not fit the declared schema: {0}")]
    Arrow(#[from] arrow::error::ArrowError),
    /// Rows were lost or doubled on the way, which is a defect of mep: nothing was published.
    #[error(
        "`{unit}`: {read} rows were read, but {landed} landed, {rejected} were rejected and {withheld} wait"
    )]
    Miscounted {
        /// The unit.
        unit: String,
        /// Rows read.
        read: u64,
        /// Rows landed.
        landed: u64,
        /// Rows rejected.
        rejected: u64,
        /// Rows of later days.
        withheld: u64,
    },
    /// The landed table cannot be read back.
    #[error("the landed table cannot be read: {0}")]
    Unreadable(String),
    /// The declared schema cannot be landed.
    #[error(transparent)]
    Schema(#[from] SchemaError),
    /// More rows are rejected than the project lets pass.
    #[error("{0}")]
    TooManyRejected(#[from] TooManyRejected),
    /// No row of a unit can be read, so that it is most likely something else than what is declared.
    #[error(
        "none of the {rows} rows of {unit} can be read, so that it is hardly what is declared; line {line}: {reason}. Nothing was landed. Say what the files are (`format: csv`, ...) or mend the columns; to let such files pass as rejects, say `max_rejected: 100%` at the source table"
    )]
    NothingReadable {
        /// The unit.
        unit: String,
        /// Its rows.
        rows: u64,
        /// The first row that is rejected.
        line: u64,
        /// Why it is.
        reason: String,
    },
    /// Rows that waited for a later run are no longer there.
    #[error(
        "{withheld} rows of {unit} waited for a later --date, and the source gives {now} of its {before} rows by now. Nothing was landed. To go on without them, run once with `on_lost_offsets: accept` at the source table"
    )]
    WaitedInVain {
        /// The unit.
        unit: String,
        /// Rows that waited.
        withheld: u64,
        /// Rows that are read by now.
        now: u64,
        /// Rows that were read.
        before: u64,
    },
    /// The user asked the run to end.
    #[error("interrupted; nothing of it was landed")]
    Interrupted,
}
