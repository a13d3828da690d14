//! The states of the windows that are open, and which of them changed.

use std::collections::HashSet;

use arrow::array::{ArrayRef, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{cast, filter_record_batch, not};
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use arrow::error::ArrowError;

use super::keyed::Key;
use super::query::RunningQuery;
use crate::engine::EngineError;
use crate::sql::streaming::Window;

/// How many new states wait before those of the same group are made one.
const MERGE_ROWS: usize = 1 << 18;

/// The states of the windows that are open.
#[derive(Clone, Default)]
pub(super) struct Windows {
    /// As of the last checkpoint: one state for each group.
    pub(super) open: Vec<RecordBatch>,
    /// What came since.
    fresh: Vec<RecordBatch>,
    fresh_rows: usize,
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

impl Windows {
    /// Those of a checkpoint.
    pub(super) fn of(open: Vec<RecordBatch>) -> Self {
        Self { open, ..Self::default() }
    }

    /// Adds states.
    pub(super) fn add(&mut self, states: Vec<RecordBatch>) {
        self.fresh_rows += states.iter().map(RecordBatch::num_rows).sum::<usize>();
        self.fresh.extend(states.into_iter().filter(|batch| batch.num_rows() > 0));
    }

    /// Whether there is something new.
    pub(super) fn has_news(&self) -> bool {
        self.fresh_rows > 0
    }

    /// Keeps memory bounded within an epoch: makes new states of the same group one.
    pub(super) async fn compact(&mut self, query: &RunningQuery) -> Result<(), EngineError> {
        if self.fresh_rows > MERGE_ROWS && self.fresh.len() > 1 {
            self.fresh = query.merged(std::mem::take(&mut self.fresh)).await?;
            // What is left are groups; only as many new ones again are worth another merge.
            self.fresh_rows = 0;
            let rows: usize = self.fresh.iter().map(RecordBatch::num_rows).sum();
            self.fresh_rows = rows.clamp(1, MERGE_ROWS / 2);
        }
        Ok(())
    }

    /// How many windows are open.
    pub(super) fn count(&self, window: Window) -> Result<usize, ArrowError> {
        let mut starts: HashSet<i64> = HashSet::new();
        for batch in self.open.iter().chain(&self.fresh) {
            starts.extend(window_starts(batch.column(window.group))?.as_primitive::<Int64Type>().values());
        }
        Ok(starts.len())
    }

    /// Puts the states together, and works out the rows of the windows that changed.
    pub(super) async fn settle(
        &self,
        query: &RunningQuery,
        window: Window,
        has_filter: bool,
        keys: &[usize],
    ) -> Result<Settled, EngineError> {
        let mut touched: HashSet<i64> = HashSet::new();
        for batch in &self.fresh {
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
        let there = if has_filter { query.finished(before.clone()).await? } else { Vec::new() };
        before.extend(self.fresh.iter().cloned());
        let merged = query.merged(before).await?;
        let changed = query.finished(merged.clone()).await?;
        open.extend(merged);
        let gone = if has_filter { missing(&there, &changed, keys)? } else { Vec::new() };
        Ok(Settled { open, changed, gone })
    }
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
    let key = Key::new(&first.schema(), keys.to_vec())?;
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
