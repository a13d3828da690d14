//! Asking the brokers: which partitions topics have, what offsets they hold, and single messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::connection::{Consumer, consumer, failed, in_words, patience};
use super::mark::Mark;
use mep_contract::source::SourceError;
use mep_core::connection::KafkaConnection;

/// How long to wait before a partition without a leader is asked for again.
const LEADER_PAUSE: Duration = Duration::from_millis(100);

/// A partition and the offsets that Kafka holds of it: from `low` up to, and without, `high`. Offsets of transactions that
/// are still open are not held yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeldOffsets {
    pub topic: Arc<str>,
    pub partition: i32,
    pub low: i64,
    pub high: i64,
}

/// A partition of a topic.
pub(super) type TopicPartition = (Arc<str>, i32);

/// What Kafka holds of these topics.
pub(super) fn held(
    connection: &KafkaConnection,
    topics: &[Arc<str>],
) -> Result<Vec<HeldOffsets>, SourceError> {
    held_by(connection, &consumer(connection, &[])?, topics)
}

/// The same, asked by a consumer that reads nothing: a failed request makes it drop what it was sent.
pub(super) fn held_by(
    connection: &KafkaConnection,
    consumer: &Consumer,
    topics: &[Arc<str>],
) -> Result<Vec<HeldOffsets>, SourceError> {
    let places = partitions(connection, consumer, topics)?;
    let low = offsets(connection, consumer, &places, Offset::Beginning)?;
    let high = offsets(connection, consumer, &places, Offset::End)?;
    let held = places.into_iter().map(|place| {
        let (low, high) = (low.get(&place).copied(), high.get(&place).copied());
        let (topic, partition) = place;
        match low.zip(high) {
            Some((low, high)) => Ok(HeldOffsets { topic, partition, low, high }),
            None => Err(SourceError::unreadable(format!(
                "Kafka does not say what it holds of {topic}/{partition}"
            ))),
        }
    });
    held.collect()
}

fn partitions(
    connection: &KafkaConnection,
    consumer: &Consumer,
    topics: &[Arc<str>],
) -> Result<Vec<TopicPartition>, SourceError> {
    let mut places = Vec::new();
    for topic in topics {
        let metadata = consumer.fetch_metadata(Some(topic), connection.timeout);
        let metadata =
            metadata.map_err(|error| asked_in_vain(connection, consumer, "read the topics", &error))?;
        let Some(found) = metadata.topics().iter().find(|found| found.name() == &**topic) else {
            return Err(missing(connection, consumer, topic));
        };
        match found.error().map(RDKafkaErrorCode::from) {
            None => {}
            Some(RDKafkaErrorCode::UnknownTopicOrPartition | RDKafkaErrorCode::UnknownTopic) => {
                return Err(missing(connection, consumer, topic));
            }
            Some(code) => {
                return Err(SourceError::unreadable(format!(
                    "the topic `{topic}` cannot be read: {}",
                    in_words(&KafkaError::Global(code))
                )));
            }
        }
        let mut numbers: Vec<i32> = found.partitions().iter().map(|partition| partition.id()).collect();
        numbers.sort_unstable();
        places.extend(numbers.into_iter().map(|partition| (topic.clone(), partition)));
    }
    Ok(places)
}

/// That a topic is not there, with the names of those that are, the nearest first.
fn missing(connection: &KafkaConnection, consumer: &Consumer, topic: &str) -> SourceError {
    let all = consumer.fetch_metadata(None, connection.timeout);
    let mut names: Vec<String> = all
        .iter()
        .flat_map(|metadata| metadata.topics().iter().map(|found| found.name().to_owned()))
        .filter(|name| !name.starts_with("__"))
        .collect();
    names.sort_by_cached_key(|name| strsim::damerau_levenshtein(name, topic));
    let more = names.len().saturating_sub(5);
    names.truncate(5);
    let there = match (names.is_empty(), more) {
        (true, _) => "it has no topics".to_owned(),
        (false, 0) => format!("its topics are {}", names.join(", ")),
        (false, more) => format!("its topics are {} and {more} more", names.join(", ")),
    };
    SourceError::unreadable(format!(
        "Kafka at {} has no topic `{topic}`; {there}. Create it, or name the table's topics with `topics:` in its YAML",
        connection.place()
    ))
}

/// The first offsets, or those behind the last, of all partitions: one request to each broker. Where a partition has just been
/// made, or another broker is to lead it, that is waited for.
fn offsets(
    connection: &KafkaConnection,
    consumer: &Consumer,
    places: &[TopicPartition],
    which: Offset,
) -> Result<BTreeMap<TopicPartition, i64>, SourceError> {
    let deadline = Instant::now() + connection.timeout;
    loop {
        match offsets_now(connection, consumer, places, which) {
            Ok(offsets) => return Ok(offsets),
            Err(error) if is_of_leaders(&error) && Instant::now() < deadline => {
                // The client asks meanwhile who leads what.
                std::thread::sleep(LEADER_PAUSE);
            }
            Err(error) => return Err(asked_in_vain(connection, consumer, "read the offsets", &error)),
        }
    }
}

