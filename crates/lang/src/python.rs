//! Models in Python: what they read, so that they have their place in the graph. They are not run.
//!
//! Comes in: a file's text. Goes out: its `dbt.ref()` and `dbt.source()` calls, with their places. Must not know: anything else of
//! Python, what comes of the model.

use std::ops::Range;

use crate::jinja::{Parsed, RefUse, SourceUse};
use crate::project::{SourceText, Span};

/// What a model in Python reads. A call whose arguments are no texts is not known.
pub fn reads(text: &SourceText) -> Parsed {
    let mut parsed = Parsed::default();
    let at = |range: &Range<usize>| text.at(Span::range(range.start, range.end));
    for arguments in calls(text.text(), "dbt.ref(") {
        let (package, (name, range)) = match arguments.as_slice() {
            [name] => (None, name),
            [(package, _), name] => (Some(package.clone()), name),
            _ => continue,
        };
        let used = RefUse { package, name: name.clone(), place: at(range) };
        if !parsed.refs.iter().any(|known| known.name == used.name && known.package == used.package) {
            parsed.refs.push(used);
        }
    }
    for arguments in calls(text.text(), "dbt.source(") {
        let [(source, from), (table, to)] = arguments.as_slice() else { continue };
        let place = at(&(from.start..to.end));
        let used = SourceUse { source: source.clone(), table: table.clone(), place };
        if !parsed.sources.iter().any(|known| known.source == used.source && known.table == used.table) {
            parsed.sources.push(used);
        }
    }
    parsed
}

/// A text and where it stands.
type Literal = (String, Range<usize>);

/// The arguments of each call of a function, where all are texts; of comments, none.
fn calls(text: &str, function: &str) -> Vec<Vec<Literal>> {
    let found = text.match_indices(function).map(|(at, _)| at);
    let in_comment = |at: usize| {
        let line = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        text[line..at].contains('#')
    };
    found.filter(|at| !in_comment(*at)).filter_map(|at| literals(text, at + function.len())).collect()
}

/// Texts with commas between them, up to a bracket that closes.
fn literals(text: &str, start: usize) -> Option<Vec<Literal>> {
    let mut literals = Vec::new();
    let mut at = start;
    loop {
        at += text[at..].len() - text[at..].trim_start_matches([' ', '\n', '\r', '\t', ',']).len();
        match text[at..].chars().next()? {
            ')' => return Some(literals),
            quote @ ('"' | '\'') => {
                let end = at + 1 + text[at + 1..].find(quote)?;
                literals.push((text[at + 1..end].to_owned(), at + 1..end));
                at = end + 1;
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_known_by_its_calls_with_texts() {
        let text = "def model(dbt, session):\n    a = dbt.ref('a')\n    b = dbt.ref(\"p\", \"b\").df()\n    \
                    # dbt.ref('gone')\n    c = dbt.source('s', 't')\n    d = dbt.ref(name)\n    return dbt.ref('a')\n";
        let parsed = reads(&SourceText::new("models/m.py", text));
        let refs: Vec<String> = parsed
            .refs
            .iter()
            .map(|used| format!("{:?} {} {}", used.package, used.name, used.place.span.start))
            .collect();
        assert_eq!(refs, ["None a 42", "Some(\"p\") b 68"]);
        let sources: Vec<(&str, &str)> =
            parsed.sources.iter().map(|used| (used.source.as_str(), used.table.as_str())).collect();
        assert_eq!(sources, [("s", "t")]);
    }
}
