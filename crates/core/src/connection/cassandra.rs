//! A Cassandra cluster and how it is spoken to.

use std::path::PathBuf;
use std::time::Duration;

/// A Cassandra cluster and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CassandraConnection {
    /// `host:port` of nodes to begin with.
    pub contact_points: Vec<String>,
    /// The keyspace of the tables.
    pub keyspace: String,
    /// How the keyspace is replicated where it has to be made.
    pub replication: CassandraReplication,
    /// How many replicas a row must have reached.
    pub consistency: CassandraConsistency,
    /// The datacenter whose nodes are spoken to.
    pub local_dc: Option<String>,
    /// The user.
    pub login: Option<CassandraLogin>,
    /// How connections are encrypted; `None`: they are not.
    pub tls: Option<CassandraTls>,
    /// How long a request may take.
    pub timeout: Duration,
    /// How many requests with rows, of all models, are under way at once at most; 64 unless the target says otherwise.
    pub concurrency: usize,
    /// How long a crash of nodes may take back what they acknowledged: for so long older checkpoints are kept.
    pub settles_after: Duration,
}

/// Nodes bring their log to disk every ten seconds, unless `commitlog_sync` says otherwise, and stop where they cannot.
pub const SETTLES_AFTER: Duration = Duration::from_secs(30);

/// How a keyspace is replicated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CassandraReplication {
    /// `SimpleStrategy` with this many replicas.
    Simple(u32),
    /// `NetworkTopologyStrategy` with this many replicas in each datacenter.
    PerDatacenter(Vec<(String, u32)>),
}

/// How many replicas must have answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CassandraConsistency {
    /// `one`.
    One,
    /// `two`.
    Two,
    /// `three`.
    Three,
    /// `quorum`: most of them.
    Quorum,
    /// `all`.
    All,
    /// `local_quorum`: most of those in the local datacenter.
    #[default]
    LocalQuorum,
    /// `each_quorum`: most of those in each datacenter.
    EachQuorum,
    /// `local_one`: one in the local datacenter.
    LocalOne,
}

/// A user and a password, which debugging does not show.
#[derive(Clone, PartialEq, Eq)]
pub struct CassandraLogin {
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl std::fmt::Debug for CassandraLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CassandraLogin").field("username", &self.username).finish_non_exhaustive()
    }
}

/// How connections to Cassandra are encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CassandraTls {
    /// The file with the certificates of authorities.
    pub ca: Option<PathBuf>,
    /// The file with the client's certificate.
    pub certificate: Option<PathBuf>,
    /// The file with the client's key.
    pub key: Option<PathBuf>,
    /// Whether a node's certificate must be for the address that mep speaks to.
    pub verifies_address: bool,
}
