//! The speed side beside the batch side: which rows differ, in which windows, and why where that is known.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter_record_batch, max};
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, TimeUnit};
use arrow::error::ArrowError;
use arrow::row::OwnedRow;
use arrow::util::display::array_value_to_string;
use chrono::NaiveDateTime;
use serde::{Serialize, Serializer};

use super::windows::window_starts;
use mep_contract::sink::keyed::{KeyColumns, as_one};
use mep_contract::sink::{LateEvent, SinkTable};
use mep_contract::source::tail::Offsets;

/// By how much two floats may differ that were added up in another order, relative to the larger one.
const FLOAT_TOLERANCE: f64 = 1e-9;

/// Both sides of a model.
pub struct Sides<'a> {
    /// Its table.
    pub table: &'a SinkTable,
    /// The column of the window's beginning, where it has windows.
    pub window: Option<&'a str>,
    /// The rows that the stream wrote.
    pub speed: &'a [RecordBatch],
    /// The rows that the same SELECT gives over what is landed.
    pub batch: &'a [RecordBatch],
    /// How much later than others an event may come, in milliseconds.
    pub lateness: i64,
    /// Events that were late for the stream.
    pub late: &'a [LateEvent],
    /// For each partition, how far the stream has read.
    pub streamed: &'a Offsets,
    /// For each partition, how far it is landed.
    pub landed: &'a Offsets,
    /// Whether offsets count events.
    pub counts_by_offset: bool,
    /// From when on events are compared; the batch side is of these alone. `None`: all of them.
    pub since: Option<NaiveDateTime>,
}

/// How both sides of a model compare.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Reconciliation {
    /// Rows that only one side or both have.
    pub rows: u64,
    /// Rows that are the same on both sides.
    pub equal: u64,
    /// Rows of the stream for which events are yet to be landed: they say nothing of whether the sides agree.
    ///
    /// Of windows that the landed events have not passed by the allowed lateness; without windows, as many rows as there are
    /// events to land.
    pub pending: u64,
    /// Where they differ, by window; pending rows are not among them.
    pub differences: Vec<Difference>,
    /// Events that the stream has read and that are not landed yet.
    pub not_landed: u64,
    /// Events that are landed and that the stream has not read yet.
    pub not_streamed: u64,
    /// From when on events were compared, where not all were: windows that begin then or later; without windows, whether the
    /// stream has the rows of these events.
    #[serde(serialize_with = "as_text")]
    pub since: Option<NaiveDateTime>,
}

/// Rows of one window that differ in the same way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The window's beginning, or the row's key where there are no windows.
    pub window: String,
    /// How they differ.
    pub kind: DifferenceKind,
    /// How many rows.
    pub rows: u64,
    /// Why, where that is known.
    pub cause: Option<Cause>,
    /// One of the rows: its key, and the first value that differs, on the speed side and on the batch side.
    pub example: String,
}

/// How a row differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DifferenceKind {
    /// Only the stream has it.
    OnlySpeed,
    /// Only the batch has it.
    OnlyBatch,
    /// Both have it, with other values.
    Values,
}

/// Why rows differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// An event of the window came after it was closed.
    Late,
    /// The stream has read events that are not landed yet.
    NotLanded,
    /// Events are landed that the stream has not read yet.
    NotStreamed,
    /// A column of the key is null: the event is a dead letter.
    Dead,
}

impl Reconciliation {
    /// Rows that differ.
    pub fn different(&self) -> u64 {
        self.rows - self.equal - self.pending
    }

    /// The share of rows that differ.
    pub fn share(&self) -> f64 {
        if self.rows == 0 { 0.0 } else { self.different() as f64 / self.rows as f64 }
    }

