//! Schemas that come while topics are read on and on: a producer may be deployed before the schema that it writes with is there.
//!
//! Owns looking for them. Comes in: messages. Must not know: partitions, stretches. A landing does not look: it reads all of it by the same schemas,
//! and the next one reads again what they did not suffice for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::avro::AvroDecoder;
use super::messages::Reading;
use mep_contract::source::RowSchema;
use mep_core::connection::AvroWire;

/// How often they are looked for while messages come that have none.
const LOOK: Duration = Duration::from_secs(1);

/// Where the schemas of a table are.
#[derive(Clone)]
pub(super) struct Schemas {
    pub(super) folder: PathBuf,
    pub(super) table: String,
    pub(super) wire: AvroWire,
    pub(super) schema: RowSchema,
}

/// Looks for schemas that messages bear the ids of.
pub(super) struct NewSchemas {
    schemas: Schemas,
    looked: Option<Instant>,
    /// Why those that are there cannot be used, as it was said.
    said: String,
}

impl NewSchemas {
    pub(super) fn new(schemas: Schemas) -> Self {
        Self { schemas, looked: None, said: String::new() }
    }

    /// How messages are read from this one on, where it bears the id of a schema that came since.
    pub(super) fn found(&mut self, reading: &Reading, message: Option<&[u8]>) -> Option<Arc<Reading>> {
        let Reading::Avro(decoder) = reading else { return None };
        let message = message.filter(|message| !decoder.has_schema_of(message))?;
        if self.looked.is_some_and(|looked| looked.elapsed() < LOOK) {
            return None;
        }
        self.looked = Some(Instant::now());
        let Schemas { folder, table, wire, schema } = &self.schemas;
        match AvroDecoder::new(folder, table, *wire, schema) {
            Ok(decoder) if decoder.has_schema_of(message) => Some(Arc::new(Reading::Avro(decoder))),
            Ok(_) => None,
            Err(error) => {
                let why = error.to_string();
                if self.said != why {
                    tracing::warn!("the schemas stay as they were read before: {why}");
                    self.said = why;
                }
                None
            }
        }
    }
}
