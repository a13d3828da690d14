//! Bringing one content of a table: its rows, and the note that all of them are there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::record::{DeliveryNumber, ServedRows};
use super::{ServingOwner, Unfenced};
use crate::CassandraCluster;
use crate::lives::Lives;
use crate::sending::Acknowledged;
use crate::shape::Shape;
use crate::writing::{RowStatement, write_rows};
use mep_contract::serving::ServedDelivery;
use mep_contract::sink::SinkError;
use mep_core::fail_point;
use mep_core::relation::Relation;

/// How long nothing may be acknowledged before a delivery is given up; the next run brings the rest.
const PATIENCE: Duration = Duration::from_secs(30);
/// How soon rows are sent again.
const PAUSE: Duration = Duration::from_millis(500);

/// A delivery that was begun.
pub(super) struct CassandraDelivery {
    cluster: Arc<CassandraCluster>,
    owner: ServingOwner,
    relation: Relation,
    number: DeliveryNumber,
    shape: Shape,
    insert: RowStatement,
    delete: RowStatement,
    /// The nodes as they were before the first row.
    lives: Lives,
}

impl CassandraDelivery {
    pub(super) async fn new(
        cluster: Arc<CassandraCluster>,
        owner: ServingOwner,
        relation: Relation,
        shape: Shape,
        number: DeliveryNumber,
    ) -> Result<Self, SinkError> {
        let (session, keyspace) = (cluster.session().await?, cluster.keyspace());
        let lives = session.lives().await?;
        let insert = RowStatement::inserting(session, keyspace, &shape).await?;
        let delete = RowStatement::deleting(session, keyspace, &shape).await?;
        Ok(Self { cluster, owner, relation, number, shape, insert, delete, lives })
    }

    /// Sends rows until each was acknowledged: only what was not is sent again.
    async fn send(&self, with: &RowStatement, rows: &[RecordBatch]) -> Result<(), SinkError> {
        let session = self.cluster.session().await?;
        let mut acknowledged = Acknowledged::default();
        let (mut done, mut since) = (0, Instant::now());
        loop {
            let to = (&self.shape, with);
            let sent = write_rows(session, &Unfenced, to, self.number.number, rows, &mut acknowledged).await;
            let Err(SinkError::Passing(why)) = sent else { return sent };
            if acknowledged.count() > done {
                (done, since) = (acknowledged.count(), Instant::now());
            } else if since.elapsed() >= PATIENCE {
                return Err(SinkError::Passing(why));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

#[async_trait]
impl ServedDelivery for CassandraDelivery {
    fn table_name(&self) -> &str {
        &self.number.table_name
    }

    async fn upsert(&self, rows: &[RecordBatch]) -> Result<(), SinkError> {
        self.send(&self.insert, rows).await
    }

    async fn delete(&self, keys: &[RecordBatch]) -> Result<(), SinkError> {
        self.send(&self.delete, keys).await
    }

    async fn complete(&self) -> Result<(), SinkError> {
        fail_point::reached("serving-rows");
        let session = self.cluster.session().await?;
        if session.lives().await?.may_have_lost_since(&self.lives) {
            return Err(SinkError::Passing(format!(
                "cassandra: a node was started anew while {} was brought there, and may have lost rows",
                self.relation.name
            )));
        }
        let (keyspace, owner, relation) = (self.cluster.keyspace(), &self.owner, &self.relation);
        ServedRows { session, keyspace, owner, relation }.complete(&self.number).await?;
        fail_point::reached("serving-completed");
        Ok(())
    }
}
