//! One streaming model as it lives: its states, its counts, and the steps of an epoch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{filter, filter_record_batch, is_null, not, or};
use arrow::datatypes::{Int32Type, Int64Type};
use arrow::error::ArrowError;
use chrono::{DateTime, Utc};

use super::checkpoint::{Checkpoint, CheckpointError, Counts, decode_cut};
use super::events::{EventBatch, PartitionNumbers};
use super::progress::ModelProgress;
use super::watermark::Latest;
use super::windows::{Fresh, Windows, bytes_of, count, ends_after, still_open, window_starts};
use mep_contract::executor::EngineError;
use mep_contract::sink::{Epoch, LateEvent, ModelSpec, Sink, Standing};
use mep_contract::source::tail::{Offsets, StreamPartition};
use mep_datafusion::RunningQuery;
use mep_sql::streaming::{OFFSET, PLACE};

/// A streaming model and where its rows go.
#[derive(Clone)]
pub struct StreamModel {
    /// The model.
    pub spec: Arc<ModelSpec>,
    /// Where its rows go.
    pub sink: Arc<dyn Sink>,
}

/// A model as it lives.
pub(super) struct LiveModel {
    pub(super) spec: Arc<ModelSpec>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) query: Arc<RunningQuery>,
    /// The last one that ended.
    pub(super) epoch: Epoch,
    /// Windows that end until then are closed; moved between epochs only.
    pub(super) closed_until: i64,
    /// For each partition, the offset of the next event.
    pub(super) cut: Offsets,
    /// By what the source knows the partitions again.
    pub(super) marks: BTreeMap<StreamPartition, String>,
    pub(super) latest: Latest,
    pub(super) counts: Counts,
    /// The states of the open windows as the last epoch left them; none while it is being written.
    open: Vec<RecordBatch>,
    /// What came since.
    fresh: Fresh,
    /// Rows to write, of a model without windows.
    rows: Vec<RecordBatch>,
    rows_bytes: usize,
    late: Vec<LateEvent>,
    /// Where the last epoch ends.
    ended: Offsets,
    /// Where the last one ends that is committed.
    pub(super) committed: Offsets,
    began: DateTime<Utc>,
    last_commit: Option<DateTime<Utc>>,
}

/// How far a model's stream has read, as its sink says.
///
/// # Errors
/// Where the checkpoint cannot be read.
pub fn streamed(standing: &Standing) -> Result<Offsets, CheckpointError> {
    match &standing.committed {
        None => Ok(Offsets::new()),
        Some((_, bytes)) => Ok(Checkpoint::decode(bytes)?.cut),
    }
}

/// An epoch of a model that was read to its end, with all that decides what it writes.
pub(super) struct EndedEpoch {
    pub(super) spec: Arc<ModelSpec>,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) epoch: Epoch,
    pub(super) cut: Offsets,
    pub(super) late: Vec<LateEvent>,
    query: Arc<RunningQuery>,
    /// Windows that end until then are closed after it.
    closed_until: i64,
    marks: BTreeMap<StreamPartition, String>,
    latest: Latest,
    counts: Counts,
    windows: Windows,
    rows: Vec<RecordBatch>,
}

/// What an epoch writes.
pub(super) struct EpochOutput {
    pub(super) upserts: Vec<RecordBatch>,
    pub(super) deletes: Vec<RecordBatch>,
    open: Vec<RecordBatch>,
}

/// An epoch that was written.
pub(super) struct WrittenEpoch {
    pub(super) checkpoint: Checkpoint,
}

/// What came of some events.
#[derive(Default)]
pub(super) struct TakenEvents {
    /// States of groups; or rows, of a model without windows.
    output: Vec<RecordBatch>,
    /// Events whose window was closed: their place and offset, and the window's beginning.
    late: BTreeMap<(i32, i64), i64>,
    /// Events with a row whose key is null: their place and offset, and the column.
    keyless: BTreeMap<(i32, i64), String>,
}

