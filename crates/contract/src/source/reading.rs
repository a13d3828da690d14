//! How any source is read: units are opened, give pieces one after another, and pieces are worked out in parallel.

use arrow::array::RecordBatch;

use super::unit::{Holding, Recorded, Reject, Unit};

/// Why a source could not be read at all. A row that cannot be read is a [`Reject`] instead.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// What the source says.
    #[error("{0}")]
    Unreadable(String),
    /// It cannot be reached; the same call may succeed later.
    #[error("{0}")]
    Away(String),
    /// The one that takes the rows failed.
    #[error(transparent)]
    Sink(#[from] ReceiveError),
}

/// Why rows were not taken.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReceiveError(pub Box<dyn std::error::Error + Send + Sync>);

impl SourceError {
    /// What the source says.
    pub fn unreadable(message: impl Into<String>) -> Self {
        Self::Unreadable(message.into())
    }
}

/// What comes out of a source.
#[derive(Clone, Debug)]
pub enum SourceItem {
    /// Rows of the declared schema.
    Rows(RecordBatch),
    /// A row that could not be read.
    Reject(Reject),
}

/// Takes what comes out of a source.
pub type RowReceiver<'a> = dyn FnMut(SourceItem) -> Result<(), ReceiveError> + 'a;

/// One table of the outside world.
///
/// It is read unit by unit: what [`Source::units`] says is there is compared with what was landed, and what is new is opened.
///
/// ```
/// use mep_contract::source::{Holding, Recorded, Source, SourceError, Unit, UnitReader};
///
/// /// A table that never has anything.
/// struct Empty;
///
/// impl Source for Empty {
///     fn units(&self, _: &[Recorded]) -> Result<Holding, SourceError> {
///         Ok(Holding::default())
///     }
///
///     fn open(&self, unit: &Unit) -> Result<Box<dyn UnitReader>, SourceError> {
///         Err(SourceError::unreadable(format!("{} is not there", unit.id)))
///     }
/// }
///
/// assert!(Empty.units(&[])?.units.is_empty());
/// # Ok::<(), SourceError>(())
/// ```
pub trait Source: Send + Sync {
    /// What there is to read, given what was landed of it before.
    ///
    /// # Errors
    /// Where the source cannot be asked, or no longer holds what should come next.
    fn units(&self, recorded: &[Recorded]) -> Result<Holding, SourceError>;

    /// What stands beside a row in the source, by name, and is not read: a column that is called so was perhaps meant for it.
    fn beside_a_row(&self) -> &'static [&'static str] {
        &[]
    }

    /// What tells where a row that cannot be read stands, in words.
    fn place_of_a_row(&self) -> &'static str {
        "file, line"
    }

    /// Whether a unit of some size of which no row can be read is most likely something else than what is declared.
    fn refuses_all_rejected(&self) -> bool {
        false
    }

    /// Whether the user takes it that rows are lost which the source no longer has.
    fn accepts_lost(&self) -> bool {
        false
    }

    /// Names of values that were read so far and that no column is declared for, or some of them.
    fn undeclared(&self) -> Vec<String> {
        Vec::new()
    }

    /// Begins to read a unit.
    ///
    /// # Errors
    /// Where the unit is gone or may not be read.
    fn open(&self, unit: &Unit) -> Result<Box<dyn UnitReader>, SourceError>;
}

/// A unit that is being read, by one thread at a time.
pub trait UnitReader: Send {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// Where the unit cannot be read on for a reason that lies outside of its content.
    fn next(&mut self) -> Result<Option<Box<dyn Piece>>, SourceError>;

    /// Once it has ended: what the source wants to be told of its end by [`Source::units`] on a later run.
    fn mark(&self) -> Option<String> {
        None
    }

    /// Once it has ended: which schemas its rows were read by, where these do not stand with the declared columns. Equal
    /// texts mean that the same bytes become the same rows.
    fn schemas(&self) -> Option<String> {
        None
    }
}

/// A part of a unit that can be worked out on any thread.
pub trait Piece: Send {
    /// Hands out the rows and rejects, and says how many rows were read: as many as both together.
    ///
    /// # Errors
    /// Where the sink fails.
    fn read(self: Box<Self>, sink: &mut RowReceiver<'_>) -> Result<u64, SourceError>;
}
