//! Schemas that come while topics are read on and on: a producer may be deployed before the schema that it writes with is there.
//!
//! Owns looking for them. Comes in: messages. Must not know: partitions, stretches. A landing does not look: it reads all of it by the same schemas,
//! and the next one reads again what they did not suffice for.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use super::avro::AvroDecoder;
use super::messages::Reading;
use mep_contract::source::RowSchema;
use mep_core::connection::AvroWire;

/// How often they are looked for in a folder that seems to be as it was, while messages come that have none: not every file system tells at once
/// that a folder has changed.
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
    /// When they were last looked for, and when the folder had last changed then.
    looked: Option<(Instant, Option<SystemTime>)>,
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
        let Schemas { folder, table, wire, schema } = &self.schemas;
        // A schema that is there before its first message must be read by: that message would be dead otherwise.
        let changed = folder.metadata().and_then(|folder| folder.modified()).ok();
        if self.looked.is_some_and(|(looked, before)| looked.elapsed() < LOOK && before == changed) {
            return None;
        }
        self.looked = Some((Instant::now(), changed));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_is_there_before_its_first_message_is_found_however_short_ago_they_were_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let write = |id: u32| {
            let written = r#"{"type": "record", "name": "r", "fields": [{"name": "v", "type": "string"}]}"#;
            std::fs::write(folder.path().join(format!("t.{id}.avsc")), written).unwrap();
        };
        let message = |id: u8| [0, 0, 0, 0, id, 2, b'x'];
        write(1);
        let schema = RowSchema::new([("v", "varchar", true)], None).unwrap();
        let decoder = AvroDecoder::new(folder.path(), "t", AvroWire::Confluent, &schema).unwrap();
        let reading = Reading::Avro(decoder);
        let (folder_of, table) = (folder.path().to_owned(), "t".to_owned());
        let schemas = Schemas { folder: folder_of, table, wire: AvroWire::Confluent, schema };
        let mut found = NewSchemas::new(schemas);
        assert!(found.found(&reading, Some(&message(7))).is_none());
        // Two changes of a folder within one tick of the kernel's clock have one time.
        std::thread::sleep(Duration::from_millis(50));
        write(7);
        let with_seven = found.found(&reading, Some(&message(7))).unwrap();
        assert!(found.found(&with_seven, Some(&message(7))).is_none(), "it is there already");
        assert!(found.found(&with_seven, Some(&message(8))).is_none());
    }
}
