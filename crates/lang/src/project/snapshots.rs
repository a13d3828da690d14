//! Snapshots: the blocks of files in `snapshots/`, and the entries of YAML that name a relation.

use std::sync::LazyLock;

use regex::Regex;

use super::{Problem, Problems, SourceText, Span};

#[expect(clippy::unwrap_used, reason = "the pattern is constant, and a test uses it")]
static TAG: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?s)\{#.*?#\}|\{%[-+]?\s*(?:snapshot\s+([A-Za-z_][A-Za-z0-9_]*)|(endsnapshot))\s*[-+]?%\}")
        .unwrap()
});

/// A block `{% snapshot name %} … {% endsnapshot %}`.
pub(super) struct Block {
    pub(super) name: String,
    /// What stands between its tags.
    pub(super) body: Span,
}

/// The blocks of a file; a problem where there is none, or one has no end.
pub(super) fn blocks(file: &SourceText, problems: &mut Problems) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<(String, Span)> = None;
    for tag in TAG.captures_iter(file.text()) {
        let Some(whole) = tag.get(0) else { continue };
        let span = Span::range(whole.start(), whole.end());
        match (tag.get(1), tag.get(2), open.take()) {
            (Some(_), _, Some((name, start))) => {
                problems.push(never_ends(file, &name, start));
            }
            (_, Some(_), Some((name, start))) => {
                blocks.push(Block { name, body: Span::range(start.end(), span.start) });
            }
            (_, Some(_), None) => {
                let message = "expected a `snapshot` tag before this one, found none";
                problems.push(Problem::new(message).at(&file.at(span)));
            }
            // A comment, perhaps within a block.
            (None, None, before) => open = before,
            (Some(_), _, None) => {}
        }
        open = tag.get(1).map(|name| (name.as_str().to_owned(), span)).or(open);
    }
    if let Some((name, start)) = open {
        problems.push(never_ends(file, &name, start));
    } else if blocks.is_empty() {
        let problem = Problem::new("there is no snapshot in this file").at(&file.at(Span::default()));
        problems.push(problem.help("write {% snapshot a_name %} select ... {% endsnapshot %}"));
    }
    blocks
}

fn never_ends(file: &SourceText, name: &str, start: Span) -> Problem {
    let problem = Problem::new(format!("the snapshot `{name}` never ends")).at(&file.at(start));
    problem.help("end it with {% endsnapshot %}")
}