/// What taking events needs of a model; it does not change within an epoch.
#[derive(Clone)]
pub(super) struct Taking {
    spec: Arc<ModelSpec>,
    query: Arc<RunningQuery>,
    closed_until: i64,
}

impl LiveModel {
    /// The model as its sink says that it stands, and how far the epoch reads that was begun.
    pub(super) fn new(
        model: &StreamModel,
        query: Arc<RunningQuery>,
        standing: &Standing,
    ) -> Result<(Self, Option<Offsets>), CheckpointError> {
        let (epoch, checkpoint) = match &standing.committed {
            None => (Epoch::default(), Checkpoint { closed_until: i64::MIN, ..Checkpoint::default() }),
            Some((epoch, bytes)) => {
                let checkpoint = Checkpoint::decode(bytes)?;
                if checkpoint.fingerprint != model.spec.fingerprint {
                    return Err(CheckpointError::Changed);
                }
                (*epoch, checkpoint)
            }
        };
        let prepared = match &standing.prepared {
            Some((prepared, cut)) if *prepared > epoch => Some(decode_cut(cut)?),
            _ => None,
        };
        let live = Self {
            spec: model.spec.clone(),
            sink: model.sink.clone(),
            query,
            epoch,
            closed_until: checkpoint.closed_until,
            ended: checkpoint.cut.clone(),
            committed: checkpoint.cut.clone(),
            began: Utc::now(),
            last_commit: None,
            cut: checkpoint.cut,
            marks: checkpoint.marks,
            latest: checkpoint.latest,
            counts: checkpoint.counts,
            open: checkpoint.open,
            fresh: Fresh::default(),
            rows: Vec::new(),
            rows_bytes: 0,
            late: Vec::new(),
        };
        Ok((live, prepared))
    }

    /// What taking events needs.
    pub(super) fn taking(&self) -> Taking {
        let (spec, query) = (self.spec.clone(), self.query.clone());
        Taking { spec, query, closed_until: self.closed_until }
    }

    /// Notes where partitions begin that were not read before.
    pub(super) fn begin_at(&mut self, starts: &Offsets) {
        for (partition, start) in starts {
            self.cut.entry(partition.clone()).or_insert(*start);
            self.committed.entry(partition.clone()).or_insert(*start);
        }
    }

    /// Adds what came of events, of which so many could be read. Gives those that name no row.
    pub(super) async fn add(
        &mut self,
        decoded: u64,
        taken: Vec<TakenEvents>,
        places: &PartitionNumbers,
    ) -> Result<BTreeMap<(i32, i64), String>, EngineError> {
        let mut keyless = BTreeMap::new();
        let mut late = BTreeMap::new();
        for taken in taken {
            if self.spec.query.windowed.is_some() {
                self.fresh.add(taken.output);
            } else {
                self.rows_bytes += taken.output.iter().map(bytes_of).sum::<usize>();
                self.rows.extend(taken.output);
            }
            late.extend(taken.late);
            keyless.extend(taken.keyless);
        }
        // An event that a join makes several rows of can be both; it is counted once.
        late.retain(|event, _| !keyless.contains_key(event));
        self.counts.taken += decoded - late.len() as u64 - keyless.len() as u64;
        self.counts.late += late.len() as u64;
        self.counts.dead += keyless.len() as u64;
        for ((place, offset), window) in late {
            let Some(partition) = places.partition(place) else { continue };
            let (topic, partition) = (partition.topic.clone(), partition.number);
            self.late.push(LateEvent { topic, partition, offset, window });
        }
        self.fresh.compact(&self.query).await?;
        Ok(keyless)
    }

    /// Whether all up to a cut was read.
    pub(super) fn has_reached(&self, cut: &Offsets) -> bool {
        cut.iter().all(|(partition, end)| self.cut.get(partition).is_some_and(|next| next >= end))
    }

