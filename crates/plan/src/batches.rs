//! Which batches of a microbatch model are run, and why.

use chrono::NaiveDateTime;
use serde::Serialize;

use mep_contract::warehouse::TableVersion;
use mep_core::time_range::{TimeRange, TimeRanges};
use mep_graph::CompiledBatches;

/// Why a batch is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchReason {
    /// There is no table yet.
    FirstRun,
    /// The user asked for everything anew.
    FullRefresh,
    /// The user asked for this stretch of time.
    AskedFor,
    /// No run has done it, or the one that tried failed.
    NotDone,
    /// It is one of the latest, which are run each time for rows that came late.
    Lookback,
}

impl BatchReason {
    fn words(self) -> &'static str {
        match self {
            Self::FirstRun => "first run",
            Self::FullRefresh => "full refresh",
            Self::AskedFor => "asked for",
            Self::NotDone => "not done yet",
            Self::Lookback => "lookback",
        }
    }
}

/// The batches to run, in their order.
#[derive(Clone, Debug, PartialEq)]
pub struct BatchPlan {
    /// Each with its reason.
    pub batches: Vec<(TimeRange, BatchReason)>,
    /// Whether they become a table of their own that takes the place of the stored one, in one step at the end.
    pub anew: bool,
    /// Up to when there are events: a batch that ends later is not done, however often it is run.
    pub now: NaiveDateTime,
}

/// What a run is told of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchTimes {
    /// The stretch that the user asked for.
    pub asked_for: Option<TimeRange>,
    /// Up to when there are events: the end of the logical date, else the time of the run.
    pub now: NaiveDateTime,
}

impl BatchPlan {
    /// Compares what is done with what should be.
    pub fn new(
        batches: &CompiledBatches,
        stored: Option<&TableVersion>,
        full_refresh: bool,
        times: BatchTimes,
    ) -> Self {
        let size = batches.size;
        let end = size.ceiling(times.now);
        let all = TimeRange { begin: batches.begin, end };
        // Batches that are asked for are built anew in any case, and the others stay.
        let full_refresh = full_refresh && times.asked_for.is_none();
        let anew = full_refresh && stored.is_some();
        let reason = match (stored, times.asked_for) {
            _ if full_refresh => Some(BatchReason::FullRefresh),
            (_, Some(_)) => Some(BatchReason::AskedFor),
            (None, None) => Some(BatchReason::FirstRun),
            (Some(_), None) => None,
        };
        let range = times.asked_for.unwrap_or(all);
        let due = size.batches(range).into_iter().filter(|batch| batch.begin >= batches.begin);
        let done = done(stored);
        let again_from = size.earlier(end, batches.lookback.saturating_add(1));
        let why = |batch: TimeRange| match reason {
            Some(reason) => Some(reason),
            None if !done.covers(batch) => Some(BatchReason::NotDone),
            None => (batch.begin >= again_from).then_some(BatchReason::Lookback),
        };
        let batches = due.filter_map(|batch| Some((batch, why(batch)?))).collect();
        Self { batches, anew, now: times.now }
    }

    /// The reasons, each with the batches that it holds for.
    pub fn why(&self) -> String {
        let mut parts: Vec<(BatchReason, TimeRange, TimeRange)> = Vec::new();
        for (batch, reason) in &self.batches {
            match parts.last_mut() {
                Some((before, _, last)) if before == reason && last.end == batch.begin => *last = *batch,
                _ => parts.push((*reason, *batch, *batch)),
            }
        }
        let text = |(reason, first, last): &(BatchReason, TimeRange, TimeRange)| {
            let to = if first == last { String::new() } else { format!(" to {last}") };
            format!("{} {first}{to}", reason.words())
        };
        parts.iter().map(text).collect::<Vec<_>>().join("; ")
    }
}

/// The batches that are done by now.
fn done(stored: Option<&TableVersion>) -> TimeRanges {
    let mut done = TimeRanges::default();
    for (_, partition) in stored.iter().flat_map(|table| table.partitions()) {
        done.add_all(&partition.ledger.done);
    }
    done
}
