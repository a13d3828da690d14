//! Records of CSV into Arrow batches.
//!
//! Owns what makes a record a row of the schema. Comes in: a chunk of whole records, and which field is which column. Goes out: batches
//! of the good rows, in order, and the bad rows. Must not know: where records end (`csv_records`), files, compression.
//!
//! A record has as many fields as the header, or as there are declared columns. A field is the value that its text is by the rule of
//! `column.rs`, with what CSV has no other way to say: numbers stand without quotes, booleans are true, false, t, f, yes, no, y, n, 1
//! or 0 in any case, white space around all but texts counts for nothing, and lists, structures and maps are JSON. A field is NULL
//! where it stands without quotes and is one of the texts for NULL, and of all types but varchar where it is empty.

use std::borrow::Cow;
use std::str::from_utf8;
use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use mep_core::connection::CsvDialect;
use mep_core::guard::guarded;

use super::column::ColumnBuilder;
use super::decimal::Number;
use super::decode::{Chunk, Decoded};
use super::json::{JsonScanner, JsonValue, Text};
use super::making::{FieldState, RowsInMaking};
use super::strangers::Strangers;
use super::typed::columns_of;
use super::{BadRow, DecodeError};
use crate::csv_records::{CsvField, CsvRecord, csv_record};
use mep_contract::source::schema::RowSchema;

/// Stands in for a byte that belongs to no character.
const SUBSTITUTE: u8 = 0x1a;

/// Which field of a file's records is which column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvColumns {
    /// For each field, its column.
    of_field: Vec<Option<usize>>,
    /// What says how many fields there are.
    says_width: Width,
}

/// What says how many fields a record has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    Header,
    Declared,
}

impl Width {
    fn told(self, columns: usize) -> String {
        match (self, columns) {
            (Self::Header, columns) => format!("the header has {columns}"),
            (Self::Declared, 1) => "1 column is declared".to_owned(),
            (Self::Declared, columns) => format!("{columns} columns are declared"),
        }
    }
}

/// Decodes chunks of records into batches of one schema. What it gives depends on the chunk alone: threads can share one.
#[derive(Debug)]
pub struct CsvDecoder {
    schema: RowSchema,
    dialect: CsvDialect,
    /// What the text was before it was UTF-8, where that is said.
    encoding: Option<&'static str>,
    strangers: Strangers,
}

impl CsvDecoder {
    /// A decoder for rows of `schema`.
    ///
    /// # Errors
    /// [`DecodeError::UnsupportedType`] where a column is of a type that rows are not read into.
    pub fn new(
        schema: &RowSchema,
        dialect: CsvDialect,
        encoding: Option<&'static str>,
    ) -> Result<Self, DecodeError> {
        super::decode::check_types(schema)?;
        Ok(Self { schema: schema.clone(), dialect, encoding, strangers: Strangers::default() })
    }

    /// How the CSV is written.
    pub fn dialect(&self) -> &CsvDialect {
        &self.dialect
    }

    /// Names of the header that no column has, of what was decoded so far.
    pub fn strangers(&self) -> &Strangers {
        &self.strangers
    }

    /// The columns of a file without a header: the declared ones, in their order.
    pub fn declared_columns(&self) -> CsvColumns {
        let count = self.schema.fields.fields().len();
        CsvColumns { of_field: (0..count).map(Some).collect(), says_width: Width::Declared }
    }

