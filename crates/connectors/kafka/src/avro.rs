//! Avro records into rows.
//!
//! A message holds one record and nothing else: a record that ends early or goes on behind its end is a bad row. The
//! values take the declared types by the rule that Parquet's take.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_avro::reader::{Decoder, ReaderBuilder};
use arrow_avro::schema::{AvroSchema, Fingerprint, FingerprintAlgorithm, SchemaStore};

use mep_contract::source::{Reject, RowSchema, SourceError};
use mep_core::connection::AvroWire;
use mep_core::guard::guarded;
use mep_decode::avro_schema::texts_for_uuids;
use mep_decode::rows::{BadRow, DecodeError, Decoded, columns_of, rows_of};

/// Why messages cannot be read as Avro.
#[derive(Debug, thiserror::Error)]
pub enum AvroError {
    /// There is no schema.
    #[error("there is no Avro schema {}: write the schema that the messages of `{table}` are written with", path.display())]
    NoSchema {
        /// Where it was looked for.
        path: PathBuf,
        /// The table.
        table: String,
    },
    /// A schema cannot be read.
    #[error("cannot read {}: {}", path.display(), mep_core::os_error::OsMessage(error))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// What is in a schema's file is none.
    #[error("{} is not a usable Avro schema: {why}", path.display())]
    NotASchema {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
}

/// How many records are decoded together.
const BATCH_ROWS: usize = 8192;

/// Stands before the hash of all schemas.
const ALL_SCHEMAS: &str = "confluent *=";

/// What is put before each record for the decoder, which tells records apart by it.
const HEADER: usize = 5;

/// A schema that records are written with.
#[derive(Clone, Debug)]
struct WriterSchema {
    store: SchemaStore,
    /// Of what its file says, apart from white space.
    hash: String,
    /// For each declared column, which one of the record's it is.
    columns: Vec<Option<usize>>,
}

/// The ids of schemas that messages bear.
#[derive(Clone, Debug, Default)]
pub(super) struct SchemaIds {
    ids: BTreeSet<u32>,
    last: Option<u32>,
}

/// Past so many ids, most of which are none, what is noted is all schemas.
const MANY_IDS: usize = 64;

impl SchemaIds {
    /// One more message bears this id.
    pub(super) fn add(&mut self, id: Option<u32>) {
        // Neighbours mostly bear the same.
        if id != self.last {
            self.last = id;
            self.ids.extend(id.filter(|_| self.ids.len() <= MANY_IDS));
        }
    }
}

/// Decodes Avro records into batches of one schema. It keeps no state: threads can share one.
#[derive(Debug)]
pub(super) struct AvroDecoder {
    schema: SchemaRef,
    event_time: Option<usize>,
    wire: AvroWire,
    /// The schema of every record that has none by its id.
    any: Option<WriterSchema>,
    by_id: BTreeMap<u32, WriterSchema>,
}

impl AvroDecoder {
    /// A decoder for records of `<table>.avsc`, or, where the wire gives ids, of `<table>.<id>.avsc`.
    ///
    /// # Errors
    /// Where there is no schema, or one that cannot become the declared one.
    pub(super) fn new(
        folder: &Path,
        table: &str,
        wire: AvroWire,
        schema: &RowSchema,
    ) -> Result<Self, AvroError> {
        let path = folder.join(format!("{table}.avsc"));
        let any = if path.exists() { Some(written(&path, schema)?) } else { None };
        let mut by_id = BTreeMap::new();
        let entries = folder.read_dir().into_iter().flatten().flatten();
        for entry in entries.filter(|_| wire == AvroWire::Confluent) {
            let name = entry.file_name();
            let id = name.to_str().and_then(|name| {
                name.strip_prefix(table)?.strip_prefix('.')?.strip_suffix(".avsc")?.parse().ok()
            });
            if let Some(id) = id {
                by_id.insert(id, written(&entry.path(), schema)?);
            }
        }
        if any.is_none() && by_id.is_empty() {
            return Err(AvroError::NoSchema { path, table: table.to_owned() });
        }
        Ok(Self { schema: schema.fields.clone(), event_time: schema.event_time, wire, any, by_id })
    }

