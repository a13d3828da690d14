//! Dead letters of an epoch: sent on before it is written, and only those again that are not safe yet.

use std::sync::Arc;
use std::time::Instant;

use super::job::{DeadLetters, JobError};
use super::running::Running;
use super::writing::Pauses;
use mep_contract::source::SourceError;
use mep_contract::source::tail::{StreamPartition, UnreadableEvent};

impl Running<'_> {
    /// Sends dead letters until they are safe: brokers that are away are waited for, as where events are read.
    pub(super) async fn send_dead_letters(
        &self,
        dead: &Arc<DeadLetters>,
        mut letters: Vec<(StreamPartition, UnreadableEvent)>,
    ) -> Result<(), JobError> {
        let source = self.job.source.describe();
        let mut pauses = Pauses::default();
        loop {
            let (sender, began) = (dead.clone(), Instant::now());
            let sending = tokio::task::spawn_blocking(move || (sender(&mut letters), letters));
            let (sent, left) = sending.await?;
            letters = left;
            match sent {
                Ok(()) => {
                    self.progress.lock().waiting.remove(&source);
                    return Ok(());
                }
                Err(SourceError::Away(why)) => {
                    tracing::warn!("{why}; {} dead letters are left; trying again", letters.len());
                    self.progress.lock().waiting.insert(source.clone(), why);
                    pauses.after(began.elapsed()).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
}
