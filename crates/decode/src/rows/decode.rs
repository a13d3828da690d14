//! Lines of JSON into Arrow batches.
//!
//! Owns what makes a line a row of the schema, and the words of the reason where it does not. Comes in: a chunk of
//! whole lines. Goes out: batches of the good rows, in order, and the bad rows. Must not know: files, compression.
//!
//! A single strict pass reads each line straight into the columns: there is one rule and one code path for it, so
//! a row cannot be judged in two ways. (A general JSON reader such as arrow-json takes a line feed for white space and is
//! lax about commas, numbers of unknown fields and control characters. Each of its answers would need to be checked by a
//! pass like this one.) `column.rs` has the rule for values. For rows:
//!
//! - A line is one JSON object (RFC 8259, UTF-8), with nothing but white space around it.
//! - A key is a column's where it is spelled so; where the row has no such key, a key that is spelled so in another case.
//!   Two of those make the row bad.
//! - Keys that no column names are checked as JSON and ignored; the same column given twice makes the row bad.
//! - A required field must be there and not null. The event time lies in the years 1970 to 9999.
//! - A blank line is a line, but no row: neither read nor rejected.

use std::str::from_utf8;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::DecodeError;
use super::bad_row::BadRow;
use super::column::ColumnBuilder;
use super::json::{Fault, JsonScanner, PlaceUnit};
use super::making::{FieldState, RowsInMaking};
use super::strangers::{Met, Strangers};
use mep_contract::source::reading::{ReceiveError, RowReceiver, SourceItem};
use mep_contract::source::schema::RowSchema;
use mep_core::guard::guarded;

/// Whole lines, of a file or of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where the lines stand.
    pub lines: LineNumbers,
    /// The lines. The last one need not end with a line feed.
    pub bytes: Vec<u8>,
}

/// The numbers of a chunk's lines, from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineNumbers {
    /// They follow one another from this one on.
    From(u64),
    /// Each was made of several lines: the number of the first of them.
    Each(Vec<u64>),
}

impl LineNumbers {
    /// The number of a line, by its place in the chunk.
    pub fn at(&self, index: usize) -> u64 {
        match self {
            Self::From(first) => first + index as u64,
            Self::Each(lines) => lines.get(index).or(lines.last()).copied().unwrap_or(1),
        }
    }

    fn each(&self) -> RowLines<'_> {
        RowLines { numbers: self, index: 0 }
    }
}

/// The lines of a chunk, as they are gone through.
struct RowLines<'c> {
    numbers: &'c LineNumbers,
    index: usize,
}

impl RowLines<'_> {
    fn step(&mut self) {
        self.index += 1;
    }

    fn current(&self) -> u64 {
        self.numbers.at(self.index)
    }

    /// What a place within a line is a place of.
    fn unit(&self) -> PlaceUnit {
        match self.numbers {
            LineNumbers::From(_) => PlaceUnit::Line,
            LineNumbers::Each(_) => PlaceUnit::Value,
        }
    }
}

/// Decodes chunks of lines into batches of one schema. What it gives depends on the chunk alone: threads can share one.
#[derive(Debug)]
pub struct Decoder {
    schema: SchemaRef,
    event_time: Option<usize>,
    /// How each field's key is mostly written, its colon included; none where something in it has to be escaped.
    keys: Vec<Option<Vec<u8>>>,
    /// Each field's name in lower case.
    lower: Vec<String>,
    /// Keys that no column names, of all that was decoded.
    strangers: Strangers,
}

/// What a chunk holds. `read` = the batches' rows + `rejects`.
#[derive(Debug)]
pub struct Decoded {
    /// The good rows, in the order of the lines; no batch is empty.
    pub batches: Vec<RecordBatch>,
    /// The bad rows, in the order of the lines.
    pub rejects: Vec<BadRow>,
    /// How many lines are not blank.
    pub read: u64,
}

impl Decoded {
    /// Hands out the rows and the rejects of a unit, and says how many lines were read.
    ///
    /// # Errors
    /// Where they are not taken.
    pub fn hand_over(self, unit: &str, sink: &mut RowReceiver<'_>) -> Result<u64, ReceiveError> {
        for batch in self.batches {
            sink(SourceItem::Rows(batch))?;
        }
        for bad in self.rejects {
            sink(SourceItem::Reject(bad.into_reject(unit)))?;
        }
        Ok(self.read)
    }
}