    /// Decodes messages; `ends` says where each ends.
    ///
    /// # Errors
    /// Where Arrow refuses the batches, which would be a defect of mep.
    pub(super) fn decode(&self, values: &[u8], ends: &[usize]) -> Result<Decoded, DecodeError> {
        let mut decoded = Decoded { batches: Vec::new(), rejects: Vec::new(), read: ends.len() as u64 };
        let mut run: Vec<(u64, &[u8])> = Vec::new();
        let mut current: Option<&WriterSchema> = None;
        let mut start = 0;
        for (line, end) in (1..).zip(ends) {
            let value = &values[start..*end];
            start = *end;
            match self.unwrap(value) {
                Ok((written, record)) => {
                    let is_other = current.is_some_and(|current| !std::ptr::eq(current, written));
                    if let Some(current) = current.filter(|_| is_other || run.len() >= BATCH_ROWS) {
                        self.decode_run(current, &run, &mut decoded)?;
                        run.clear();
                    }
                    current = Some(written);
                    run.push((line, record));
                }
                Err(reason) => decoded.rejects.push(BadRow::new(line, reason, &shown(value))),
            }
        }
        if let Some(current) = current {
            self.decode_run(current, &run, &mut decoded)?;
        }
        decoded.rejects.sort_by_key(|bad| bad.line);
        Ok(decoded)
    }

    /// The id of the schema that a message bears, where messages do.
    pub(super) fn id_of(&self, message: &[u8]) -> Option<u32> {
        match (self.wire, message) {
            (AvroWire::Confluent, [0, a, b, c, d, ..]) => Some(u32::from_be_bytes([*a, *b, *c, *d])),
            _ => None,
        }
    }

    /// Whether the schema is there that a message bears the id of, where it bears one.
    pub(super) fn has_schema_of(&self, message: &[u8]) -> bool {
        self.any.is_some() || self.id_of(message).is_none_or(|id| self.by_id.contains_key(&id))
    }

    /// What is noted of messages that bear these ids: the schemas that they are read by, also of an id that has none yet.
    pub(super) fn noted(&self, ids: &SchemaIds) -> String {
        let hash =
            |written: Option<&WriterSchema>| written.map_or("-", |written| written.hash.as_str()).to_owned();
        match self.wire {
            AvroWire::Plain => format!("plain {}", hash(self.any.as_ref())),
            AvroWire::Confluent if ids.ids.len() > MANY_IDS => {
                let all = self.by_id.iter().map(|(id, written)| format!("{id}={}", written.hash));
                let all: Vec<String> = all.chain([hash(self.any.as_ref())]).collect();
                let all = mep_core::fingerprint::Fingerprint::of(all.iter().map(String::as_str));
                format!("{ALL_SCHEMAS}{}", all.as_str())
            }
            AvroWire::Confluent => {
                let of_id = |id: &u32| format!(" {id}={}", hash(self.by_id.get(id).or(self.any.as_ref())));
                format!("confluent{}", ids.ids.iter().map(of_id).collect::<String>())
            }
        }
    }

    /// Whether messages of which this was noted would be read by other schemas now.
    pub(super) fn is_other(&self, noted: &str) -> bool {
        let of_all =
            if noted.starts_with(ALL_SCHEMAS) { (0..=MANY_IDS as u32).collect() } else { BTreeSet::new() };
        let ids = noted.split(' ').skip(1).filter_map(|part| part.split_once('=')?.0.parse().ok());
        let ids = ids.chain(of_all).collect();
        self.noted(&SchemaIds { ids, last: None }) != noted
    }

    /// A message's schema, and its record.
    fn unwrap<'m>(&self, message: &'m [u8]) -> Result<(&WriterSchema, &'m [u8]), String> {
        match (self.wire, message) {
            (AvroWire::Plain, record) => self
                .any
                .as_ref()
                .map(|any| (any, record))
                .ok_or_else(|| "no Avro: there is no schema".to_owned()),
            (AvroWire::Confluent, [0, a, b, c, d, record @ ..]) => {
                let id = u32::from_be_bytes([*a, *b, *c, *d]);
                let written = self.by_id.get(&id).or(self.any.as_ref());
                written
                    .map(|written| (written, record))
                    .ok_or_else(|| format!("no Avro: there is no schema for the id {id}"))
            }
            (AvroWire::Confluent, [first, ..]) => Err(format!(
                "no Avro: expected a zero byte and the schema's id, found the byte 0x{first:02X}"
            )),
            (AvroWire::Confluent, []) => Err("the message is empty".to_owned()),
        }
    }

    /// Decodes records of one schema: all at once, or, where one of them is bad, each by itself.
    fn decode_run(
        &self,
        written: &WriterSchema,
        records: &[(u64, &[u8])],
        decoded: &mut Decoded,
    ) -> Result<(), DecodeError> {
        if records.is_empty() {
            return Ok(());
        }
        let mut decoder = decoder(written, records.len())?;
        // Some faults, such as a word that the enum does not have, show only when all is put together.
        if records.iter().all(|(_, record)| feed(&mut decoder, record).is_ok())
            && let Ok(batch) = flush(&mut decoder)
        {
            return self.take(written, batch, records, decoded);
        }
        // A decoder that has failed in the middle of a record is of no more use.
        let mut good = Vec::new();
        let mut tried = self::decoder(written, 1)?;
        for (line, record) in records {
            let outcome = feed(&mut tried, record).and_then(|()| flush(&mut tried));
            match outcome {
                Ok(_) => good.push((*line, *record)),
                Err(reason) => {
                    decoded.rejects.push(BadRow::new(*line, format!("no Avro: {reason}"), &shown(record)));
                    tried = self::decoder(written, 1)?;
                }
            }
        }
        if good.is_empty() {
            return Ok(());
        }
        let mut decoder = self::decoder(written, good.len())?;
        for (_, record) in &good {
            feed(&mut decoder, record).map_err(ArrowError::ParseError)?;
        }
        let batch = flush(&mut decoder).map_err(ArrowError::ParseError)?;
        self.take(written, batch, &good, decoded)
    }