    /// Compares both sides.
    ///
    /// # Errors
    /// Where they have no columns in common.
    pub fn of(sides: &Sides<'_>) -> Result<Self, ArrowError> {
        let schema = comparable(&sides.table.schema);
        let window = sides.window.map(|column| schema.index_of(column)).transpose()?;
        let compared = |rows: &[RecordBatch]| {
            let rows = as_one(&schema, rows)?;
            match (window, sides.since) {
                (Some(window), Some(since)) => begun_since(&rows, window, since),
                _ => Ok(rows),
            }
        };
        let (speed, batch) = (compared(sides.speed)?, compared(sides.batch)?);
        let columns = sides.table.key().map(|key| schema.index_of(key)).collect::<Result<_, _>>()?;
        let named_by = KeyColumns::new(&schema, columns)?;
        let (speed_keys, batch_keys) = (named_by.of(&speed)?, named_by.of(&batch)?);
        let on_batch: HashMap<&OwnedRow, usize> =
            batch_keys.iter().enumerate().map(|(row, key)| (key, row)).collect();
        let on_speed: BTreeSet<&OwnedRow> = speed_keys.iter().collect();
        let not_landed = behind(sides.streamed, sides.landed);
        let open_from =
            window.filter(|_| not_landed > 0).map(|column| open_from(&batch, column, sides.lateness));
        let mut found = Found {
            open_from: open_from.transpose()?,
            pending: 0,
            late: sides.late.iter().map(|event| event.window).collect(),
            not_landed,
            not_streamed: behind(sides.landed, sides.streamed),
            by_window: BTreeMap::new(),
        };
        let mut outcome =
            Self { not_landed, not_streamed: found.not_streamed, since: sides.since, ..Self::default() };
        for (row, key) in speed_keys.iter().enumerate() {
            // Without windows, nothing says of a row of the stream when its event was.
            if window.is_none() && sides.since.is_some() && !on_batch.contains_key(key) {
                continue;
            }
            outcome.rows += 1;
            let place = DifferentRow { batch: &speed, row, keys: &named_by.columns, window };
            match on_batch.get(key) {
                None => found.add(&place, DifferenceKind::OnlySpeed, None)?,
                Some(other) => match first_difference(&speed, row, &batch, *other)? {
                    None => outcome.equal += 1,
                    Some(values) => found.add(&place, DifferenceKind::Values, Some(values))?,
                },
            }
        }
        for (row, key) in batch_keys.iter().enumerate() {
            if !on_speed.contains(key) {
                outcome.rows += 1;
                let place = DifferentRow { batch: &batch, row, keys: &named_by.columns, window };
                found.add(&place, DifferenceKind::OnlyBatch, None)?;
            }
        }
        outcome.pending = found.pending;
        outcome.differences = found.by_window.into_values().collect();
        // Without windows a row is an event.
        if window.is_none() && sides.counts_by_offset {
            let is_ahead = |one: &Difference| {
                one.kind == DifferenceKind::OnlySpeed && one.cause == Some(Cause::NotLanded)
            };
            let ahead: u64 = outcome.differences.iter().filter(|one| is_ahead(one)).map(|one| one.rows).sum();
            if ahead <= not_landed {
                outcome.pending += ahead;
                outcome.differences.retain(|one| !is_ahead(one));
            }
        }
        Ok(outcome)
    }
}

/// A row that differs.
struct DifferentRow<'a> {
    batch: &'a RecordBatch,
    row: usize,
    keys: &'a [usize],
    window: Option<usize>,
}

impl DifferentRow<'_> {
    fn key(&self) -> Result<String, ArrowError> {
        let parts: Result<Vec<String>, ArrowError> = self
            .keys
            .iter()
            .map(|column| {
                let value = array_value_to_string(self.batch.column(*column), self.row)?;
                Ok(format!("{}={value}", self.batch.schema().field(*column).name()))
            })
            .collect();
        Ok(parts?.join(", "))
    }

    /// The beginning of its window, in milliseconds since 1970.
    fn window_start(&self) -> Result<Option<i64>, ArrowError> {
        let Some(column) = self.window else { return Ok(None) };
        let start = window_starts(&self.batch.column(column).slice(self.row, 1))?;
        let start = start.as_primitive::<Int64Type>();
        Ok(start.is_valid(0).then(|| start.value(0)))
    }

    fn has_null_key(&self) -> bool {
        self.keys.iter().any(|column| self.batch.column(*column).is_null(self.row))
    }
}

struct Found {
    /// Windows that begin here or later can still get events that are not landed.
    open_from: Option<i64>,
    pending: u64,
    late: BTreeSet<i64>,
    not_landed: u64,
    not_streamed: u64,
    by_window: BTreeMap<(String, DifferenceKind, Option<Cause>), Difference>,
}

impl Found {
    fn add(
        &mut self,
        place: &DifferentRow<'_>,
        kind: DifferenceKind,
        values: Option<String>,
    ) -> Result<(), ArrowError> {
        if kind != DifferenceKind::OnlyBatch
            && let (Some(open_from), Some(start)) = (self.open_from, place.window_start()?)
            && start >= open_from
        {
            self.pending += 1;
            return Ok(());
        }
        let window = match place.window {
            Some(column) => array_value_to_string(place.batch.column(column), place.row)?,
            None => place.key()?,
        };
        let cause = self.cause(place, kind)?;
        let known = self.by_window.entry((window.clone(), kind, cause));
        if let std::collections::btree_map::Entry::Occupied(mut known) = known {
            known.get_mut().rows += 1;
            return Ok(());
        }
        let example = match values {
            Some(values) => format!("{}: {values}", place.key()?),
            None => place.key()?,
        };
        known.or_insert(Difference { window, kind, rows: 1, cause, example });
        Ok(())
    }

