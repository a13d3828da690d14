//! A model's sink: the instance that streams it, and what it knows for as long as it does.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use chrono::{DateTime, SubsecRound, Utc};
use parking_lot::Mutex;
use uuid::Uuid;

use super::CassandraCluster;
use super::checkpoint::Checkpoints;
use super::connection::CassandraSession;
use super::lease::{ModelLease, Renewed};
use super::lives::Lives;
use super::pending::Pending;
use super::sending::RowSender;
use super::shape::Shape;
use super::stream_row::{KnownRow, StreamRows};
use super::writing::RowStatement;
use mep_contract::sink::{LEASE_LIFE, SinkError, SinkTable};

/// The process that streams, as others are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The machine.
    pub host: String,
    /// The process's id.
    pub pid: u32,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// The rows of a streaming model in Cassandra.
pub struct CassandraSink {
    pub(super) cluster: Arc<CassandraCluster>,
    pub(super) table: SinkTable,
    pub(super) owner: Owner,
    pub(super) state: Mutex<InstanceState>,
}

pub(super) struct InstanceState {
    pub(super) holder: Instance,
    pub(super) open: Option<Arc<Open>>,
    pub(super) known: Option<KnownRow>,
    /// Whether the lease may be this instance's.
    pub(super) asked: bool,
    /// The epoch under way.
    pub(super) pending: Pending,
    /// The nodes as they were when all that is pending was still there.
    pub(super) lives: Lives,
    /// When the lease was last known to be this instance's.
    pub(super) renewed: Instant,
}

/// Who streams: no two are the same, not even those of one process one after the other.
#[derive(Clone)]
pub(super) struct Instance {
    pub(super) name: String,
    pub(super) since: DateTime<Utc>,
}

impl Instance {
    pub(super) fn new(owner: &Owner) -> Self {
        Self { name: format!("{owner} ({})", Uuid::now_v7()), since: Utc::now().trunc_subsecs(3) }
    }
}

/// What is made ready when a model is opened.
pub(super) struct Open {
    pub(super) shape: Shape,
    pub(super) late: Shape,
    pub(super) insert: RowStatement,
    pub(super) delete: RowStatement,
    pub(super) insert_late: RowStatement,
}

impl CassandraSink {
    pub(super) fn new(cluster: Arc<CassandraCluster>, table: SinkTable, owner: Owner) -> Self {
        let state = InstanceState {
            holder: Instance::new(&owner),
            open: None,
            known: None,
            asked: false,
            pending: Pending::default(),
            lives: Lives::default(),
            renewed: Instant::now(),
        };
        Self { cluster, table, owner, state: Mutex::new(state) }
    }

    pub(super) fn state(&self) -> parking_lot::MutexGuard<'_, InstanceState> {
        // Nothing that can panic is done while it is held.
        self.state.lock()
    }

    pub(super) fn model(&self) -> &str {
        &self.table.relation.name
    }

    pub(super) fn holder(&self) -> Instance {
        self.state().holder.clone()
    }

    pub(super) fn streams<'a>(
        &'a self,
        session: &'a CassandraSession,
        holder: &'a Instance,
    ) -> StreamRows<'a> {
        StreamRows {
            session,
            keyspace: self.cluster.keyspace(),
            model: self.model(),
            holder: &holder.name,
            settles_after: self.cluster.connection.settles_after,
        }
    }

    pub(super) fn lease<'a>(&'a self, session: &'a CassandraSession, holder: &'a Instance) -> ModelLease<'a> {
        let (keyspace, model) = (self.cluster.keyspace(), self.model());
        ModelLease { session, keyspace, model, holder: &holder.name, since: holder.since }
    }

    pub(super) fn checkpoints<'a>(&'a self, session: &'a CassandraSession) -> Checkpoints<'a> {
        Checkpoints { session, keyspace: self.cluster.keyspace(), model: self.model() }
    }

    pub(super) fn not_open(&self) -> SinkError {
        SinkError::Refused(format!("{} is not open in cassandra", self.model()))
    }

    pub(super) fn opened(&self) -> Result<Arc<Open>, SinkError> {
        self.state().open.clone().ok_or_else(|| self.not_open())
    }

    pub(super) fn known(&self) -> Result<KnownRow, SinkError> {
        self.state().known.clone().ok_or_else(|| self.not_open())
    }

    /// Once the model is lost nothing is written any more, and whoever opens it anew from here is another holder.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        (state.open, state.known, state.asked, state.pending) = (None, None, false, Pending::default());
        state.holder = Instance::new(&self.owner);
    }

    /// What an error means for what comes after it.
    pub(super) fn noted<T>(&self, result: Result<T, SinkError>) -> Result<T, SinkError> {
        match result {
            Err(SinkError::Lost(_)) => self.forget(),
            Err(SinkError::Passing(_)) => self.state().pending.doubt(),
            _ => {}
        }
        result
    }

    /// Whether the lease was this instance's not long ago: rows are written without a condition.
    pub(super) fn is_awake(&self) -> bool {
        self.state().renewed.elapsed() < LEASE_LIFE
    }

    pub(super) async fn renew_lease(
        &self,
        session: &CassandraSession,
        holder: &Instance,
    ) -> Result<(), SinkError> {
        let lease = self.lease(session, holder);
        match lease.renew().await? {
            Renewed::Kept => Ok(()),
            Renewed::TakenAgain => {
                let confirmed = self.streams(session, holder).confirm().await;
                if let Err(SinkError::Lost(_)) = confirmed {
                    let _ = lease.release().await;
                }
                confirmed
            }
            Renewed::Lost(by) => {
                Err(SinkError::Lost(format!("{} was taken over: it is streamed by {by}", self.model())))
            }
        }
    }
}

impl RowSender for CassandraSink {
    fn may_send(&self) -> Result<(), SinkError> {
        self.opened()?;
        if self.is_awake() {
            return Ok(());
        }
        let (model, seconds) = (self.model(), LEASE_LIFE.as_secs());
        Err(SinkError::Passing(format!("cassandra: the lease of {model} was not renewed for {seconds} s")))
    }

    fn failed(&self) {
        self.state().pending.doubt();
    }
}
