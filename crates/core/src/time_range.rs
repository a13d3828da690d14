//! Stretches of event time, from one time up to but without another.
//!
//! Owns how batches of a size divide time, and sets of stretches. Times are without a zone and mean UTC. Must not know what
//! is done in a stretch.

use std::fmt;

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};
use serde::{Deserialize, Serialize};

/// How much event time a batch covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchSize {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}

impl BatchSize {
    /// The beginning of the batch that holds a time.
    pub fn floor(self, time: NaiveDateTime) -> NaiveDateTime {
        let day = time.date();
        let midnight = |day: Option<NaiveDate>| day.unwrap_or(time.date()).and_time(NaiveTime::MIN);
        match self {
            Self::Hour => midnight(Some(day)) + TimeDelta::hours(i64::from(time.hour())),
            Self::Day => midnight(Some(day)),
            Self::Month => midnight(day.with_day(1)),
            Self::Year => midnight(NaiveDate::from_ymd_opt(day.year(), 1, 1)),
        }
    }

    /// The earliest beginning of a batch that is not before a time.
    pub fn ceiling(self, time: NaiveDateTime) -> NaiveDateTime {
        let floor = self.floor(time);
        if floor == time { time } else { self.after(floor) }
    }

    /// The beginning of the next batch.
    fn after(self, begin: NaiveDateTime) -> NaiveDateTime {
        let next = match self {
            Self::Hour => begin.checked_add_signed(TimeDelta::hours(1)),
            Self::Day => begin.checked_add_days(Days::new(1)),
            Self::Month => begin.checked_add_months(Months::new(1)),
            Self::Year => begin.checked_add_months(Months::new(12)),
        };
        next.unwrap_or(NaiveDateTime::MAX)
    }

    /// The batch that begins at a time.
    pub fn batch_at(self, begin: NaiveDateTime) -> TimeRange {
        TimeRange { begin, end: self.after(begin) }
    }

    /// The beginning of the batch that lies so many batches earlier.
    pub fn earlier(self, begin: NaiveDateTime, batches: u32) -> NaiveDateTime {
        let earlier = match self {
            Self::Hour => begin.checked_sub_signed(TimeDelta::hours(i64::from(batches))),
            Self::Day => begin.checked_sub_days(Days::new(u64::from(batches))),
            Self::Month => begin.checked_sub_months(Months::new(batches)),
            Self::Year => begin.checked_sub_months(Months::new(batches.saturating_mul(12))),
        };
        earlier.unwrap_or(NaiveDateTime::MIN)
    }

    /// The batches that cover all of a stretch, in their order.
    pub fn batches(self, range: TimeRange) -> Vec<TimeRange> {
        let mut batches = Vec::new();
        let mut begin = self.floor(range.begin);
        while begin < range.end {
            let batch = self.batch_at(begin);
            batches.push(batch);
            begin = batch.end;
        }
        batches
    }
}

/// A stretch of time: `begin` belongs to it, `end` does not.
///
/// Written as both times with a slash between them, the way ISO 8601 writes an interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TimeRange {
    /// Its first instant.
    pub begin: NaiveDateTime,
    /// The first instant after it.
    pub end: NaiveDateTime,
}

impl fmt::Display for TimeRange {
    /// By its beginning, a day where it begins with one: batches of a model are told apart by it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.begin.time() == NaiveTime::MIN && self.end.time() == NaiveTime::MIN {
            write!(f, "{}", self.begin.date())
        } else {
            write!(f, "{}", self.begin.format("%Y-%m-%dT%H:%M"))
        }
    }
}

impl From<TimeRange> for String {
    fn from(range: TimeRange) -> Self {
        format!("{:?}/{:?}", range.begin, range.end)
    }
}

impl TryFrom<String> for TimeRange {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let times =
            text.split_once('/').and_then(|(begin, end)| Some((begin.parse().ok()?, end.parse().ok()?)));
        let (begin, end) = times.ok_or_else(|| format!("`{text}` is no stretch of time"))?;
        Ok(Self { begin, end })
    }
}

