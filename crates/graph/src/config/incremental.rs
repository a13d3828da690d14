//! Config that incremental models have for dbt's strategies: what a merge replaces, and the batches of a microbatch model.

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};
use serde_json::Value as Json;

use super::model::ModelConfig;
use super::reader::ConfigReader;
use mep_core::time_range::BatchSize;

/// The columns that a merge replaces in a stored row that has the key of a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MergeColumns {
    /// All of them.
    #[default]
    All,
    /// These, and the others stay as they are stored.
    Only(Vec<String>),
    /// All but these, which stay as they are stored.
    AllBut(Vec<String>),
}

impl MergeColumns {
    /// Whether a merge replaces this column.
    pub fn replaces(&self, column: &str) -> bool {
        let names = |columns: &[String]| columns.iter().any(|one| one == column);
        match self {
            Self::All => true,
            Self::Only(columns) => names(columns),
            Self::AllBut(columns) => !names(columns),
        }
    }

    /// The key that config has for it, and the columns that it names.
    pub(crate) fn named(&self) -> (&'static str, &[String]) {
        match self {
            Self::All => ("merge_update_columns", &[]),
            Self::Only(columns) => ("merge_update_columns", columns),
            Self::AllBut(columns) => ("merge_exclude_columns", columns),
        }
    }
}

/// How a model is run batch by batch, as far as config says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicrobatchConfig {
    /// The time of the first batch.
    pub begin: Option<NaiveDateTime>,
    /// How much event time a batch covers.
    pub batch_size: Option<BatchSize>,
    /// How many batches before the latest one are run again each time.
    pub lookback: u32,
}

impl Default for MicrobatchConfig {
    fn default() -> Self {
        Self { begin: None, batch_size: None, lookback: 1 }
    }
}

/// A day, or a day and a time, in UTC: `2018-11-01`, `2018-11-01T06:00:00`, `2018-11-01 06:00`.
pub fn time_of(text: &str) -> Option<NaiveDateTime> {
    let text = text.trim().trim_end_matches('Z');
    if let Ok(day) = text.parse::<NaiveDate>() {
        return Some(day.and_time(NaiveTime::MIN));
    }
    let forms = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
}

impl ConfigReader<'_> {
    /// Columns of a merge, of which only one of both kinds may be given.
    pub(super) fn merge_columns(&mut self, config: &mut ModelConfig, of: fn(Vec<String>) -> MergeColumns) {
        let columns = self.list();
        if columns.is_empty() {
            return;
        }
        if config.merge_columns != MergeColumns::All {
            self.wrong(
                "`merge_update_columns` and `merge_exclude_columns` say the same in two ways",
                "keep one of them",
            );
        }
        config.merge_columns = of(columns);
    }

    pub(super) fn time(&mut self) -> Option<NaiveDateTime> {
        match &self.located.value {
            Json::Null => None,
            Json::String(text) => match time_of(text) {
                Some(time) => Some(time),
                None => self.expected("a day or a time in UTC, such as 2018-11-01 or 2018-11-01T06:00:00"),
            },
            _ => self.expected("a day or a time in UTC, such as 2018-11-01 or 2018-11-01T06:00:00"),
        }
    }

    pub(super) fn lookback(&mut self) -> Option<u32> {
        let of_text = |text: &str| text.trim().parse().ok();
        let number = self.located.value.as_u64().or_else(|| self.located.value.as_str().and_then(of_text));
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.or_else(|| self.expected("a number of batches"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_or_a_day_and_a_time() {
        let midnight = time_of("2018-11-01").unwrap();
        assert_eq!(midnight.to_string(), "2018-11-01 00:00:00");
        assert_eq!(time_of(" 2018-11-01T00:00:00Z"), Some(midnight));
        assert_eq!(time_of("2018-11-01 06:30").unwrap().to_string(), "2018-11-01 06:30:00");
        assert_eq!(time_of("yesterday"), None);
    }
}
