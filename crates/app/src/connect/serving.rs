//! Where a target serves tables by key, beside its warehouse.

use std::time::Duration;

use crate::error::AppError;
use crate::workspace::{Workspace, runtime};
use mep_cassandra::{CassandraCluster, CassandraServing, ServingOwner, check_served};
use mep_contract::serving::ServingStore as _;
use mep_contract::sink::SinkTable;
use mep_graph::{ModelStore, ServingPlace};
use mep_lang::project::{Problem, StreamingTarget};

/// The place; `None` where the target has none, or the project is tried over no rows.
pub fn serving_store(workspace: &Workspace) -> Option<CassandraServing> {
    let Some(StreamingTarget::Cassandra(connection)) = &workspace.project.target.streaming else {
        return None;
    };
    if workspace.is_tried() {
        return None;
    }
    let (project, target) = (workspace.project.name.clone(), workspace.project.target.name.clone());
    let cluster = CassandraCluster::connect(connection.clone());
    Some(CassandraServing::new(cluster, ServingOwner { project, target }))
}

impl Workspace {
    /// Drops tables that readers were led away from that long ago, where the target serves any; gives their number.
    ///
    /// # Errors
    /// Where they cannot be reached or dropped.
    pub fn clean_served(&self, retention: Duration) -> Result<usize, AppError> {
        let is_any = self.graph.nodes().iter().any(|node| node.config.model().store == ModelStore::Cassandra);
        let Some(store) = serving_store(self).filter(|_| is_any) else { return Ok(0) };
        Ok(runtime()?.block_on(store.clean(retention))?)
    }
}

impl ServingPlace for Workspace {
    fn check(&self, table: &SinkTable) -> Result<(), Problem> {
        let target = &self.project.target;
        if !matches!(&target.streaming, Some(StreamingTarget::Cassandra(_))) {
            let message = format!("the target `{}` has no connection to cassandra", target.name);
            let help = format!(
                "add `streaming:` of type cassandra to it in profiles.yml, or serve from other targets alone: \
                 store=\"cassandra\" if target.name != '{}' else \"warehouse\"",
                target.name
            );
            return Err(Problem::new(message).help(help));
        }
        check_served(table).map_err(|error| Problem::new(error.to_string()))
    }
}