/// A set of stretches, of which none touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRanges(Vec<TimeRange>);

impl TimeRanges {
    /// Adds a stretch.
    pub fn add(&mut self, mut range: TimeRange) {
        self.0.retain(|other| {
            let touches = other.begin <= range.end && range.begin <= other.end;
            if touches {
                range.begin = range.begin.min(other.begin);
                range.end = range.end.max(other.end);
            }
            !touches
        });
        let place = self.0.partition_point(|other| other.begin < range.begin);
        self.0.insert(place, range);
    }

    /// Takes a stretch out, and says whether any of it was in the set.
    pub fn remove(&mut self, range: TimeRange) -> bool {
        let before = std::mem::take(&mut self.0);
        for own in &before {
            let left = TimeRange { begin: own.begin, end: own.end.min(range.begin) };
            let right = TimeRange { begin: own.begin.max(range.end), end: own.end };
            self.0.extend([left, right].into_iter().filter(|part| part.begin < part.end));
        }
        self.0 != before
    }

    /// Adds all stretches of another set.
    pub fn add_all(&mut self, others: &Self) {
        for range in &others.0 {
            self.add(*range);
        }
    }

    /// Whether all of a stretch is in the set.
    pub fn covers(&self, range: TimeRange) -> bool {
        self.0.iter().any(|own| own.begin <= range.begin && range.end <= own.end)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(month: u32, day: u32) -> NaiveDateTime {
        NaiveDate::from_ymd_opt(2018, month, day).unwrap().and_time(NaiveTime::MIN)
    }

    fn range(begin: NaiveDateTime, end: NaiveDateTime) -> TimeRange {
        TimeRange { begin, end }
    }

    #[test]
    fn batches_cover_a_stretch_and_begin_where_their_size_says() {
        let noon = day(11, 2) + TimeDelta::hours(12);
        let names = |size: BatchSize, begin, end| {
            let batches = size.batches(range(begin, end));
            batches.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(BatchSize::Day, day(11, 1), noon), "2018-11-01 2018-11-02");
        assert_eq!(names(BatchSize::Month, noon, day(12, 2)), "2018-11-01 2018-12-01");
        assert_eq!(names(BatchSize::Year, noon, day(12, 2)), "2018-01-01");
        assert_eq!(
            names(BatchSize::Hour, noon, noon + TimeDelta::minutes(61)),
            "2018-11-02T12:00 2018-11-02T13:00"
        );
    }

    #[test]
    fn a_time_is_rounded_to_batches_and_counted_back_by_them() {
        let noon = day(11, 2) + TimeDelta::hours(12);
        assert_eq!(BatchSize::Day.ceiling(noon), day(11, 3));
        assert_eq!(BatchSize::Day.ceiling(day(11, 3)), day(11, 3));
        assert_eq!(BatchSize::Month.floor(noon), day(11, 1));
        assert_eq!(BatchSize::Month.earlier(day(11, 1), 2), day(9, 1));
    }

    #[test]
    fn stretches_that_touch_become_one() {
        let mut ranges = TimeRanges::default();
        ranges.add(range(day(11, 3), day(11, 4)));
        ranges.add(range(day(11, 1), day(11, 2)));
        assert!(!ranges.covers(range(day(11, 1), day(11, 4))));
        ranges.add(range(day(11, 2), day(11, 3)));
        assert!(ranges.covers(range(day(11, 1), day(11, 4))));
        assert_eq!(ranges.0.len(), 1);
        let mut without = ranges.clone();
        assert!(
            without.remove(range(day(11, 2), day(11, 3))) && !without.remove(range(day(11, 2), day(11, 3)))
        );
        assert!(
            without.covers(range(day(11, 1), day(11, 2))) && without.covers(range(day(11, 3), day(11, 4)))
        );
        let json = serde_json::to_string(&ranges).unwrap();
        assert_eq!(json, r#"["2018-11-01T00:00:00/2018-11-04T00:00:00"]"#);
        assert_eq!(serde_json::from_str::<TimeRanges>(&json).unwrap(), ranges);
    }
}
