//! Rows of streaming models, and of tables that are served by key, in Apache Cassandra.
//!
//! Owns a keyspace's tables: one of each model (`shape`), one of what came too late for it, and three that all streaming models share: where
//! each model stands (`stream_row`), its checkpoints (`checkpoint`) and which instance streams it (`lease`); and those of batch models with what is
//! noted of them (`serving`). Comes in: rows, epochs, deliveries, checkpoints as bytes. Must not know: projects, Kafka, windows.
//!
//! - The write timestamp of a row is the number of its epoch, from 1. What an older epoch writes, however late, never replaces
//!   what a newer one wrote; the same epoch written again changes nothing. A key that one epoch both writes and deletes is deleted;
//!   of rows with one key that are written in one call the last one counts.
//! - A null replaces an older value. A column that the model has no more keeps the values that it had.
//! - Times are kept in milliseconds, as Cassandra has them: finer ones are rounded down, and refused in a key.
//! - A commit is one conditional update of the model's row in `mep_streams`: it points at chunks that were written before, and holds only
//!   where this instance is still the holder.
//! - What was not acknowledged is sent again, and nothing else (`sending`), by as many requests at once as Cassandra answers in time (`pace`);
//!   the model with the least left to send comes first, so that one epoch after another is finished where Cassandra answers little.
//! - Nodes that crash take back what they acknowledged last (`pending`): an epoch is repeated after a node was started anew (`lives`), and
//!   checkpoints are deleted some time after nothing points at them. With several replicas on nodes that do not crash at once, nothing is taken back.

mod cells;
mod checkpoint;
mod client;
mod connection;
mod epoch;
mod failure;
mod instance;
mod lease;
mod lives;
mod opening;
mod pace;
mod pending;
mod reading;
mod sending;
mod serving;
mod shape;
mod sink;
mod stream_row;
mod table;
mod tls;
mod types;
mod writing;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::{Mutex, OnceCell};

pub use instance::{CassandraSink, Owner};
pub use serving::{CassandraServing, ServingOwner, check_served};

use checkpoint::CHECKPOINTS;
use connection::CassandraSession;
use lease::LEASES;
use mep_contract::sink::{SinkError, SinkTable};
use mep_core::connection::{CassandraConnection, CassandraReplication};
use serving::{SERVED, served};
use shape::{quoted, text};
use stream_row::STREAMS;

/// A cluster, and the sessions through which all models speak to it.
pub struct CassandraCluster {
    connection: CassandraConnection,
    session: OnceCell<CassandraSession>,
    /// Whether the keyspace and the tables that all models share are there.
    is_made: OnceCell<()>,
    /// Whether the table of what is served is.
    serves: OnceCell<()>,
    /// Changes of the schema go one after another: made at once on several nodes, tables come to be twice.
    schema: Mutex<()>,
}

impl std::fmt::Debug for CassandraCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CassandraCluster").field("connection", &self.connection).finish_non_exhaustive()
    }
}

impl CassandraCluster {
    /// A cluster that is connected to when it is first needed, and again where that fails. Its session belongs to the runtime of
    /// the first call of a sink.
    #[must_use]
    pub fn connect(connection: CassandraConnection) -> Arc<Self> {
        Arc::new(Self {
            connection,
            session: OnceCell::new(),
            is_made: OnceCell::new(),
            serves: OnceCell::new(),
            schema: Mutex::new(()),
        })
    }

    /// The table of a model, for the instance that wants to stream it.
    #[must_use]
    pub fn sink(self: &Arc<Self>, table: SinkTable, owner: Owner) -> CassandraSink {
        CassandraSink::new(Arc::clone(self), table, owner)
    }

    /// The session; nothing is made in the cluster for it.
    async fn connected(&self) -> Result<&CassandraSession, SinkError> {
        self.session.get_or_try_init(|| connection::open(&self.connection)).await
    }

    /// The session, once the keyspace and the tables that all models share are there.
    async fn session(&self) -> Result<&CassandraSession, SinkError> {
        let session = self.connected().await?;
        self.is_made.get_or_try_init(|| self.make_own_tables(session)).await?;
        Ok(session)
    }

    /// Makes the table of what is served, where it is not there.
    async fn make_served(&self, session: &CassandraSession) -> Result<(), SinkError> {
        let make = || async {
            if table::find(session, self.keyspace(), SERVED).await?.is_none() {
                session.define("make the table of what is served", &served(self.keyspace())).await?;
            }
            Ok(())
        };
        self.serves.get_or_try_init(make).await?;
        Ok(())
    }

    fn keyspace(&self) -> &str {
        &self.connection.keyspace
    }

    /// Makes what is not there yet. What is there is left alone, so that a user who may not change the schema can stream.
    async fn make_own_tables(&self, session: &CassandraSession) -> Result<(), SinkError> {
        let keyspace = self.keyspace();
        let doing = "read the schema";
        let select = "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?";
        let local = scylla::statement::Consistency::LocalOne;
        let found: Vec<(String,)> = session.rows(doing, select, (keyspace,), local).await?;
        if found.is_empty() {
            session.define("make the keyspace", &create_keyspace(&self.connection)).await?;
            // Without it rows are sent to any node; each learns of it by itself within a minute.
            let _ = session.driver.get_session().refresh_metadata().await;
        }
        let select = "SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?";
        let found: Vec<(String,)> = session.rows(doing, select, (keyspace,), local).await?;
        for (table, create) in [
            (LEASES, lease::create(keyspace)),
            (STREAMS, stream_row::create(keyspace)),
            (CHECKPOINTS, checkpoint::create(keyspace)),
        ] {
            if found.iter().all(|(found,)| found != table) {
                session.define("make the tables of the streams", &create).await?;
            }
            self.taken(session, table).await?;
        }
        Ok(())
    }

    /// Waits until statements on a table are taken, which others may be making just now.
    async fn taken(&self, session: &CassandraSession, table: &str) -> Result<(), SinkError> {
        let cql = format!("SELECT * FROM {}.{table}", shape::quoted(self.keyspace()));
        session.prepare(&format!("read the table {table}"), &cql).await.map(|_| ())
    }
}

fn create_keyspace(connection: &CassandraConnection) -> String {
    let replication = match &connection.replication {
        CassandraReplication::Simple(factor) => {
            format!("'class': 'SimpleStrategy', 'replication_factor': {factor}")
        }
        CassandraReplication::PerDatacenter(factors) => {
            let factors: String =
                factors.iter().map(|(name, factor)| format!(", {}: {factor}", text(name))).collect();
            format!("'class': 'NetworkTopologyStrategy'{factors}")
        }
    };
    format!(
        "CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {{{replication}}}",
        quoted(&connection.keyspace)
    )
}
