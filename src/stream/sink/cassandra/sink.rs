//! What the stream calls.

use std::time::Instant;

use arrow::array::RecordBatch;
use async_trait::async_trait;

use super::pending::{Pending, Write};
use super::stream_row::number;
use super::tenure::CassandraSink;
use crate::stream::sink::{Epoch, LateEvent, Sink, SinkError, Standing};

#[async_trait]
impl Sink for CassandraSink {
    fn describe(&self) -> String {
        format!("{}.{} in {}", self.cluster.keyspace(), self.model(), self.cluster.connection.describe())
    }

    async fn open(&self) -> Result<Standing, SinkError> {
        let row = self.take(false).await?;
        let session = self.cluster.session().await?;
        let committed = match (number_of(row.epoch), row.checkpoint) {
            (Some(epoch), Some(id)) => {
                let (chunks, bytes) = (row.chunks.unwrap_or_default(), row.bytes.unwrap_or_default());
                Some((epoch, self.checkpoints(session).read(id, chunks, bytes).await?))
            }
            _ => None,
        };
        let prepared = row.prepared_epoch.and_then(number_of);
        let prepared = prepared.map(|epoch| (epoch, row.prepared_cut.unwrap_or_default()));
        self.clean(session).await;
        Ok(Standing { committed, prepared })
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
