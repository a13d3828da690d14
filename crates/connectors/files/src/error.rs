//! Why a table's files cannot be read at all.

use std::io;
use std::path::{Path, PathBuf};

use arrow::error::ArrowError;

use mep_decode::rows::DecodeError;

/// Why reading stops for a table. Rows that cannot be read are no such error: they are rejects.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The connection's folder is not there.
    #[error("the folder {} does not exist", .0.display())]
    NoSuchFolder(PathBuf),
    /// The connection's path is something else than a folder.
    #[error("{} is not a folder", .0.display())]
    NotAFolder(PathBuf),
    /// A table's path cannot be used as a pattern.
    #[error("the path `{pattern}` is no pattern of files below the source's folder: {reason}")]
    Pattern {
        /// The pattern as given.
        pattern: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that is no UTF-8 cannot be an id.
    #[error("the file name {} is not UTF-8; rename it", .0.display())]
    NotUtf8(PathBuf),
    /// A file or folder cannot be opened or read.
    #[error("cannot read {}: {}", path.display(), mep_core::os_error::OsMessage(error))]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        error: io::Error,
    },
    /// A file is no longer the one that was listed.
    #[error("{} changed while it was read; run again when nothing writes to it any more", .0.display())]
    Changed(PathBuf),
    /// What a file that is read as a whole holds is not what it should.
    #[error("{id}: {reason}")]
    Content {
        /// The file, by its path below the folder.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The declared schema cannot be read into.
    #[error(transparent)]
    Rows(#[from] DecodeError),
    /// Arrow refuses a batch: a defect of mep.
    #[error("cannot build a batch of rows")]
    Arrow(#[from] ArrowError),
}

impl FilesError {
    /// [`FilesError::Content`] of a file.
    pub(super) fn content(id: &str, reason: impl Into<String>) -> Self {
        Self::Content { id: id.to_owned(), reason: reason.into() }
    }

    /// [`FilesError::Unreadable`] of `path`.
    pub(super) fn unreadable(path: &Path, error: io::Error) -> Self {
        Self::Unreadable { path: path.to_owned(), error }
    }
}
