//! Rows from folders of files: JSON and CSV, plain or compressed, Parquet and Avro.
//!
//! Owns what files there are, and reading them into batches of a declared schema. Comes in: a folder, a pattern, a
//! [`mep_contract::source::RowSchema`], what is said of how files are read. Goes out: units, batches, rejects, counts. Must not know: where rows go, what is landed already.
//!
//! Every row read is either in a batch or a reject: `read = landed + rejected`. What is wrong with *rows* (bad JSON,
//! a missing field, a truncated archive) is a reject, and reading goes on; what is wrong with the *files* (gone, no
//! permission, changed meanwhile, of another format than is declared) is a [`FilesError`], and the table is left as it is.

mod avro;
mod avro_container;
mod csv;
mod documents;
mod error;
mod formats;
mod lines;
mod listing;
mod parquet;
mod parquet_pages;
mod source;
mod stream;
mod transcoded;
mod whole;

use std::path::Path;

pub use error::FilesError;
pub use listing::unread_folders;
pub use source::FilesSource;
pub use whole::{FilesTable, FolderColumns, WholeFormat, WholeOptions};

/// A file that grew or was replaced while it was read must not be taken for the one that was listed.
fn check_unchanged(path: &Path, version: &str) -> Result<(), FilesError> {
    let found = path.metadata().and_then(|metadata| listing::version(&metadata));
    if found.map_err(|error| FilesError::unreadable(path, error))? == version {
        Ok(())
    } else {
        Err(FilesError::Changed(path.to_owned()))
    }
}