/// Why a line is no row.
enum RowFault {
    Json(Fault),
    Row(String),
}

impl From<Fault> for RowFault {
    fn from(fault: Fault) -> Self {
        Self::Json(fault)
    }
}

/// What a key of a row is.
#[derive(Clone, Copy)]
enum JsonKey {
    /// The name of a field.
    Field(usize),
    /// The name of a field, in another case.
    Alike(usize),
    /// Nothing that is declared.
    Unknown,
}

impl Decoder {
    /// A decoder for rows of `schema`.
    ///
    /// # Errors
    /// [`DecodeError::UnsupportedType`] where a column is of a type that [`RowSchema::new`] does not give.
    pub fn new(schema: &RowSchema) -> Result<Self, DecodeError> {
        check_types(schema)?;
        let keys = schema.fields.fields().iter().map(|field| written(field.name())).collect();
        let lower = schema.fields.fields().iter().map(|field| field.name().to_lowercase()).collect();
        Ok(Self {
            schema: schema.fields.clone(),
            event_time: schema.event_time,
            keys,
            lower,
            strangers: Strangers::default(),
        })
    }

    /// Keys that no column names, of what was decoded so far.
    pub fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// Decodes the lines of a chunk.
    ///
    /// # Errors
    /// [`DecodeError::Arrow`] where Arrow refuses the batches, which would be a defect of this decoder.
    pub fn decode(&self, chunk: &Chunk) -> Result<Decoded, DecodeError> {
        guarded(|| self.decode_all(chunk)).unwrap_or_else(|_| self.decode_each(chunk))
    }

    /// Decodes line by line, where one of them has made the decoder panic: that one is a bad row.
    fn decode_each(&self, chunk: &Chunk) -> Result<Decoded, DecodeError> {
        let mut all = Decoded { batches: Vec::new(), rejects: Vec::new(), read: 0 };
        let lines = chunk.bytes.split_inclusive(|byte| *byte == b'\n');
        for (index, line) in lines.enumerate() {
            let number = chunk.lines.at(index);
            let line = Chunk { lines: LineNumbers::Each(vec![number]), bytes: line.to_vec() };
            match guarded(|| self.decode_all(&line)) {
                Ok(decoded) => {
                    let decoded = decoded?;
                    all.batches.extend(decoded.batches);
                    all.rejects.extend(decoded.rejects);
                    all.read += decoded.read;
                }
                Err(panicked) => {
                    let reason = format!("the line cannot be decoded ({panicked})");
                    let text = line.bytes.strip_suffix(b"\n").unwrap_or(&line.bytes);
                    all.rejects.push(BadRow::new(number, reason, text));
                    all.read += 1;
                }
            }
        }
        Ok(all)
    }

    fn decode_all(&self, chunk: &Chunk) -> Result<Decoded, DecodeError> {
        let mut rows = RowsBuilder::new(self, chunk);
        let mut rest = chunk.bytes.as_slice();
        loop {
            match from_utf8(rest) {
                Ok(text) => {
                    rows.decode(text)?;
                    return rows.finish();
                }
                Err(error) => {
                    let at = error.valid_up_to();
                    let start = rest[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |feed| feed + 1);
                    let length = rest[start..].iter().position(|byte| *byte == b'\n');
                    let end = length.map_or(rest.len(), |length| start + length);
                    // What comes before the error is valid, so this text is never empty in place of lines.
                    rows.decode(from_utf8(&rest[..start]).unwrap_or_default())?;
                    rows.reject_invalid_utf8(&rest[start..end], at - start);
                    rest = &rest[rest.len().min(end + 1)..];
                }
            }
        }
    }
}

/// Whether rows are read into all columns of a schema.
pub(super) fn check_types(schema: &RowSchema) -> Result<(), DecodeError> {
    for field in schema.fields.fields() {
        if ColumnBuilder::new(field.data_type(), 0).is_none() {
            return Err(DecodeError::UnsupportedType {
                column: field.name().clone(),
                data_type: field.data_type().to_string(),
            });
        }
    }
    Ok(())
}

