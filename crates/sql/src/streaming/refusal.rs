//! Why a SELECT cannot be kept as events come.

use std::ops::Range;

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use crate::offset;

/// Why a SELECT cannot be kept as events come, and by which word of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The reason, lower case.
    pub reason: String,
    /// What to do, where something is known.
    pub help: Option<String>,
    /// The word of the SQL that it is about.
    word: Option<&'static str>,
    /// A name that stands in the SQL, where it is about that.
    name: Option<String>,
}

impl Refusal {
    /// A refusal that is about the SQL as a whole.
    pub(super) fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: None, word: None, name: None }
    }

    /// That a function in it gives other values each time.
    pub fn of_volatile() -> Self {
        let refusal = Self::new(
            "a function in it gives other values each time, so that a replay would give other rows",
        );
        refusal.help("take the time from the events")
    }

    /// Says what to do.
    #[must_use]
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says which keyword it is about.
    #[must_use]
    pub(super) fn at(mut self, word: &'static str) -> Self {
        self.word = Some(word);
        self
    }

    /// Says which name it is about.
    #[must_use]
    pub(super) fn at_name(mut self, name: &str) -> Self {
        self.name = Some(name.to_owned());
        self
    }

    /// Where in the SQL its word stands last; `None` where it does not: it stands in a view that the SQL reads.
    pub fn range(&self, sql: &str) -> Option<Range<usize>> {
        let wanted = self.word.or(self.name.as_deref())?;
        let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
        let found = tokens.iter().rev().find(
            |token| matches!(&token.token, Token::Word(word) if word.value.eq_ignore_ascii_case(wanted)),
        )?;
        Some(offset(sql, found.span.start)..offset(sql, found.span.end))
    }
}
