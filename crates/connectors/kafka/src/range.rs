//! A range of offsets of a partition, and the id that it bears as a unit.

use std::fmt;
use std::sync::Arc;

/// Offsets of one partition of one topic: from the first up to, and without, the end.
///
/// Its id is `topic/partition@from-to`. A topic that was deleted and made anew begins at 0 again: its second generation
/// is `topic/partition#2@from-to`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Range {
    pub topic: Arc<str>,
    pub partition: i32,
    pub generation: u32,
    pub from: i64,
    pub to: i64,
}

impl Range {
    /// The range of an id; `None` where the id is none of a range.
    pub(super) fn parse(id: &str) -> Option<Self> {
        let (place, offsets) = id.rsplit_once('@')?;
        let (from, to) = offsets.split_once('-')?;
        let (topic, partition) = place.rsplit_once('/')?;
        let (partition, generation) = match partition.split_once('#') {
            Some((partition, generation)) => (partition, generation.parse().ok().filter(|n| *n > 1)?),
            None => (partition, 1),
        };
        let range = Self {
            topic: topic.into(),
            partition: number(partition)?,
            generation,
            from: number(from)?,
            to: number(to)?,
        };
        (!topic.is_empty() && range.from <= range.to).then_some(range)
    }

    /// Whether it holds no offset. It says from where on a partition is read.
    pub(super) fn is_empty(&self) -> bool {
        self.from == self.to
    }
}

/// A number as ids have it: digits alone.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.topic, self.partition)?;
        if self.generation > 1 {
            write!(f, "#{}", self.generation)?;
        }
        write!(f, "@{}-{}", self.from, self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_read_as_it_was_written() {
        let range = Range { topic: "a.b_c-d".into(), partition: 12, generation: 1, from: 120, to: 5300 };
        assert_eq!(range.to_string(), "a.b_c-d/12@120-5300");
        assert_eq!(Range::parse("a.b_c-d/12@120-5300"), Some(range.clone()));
        let second = Range { generation: 2, ..range };
        assert_eq!(second.to_string(), "a.b_c-d/12#2@120-5300");
        assert_eq!(Range::parse(&second.to_string()), Some(second));
    }

    #[test]
    fn what_is_no_range_is_not_read_as_one() {
        let ids = [
            "listens/1.json",
            "2018-11-03",
            "t/0@5-4",
            "t/0@-1-4",
            "t/x@1-4",
            "/0@1-4",
            "t@1-4",
            "t/0@1",
            "t/0#1@1-4",
            "t/0@1-99999999999999999999",
        ];
        for id in ids {
            assert_eq!(Range::parse(id), None, "{id}");
        }
        assert!(Range::parse("t/0@7-7").unwrap().is_empty());
    }
}