    /// The columns of a file with this header; or why it is none of this schema.
    ///
    /// # Errors
    /// Where a required column is not there, or two could be one.
    pub fn columns_of(&self, header: &[String]) -> Result<CsvColumns, String> {
        let field =
            |name: &String| arrow::datatypes::Field::new(name.trim(), arrow::datatypes::DataType::Utf8, true);
        let fields: Vec<_> = header.iter().map(field).collect();
        for (index, one) in fields.iter().enumerate() {
            let is_twice = fields[..index].iter().any(|other| other.name() == one.name());
            if is_twice && self.schema.fields.index_of(one.name()).is_ok() {
                return Err(format!("two columns are called \"{}\"", one.name()));
            }
        }
        let given: SchemaRef = Arc::new(arrow::datatypes::Schema::new(fields));
        let texts = RowSchema { fields: as_texts(&self.schema.fields), event_time: None };
        let found = columns_of(&given, &texts)?;
        if found.iter().all(Option::is_none) && !found.is_empty() {
            return Err("the header has none of the declared columns".to_owned());
        }
        let mut of_field = vec![None; header.len()];
        for (column, field) in found.iter().enumerate() {
            if let Some(field) = field {
                of_field[*field] = Some(column);
            }
        }
        let unknown = header.iter().zip(&of_field).filter(|(_, column)| column.is_none());
        self.strangers.add(unknown.map(|(name, _)| name.trim().to_owned()));
        Ok(CsvColumns { of_field, says_width: Width::Header })
    }

    /// Decodes the records of a chunk.
    ///
    /// # Errors
    /// [`DecodeError::Arrow`] where Arrow refuses the batches, which would be a defect of this decoder.
    pub fn decode(&self, chunk: &Chunk, columns: &CsvColumns) -> Result<Decoded, DecodeError> {
        guarded(|| self.decode_all(chunk, columns)).unwrap_or_else(|panicked| {
            let reason = format!("the rows from here on cannot be decoded ({panicked})");
            let bad = BadRow::new(chunk.lines.at(0), reason, &chunk.bytes);
            Ok(Decoded { batches: Vec::new(), rejects: vec![bad], read: 1 })
        })
    }

    fn decode_all(&self, chunk: &Chunk, columns: &CsvColumns) -> Result<Decoded, DecodeError> {
        let (text, invalid) = valid(&chunk.bytes);
        let bytes = chunk.bytes.len();
        let mut making = RowsInMaking::new(&self.schema.fields, self.schema.event_time, bytes);
        making.has_strings = false;
        let mut rows = CsvRows { decoder: self, columns, rows: making };
        let (mut at, mut line, mut fields) = (0, chunk.lines.at(0), Vec::new());
        let mut texts = JsonScanner::new(&text);
        loop {
            let record = csv_record(text.as_bytes(), at, true, &self.dialect, &mut fields);
            let end = match &record {
                CsvRecord::Fields(end) | CsvRecord::Skipped(end) | CsvRecord::Broken(end, _) => *end,
                CsvRecord::Open | CsvRecord::End => return rows.rows.finish(),
            };
            let outcome = match record {
                CsvRecord::Fields(_) => {
                    texts.clear_scratch();
                    let bad_byte = invalid.iter().find(|invalid| (at..end).contains(invalid));
                    match bad_byte {
                        Some(bad) => Err(self.no_character(chunk.bytes[*bad], bad - at)),
                        None => rows.row(&text, &fields, &mut texts),
                    }
                }
                CsvRecord::Broken(_, reason) => Err(reason),
                _ => Ok(false),
            };
            let has_row = !matches!(outcome, Ok(false));
            rows.rows.decoded.read += u64::from(has_row);
            match outcome {
                Ok(true) => rows.rows.commit(&texts, end - at)?,
                Ok(false) => {}
                Err(reason) => {
                    let written = &chunk.bytes[at..end];
                    rows.rows.reject(line, reason, written.strip_suffix(b"\n").unwrap_or(written));
                }
            }
            line += memchr::memchr_iter(b'\n', &text.as_bytes()[at..end]).count() as u64;
            at = end;
        }
    }

    fn no_character(&self, byte: u8, at: usize) -> String {
        match self.encoding {
            None => format!("no UTF-8: the byte 0x{byte:02X} at byte {} of the row", at + 1),
            Some(encoding) => {
                format!("no {encoding}: what stands at byte {} of the row belongs to no character", at + 1)
            }
        }
    }
}

/// A schema's columns, as texts.
fn as_texts(schema: &SchemaRef) -> SchemaRef {
    let field = |field: &arrow::datatypes::FieldRef| {
        field.as_ref().clone().with_data_type(arrow::datatypes::DataType::Utf8)
    };
    Arc::new(arrow::datatypes::Schema::new(schema.fields().iter().map(field).collect::<Vec<_>>()))
}

