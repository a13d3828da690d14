//! How a cluster is spoken to, and the session that comes of it.

use std::num::NonZeroUsize;
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
use mep_core::connection::{CassandraConnection, CassandraConsistency};

/// How many replicas must have answered for rows.
fn level(consistency: CassandraConsistency) -> Level {
    match consistency {
        CassandraConsistency::One => Level::One,
        CassandraConsistency::Two => Level::Two,
        CassandraConsistency::Three => Level::Three,
        CassandraConsistency::Quorum => Level::Quorum,
        CassandraConsistency::All => Level::All,
        CassandraConsistency::LocalQuorum => Level::LocalQuorum,
        CassandraConsistency::EachQuorum => Level::EachQuorum,
        CassandraConsistency::LocalOne => Level::LocalOne,
    }
}

/// The same for what the stream itself must find again: what was written must be among what is read.
fn level_of_the_stream(consistency: CassandraConsistency) -> Level {
    if is_local(consistency) { Level::LocalQuorum } else { Level::Quorum }
}

/// The same for conditional updates: where rows are written to several datacenters, those take part in the votes too.
fn serial(consistency: CassandraConsistency) -> SerialConsistency {
    if is_local(consistency) { SerialConsistency::LocalSerial } else { SerialConsistency::Serial }
}

fn is_local(consistency: CassandraConsistency) -> bool {
    matches!(
        consistency,
        CassandraConsistency::LocalQuorum
            | CassandraConsistency::LocalOne
            | CassandraConsistency::One
            | CassandraConsistency::Two
            | CassandraConsistency::Three
    )
}

/// Sessions, and how strongly what is asked through them is asked.
pub(super) struct CassandraSession {
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

impl CassandraSession {
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

/// Connects.
///
/// # Errors
/// [`SinkError::Passing`] where no node answers; [`SinkError::Refused`] where the settings are wrong.
pub(super) async fn open(connection: &CassandraConnection) -> Result<CassandraSession, SinkError> {
    check(connection)?;
    let failed = |error| failure::connecting(&describe(connection), &error);
    let driver = builder(connection)?.build().await.map_err(failed)?;
    let nodes = driver.get_cluster_state();
    let mut datacenters: Vec<&str> =
        nodes.get_nodes_info().iter().filter_map(|node| node.datacenter.as_deref()).collect();
    datacenters.sort_unstable();
    datacenters.dedup();
    check_datacenters(connection, &datacenters)?;
    let control = builder(connection)?.pool_size(PoolSize::PerHost(ONE)).build().await.map_err(failed)?;
    let consistency = connection.consistency;
    Ok(CassandraSession {
        driver: CachingSession::from(driver, PREPARED),
        control: CachingSession::from(control, PREPARED),
        pace: Pace::new(connection.concurrency, connection.timeout),
        endings: AtomicU64::new(0),
        stream: level_of_the_stream(consistency),
        serial: serial(consistency),
    })
}

fn builder(connection: &CassandraConnection) -> Result<SessionBuilder, SinkError> {
    let profile = ExecutionProfile::builder()
        .consistency(level(connection.consistency))
        .serial_consistency(Some(serial(connection.consistency)))
        .request_timeout(Some(connection.timeout))
        .retry_policy(Arc::new(DefaultRetryPolicy::new()))
        .build();
    let mut builder = SessionBuilder::new()
        .known_nodes(&connection.contact_points)
        .default_execution_profile_handle(profile.into_handle())
        .connection_timeout(connection.timeout)
        .hostname_resolution_timeout(Some(connection.timeout))
        .metadata_request_clientside_timeout(connection.timeout)
        .metadata_request_serverside_timeout(connection.timeout)
        // A node that is gone is found out before a lease ends; one that stands still for a moment keeps its connections.
        .keepalive_interval(Duration::from_secs(5))
        .keepalive_timeout(Duration::from_secs(15))
        .schema_agreement_timeout(connection.timeout.max(Duration::from_secs(30)))
        // The keyspace is all that is to be known of the schema, and that is asked for when it is made.
        .refresh_metadata_on_auto_schema_agreement(false)
        .keyspaces_to_fetch([&connection.keyspace]);
    if let Some(datacenter) = &connection.local_dc {
        builder = builder.prefer_datacenter(datacenter.clone());
    }
    if let Some(tls) = &connection.tls {
        builder = builder.tls_context(Some(tls::context(tls)?));
    }
    if let Some(login) = &connection.login {
        builder = builder.user(&login.username, &login.password);
    }
    Ok(builder)
}

/// The nodes to begin with, for people.
pub(super) fn describe(connection: &CassandraConnection) -> String {
    format!("cassandra at {}", connection.contact_points.join(", "))
}

fn check(connection: &CassandraConnection) -> Result<(), SinkError> {
    let keyspace = &connection.keyspace;
    if !is_name(keyspace) {
        return Err(SinkError::Refused(format!(
            "a keyspace has 1 to 48 letters, digits and `_`, found `{keyspace}`"
        )));
    }
    Ok(())
}

/// Conditional updates with a local vote exclude each other within one datacenter only, so that one must be known.
fn check_datacenters(connection: &CassandraConnection, datacenters: &[&str]) -> Result<(), SinkError> {
    let found = datacenters.join(", ");
    match &connection.local_dc {
        Some(local) if !datacenters.contains(&local.as_str()) => Err(SinkError::Refused(format!(
            "{}: there is no datacenter `{local}`, there are {found}; correct `local_dc`",
            describe(connection)
        ))),
        None if datacenters.len() > 1 && is_local(connection.consistency) => {
            Err(SinkError::Refused(format!(
                "{}: there are several datacenters, {found}; say in `local_dc` which one mep streams to",
                describe(connection)
            )))
        }
        _ => Ok(()),
    }
}

/// Whether Cassandra takes it as the name of a keyspace or table.
pub(super) fn is_name(name: &str) -> bool {
    (1..=48).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