    /// Whether anything was read since the last epoch.
    pub(super) fn has_read(&self) -> bool {
        self.cut != self.ended
    }

    /// About how many bytes wait for the end of the epoch.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.fresh.bytes() + self.rows_bytes
    }

    /// Ends the epoch and begins the next one, with windows closed that end until the watermark less the allowed lateness.
    /// The epoch before must be written.
    pub(super) fn end_epoch(&mut self, idle: &BTreeSet<StreamPartition>) -> EndedEpoch {
        let until = self
            .latest
            .watermark(idle)
            .map_or(i64::MIN, |watermark| watermark.saturating_sub(self.spec.lateness));
        self.closed_until = self.closed_until.max(until);
        self.epoch = self.epoch.next();
        self.ended = self.cut.clone();
        self.rows_bytes = 0;
        EndedEpoch {
            spec: self.spec.clone(),
            sink: self.sink.clone(),
            epoch: self.epoch,
            cut: self.cut.clone(),
            late: std::mem::take(&mut self.late),
            query: self.query.clone(),
            closed_until: self.closed_until,
            marks: self.marks.clone(),
            latest: self.latest.clone(),
            counts: self.counts,
            windows: Windows { open: std::mem::take(&mut self.open), fresh: std::mem::take(&mut self.fresh) },
            rows: std::mem::take(&mut self.rows),
        }
    }

    /// Goes on from an epoch that was written. Gives what is to be shown of it.
    pub(super) fn go_on(&mut self, written: WrittenEpoch) -> ModelProgress {
        let checkpoint = written.checkpoint;
        self.counts.written = checkpoint.counts.written;
        self.open = checkpoint.open;
        // Partitions that came to be since are behind it from their first event on.
        self.committed.extend(checkpoint.cut);
        self.last_commit = Some(Utc::now());
        self.shown(checkpoint.counts, checkpoint.closed_until)
    }

    /// What is to be shown of a model that has not begun.
    pub(super) fn begun(&self) -> ModelProgress {
        self.shown(self.counts, self.closed_until)
    }

    fn shown(&self, counts: Counts, closed_until: i64) -> ModelProgress {
        let windowed = self.spec.query.windowed.as_ref();
        let open_windows = windowed.and_then(|windowed| count(&self.open, windowed.window).ok());
        ModelProgress {
            counts,
            closed_until: Some(closed_until).filter(|until| *until != i64::MIN),
            open_windows: open_windows.unwrap_or_default(),
            epoch: self.epoch.0,
            began: self.began,
            last_commit: self.last_commit,
        }
    }
}

impl EndedEpoch {
    /// What the epoch writes.
    pub(super) async fn settle(&self) -> Result<EpochOutput, EngineError> {
        let Some(windowed) = &self.spec.query.windowed else {
            let upserts = self.rows.iter().map(without_event).collect::<Result<_, _>>()?;
            return Ok(EpochOutput { upserts, deletes: Vec::new(), open: Vec::new() });
        };
        if !self.windows.fresh.has_news() {
            let open = self.windows.open.clone();
            return Ok(EpochOutput { upserts: Vec::new(), deletes: Vec::new(), open });
        }
        let keys: Vec<usize> =
            self.spec.table.key().filter_map(|key| self.spec.table.schema.index_of(key).ok()).collect();
        let settled = self.windows.settle(&self.query, windowed, &keys).await?;
        Ok(EpochOutput { upserts: settled.changed, deletes: settled.gone, open: settled.open })
    }

