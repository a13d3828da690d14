//! Rows of a declared schema in the making, and why a row is none.
//!
//! Owns what all texts have in common, whatever separates their values: which fields a row must have, what an event time is, when a
//! batch ends, and the words for a value that does not fit. Comes in: one value after another. Goes out: batches, bad rows.
//! Must not know: where a row begins and ends.

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;

use super::DecodeError;
use super::bad_row::BadRow;
use super::column::{ColumnBuilder, Given, Misfit, is_plausible_millis, sql_name};
use super::decode::Decoded;
use super::json::{JsonScanner, JsonValue};

/// How many rows a batch has at most.
pub(super) const BATCH_ROWS: usize = 8192;

/// After how many bytes of lines a batch ends, however few rows it has: an Arrow string column holds at most 2 GiB.
const BATCH_BYTES: usize = 256 << 20;

/// What the current row says of a field.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldState {
    Missing,
    Null,
    Given,
}

/// The rows of a piece, in the making.
pub(super) struct RowsInMaking<'d> {
    pub(super) schema: &'d SchemaRef,
    event_time: Option<usize>,
    pub(super) columns: Vec<ColumnBuilder>,
    pub(super) states: Vec<FieldState>,
    rows: usize,
    batch_bytes: usize,
    /// Whether the text says of a value whether it is a string.
    pub(super) has_strings: bool,
    pub(super) decoded: Decoded,
}

impl<'d> RowsInMaking<'d> {
    /// None yet, of a piece of so many bytes.
    pub(super) fn new(schema: &'d SchemaRef, event_time: Option<usize>, bytes: usize) -> Self {
        // Room for rows of a hundred bytes: small files shall not hold memory for a full batch.
        let capacity = (bytes / 100 + 1).min(BATCH_ROWS);
        let fields = schema.fields();
        Self {
            schema,
            event_time,
            columns: fields
                .iter()
                .filter_map(|field| ColumnBuilder::new(field.data_type(), capacity))
                .collect(),
            states: vec![FieldState::Missing; fields.len()],
            rows: 0,
            batch_bytes: 0,
            has_strings: true,
            decoded: Decoded { batches: Vec::new(), rejects: Vec::new(), read: 0 },
        }
    }

    /// Whether a field is the event time.
    #[inline]
    pub(super) fn is_event_time(&self, index: usize) -> bool {
        self.event_time == Some(index)
    }

    /// Begins a row.
    pub(super) fn begin(&mut self) {
        self.states.fill(FieldState::Missing);
    }

    /// Takes the current row's value of a field; else says why the row is none.
    pub(super) fn set(
        &mut self,
        index: usize,
        value: &JsonValue<'_>,
        scanner: &JsonScanner<'_>,
    ) -> Result<(), String> {
        let has_strings = self.has_strings;
        let found = || match scanner.describe(value) {
            found if has_strings => found,
            found => found.strip_suffix(" (string)").unwrap_or(&found).to_owned(),
        };
        let column = &mut self.columns[index];
        if self.states[index] != FieldState::Missing {
            return Err(self.fault(index, " is given twice"));
        }
        match column.set(value, scanner) {
            Ok(Given::Null) => self.states[index] = FieldState::Null,
            Ok(Given::Value) => {
                self.states[index] = FieldState::Given;
                if self.event_time == Some(index) && !column.current_millis().is_some_and(is_plausible_millis)
                {
                    let found = found();
                    let reason = format!(": the event time {found} is not in the years 1970 to 9999");
                    return Err(self.fault(index, &reason));
                }
            }
            Err(misfit) => {
                let reason = misfit_reason(column, self.schema.field(index).data_type(), misfit, found);
                return Err(self.fault(index, &reason));
            }
        }
        Ok(())
    }

    /// Why the current row is none, where a field that it must have is not there.
    pub(super) fn check_required(&self) -> Result<(), String> {
        for (index, field) in self.schema.fields().iter().enumerate() {
            if !field.is_nullable() {
                match self.states[index] {
                    FieldState::Given => {}
                    FieldState::Missing => return Err(self.fault(index, " is missing")),
                    FieldState::Null => return Err(self.fault(index, " is null, but required")),
                }
            }
        }
        Ok(())
    }

    /// A reason that names a field.
    pub(super) fn fault(&self, index: usize, what: &str) -> String {
        format!("field \"{}\"{what}", self.schema.field(index).name())
    }

    /// The current row, of so many bytes, is one.
    pub(super) fn commit(&mut self, scanner: &JsonScanner<'_>, bytes: usize) -> Result<(), DecodeError> {
        for (column, state) in self.columns.iter_mut().zip(&self.states) {
            column.commit(*state == FieldState::Given, scanner);
        }
        self.rows += 1;
        self.batch_bytes += bytes;
        if self.rows >= BATCH_ROWS || self.batch_bytes >= BATCH_BYTES {
            self.finish_batch()?;
        }
        Ok(())
    }

    /// The current row is none, for this reason.
    pub(super) fn reject(&mut self, line: u64, reason: impl Into<String>, text: &[u8]) {
        self.decoded.rejects.push(BadRow::new(line, reason, text));
    }

    fn finish_batch(&mut self) -> Result<(), DecodeError> {
        if self.rows > 0 {
            let arrays = self.columns.iter_mut().map(ColumnBuilder::finish).collect();
            let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
            let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options)?;
            self.decoded.batches.push(batch);
            self.rows = 0;
            self.batch_bytes = 0;
        }
        Ok(())
    }

    /// All of them.
    pub(super) fn finish(mut self) -> Result<Decoded, DecodeError> {
        self.finish_batch()?;
        Ok(self.decoded)
    }
}

/// Why a value is none of a column, as what follows the column's name.
fn misfit_reason(
    column: &ColumnBuilder,
    data_type: &arrow::datatypes::DataType,
    misfit: Misfit,
    found: impl Fn() -> String,
) -> String {
    let (expected, found) = (sql_name(data_type), found());
    match misfit {
        Misfit::Type => match column.written_as() {
            Some(how) => format!(": expected {expected} ({how}), found {found}"),
            None => format!(": expected {expected}, found {found}"),
        },
        Misfit::Fraction => match column {
            ColumnBuilder::Decimal(_, _, scale) => {
                format!(": expected {expected}, found {found} (more than {scale} digits behind the point)")
            }
            _ => format!(": expected {expected}, found {found} (has a fraction)"),
        },
        Misfit::Digits => {
            format!(": {expected} would lose digits of {found}; declare it as bigint or decimal")
        }
        Misfit::Range => format!(": {expected} out of range, found {found}"),
        Misfit::Within => format!(": {}", column.fault_within().unwrap_or_default()),
    }
}

/// Why a value within another one does not fit, without the column's name.
pub(super) fn misfit_within(
    column: &ColumnBuilder,
    data_type: &arrow::datatypes::DataType,
    misfit: Misfit,
    found: &str,
) -> String {
    let reason = misfit_reason(column, data_type, misfit, || found.to_owned());
    reason.trim_start_matches(": ").to_owned()
}