    fn take(
        &self,
        written: &WriterSchema,
        batch: Option<RecordBatch>,
        records: &[(u64, &[u8])],
        decoded: &mut Decoded,
    ) -> Result<(), DecodeError> {
        let Some(batch) = batch else { return Ok(()) };
        let rows = rows_of(&batch, &written.columns, &self.schema, self.event_time, 0)?;
        decoded.batches.extend(rows.batches);
        for mut bad in rows.rejects {
            let record = usize::try_from(bad.line).ok().and_then(|row| records.get(row));
            bad.line = record.map_or(0, |(line, _)| *line);
            decoded.rejects.push(bad);
        }
        Ok(())
    }
}

/// How many rows and how many rejects one record of a table comes to, for fuzzing.
///
/// # Errors
/// Where there is no schema, or one that cannot become the declared one.
#[doc(hidden)]
pub fn read_avro_record(
    folder: &Path,
    table: &str,
    schema: &RowSchema,
    record: &[u8],
) -> Result<(u64, u64), SourceError> {
    let unreadable = |error: &dyn std::error::Error| SourceError::unreadable(error.to_string());
    let decoder =
        AvroDecoder::new(folder, table, AvroWire::Plain, schema).map_err(|error| unreadable(&error))?;
    let decoded = decoder.decode(record, &[record.len()]).map_err(|error| unreadable(&error))?;
    let rows = decoded.batches.iter().map(|batch| batch.num_rows() as u64).sum();
    Ok((rows, decoded.rejects.len() as u64))
}

/// Reads a schema's file.
fn written(path: &Path, schema: &RowSchema) -> Result<WriterSchema, AvroError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| AvroError::Unreadable { path: path.to_owned(), error })?;
    let not_a_schema = |why: String| AvroError::NotASchema { path: path.to_owned(), why };
    let (said, read) = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(mut json) => {
            let said = json.to_string();
            texts_for_uuids(&mut json);
            (said, json.to_string())
        }
        Err(_) => (text.clone(), text),
    };
    let hash = mep_core::fingerprint::Fingerprint::of([said.as_str()]).as_str().to_owned();
    let mut store = SchemaStore::new_with_type(FingerprintAlgorithm::Id);
    store
        .set(Fingerprint::load_fingerprint_id(0), AvroSchema::new(read))
        .map_err(|error| not_a_schema(error.to_string()))?;
    let mut written = WriterSchema { store, hash, columns: Vec::new() };
    let given = decoder(&written, 1).map_err(|error| not_a_schema(error.to_string()))?.schema();
    written.columns = columns_of(&given, schema).map_err(not_a_schema)?;
    Ok(written)
}

fn decoder(written: &WriterSchema, rows: usize) -> Result<Decoder, ArrowError> {
    ReaderBuilder::new()
        .with_batch_size(rows)
        .with_writer_schema_store(written.store.clone())
        .with_active_fingerprint(Fingerprint::load_fingerprint_id(0))
        .build_decoder()
}

/// Gives a record to a decoder, which must take all of it, as one. A decoder that panics has failed.
fn feed(decoder: &mut Decoder, record: &[u8]) -> Result<(), String> {
    guarded(|| feed_unguarded(decoder, record))
        .unwrap_or_else(|panicked| Err(format!("the decoder fails on it ({panicked})")))
}

/// What a decoder has put together of the records that it was given. One that panics has failed.
fn flush(decoder: &mut Decoder) -> Result<Option<RecordBatch>, String> {
    guarded(|| decoder.flush().map_err(|error| error.to_string()))
        .unwrap_or_else(|panicked| Err(format!("the decoder fails on it ({panicked})")))
}

fn feed_unguarded(decoder: &mut Decoder, record: &[u8]) -> Result<(), String> {
    let free = decoder.capacity();
    decoder.decode(&[0; HEADER]).map_err(|error| error.to_string())?;
    let taken = decoder.decode(record).map_err(|error| error.to_string())?;
    if decoder.capacity() + 1 != free {
        return Err("the record ends early".to_owned());
    }
    match record.len() - taken {
        0 => Ok(()),
        rest => Err(format!("bytes follow the record: {rest}")),
    }
}

