//! Rows for other programs: what a query gives, as one file or on standard output.
//!
//! Owns the formats ([format]), how a row is written in each ([rows], [csv]), and where they go ([destination]): a file is there as a whole
//! or not at all. Comes in: batches as a query gives them, never all of them at once. Must not know: what is read, and how.

mod csv;
mod destination;
mod format;
mod rows;

use std::ops::ControlFlow;

pub use destination::ExportTo;
pub use format::{ExportCompression, ExportFile, ExportFormat};

use super::error::AppError;
use super::query::{Query, Reader};
use rows::RowsOut;

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Rows.
    pub rows: u64,
    /// Bytes, as they are in the file.
    pub bytes: u64,
}

/// Writes all rows of a query, in its order.
///
/// # Errors
/// Where the query is wrong or fails, or what it gives cannot be written; then there is no file, or the one that was there before.
pub fn export(
    reader: &Reader<'_>,
    query: &Query,
    to: &ExportTo,
    file: ExportFile,
) -> Result<Exported, AppError> {
    let planned = reader.planned(query)?;
    let mut out = RowsOut::open(to.begun()?, file, &planned.output()).map_err(|error| to.failed(error))?;
    let mut rows = 0;
    let mut is_read = true;
    reader.each(planned, query, &mut |batch| match out.write(&batch) {
        Ok(()) => {
            rows += batch.num_rows() as u64;
            Ok(ControlFlow::Continue(()))
        }
        Err(error) if to.is_unread(&error) => {
            is_read = false;
            Ok(ControlFlow::Break(()))
        }
        Err(error) => Err(to.failed(error)),
    })?;
    if !is_read {
        return Ok(Exported { rows, bytes: 0 });
    }
    let ended = out.finish().and_then(|begun| {
        let bytes = begun.bytes;
        to.completed(begun).map(|()| bytes)
    });
    match ended {
        Ok(bytes) => Ok(Exported { rows, bytes }),
        Err(error) if to.is_unread(&error) => Ok(Exported { rows, bytes: 0 }),
        Err(error) => Err(to.failed(error)),
    }
}
