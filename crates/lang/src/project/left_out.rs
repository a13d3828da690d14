//! Files of a dbt project that mep does not read: each is told, with what that means.

use std::path::Path;

use super::files::read_text;
use super::{Problem, Span};

/// By name: what mep does not do of what the file says, and how to go on.
const LEFT_OUT: [(&str, &str, &str); 1] = [(
    "selectors.yml",
    "selectors of selectors.yml are not read, nor is the one that is the default: all nodes are selected where no --select says otherwise",
    "give what a selector says to --select",
)];

/// A warning of each such file that says something.
pub(super) fn left_out(root: &Path) -> impl Iterator<Item = Problem> {
    LEFT_OUT.into_iter().filter_map(move |(name, what, help)| {
        let location = root.join(name);
        let text = if location.is_file() { read_text(&location, name).ok()? } else { return None };
        let says = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with(['#', '-']);
        let mut start = 0;
        let first = text.text().split_inclusive('\n').find_map(|line| {
            let at = start;
            start += line.len();
            says(line).then(|| Span::range(at, at + line.trim_end().len()))
        })?;
        Some(Problem::new(what).at(&text.at(first)).help(help))
    })
}
