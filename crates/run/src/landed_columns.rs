//! What the rows of a landing have in the declared columns, and what of it the user should know.
//!
//! A field that is misspelled in the declaration is NULL in all rows, and so is one that messages do not carry. A time in
//! seconds that is read as milliseconds is one of January 1970. Neither is an error, and both are seldom meant.

use arrow::array::{Array, RecordBatch};
use arrow::datatypes::DataType;

use mep_contract::source::RowSchema;
use mep_lang::project::Column;

/// How alike a name must be for it to be what was meant.
const ALIKE: f64 = 0.75;

/// What the rows that were landed so far have in the declared columns.
#[derive(Debug, Default)]
pub(super) struct LandedColumns {
    /// Whether any row has a value, for each column; empty where there are no rows.
    filled: Vec<bool>,
    /// How many event times there are that are numbers.
    times: usize,
    /// How many of them are of the years before 1980.
    early: usize,
}

impl LandedColumns {
    /// These rows were read.
    pub(super) fn add(&mut self, rows: &RecordBatch, schema: &RowSchema) {
        self.filled.resize(rows.num_columns(), false);
        for (filled, column) in self.filled.iter_mut().zip(rows.columns()) {
            *filled = *filled || column.null_count() < column.len();
        }
        let times = schema.event_time.map(|index| rows.column(index));
        if let Some(times) = times.filter(|times| *times.data_type() == DataType::Int64) {
            self.times += times.len();
            self.early += usize::try_from(schema.early_events(rows)).unwrap_or(usize::MAX);
        }
    }

    /// So were those.
    pub(super) fn merge(&mut self, other: &Self) {
        self.filled.resize(self.filled.len().max(other.filled.len()), false);
        for (filled, of_other) in self.filled.iter_mut().zip(&other.filled) {
            *filled = *filled || *of_other;
        }
        self.times += other.times;
        self.early += other.early;
    }

    /// What the user should know. `undeclared` are names that the rows have and nothing declares, `beside` those of what the
    /// source has beside its rows.
    pub(super) fn warnings(
        &self,
        schema: &RowSchema,
        declared: &[Column],
        is_new: bool,
        undeclared: &[String],
        beside: &[&str],
    ) -> Vec<String> {
        let mut warnings = Vec::new();
        let empty = schema.fields.fields().iter().zip(&self.filled).filter(|(_, filled)| !**filled);
        for (field, _) in empty {
            let name = field.name();
            let meant = nearest(name, undeclared);
            if meant.is_none() && !is_new {
                // Rows that come by and by need not have everything.
                continue;
            }
            let place = declared.iter().find(|column| column.name.value == *name).map(|column| {
                let (line, character) = column.name.place.line_column();
                format!(" ({}:{line}:{character})", column.name.place.text.path().display())
            });
            let how_on = match meant {
                Some(meant) => {
                    format!("they have `{meant}`, which is not declared: is that the column you meant?")
                }
                None => match beside.iter().find(|beside| is_called(name, beside)) {
                    Some(beside) => format!(
                        "the {beside} of a message is not part of its value, and only the value is read: write what you need of it into the value as well"
                    ),
                    None => "if you did not expect that, check how the rows spell it".to_owned(),
                },
            };
            warnings.push(format!(
                "no row has a value for the column `{name}`{}; {how_on}",
                place.unwrap_or_default()
            ));
        }
        if let Some(field) = schema.event_time_field().filter(|_| self.early > 0) {
            let Self { times, early, .. } = self;
            let which = if early == times { "all".to_owned() } else { format!("{early} of {times}") };
            warnings.push(format!(
                "{which} events are of the years before 1980, since `{}` is read as milliseconds since 1970; if it is in seconds, let what writes it write milliseconds, or a timestamp in ISO 8601 and declare it as timestamp",
                field.name()
            ));
        }
        warnings
    }
}

/// Whether a column is named for what stands beside a row: `key`, `kafka_key`, `_message_key`.
fn is_called(column: &str, beside: &str) -> bool {
    let column = column.to_lowercase();
    let plain = column.trim_matches('_');
    let plain = ["kafka", "message", "record"].iter().find_map(|of| plain.strip_prefix(of)).unwrap_or(plain);
    plain.trim_matches('_') == beside
}

fn nearest<'a>(name: &str, candidates: &'a [String]) -> Option<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['_', '-', ' ', '.'], "");
    let wanted = plain(name);
    candidates
        .iter()
        .map(|candidate| (strsim::normalized_damerau_levenshtein(&wanted, &plain(candidate)), candidate))
        .filter(|(likeness, _)| *likeness >= ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_may_be_named_for_what_stands_beside_a_row() {
        for name in ["key", "kafka_key", "_KEY", "message_key", "__kafka__key"] {
            assert!(is_called(name, "key"), "{name}");
        }
        assert!(!is_called("monkey", "key") && !is_called("key_id", "key"));
    }

    #[test]
    fn the_name_that_was_meant_is_one_that_is_spelled_almost_so() {
        let names = ["artist", "user-id", "title"].map(str::to_owned);
        assert_eq!(nearest("artst", &names), Some("artist"));
        assert_eq!(nearest("userId", &names), Some("user-id"));
        assert_eq!(nearest("length", &names), None);
    }
}
