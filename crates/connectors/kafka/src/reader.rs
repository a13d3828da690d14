//! Reading a range of offsets: messages are gathered into chunks, and chunks are decoded on any thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode;
use rdkafka::{Message, Offset, TopicPartitionList};

use super::avro::SchemaIds;
use super::cluster::{TopicPartition, asked_in_vain, end_of, is_passing};
use super::connection::{Consumer, consumer, patience};
use super::mark::Mark;
use super::messages::{Messages, Reading};
use super::range::Range;
use mep_contract::source::{Piece, SourceError, UnitReader};
use mep_core::connection::KafkaConnection;

/// About how many bytes of messages a piece holds.
const PIECE_BYTES: usize = 4 << 20;

/// How many messages a piece holds at most, however small they are.
const PIECE_MESSAGES: usize = 64 << 10;

/// How long to wait for one more message before what is there is given out.
const PAUSE: Duration = Duration::from_millis(100);

/// What makes reading fast: large answers, a queue that is filled again at once, and a bound on what waits in memory.
const SETTINGS: [(&str, &str); 5] = [
    ("fetch.message.max.bytes", "8388608"),
    ("fetch.queue.backoff.ms", "5"),
    ("fetch.wait.max.ms", "100"),
    ("queued.max.messages.kbytes", "32768"),
    ("queued.min.messages", "100000"),
];

/// A range without messages: its place was noted, or what it held is lost.
pub(super) struct Nothing;

impl UnitReader for Nothing {
    fn next(&mut self) -> Result<Option<Box<dyn Piece>>, SourceError> {
        Ok(None)
    }
}

/// A range that is being read by a consumer of its own.
pub(super) struct RangeReader {
    connection: KafkaConnection,
    consumer: Consumer,
    range: Range,
    unit: Arc<str>,
    reading: Arc<Reading>,
    /// The offset that comes next, as far as it is known: where the last ones are no messages, it stays behind.
    next: i64,
    mark: Option<Mark>,
    schema_ids: SchemaIds,
    has_ended: bool,
}

impl RangeReader {
    /// Begins to read.
    pub(super) fn new(
        connection: KafkaConnection,
        range: Range,
        unit: &str,
        reading: Arc<Reading>,
    ) -> Result<Self, SourceError> {
        let consumer = consumer(&connection, &SETTINGS)?;
        let mut assigned = TopicPartitionList::with_capacity(1);
        let begun = assigned
            .add_partition_offset(&range.topic, range.partition, Offset::Offset(range.from))
            .and_then(|()| consumer.assign(&assigned));
        begun.map_err(|error| asked_in_vain(&connection, &consumer, &format!("read {unit}"), &error))?;
        let (next, unit) = (range.from, Arc::from(unit));
        let (mark, schema_ids, has_ended) = (None, SchemaIds::default(), false);
        Ok(Self { connection, consumer, range, unit, reading, next, mark, schema_ids, has_ended })
    }

    /// Reads until a piece is full, the range has ended, or nothing more comes for a while.
    fn fill(&mut self) -> Result<Messages, SourceError> {
        let topic = self.range.topic.clone();
        let mut messages =
            Messages::new(self.unit.clone(), topic, self.range.partition, self.reading.clone(), PIECE_BYTES);
        let began = Instant::now();
        // The last message is held on to, since what is noted of it takes a hash that no other one needs.
        let mut last = None;
        let failure = loop {
            match self.consumer.poll(PAUSE) {
                Some(Ok(message)) => {
                    let offset = message.offset();
                    if offset >= self.range.to {
                        self.has_ended = true;
                        break None;
                    }
                    if offset < self.next {
                        continue;
                    }
                    if let (Reading::Avro(decoder), Some(payload)) = (&*self.reading, message.payload()) {
                        self.schema_ids.add(decoder.id_of(payload));
                    }
                    messages.push(offset, message.payload());
                    self.next = offset + 1;
                    last = Some(message);
                    self.has_ended = self.next >= self.range.to;
                    if self.has_ended || messages.bytes() >= PIECE_BYTES || messages.count() >= PIECE_MESSAGES
                    {
                        break None;
                    }
                }
                Some(Err(KafkaError::PartitionEOF(_))) => {
                    let outcome = self.check_end();
                    self.has_ended = outcome.is_ok();
                    break outcome.err();
                }
                Some(Err(error)) if is_passing(&error) => {}
                Some(Err(error)) => break Some(self.broken(&error)),
                None if messages.count() > 0 => break None,
                None => {}
            }
            if messages.count() == 0 && began.elapsed() > patience(&self.connection) {
                break Some(self.stalled());
            }
        };
        if let Some(last) = last {
            self.mark = Some(Mark::of(&last));
        }
        failure.map_or(Ok(messages), Err)
    }

    /// The end of the partition was reached, so the rest of the range holds no messages: control records of transactions,
    /// or what was compacted away. Unless the partition ends earlier than it did when the range was planned.
    fn check_end(&self) -> Result<(), SourceError> {
        let place: TopicPartition = (self.range.topic.clone(), self.range.partition);
        let end = end_of(&self.connection, &self.consumer, &place)?;
        if end < self.range.to {
            return Err(SourceError::unreadable(format!(
                "{} was to be read, but the partition ends at {end} by now: it was truncated. Nothing was landed; run again",
                self.unit
            )));
        }
        Ok(())
    }

    fn broken(&self, error: &KafkaError) -> SourceError {
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) {
            return SourceError::unreadable(format!(
                "offset {} of {} is no longer in Kafka: it expired while it was read. Nothing was landed; run again",
                self.next, self.unit
            ));
        }
        asked_in_vain(&self.connection, &self.consumer, &format!("read {}", self.unit), error)
    }

    fn stalled(&self) -> SourceError {
        let why = self.consumer.context().last();
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        SourceError::unreadable(format!(
            "Kafka at {} sent nothing of {} from offset {} on for {} s{why}. Nothing was landed; run again once the brokers answer, or raise the connection's `timeout`",
            self.connection.place(),
            self.unit,
            self.next,
            patience(&self.connection).as_secs()
        ))
    }
}

impl UnitReader for RangeReader {
    fn next(&mut self) -> Result<Option<Box<dyn Piece>>, SourceError> {
        while !self.has_ended {
            let messages = self.fill()?;
            if messages.count() > 0 {
                return Ok(Some(Box::new(messages)));
            }
        }
        Ok(None)
    }

    fn mark(&self) -> Option<String> {
        self.mark.as_ref().map(ToString::to_string)
    }

    fn schemas(&self) -> Option<String> {
        match &*self.reading {
            Reading::Json(_) => None,
            Reading::Avro(decoder) => Some(decoder.noted(&self.schema_ids)),
        }
    }
}
