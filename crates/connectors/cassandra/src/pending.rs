//! What an epoch has asked for so far, and what of it was acknowledged, so that only the rest is sent and all of it can be sent again.
//!
//! A node acknowledges what it has not yet brought to its disk, and one that crashes takes the latest of it back, in the reverse
//! order. Where a commit survived, all that came before it did. So it is enough to repeat an epoch that is not committed, whenever nodes
//! may have been started anew: the cut first, then the rows. Where they only stood still, what they acknowledged stays.

use std::sync::Arc;

use arrow::array::RecordBatch;

use super::sending::Acknowledged;
use mep_contract::sink::{Epoch, LateEvent};

/// Rows to be put, taken away, or kept as late.
#[derive(Clone)]
pub(super) enum Write {
    Upsert(Vec<RecordBatch>),
    Delete(Vec<RecordBatch>),
    Late(Vec<LateEvent>),
}

impl Write {
    /// Whether it is the same call, made again: the very same rows.
    fn is_again(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Upsert(rows), Self::Upsert(others)) | (Self::Delete(rows), Self::Delete(others)) => {
                rows.len() == others.len()
                    && rows.iter().zip(others).all(|(batch, other)| are_same(batch, other))
            }
            (Self::Late(events), Self::Late(others)) => events == others,
            _ => false,
        }
    }
}

fn are_same(batch: &RecordBatch, other: &RecordBatch) -> bool {
    batch.num_rows() == other.num_rows()
        && batch.num_columns() == other.num_columns()
        && batch.columns().iter().zip(other.columns()).all(|(column, other)| Arc::ptr_eq(column, other))
}

/// A call of the stream, and which of its requests were acknowledged.
#[derive(Clone)]
pub(super) struct PendingWrite {
    pub(super) write: Write,
    pub(super) acknowledged: Acknowledged,
    /// Whether each was.
    pub(super) is_whole: bool,
    /// Whether each was at some time: nodes may have lost them since.
    pub(super) was_whole: bool,
}

/// A checkpoint of which chunks are written.
#[derive(Clone)]
pub(super) struct PendingCheckpoint {
    pub(super) bytes: Arc<[u8]>,
    pub(super) acknowledged: Acknowledged,
    /// Whether each chunk was acknowledged.
    pub(super) is_whole: bool,
}

/// An epoch under way.
#[derive(Default)]
pub(super) struct Pending {
    pub(super) epoch: Epoch,
    /// How far it reads, where this instance noted it.
    pub(super) cut: Option<Vec<u8>>,
    /// Whether the cut is to be noted again.
    is_cut_lost: bool,
    /// What was asked for, in order: all but the last one were acknowledged.
    pub(super) writes: Vec<PendingWrite>,
    pub(super) checkpoint: Option<PendingCheckpoint>,
    is_in_doubt: bool,
}

impl Pending {
    /// Notes the cut of an epoch.
    pub(super) fn prepared(&mut self, epoch: Epoch, cut: &[u8]) {
        self.begin(epoch);
        (self.cut, self.is_cut_lost) = (Some(cut.to_vec()), false);
    }

    /// Notes what is to be written for an epoch, and gives its number. The same call made again goes on where it was; another one that
    /// was given up is not made.
    pub(super) fn write(&mut self, epoch: Epoch, write: Write) -> usize {
        self.begin(epoch);
        if self.writes.last().is_none_or(|last| last.was_whole || !last.write.is_again(&write)) {
            self.give_up();
            let acknowledged = Acknowledged::default();
            self.writes.push(PendingWrite { write, acknowledged, is_whole: false, was_whole: false });
        }
        self.writes.len() - 1
    }

    /// Forgets a call that was not made to its end: the stream goes on to another one.
    fn give_up(&mut self) {
        self.writes.pop_if(|last| !last.was_whole);
    }

    /// The first call that nodes may have lost something of.
    pub(super) fn first_lost(&self) -> Option<usize> {
        self.writes.iter().position(|write| write.was_whole && !write.is_whole)
    }

    /// The cut, where nodes may have lost it.
    pub(super) fn lost_cut(&self) -> Option<Vec<u8>> {
        self.cut.clone().filter(|_| self.is_cut_lost)
    }

    /// The checkpoint that an epoch is to be committed with.
    pub(super) fn commit(&mut self, epoch: Epoch, bytes: &[u8]) {
        self.begin(epoch);
        self.give_up();
        if self.checkpoint.as_ref().is_none_or(|checkpoint| *checkpoint.bytes != *bytes) {
            self.checkpoint = Some(PendingCheckpoint {
                bytes: bytes.into(),
                acknowledged: Acknowledged::default(),
                is_whole: false,
            });
        }
    }

    fn begin(&mut self, epoch: Epoch) {
        if self.epoch != epoch {
            // A doubt that came up just now is kept.
            *self = Self { epoch, is_in_doubt: self.is_in_doubt, ..Self::default() };
        }
    }

    /// Notes that Cassandra was not there.
    pub(super) fn doubt(&mut self) {
        self.is_in_doubt = true;
    }

    /// Whether Cassandra was not there since this was asked last.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.is_in_doubt
    }

    /// Whether nodes may have lost anything that was asked for; it is found out now.
    pub(super) fn take_doubt(&mut self) -> bool {
        let is_in_doubt = std::mem::take(&mut self.is_in_doubt);
        is_in_doubt && (self.cut.is_some() || !self.writes.is_empty() || self.checkpoint.is_some())
    }

    /// Nodes may have lost what they acknowledged: all is to be sent again.
    pub(super) fn lose(&mut self) {
        self.is_cut_lost = self.cut.is_some();
        for write in &mut self.writes {
            (write.acknowledged, write.is_whole) = (Acknowledged::default(), false);
        }
        if let Some(checkpoint) = &mut self.checkpoint {
            (checkpoint.acknowledged, checkpoint.is_whole) = (Acknowledged::default(), false);
        }
    }
}