/// A key as it is written without escapes, and its colon, where it can be written so.
fn written(name: &str) -> Option<Vec<u8>> {
    let is_plain = name.bytes().all(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20));
    is_plain.then(|| format!("\"{name}\":").into_bytes())
}

/// The rows of a chunk, in the making.
struct RowsBuilder<'d> {
    decoder: &'d Decoder,
    rows: RowsInMaking<'d>,
    /// Keys of the current row that are fields' names in another case: the field, and where the value stands.
    alike: Vec<(usize, usize)>,
    met: Met,
    lines: RowLines<'d>,
}

impl<'d> RowsBuilder<'d> {
    fn new(decoder: &'d Decoder, chunk: &'d Chunk) -> Self {
        Self {
            decoder,
            rows: RowsInMaking::new(&decoder.schema, decoder.event_time, chunk.bytes.len()),
            alike: Vec::new(),
            met: Met::default(),
            lines: chunk.lines.each(),
        }
    }

    fn decode(&mut self, text: &str) -> Result<(), DecodeError> {
        let mut scanner = JsonScanner::new(text);
        while !scanner.is_at_end() {
            let start = scanner.position();
            if scanner.peek().is_some() {
                self.rows.decoded.read += 1;
                scanner.clear_scratch();
                match self.row(&mut scanner) {
                    Ok(()) => self.rows.commit(&scanner, scanner.position() - start)?,
                    Err(fault) => {
                        let end = scanner.finish_line();
                        self.reject(&fault, text, start, end);
                        self.lines.step();
                        continue;
                    }
                }
            }
            scanner.step_over_line_feed();
            self.lines.step();
        }
        Ok(())
    }

    /// Reads the line's row into the columns' current values; the scanner then stands at the line's end.
    fn row(&mut self, scanner: &mut JsonScanner<'_>) -> Result<(), RowFault> {
        self.rows.begin();
        self.alike.clear();
        if !scanner.take(b'{') {
            let value = scanner.value()?;
            return Err(RowFault::Row(format!("not a JSON object, but {}", scanner.describe(&value))));
        }
        if !scanner.take(b'}') {
            let mut next_field = 0;
            loop {
                let field = self.key(scanner, next_field)?;
                match field {
                    JsonKey::Field(index) => {
                        self.take(index, scanner)?;
                        next_field = index + 1;
                    }
                    JsonKey::Alike(index) => {
                        self.alike.push((index, scanner.position()));
                        scanner.value()?;
                    }
                    JsonKey::Unknown => {
                        scanner.value()?;
                    }
                }
                if scanner.take(b'}') {
                    break;
                }
                scanner.expect(b',', "`,` or `}`")?;
            }
        }
        match scanner.peek() {
            None => {
                if !self.alike.is_empty() {
                    self.take_alike(scanner)?;
                }
                self.rows.check_required().map_err(RowFault::Row)
            }
            Some(b'{' | b'[') => Err(RowFault::Row("more than one JSON value on the line".to_owned())),
            Some(_) => Err(scanner.unexpected("the end of the line").into()),
        }
    }

    /// Steps over a key; gives its field. Mostly it is that of the next field, in the one way to write it without escapes.
    #[inline]
    fn key(&mut self, scanner: &mut JsonScanner<'_>, next: usize) -> Result<JsonKey, Fault> {
        if let Some(Some(key)) = self.decoder.keys.get(next)
            && scanner.take_all(key)
        {
            return Ok(JsonKey::Field(next));
        }
        let key = scanner.key()?;
        let key = scanner.text(key);
        let found = self.find(key, next);
        if matches!(found, JsonKey::Unknown) {
            self.met.note(key);
        }
        Ok(found)
    }

    /// The field of a key, searched from `next`: rows tend to bear their fields in the order of the schema.
    fn find(&self, key: &str, next: usize) -> JsonKey {
        let fields = self.decoder.schema.fields();
        let exact = (next..fields.len()).chain(0..next).find(|index| fields[*index].name() == key);
        exact.map_or_else(|| self.find_alike(key), JsonKey::Field)
    }

