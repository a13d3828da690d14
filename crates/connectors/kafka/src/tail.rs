//! Reading topics on and on: one consumer of all partitions, whose messages are gathered by partition.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::KafkaSource;
use super::cluster::{self, HeldOffsets, TopicPartition, asked_in_vain, is_passing};
use super::connection::{Consumer, consumer};
use super::group::ToldGroup;
use super::mark::Mark;
use super::messages::{Messages, Reading};
use super::new_schemas::NewSchemas;
use super::range::Range;
use mep_contract::source::SourceError;
use mep_contract::source::tail::{Offsets, ReaderGroup, Stream, StreamPartition, Stretch, Tail};
use mep_core::connection::KafkaConnection;

/// About how many bytes of messages a stretch holds.
const STRETCH_BYTES: usize = 1 << 20;

/// How long messages wait for more of their partition.
const GATHER: Duration = Duration::from_millis(100);

/// How often it is asked whether there are new partitions.
const LOOK_FOR_PARTITIONS: Duration = Duration::from_secs(10);

/// Large answers, a queue that is filled again at once, and a bound on what waits in memory.
const SETTINGS: [(&str, &str); 6] = [
    ("fetch.message.max.bytes", "1048576"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "100"),
    ("queued.max.messages.kbytes", "32768"),
    ("queued.min.messages", "100000"),
    ("reconnect.backoff.max.ms", "1000"),
];

impl Stream for KafkaSource {
    fn describe(&self) -> String {
        format!("{} of Kafka at {}", self.topics.join(", "), self.connection.place())
    }

    fn tail(
        &self,
        from: &Offsets,
        cuts: &BTreeMap<StreamPartition, Vec<i64>>,
    ) -> Result<Box<dyn Tail>, SourceError> {
        let mut tail = KafkaTail {
            connection: self.connection.clone(),
            consumer: consumer(&self.connection, &SETTINGS)?,
            asking: consumer(&self.connection, &[])?,
            topics: self.topics.clone(),
            reading: self.reading.clone(),
            new_schemas: self.schemas.clone().map(NewSchemas::new),
            gathering: Vec::new(),
            ready: VecDeque::new(),
            looked: Instant::now(),
        };
        for held in &tail.held()? {
            let partition = StreamPartition { topic: held.topic.clone(), number: held.partition };
            let start = from.get(&partition).copied();
            self.check(held, start)?;
            let cuts = cuts.get(&partition).cloned().unwrap_or_default();
            tail.gathering.push(PartitionMessages::new(
                partition,
                &self.reading,
                start.unwrap_or(held.low),
                cuts,
            ));
        }
        if let Some(gone) = from.keys().find(|partition| !tail.has(partition)) {
            return Err(SourceError::unreadable(format!(
                "the stream has read {gone}, which Kafka at {} no longer has: the topic was created again. {RESET}",
                self.connection.place()
            )));
        }
        tail.assign(0)?;
        Ok(Box::new(tail))
    }

    fn know_again(&self, marks: &[(StreamPartition, String)]) -> Result<(), SourceError> {
        let asking = consumer(&self.connection, &[])?;
        let held = cluster::held_by(&self.connection, &asking, &self.topics)?;
        // Models that have read differently far have left several of one partition.
        let mut left: BTreeMap<i64, BTreeMap<TopicPartition, Mark>> = BTreeMap::new();
        for (partition, mark) in marks {
            let is_it =
                |held: &&HeldOffsets| *held.topic == *partition.topic && held.partition == partition.number;
            let (Some(held), Some(mark)) = (held.iter().find(is_it), Mark::parse(mark)) else { continue };
            // What is not held is another matter.
            if (held.low..held.high).contains(&mark.offset) {
                let place = (partition.topic.clone(), partition.number);
                left.entry(mark.offset).or_default().insert(place, mark);
            }
        }
        for marks in left.values() {
            if let Some((topic, number)) = cluster::changed(&self.connection, marks)?.first() {
                return Err(SourceError::unreadable(format!(
                    "{topic}/{number} of Kafka at {} holds another message than the one that the stream has read at offset {}: the topic was created again. {RESET}",
                    self.connection.place(),
                    marks[&(topic.clone(), *number)].offset
                )));
            }
        }
        Ok(())
    }

    fn group(&self, name: &str) -> Result<Option<Box<dyn ReaderGroup>>, SourceError> {
        Ok(Some(Box::new(ToldGroup::new(&self.connection, name)?)))
    }

    fn landed(&self, units: &mut dyn Iterator<Item = &str>) -> Offsets {
        let mut landed: BTreeMap<StreamPartition, (u32, i64)> = BTreeMap::new();
        for range in units.filter_map(Range::parse) {
            let partition = StreamPartition { topic: range.topic, number: range.partition };
            let known = landed.entry(partition).or_default();
            // A topic that was made anew begins at 0 again.
            *known = (*known).max((range.generation, range.to));
        }
        landed.into_iter().map(|(partition, (_, to))| (partition, to)).collect()
    }
}

const RESET: &str = "Delete the stream's checkpoint and its table to begin anew with what there is: mep stream --full-refresh";

