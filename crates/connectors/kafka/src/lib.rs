//! Rows from Kafka topics.
//!
//! Owns which offsets there are to read, reading them, and noticing where a topic is not what it was. Comes in: a
//! connection, topics, a declared schema, and what was landed. Goes out: units, batches, rejects. Must not know: where rows
//! go, how they are recorded.
//!
//! A unit is a range of offsets of one partition. What was landed is known from the record that is published in one step with
//! the rows, and from nothing else: no consumer group is read. So each message is landed
//! exactly once, whatever happens in between.

mod avro;
mod cluster;
mod connection;
mod dead_letters;
mod group;
mod holding;
mod latest;
mod mark;
mod messages;
mod new_schemas;
mod range;
mod reader;
pub mod sender;
mod tail;

use std::sync::Arc;

pub use avro::AvroError;
#[doc(hidden)]
pub use avro::read_avro_record;
pub use dead_letters::DeadLetterTopics;
pub use latest::latest_time;

use self::avro::AvroDecoder;
use self::holding::{Comparison, LOST, holding, marks};
use self::messages::Reading;
use self::new_schemas::Schemas;
use self::range::Range;
use self::reader::{Nothing, RangeReader};
use mep_contract::source::reading::{Source, SourceError, UnitReader};
use mep_contract::source::{Holding, Recorded, RowSchema, Unit};
use mep_core::connection::{KafkaConnection, MessageFormat};
use mep_decode::rows::Decoder;

/// A table whose rows are the messages of topics.
pub struct KafkaSource {
    connection: KafkaConnection,
    topics: Vec<Arc<str>>,
    accept_lost: bool,
    reading: Arc<Reading>,
    /// Where the schemas of the messages are, where they have some.
    schemas: Option<Schemas>,
}

impl KafkaSource {
    /// The messages of `topics` as rows of `schema`. Where `accept_lost`, offsets that expired before they were landed are
    /// warned of and noted, in place of an error.
    ///
    /// # Errors
    /// Where a column is of a type that messages do not hold, or the Avro schema of `table` cannot be used.
    pub fn new(
        connection: KafkaConnection,
        table: &str,
        topics: Vec<String>,
        accept_lost: bool,
        format: &MessageFormat,
        schema: &RowSchema,
    ) -> Result<Self, SourceError> {
        let unreadable = |error: &dyn std::error::Error| SourceError::unreadable(error.to_string());
        let reading = match format {
            MessageFormat::Json => Reading::Json(Decoder::new(schema).map_err(|error| unreadable(&error))?),
            MessageFormat::Avro { schemas, wire } => Reading::Avro(
                AvroDecoder::new(schemas, table, *wire, schema).map_err(|error| unreadable(&error))?,
            ),
        };
        let schemas = match format {
            MessageFormat::Json => None,
            MessageFormat::Avro { schemas, wire } => Some(Schemas {
                folder: schemas.clone(),
                table: table.to_owned(),
                wire: *wire,
                schema: schema.clone(),
            }),
        };
        let topics = topics.into_iter().map(Arc::from).collect();
        Ok(Self { connection, topics, accept_lost, reading: Arc::new(reading), schemas })
    }
}

impl KafkaSource {
    /// Whether the messages of a landed range would be read by other schemas than they were.
    fn is_of_other_schemas(&self, unit: &Recorded) -> bool {
        let has_messages = Range::parse(&unit.id).is_some_and(|range| !range.is_empty());
        if !has_messages || unit.version.starts_with(LOST) {
            return false;
        }
        match (&*self.reading, unit.schemas.as_deref()) {
            (Reading::Json(_), noted) => noted.is_some(),
            (Reading::Avro(_), None) => true,
            (Reading::Avro(decoder), Some(noted)) => decoder.is_other(noted),
        }
    }
}

impl Source for KafkaSource {
    fn units(&self, recorded: &[Recorded]) -> Result<Holding, SourceError> {
        let held = cluster::held(&self.connection, &self.topics)?;
        let changed = cluster::changed(&self.connection, &marks(&held, recorded))?;
        let comparison = Comparison { held: &held, recorded, changed: &changed, accept: self.accept_lost };
        let mut holding = holding(&comparison).map_err(SourceError::Unreadable)?;
        let of_other_schemas = recorded.iter().filter(|unit| self.is_of_other_schemas(unit));
        holding.of_other_schemas = of_other_schemas.map(|unit| unit.id.clone()).collect();
        Ok(holding)
    }

    fn accepts_lost(&self) -> bool {
        self.accept_lost
    }

    fn open(&self, unit: &Unit) -> Result<Box<dyn UnitReader>, SourceError> {
        let range = Range::parse(&unit.id).ok_or_else(|| {
            SourceError::unreadable(format!("`{}` is no range of offsets of a topic", unit.id))
        })?;
        if range.is_empty() || unit.version == LOST {
            return Ok(Box::new(Nothing));
        }
        let (connection, reading) = (self.connection.clone(), self.reading.clone());
        Ok(Box::new(RangeReader::new(connection, range, &unit.id, reading)?))
    }

    fn undeclared(&self) -> Vec<String> {
        match &*self.reading {
            Reading::Json(decoder) => decoder.strangers().names(),
            Reading::Avro(_) => Vec::new(),
        }
    }

    fn beside_a_row(&self) -> &'static [&'static str] {
        &["key", "timestamp", "offset", "partition", "topic", "headers"]
    }

    fn place_of_a_row(&self) -> &'static str {
        "topic, partition, offset"
    }
}
