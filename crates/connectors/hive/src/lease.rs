//! The lease on a Hive warehouse: a lock that the metastore keeps for as long as its holder's heartbeats come.
//!
//! The lock is on a table's name that no table bears, so that it stands in nobody's way but another run's. A metastore
//! frees the lock of a holder that was killed after its own time limit (five minutes by default); mep does not wait for
//! that: whoever finds the lock taken compares its last heartbeat with that of its own request, both by the metastore's
//! clock, and breaks a lock that has been silent for longer than [`SILENCE`].

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use hive_metastore::{LockComponent, LockLevel, LockRequest, LockState, LockType, ShowLocksResponseElement};
use pilota::FastStr;

use super::metastore::{Metastore, database};
use super::user;
use mep_contract::warehouse::error::WarehouseError;
use mep_contract::warehouse::lease::{Guard, Holder, Lease, LeaseError};
use mep_core::relation::Relation;

/// How often the holder says that it lives.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// A holder that has said nothing for this long is taken for dead, in milliseconds.
const SILENCE: i64 = 40_000;
/// The metastore keeps this many characters of what a holder says of itself.
const AGENT_INFO: usize = 128;
/// The name that is locked.
const LOCKED: &str = "mep_lease";

/// Whether the lease is still held: once lost, nothing is published any more.
#[derive(Clone, Debug, Default)]
pub(super) struct LeaseState {
    lock: Arc<Mutex<Option<i64>>>,
    is_lost: Arc<AtomicBool>,
}

impl LeaseState {
    /// Makes sure that the lease is still this run's, by asking the metastore. Without a lease there is nothing to lose:
    /// tests alone publish nothing.
    ///
    /// # Errors
    /// Where it is lost, or the metastore does not answer.
    pub(super) fn confirm(&self, metastore: &Metastore) -> Result<(), WarehouseError> {
        let lock = self.lock.lock().map(|lock| *lock).unwrap_or_default();
        let Some(id) = lock else { return Ok(()) };
        if self.is_lost.load(Ordering::SeqCst) || !metastore.heartbeat(id)? {
            self.is_lost.store(true, Ordering::SeqCst);
            return Err(WarehouseError::LeaseLost);
        }
        Ok(())
    }

    fn set(&self, id: Option<i64>) {
        if let Ok(mut lock) = self.lock.lock() {
            *lock = id;
        }
    }
}

/// Keeps the lock alive until it is dropped, and then gives it back.
struct Beating {
    metastore: Metastore,
    id: i64,
    held: LeaseState,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Beating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Beating").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Guard for Beating {}

impl Drop for Beating {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // It ends at once, and has nothing to say.
            let _ = thread.join();
        }
        self.held.set(None);
        if let Err(error) = self.metastore.unlock(self.id) {
            tracing::warn!("{error}; the lease ends by itself when no heartbeat comes");
        }
    }
}

/// Takes the lease on the warehouse's schema.
///
/// # Errors
/// [`LeaseError::Held`] where a run that lives has it.
pub(super) fn take(
    metastore: &Metastore,
    schema: &str,
    holder: &Holder,
    held: &LeaseState,
) -> Result<Lease, LeaseError> {
    let name = Relation::new(schema, LOCKED);
    let id = ask(metastore, &name, holder)?;
    held.set(Some(id));
    let (stop, stopped) = channel::<()>();
    let beating = (metastore.clone(), held.clone());
    let thread = std::thread::spawn(move || {
        let (metastore, held) = beating;
        while stopped.recv_timeout(HEARTBEAT) == Err(RecvTimeoutError::Timeout) {
            // No answer is no loss: the next one may come. Before a publish the lease is confirmed.
            if let Ok(false) = metastore.heartbeat(id) {
                held.is_lost.store(true, Ordering::SeqCst);
                return;
            }
        }
    });
    Ok(Lease::new(Beating {
        metastore: metastore.clone(),
        id,
        held: held.clone(),
        stop: Some(stop),
        thread: Some(thread),
    }))
}

