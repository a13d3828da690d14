//! Where in the user's file each byte of the SQL came from.

use std::ops::Range;

use minijinja::OutputSpan;

use super::rewrite::Rewritten;
use crate::project::{Place, SourceText, Span};

/// Maps bytes of rendered SQL to places in the text that it was rendered from.
#[derive(Clone, Debug)]
pub struct SourceMap {
    text: SourceText,
    pieces: Vec<MappedText>,
    whole: Option<Place>,
    /// What of the SQL is a text of the user's that stands elsewhere: the arguments of a test.
    given: Vec<GivenText>,
}

/// A text of the user's and where it stands.
#[derive(Clone, Debug)]
struct GivenText {
    output: Range<usize>,
    place: Place,
}

/// A run of SQL, and what it came from.
#[derive(Clone, Debug)]
struct MappedText {
    output: Range<usize>,
    source: Range<usize>,
    /// Whether the output is a copy of the source, byte for byte.
    verbatim: bool,
}

impl SourceMap {
    pub(super) fn new(text: &SourceText, sql: &str, spans: &[OutputSpan], rewritten: &Rewritten) -> Self {
        let pieces = spans.iter().map(|span| {
            let (output, source) = (span.output_range(), rewritten.original(span.source_range()));
            let verbatim = text.text().get(source.clone()) == sql.get(output.clone());
            MappedText { output, source, verbatim }
        });
        Self { text: text.clone(), pieces: pieces.collect(), whole: None, given: Vec::new() }
    }

    /// A map that knows one place for all of the SQL.
    pub fn whole(place: Place) -> Self {
        Self { text: place.text.clone(), pieces: Vec::new(), whole: Some(place), given: Vec::new() }
    }

    /// A map of SQL that was made of texts which stand elsewhere, and of others that are known by one place.
    pub(super) fn of_texts(place: Place, sql: &str, texts: &[(String, Place)]) -> Self {
        let mut given = Vec::new();
        for (text, place) in texts.iter().filter(|(text, _)| !text.trim().is_empty()) {
            for (at, _) in sql.match_indices(text.as_str()).filter(|(at, _)| is_apart(sql, *at, text)) {
                given.push(GivenText { output: at..at + text.len(), place: place.clone() });
            }
        }
        Self { given, ..Self::whole(place) }
    }

    /// The place of the text that a range of the SQL lies in, or that alone lies in it.
    fn given(&self, sql: &Range<usize>) -> Option<Place> {
        let around = |given: &&GivenText| given.output.start <= sql.start && sql.end <= given.output.end;
        if let Some(given) = self.given.iter().filter(around).min_by_key(|given| given.output.len()) {
            return Some(within(given, sql));
        }
        let mut inside =
            self.given.iter().filter(|given| sql.start <= given.output.start && given.output.end <= sql.end);
        let first = inside.next()?;
        inside.all(|given| given.place == first.place).then(|| first.place.clone())
    }

    /// The map of SQL in which this map's SQL stands at these bytes, amid other SQL that the text as a whole asks for.
    #[must_use]
    pub fn within(mut self, bytes: Range<usize>) -> Self {
        for piece in &mut self.pieces {
            piece.output = piece.output.start + bytes.start..piece.output.end + bytes.start;
        }
        self.pieces.push(MappedText { output: bytes.end..usize::MAX, source: 0..0, verbatim: false });
        self
    }

    /// The place that a range of the SQL came from; text that an expression gave is placed at the expression.
    pub fn place(&self, sql: Range<usize>) -> Place {
        if let Some(place) = &self.whole {
            return self.given(&sql).unwrap_or_else(|| place.clone());
        }
        let start = self.source(sql.start, false);
        let end = if sql.is_empty() { start } else { self.source(sql.end - 1, true) };
        self.text.at(Span::range(start, end.max(start)))
    }

    /// The source of one byte: its own place where it was copied, else the start or end of what made it.
    fn source(&self, at: usize, end: bool) -> usize {
        let after = self.pieces.partition_point(|piece| piece.output.start <= at);
        match after.checked_sub(1).map(|index| &self.pieces[index]) {
            Some(piece) if piece.verbatim => {
                let offset = (at - piece.output.start + usize::from(end)).min(piece.source.len());
                piece.source.start + offset
            }
            Some(piece) if end => piece.source.end,
            Some(piece) => piece.source.start,
            None => 0,
        }
    }
}

/// Whether a text stands for itself in the SQL, and is no part of a longer word.
fn is_apart(sql: &str, at: usize, text: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let before = joins(sql[..at].chars().next_back()) && joins(text.chars().next());
    let after = joins(sql[at + text.len()..].chars().next()) && joins(text.chars().next_back());
    !before && !after
}

/// The part of a text that a range of the SQL is, where the text stands in its file as it does in the SQL.
fn within(given: &GivenText, sql: &Range<usize>) -> Place {
    let place = &given.place;
    let written = place.text.text().get(place.span.start..place.span.end()).unwrap_or_default();
    let quotes = written.len().saturating_sub(written.trim_start_matches(['\'', '"']).len());
    let is_verbatim = written.len() == given.output.len() + 2 * quotes && quotes < 2;
    if !is_verbatim {
        return place.clone();
    }
    let start = place.span.start + quotes + (sql.start - given.output.start);
    place.text.at(Span::range(start, start + sql.len()))
}