    fn cause(&self, place: &DifferentRow<'_>, kind: DifferenceKind) -> Result<Option<Cause>, ArrowError> {
        if kind == DifferenceKind::OnlyBatch && place.has_null_key() {
            return Ok(Some(Cause::Dead));
        }
        if kind != DifferenceKind::OnlySpeed
            && place.window_start()?.is_some_and(|start| self.late.contains(&start))
        {
            return Ok(Some(Cause::Late));
        }
        // Which side is ahead explains rows that only it has, and values that are short on the other.
        Ok(match kind {
            DifferenceKind::OnlySpeed | DifferenceKind::Values if self.not_landed > 0 => {
                Some(Cause::NotLanded)
            }
            DifferenceKind::OnlyBatch | DifferenceKind::Values if self.not_streamed > 0 => {
                Some(Cause::NotStreamed)
            }
            _ => None,
        })
    }
}

/// From where on windows can still get events, as far as those say that are landed: the latest window less the allowed lateness.
fn open_from(batch: &RecordBatch, window: usize, lateness: i64) -> Result<i64, ArrowError> {
    let starts = window_starts(batch.column(window))?;
    Ok(max(starts.as_primitive::<Int64Type>()).map_or(i64::MIN, |latest| latest.saturating_sub(lateness)))
}

#[allow(clippy::ref_option, reason = "serde asks for it")]
fn as_text<S: Serializer>(time: &Option<NaiveDateTime>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.format("%FT%T").to_string()).serialize(serializer)
}

/// The rows whose window begins at a time or later, or that have none.
fn begun_since(rows: &RecordBatch, window: usize, since: NaiveDateTime) -> Result<RecordBatch, ArrowError> {
    let starts = window_starts(rows.column(window))?;
    let since = since.and_utc().timestamp_millis();
    let is_compared: BooleanArray = starts
        .as_primitive::<Int64Type>()
        .iter()
        .map(|start| Some(start.is_none_or(|start| start >= since)))
        .collect();
    filter_record_batch(rows, &is_compared)
}

/// How many events `ahead` has that `other` has not.
fn behind(ahead: &Offsets, other: &Offsets) -> u64 {
    let events = ahead.iter().map(|(partition, next)| {
        let known = other.get(partition).copied().unwrap_or_default();
        u64::try_from(next - known).unwrap_or_default()
    });
    events.sum()
}

/// The types in which both sides are compared: what a sink keeps of a time are milliseconds.
fn comparable(schema: &SchemaRef) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        let data_type = match field.data_type() {
            DataType::Timestamp(_, _) => DataType::Timestamp(TimeUnit::Millisecond, None),
            DataType::Utf8 | DataType::LargeUtf8 => DataType::Utf8View,
            DataType::Int8
            | DataType::Int16
            | DataType::Int32
            | DataType::UInt8
            | DataType::UInt16
            | DataType::UInt32 => DataType::Int64,
            DataType::UInt64 => DataType::Decimal128(20, 0),
            DataType::Float32 => DataType::Float64,
            other => other.clone(),
        };
        Field::new(field.name(), data_type, true)
    });
    Schema::new(fields.collect::<Vec<_>>()).into()
}

/// The first column of which the values differ, with these.
fn first_difference(
    speed: &RecordBatch,
    row: usize,
    batch: &RecordBatch,
    other: usize,
) -> Result<Option<String>, ArrowError> {
    for (index, field) in speed.schema().fields().iter().enumerate() {
        let (a, b) = (speed.column(index), batch.column(index));
        if is_same(a, row, b, other) {
            continue;
        }
        let (a, b) = (array_value_to_string(a, row)?, array_value_to_string(b, other)?);
        return Ok(Some(format!("{} is {a} in the stream, {b} in the batch", field.name())));
    }
    Ok(None)
}

