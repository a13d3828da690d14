//! Where Kafka is, how it is spoken to, and what its messages are.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Where Kafka is, and how it is spoken to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KafkaConnection {
    /// `host:port` of each broker to begin with.
    pub brokers: Vec<String>,
    /// Security and whatever else librdkafka is to be told.
    pub properties: KafkaProperties,
    /// How long a request may take.
    pub timeout: Duration,
}

impl KafkaConnection {
    /// The brokers in words.
    pub fn place(&self) -> String {
        self.brokers.join(", ")
    }
}

/// Properties of librdkafka, by its names. Their values are secrets, some of them: debugging shows none.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct KafkaProperties(pub BTreeMap<String, String>);

impl std::fmt::Debug for KafkaProperties {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// What a Kafka message is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageFormat {
    /// A JSON object.
    Json,
    /// An Avro record.
    Avro {
        /// The folder of the schemas; a relative one is relative to the project's root.
        schemas: PathBuf,
        /// What stands before a record.
        wire: AvroWire,
    },
}

/// What stands before an Avro record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AvroWire {
    /// Nothing.
    Plain,
    /// A zero byte and the four bytes of the schema's id, as Confluent's serializers write it.
    Confluent,
}
