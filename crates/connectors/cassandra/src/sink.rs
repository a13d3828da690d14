//! What the stream calls.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use async_trait::async_trait;

use super::connection::{self, CassandraSession};
use super::instance::CassandraSink;
use super::pending::{Pending, Write};
use super::reading::read;
use super::shape::late_name;
use super::stream_row::{StreamRow, number};
use super::table;
use mep_contract::sink::late::{late_events, late_schema};
use mep_contract::sink::{Epoch, LateEvent, Sink, SinkError, Standing};

impl CassandraSink {
    async fn standing_of(&self, session: &CassandraSession, row: StreamRow) -> Result<Standing, SinkError> {
        let committed = match (number_of(row.epoch), row.checkpoint) {
            (Some(epoch), Some(id)) => {
                let (chunks, bytes) = (row.chunks.unwrap_or_default(), row.bytes.unwrap_or_default());
                let read = self.checkpoints(session).read(id, chunks, bytes).await?;
                Some((epoch, read.ok_or_else(|| self.damaged(bytes))?))
            }
            _ => None,
        };
        let prepared = row.prepared_epoch.and_then(number_of);
        let prepared = prepared.map(|epoch| (epoch, row.prepared_cut.unwrap_or_default()));
        Ok(Standing { committed, prepared })
    }

    fn damaged(&self, bytes: i64) -> SinkError {
        SinkError::Refused(format!(
            "the checkpoint of {} is damaged: of its {bytes} bytes not all are there; `mep stream --full-refresh` begins anew",
            self.model()
        ))
    }

    /// All rows of a table of this sink; none where there is no such table.
    async fn stored(&self, name: &str, schema: &SchemaRef) -> Result<Vec<RecordBatch>, SinkError> {
        let (session, keyspace) = (self.cluster.session().await?, self.cluster.keyspace());
        if table::find(session, keyspace, name).await?.is_none() {
            return Ok(Vec::new());
        }
        read(session, keyspace, name, schema).await
    }
}

#[async_trait]
impl Sink for CassandraSink {
    fn describe(&self) -> String {
        format!(
            "the keyspace {} of {}",
            self.cluster.keyspace(),
            connection::describe(&self.cluster.connection)
        )
    }

    fn kept_for(&self) -> Option<Duration> {
        self.table.ttl
    }

    async fn open(&self) -> Result<Standing, SinkError> {
        let row = self.take(false).await?;
        let session = self.cluster.session().await?;
        let standing = self.standing_of(session, row).await?;
        self.clean(session).await;
        Ok(standing)
    }

    async fn open_anew(&self) -> Result<(), SinkError> {
        self.take(true).await?;
        let session = self.cluster.session().await?;
        self.clean(session).await;
        Ok(())
    }

    async fn renew(&self) -> Result<(), SinkError> {
        self.opened()?;
        let (holder, asked) = (self.holder(), Instant::now());
        let renewed = async { self.renew_lease(self.cluster.session().await?, &holder).await };
        self.noted(renewed.await)?;
        self.state().renewed = asked;
        Ok(())
    }

    async fn prepare(&self, epoch: Epoch, cut: &[u8]) -> Result<(), SinkError> {
        let (known, holder) = (self.known()?, self.holder());
        let prepared = async {
            let session = self.cluster.session().await?;
            self.streams(session, &holder).prepare(&known, epoch, cut).await
        };
        self.noted(prepared.await)?;
        self.state().pending.prepared(epoch, cut);
        Ok(())
    }

    async fn upsert(&self, epoch: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError> {
        self.write(epoch, Write::Upsert(rows.to_vec())).await
    }

    async fn delete(&self, epoch: Epoch, rows: &[RecordBatch]) -> Result<(), SinkError> {
        self.write(epoch, Write::Delete(rows.to_vec())).await
    }

    async fn keep_late(&self, epoch: Epoch, events: &[LateEvent]) -> Result<(), SinkError> {
        self.write(epoch, Write::Late(events.to_vec())).await
    }

    async fn commit(&self, epoch: Epoch, checkpoint: &[u8]) -> Result<(), SinkError> {
        let known = self.known()?;
        if number(epoch)? == known.epoch {
            return Ok(());
        }
        let session = self.cluster.session().await?;
        let known = self.noted(self.commit_to(session, &known, epoch, checkpoint).await)?;
        {
            let mut state = self.state();
            (state.known, state.pending) = (Some(known), Pending::default());
        }
        self.clean(session).await;
        Ok(())
    }

    async fn standing(&self) -> Result<Standing, SinkError> {
        let session = self.cluster.session().await?;
        let holder = self.holder();
        match self.streams(session, &holder).read().await? {
            None => Ok(Standing::default()),
            Some(row) => self.standing_of(session, row).await,
        }
    }

    async fn rows(&self) -> Result<Vec<RecordBatch>, SinkError> {
        self.stored(self.model(), &self.table.schema).await
    }

    async fn late(&self) -> Result<Vec<LateEvent>, SinkError> {
        let rows = self.stored(&late_name(self.model()), &late_schema()).await?;
        Ok(rows.iter().flat_map(late_events).collect())
    }

    async fn release(&self) -> Result<(), SinkError> {
        if !self.state().asked {
            return Ok(());
        }
        let session = self.cluster.session().await?;
        let holder = self.holder();
        self.lease(session, &holder).release().await?;
        self.forget();
        Ok(())
    }
}

/// An epoch that Cassandra kept; 0 stands for none.
fn number_of(epoch: i64) -> Option<Epoch> {
    u64::try_from(epoch).ok().filter(|epoch| *epoch > 0).map(Epoch)
}
