//! The places that a target's streaming models write to, and how they are spoken to.

use std::sync::Arc;

use crate::error::AppError;
use crate::workspace::Workspace;
use mep_cassandra::{CassandraCluster, Owner};
use mep_contract::sink::{Sink, SinkTable};
use mep_contract::warehouse::Holder;
use mep_lang::project::{Problem, StreamingTarget, WarehouseConfig};
use mep_local::sink::LocalSink;
use mep_local::warehouse::LocalWarehouse;

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
        if let Some(StreamingTarget::Cassandra(config)) = &workspace.project.target.streaming {
            let owner = Owner {
                host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
                pid: std::process::id(),
            };
            return Ok(Self::Cassandra(CassandraCluster::connect(config.clone()), owner));
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
