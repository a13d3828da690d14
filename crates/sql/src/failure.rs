//! What an error of the engine means, in the words of mep, and what in the SQL it is about.
//!
//! The engine speaks of its own rules and types, and seldom of a place. Comes in: its error. Goes out: what is wrong, how to go on,
//! and where in the SQL it can have come from. Must not know: whose SQL it is.

use std::io;
use std::sync::LazyLock;

use datafusion::common::DataFusionError;
use mep_core::os_error::{OsMessage, plain};
use regex::{Captures, Regex};

use super::culprit::Culprit;
use super::sayings::SAYINGS;
use super::types_said::in_sql;

/// An error of the engine, explained.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What is wrong, lower case.
    pub message: String,
    /// How to go on, where something is known.
    pub help: Option<String>,
    /// What in the SQL it is about.
    pub culprit: Option<Culprit>,
}

impl Failure {
    /// Of an error of planning or running SQL.
    pub fn of(error: &DataFusionError) -> Self {
        let root = error.find_root();
        match root {
            DataFusionError::ResourcesExhausted(_) => {
                let message = "the query needs more memory than the target's `memory` allows, for what cannot be put on disk";
                let help = "raise it in profiles.yml (`memory: 4GiB`), or count distinct values of fewer groups at once";
                return Self::saying(message).helped(help);
            }
            DataFusionError::IoError(error) => return Self::of_disk(error),
            DataFusionError::ArrowError(error, _) => {
                if let arrow::error::ArrowError::IoError(_, error) = error.as_ref() {
                    return Self::of_disk(error);
                }
            }
            _ => {}
        }
        Self::of_text(&root.strip_backtrace())
    }

    /// Of what an error says.
    pub(super) fn of_text(text: &str) -> Self {
        let text = unlabelled(text);
        for saying in SAYINGS.iter() {
            if let Some(found) = saying.pattern.captures(text) {
                return (saying.means)(&found);
            }
        }
        Self::saying(tidied(text))
    }

    /// The disk that queries put aside what does not fit in memory.
    fn of_disk(error: &io::Error) -> Self {
        let said = OsMessage(error).to_string();
        let message =
            format!("writing or reading what a query puts aside on disk: {}", plain(unlabelled(&said)));
        Self::saying(message).helped(
            "the folder for it is that of temporary files (`TMPDIR`); or raise the target's `memory`, so that less is put aside",
        )
    }

    pub(super) fn saying(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, culprit: None }
    }

    pub(super) fn helped(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn about(mut self, culprit: Culprit) -> Self {
        self.culprit = Some(culprit);
        self
    }

    pub(super) fn about_call(self, functions: &[&str]) -> Self {
        self.about(Culprit::Call(functions.iter().map(|name| (*name).to_owned()).collect()))
    }
}

/// A text of the engine's without the words before it that say which of its parts speaks.
fn unlabelled(text: &str) -> &str {
    let mut text = text.trim();
    loop {
        let labelled = LABELS.iter().find_map(|label| {
            let head = text.get(..label.len())?;
            head.eq_ignore_ascii_case(label).then(|| text[label.len()..].trim_start())
        });
        match labelled {
            Some(rest) => text = rest,
            None => return text,
        }
    }
}

const LABELS: [&str; 24] = [
    "Error during planning: ",
    "SQL error: ",
    "ParserError(\"",
    "TokenizerError(\"",
    "sql parser error: ",
    "This feature is not implemented: ",
    "Schema error: ",
    "type_coercion\ncaused by\n",
    "Execution error: ",
    "Arrow error: ",
    "Internal error: ",
    "External error: ",
    "External: ",
    "Compute error: ",
    "Cast error: ",
    "Parser error: ",
    "Invalid argument error: ",
    "Invalid or Unsupported Configuration: ",
    "Schema error: ",
    "Substrait error: ",
    "Not yet implemented: ",
    "Object Store error: ",
    "IO error: ",
    "Error parsing SQL: ",
];

/// What is left of a text for which there are no words of its own: one line, lower case, with the types as SQL writes them.
pub(super) fn tidied(text: &str) -> String {
    let text = unlabelled(text);
    let text = match text.split_once("\ncaused by\n") {
        Some((rule, cause)) if rule.starts_with("Optimizer rule ") || !rule.contains(' ') => {
            unlabelled(cause)
        }
        _ => text,
    };
    let text = text.trim_end_matches("\")").lines().next().unwrap_or_default().trim();
    let text = TAILS.iter().fold(text, |text, tail| text.split(tail).next().unwrap_or(text));
    let text = LABEL_WITHIN.replace_all(text, "");
    let text = match STRUCTURE.find(&text) {
        Some(found) => {
            text[..found.start()].trim_end_matches([' ', ':', ',']).trim_end_matches(", got").to_owned()
        }
        None => text.into_owned(),
    };
    let text = OS_ERROR.replace_all(&text, |found: &Captures<'_>| said_by_system(&found[1], &found[2]));
    let text = in_sql(&text);
    let text = text.strip_suffix('.').unwrap_or(&text);
    let mut characters = text.chars();
    match (characters.next(), characters.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() || second == ' ' => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

/// The name of a node of a tree as words: `AtTimeZone` as `at time zone`.
pub(super) fn in_words(name: &str) -> String {
    let mut words = String::new();
    for character in name.chars() {
        if character.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(character.to_lowercase());
    }
    words
}

/// A number of arguments.
pub(super) fn arguments(number: &str) -> String {
    format!("{number} argument{}", if number == "1" { "" } else { "s" })
}

pub(super) fn said_by_system(words: &str, number: &str) -> String {
    match number.parse() {
        Ok(number) => OsMessage(&io::Error::from_raw_os_error(number)).to_string(),
        Err(_) => words.to_owned(),
    }
}

pub(super) fn regex(pattern: &str) -> Regex {
    #[expect(clippy::unwrap_used, reason = "the patterns are literals that the tests compile")]
    Regex::new(pattern).unwrap()
}

static LABEL_WITHIN: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"\b(?:Error during planning|Execution error|Arrow error|Internal error|External error|Compute error|This feature is not implemented): ",
    )
});
/// A node of a tree as programmers print it.
static STRUCTURE: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b[A-Z][A-Za-z]+(?: \{|\([A-Z][A-Za-z]+(?: \{|\())"));
pub(super) static OS_ERROR: LazyLock<Regex> = LazyLock::new(|| regex(r"([^:]*) \(os error (\d+)\)"));
/// What follows what is wrong, and says no more of it.
const TAILS: [&str; 3] = [
    ". This issue was likely caused by a bug in DataFusion",
    ". No function matches the given name",
    ". You might need to add explicit type casts",
];