    fn find_alike(&self, key: &str) -> JsonKey {
        let lower = &self.decoder.lower;
        let alike = if key.is_ascii() {
            lower.iter().position(|name| name.eq_ignore_ascii_case(key))
        } else {
            let key = key.to_lowercase();
            lower.iter().position(|name| *name == key)
        };
        alike.map_or(JsonKey::Unknown, JsonKey::Alike)
    }

    /// Reads the values of keys in another case, for fields that no key names exactly; the scanner stays where it is.
    fn take_alike(&mut self, scanner: &mut JsonScanner<'_>) -> Result<(), RowFault> {
        let end = scanner.position();
        let mut alike = std::mem::take(&mut self.alike);
        alike.retain(|(field, _)| self.rows.states[*field] == FieldState::Missing);
        for (field, value) in alike {
            let lower = &self.decoder.lower[field];
            let is_declared_twice = self.decoder.lower.iter().filter(|name| *name == lower).count() > 1;
            if is_declared_twice {
                return Err(self.fault(field, " is not the only column that a key in another case can be"));
            }
            if self.rows.states[field] != FieldState::Missing {
                return Err(self.fault(field, " is given twice, by keys in another case"));
            }
            scanner.go_back_to(value);
            self.take(field, scanner)?;
        }
        scanner.go_back_to(end);
        Ok(())
    }

    /// Reads the value of a field.
    #[inline]
    fn take(&mut self, index: usize, scanner: &mut JsonScanner<'_>) -> Result<(), RowFault> {
        let rows = &mut self.rows;
        let is_first = rows.states[index] == FieldState::Missing;
        if is_first && !rows.is_event_time(index) && rows.columns[index].take(scanner) {
            rows.states[index] = FieldState::Given;
            return Ok(());
        }
        let value = scanner.value()?;
        rows.set(index, &value, scanner).map_err(RowFault::Row)
    }

    fn fault(&self, index: usize, what: &str) -> RowFault {
        RowFault::Row(self.rows.fault(index, what))
    }

    fn reject(&mut self, fault: &RowFault, text: &str, start: usize, end: usize) {
        let reason = match fault {
            RowFault::Json(fault) => fault.describe(text, start, self.lines.unit()),
            RowFault::Row(reason) => reason.clone(),
        };
        self.rows.reject(self.lines.current(), reason, &text.as_bytes()[start..end]);
    }

    /// Rejects a line of which the byte at the offset `at` is no UTF-8.
    fn reject_invalid_utf8(&mut self, line: &[u8], at: usize) {
        let byte = line.get(at).copied().unwrap_or_default();
        let reason = format!("no UTF-8: the byte 0x{byte:02X} at byte {} of the line", at + 1);
        self.rows.decoded.read += 1;
        self.rows.reject(self.lines.current(), reason, line);
        self.lines.step();
    }

    fn finish(mut self) -> Result<Decoded, DecodeError> {
        let met = self.met.take();
        if !met.is_empty() {
            self.decoder.strangers.add(met);
        }
        self.rows.finish()
    }
}

#[cfg(test)]
mod tests {
    use arrow::util::display::{ArrayFormatter, FormatOptions};

    use super::*;

    /// The rows, a text for each, and the reasons of those that are none.
    fn decode(lines: &[&str]) -> (Vec<String>, Vec<String>) {
        let columns = [
            ("ts", "bigint", true),
            ("n", "integer", false),
            ("x", "double", false),
            ("text", "varchar", false),
            ("a\":1,\"b", "bigint", false),
        ];
        let schema = RowSchema::new(columns, Some("ts")).unwrap();
        let chunk = Chunk { lines: LineNumbers::From(1), bytes: lines.join("\n").into_bytes() };
        let decoded = Decoder::new(&schema).unwrap().decode(&chunk).unwrap();
        assert_eq!(decoded.read, lines.len() as u64);
        let options = FormatOptions::default().with_null("-");
        let row = &|batch: &RecordBatch, row: usize| {
            let value = |column: &arrow::array::ArrayRef| {
                ArrayFormatter::try_new(column.as_ref(), &options).unwrap().value(row).to_string()
            };
            batch.columns().iter().map(value).collect::<Vec<String>>().join(" ")
        };
        let rows =
            decoded.batches.iter().flat_map(|batch| (0..batch.num_rows()).map(move |at| row(batch, at)));
        (rows.collect(), decoded.rejects.into_iter().map(|bad| bad.reason).collect())
    }