/// Whether the broker that was asked does not lead the partition, or not yet.
fn is_of_leaders(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                | RDKafkaErrorCode::UnknownTopicOrPartition
        )
    )
}

fn offsets_now(
    connection: &KafkaConnection,
    consumer: &Consumer,
    places: &[TopicPartition],
    which: Offset,
) -> Result<BTreeMap<TopicPartition, i64>, KafkaError> {
    let mut asked = TopicPartitionList::with_capacity(places.len());
    for (topic, partition) in places {
        asked.add_partition_offset(topic, *partition, which)?;
    }
    // Kafka takes the beginning and the end for times.
    let answered = consumer.offsets_for_times(asked, connection.timeout)?;
    let mut offsets = BTreeMap::new();
    for element in answered.elements() {
        element.error()?;
        if let Offset::Offset(offset) = element.offset() {
            offsets.insert((Arc::from(element.topic()), element.partition()), offset);
        }
    }
    Ok(offsets)
}

/// The offset behind the last one that Kafka holds of a partition.
pub(super) fn end_of(
    connection: &KafkaConnection,
    consumer: &Consumer,
    place: &TopicPartition,
) -> Result<i64, SourceError> {
    let ends = offsets(connection, consumer, std::slice::from_ref(place), Offset::End)?;
    ends.get(place).copied().ok_or_else(|| {
        SourceError::unreadable(format!("Kafka does not say where {}/{} ends", place.0, place.1))
    })
}

/// The partitions of which the message at the mark's offset is another one than it was. One that is not there at all was
/// compacted away, and says nothing.
pub(super) fn changed(
    connection: &KafkaConnection,
    marks: &BTreeMap<TopicPartition, Mark>,
) -> Result<BTreeSet<TopicPartition>, SourceError> {
    let mut changed = BTreeSet::new();
    let mut by_topic: BTreeMap<Arc<str>, BTreeMap<i32, &Mark>> = BTreeMap::new();
    for ((topic, partition), mark) in marks {
        by_topic.entry(topic.clone()).or_default().insert(*partition, mark);
    }
    // Topic by topic, since the client says of which partition the end was reached, but not of which topic.
    for (topic, marks) in by_topic {
        let found = changed_in(connection, &topic, &marks)?;
        changed.extend(found.into_iter().map(|partition| (topic.clone(), partition)));
    }
    Ok(changed)
}

fn changed_in(
    connection: &KafkaConnection,
    topic: &str,
    marks: &BTreeMap<i32, &Mark>,
) -> Result<Vec<i32>, SourceError> {
    // One message of each partition is enough: Kafka sends at least the batch that it is in.
    let settings = [("fetch.message.max.bytes", "1024"), ("fetch.wait.max.ms", "10")];
    let consumer = consumer(connection, &settings)?;
    let failed = |error: &KafkaError| {
        asked_in_vain(connection, &consumer, &format!("read the last landed messages of `{topic}`"), error)
    };
    let mut assigned = TopicPartitionList::with_capacity(marks.len());
    for (partition, mark) in marks {
        let offset = Offset::Offset(mark.offset);
        assigned.add_partition_offset(topic, *partition, offset).map_err(|error| failed(&error))?;
    }
    consumer.assign(&assigned).map_err(|error| failed(&error))?;
    let mut open: BTreeSet<i32> = marks.keys().copied().collect();
    let mut changed = Vec::new();
    let deadline = Instant::now() + patience(connection);
    while !open.is_empty() {
        if Instant::now() > deadline {
            return Err(failed(&KafkaError::Global(RDKafkaErrorCode::OperationTimedOut)));
        }
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) if open.remove(&message.partition()) => {
                let mark = marks[&message.partition()];
                if message.offset() == mark.offset && Mark::of(&message) != *mark {
                    changed.push(message.partition());
                }
            }
            Some(Err(KafkaError::PartitionEOF(partition))) => {
                open.remove(&partition);
            }
            Some(Err(error)) if !is_passing(&error) => return Err(failed(&error)),
            Some(_) | None => {}
        }
    }
    Ok(changed)
}

/// Whether the client goes on by itself after this: a broker that is away may come back.
pub(super) fn is_passing(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NetworkException
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
                // The group is never joined, so that it does not matter whether it may be.
                | RDKafkaErrorCode::GroupAuthorizationFailed
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::NotCoordinator
        )
    )
}

/// That a request failed; the client is listened to first, since it knows why.
pub(super) fn asked_in_vain(
    connection: &KafkaConnection,
    consumer: &Consumer,
    what: &str,
    error: &KafkaError,
) -> SourceError {
    // What is polled may be a line of its log, too, so that nothing found does not mean that there is no more.
    for _ in 0..20 {
        let _ = consumer.poll(Duration::from_millis(1));
    }
    failed(connection, what, error, consumer.context())
}
