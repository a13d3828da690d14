//! What an epoch has asked for so far, so that it can be asked for again.
//!
//! A node acknowledges what it has not yet brought to its disk, and one that crashes takes the latest of it back, in the reverse
//! order. Where a commit survived, all that came before it did. So it is enough to repeat an epoch that is not committed, whenever Cassandra
//! was not there for a moment: the cut first, then the rows.

use arrow::array::RecordBatch;

use crate::stream::sink::{Epoch, LateEvent};

/// Rows to be put, taken away, or kept as late.
#[derive(Clone)]
pub(super) enum Write {
    Upsert(Vec<RecordBatch>),
    Delete(Vec<RecordBatch>),
    Late(Vec<LateEvent>),
}

/// An epoch under way.
#[derive(Clone, Default)]
pub(super) struct Pending {
    pub(super) epoch: Epoch,
    /// How far it reads, where this instance noted it.
    pub(super) cut: Option<Vec<u8>>,
    /// What was acknowledged.
    pub(super) writes: Vec<Write>,
    is_in_doubt: bool,
}

impl Pending {
    /// Notes the cut of an epoch.
    pub(super) fn prepared(&mut self, epoch: Epoch, cut: &[u8]) {
        self.begin(epoch);
        self.cut = Some(cut.to_vec());
    }

    /// Notes what was written for an epoch.
    pub(super) fn wrote(&mut self, epoch: Epoch, write: Write) {
        self.begin(epoch);
        self.writes.push(write);
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

    /// What is to be repeated before anything else is done for this epoch.
    pub(super) fn take_doubtful(&mut self, epoch: Epoch) -> Option<Self> {
        let is_in_doubt = std::mem::take(&mut self.is_in_doubt);
        (is_in_doubt && self.epoch == epoch).then(|| self.clone())
    }
}
