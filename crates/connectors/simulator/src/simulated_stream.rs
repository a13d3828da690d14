//! The simulator as a source that goes on: events in the order of their time, at a pace.
//!
//! There is one partition. An offset is the number of the day, counted from the first, times 2^32, and the number of the event
//! in its day.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{AsArray, RecordBatch, UInt32Array};
use arrow::compute::{SortOptions, concat_batches, sort_to_indices, take_record_batch};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;
use chrono::NaiveDate;

use super::simulated::SimulatedSource;
use mep_contract::source::tail::{DecodedEvents, Offsets, Stream, StreamPartition, Stretch, Tail, Undecoded};
use mep_contract::source::{RowSchema, Source as _, SourceError, SourceItem};

/// Rows that are given out at once.
const STRETCH_ROWS: usize = 8_192;

/// How long a pause between stretches may be.
const TICK: Duration = Duration::from_millis(50);

/// A topic of the simulator, as events that come one after another.
pub struct SimulatedStream {
    source: Arc<SimulatedSource>,
    topic: Arc<str>,
    schema: RowSchema,
    days: Vec<NaiveDate>,
    /// How many times as fast as the clock the simulated time goes; `None`: as fast as it is read.
    speed: Option<f64>,
}

impl SimulatedStream {
    /// The events of a simulated source, at a pace.
    ///
    /// # Errors
    /// Where the source cannot say its days, or has no event time to order events by.
    pub fn new(
        source: SimulatedSource,
        topic: &str,
        schema: RowSchema,
        speed: Option<f64>,
    ) -> Result<Self, SourceError> {
        if schema.event_time.is_none() {
            return Err(SourceError::unreadable(format!(
                "the simulator's `{topic}` is streamed in the order of time: name the column with `event_time`"
            )));
        }
        let days = source.units(&[])?.units.iter().filter_map(|unit| unit.day).collect();
        Ok(Self { source: Arc::new(source), topic: topic.into(), schema, days, speed })
    }

    fn partition(&self) -> StreamPartition {
        StreamPartition { topic: self.topic.clone(), number: 0 }
    }
}

impl Stream for SimulatedStream {
    fn describe(&self) -> String {
        format!("{} of the simulator", self.topic)
    }

    fn counts_by_offset(&self) -> bool {
        false
    }

    fn tail(
        &self,
        from: &Offsets,
        cuts: &BTreeMap<StreamPartition, Vec<i64>>,
    ) -> Result<Box<dyn Tail>, SourceError> {
        let partition = self.partition();
        let next = from.get(&partition).copied().unwrap_or(0);
        let mut cuts = cuts.get(&partition).cloned().unwrap_or_default();
        cuts.retain(|cut| *cut > next);
        cuts.sort_unstable_by(|a, b| b.cmp(a));
        Ok(Box::new(SimulatedTail {
            source: self.source.clone(),
            schema: self.schema.clone(),
            days: self.days.clone(),
            speed: self.speed,
            partition,
            next,
            cuts,
            day: None,
            clock: None,
            ready: VecDeque::new(),
        }))
    }

    fn landed(&self, units: &mut dyn Iterator<Item = &str>) -> Offsets {
        let landed: BTreeSet<&str> = units.collect();
        let days = self.days.iter().take_while(|day| landed.contains(day.to_string().as_str())).count();
        BTreeMap::from([(self.partition(), offset(days as i64, 0))])
    }
}

struct SimulatedTail {
    source: Arc<SimulatedSource>,
    schema: RowSchema,
    days: Vec<NaiveDate>,
    speed: Option<f64>,
    partition: StreamPartition,
    next: i64,
    /// Offsets that end a stretch, the smallest last.
    cuts: Vec<i64>,
    day: Option<DayOfEvents>,
    /// When reading began, and at which simulated time, in milliseconds since 1970.
    clock: Option<(Instant, i64)>,
    ready: VecDeque<Stretch>,
}

/// The events of a day, in the order of their time.
struct DayOfEvents {
    number: i64,
    rows: RecordBatch,
    times: Vec<i64>,
}

fn offset(day: i64, row: usize) -> i64 {
    (day << 32) + row as i64
}

