//! The time of the last message of a topic.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::cluster::{asked_in_vain, held_by, is_passing};
use super::connection::{consumer, patience};
use mep_contract::source::SourceError;
use mep_core::connection::KafkaConnection;

/// The latest time of the last messages of a topic's partitions, in milliseconds since 1970; `None` where it has no messages.
///
/// # Errors
/// Where the brokers cannot be reached, or there is no such topic.
pub fn latest_time(connection: &KafkaConnection, topic: &str) -> Result<Option<i64>, SourceError> {
    let consumer = consumer(connection, &[("fetch.wait.max.ms", "10")])?;
    let what = format!("read the last messages of `{topic}`");
    let failed = |error: &KafkaError| asked_in_vain(connection, &consumer, &what, error);
    let held = held_by(connection, &consumer, &[Arc::from(topic)])?;
    let mut assigned = TopicPartitionList::new();
    let mut open = BTreeSet::new();
    for partition in held.iter().filter(|held| held.low < held.high) {
        let last = Offset::Offset(partition.high - 1);
        assigned.add_partition_offset(topic, partition.partition, last).map_err(|error| failed(&error))?;
        open.insert(partition.partition);
    }
    consumer.assign(&assigned).map_err(|error| failed(&error))?;
    let mut latest = None;
    let deadline = Instant::now() + patience(connection);
    while !open.is_empty() {
        if Instant::now() > deadline {
            return Err(failed(&KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)));
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                latest = latest.max(message.timestamp().to_millis());
                open.remove(&message.partition());
            }
            // What is last may be the end of a transaction, which is no message.
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) if !is_passing(&error) => return Err(failed(&error)),
            Some(Err(_)) | None => {}
        }
    }
    Ok(latest)
}
