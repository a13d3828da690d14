//! What is to be read of each partition, given what Kafka holds and what was landed: no offset is passed over in silence.
//!
//! Pure: it compares numbers. What it cannot explain is an error, unless the user accepts lost offsets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::cluster::{HeldOffsets, TopicPartition};
use super::mark::Mark;
use super::range::Range;
use mep_contract::source::{Holding, Recorded, Unit};

/// The version of a range: what stands at an offset never changes.
pub(super) const READ: &str = "read";
/// The version of a range whose messages were gone before they could be read.
pub(super) const LOST: &str = "lost";

/// What is compared.
pub(super) struct Comparison<'a> {
    /// What Kafka holds, by partition.
    pub held: &'a [HeldOffsets],
    /// What was landed.
    pub recorded: &'a [Recorded],
    /// Partitions whose last landed message is another one by now.
    pub changed: &'a BTreeSet<TopicPartition>,
    /// Whether what is lost is accepted.
    pub accept: bool,
}

/// The ranges of a partition that were landed, in order.
type LandedRanges<'a> = BTreeMap<TopicPartition, Vec<(Range, &'a Recorded)>>;

fn landed(recorded: &[Recorded]) -> LandedRanges<'_> {
    let mut landed: LandedRanges<'_> = BTreeMap::new();
    for unit in recorded {
        if let Some(range) = Range::parse(&unit.id) {
            landed.entry((range.topic.clone(), range.partition)).or_default().push((range, unit));
        }
    }
    for ranges in landed.values_mut() {
        ranges.sort_by(|(a, _), (b, _)| a.cmp(b));
    }
    landed
}

/// The marks of the last messages that were landed of each partition that Kafka still holds at their offsets.
pub(super) fn marks(held: &[HeldOffsets], recorded: &[Recorded]) -> BTreeMap<TopicPartition, Mark> {
    let landed = landed(recorded);
    let mark = |held: &HeldOffsets| {
        let place = (held.topic.clone(), held.partition);
        let ranges = landed.get(&place)?;
        let generation = ranges.last()?.0.generation;
        let mut current = ranges.iter().rev().take_while(|(range, _)| range.generation == generation);
        let mark = current.find_map(|(_, unit)| unit.mark.as_deref().and_then(Mark::parse))?;
        (held.low..held.high).contains(&mark.offset).then_some((place, mark))
    };
    held.iter().filter_map(mark).collect()
}

/// The units that there are, or in words why it is not clear what comes next.
pub(super) fn holding(comparison: &Comparison<'_>) -> Result<Holding, String> {
    let landed = landed(comparison.recorded);
    let mut outcome = ComparisonOutcome { accept: comparison.accept, ..ComparisonOutcome::default() };
    let topics: BTreeSet<&Arc<str>> = comparison.held.iter().map(|held| &held.topic).collect();
    let seen: BTreeSet<&Arc<str>> = landed.keys().map(|(topic, _)| topic).collect();
    for held in comparison.held {
        let place = (held.topic.clone(), held.partition);
        match landed.get(&place) {
            Some(ranges) => outcome.go_on(held, ranges, comparison.changed.contains(&place)),
            // All partitions that were there at the first landing were noted: this one came later, so it begins at 0.
            None if seen.contains(&held.topic) => outcome.begin(held, 1, 0),
            None => outcome.begin(held, 1, held.low),
        }
    }
    let there: BTreeSet<TopicPartition> =
        comparison.held.iter().map(|held| (held.topic.clone(), held.partition)).collect();
    for (place, ranges) in &landed {
        if there.contains(place) {
            continue;
        }
        outcome.holding.kept.extend(ranges.iter().map(|(_, unit)| unit.id.clone()));
        // A topic that the table no longer names is left as it is.
        if topics.contains(&place.0) {
            outcome.gone(format!(
                "{}/{} was landed, but the topic no longer has that partition: it was deleted and created again",
                place.0, place.1
            ));
        }
    }
    outcome.check_waiting(comparison.recorded);
    outcome.end()
}

#[derive(Default)]
struct ComparisonOutcome {
    accept: bool,
    holding: Holding,
    faults: Vec<String>,
    /// Whether there is a fault that the user can accept.
    acceptable: bool,
}

