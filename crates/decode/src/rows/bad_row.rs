//! A row that cannot be read, before the unit that it stands in is known.

use mep_contract::source::unit::{MessagePlace, Reject};

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRow {
    /// The line, from 1 (for Parquet: the row).
    pub line: u64,
    /// What is wrong with it.
    pub reason: String,
    /// The start of the line, at most [`Reject::TEXT_LIMIT`] bytes; what is no UTF-8 is replaced.
    pub text: String,
}

impl BadRow {
    /// A row of which `text` is the content; only its start is kept.
    pub fn new(line: u64, reason: impl Into<String>, text: &[u8]) -> Self {
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let start = &text[..text.len().min(Reject::TEXT_LIMIT)];
        // A replacement character is longer than the byte that it replaces, and the cut may go through a character.
        let mut text = String::from_utf8_lossy(start).into_owned();
        text.truncate(text.floor_char_boundary(Reject::TEXT_LIMIT));
        Self { line, reason: reason.into(), text }
    }

    /// The reject of the unit called `unit`.
    pub fn into_reject(self, unit: &str) -> Reject {
        Reject {
            unit: unit.to_owned(),
            line: Some(self.line),
            message: None,
            reason: self.reason,
            text: self.text,
        }
    }

    /// The reject of a message of the unit called `unit`.
    pub fn into_message_reject(self, unit: &str, message: MessagePlace) -> Reject {
        Reject {
            unit: unit.to_owned(),
            line: None,
            message: Some(message),
            reason: self.reason,
            text: self.text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_line_is_kept_up_to_the_limit_at_a_character() {
        let row = BadRow::new(1, "too long", "é".repeat(1000).as_bytes());
        assert_eq!(row.text, "é".repeat(512));
        let row = BadRow::new(1, "no UTF-8", &[0xff; 2000]);
        assert!(row.text.len() <= Reject::TEXT_LIMIT, "{}", row.text.len());
    }
}