/// The start of a message in hexadecimal.
fn shown(message: &[u8]) -> Vec<u8> {
    let start = &message[..message.len().min(Reject::TEXT_LIMIT / 2)];
    start
        .iter()
        .fold(String::new(), |mut hex, byte| {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        })
        .into_bytes()
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;

    use super::*;

    #[test]
    fn enums_are_texts_and_decimals_keep_their_digits() {
        let folder = tempfile::tempdir().unwrap();
        let written = r#"{"type": "record", "name": "sale", "fields": [
            {"name": "kind", "type": {"type": "enum", "name": "kinds", "symbols": ["paid", "free"]}},
            {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 20, "scale": 2}}
        ]}"#;
        std::fs::write(folder.path().join("sales.avsc"), written).unwrap();
        let columns = [("kind", "varchar", true), ("price", "decimal(10,2)", true)];
        let schema = RowSchema::new(columns, None).unwrap();
        let decoder = AvroDecoder::new(folder.path(), "sales", AvroWire::Plain, &schema).unwrap();
        // 1.50, -0.01, and more digits than are declared.
        let records: [&[u8]; 3] =
            [&[2, 4, 0, 0x96], &[0, 2, 0xff], &[0, 12, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff]];
        let ends: Vec<usize> = records
            .iter()
            .scan(0, |end, record| {
                *end += record.len();
                Some(*end)
            })
            .collect();
        let decoded = decoder.decode(&records.concat(), &ends).unwrap();
        insta::assert_snapshot!(pretty_format_batches(&decoded.batches).unwrap(), @r"
        +------+-------+
        | kind | price |
        +------+-------+
        | free | 1.50  |
        | paid | -0.01 |
        +------+-------+
        ");
        let reasons: Vec<&str> = decoded.rejects.iter().map(|bad| bad.reason.as_str()).collect();
        insta::assert_snapshot!(reasons.join("\n"), @r#"field "price": expected decimal(10,2), found 1407374883553.27"#);
    }

    /// What becomes of one record with a field `v` of a type, where `v` is declared as `to`.
    fn one(of: &str, value: &[u8], to: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let written =
            format!(r#"{{"type": "record", "name": "r", "fields": [{{"name": "v", "type": {of}}}]}}"#);
        std::fs::write(folder.path().join("t.avsc"), written).unwrap();
        let schema = RowSchema::new([("v", to, false)], None).unwrap();
        let decoder = match AvroDecoder::new(folder.path(), "t", AvroWire::Plain, &schema) {
            Ok(decoder) => decoder,
            Err(AvroError::NotASchema { why, path }) if path.ends_with("t.avsc") => return why,
            Err(error) => panic!("{error}"),
        };
        let decoded = decoder.decode(value, &[value.len()]).unwrap();
        match (decoded.batches.first(), decoded.rejects.first()) {
            (Some(rows), None) => {
                let column = rows.column(0);
                arrow::util::display::array_value_to_string(column, 0).unwrap()
            }
            (_, Some(bad)) => format!("rejected: {}", bad.reason),
            (None, None) => "nothing".to_owned(),
        }
    }

    #[test]
    fn a_value_of_each_type_of_avro_lands_as_it_is_or_is_refused_by_name() {
        let an_enum = r#"{"type": "enum", "name": "e", "symbols": ["a", "b"]}"#;
        assert_eq!(one(an_enum, &[2], "varchar"), "b");
        assert_eq!(one(&format!(r#"["null", {an_enum}]"#), &[2, 2], "varchar"), "b");
        assert_eq!(one(r#"["string", "null"]"#, &[0, 2, b'x'], "varchar"), "x");
        assert_eq!(one(r#"{"type": "string", "logicalType": "uuid"}"#, &[4, b'0', b'1'], "varchar"), "01");
        assert_eq!(one(r#"{"type": "int", "logicalType": "date"}"#, &[2], "date"), "1970-01-02");
        for (of, kind) in [
            (r#"["null", "string", "long"]"#, "a union of several types"),
            (r#"{"type": "map", "values": "long"}"#, "a map"),
            (r#"{"type": "array", "items": "long"}"#, "a list"),
            (r#"{"type": "record", "name": "n", "fields": [{"name": "a", "type": "long"}]}"#, "a record"),
            (r#"{"type": "long", "logicalType": "timestamp-millis"}"#, "a timestamp"),
            (r#"{"type": "int", "logicalType": "time-millis"}"#, "a time of day"),
            (r#""boolean""#, "a boolean"),
        ] {
            let refused = format!("the column \"v\" is {kind}, which cannot be read as varchar");
            assert_eq!(one(of, &[2], "varchar"), refused);
        }
    }
}
