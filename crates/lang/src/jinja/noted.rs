//! What was noted in the first pass, with the places where it stands.

use std::ops::Range;

use super::problem::Origin;
use super::scope::Noted;
use super::subject::{Parsed, RefUse, SourceUse};
use crate::project::{Located, Place, Problem, SourceText, Span};

/// What a text says, placed in the text.
pub(super) fn located(noted: Noted, origin: &Origin) -> Parsed {
    placed(noted, &|function, argument| call_place(origin, function, argument), &|key| {
        config_place(origin, key)
    })
}

/// Where `config()` says a key, else the start of the text.
pub(super) fn config_place(origin: &Origin, key: &str) -> Place {
    let calls = origin.rewritten.calls.iter().filter(|call| call.function == "config");
    let place = place_of(&origin.text, calls.flat_map(|call| &call.keys), key);
    place.unwrap_or_else(|| origin.text.at(Span::default()))
}

/// A use of a test is not longer than this; what stands further on belongs to other uses.
const MOST_YAML: usize = 1_000;

/// What a use of a test in YAML says. The names stand after the test's own name, in quotes.
pub(super) fn located_in_yaml(noted: Noted, test: &Place) -> Parsed {
    let place = |_: &str, argument: &str| {
        let from = test.span.end().min(test.text.text().len());
        let yaml = test.text.text();
        let rest = &yaml[from..yaml.floor_char_boundary(from + MOST_YAML)];
        let quoted = ['\'', '"'].map(|quote| rest.find(&format!("{quote}{argument}{quote}")));
        match quoted.into_iter().flatten().min() {
            Some(at) => test.text.at(Span { start: from + at + 1, len: argument.len() }),
            None => test.clone(),
        }
    };
    placed(noted, &place, &|_| test.clone())
}

fn placed(
    noted: Noted,
    call_place: &dyn Fn(&str, &str) -> Place,
    key_place: &dyn Fn(&str) -> Place,
) -> Parsed {
    let refs = noted.refs.into_iter().map(|(package, name)| {
        let place = call_place("ref", &name);
        RefUse { package, name, place }
    });
    let sources = noted.sources.into_iter().map(|(source, table)| {
        let place = call_place("source", &table);
        SourceUse { source, table, place }
    });
    let config = noted.config.into_iter().map(|(key, value)| {
        let place = key_place(&key);
        (key, Located { value, place })
    });
    Parsed {
        refs: refs.collect(),
        sources: sources.collect(),
        macros: noted.macros,
        config: config.collect(),
        uses_is_incremental: noted.uses_is_incremental,
        uses_run_time: noted.uses_run_time,
        missing: distinct(noted.missing),
    }
}

/// Each once: passes and loops find the same ones.
fn distinct(missing: Vec<Problem>) -> Vec<Problem> {
    let mut distinct: Vec<Problem> = Vec::new();
    for problem in missing {
        let is_same =
            |other: &Problem| other.message() == problem.message() && other.place() == problem.place();
        if !distinct.iter().any(is_same) {
            distinct.push(problem);
        }
    }
    distinct
}

/// Where a call with this argument stands. Where a loop or a macro hides it: where the name stands in quotes, else the
/// start of the text.
fn call_place(origin: &Origin, function: &str, argument: &str) -> Place {
    let text = &origin.text;
    let calls = origin.rewritten.calls.iter().filter(|call| call.function == function);
    let place = place_of(text, calls.flat_map(|call| &call.texts), argument);
    place.unwrap_or_else(|| {
        let quoted = ['\'', '"'].map(|quote| text.text().find(&format!("{quote}{argument}{quote}")));
        let span = quoted.into_iter().flatten().min().map(|at| Span { start: at + 1, len: argument.len() });
        text.at(span.unwrap_or_default())
    })
}

fn place_of<'a>(
    text: &SourceText,
    ranges: impl IntoIterator<Item = &'a Range<usize>>,
    wanted: &str,
) -> Option<Place> {
    let found = ranges.into_iter().find(|range| &text.text()[(*range).clone()] == wanted)?;
    Some(text.at(Span::range(found.start, found.end)))
}