fn is_same(a: &ArrayRef, row: usize, b: &ArrayRef, other: usize) -> bool {
    if a.is_null(row) || b.is_null(other) {
        return a.is_null(row) && b.is_null(other);
    }
    if a.data_type() == &DataType::Float64 {
        let (a, b) =
            (a.as_primitive::<Float64Type>().value(row), b.as_primitive::<Float64Type>().value(other));
        return a.total_cmp(&b).is_eq() || (a - b).abs() <= FLOAT_TOLERANCE * a.abs().max(b.abs());
    }
    a.slice(row, 1).to_data() == b.slice(other, 1).to_data()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::{Int64Array, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray};
    use chrono::DateTime;

    use super::*;
    use mep_contract::sink::Clustering;
    use mep_contract::source::tail::StreamPartition;
    use mep_core::relation::Relation;

    fn table() -> SinkTable {
        let fields = vec![
            Field::new("minute", DataType::Timestamp(TimeUnit::Microsecond, None), true),
            Field::new("k", DataType::Utf8View, true),
            Field::new("n", DataType::Int64, true),
        ];
        SinkTable {
            relation: Relation::new("m", "out"),
            schema: Arc::new(Schema::new(fields)),
            partition_key: vec!["minute".into()],
            clustering: vec![Clustering { column: "k".into(), descending: false }],
            ttl: None,
            description: String::new(),
            column_descriptions: Vec::new(),
        }
    }

    /// Rows of (minute, key, count), with times as a sink keeps them, or as SQL gives them.
    fn rows(rows: &[(i64, Option<&str>, i64)], is_speed: bool) -> RecordBatch {
        let millis = rows.iter().map(|row| row.0 * 60_000);
        let minutes: ArrayRef = if is_speed {
            Arc::new(TimestampMillisecondArray::from_iter_values(millis))
        } else {
            Arc::new(TimestampMicrosecondArray::from_iter_values(millis.map(|millis| millis * 1_000)))
        };
        let keys: StringArray = rows.iter().map(|row| row.1).collect();
        let counts = Int64Array::from_iter_values(rows.iter().map(|row| row.2));
        RecordBatch::try_from_iter_with_nullable([
            ("minute", minutes, true),
            ("k", Arc::new(keys) as ArrayRef, true),
            ("n", Arc::new(counts) as ArrayRef, true),
        ])
        .unwrap()
    }

    fn compared(
        speed: &RecordBatch,
        batch: &RecordBatch,
        late: &[LateEvent],
        lateness: i64,
        since: Option<NaiveDateTime>,
    ) -> Reconciliation {
        let partition = StreamPartition { topic: "t".into(), number: 0 };
        let outcome = Reconciliation::of(&Sides {
            table: &table(),
            window: Some("minute"),
            speed: std::slice::from_ref(speed),
            batch: std::slice::from_ref(batch),
            lateness,
            late,
            streamed: &BTreeMap::from([(partition.clone(), 40)]),
            landed: &BTreeMap::from([(partition, 30)]),
            counts_by_offset: true,
            since,
        });
        outcome.unwrap()
    }

    #[test]
    fn windows_that_wait_for_events_to_be_landed_are_no_differences_and_earlier_ones_are() {
        let minutes = |rows_of: &[(i64, i64)], is_speed| {
            let all: Vec<_> = rows_of.iter().map(|(minute, n)| (*minute, Some("a"), *n)).collect();
            rows(&all, is_speed)
        };
        let speed = minutes(&[(4, 2), (5, 2), (6, 2), (7, 2), (8, 2)], true);
        let batch = minutes(&[(4, 1), (5, 1), (6, 1), (7, 1)], false);
        let outcome = compared(&speed, &batch, &[], 120_000, None);
        assert_eq!((outcome.rows, outcome.equal, outcome.pending, outcome.different()), (5, 0, 4, 1));
        assert_eq!(outcome.differences.len(), 1);
        assert_eq!(outcome.differences[0].window, "1970-01-01T00:04:00");
        // What only the batch has is not waited for.
        let outcome = compared(&minutes(&[(4, 1)], true), &batch, &[], 120_000, None);
        assert_eq!((outcome.pending, outcome.different()), (0, 3));
    }

    #[test]
    fn windows_that_began_before_are_not_compared() {
        let speed = rows(&[(1, Some("a"), 9), (2, Some("a"), 1)], true);
        let batch =
            rows(&[(0, Some("a"), 1), (1, Some("a"), 4), (2, Some("a"), 1), (3, Some("a"), 1)], false);
        let since = DateTime::from_timestamp_millis(90_000).unwrap().naive_utc();
        let outcome = compared(&speed, &batch, &[], 0, Some(since));
        assert_eq!((outcome.rows, outcome.equal, outcome.different()), (2, 1, 1));
        assert_eq!(outcome.differences[0].kind, DifferenceKind::OnlyBatch);
        assert_eq!(serde_json::json!(outcome)["since"], "1970-01-01T00:01:30");
    }

    #[test]
    fn rows_are_compared_by_key_and_differences_have_their_cause() {
        let late = LateEvent { topic: "t".into(), partition: 0, offset: 7, window: 120_000 };
        let speed = rows(&[(0, Some("a"), 1), (1, Some("a"), 5), (2, Some("a"), 1), (9, Some("b"), 4)], true);
        let batch = rows(&[(0, Some("a"), 1), (1, Some("a"), 4), (2, Some("a"), 2), (3, None, 1)], false);
        let outcome = compared(&speed, &batch, &[late], 0, None);
        assert_eq!((outcome.rows, outcome.equal, outcome.pending, outcome.not_landed), (5, 1, 1, 10));
        let shown: Vec<String> = outcome
            .differences
            .iter()
            .map(|one| format!("{} {:?} {:?} {}", one.window, one.kind, one.cause, one.example))
            .collect();
        insta::assert_snapshot!(shown.join("\n"));
    }
}
