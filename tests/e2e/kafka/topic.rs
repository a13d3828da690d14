//! A topic of a test's own, deleted when dropped.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer as _, ThreadedProducer};
use rdkafka::{Offset, TopicPartitionList};

use crate::services::address;

static COUNT: AtomicU32 = AtomicU32::new(0);

const PATIENCE: Duration = Duration::from_secs(30);

/// The brokers that tests use.
pub(crate) fn brokers() -> String {
    address("MEP_TEST_KAFKA")
}

/// A topic.
pub(crate) struct Topic {
    name: String,
    brokers: String,
}

impl Topic {
    /// A new topic.
    pub(crate) fn new(partitions: i32) -> Self {
        Self::at(brokers(), partitions)
    }

    /// A new topic of these brokers.
    pub(crate) fn at(brokers: String, partitions: i32) -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let topic = Self { name: format!("mep-test-{}-{number}", std::process::id()), brokers };
        topic.create(partitions);
        topic
    }

    fn config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers);
        config
    }

    /// A client for administration, and what its requests are waited for with.
    fn administer<T>(
        &self,
        work: impl AsyncFnOnce(AdminClient<DefaultClientContext>, AdminOptions) -> T,
    ) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let admin: AdminClient<DefaultClientContext> = self.config().create().unwrap();
        runtime.block_on(work(admin, AdminOptions::new().operation_timeout(Some(PATIENCE))))
    }

    /// A new topic of one partition, which [`Self::wait_for_fewer_than`] has compacted: not before, however slow the machine is.
    pub(crate) fn compacted() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mep-test-{}-{number}", std::process::id());
        let topic = Self { name, brokers: brokers() };
        let made = topic.administer(async |admin, options| {
            let mut wanted = NewTopic::new(&topic.name, 1, TopicReplication::Fixed(1));
            for (key, value) in Self::COMPACTED.iter().filter(|(key, _)| *key != "cleanup.policy") {
                wanted = wanted.set(key, value);
            }
            admin.create_topics([&wanted], &options).await
        });
        made.unwrap().remove(0).unwrap();
        topic.wait(|found| found == 1);
        topic
    }

    /// The settings of a topic that Kafka compacts as soon as it gets to it.
    const COMPACTED: [(&str, &str); 5] = [
        ("segment.ms", "200"),
        ("min.cleanable.dirty.ratio", "0.001"),
        ("delete.retention.ms", "1"),
        ("max.compaction.lag.ms", "1"),
        ("cleanup.policy", "compact"),
    ];

    /// Sends texts, each with its key, to the first partition.
    pub(crate) fn send_keyed(&self, texts: &[(String, String)]) {
        let producer: ThreadedProducer<DefaultProducerContext> = self.config().create().unwrap();
        for (key, text) in texts {
            let record = BaseRecord::<str, str>::to(&self.name).partition(0).key(key).payload(text);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// Has Kafka compact the first partition and waits until it has, so that fewer messages are left; gives how many.
    pub(crate) fn wait_for_fewer_than(&self, messages: usize) -> usize {
        let altered = self.administer(async |admin, options| {
            let mut wanted = AlterConfig::new(ResourceSpecifier::Topic(&self.name));
            for (key, value) in Self::COMPACTED {
                wanted = wanted.set(key, value);
            }
            admin.alter_configs([&wanted], &options).await
        });
        altered.unwrap().remove(0).unwrap();
        for _ in 0..120 {
            let left = self.count();
            if left < messages {
                return left;
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        panic!("Kafka did not compact {}", self.name);
    }

    /// How many messages are left in the first partition.
    fn count(&self) -> usize {
        let mut config = self.config();
        let consumer: BaseConsumer =
            config.set("group.id", "none").set("enable.partition.eof", "true").create().unwrap();
        let mut assigned = TopicPartitionList::new();
        assigned.add_partition_offset(&self.name, 0, Offset::Beginning).unwrap();
        consumer.assign(&assigned).unwrap();
        let mut count = 0;
        loop {
            match consumer.poll(PATIENCE) {
                Some(Ok(_)) => count += 1,
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(_))) => return count,
                other => panic!("{}: {other:?}", self.name),
            }
        }
    }

    /// One that something else made.
    pub(crate) fn named(name: &str) -> std::mem::ManuallyDrop<Self> {
        Self::at_hand(brokers(), name)
    }

    /// One of these brokers that something else made.
    pub(crate) fn at_hand(brokers: String, name: &str) -> std::mem::ManuallyDrop<Self> {
        std::mem::ManuallyDrop::new(Self { name: name.to_owned(), brokers })
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Makes it, and waits until it can be written.
    pub(crate) fn create(&self, partitions: i32) {
        let made = self.administer(async |admin, options| {
            let topic = NewTopic::new(&self.name, partitions, TopicReplication::Fixed(1));
            admin.create_topics([&topic], &options).await
        });
        made.unwrap().remove(0).unwrap();
        self.wait(|found| found == usize::try_from(partitions).unwrap());
    }

    /// Deletes it, and waits until it is gone.
    pub(crate) fn delete(&self) {
        let deleted =
            self.administer(async |admin, options| admin.delete_topics(&[self.name()], &options).await);
        deleted.unwrap().remove(0).unwrap();
        self.wait(|found| found == 0);
    }

    /// Gives it so many partitions.
    pub(crate) fn grow(&self, partitions: usize) {
        let grown = self.administer(async |admin, options| {
            admin.create_partitions([&NewPartitions::new(self.name(), partitions)], &options).await
        });
        grown.unwrap().remove(0).unwrap();
        self.wait(|found| found == partitions);
    }

    /// What one of its settings is.
    pub(crate) fn setting(&self, key: &str) -> Option<String> {
        let described = self.administer(async |admin, options| {
            admin.describe_configs(&[ResourceSpecifier::Topic(self.name())], &options).await
        });
        described.unwrap().remove(0).unwrap().get(key).and_then(|entry| entry.value.clone())
    }

    /// Lets the offsets before this one of a partition expire.
    pub(crate) fn expire(&self, partition: i32, before: i64) {
        let mut offsets = TopicPartitionList::new();
        offsets.add_partition_offset(self.name(), partition, Offset::Offset(before)).unwrap();
        let expired = self.administer(async |admin, options| admin.delete_records(&offsets, &options).await);
        expired.unwrap().elements()[0].error().unwrap();
    }

    /// Waits until the number of its partitions that have a leader is right.
    fn wait(&self, is_right: impl Fn(usize) -> bool) {
        let consumer: BaseConsumer = self.config().set("allow.auto.create.topics", "false").create().unwrap();
        for _ in 0..300 {
            let metadata = consumer.fetch_metadata(None, PATIENCE).unwrap();
            let found = metadata.topics().iter().find(|found| found.name() == self.name);
            let led =
                found.map_or(0, |found| found.partitions().iter().filter(|one| one.leader() >= 0).count());
            if is_right(led) {
                return;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("the topic {} did not come to be as it should", self.name);
    }

    /// Sends messages to a partition; `None` is one without value.
    pub(crate) fn send_values(&self, partition: i32, values: &[Option<&[u8]>]) {
        let producer: ThreadedProducer<DefaultProducerContext> = self.config().create().unwrap();
        for value in values {
            let mut record = BaseRecord::<[u8], [u8]>::to(&self.name).partition(partition).key(b"key");
            record.payload = *value;
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
    }

    /// Sends texts to a partition.
    pub(crate) fn send(&self, partition: i32, texts: &[String]) {
        let values: Vec<Option<&[u8]>> = texts.iter().map(|text| Some(text.as_bytes())).collect();
        self.send_values(partition, &values);
    }

    /// Sends texts in a transaction, which is then committed or not.
    pub(crate) fn send_in_transaction(&self, partition: i32, texts: &[String], commit: bool) {
        let mut config = self.config();
        let id = format!("{}-{}", self.name, COUNT.fetch_add(1, Ordering::Relaxed));
        let producer: ThreadedProducer<DefaultProducerContext> =
            config.set("transactional.id", id).create().unwrap();
        producer.init_transactions(PATIENCE).unwrap();
        producer.begin_transaction().unwrap();
        for text in texts {
            let record = BaseRecord::<[u8], str>::to(&self.name).partition(partition).payload(text);
            producer.send(record).map_err(|(error, _)| error).unwrap();
        }
        producer.flush(PATIENCE).unwrap();
        if commit {
            producer.commit_transaction(PATIENCE).unwrap();
        } else {
            producer.abort_transaction(PATIENCE).unwrap();
        }
    }
}

impl Drop for Topic {
    fn drop(&mut self) {
        // A test that failed has said why already.
        if !std::thread::panicking() {
            self.delete();
        }
    }
}
