//! How a cluster is spoken to, and the session that comes of it.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use scylla::client::PoolSize;
use scylla::client::caching_session::CachingSession;
use scylla::client::execution_profile::ExecutionProfile;
use scylla::client::session_builder::SessionBuilder;
use scylla::policies::retry::DefaultRetryPolicy;
use scylla::statement::{Consistency as Level, SerialConsistency};

use super::pace::Pace;
use super::{failure, tls};
use mep_contract::sink::SinkError;

/// A cluster and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `host:port` of nodes to begin with; the others are learned from them.
    pub contact_points: Vec<String>,
    /// The keyspace that the tables of all models are in.
    pub keyspace: String,
    /// How the keyspace is replicated where it has to be made.
    pub replication: Replication,
    /// How many replicas a row must have reached.
    pub consistency: Consistency,
    /// The datacenter whose nodes are spoken to; `None`: any.
    pub local_dc: Option<String>,
    /// The user.
    pub login: Option<Login>,
    /// Whether and how connections are encrypted.
    pub tls: Option<Tls>,
    /// How long a request may take.
    pub timeout: Duration,
    /// How many requests with rows, of all models, are under way at once at most.
    pub concurrency: usize,
    /// How long a crash of nodes may take back what they acknowledged: for so long older checkpoints are kept.
    pub settles_after: Duration,
}

/// Nodes bring their log to disk every ten seconds, unless `commitlog_sync` says otherwise, and stop where they cannot.
pub const SETTLES_AFTER: Duration = Duration::from_secs(30);

/// How a keyspace is replicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Replication {
    /// `SimpleStrategy` with this many replicas.
    Simple(u32),
    /// `NetworkTopologyStrategy` with this many replicas in each datacenter.
    PerDatacenter(Vec<(String, u32)>),
}

/// How many replicas must have answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consistency {
    /// One.
    One,
    /// Two.
    Two,
    /// Three.
    Three,
    /// Most of them.
    Quorum,
    /// All.
    All,
    /// Most of those in the local datacenter.
    #[default]
    LocalQuorum,
    /// Most of those in each datacenter.
    EachQuorum,
    /// One in the local datacenter.
    LocalOne,
}

impl Consistency {
    /// That of rows.
    fn level(self) -> Level {
        match self {
            Self::One => Level::One,
            Self::Two => Level::Two,
            Self::Three => Level::Three,
            Self::Quorum => Level::Quorum,
            Self::All => Level::All,
            Self::LocalQuorum => Level::LocalQuorum,
            Self::EachQuorum => Level::EachQuorum,
            Self::LocalOne => Level::LocalOne,
        }
    }

    /// That of what the stream itself must find again: what was written must be among what is read.
    fn of_the_stream(self) -> Level {
        if self.is_local() { Level::LocalQuorum } else { Level::Quorum }
    }

    /// That of the conditional updates: where rows are written to several datacenters, those take part in the votes too.
    fn serial(self) -> SerialConsistency {
        if self.is_local() { SerialConsistency::LocalSerial } else { SerialConsistency::Serial }
    }

    fn is_local(self) -> bool {
        matches!(self, Self::LocalQuorum | Self::LocalOne | Self::One | Self::Two | Self::Three)
    }
}

/// A user and a password, which is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How connections are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The file with the certificates of authorities; `None`: those of the system.
    pub ca: Option<PathBuf>,
    /// The file with the client's certificate.
    pub certificate: Option<PathBuf>,
    /// The file with the client's key.
    pub key: Option<PathBuf>,
    /// Whether a node's certificate must be for its address.
    pub verifies_address: bool,
}

/// Sessions, and how strongly what is asked through them is asked.
pub(super) struct Session {
    /// For rows and chunks.
    pub(super) driver: CachingSession,
    /// For leases and for what decides, on connections of its own: they do not wait behind rows.
    pub(super) control: CachingSession,
    /// How much is sent by `driver` at once.
    pub(super) pace: Pace,
    /// How many connections have ended, as those of a process do that ends.
    pub(super) endings: AtomicU64,
    /// The consistency of checkpoints.
    pub(super) stream: Level,
    /// The consistency of the votes of conditional updates.
    pub(super) serial: SerialConsistency,
}

impl Session {
    /// Whether a read sees all conditional updates that were decided before.
    pub(super) fn serial_read(&self) -> Level {
        match self.serial {
            SerialConsistency::Serial => Level::Serial,
            SerialConsistency::LocalSerial => Level::LocalSerial,
        }
    }
}

