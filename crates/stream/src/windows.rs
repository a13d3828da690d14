//! The states of the windows that are open, and which of them changed.

use std::collections::HashSet;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch, not};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::row::{Row, RowConverter, Rows, SortField};

use super::sets::in_order;
use mep_contract::executor::EngineError;
use mep_contract::sink::keyed::KeyColumns;
use mep_datafusion::RunningQuery;
use mep_sql::streaming::{Window, Windowed};

/// How many new states wait before those of the same group are made one.
const MERGE_ROWS: usize = 1 << 18;
/// How many bytes of them wait.
const MERGE_BYTES: usize = 64 << 20;

/// States that came since the last epoch.
#[derive(Default)]
pub(super) struct Fresh {
    states: Vec<RecordBatch>,
    rows: usize,
    bytes: usize,
    /// How many rows and bytes the last merge left: only as many again are worth another one.
    merged: (usize, usize),
}

/// The states of the windows that are open at the end of an epoch.
pub(super) struct Windows {
    /// As of the last epoch: one state for each group.
    pub(super) open: Vec<RecordBatch>,
    /// What came since.
    pub(super) fresh: Fresh,
}

/// What an epoch changed.
pub(super) struct Settled {
    /// The states of all windows that are open after it.
    pub(super) open: Vec<RecordBatch>,
    /// Rows whose values changed.
    pub(super) changed: Vec<RecordBatch>,
    /// Rows that were there before, and are not any more.
    pub(super) gone: Vec<RecordBatch>,
}

impl Fresh {
    /// Adds states.
    pub(super) fn add(&mut self, states: Vec<RecordBatch>) {
        for batch in states.into_iter().filter(|batch| batch.num_rows() > 0) {
            self.rows += batch.num_rows();
            self.bytes += bytes_of(&batch);
            self.states.push(batch);
        }
    }

    /// Whether there is something new.
    pub(super) fn has_news(&self) -> bool {
        !self.states.is_empty()
    }

    /// About how many bytes it has.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Keeps memory bounded within an epoch: makes new states of the same group one.
    pub(super) async fn compact(&mut self, query: &RunningQuery) -> Result<(), EngineError> {
        let (rows, bytes) = self.merged;
        if self.rows > MERGE_ROWS.max(2 * rows) || self.bytes > MERGE_BYTES.max(2 * bytes) {
            let merged = query.merged(std::mem::take(&mut self.states)).await?;
            *self = Self::default();
            self.add(merged);
            self.merged = (self.rows, self.bytes);
        }
        Ok(())
    }
}

impl Windows {
    /// Puts the states together, and works out the rows of the groups that changed.
    pub(super) async fn settle(
        &self,
        query: &RunningQuery,
        windowed: &Windowed,
        keys: &[usize],
    ) -> Result<Settled, EngineError> {
        let window = windowed.window;
        let fresh = query.merged(self.fresh.states.clone()).await?;
        let (mut open, before) = self.untouched_and_touched(&fresh, window)?;
        if before.is_empty() {
            let changed = query.finished(fresh.clone()).await?;
            open.extend(fresh.into_iter().map(in_order).collect::<Result<Vec<_>, _>>()?);
            return Ok(Settled { open, changed, gone: Vec::new() });
        }
        let touched = Groups::of(&fresh, windowed.groups)?;
        let there =
            if windowed.has_filter { query.finished(touched.among(&before)?).await? } else { Vec::new() };
        let merged = query.merged(before.into_iter().chain(fresh).collect()).await?;
        let changed = query.finished(touched.among(&merged)?).await?;
        open.extend(merged.into_iter().map(in_order).collect::<Result<Vec<_>, _>>()?);
        let gone = if windowed.has_filter { missing(&there, &changed, keys)? } else { Vec::new() };
        Ok(Settled { open, changed, gone })
    }

    /// The open states of windows that nothing new fell into, and of those where something did.
    fn untouched_and_touched(
        &self,
        fresh: &[RecordBatch],
        window: Window,
    ) -> Result<(Vec<RecordBatch>, Vec<RecordBatch>), ArrowError> {
        let mut touched: HashSet<i64> = HashSet::new();
        for batch in fresh {
            touched.extend(window_starts(batch.column(window.group))?.as_primitive::<Int64Type>().values());
        }
        let (mut open, mut before) = (Vec::new(), Vec::new());
        for batch in &self.open {
            let starts = window_starts(batch.column(window.group))?;
            let is_touched: BooleanArray = starts
                .as_primitive::<Int64Type>()
                .iter()
                .map(|start| start.map(|start| touched.contains(&start)))
                .collect();
            match is_touched.true_count() {
                0 => open.push(batch.clone()),
                all if all == batch.num_rows() => before.push(batch.clone()),
                _ => {
                    before.push(filter_record_batch(batch, &is_touched)?);
                    open.push(filter_record_batch(batch, &not(&is_touched)?)?);
                }
            }
        }
        Ok((open, before))
    }
}

