//! Sending messages to topics, each acknowledged and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::Consumer as _;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, Message, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode;

use super::cluster::{asked_in_vain, is_passing};
use super::connection::{Listening, client, client_config, consumer, in_words, unusable};
use mep_contract::source::SourceError;
use mep_core::connection::KafkaConnection;

/// What makes sending fast, and what makes each message arrive once and in order.
const SETTINGS: [(&str, &str); 8] = [
    ("enable.idempotence", "true"),
    ("compression.type", "lz4"),
    ("linger.ms", "20"),
    ("batch.size", "1000000"),
    ("batch.num.messages", "20000"),
    ("queue.buffering.max.messages", "500000"),
    ("queue.buffering.max.kbytes", "262144"),
    ("message.timeout.ms", "60000"),
];

/// How long to wait where the queue of messages is full.
const FULL: Duration = Duration::from_millis(2);

/// A message to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Messages of one key stay in order.
    pub key: &'a [u8],
    /// Its content.
    pub value: &'a [u8],
    /// Its time, in milliseconds since 1970.
    pub timestamp: i64,
    /// Its headers.
    pub headers: &'a [(&'a str, &'a [u8])],
}

/// What became of the messages of a topic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// How many were acknowledged.
    pub delivered: u64,
    /// How many were not.
    pub failed: u64,
}

/// Sends messages. Any number of threads can share one.
pub struct Sender {
    connection: KafkaConnection,
    producer: ThreadedProducer<Counting>,
    sent: Mutex<BTreeMap<String, u64>>,
}

/// Counts what was not delivered, by topic: what was is all the rest.
#[derive(Default)]
struct Counting {
    failed: Mutex<BTreeMap<String, u64>>,
    failures: AtomicU64,
    /// Whether a broker refused a message, and was not just away.
    is_refused: AtomicBool,
    /// The keys of what failed.
    keys: Mutex<BTreeSet<Vec<u8>>>,
    why: Mutex<Option<String>>,
    listening: Listening,
}

impl ClientContext for Counting {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.listening.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.listening.error(error, reason);
    }
}

impl ProducerContext for Counting {
    type DeliveryOpaque = ();

    fn delivery(&self, result: &DeliveryResult<'_>, (): ()) {
        if let Err((error, message)) = result {
            let is_away =
                is_passing(error) || error.rdkafka_error_code() == Some(RDKafkaErrorCode::MessageTimedOut);
            if !is_away {
                self.is_refused.store(true, Ordering::Relaxed);
            }
            self.failures.fetch_add(1, Ordering::Relaxed);
            *self.failed.lock().entry(message.topic().to_owned()).or_default() += 1;
            self.keys.lock().extend(message.key().map(<[u8]>::to_vec));
            self.why.lock().get_or_insert_with(|| in_words(error));
        }
    }
}

impl Sender {
    /// Connects, and makes the topics that are not there, with so many partitions.
    ///
    /// # Errors
    /// Where the brokers cannot be reached, or a topic not be made.
    pub fn new(connection: KafkaConnection, topics: &[String], partitions: i32) -> Result<Self, SourceError> {
        make_topics(&connection, topics, partitions)?;
        let mut config = client_config(&connection, &SETTINGS);
        // Only failures are reported one by one: what was sent and did not fail was acknowledged.
        config.set("delivery.report.only.error", "true");
        let producer = ThreadedProducer::from_config_and_context(&config, Counting::default());
        let producer = producer.map_err(|error| unusable(&error))?;
        Ok(Self { connection, producer, sent: Mutex::new(BTreeMap::new()) })
    }

