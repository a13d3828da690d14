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
        Self { text: text.clone(), pieces: pieces.collect(), whole: None }
    }

    /// A map that knows one place for all of the SQL.
    pub fn whole(place: Place) -> Self {
        Self { text: place.text.clone(), pieces: Vec::new(), whole: Some(place) }
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
            return place.clone();
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