/// The id of a lock that is had.
fn ask(metastore: &Metastore, name: &Relation, holder: &Holder) -> Result<i64, LeaseError> {
    let request = LockRequest {
        component: vec![LockComponent {
            r#type: LockType::EXCLUSIVE,
            level: LockLevel::TABLE,
            dbname: database(name),
            tablename: Some(FastStr::new(&name.name)),
            partitionname: None,
            operation_type: None,
            is_acid: Some(false),
            is_dynamic_partition_write: Some(false),
        }],
        txnid: None,
        user: FastStr::from_string(user()),
        hostname: FastStr::from_string(host()),
        agent_info: Some(FastStr::from_string(told(holder))),
    };
    let warehouse = |error: WarehouseError| LeaseError::Warehouse(Box::new(error));
    let response = metastore.lock(&request).map_err(warehouse)?;
    let id = response.lockid;
    if response.state == LockState::ACQUIRED {
        return Ok(id);
    }
    // From here on the request stands in the queue, so that it must be taken back on every way out.
    match break_dead(metastore, name, id) {
        Ok(None) => {
            // Asked for anew, not asked about: `check_lock` beside another run's `lock` can hang a metastore on Derby.
            metastore.unlock(id).map_err(warehouse)?;
            let response = metastore.lock(&request).map_err(warehouse)?;
            if response.state == LockState::ACQUIRED {
                return Ok(response.lockid);
            }
            metastore.unlock(response.lockid).map_err(warehouse)?;
            Err(LeaseError::Held(None))
        }
        Ok(Some(living)) => {
            metastore.unlock(id).map_err(warehouse)?;
            Err(LeaseError::Held(heard(&living)))
        }
        Err(error) => {
            let _ = metastore.unlock(id);
            Err(warehouse(error))
        }
    }
}

/// Breaks the locks before `id` that are silent; gives the first that is not.
fn break_dead(
    metastore: &Metastore,
    name: &Relation,
    id: i64,
) -> Result<Option<ShowLocksResponseElement>, WarehouseError> {
    let locks = metastore.locks(name)?;
    let now = locks
        .iter()
        .find(|lock| lock.lockid == id)
        .map(|own| own.lastheartbeat.max(own.acquiredat.unwrap_or(0)));
    for lock in locks.into_iter().filter(|lock| lock.lockid < id) {
        let is_silent = now.is_some_and(|now| now - lock.lastheartbeat > SILENCE);
        if !is_silent && !is_dead_here(&lock) {
            return Ok(Some(lock));
        }
        tracing::warn!("the lease of {} is broken: there has been no sign of it since", heard_text(&lock));
        metastore.unlock(lock.lockid)?;
    }
    Ok(None)
}

/// Whether a holder was a process of this very machine that is no more.
fn is_dead_here(lock: &ShowLocksResponseElement) -> bool {
    let Some(holder) = heard(lock) else { return false };
    let proc = std::path::Path::new("/proc");
    lock.hostname == host() && proc.join("self").exists() && !proc.join(holder.pid.to_string()).exists()
}

/// What a holder says of itself: process, begin and run, then as much of the command as has room.
fn told(holder: &Holder) -> String {
    let mut text = format!("{} {} {} {}", holder.pid, holder.since, holder.run, holder.command);
    text.truncate(text.floor_char_boundary(AGENT_INFO));
    text
}

fn heard(lock: &ShowLocksResponseElement) -> Option<Holder> {
    let mut parts = lock.agent_info.as_deref()?.splitn(4, ' ');
    let pid = parts.next()?.parse().ok()?;
    let since = parts.next()?.to_owned();
    let run = parts.next()?.to_owned();
    Some(Holder { run, pid, since, command: parts.next().unwrap_or("mep").to_owned() })
}

fn heard_text(lock: &ShowLocksResponseElement) -> String {
    heard(lock).map_or_else(|| format!("{} on {}", lock.user, lock.hostname), |holder| holder.to_string())
}

fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