/// The groups of some states.
struct Groups {
    columns: usize,
    converter: Option<RowConverter>,
    rows: Vec<Rows>,
}

impl Groups {
    /// Those of states whose first columns are their group.
    fn of(states: &[RecordBatch], columns: usize) -> Result<Self, ArrowError> {
        let Some(first) = states.first() else {
            return Ok(Self { columns, converter: None, rows: Vec::new() });
        };
        let schema = first.schema();
        let fields = schema.fields()[..columns].iter().map(|field| SortField::new(field.data_type().clone()));
        let converter = RowConverter::new(fields.collect())?;
        let rows = states.iter().map(|batch| converter.convert_columns(&batch.columns()[..columns]));
        let rows = rows.collect::<Result<_, _>>()?;
        Ok(Self { columns, converter: Some(converter), rows })
    }

    /// The states that are of one of these groups.
    fn among(&self, states: &[RecordBatch]) -> Result<Vec<RecordBatch>, ArrowError> {
        let Some(converter) = &self.converter else { return Ok(Vec::new()) };
        let mut known: HashSet<Row<'_>> = HashSet::with_capacity(self.rows.iter().map(Rows::num_rows).sum());
        known.extend(self.rows.iter().flatten());
        let mut found = Vec::new();
        for batch in states {
            let rows = converter.convert_columns(&batch.columns()[..self.columns])?;
            let is_known: BooleanArray = rows.iter().map(|row| Some(known.contains(&row))).collect();
            match is_known.true_count() {
                0 => {}
                all if all == batch.num_rows() => found.push(batch.clone()),
                _ => found.push(filter_record_batch(batch, &is_known)?),
            }
        }
        Ok(found)
    }
}

/// About how many bytes rows have; of long texts only that they are there.
pub(super) fn bytes_of(batch: &RecordBatch) -> usize {
    fn of(array: &dyn Array) -> usize {
        let Some(lists) = array.as_list_opt::<i32>() else {
            return array.to_data().get_slice_memory_size().unwrap_or_else(|_| array.get_array_memory_size());
        };
        let (offsets, rows) = (lists.offsets(), lists.len());
        let (start, end) = (offsets[0] as usize, offsets[rows] as usize);
        of(&lists.values().slice(start, end - start)) + 4 * rows
    }
    batch.columns().iter().map(|column| of(column)).sum()
}

/// How many windows states are of.
pub(super) fn count(states: &[RecordBatch], window: Window) -> Result<usize, ArrowError> {
    let mut starts: HashSet<i64> = HashSet::new();
    for batch in states {
        starts.extend(window_starts(batch.column(window.group))?.as_primitive::<Int64Type>().values());
    }
    Ok(starts.len())
}

/// The states of windows that end after a time, in milliseconds since 1970.
pub(super) fn still_open(
    states: &[RecordBatch],
    window: Window,
    closed_until: i64,
) -> Result<Vec<RecordBatch>, ArrowError> {
    let mut open = Vec::new();
    for batch in states {
        let is_open = ends_after(batch.column(window.group), window, closed_until)?;
        match is_open.true_count() {
            0 => {}
            all if all == batch.num_rows() => open.push(batch.clone()),
            _ => open.push(filter_record_batch(batch, &is_open)?),
        }
    }
    Ok(open)
}

/// For each beginning of a window, whether it ends after a time.
pub(super) fn ends_after(starts: &ArrayRef, window: Window, time: i64) -> Result<BooleanArray, ArrowError> {
    let starts = window_starts(starts)?;
    let starts = starts.as_primitive::<Int64Type>().iter();
    Ok(starts
        .map(|start| Some(start.is_none_or(|start| start.saturating_add(window.length) > time)))
        .collect())
}

/// The beginnings of windows in milliseconds since 1970.
pub(super) fn window_starts(starts: &ArrayRef) -> Result<ArrayRef, ArrowError> {
    cast(&cast(starts, &DataType::Timestamp(TimeUnit::Millisecond, None))?, &DataType::Int64)
}

/// The rows of `before` whose key none of `after` has.
fn missing(
    before: &[RecordBatch],
    after: &[RecordBatch],
    keys: &[usize],
) -> Result<Vec<RecordBatch>, ArrowError> {
    let Some(first) = before.iter().find(|batch| batch.num_rows() > 0) else { return Ok(Vec::new()) };
    let key = KeyColumns::new(&first.schema(), keys.to_vec())?;
    let mut there = HashSet::new();
    for batch in after {
        there.extend(key.of(batch)?);
    }
    let mut gone = Vec::new();
    for batch in before {
        let is_gone: BooleanArray = key.of(batch)?.iter().map(|row| Some(!there.contains(row))).collect();
        if is_gone.true_count() > 0 {
            gone.push(filter_record_batch(batch, &is_gone)?);
        }
    }
    Ok(gone)
}
