//! Where the CTEs of a SELECT begin.

use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::stored_types::offset;

/// The byte after the SQL's first `WITH` or `WITH RECURSIVE`, where it begins with one.
pub fn after_with(sql: &str) -> Option<usize> {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize_with_location().ok()?;
    let mut words = tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_)));
    let is = |token: &Token, keyword: Keyword| matches!(token, Token::Word(word) if word.keyword == keyword);
    let first = words.next().filter(|token| is(&token.token, Keyword::WITH))?;
    let end = match words.next().filter(|token| is(&token.token, Keyword::RECURSIVE)) {
        Some(recursive) => recursive.span.end,
        None => first.span.end,
    };
    Some(offset(sql, end))
}