/// The bytes as a text of the same length, and where bytes stand in it that belong to no character.
fn valid(bytes: &[u8]) -> (Cow<'_, str>, Vec<usize>) {
    let mut invalid = Vec::new();
    let Err(first) = from_utf8(bytes) else {
        return (String::from_utf8_lossy(bytes), invalid);
    };
    let (mut bytes, mut from) = (bytes.to_vec(), 0);
    let mut error = first;
    loop {
        let start = from + error.valid_up_to();
        let end = error.error_len().map_or(bytes.len(), |length| start + length);
        bytes[start..end].fill(SUBSTITUTE);
        invalid.extend(start..end);
        from = end;
        match from_utf8(&bytes[from..]) {
            Ok(_) => break,
            Err(next) => error = next,
        }
    }
    (Cow::Owned(String::from_utf8(bytes).unwrap_or_default()), invalid)
}

/// The rows of a chunk, in the making.
struct CsvRows<'d> {
    decoder: &'d CsvDecoder,
    columns: &'d CsvColumns,
    rows: RowsInMaking<'d>,
}

impl CsvRows<'_> {
    /// Reads a record's fields into the columns' current values.
    fn row(&mut self, text: &str, fields: &[CsvField], texts: &mut JsonScanner<'_>) -> Result<bool, String> {
        let CsvColumns { of_field, says_width } = self.columns;
        if fields.len() != of_field.len() {
            let fields = fields.len();
            let are = if fields == 1 { "field" } else { "fields" };
            return Err(format!("{fields} {are}, and {}", says_width.told(of_field.len())));
        }
        self.rows.begin();
        for (field, column) in fields.iter().zip(of_field) {
            let Some(column) = *column else { continue };
            let written = field.text(text, &self.decoder.dialect);
            let is_text = matches!(self.rows.columns[column], ColumnBuilder::Utf8(..));
            let is_null = !field.is_quoted
                && self.decoder.dialect.null_text.iter().any(|null| null.as_str() == written);
            if is_null || (!is_text && written.trim().is_empty()) {
                self.rows.states[column] = FieldState::Null;
                continue;
            }
            let kept = match &written {
                Cow::Borrowed(_) => Text::Plain(field.place.start, field.place.end),
                Cow::Owned(plain) => texts.keep(plain),
            };
            let value = value_of(&self.rows.columns[column], kept, texts);
            self.rows.set(column, &value, texts)?;
        }
        self.rows.check_required()?;
        Ok(true)
    }
}

/// A field as what it is to its column.
fn value_of<'t>(column: &ColumnBuilder, text: Text, texts: &'t JsonScanner<'_>) -> JsonValue<'t> {
    let trimmed = texts.trimmed(text);
    let said = texts.text(trimmed);
    match column {
        ColumnBuilder::Utf8(..) => JsonValue::Text(text),
        ColumnBuilder::Boolean(..) => match boolean(said) {
            Some(value) => JsonValue::Bool(value),
            None => JsonValue::Text(trimmed),
        },
        ColumnBuilder::Int64(_)
        | ColumnBuilder::Int32(_)
        | ColumnBuilder::Int16(_)
        | ColumnBuilder::Int8(_)
        | ColumnBuilder::Decimal(..)
        | ColumnBuilder::Float64(_)
        | ColumnBuilder::Float32(_)
            if is_number(said) =>
        {
            JsonValue::Number(said.strip_prefix('+').unwrap_or(said))
        }
        ColumnBuilder::Nested(_) => match said.as_bytes().first() {
            Some(b'[') => JsonValue::List(trimmed),
            Some(b'{') => JsonValue::Object(trimmed),
            _ => JsonValue::Text(trimmed),
        },
        _ => JsonValue::Text(trimmed),
    }
}