/// Leases and commits need one connection to each node.
const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// How many statements of the stream's own tables are kept prepared.
const PREPARED: usize = 256;

impl Connection {
    /// Connects.
    ///
    /// # Errors
    /// [`SinkError::Passing`] where no node answers; [`SinkError::Refused`] where the settings are wrong.
    pub(super) async fn open(&self) -> Result<Session, SinkError> {
        self.check()?;
        let failed = |error| failure::connecting(&self.describe(), &error);
        let driver = self.builder()?.build().await.map_err(failed)?;
        let nodes = driver.get_cluster_state();
        let mut datacenters: Vec<&str> =
            nodes.get_nodes_info().iter().filter_map(|node| node.datacenter.as_deref()).collect();
        datacenters.sort_unstable();
        datacenters.dedup();
        self.check_datacenters(&datacenters)?;
        let control = self.builder()?.pool_size(PoolSize::PerHost(ONE)).build().await.map_err(failed)?;
        let consistency = self.consistency;
        Ok(Session {
            driver: CachingSession::from(driver, PREPARED),
            control: CachingSession::from(control, PREPARED),
            pace: Pace::new(self.concurrency, self.timeout),
            endings: AtomicU64::new(0),
            stream: consistency.of_the_stream(),
            serial: consistency.serial(),
        })
    }

    fn builder(&self) -> Result<SessionBuilder, SinkError> {
        let profile = ExecutionProfile::builder()
            .consistency(self.consistency.level())
            .serial_consistency(Some(self.consistency.serial()))
            .request_timeout(Some(self.timeout))
            .retry_policy(Arc::new(DefaultRetryPolicy::new()))
            .build();
        let mut builder = SessionBuilder::new()
            .known_nodes(&self.contact_points)
            .default_execution_profile_handle(profile.into_handle())
            .connection_timeout(self.timeout)
            .hostname_resolution_timeout(Some(self.timeout))
            .metadata_request_clientside_timeout(self.timeout)
            .metadata_request_serverside_timeout(self.timeout)
            // A node that is gone is found out before a lease ends; one that stands still for a moment keeps its connections.
            .keepalive_interval(Duration::from_secs(5))
            .keepalive_timeout(Duration::from_secs(15))
            .schema_agreement_timeout(self.timeout.max(Duration::from_secs(30)))
            // The keyspace is all that is to be known of the schema, and that is asked for when it is made.
            .refresh_metadata_on_auto_schema_agreement(false)
            .keyspaces_to_fetch([&self.keyspace]);
        if let Some(datacenter) = &self.local_dc {
            builder = builder.prefer_datacenter(datacenter.clone());
        }
        if let Some(tls) = &self.tls {
            builder = builder.tls_context(Some(tls::context(tls)?));
        }
        if let Some(login) = &self.login {
            builder = builder.user(&login.username, &login.password);
        }
        Ok(builder)
    }

    /// The nodes to begin with, for people.
    pub(super) fn describe(&self) -> String {
        format!("cassandra at {}", self.contact_points.join(", "))
    }

    fn check(&self) -> Result<(), SinkError> {
        let keyspace = &self.keyspace;
        if !is_name(keyspace) {
            return Err(SinkError::Refused(format!(
                "a keyspace has 1 to 48 letters, digits and `_`, found `{keyspace}`"
            )));
        }
        Ok(())
    }

    /// Conditional updates with a local vote exclude each other within one datacenter only, so that one must be known.
    fn check_datacenters(&self, datacenters: &[&str]) -> Result<(), SinkError> {
        let found = datacenters.join(", ");
        match &self.local_dc {
            Some(local) if !datacenters.contains(&local.as_str()) => Err(SinkError::Refused(format!(
                "{}: there is no datacenter `{local}`, there are {found}; correct `local_dc`",
                self.describe()
            ))),
            None if datacenters.len() > 1 && self.consistency.is_local() => Err(SinkError::Refused(format!(
                "{}: there are several datacenters, {found}; say in `local_dc` which one mep streams to",
                self.describe()
            ))),
            _ => Ok(()),
        }
    }
}

/// Whether Cassandra takes it as the name of a keyspace or table.
pub(super) fn is_name(name: &str) -> bool {
    (1..=48).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
