//! Flags of dbt that mep has no use for: each is taken out of the command line and told, or refused with a way on.

use std::ffi::OsString;

use mep_core::keys::{Key, Section, without_effect};
use mep_lang::project::Problem;

/// What comes of a flag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FlagEffect {
    /// It is told that it does nothing here, with why nothing is another for it.
    WithoutEffect,
    /// It is an error, with a way on.
    Refused,
}

/// A flag of dbt.
struct DbtFlag {
    name: &'static str,
    takes_value: bool,
    fate: FlagEffect,
    why: &'static str,
}

const fn none(name: &'static str, why: &'static str) -> DbtFlag {
    DbtFlag { name, takes_value: false, fate: FlagEffect::WithoutEffect, why }
}

const fn none_with_value(name: &'static str, why: &'static str) -> DbtFlag {
    DbtFlag { name, takes_value: true, fate: FlagEffect::WithoutEffect, why }
}

const fn refused(name: &'static str, takes_value: bool, why: &'static str) -> DbtFlag {
    DbtFlag { name, takes_value, fate: FlagEffect::Refused, why }
}

const PARSING: &str = "all files are read on every call, and fast enough for that";
const LOGS: &str = "mep writes no log files; --quiet, --log-format and MEP_LOG say what is told";
const CACHE: &str = "there is no cache of relations to fill";
const NOTHING_SENT: &str = "mep sends nothing anywhere";
const AS_IT_IS: &str = "that is how mep works";

const FLAGS: &[DbtFlag] = &[
    none("--cache-selected-only", CACHE),
    none("--no-cache-selected-only", CACHE),
    none("--populate-cache", CACHE),
    none("--no-populate-cache", CACHE),
    none("--debug", LOGS),
    none("--no-debug", LOGS),
    none("--log-cache-events", LOGS),
    none("--no-log-cache-events", LOGS),
    none_with_value("--log-file-max-bytes", LOGS),
    none_with_value("--log-format-file", LOGS),
    none_with_value("--log-level", LOGS),
    none_with_value("--log-level-file", LOGS),
    none_with_value("--log-path", LOGS),
    none("--macro-debugging", LOGS),
    none("--no-macro-debugging", LOGS),
    none_with_value("--printer-width", LOGS),
    none_with_value("--record-timing-info", LOGS),
    none("--show-all-deprecations", LOGS),
    none("--no-show-all-deprecations", LOGS),
    none("--show-resource-report", LOGS),
    none("--no-show-resource-report", LOGS),
    none("--print", AS_IT_IS),
    none("--no-print", LOGS),
    none("--partial-parse", PARSING),
    none("--no-partial-parse", PARSING),
    none("--partial-parse-file-diff", PARSING),
    none("--no-partial-parse-file-diff", PARSING),
    none_with_value("--partial-parse-file-path", PARSING),
    none("--static-parser", PARSING),
    none("--no-static-parser", PARSING),
    none("--use-experimental-parser", PARSING),
    none("--no-use-experimental-parser", PARSING),
    none("--use-fast-test-edges", PARSING),
    none("--no-use-fast-test-edges", PARSING),
    none("--send-anonymous-usage-stats", NOTHING_SENT),
    none("--no-send-anonymous-usage-stats", NOTHING_SENT),
    none("--upload-to-artifacts-ingest-api", NOTHING_SENT),
    none("--no-upload-to-artifacts-ingest-api", NOTHING_SENT),
    none("--use-colors", "colours are used where a terminal reads; NO_COLOR takes them away"),
    none("--no-use-colors", "colours are used where a terminal reads; NO_COLOR takes them away"),
    none("--use-colors-file", LOGS),
    none("--no-use-colors-file", LOGS),
    none("--version-check", "mep is of no version of dbt"),
    none("--no-version-check", "mep is of no version of dbt"),
    none("--write-json", AS_IT_IS),
    none("--no-fail-fast", AS_IT_IS),
    none("--no-quiet", AS_IT_IS),
    none("--no-defer", AS_IT_IS),
    none("--no-favor-state", AS_IT_IS),
    none("--no-empty", AS_IT_IS),
    none("--no-warn-error", AS_IT_IS),
    none_with_value("--sqlparse", PARSING),
    none("--single-threaded", "say --threads 1 for one node at a time"),
    none("--introspect", AS_IT_IS),
    refused(
        "--sample",
        true,
        "rows of a part would stand in tables as if they were all: say --event-time-start and --event-time-end for microbatch models, or --date for sources",
    ),
    refused("--target-path", true, "say target-path in dbt_project.yml"),
    refused("--no-write-json", false, "artifacts are written by every run"),
];

/// The words of the command line without dbt's flags that do nothing here, and what is told of these.
///
/// # Errors
/// Where one is refused.
pub(super) fn settled(
    words: impl Iterator<Item = OsString>,
) -> Result<(Vec<OsString>, Vec<String>), Problem> {
    let (mut kept, mut told) = (Vec::new(), Vec::new());
    let mut words = words;
    while let Some(word) = words.next() {
        let text = word.to_string_lossy().into_owned();
        // What stands after it is not for mep to read.
        if text == "--" {
            kept.push(word);
            kept.extend(words);
            break;
        }
        let (name, has_value) = match text.split_once('=') {
            Some((name, _)) => (name, true),
            None => (text.as_str(), false),
        };
        let Some(flag) = FLAGS.iter().find(|flag| flag.name == name) else {
            kept.push(word);
            continue;
        };
        if flag.fate == FlagEffect::Refused {
            return Err(
                Problem::new(format!("the flag `{name}` of dbt is not supported by mep")).help(flag.why)
            );
        }
        told.push(format!("`{name}` of dbt has no effect: {}", flag.why));
        if flag.takes_value && !has_value {
            words.next();
        }
    }
    Ok((kept, told))
}

/// The flags, for the reference.
pub fn reference_of_dbt_flags() -> [Section; 2] {
    let keys = |fate: FlagEffect| -> Vec<Key> {
        let of_fate = FLAGS.iter().filter(|flag| flag.fate == fate);
        of_fate.map(|flag| without_effect(flag.name, flag.why)).collect()
    };
    [
        Section::of("Flags of dbt without an effect here", &[&keys(FlagEffect::WithoutEffect)]),
        Section::refused("Flags of dbt that are refused", &keys(FlagEffect::Refused)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(words: &[&str]) -> Result<(Vec<OsString>, usize), String> {
        let settled = settled(words.iter().map(OsString::from));
        settled.map(|(kept, told)| (kept, told.len())).map_err(|problem| problem.to_string())
    }

    #[test]
    fn flags_of_dbt_go_with_their_values() {
        let words =
            ["mep", "--log-level", "debug", "run", "--no-partial-parse", "--log-path=logs", "-s", "a"];
        assert_eq!(kept(&words), Ok((["mep", "run", "-s", "a"].map(OsString::from).to_vec(), 3)));
        assert!(kept(&["mep", "run", "--sample=3 days"]).is_err());
    }
}
