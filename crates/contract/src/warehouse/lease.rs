//! The lease: one run at a time writes to a warehouse.
//!
//! Locally it is a lock of the operating system on a file, which the kernel frees however its holder ends. The holder
//! writes down who it is, so that the one who is refused can be told.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

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
    #[error("the lease {path} cannot be taken: {}", mep_core::os_error::OsMessage(.error))]
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
pub trait Guard: fmt::Debug + Send + Sync {}

impl Guard for File {}

impl Lease {
    /// A lease that lasts as long as `guard` is kept.
    pub fn new(guard: impl Guard + 'static) -> Self {
        Self { _guard: Box::new(guard) }
    }
}

/// How soon a lease that was held is asked for again; each time twice as long, up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Asking is a few calls of a metastore, and most runs take longer than this.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// A lease that was had, and how.
#[derive(Debug)]
pub struct Taken {
    /// The lease.
    pub lease: Lease,
    /// Whether another run held it first: what was read of the warehouse before may be old.
    pub after_waiting: bool,
}

/// Takes a lease, asking again for as long as `patience` while another run holds it. `waits` is told once, before the
/// first pause, who holds it.
///
/// # Errors
/// [`LeaseError::Held`] where it is held for longer; any other error at once.
pub fn take_within(
    patience: Duration,
    take: impl Fn() -> Result<Lease, LeaseError>,
    waits: impl FnOnce(Option<&Holder>),
) -> Result<Taken, LeaseError> {
    let began = Instant::now();
    let mut waits = Some(waits);
    let mut pause = FIRST_PAUSE;
    loop {
        match take() {
            Ok(lease) => return Ok(Taken { lease, after_waiting: waits.is_none() }),
            Err(LeaseError::Held(holder)) if began.elapsed() < patience => {
                if let Some(waits) = waits.take() {
                    waits(holder.as_ref());
                }
                std::thread::sleep(pause.min(patience.saturating_sub(began.elapsed())));
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Takes the lease that the file at `path` stands for, without waiting.
///
/// # Errors
/// [`LeaseError::Held`] where another process has it.
pub fn lock_file(path: &Path, holder: &Holder) -> Result<Lease, LeaseError> {
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

    #[test]
    fn a_patient_taker_has_the_lease_once_it_is_given_back_and_a_less_patient_one_is_told_the_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lease");
        let take = || lock_file(&path, &holder("two"));
        let taken =
            take_within(Duration::ZERO, || lock_file(&path, &holder("one")), |_| unreachable!()).unwrap();
        assert!(!taken.after_waiting);
        let mut told = Vec::new();
        let short = take_within(Duration::from_millis(150), take, |holder| told.push(holder.cloned()));
        assert!(matches!(short, Err(LeaseError::Held(Some(holder))) if holder.run == "one"));
        assert_eq!(told, [Some(holder("one"))]);
        let waited = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(300));
                drop(taken);
            });
            take_within(Duration::from_mins(1), take, |_| {}).unwrap()
        });
        assert!(waited.after_waiting);
    }
}
