//! An epoch: its rows, and its commit.

use std::time::Instant;

use super::connection::CassandraSession;
use super::instance::{CassandraSink, Open};
use super::pending::{PendingWrite, Write};
use super::stream_row::{KnownRow, number};
use super::writing::write_rows;
use mep_contract::sink::late::late_rows;
use mep_contract::sink::{Epoch, Sink, SinkError};
use mep_core::fail_point;

impl CassandraSink {
    /// Deletes checkpoints that nothing points at. What cannot be deleted now is tried again after the next commit.
    pub(super) async fn clean(&self, session: &CassandraSession) {
        let Ok(known) = self.known() else { return };
        let now = Instant::now();
        for stale in known.stale_checkpoints.iter().filter(|stale| stale.from <= now) {
            match self.checkpoints(session).delete(stale.id).await {
                Ok(()) => {
                    if let Some(known) = &mut self.state().known {
                        known.stale_checkpoints.retain(|other| other.id != stale.id);
                    }
                }
                Err(error) => {
                    tracing::warn!("{error}; it is tried again");
                    // The others would not fare better now, and the stream has more to do.
                    return;
                }
            }
        }
    }

    /// Rows are written without a condition. An instance that slept for longer than its lease lasts asks before it writes.
    async fn confirm_awake(&self) -> Result<(), SinkError> {
        if self.is_awake() { Ok(()) } else { self.renew().await }
    }

    /// Repeats what an epoch has asked for so far, where nodes may have lost it.
    async fn make_good(&self, session: &CassandraSession, epoch: Epoch) -> Result<(), SinkError> {
        loop {
            let is_in_doubt = self.state().pending.take_doubt();
            if is_in_doubt && !self.find_out(session, epoch).await? {
                return Ok(());
            }
            let cut = self.state().pending.lost_cut();
            if let Some(cut) = cut {
                let (known, holder) = (self.known()?, self.holder());
                self.streams(session, &holder).prepare(&known, epoch, &cut).await?;
                self.state().pending.prepared(epoch, &cut);
            }
            let lost = self.state().pending.first_lost();
            match lost {
                Some(write) => self.send_write(session, epoch, write).await?,
                None if !self.state().pending.is_in_doubt() => return Ok(()),
                None => {}
            }
        }
    }

    /// Whether an epoch is still to be committed; and notes what nodes may have lost of it.
    async fn find_out(&self, session: &CassandraSession, epoch: Epoch) -> Result<bool, SinkError> {
        let (known, holder) = (self.known()?, self.holder());
        if !self.streams(session, &holder).is_to_be_repeated(&known, epoch).await? {
            return Ok(false);
        }
        let lives = session.lives().await?;
        let mut state = self.state();
        if lives.may_have_lost_since(&state.lives) {
            state.pending.lose();
        }
        state.lives = lives;
        Ok(true)
    }

    pub(super) async fn write(&self, epoch: Epoch, write: Write) -> Result<(), SinkError> {
        self.confirm_awake().await?;
        self.opened()?;
        let number = self.state().pending.write(epoch, write);
        let written = async {
            let session = self.cluster.session().await?;
            self.make_good(session, epoch).await?;
            self.send_write(session, epoch, number).await
        };
        self.noted(written.await)
    }

    /// Sends what of a call was not acknowledged.
    async fn send_write(
        &self,
        session: &CassandraSession,
        epoch: Epoch,
        number: usize,
    ) -> Result<(), SinkError> {
        let open = self.opened()?;
        let Some(mut pending) = self.state().pending.writes.get(number).cloned() else { return Ok(()) };
        let sent = self.send_rows(session, &open, epoch, &mut pending).await;
        pending.is_whole = sent.is_ok();
        pending.was_whole |= sent.is_ok();
        if let Some(kept) = self.state().pending.writes.get_mut(number) {
            *kept = pending;
        }
        sent
    }

    async fn send_rows(
        &self,
        session: &CassandraSession,
        open: &Open,
        epoch: Epoch,
        pending: &mut PendingWrite,
    ) -> Result<(), SinkError> {
        let number = number(epoch)?;
        let late;
        let (to, rows) = match &pending.write {
            Write::Upsert(rows) => ((&open.shape, &open.insert), rows.as_slice()),
            Write::Delete(rows) => ((&open.shape, &open.delete), rows.as_slice()),
            Write::Late(events) => {
                late = late_rows(number, events)
                    .map_err(|error| SinkError::Refused(format!("{}: {error}", open.late.name)))?;
                ((&open.late, &open.insert_late), std::slice::from_ref(&late))
            }
        };
        write_rows(session, self, to, number, rows, &mut pending.acknowledged).await
    }

    pub(super) async fn commit_to(
        &self,
        session: &CassandraSession,
        known: &KnownRow,
        epoch: Epoch,
        checkpoint: &[u8],
    ) -> Result<KnownRow, SinkError> {
        self.state().pending.commit(epoch, checkpoint);
        let checkpoints = self.checkpoints(session);
        loop {
            self.make_good(session, epoch).await?;
            let Some(mut pending) = self.state().pending.checkpoint.clone() else {
                return Err(self.not_open());
            };
            if pending.is_whole {
                break;
            }
            let acknowledged = &mut pending.acknowledged;
            let sent = checkpoints.write(known.next_checkpoint, checkpoint, self, acknowledged).await;
            pending.is_whole = sent.is_ok();
            self.state().pending.checkpoint = Some(pending);
            sent?;
        }
        fail_point::reached("cassandra-checkpoint-chunks");
        let holder = self.holder();
        let chunks = checkpoints.count(checkpoint)?;
        self.streams(session, &holder).commit(known, epoch, chunks, checkpoint.len() as i64).await
    }
}
