//! Text of the user's files, and places in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A file of the project as read: its path relative to the project's root, and its text.
///
/// Cheap to clone: spans, problems and nodes carry it along.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SourceText(Arc<Inner>);

#[derive(Debug, PartialEq, Eq, Hash)]
struct Inner {
    path: PathBuf,
    text: String,
}

impl SourceText {
    /// A text and the path, relative to the project's root, that messages name.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>) -> Self {
        Self(Arc::new(Inner { path: path.into(), text: text.into() }))
    }

    /// The path relative to the project's root.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// The place of `span` in this text.
    pub fn at(&self, span: Span) -> Place {
        Place { text: self.clone(), span }
    }
}

/// A range of bytes in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// How many bytes; 0 points between two characters.
    pub len: usize,
}

impl Span {
    /// The bytes from `start` up to, not including, `end`.
    pub fn range(start: usize, end: usize) -> Self {
        Self { start, len: end.saturating_sub(start) }
    }

    /// The byte after the last.
    pub fn end(self) -> usize {
        self.start + self.len
    }
}

/// A span together with the text it lies in.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The file.
    pub text: SourceText,
    /// Where in the file.
    pub span: Span,
}

impl Place {
    /// The line and column, both from 1; the column counts characters.
    pub fn line_column(&self) -> (usize, usize) {
        let text = self.text.text();
        let mut start = self.span.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let before = &text[..start];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }
}

/// A value and where the user wrote it.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it stands.
    pub place: Place,
}
