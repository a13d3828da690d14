//! Which warnings are errors, and which are not told, as the project and the command line say it in dbt's words.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::item::Item;
use super::{Problem, Problems, mapping_of_yaml, nearest};
use mep_core::warnings::{WarnOptions, WarningKind};

/// What a mapping with `error`, `warn` and `silence` says.
///
/// # Errors
/// Where a key or a name is unknown.
pub fn warn_options(of: impl IntoIterator<Item = (String, Json)>) -> Result<WarnOptions, Problem> {
    let mut options = WarnOptions::default();
    for (key, value) in of {
        let is_all = |word: &str| word == "all" || word == "*";
        // dbt's names before 1.8 beside those of today.
        match (key.as_str(), &value) {
            (_, Json::Null) => {}
            ("error" | "include", Json::String(word)) if is_all(word) => options.all_are_errors = true,
            ("error" | "include", of) => options.error.extend(kinds(&key, of)?),
            ("warn" | "exclude", of) => options.warn.extend(kinds(&key, of)?),
            ("silence", of) => options.silence.extend(kinds(&key, of)?),
            _ => {
                let problem = Problem::new(format!("unknown key `{key}` of the options of warnings"));
                return Err(problem.help("the keys are error, warn and silence"));
            }
        }
    }
    Ok(options)
}

fn kinds(key: &str, of: &Json) -> Result<BTreeSet<WarningKind>, Problem> {
    let words = match of {
        Json::Array(words) => words.iter().map(Json::as_str).collect::<Option<Vec<&str>>>(),
        _ => None,
    };
    let Some(words) = words else {
        let or_all = if ["error", "include"].contains(&key) { ", or all" } else { "" };
        let problem =
            Problem::new(format!("`{key}`: expected a list of names of warnings{or_all}, found {of}"));
        return Err(problem.help("write {error: [NoNodeForYamlKey]}, or the like"));
    };
    let mut kinds = BTreeSet::new();
    for word in words {
        let found = WarningKind::of_word(word).map_err(|known| {
            let problem = Problem::new(format!("there is no warning `{word}`"));
            match nearest(word, known) {
                Some(near) => problem.help(format!("did you mean `{near}`?")),
                None => problem.help("docs/reference/commands.md lists mep's names and dbt's of the same"),
            }
        });
        kinds.extend(found?);
    }
    Ok(kinds)
}

/// What the words of the command line say; `None` where they say nothing.
///
/// # Errors
/// Where they are no such mapping, or name what is not there.
pub fn warn_options_of_words(
    are_errors: bool,
    options: Option<&str>,
) -> Result<Option<WarnOptions>, Problems> {
    if are_errors {
        return Ok(Some(WarnOptions { all_are_errors: true, ..WarnOptions::default() }));
    }
    let Some(text) = options else { return Ok(None) };
    let said = mapping_of_yaml("--warn-error-options", Some(text))?;
    let said = warn_options(said)
        .map_err(|problem| problem.saying(|message| format!("--warn-error-options: {message}")));
    Ok(Some(said?))
}

/// What `flags:` of the project's file says; `None` where it says nothing of warnings.
pub(super) fn of_flags(flags: Item<'_>, problems: &mut Problems) -> Option<WarnOptions> {
    let flags = flags.mapping(problems);
    if flags.get("warn_error").and_then(|item| item.boolean(problems)) == Some(true) {
        return Some(WarnOptions { all_are_errors: true, ..WarnOptions::default() });
    }
    let said = flags.get("warn_error_options").filter(|item| !item.is_null())?;
    match warn_options(said.data(problems)) {
        Ok(options) => Some(options),
        Err(problem) => {
            problems.push(problem.at(&said.place()));
            None
        }
    }
}
