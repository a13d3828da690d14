//! SQL of which there is no plan that says all: its tokens.

use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::syntax::Sql;
use mep_core::fingerprint::Structure;

/// Adds SQL without what has no meaning: comments, white space, the case of words that are not quoted. Brackets are tokens
/// like any other. What has no tokens is added as it is written.
pub fn text(structure: &mut Structure, sql: &str) {
    let Ok(tokens) = Tokenizer::new(&Sql, sql).tokenize_with_location() else {
        structure.tag("text").text(sql.trim());
        return;
    };
    structure.tag("tokens");
    let mut places = TextPosition { rest: sql, at: Location { line: 1, column: 1 } };
    for token in &tokens {
        places.take(token.span.start);
        let written = places.take(token.span.end);
        match &token.token {
            Token::Whitespace(_) | Token::EOF => {}
            Token::Word(word) if word.quote_style.is_none() => {
                structure.text(&written.to_ascii_lowercase());
            }
            _ => {
                structure.text(written);
            }
        }
    }
    structure.tag("");
}

/// The text from a place on, which goes forward alone.
struct TextPosition<'a> {
    rest: &'a str,
    at: Location,
}

impl<'a> TextPosition<'a> {
    /// The text up to a place, which becomes the one where the rest begins.
    fn take(&mut self, to: Location) -> &'a str {
        let mut length = 0;
        for c in self.rest.chars() {
            if (self.at.line, self.at.column) >= (to.line, to.column) {
                break;
            }
            length += c.len_utf8();
            if c == '\n' {
                self.at = Location { line: self.at.line + 1, column: 1 };
            } else {
                self.at.column += 1;
            }
        }
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mep_core::fingerprint::Fingerprint;

    fn of(sql: &str) -> Fingerprint {
        let mut structure = Structure::default();
        text(&mut structure, sql);
        structure.fingerprint()
    }

    #[test]
    fn comments_white_space_and_the_case_of_plain_words_have_no_meaning() {
        let written = of("select a, b from t where a>1");
        assert_eq!(written, of("SELECT a, -- the 'columns'\r\n B /* and\n more */\nFROM T  WHERE a > 1\n"));
        assert_eq!(of("select 'é\n;' as x, y"), of("select  'é\n;'  as X ,\n y"));
    }

    #[test]
    fn brackets_operators_texts_and_quoted_names_have() {
        let all = [
            "select a - b + c from t",
            "select a - (b + c) from t",
            "select (a - b) + c from t",
            "select a < - b from t",
            "select a <= b from t",
            "select \"a\" - b + c from t",
            "select \"A\" - b + c from t",
            "select 'a' from t",
            "select 'A' from t",
            "select 'a ' from t",
            "select 'it''s' from t",
            "select 'its' from t",
            "select n'a' from t",
            "select a b from t",
            "select a, b from t",
            "select ab from t",
            "select 1.0 from t",
            "select 1.00 from t",
            "select 10 from t",
            "select 1 0 from t",
            "select 'unended",
            "select 'Unended",
        ];
        for (number, one) in all.iter().enumerate() {
            for other in &all[number + 1..] {
                assert_ne!(of(one), of(other), "{one} / {other}");
            }
        }
    }
}