    #[test]
    fn a_row_is_the_same_however_it_is_written() {
        let (rows, rejects) = decode(&[
            "{\"ts\":12,\"n\":7,\"x\":1.5,\"text\":\"a\"}",
            " { \"ts\" : 12 , \"n\" : 7 , \"x\" : 1.5 , \"text\" : \"a\" } ",
            "{\"text\":\"a\",\"x\":15e-1,\"n\":7.0,\"ts\":\"12\"}",
            "{\"\\u0074s\":12,\"n\":7,\"other\":[{}],\"x\":1.50,\"text\":\"\\u0061\",\"a\\\":1,\\\"b\":null}",
        ]);
        assert_eq!((rows, rejects), (vec!["12 7 1.5 a -".to_owned(); 4], Vec::new()));
    }

    #[test]
    fn a_key_in_another_case_is_the_fields_where_none_is_spelled_like_it() {
        let (rows, rejects) = decode(&[
            "{\"TS\":1,\"N\":2,\"Text\":\"t\"}",
            "{\"TS\":9,\"ts\":1,\"n\":2,\"N\":\"no number\",\"text\":\"t\"}",
            "{\"ts\":1,\"Text\":\"t\",\"TEXT\":\"u\"}",
            "{\"ts\":1,\"Text\":\"t\",\"TEXT\":\"u\",\"n\":2,\"text\":\"t\"}",
            "{\"Ts\":\"x\"}",
            "{\"ts\":1,\"N\":null,\"Text\":\"\\u0074\"}",
        ]);
        assert_eq!(rows, ["1 2 - t -", "1 2 - t -", "1 2 - t -", "1 - - t -"]);
        assert_eq!(
            rejects,
            [
                "field \"text\" is given twice, by keys in another case",
                "field \"ts\": expected bigint, found \"x\" (string)",
            ]
        );
    }

    #[test]
    fn a_key_with_a_quote_is_no_other_two_keys() {
        let (rows, rejects) = decode(&[
            "{\"ts\":1,\"text\":\"t\",\"a\":1,\"b\":2}",
            "{\"ts\":1,\"text\":\"t\",\"a\\\":1,\\\"b\":2}",
        ]);
        assert_eq!((rows, rejects), (vec!["1 - - t -".to_owned(), "1 - - t 2".to_owned()], Vec::new()));
    }

    #[test]
    fn what_only_begins_like_a_plain_value_is_judged_by_the_rule() {
        let (rows, rejects) = decode(&[
            "{\"ts\":1,\"n\":2147483648}",
            "{\"ts\":1,\"n\":01}",
            "{\"ts\":1,\"n\":1x}",
            "{\"ts\":1,\"n\":-5}",
            "{\"ts\":1,\"a\\\":1,\\\"b\":9223372036854775807}",
            "{\"ts\":1,\"a\\\":1,\\\"b\":9223372036854775808}",
            "{\"ts\":1,\"x\":1e999}",
            "{\"ts\":1,\"x\":1.}",
            "{\"ts\":1,\"x\":7}",
            "{\"ts\":1,\"text\":\"a\tb\"}",
            "{\"ts\":1,\"text\":\"open}",
            "{\"ts\":1,\"n\":1,\"n\":1}",
            "{\"ts\":1,\"n\":1",
        ]);
        assert_eq!(rows, ["1 -5 - - -", "1 - - - 9223372036854775807", "1 - 7.0 - -"]);
        assert_eq!(
            rejects,
            [
                "field \"n\": integer out of range, found 2147483648",
                "no JSON: expected `,` or `}`, found `1` at column 14",
                "no JSON: expected `,` or `}`, found `x` at column 14",
                "field \"a\":1,\"b\": bigint out of range, found 9223372036854775808",
                "field \"x\": double out of range, found 1e999",
                "no JSON: expected a digit, found `}` at column 15",
                "no JSON: expected the string's end, found the control character U+0009 at column 18",
                "no JSON: expected the string's end, found the end of the line at column 22",
                "field \"n\" is given twice",
                "no JSON: expected `,` or `}`, found the end of the line at column 14",
            ]
        );
    }
}
