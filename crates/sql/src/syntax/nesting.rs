//! How deep SQL may be nested, and where it is nested deepest.

use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Location, Token, Tokenizer};

use super::Sql;

/// How deep brackets, functions, CASEs and subqueries may be nested in each other. A subquery takes several levels.
pub(crate) const NESTING: usize = 256;

/// SQL is nested deeper than can be planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Nesting {
    /// Where what is nested too deep begins; line 0 where that is not known.
    pub at: Location,
}

/// The bracket or CASE that most others stand around.
pub(crate) fn deepest_bracket(sql: &str) -> Location {
    let tokens = Tokenizer::new(&Sql, sql).tokenize_with_location().unwrap_or_default();
    let (mut depth, mut deepest, mut at) = (0_usize, 0, Location::empty());
    for token in &tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => depth += 1,
            Token::Word(word) if word.keyword == Keyword::CASE => depth += 1,
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            Token::Word(word) if word.keyword == Keyword::END => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > deepest {
            (deepest, at) = (depth, token.span.start);
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_bracket_is_found() {
        assert_eq!(deepest_bracket("select (1), ((a)[1]), case when b then 2 end"), Location::new(1, 14));
        assert_eq!(deepest_bracket("select 1"), Location::empty());
    }
}
