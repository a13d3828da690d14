//! Config that histories have.

use super::{Materialization, NodeConfig};
use mep_lang::project::{Problem, Problems};

/// Config of a history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryConfig {
    /// The column with the time of the event.
    pub valid_from: Option<String>,
    /// The columns that order the events of one key at one instant.
    pub sequence_by: Vec<String>,
    /// SQL that holds for an event after which the key is no more.
    pub deleted_when: Option<String>,
}

/// Says what a history lacks, and what other models have of it.
pub(super) fn check(config: &NodeConfig, problems: &mut Problems) {
    let place = |key: &str| config.places.get(key);
    if config.materialized() != Materialization::History {
        for key in ["valid_from", "check_cols", "sequence_by", "deleted_when"] {
            let Some(place) = place(key) else { continue };
            let message = format!(
                "`{key}` belongs to materialized='history', and this is materialized='{}'",
                config.materialized().as_str()
            );
            problems.push(Problem::new(message).at(place).help("take it away, or make the model a history"));
        }
        return;
    }
    let needed = [
        ("unique_key", config.unique_key().is_empty(), "say which columns name what the events are about"),
        (
            "valid_from",
            config.model().history.valid_from.is_none(),
            "say which column holds the time of the event",
        ),
    ];
    for (key, _, help) in needed.into_iter().filter(|(_, is_missing, _)| *is_missing) {
        let problem = Problem::new(format!("a history needs `{key}`")).help(help);
        problems.push(match place("materialized") {
            Some(place) => problem.at(place),
            None => problem,
        });
    }
}