    /// The checkpoint that ends the epoch.
    pub(super) fn checkpoint(&self, output: &EpochOutput) -> Result<Checkpoint, EngineError> {
        let open = match &self.spec.query.windowed {
            Some(windowed) => still_open(&output.open, windowed.window, self.closed_until)?,
            None => Vec::new(),
        };
        let written = output.upserts.iter().map(|batch| batch.num_rows() as u64).sum::<u64>();
        Ok(Checkpoint {
            fingerprint: self.spec.fingerprint.clone(),
            cut: self.cut.clone(),
            closed_until: self.closed_until,
            marks: self.marks.clone(),
            latest: self.latest.clone(),
            counts: Counts { written: self.counts.written + written, ..self.counts },
            open,
        })
    }
}

impl Taking {
    /// Takes events.
    ///
    /// # Errors
    /// Where the model's SQL fails on a value.
    pub(super) async fn take(&self, events: &[Arc<EventBatch>]) -> Result<TakenEvents, EngineError> {
        let mut taken = TakenEvents::default();
        let mut good = Vec::new();
        for batch in self.query.rows(events).await? {
            if let Some(batch) = self.admitted(batch, &mut taken)?
                && batch.num_rows() > 0
            {
                good.push(batch);
            }
        }
        taken.output = if self.spec.query.windowed.is_some() && !good.is_empty() {
            self.query.states_of(good).await?
        } else {
            good
        };
        Ok(taken)
    }

    /// The rows that are in time and have a key; the others are noted.
    fn admitted(
        &self,
        batch: RecordBatch,
        taken: &mut TakenEvents,
    ) -> Result<Option<RecordBatch>, ArrowError> {
        let mut bad: Option<BooleanArray> = None;
        for (name, column) in self.keys(&batch) {
            let column = batch.column(column);
            if column.null_count() == 0 {
                continue;
            }
            let nulls = is_null(column)?;
            for event in events_where(&batch, &nulls)? {
                taken.keyless.entry(event).or_insert_with(|| name.to_owned());
            }
            bad = Some(bad.map_or(Ok(nulls.clone()), |bad| or(&bad, &nulls))?);
        }
        if let Some(windowed) = &self.spec.query.windowed {
            let column = batch.column(windowed.window.group);
            let late = not(&ends_after(column, windowed.window, self.closed_until)?)?;
            if late.true_count() > 0 {
                let starts = window_starts(column)?;
                let starts = filter(&starts, &late)?;
                let starts = starts.as_primitive::<Int64Type>().values().to_vec();
                taken.late.extend(events_where(&batch, &late)?.into_iter().zip(starts));
                bad = Some(bad.map_or(Ok(late.clone()), |bad| or(&bad, &late))?);
            }
        }
        match bad {
            None => Ok(Some(batch)),
            Some(bad) => filter_record_batch(&batch, &not(&bad)?).map(Some),
        }
    }

    /// The columns of the key that stand in a row as they are, by their number in it.
    fn keys(&self, batch: &RecordBatch) -> Vec<(&str, usize)> {
        let is_windowed = self.spec.query.windowed.is_some();
        let columns = self.spec.query.columns.iter().enumerate();
        let named = columns.filter_map(|(number, column)| {
            let is_key = self.spec.table.key().any(|key| key == column.name);
            let number = if is_windowed { column.group } else { Some(number) };
            number
                .filter(|number| is_key && *number < batch.num_columns())
                .map(|number| (column.name.as_str(), number))
        });
        named.collect()
    }
}

/// The place and offset of the events whose rows are chosen.
fn events_where(batch: &RecordBatch, chosen: &BooleanArray) -> Result<Vec<(i32, i64)>, ArrowError> {
    let schema = batch.schema();
    let places = filter(batch.column(schema.index_of(PLACE)?), chosen)?;
    let offsets = filter(batch.column(schema.index_of(OFFSET)?), chosen)?;
    let places = places.as_primitive::<Int32Type>().values().iter().copied();
    Ok(places.zip(offsets.as_primitive::<Int64Type>().values().iter().copied()).collect())
}

/// A row of a model without windows, as it is written.
fn without_event(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns: Vec<usize> = (0..batch.num_columns().saturating_sub(2)).collect();
    batch.project(&columns)
}
