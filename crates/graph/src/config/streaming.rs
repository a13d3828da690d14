//! Config that models have whose rows are kept by key: streaming ones, and those that are served.

use std::time::Duration;

use serde_json::Value as Json;

use super::reader::ConfigReader;
use mep_contract::sink::Clustering;

/// Config of a streaming model, and of one that is served.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StreamingConfig {
    /// The columns that decide where a row lies.
    pub partition_key: Vec<String>,
    /// The columns that tell the rows of a partition apart and sort them.
    pub clustering: Vec<Clustering>,
    /// How long a row is kept.
    pub ttl: Option<Duration>,
    /// How much later than others an event may come.
    pub allowed_lateness: Option<Duration>,
}

/// How much later than others an event may come, where the model does not say.
pub(crate) const ALLOWED_LATENESS: Duration = Duration::from_mins(5);

const UNITS: [(&str, u64); 5] =
    [("second", 1), ("minute", 60), ("hour", 3_600), ("day", 86_400), ("week", 7 * 86_400)];

impl ConfigReader<'_> {
    /// Columns, each perhaps with `asc` or `desc` behind it.
    pub(super) fn clustering(&mut self) -> Vec<Clustering> {
        let mut clustering = Vec::new();
        for text in self.list() {
            let words: Vec<&str> = text.split_whitespace().collect();
            let (column, descending) = match words.as_slice() {
                [column] => (*column, false),
                [column, order] if order.eq_ignore_ascii_case("asc") => (*column, false),
                [column, order] if order.eq_ignore_ascii_case("desc") => (*column, true),
                _ => return self.expected("columns, each perhaps with desc behind it").unwrap_or_default(),
            };
            clustering.push(Clustering { column: column.to_owned(), descending });
        }
        clustering
    }

    /// A span of time, such as `10 minutes`.
    pub(super) fn span_of_time(&mut self) -> Option<Duration> {
        let found = match &self.located.value {
            Json::Null => return None,
            Json::String(text) => span_of_time(text),
            _ => None,
        };
        found.or_else(|| self.expected("a span of time such as `10 minutes`"))
    }
}

/// `90 seconds`, `10 minutes`, `1 hour`, `7 days`.
fn span_of_time(text: &str) -> Option<Duration> {
    let (number, unit) = text.trim().split_once(char::is_whitespace)?;
    let unit = unit.trim().to_lowercase();
    let (_, seconds) = UNITS.iter().find(|(name, _)| unit.strip_suffix('s').unwrap_or(&unit) == *name)?;
    number.parse::<u64>().ok()?.checked_mul(*seconds).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_of_time_has_a_number_and_a_unit() {
        assert_eq!(span_of_time(" 10 minutes"), Some(Duration::from_mins(10)));
        assert_eq!(span_of_time("1 Day"), Some(Duration::from_hours(24)));
        assert_eq!(span_of_time("10"), None);
        assert_eq!(span_of_time("-1 seconds"), None);
        assert_eq!(span_of_time("3 months"), None);
    }
}
