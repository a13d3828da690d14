//! An epoch: its rows, and its commit.

use std::time::Instant;

use super::connection::Session;
use super::pending::Write;
use super::stream_row::{Known, number};
use super::tenure::{CassandraSink, Open};
use super::writing::write_rows;
use crate::fail_point;
use crate::stream::sink::late::late_rows;
use crate::stream::sink::{Epoch, LEASE_LIFE, Sink, SinkError};

impl CassandraSink {
    /// Deletes checkpoints that nothing points at. What cannot be deleted now is tried again after the next commit.
    pub(super) async fn clean(&self, session: &Session) {
        let Ok(known) = self.known() else { return };
        let now = Instant::now();
        for stale in known.stale_checkpoints.iter().filter(|stale| stale.from <= now) {
            match self.checkpoints(session).delete(stale.id).await {
                Ok(()) => {
                    if let Some(known) = &mut self.state().known {
                        known.stale_checkpoints.retain(|other| other.id != stale.id);
                    }
                }
                Err(error) => tracing::warn!("{error}; it is tried again"),
            }
        }
    }

    /// Rows are written without a condition. An instance that slept for longer than its lease lasts asks before it writes.
    async fn confirm_awake(&self) -> Result<(), SinkError> {
        let renewed = self.state().renewed;
        if renewed.elapsed() < LEASE_LIFE { Ok(()) } else { self.renew().await }
    }

    /// Repeats what an epoch has asked for so far, where nodes may have lost it.
    async fn make_good(&self, session: &Session, epoch: Epoch) -> Result<(), SinkError> {
        let Some(pending) = self.state().pending.take_doubtful(epoch) else { return Ok(()) };
        let (known, open, holder) = (self.known()?, self.opened()?, self.holder());
        let streams = self.streams(session, &holder);
        if !streams.is_to_be_repeated(&known, epoch).await? {
            return Ok(());
        }
        if let Some(cut) = &pending.cut {
            streams.prepare(&known, epoch, cut).await?;
        }
        for write in &pending.writes {
            self.write_once(session, &open, epoch, write).await?;
        }
        Ok(())
    }

    pub(super) async fn write(&self, epoch: Epoch, write: Write) -> Result<(), SinkError> {
        self.confirm_awake().await?;
        let open = self.opened()?;
        let written = async {
            let session = self.cluster.session().await?;
            self.make_good(session, epoch).await?;
            self.write_once(session, &open, epoch, &write).await
        };
        self.noted(written.await)?;
        self.state().pending.wrote(epoch, write);
        Ok(())
    }

    async fn write_once(
        &self,
        session: &Session,
        open: &Open,
        epoch: Epoch,
        write: &Write,
    ) -> Result<(), SinkError> {
        let number = number(epoch)?;
        match write {
            Write::Upsert(rows) => write_rows(session, &open.shape, &open.insert, number, rows).await,
            Write::Delete(rows) => write_rows(session, &open.shape, &open.delete, number, rows).await,
            Write::Late(events) => {
                let rows = late_rows(number, events)
                    .map_err(|error| SinkError::Refused(format!("{}: {error}", open.late.name)))?;
                write_rows(session, &open.late, &open.insert_late, number, &[rows]).await
            }
        }
    }

    pub(super) async fn commit_to(
        &self,
        session: &Session,
        known: &Known,
        epoch: Epoch,
        checkpoint: &[u8],
    ) -> Result<Known, SinkError> {
        self.make_good(session, epoch).await?;
        let holder = self.holder();
        let chunks = self.checkpoints(session).write(known.next_checkpoint, checkpoint).await?;
        fail_point::reached("cassandra-checkpoint-chunks");
        self.streams(session, &holder).commit(known, epoch, chunks, checkpoint.len() as i64).await
    }
}