impl ComparisonOutcome {
    /// Goes on with a partition behind what was landed of it.
    fn go_on(&mut self, held: &HeldOffsets, ranges: &[(Range, &Recorded)], is_changed: bool) {
        let Some((last, _)) = ranges.last() else { return };
        let generation = last.generation;
        let (current, earlier): (Vec<_>, Vec<_>) =
            ranges.iter().partition(|(range, _)| range.generation == generation);
        self.holding.kept.extend(earlier.iter().map(|(_, unit)| unit.id.clone()));
        for pair in current.windows(2) {
            let (before, after) = (&pair[0].0, &pair[1].0);
            if before.to != after.from {
                self.faults.push(format!(
                    "the record of what was landed is damaged: {after} does not follow {before}"
                ));
                return;
            }
        }
        let renewed = if last.to > held.high {
            Some(format!("offsets up to {} were landed, but it ends at {}", last.to, held.high))
        } else if is_changed {
            Some("the last message that was landed is no longer the same".to_owned())
        } else {
            None
        };
        if let Some(why) = renewed {
            self.gone(format!(
                "{}/{} is not the partition that was landed: {why}; the topic was deleted and created again, or truncated",
                held.topic, held.partition
            ));
            self.holding.kept.extend(current.iter().map(|(_, unit)| unit.id.clone()));
            if self.accept {
                self.begin(held, generation + 1, held.low);
            }
            return;
        }
        for (range, unit) in &current {
            let is_lost = unit.version.starts_with(LOST);
            if is_lost || range.is_empty() || range.from >= held.low && !unit.is_short {
                let version = if is_lost { LOST } else { READ };
                self.holding.units.push(unit_of(range, version, Some(unit.batch.clone())));
                continue;
            }
            self.holding.kept.push(unit.id.clone());
            if unit.withheld > 0 {
                let how = if unit.is_short { "are no longer all in" } else { "have expired from" };
                self.gone(format!(
                    "{} rows of {range} waited for a later --date, and {how} Kafka",
                    unit.withheld
                ));
            }
        }
        self.read_on(held, generation, last.to);
    }

    /// Begins with a partition of which nothing was landed. Where there is nothing to read, its place is noted, so that a
    /// later run knows what it has missed.
    fn begin(&mut self, held: &HeldOffsets, generation: u32, from: i64) {
        self.read_on(held, generation, from);
        if from.max(held.low) >= held.high {
            let range = range(held, generation, held.high, held.high);
            self.holding.units.push(unit_of(&range, READ, None));
        }
    }

    fn read_on(&mut self, held: &HeldOffsets, generation: u32, from: i64) {
        if from < held.low {
            let lost = range(held, generation, from, held.low);
            self.gone(format!(
                "offsets {from} to {} of {}/{} expired before they were landed: Kafka holds it from {} on",
                held.low - 1,
                held.topic,
                held.partition,
                held.low
            ));
            self.holding.units.push(unit_of(&lost, LOST, None));
        }
        let from = from.max(held.low);
        if from < held.high {
            self.holding.units.push(unit_of(&range(held, generation, from, held.high), READ, None));
        }
    }

    /// Rows that wait for a later date are landed together with all of their batch. Where that can no longer be read as a
    /// whole, they never will be.
    fn check_waiting(&mut self, recorded: &[Recorded]) {
        let kept: BTreeSet<&str> = self.holding.kept.iter().map(String::as_str).collect();
        let is_kept = |unit: &&Recorded| kept.contains(unit.id.as_str());
        let batches: BTreeSet<&str> =
            recorded.iter().filter(is_kept).map(|unit| unit.batch.as_str()).collect();
        let stuck = recorded
            .iter()
            .filter(|unit| unit.withheld > 0 && !is_kept(unit) && batches.contains(unit.batch.as_str()));
        let faults: Vec<String> = stuck
            .map(|unit| {
                format!(
                    "{} rows of {} wait for a later --date, but share a batch with offsets that have expired",
                    unit.withheld, unit.id
                )
            })
            .collect();
        for fault in faults {
            self.gone(fault);
        }
    }

    /// That rows are lost for good: a warning where that is accepted.
    fn gone(&mut self, what: String) {
        if self.accept {
            self.holding.warnings.push(format!("{what} (accepted: `on_lost_offsets: accept`)"));
        } else {
            self.acceptable = true;
            self.faults.push(what);
        }
    }

    fn end(self) -> Result<Holding, String> {
        if self.faults.is_empty() {
            return Ok(self.holding);
        }
        let more = self.faults.len().saturating_sub(3);
        let mut text = self.faults.iter().take(3).cloned().collect::<Vec<_>>().join("; ");
        if more > 0 {
            text.push_str(&format!("; and {more} more partitions"));
        }
        if self.acceptable {
            text.push_str(
                ". Nothing was landed. To keep what was landed, land what is left and note the gap, run once with \
                 `on_lost_offsets: accept` at the source table",
            );
        }
        Err(text)
    }
}

fn range(held: &HeldOffsets, generation: u32, from: i64, to: i64) -> Range {
    Range { topic: held.topic.clone(), partition: held.partition, generation, from, to }
}

fn unit_of(range: &Range, version: &str, batch: Option<String>) -> Unit {
    Unit { id: range.to_string(), version: version.to_owned(), batch, bytes: None, day: None }
}

#[cfg(test)]
mod tests;