fn boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 5]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(["true", "t", "yes", "y", "1"]) {
        return Some(true);
    }
    is(["false", "f", "no", "n", "0"]).then_some(false)
}

/// Whether a text is digits with, perhaps, a sign, a point and an exponent.
fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let is_plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    // A number of more digits than are kept is a number all the same.
    is_plain || !matches!(Number::parse(text), Err(super::column::Misfit::Type))
}

#[cfg(test)]
mod tests {
    use arrow::util::pretty::pretty_format_batches;
    use mep_core::connection::CsvForm;

    use super::super::LineNumbers;
    use super::*;

    fn decoder(columns: &[(&str, &str, bool)]) -> CsvDecoder {
        let schema = RowSchema::new(columns.iter().copied(), None).unwrap();
        CsvDecoder::new(&schema, CsvForm::default().dialect(b','), None).unwrap()
    }

    fn said(decoded: &Decoded) -> String {
        let rejects: Vec<String> = decoded
            .rejects
            .iter()
            .map(|bad| format!("{}: {} [{}]", bad.line, bad.reason, bad.text))
            .collect();
        format!("{}\n{}", pretty_format_batches(&decoded.batches).unwrap(), rejects.join("\n"))
    }

    #[test]
    fn fields_become_values_by_the_rule_and_rows_that_are_none_say_why() {
        let decoder = decoder(&[
            ("id", "bigint", true),
            ("price", "decimal(6,2)", false),
            ("note", "varchar", false),
            ("ok", "boolean", false),
            ("at", "timestamp", false),
        ]);
        assert!(decoder.columns_of(&["at;ok;note".to_owned()]).is_err());
        let header = ["at", "OK", "note", "x", "price", "id"].map(str::to_owned);
        let columns = decoder.columns_of(&header).unwrap();
        assert_eq!(decoder.strangers().names(), ["x"]);
        let text = "2024-05-01 10:00,yes,\"a\nb\",,1.5, 7 \n,,,,,8\n,,\"\",,1.005,9\n\
                    ,,,,,\n,maybe,,,,1\n,,,,\n2024-13-01,,,,,2\n,,,,,1e2\n,,,,,9223372036854775808\n";
        let chunk = Chunk { lines: LineNumbers::From(2), bytes: text.as_bytes().to_vec() };
        insta::assert_snapshot!(said(&decoder.decode(&chunk, &columns).unwrap()));
    }

    #[test]
    fn bytes_of_no_character_are_a_reject_of_their_row_alone() {
        let decoder = decoder(&[("a", "varchar", false), ("b", "integer", false)]);
        let bytes = [b"x,1\n".as_slice(), b"y\xff\xfe,2\n", "é,3\n".as_bytes(), b"z\xe9"].concat();
        let chunk = Chunk { lines: LineNumbers::From(1), bytes };
        let decoded = decoder.decode(&chunk, &decoder.declared_columns()).unwrap();
        assert_eq!(decoded.read, 4);
        insta::assert_snapshot!(said(&decoded));
    }

    #[test]
    fn nested_values_are_json_and_say_where_they_do_not_fit() {
        let decoder = decoder(&[
            ("tags", "varchar[]", false),
            ("who", "struct<name varchar, ages integer[]>", false),
            ("scores", "map<varchar, double>", false),
        ]);
        let text = "\"[\"\"a\"\", null]\",\"{\"\"NAME\"\": \"\"Ann\"\", \"\"ages\"\": [1, 2], \"\"x\"\": {}}\",\"{\"\"m\"\": 1.5}\"\n\
                    ,\"{\"\"ages\"\": [1, \"\"b\"\"]}\",\n[1],,\n,,\"{\"\"m\"\": true}\"\n,[],\n\"[1\",,\n,,\"{\"\"a\"\":1,\"\"a\"\":2}\"\n,,{}\n";
        let chunk = Chunk { lines: LineNumbers::From(1), bytes: text.as_bytes().to_vec() };
        let decoded = decoder.decode(&chunk, &decoder.declared_columns()).unwrap();
        insta::assert_snapshot!(said(&decoded));
    }
}