    /// Sends messages to a topic, and waits where more are under way than memory is meant for.
    ///
    /// # Errors
    /// Where a message cannot be sent at all, or others failed.
    pub fn send<'a>(
        &self,
        topic: &str,
        messages: impl IntoIterator<Item = Outgoing<'a>>,
    ) -> Result<(), SourceError> {
        let mut sent = 0;
        let mut outcome = Ok(());
        for message in messages {
            let mut record =
                BaseRecord::to(topic).key(message.key).payload(message.value).timestamp(message.timestamp);
            if !message.headers.is_empty() {
                let headers = message.headers.iter().map(|(key, value)| Header { key, value: Some(*value) });
                record = record.headers(headers.fold(OwnedHeaders::new(), OwnedHeaders::insert));
            }
            outcome = self.send_one(record);
            if outcome.is_err() {
                break;
            }
            sent += 1;
        }
        *self.sent.lock().entry(topic.to_owned()).or_default() += sent;
        outcome
    }

    fn send_one(&self, mut record: BaseRecord<'_, [u8], [u8]>) -> Result<(), SourceError> {
        loop {
            match self.producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                    record = back;
                    if self.producer.context().failures.load(Ordering::Relaxed) > 0 {
                        return Err(self.undelivered());
                    }
                    std::thread::sleep(FULL);
                }
                Err((error, _)) => {
                    return Err(SourceError::unreadable(format!(
                        "cannot send to Kafka at {}: {}",
                        self.connection.place(),
                        in_words(&error)
                    )));
                }
            }
        }
    }

    /// Waits until each message is acknowledged or has failed, and says how many of each topic were.
    pub fn finish(&self) -> BTreeMap<String, Delivery> {
        // Each message ends by its own time limit, so this does too.
        while self.producer.in_flight_count() > 0 {
            let _ = self.producer.flush(Duration::from_secs(1));
        }
        let failed = self.producer.context().failed.lock().clone();
        let sent = self.sent.lock().clone();
        let delivery = |(topic, sent): (String, u64)| {
            let failed = failed.get(&topic).copied().unwrap_or_default();
            (topic, Delivery { delivered: sent.saturating_sub(failed), failed })
        };
        sent.into_iter().map(delivery).collect()
    }

    /// Whether messages have failed so far.
    pub fn has_failed(&self) -> bool {
        self.producer.context().failures.load(Ordering::Relaxed) > 0
    }

    /// The keys of messages that failed so far.
    pub(super) fn failed_keys(&self) -> BTreeSet<Vec<u8>> {
        self.producer.context().keys.lock().clone()
    }

    /// Why messages failed, where some did.
    pub fn undelivered(&self) -> SourceError {
        let context = self.producer.context();
        let why = context.listening.last().or_else(|| context.why.lock().clone());
        let message = format!(
            "Kafka at {} did not acknowledge all messages: {}",
            self.connection.place(),
            why.unwrap_or_else(|| "no reason was given".to_owned())
        );
        if context.is_refused.load(Ordering::Relaxed) {
            SourceError::Unreadable(message)
        } else {
            SourceError::Away(message)
        }
    }
}

fn make_topics(connection: &KafkaConnection, topics: &[String], partitions: i32) -> Result<(), SourceError> {
    let consumer = consumer(connection, &[])?;
    let metadata = consumer
        .fetch_metadata(None, connection.timeout)
        .map_err(|error| asked_in_vain(connection, &consumer, "read the topics", &error))?;
    let there: Vec<&str> = metadata.topics().iter().map(rdkafka::metadata::MetadataTopic::name).collect();
    let missing: Vec<NewTopic<'_>> = topics
        .iter()
        .filter(|topic| !there.contains(&topic.as_str()))
        // The broker's own default of replicas. Messages bear the time of their events, which lies years back: a broker would
        // delete them within minutes for their age.
        .map(|topic| NewTopic::new(topic, partitions, TopicReplication::Fixed(-1)).set("retention.ms", "-1"))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let admin: AdminClient<Listening> = client(&client_config(connection, &[]))?;
    let options = AdminOptions::new()
        .operation_timeout(Some(connection.timeout))
        .request_timeout(Some(connection.timeout));
    let unmade =
        |topic: &str, why: &str| SourceError::unreadable(format!("cannot make the topic `{topic}`: {why}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| unmade(&topics.join(", "), &error.to_string()))?;
    let made = runtime.block_on(admin.create_topics(&missing, &options));
    let made = made.map_err(|error| unmade(&topics.join(", "), &in_words(&error)))?;
    for outcome in made {
        match outcome {
            Ok(_) | Err((_, RDKafkaErrorCode::TopicAlreadyExists)) => {}
            Err((topic, code)) => {
                return Err(unmade(&topic, &in_words(&KafkaError::AdminOp(code))));
            }
        }
    }
    wait_for(connection, &consumer, topics)
}

/// A new topic has no leaders for a moment; messages that are sent meanwhile would wait long before they are tried again.
fn wait_for(
    connection: &KafkaConnection,
    consumer: &super::connection::Consumer,
    topics: &[String],
) -> Result<(), SourceError> {
    let began = Instant::now();
    loop {
        let metadata = consumer
            .fetch_metadata(None, connection.timeout)
            .map_err(|error| asked_in_vain(connection, consumer, "read the topics", &error))?;
        let is_ready = |topic: &String| {
            metadata.topics().iter().any(|found| {
                found.name() == topic
                    && !found.partitions().is_empty()
                    && found.partitions().iter().all(|partition| partition.leader() >= 0)
            })
        };
        if topics.iter().all(is_ready) || began.elapsed() > connection.timeout {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
