//! A consumer group that is told how far something has read, for Kafka's own tools. It has no members, and nobody reads it back.

use rdkafka::consumer::{CommitMode, Consumer as _};
use rdkafka::{Offset, TopicPartitionList};

use super::connection::{Consumer, consumer_of, in_words};
use mep_contract::source::SourceError;
use mep_contract::source::tail::{Offsets, ReaderGroup};
use mep_core::connection::KafkaConnection;

/// A group that is told.
pub(super) struct ToldGroup {
    consumer: Consumer,
    place: String,
}

impl ToldGroup {
    /// The group of this name; it comes to be with the first commit.
    pub(super) fn new(connection: &KafkaConnection, name: &str) -> Result<Self, SourceError> {
        Ok(Self { consumer: consumer_of(connection, name, &[])?, place: connection.place() })
    }
}

impl ReaderGroup for ToldGroup {
    fn commit(&mut self, offsets: &Offsets) -> Result<(), SourceError> {
        let failed =
            |error| SourceError::unreadable(format!("Kafka at {}: {}", self.place, in_words(&error)));
        let mut list = TopicPartitionList::with_capacity(offsets.len());
        for (partition, next) in offsets {
            let added = list.add_partition_offset(&partition.topic, partition.number, Offset::Offset(*next));
            added.map_err(failed)?;
        }
        // What is heard meanwhile is of no use, and must not pile up.
        while self.consumer.poll(std::time::Duration::ZERO).is_some() {}
        self.consumer.commit(&list, CommitMode::Sync).map_err(failed)
    }
}
