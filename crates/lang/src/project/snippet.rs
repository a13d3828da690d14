//! The part of a file that a message shows: the lines around a place, of very long ones no more than what is near it.

use miette::{MietteError, MietteSpanContents, SourceCode, SourceSpan, SpanContents};

use super::text::{SourceText, Span};

/// Lines up to this many bytes are shown whole.
const WHOLE: usize = 240;
/// Of longer ones, this many bytes before the place and after its beginning.
const BEFORE: usize = 40;
const AFTER: usize = 60;

impl SourceCode for SourceText {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        lines_before: usize,
        lines_after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let whole = self.text().read_span(span, lines_before, lines_after)?;
        if lines_before + lines_after == 0 || !has_long_line(whole.data()) {
            return Ok(whole);
        }
        let (start, end) = near(self.text(), span.offset());
        let before = &self.text()[..start];
        let line = before.matches('\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |at| at + 1);
        Ok(Box::new(MietteSpanContents::new(
            &self.text().as_bytes()[start..end],
            (start, end - start).into(),
            line,
            column,
            1,
        )))
    }
}

/// The part of a span that is shown: of a very long line no more than is near its beginning.
pub(super) fn shown(text: &SourceText, span: Span) -> Span {
    let text = text.text();
    let start = span.start.min(text.len());
    let end = span.end().min(text.len());
    let first = text.as_bytes()[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let last =
        text.as_bytes()[end..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| end + at);
    if has_long_line(&text.as_bytes()[first..last]) {
        return Span::range(start, end.min(near(text, start).1));
    }
    Span::range(start, end)
}

fn has_long_line(data: &[u8]) -> bool {
    data.split(|byte| *byte == b'\n').any(|line| line.len() > WHOLE)
}

/// The bytes of the line of a place that are near it.
fn near(text: &str, at: usize) -> (usize, usize) {
    let at = text.floor_char_boundary(at);
    let line = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let end = text[at..].find('\n').map_or(text.len(), |length| at + length);
    let start = text.ceil_char_boundary(line.max(at.saturating_sub(BEFORE)));
    (start, text.floor_char_boundary(end.min(at + AFTER)))
}

#[cfg(test)]
mod tests {
    use miette::{GraphicalReportHandler, GraphicalTheme};

    use super::*;
    use crate::project::Problem;

    fn shown_at(text: &str, start: usize, len: usize) -> String {
        let place = SourceText::new("models/m.sql", text).at(Span { start, len });
        let problem = Problem::new("no such thing").at(&place);
        let mut shown = String::new();
        let theme = GraphicalTheme::unicode_nocolor();
        let handler = GraphicalReportHandler::new_themed(theme).with_width(110).with_context_lines(1);
        handler.render_report(&mut shown, &problem).unwrap();
        shown
    }

    #[test]
    fn of_a_very_long_line_what_is_near_the_place_is_shown() {
        let long = "é = 1 or ".repeat(900);
        for (text, start, len) in [
            (format!("select a\nfrom t where {long} wrong = 1\nand b"), 22 + long.len(), 7),
            (format!("{long}\nselect wrong from t\n{long}"), long.len() + 8, 5),
            (format!("select wrong{long}"), 7, 9_000),
            (format!("{long}\n{long}"), 20, long.len() + 30),
            (long.clone(), long.len(), 0),
            (long.clone(), long.len() - 1, 50),
            (format!("select 1\n{long}"), 0, 4_000),
        ] {
            let shown = shown_at(&text, start, len);
            assert!(shown.lines().all(|line| line.chars().count() < 140), "{shown}");
            assert!(shown.contains("models/m.sql:"), "{shown}");
            assert!(!text.contains("wrong") || shown.contains("wrong"), "{shown}");
        }
        let text = format!("select a\nfrom t where {long} wrong = 1\nand b");
        let at = text.find("wrong").unwrap();
        let column = text[9..at].len() + 1;
        assert!(
            shown_at(&text, at, 5).contains(&format!("models/m.sql:2:{column}")),
            "{}",
            shown_at(&text, at, 5)
        );
    }
}
