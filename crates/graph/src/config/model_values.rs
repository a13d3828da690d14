//! How values of a model's config are read.

use mep_core::warnings::WarningKind;
use mep_lang::project::{Problem, Weight, nearest};
use serde_json::Value as Json;

use super::model::{IncrementalStrategy, Materialization};
use super::reader::ConfigReader;
use super::word::Word as _;

/// dbt's ways to make relations that hold the rows of a SELECT, and which a warehouse or a file keeps.
const REFRESHED: [&str; 4] = ["materialized_view", "dynamic_table", "streaming_table", "external"];

impl ConfigReader<'_> {
    /// A way to make relations that mep has not is refused when the node is to be built.
    pub(super) fn materialized(&mut self) -> Materialization {
        let found = match &self.located.value {
            Json::Null => return Materialization::default(),
            Json::String(found) => found,
            _ => return self.word().unwrap_or_default(),
        };
        if REFRESHED.contains(&found.as_str()) {
            let message = format!(
                "`{found}` is built as a table: its rows are those of its SELECT when a run built it"
            );
            let problem = Problem::new(message).at(self.place()).weighing(Weight::Once);
            self.problems.push(problem.kind(WarningKind::OtherThanDbt));
            return Materialization::Table;
        }
        // A name that a project's own `{% materialization %}` may have; a slip of the pen is told at once.
        let words = Materialization::WORDS;
        let is_known = words.iter().any(|(word, _)| word.eq_ignore_ascii_case(found));
        let is_another = !is_known && nearest(found, words.iter().map(|(word, _)| *word)).is_none();
        if is_another && !found.is_empty() {
            self.is_refused = true;
            return Materialization::default();
        }
        self.word().unwrap_or_default()
    }

    /// `None` lets mep choose.
    pub(super) fn strategy(&mut self) -> Option<IncrementalStrategy> {
        let found = &self.located.value;
        if matches!(found.as_str(), Some("derived" | "default")) || found.is_null() {
            return None;
        }
        let words: Vec<(&str, Option<IncrementalStrategy>)> =
            IncrementalStrategy::WORDS.iter().map(|(word, value)| (*word, Some(*value))).collect();
        self.one_of(&[&words[..], &[("derived", None)]].concat()).flatten()
    }

    /// Whether a contract is enforced.
    pub(super) fn contract(&mut self) -> bool {
        let enforced = match &self.located.value {
            Json::Object(entries) => entries.get("enforced").cloned().unwrap_or_default(),
            other => other.clone(),
        };
        match enforced {
            Json::Bool(enforced) => enforced,
            Json::Null => false,
            _ => self.expected("{enforced: true}").unwrap_or_default(),
        }
    }

    /// Inputs of which a change asks for no build.
    pub(super) fn ignored_changes(&mut self) -> Vec<String> {
        let Json::Object(entries) = &self.located.value else {
            let wanted = "a mapping from the names of inputs to `ignore` or `rebuild`";
            return self.expected(wanted).unwrap_or_default();
        };
        let mut ignored = Vec::new();
        for (name, word) in entries {
            match word.as_str() {
                Some("ignore") => ignored.push(name.clone()),
                Some("rebuild") => {}
                _ => {
                    let message =
                        format!("`changes` of `{name}`: expected `ignore` or `rebuild`, found {word}");
                    self.problems.push(Problem::new(message).at(&self.located.place));
                }
            }
        }
        ignored
    }
}
