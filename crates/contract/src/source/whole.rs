//! A table of the outside world that is loaded as a whole: it has no days and no batches, and its columns are its own.

use std::fmt;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::SourceError;

/// The rows of such a table, one batch after another.
pub type WholeRows = Box<dyn Iterator<Item = Result<RecordBatch, SourceError>> + Send>;

/// A table that is read from its first row to its last whenever it is loaded.
pub trait WholeTable: fmt::Debug + Send + Sync {
    /// Its columns.
    fn schema(&self) -> SchemaRef;

    /// Begins to read it.
    ///
    /// # Errors
    /// Where it is gone or may not be read.
    fn rows(&self) -> Result<WholeRows, SourceError>;
}
