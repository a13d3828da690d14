//! Which nodes have been running on: one that only stood still has lost nothing of what it acknowledged, and one that was
//! started anew may have.
//!
//! A node notes a number of its own at each start. A connection that a node's machine ended, or did not take, tells of an end without it.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use scylla::errors::ExecutionError;
use scylla::policies::load_balancing::{NodeIdentifier, SingleTargetLoadBalancingPolicy};
use scylla::statement::Consistency;
use scylla::statement::unprepared::Statement;
use uuid::Uuid;

use super::connection::CassandraSession;
use mep_contract::sink::SinkError;

/// The nodes of a moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Lives {
    /// How many connections have ended, so far, as those of a process do that ends.
    pub(super) endings: u64,
    /// The number of each node's start; `None` where it does not say.
    pub(super) starts: BTreeMap<Uuid, Option<i32>>,
}

impl Lives {
    /// Whether a node may have lost what it had acknowledged before.
    pub(super) fn may_have_lost_since(&self, before: &Self) -> bool {
        let is_as_before = |(node, start): (&Uuid, &Option<i32>)| {
            start.is_some() && before.starts.get(node).is_none_or(|before| before == start)
        };
        // One that is gone does not say what it lost.
        self.endings != before.endings
            || self.starts.is_empty()
            || !self.starts.iter().all(is_as_before)
            || before.starts.keys().any(|node| !self.starts.contains_key(node))
    }
}

impl CassandraSession {
    /// The nodes as they are now.
    ///
    /// # Errors
    /// [`SinkError::Passing`] where one that is connected does not answer: whether it only stands still is yet to be seen.
    pub(super) async fn lives(&self) -> Result<Lives, SinkError> {
        let endings = self.endings.load(Ordering::Relaxed);
        let driver = self.control.get_session();
        let nodes = driver.get_cluster_state();
        let starts = nodes.get_nodes_info().iter().map(|node| async move {
            let mut statement =
                Statement::new("SELECT gossip_generation FROM system.local WHERE key = 'local'");
            statement.set_consistency(Consistency::One);
            statement.set_is_idempotent(true);
            let node_alone = SingleTargetLoadBalancingPolicy::new(NodeIdentifier::Node(node.clone()), None);
            statement.set_load_balancing_policy(Some(node_alone));
            let start = match driver.query_unpaged(statement, ()).await {
                Ok(answer) => {
                    let rows = answer.into_rows_result().ok();
                    rows.and_then(|rows| rows.first_row::<(Option<i32>,)>().ok()).and_then(|row| row.0)
                }
                Err(error @ ExecutionError::RequestTimeout(_)) => {
                    return Err(self.failed("ask a node since when it runs", &error));
                }
                Err(_) => None,
            };
            Ok((node.host_id, start))
        });
        let starts = futures::future::try_join_all(starts).await?.into_iter().collect();
        Ok(Lives { endings, starts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lives(endings: u64, starts: &[(u128, Option<i32>)]) -> Lives {
        let starts = starts.iter().map(|(node, start)| (Uuid::from_u128(*node), *start)).collect();
        Lives { endings, starts }
    }

    #[test]
    fn only_nodes_that_run_on_have_surely_lost_nothing() {
        let before = lives(0, &[(1, Some(10)), (2, Some(20))]);
        let has_lost = |endings, starts: &[_]| lives(endings, starts).may_have_lost_since(&before);
        assert!(!has_lost(0, &[(1, Some(10)), (2, Some(20))]));
        assert!(!has_lost(0, &[(1, Some(10)), (2, Some(20)), (3, Some(1))]), "one that is new");
        assert!(has_lost(0, &[(1, Some(11)), (2, Some(20))]), "one that was started anew");
        assert!(has_lost(0, &[(1, Some(10)), (2, None)]), "one that does not say");
        assert!(has_lost(0, &[(1, Some(10))]), "one that is gone");
        assert!(has_lost(1, &[(1, Some(10)), (2, Some(20))]), "one that ended a connection");
        assert!(has_lost(0, &[]), "no node known");
    }
}