impl KafkaSource {
    /// What comes next must still be there, or not yet.
    fn check(&self, held: &HeldOffsets, start: Option<i64>) -> Result<(), SourceError> {
        let Some(start) = start else { return Ok(()) };
        let place = format!("{}/{}", held.topic, held.partition);
        if start < held.low && !self.accept_lost {
            return Err(SourceError::unreadable(format!(
                "the stream goes on at offset {start} of {place}, but Kafka holds it from {} on: {} events expired before they were read. {RESET}, or say `on_lost_offsets: accept`",
                held.low,
                held.low - start
            )));
        }
        if start > held.high {
            return Err(SourceError::unreadable(format!(
                "the stream goes on at offset {start} of {place}, but it ends at {}: the topic was created again, or truncated. {RESET}",
                held.high
            )));
        }
        Ok(())
    }
}

/// Topics that are being read.
struct KafkaTail {
    connection: KafkaConnection,
    consumer: Consumer,
    /// Asks what there is, and reads nothing.
    asking: Consumer,
    topics: Vec<Arc<str>>,
    reading: Arc<Reading>,
    new_schemas: Option<NewSchemas>,
    gathering: Vec<PartitionMessages>,
    ready: VecDeque<Stretch>,
    looked: Instant,
}

/// A partition, and its messages that were not given out yet.
struct PartitionMessages {
    partition: StreamPartition,
    reading: Arc<Reading>,
    /// Where the messages begin.
    from: i64,
    /// The offset of the next message.
    next: i64,
    messages: Messages,
    /// The last message.
    last: Last,
    /// Since when messages wait.
    since: Instant,
    /// Offsets that end a stretch, the smallest last.
    cuts: Vec<i64>,
}

/// The last message of a partition, whose buffers are used for the next one again.
#[derive(Default)]
struct Last {
    offset: i64,
    timestamp: Option<i64>,
    key: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
}

impl Last {
    fn is_now(&mut self, message: &impl Message) {
        let keep = |kept: &mut Option<Vec<u8>>, given: Option<&[u8]>| match (kept.as_mut(), given) {
            (Some(kept), Some(given)) => {
                kept.clear();
                kept.extend_from_slice(given);
            }
            (_, given) => *kept = given.map(<[u8]>::to_vec),
        };
        keep(&mut self.key, message.key());
        keep(&mut self.payload, message.payload());
        (self.offset, self.timestamp) = (message.offset(), message.timestamp().to_millis());
    }

    fn mark(&self) -> String {
        Mark::of_parts(self.offset, self.timestamp, self.key.as_deref(), self.payload.as_deref()).to_string()
    }
}

impl PartitionMessages {
    fn new(partition: StreamPartition, reading: &Arc<Reading>, start: i64, mut cuts: Vec<i64>) -> Self {
        cuts.retain(|cut| *cut > start);
        cuts.sort_unstable_by(|a, b| b.cmp(a));
        cuts.dedup();
        let messages = Self::nothing(&partition, reading, 0);
        let (reading, since) = (reading.clone(), Instant::now());
        Self { partition, reading, from: start, next: start, messages, last: Last::default(), since, cuts }
    }

    fn nothing(partition: &StreamPartition, reading: &Arc<Reading>, bytes: usize) -> Messages {
        let unit = Arc::from(partition.to_string());
        Messages::new(unit, partition.topic.clone(), partition.number, reading.clone(), bytes)
    }

    fn is(&self, topic: &str, number: i32) -> bool {
        self.partition.number == number && &*self.partition.topic == topic
    }

    /// What was gathered, up to where reading stands.
    fn give(&mut self, ready: &mut VecDeque<Stretch>) {
        if self.next == self.from {
            return;
        }
        // What comes next is likely to be as much.
        let next = Self::nothing(&self.partition, &self.reading, self.messages.bytes());
        let messages = std::mem::replace(&mut self.messages, next);
        let mark = (messages.count() > 0).then(|| self.last.mark());
        let from = std::mem::replace(&mut self.from, self.next);
        let partition = self.partition.clone();
        ready.push_back(Stretch { partition, from, to: self.next, mark, events: Box::new(messages) });
    }

    /// What comes from now on is read in another way.
    fn read_by(&mut self, reading: &Arc<Reading>, ready: &mut VecDeque<Stretch>) {
        self.give(ready);
        self.reading = reading.clone();
        self.messages = Self::nothing(&self.partition, reading, 0);
    }

    /// Reading has come to an offset; on the way there may be cuts.
    fn advance(&mut self, to: i64, ready: &mut VecDeque<Stretch>) {
        while let Some(cut) = self.cuts.pop_if(|cut| *cut <= to) {
            self.next = cut;
            self.give(ready);
        }
        self.next = to;
    }

    fn take(&mut self, message: &impl Message, ready: &mut VecDeque<Stretch>) {
        let offset = message.offset();
        if offset < self.next {
            return;
        }
        // What lies between is no message: compacted away, or a mark of a transaction.
        self.advance(offset, ready);
        if self.messages.count() == 0 {
            self.since = Instant::now();
        }
        self.messages.push(offset, message.payload());
        self.last.is_now(message);
        self.advance(offset + 1, ready);
        if self.messages.bytes() >= STRETCH_BYTES {
            self.give(ready);
        }
    }
}

