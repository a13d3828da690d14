//! Messages that cannot be read, sent on to a topic where somebody can look at them.
//!
//! A dead letter has the message's content as it was, the key `topic/partition/offset`, and the reason in the header `error`. After
//! a crash the last ones can be sent twice, with the same key.

use super::sender::{Outgoing, Sender};
use mep_contract::source::SourceError;
use mep_contract::source::tail::{StreamPartition, UnreadableEvent};
use mep_core::connection::KafkaConnection;
use parking_lot::{Mutex, MutexGuard};

/// What stands behind the name of a topic in that of its dead letters.
const SUFFIX: &str = "_dead_letters";

/// The dead letters of topics.
pub struct DeadLetterTopics {
    connection: KafkaConnection,
    sender: Mutex<Option<Sender>>,
}

impl DeadLetterTopics {
    /// Dead letters in the Kafka that the messages are from. Their topics are made with the first one.
    pub fn new(connection: KafkaConnection) -> Self {
        Self { connection, sender: Mutex::new(None) }
    }

    /// The topic of a topic's dead letters.
    pub fn topic_of(topic: &str) -> String {
        format!("{topic}{SUFFIX}")
    }

    /// Sends them, and returns when they are safe; those that are safe are taken away, so that after an error the same call sends the rest.
    ///
    /// # Errors
    /// [`SourceError::Away`] where brokers did not answer for long, and another one where they refuse some.
    pub fn send(&self, letters: &mut Vec<(StreamPartition, UnreadableEvent)>) -> Result<(), SourceError> {
        let mut topics: Vec<String> =
            letters.iter().map(|(partition, _)| Self::topic_of(&partition.topic)).collect();
        topics.sort();
        topics.dedup();
        // One that failed goes on counting what failed: it is put back only after it succeeded.
        let known = self.sender().take();
        let sender = match known {
            Some(sender) => sender,
            None => Sender::new(self.connection.clone(), &topics, 1)?,
        };
        let mut given = 0;
        let mut outcome = Ok(());
        for (partition, letter) in letters.iter() {
            let key = key_of(partition, letter);
            let headers = [("error", letter.reason.as_bytes())];
            let value = letter.payload.as_deref().unwrap_or_default();
            let timestamp = chrono::Utc::now().timestamp_millis();
            let message = Outgoing { key: key.as_bytes(), value, timestamp, headers: &headers };
            outcome = sender.send(&Self::topic_of(&partition.topic), [message]);
            if outcome.is_err() {
                break;
            }
            given += 1;
        }
        let has_failed = sender.finish().values().any(|delivery| delivery.failed > 0);
        if outcome.is_ok() && !has_failed {
            letters.clear();
            *self.sender() = Some(sender);
            return Ok(());
        }
        let failed = sender.failed_keys();
        let mut number = 0;
        letters.retain(|(partition, letter)| {
            number += 1;
            number > given || failed.contains(key_of(partition, letter).as_bytes())
        });
        outcome.and_then(|()| Err(sender.undelivered()))
    }

    fn sender(&self) -> MutexGuard<'_, Option<Sender>> {
        self.sender.lock()
    }
}

/// What names a dead letter: `topic/partition/offset`.
fn key_of(partition: &StreamPartition, letter: &UnreadableEvent) -> String {
    format!("{partition}/{}", letter.offset)
}
