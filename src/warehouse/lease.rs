//! The lease: one run at a time writes to a warehouse.
//!
//! Locally it is a lock of the operating system on a file, which the kernel frees however its holder ends. The holder
//! writes down who it is, so that the one who is refused can be told.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// Who holds a lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The run's id.
    pub run: String,
    /// The process's id.
    pub pid: u32,
    /// When the lease was taken, in RFC 3339, UTC.
    pub since: String,
    /// The command line.
    pub command: String,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` (process {}, run {}, since {})", self.command, self.pid, self.run, self.since)
    }
}

/// Why a lease was not had.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// Another run has it.
    #[error("the warehouse is held by another run: {}", .0.as_ref().map_or_else(|| "unknown".to_owned(), ToString::to_string))]
    Held(Option<Holder>),
    /// The warehouse does not answer clearly.
    #[error(transparent)]
    Warehouse(Box<super::WarehouseError>),
    /// The lock's file cannot be used.
    #[error("the lease {path} cannot be taken: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

/// The right to write to a warehouse, given back when dropped.
#[derive(Debug)]
pub struct Lease {
    _guard: Box<dyn Guard>,
}

/// What holds a lease for as long as it lives.
pub(super) trait Guard: fmt::Debug + Send + Sync {}

impl Guard for File {}

impl Lease {
    pub(super) fn new(guard: impl Guard + 'static) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

/// Takes the lease that the file at `path` stands for, without waiting.
///
/// # Errors
/// [`LeaseError::Held`] where another process has it.
pub(super) fn lock_file(path: &Path, holder: &Holder) -> Result<Lease, LeaseError> {
    let io = |error| LeaseError::Io { path: path.to_owned(), error };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(io)?;
    }
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut text = String::new();
            let known = file.read_to_string(&mut text).is_ok();
            return Err(LeaseError::Held(if known { serde_json::from_str(&text).ok() } else { None }));
        }
        Err(TryLockError::Error(error)) => return Err(io(error)),
    }
    file.set_len(0).map_err(io)?;
    file.rewind().map_err(io)?;
    let text = serde_json::to_string(holder).map_err(|error| io(error.into()))?;
    file.write_all(text.as_bytes()).map_err(io)?;
    Ok(Lease::new(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(run: &str) -> Holder {
        Holder { run: run.into(), pid: 7, since: "2018-11-03T00:00:00Z".into(), command: "mep run".into() }
    }

    #[test]
    fn a_second_taker_is_told_who_holds_the_lease_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w").join(".lease");
        let first = lock_file(&path, &holder("one")).unwrap();
        let refusal = lock_file(&path, &holder("two")).unwrap_err();
        insta::assert_snapshot!(refusal, @"the warehouse is held by another run: `mep run` (process 7, run one, since 2018-11-03T00:00:00Z)");
        drop(first);
        lock_file(&path, &holder("two")).unwrap();
    }
}