impl SimulatedTail {
    fn load(&self, number: i64) -> Result<DayOfEvents, SourceError> {
        let day = usize::try_from(number).ok().and_then(|number| self.days.get(number)).copied();
        let units = self.source.units(&[])?.units;
        let Some(unit) = units.iter().find(|unit| unit.day == day) else {
            return Err(SourceError::unreadable("the simulator has no such day"));
        };
        let mut batches = Vec::new();
        let mut reader = self.source.open(unit)?;
        while let Some(piece) = reader.next()? {
            piece.read(&mut |item| {
                if let SourceItem::Rows(rows) = item {
                    batches.push(rows);
                }
                Ok(())
            })?;
        }
        let sorted =
            sorted(&self.schema, &batches).map_err(|error| SourceError::unreadable(error.to_string()))?;
        Ok(DayOfEvents { number, rows: sorted.0, times: sorted.1 })
    }

    /// Gives out the events that are due.
    fn advance(&mut self) -> Result<(), SourceError> {
        let number = self.next >> 32;
        if number >= self.days.len() as i64 {
            return Ok(());
        }
        if self.day.as_ref().is_none_or(|day| day.number != number) {
            self.day = Some(self.load(number)?);
        }
        let Some(day) = &self.day else { return Ok(()) };
        let first = usize::try_from(self.next & 0xffff_ffff).unwrap_or(usize::MAX).min(day.times.len());
        let due = match (self.speed, day.times.get(first)) {
            (Some(speed), Some(time)) => {
                let (since, start) = self.clock.get_or_insert_with(|| (Instant::now(), *time));
                let now = *start + (since.elapsed().as_millis() as f64 * speed) as i64;
                first + day.times[first..].partition_point(|time| *time <= now)
            }
            _ => day.times.len(),
        };
        let mut from = first;
        while from < due {
            let mut to = due.min(from + STRETCH_ROWS);
            let cut = self.cuts.last().copied().filter(|cut| *cut <= offset(number, to));
            if let Some(cut) = cut {
                self.cuts.pop();
                to = usize::try_from(cut - offset(number, 0)).unwrap_or(to).clamp(from, to);
            }
            self.give(number, from, to);
            from = to;
        }
        let is_over = self.day.as_ref().is_some_and(|day| due == day.times.len());
        if is_over {
            let last = offset(number, due);
            self.next = offset(number + 1, 0);
            self.day = None;
            self.push(
                last,
                PendingRows { rows: RecordBatch::new_empty(self.schema.fields.clone()), offsets: Vec::new() },
            );
        }
        Ok(())
    }

    fn give(&mut self, number: i64, from: usize, to: usize) {
        let Some(day) = &self.day else { return };
        let rows = day.rows.slice(from, to - from);
        let offsets = (from..to).map(|row| offset(number, row)).collect();
        self.next = offset(number, to);
        self.push(offset(number, from), PendingRows { rows, offsets });
    }

    fn push(&mut self, from: i64, rows: PendingRows) {
        let partition = self.partition.clone();
        self.ready.push_back(Stretch { partition, from, to: self.next, mark: None, events: Box::new(rows) });
    }
}

impl Tail for SimulatedTail {
    fn next(&mut self, patience: Duration) -> Result<Option<Stretch>, SourceError> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(stretch) = self.ready.pop_front() {
                return Ok(Some(stretch));
            }
            self.advance()?;
            if self.ready.is_empty() {
                if Instant::now() >= deadline {
                    return Ok(None);
                }
                std::thread::sleep(TICK.min(patience));
            }
        }
    }

    fn positions(&self) -> Offsets {
        BTreeMap::from([(self.partition.clone(), self.next)])
    }

    fn ends(&mut self) -> Result<Offsets, SourceError> {
        Ok(BTreeMap::from([(self.partition.clone(), offset(self.days.len() as i64, 0))]))
    }
}

/// The rows in the order of their event times, with these in milliseconds.
fn sorted(schema: &RowSchema, batches: &[RecordBatch]) -> Result<(RecordBatch, Vec<i64>), ArrowError> {
    let rows = concat_batches(&schema.fields, batches)?;
    let Some(millis) = schema.event_millis(&rows)? else { return Ok((rows, Vec::new())) };
    let order: UInt32Array = sort_to_indices(&millis, Some(SortOptions::default()), None)?;
    let rows = take_record_batch(&rows, &order)?;
    let millis = arrow::compute::take(&millis, &order, None)?;
    Ok((rows, millis.as_primitive::<Int64Type>().values().to_vec()))
}

struct PendingRows {
    rows: RecordBatch,
    offsets: Vec<i64>,
}

impl Undecoded for PendingRows {
    fn decode(self: Box<Self>) -> Result<DecodedEvents, SourceError> {
        let read = self.offsets.len() as u64;
        let batches = if read == 0 { Vec::new() } else { vec![(self.rows, self.offsets)] };
        Ok(DecodedEvents { batches, unreadable: Vec::new(), read })
    }
}
