//! Taking a model: its lease, its row, and its table made ready.

use std::sync::Arc;
use std::time::Instant;

use super::checkpoint::CHECKPOINTS;
use super::connection::{CassandraSession, is_name};
use super::instance::{CassandraSink, Instance, Open};
use super::lease::LEASES;
use super::shape::Shape;
use super::stream_row::{STREAMS, StreamRow};
use super::table;
use super::writing::RowStatement;
use mep_contract::sink::SinkError;

impl CassandraSink {
    /// The lease, the model's row, and the table made ready.
    pub(super) async fn take(&self, anew: bool) -> Result<StreamRow, SinkError> {
        let shape = Shape::of(&self.table)?;
        let late = Shape::of_late(&shape);
        self.check_names(&late.name)?;
        let session = self.cluster.session().await?;
        let holder = self.holder();
        let lease = self.lease(session, &holder);
        self.state().asked = true;
        let asked_at = Instant::now();
        lease.take().await?;
        self.state().renewed = asked_at;
        let lives = session.lives().await?;
        self.state().lives = lives;
        let taken = self.take_table(session, &holder, shape, late, anew).await;
        if let Err(SinkError::Refused(_) | SinkError::Lost(_)) = taken {
            // Others need not wait for what this instance will not do.
            let _ = lease.release().await;
            self.forget();
        }
        taken
    }

    async fn take_table(
        &self,
        session: &CassandraSession,
        holder: &Instance,
        shape: Shape,
        late: Shape,
        anew: bool,
    ) -> Result<StreamRow, SinkError> {
        let keyspace = self.cluster.keyspace();
        let streams = self.streams(session, holder);
        if streams.read().await?.is_none() {
            self.check_not_foreign(session, &[&shape, &late]).await?;
        }
        let row = streams.take_over(holder.since, anew).await?;
        {
            let _one_at_a_time = self.cluster.schema.lock().await;
            if row.clearing {
                table::drop(session, keyspace, &shape.name).await?;
                table::drop(session, keyspace, &late.name).await?;
            }
            table::make(session, keyspace, &shape).await?;
            table::make(session, keyspace, &late).await?;
        }
        if row.clearing {
            streams.cleared().await?;
        }
        let open = self.prepare_statements(session, shape, late).await?;
        let mut state = self.state();
        state.open = Some(Arc::new(open));
        state.known = Some(streams.known(&row));
        Ok(row)
    }

    fn check_names(&self, late: &str) -> Result<(), SinkError> {
        let model = self.model();
        if [STREAMS, LEASES, CHECKPOINTS].contains(&model) {
            return Err(SinkError::Refused(format!(
                "{model} is a table of mep's own in cassandra; give the model another name"
            )));
        }
        if !is_name(model) || !is_name(late) {
            return Err(SinkError::Refused(format!(
                "a table of cassandra has at most 48 letters, digits and `_`, and `{model}` needs the name `{late}` too; \
                 give the model a shorter or simpler name"
            )));
        }
        Ok(())
    }

    /// A table that mep has no note of is somebody else's.
    async fn check_not_foreign(
        &self,
        session: &CassandraSession,
        shapes: &[&Shape],
    ) -> Result<(), SinkError> {
        for shape in shapes {
            if table::find(session, self.cluster.keyspace(), &shape.name).await?.is_some() {
                return Err(SinkError::Refused(format!(
                    "{}.{} is in cassandra already, and mep did not make it; drop it, or give the model another name",
                    self.cluster.keyspace(),
                    shape.name
                )));
            }
        }
        Ok(())
    }

    async fn prepare_statements(
        &self,
        session: &CassandraSession,
        shape: Shape,
        late: Shape,
    ) -> Result<Open, SinkError> {
        let keyspace = self.cluster.keyspace();
        let insert = RowStatement::inserting(session, keyspace, &shape).await?;
        let delete = RowStatement::deleting(session, keyspace, &shape).await?;
        let insert_late = RowStatement::inserting(session, keyspace, &late).await?;
        Ok(Open { shape, late, insert, delete, insert_late })
    }
}
