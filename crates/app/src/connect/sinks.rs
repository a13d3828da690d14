//! The places that a target's streaming models write to, and how they are spoken to.

use std::sync::Arc;
use std::time::Duration;

use crate::error::AppError;
use crate::workspace::Workspace;
use mep_cassandra::{
    CassandraCluster, Connection, Consistency, Login, Owner, Replication, SETTLES_AFTER, Tls,
};
use mep_contract::sink::{Sink, SinkTable};
use mep_contract::warehouse::Holder;
use mep_lang::project::{
    CassandraConfig, CassandraConsistency, CassandraReplication, Problem, StreamingConfig, WarehouseConfig,
};
use mep_local::sink::LocalSink;
use mep_local::warehouse::LocalWarehouse;

/// How a target's Cassandra is spoken to.
fn cassandra_connection(config: &CassandraConfig) -> Connection {
    Connection {
        contact_points: config.contact_points.clone(),
        keyspace: config.keyspace.clone(),
        replication: match &config.replication {
            CassandraReplication::Simple(factor) => Replication::Simple(*factor),
            CassandraReplication::PerDatacenter(factors) => Replication::PerDatacenter(factors.clone()),
        },
        consistency: match config.consistency {
            CassandraConsistency::One => Consistency::One,
            CassandraConsistency::Two => Consistency::Two,
            CassandraConsistency::Three => Consistency::Three,
            CassandraConsistency::Quorum => Consistency::Quorum,
            CassandraConsistency::All => Consistency::All,
            CassandraConsistency::LocalQuorum => Consistency::LocalQuorum,
            CassandraConsistency::EachQuorum => Consistency::EachQuorum,
            CassandraConsistency::LocalOne => Consistency::LocalOne,
        },
        local_dc: config.local_dc.clone(),
        login: config
            .login
            .as_ref()
            .map(|login| Login { username: login.username.clone(), password: login.password.clone() }),
        tls: config.tls.as_ref().map(|tls| Tls {
            ca: tls.ca.clone(),
            certificate: tls.certificate.clone(),
            key: tls.key.clone(),
            verifies_address: tls.verifies_address,
        }),
        timeout: Duration::from_secs(config.timeout),
        concurrency: config.concurrency,
        settles_after: SETTLES_AFTER,
    }
}

/// Where rows of streaming models go.
#[derive(Debug)]
pub enum Sinks {
    /// In the local warehouse.
    Local(LocalWarehouse, Holder),
    /// In Cassandra.
    Cassandra(Arc<CassandraCluster>, Owner),
}

impl Sinks {
    /// Where the target says that rows go.
    ///
    /// # Errors
    /// Where it does not say.
    pub fn of_target(workspace: &Workspace) -> Result<Self, AppError> {
        if let Some(StreamingConfig::Cassandra(config)) = &workspace.project.target.streaming {
            let owner = Owner {
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                pid: std::process::id(),
            };
            return Ok(Self::Cassandra(CassandraCluster::connect(cassandra_connection(config)), owner));
        }
        match &workspace.project.target.warehouse {
            WarehouseConfig::Local { path } => {
                Ok(Self::Local(workspace.local_warehouse(path), workspace.holder()))
            }
            WarehouseConfig::Hive(_) => {
                let target = &workspace.project.target;
                let message =
                    format!("the target `{}` does not say where streaming models write to", target.name);
                let problem = Problem::new(message).help("add `streaming:` to it in profiles.yml");
                Err(match &target.place {
                    Some(place) => problem.at(place),
                    None => problem,
                }
                .into())
            }
        }
    }

    /// The place of a table's rows.
    pub fn of(&self, table: &SinkTable) -> Arc<dyn Sink> {
        match self {
            Self::Local(warehouse, holder) => {
                Arc::new(LocalSink::new(warehouse.clone(), table.clone(), holder.clone()))
            }
            Self::Cassandra(cluster, owner) => Arc::new(cluster.sink(table.clone(), owner.clone())),
        }
    }
}