impl KafkaTail {
    /// What Kafka holds now.
    fn held(&self) -> Result<Vec<HeldOffsets>, SourceError> {
        cluster::held_by(&self.connection, &self.asking, &self.topics)
    }

    fn has(&self, partition: &StreamPartition) -> bool {
        self.gathering.iter().any(|gathering| gathering.partition == *partition)
    }

    /// Begins to read all partitions but the first `known`.
    fn assign(&self, known: usize) -> Result<(), SourceError> {
        let mut assigned = TopicPartitionList::with_capacity(self.gathering.len());
        for PartitionMessages { partition, next, .. } in &self.gathering[known..] {
            let added =
                assigned.add_partition_offset(&partition.topic, partition.number, Offset::Offset(*next));
            added.map_err(|error| self.failed(&error))?;
        }
        let assigned = self.consumer.incremental_assign(&assigned);
        assigned.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &KafkaError) -> SourceError {
        asked_in_vain(&self.connection, &self.consumer, "read the topics", error)
    }

    /// Gives out what has waited long enough.
    fn give_old(&mut self) {
        for gathering in &mut self.gathering {
            if gathering.since.elapsed() >= GATHER {
                gathering.give(&mut self.ready);
            }
        }
    }

    /// A partition was read up to its end: what lies behind its last message up to there is none.
    fn reached_an_end(&mut self) {
        // The client says of which partition, but not of which topic.
        let Ok(positions) = self.consumer.position() else { return };
        for element in positions.elements() {
            let Offset::Offset(position) = element.offset() else { continue };
            let found = self.gathering.iter_mut().find(|one| one.is(element.topic(), element.partition()));
            if let Some(gathering) = found.filter(|gathering| gathering.next < position) {
                gathering.advance(position, &mut self.ready);
                gathering.give(&mut self.ready);
            }
        }
    }

    /// Begins to read partitions that are new.
    fn look_for_partitions(&mut self) -> Result<(), SourceError> {
        if self.looked.elapsed() < LOOK_FOR_PARTITIONS {
            return Ok(());
        }
        self.looked = Instant::now();
        let known = self.gathering.len();
        for topic in self.topics.clone() {
            // Where the brokers are away, the next look finds it.
            let Ok(metadata) = self.consumer.fetch_metadata(Some(&topic), Duration::from_secs(1)) else {
                continue;
            };
            let found = metadata.topics().iter().filter(|found| found.name() == &*topic);
            for found in found.flat_map(|found| found.partitions()) {
                let partition = StreamPartition { topic: topic.clone(), number: found.id() };
                if !self.has(&partition) {
                    tracing::info!("{partition} is new");
                    self.gathering.push(PartitionMessages::new(partition, &self.reading, 0, Vec::new()));
                }
            }
        }
        if self.gathering.len() > known { self.assign(known) } else { Ok(()) }
    }

    fn lost(&self) -> SourceError {
        SourceError::unreadable(format!(
            "Kafka at {} no longer holds an offset that the stream goes on at: it expired, or the topic was created again. {RESET}",
            self.connection.place()
        ))
    }
}

impl Tail for KafkaTail {
    fn next(&mut self, patience: Duration) -> Result<Option<Stretch>, SourceError> {
        let deadline = Instant::now() + patience;
        self.look_for_partitions()?;
        let mut taken = 0_u32;
        let wait = GATHER.min(patience);
        while self.ready.is_empty() {
            match self.consumer.poll(wait) {
                Some(Ok(message)) => {
                    let schemas = self.new_schemas.as_mut();
                    let found = schemas.and_then(|new| new.found(&self.reading, message.payload()));
                    if let Some(reading) = found {
                        for gathering in &mut self.gathering {
                            gathering.read_by(&reading, &mut self.ready);
                        }
                        self.reading = reading;
                    }
                    let is = |one: &&mut PartitionMessages| one.is(message.topic(), message.partition());
                    if let Some(gathering) = self.gathering.iter_mut().find(is) {
                        gathering.take(&message, &mut self.ready);
                    }
                    taken += 1;
                    // The age of what waits is looked at once in a while, and not for each message.
                    if taken.is_multiple_of(256) {
                        drop(message);
                        self.give_old();
                    }
                    continue;
                }
                Some(Err(KafkaError::PartitionEOF(_))) => self.reached_an_end(),
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    return Err(self.lost());
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => return Err(self.failed(&error)),
                None => {}
            }
            self.give_old();
            if Instant::now() >= deadline {
                break;
            }
        }
        Ok(self.ready.pop_front())
    }

    fn positions(&self) -> Offsets {
        self.gathering.iter().map(|gathering| (gathering.partition.clone(), gathering.from)).collect()
    }

    fn ends(&mut self) -> Result<Offsets, SourceError> {
        let ends = self.held()?.into_iter();
        Ok(ends
            .map(|held| (StreamPartition { topic: held.topic, number: held.partition }, held.high))
            .collect())
    }
}
