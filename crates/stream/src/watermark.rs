//! Up to when the events of a source are taken to be complete.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use mep_contract::source::tail::StreamPartition;

/// How far ahead of the clock an event's time may be and still move the watermark, in milliseconds: one whose clock is wrong
/// by years would close all windows.
const AHEAD: i64 = 3_600_000;

/// The latest event time of each partition, in milliseconds since 1970.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Latest(Vec<(String, i32, i64)>);

impl Latest {
    /// An event of the partition has this time. `now` is the clock's.
    pub(super) fn saw(&mut self, partition: &StreamPartition, time: i64, now: i64) {
        let time = time.min(now.saturating_add(AHEAD));
        let known = self
            .0
            .iter_mut()
            .find(|(topic, number, _)| *number == partition.number && topic.as_str() == &*partition.topic);
        match known {
            Some((_, _, latest)) => *latest = (*latest).max(time),
            None => self.0.push((partition.topic.to_string(), partition.number, time)),
        }
    }

    /// The smallest of the partitions' latest times. A partition that is idle does not hold it back; where all are, the most
    /// advanced one counts.
    pub(super) fn watermark(&self, idle: &BTreeSet<StreamPartition>) -> Option<i64> {
        let is_idle = |topic: &str, number: i32| {
            idle.iter().any(|partition| partition.number == number && &*partition.topic == topic)
        };
        let active = self.0.iter().filter(|(topic, number, _)| !is_idle(topic, *number));
        let slowest = active.map(|(_, _, latest)| *latest).min();
        slowest.or_else(|| self.0.iter().map(|(_, _, latest)| *latest).max())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn partition(number: i32) -> StreamPartition {
        StreamPartition { topic: "t".into(), number }
    }

    #[test]
    fn the_slowest_partition_that_is_not_idle_decides() {
        let mut latest = Latest::default();
        assert_eq!(latest.watermark(&BTreeSet::new()), None);
        latest.saw(&partition(0), 100, 1_000);
        latest.saw(&partition(0), 90, 1_000);
        latest.saw(&partition(1), 40, 1_000);
        assert_eq!(latest.watermark(&BTreeSet::new()), Some(40));
        assert_eq!(latest.watermark(&BTreeSet::from([partition(1)])), Some(100));
        assert_eq!(latest.watermark(&BTreeSet::from([partition(0), partition(1)])), Some(100));
    }

    #[test]
    fn a_time_far_ahead_of_the_clock_does_not_close_all_windows() {
        let mut latest = Latest::default();
        latest.saw(&partition(0), i64::MAX, 1_000);
        assert_eq!(latest.watermark(&BTreeSet::new()), Some(1_000 + AHEAD));
    }
}
