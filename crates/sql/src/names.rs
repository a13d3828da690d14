//! How SQL writes the names of columns.

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::Token;

/// A name as it is, whatever characters it has.
pub fn quoted(column: &str) -> String {
    format!("\"{}\"", column.replace('"', "\"\""))
}

/// Several of them.
pub(super) fn listed(columns: &[String]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    columns.join(", ")
}

/// Whether SQL takes a name without quotes for that of a column.
pub fn is_plain_name(name: &str) -> bool {
    let parsed = Parser::new(&GenericDialect).try_with_sql(&format!("{name} = 1")).and_then(|mut parser| {
        let expression = parser.parse_expr()?;
        Ok((expression, parser.peek_token().token))
    });
    let is_name = |expression: &Expr| {
        let Expr::BinaryOp { left, .. } = expression else { return false };
        matches!(left.as_ref(), Expr::Identifier(found) if found.value == name)
    };
    let lower = !name.contains(|character: char| character.is_uppercase());
    lower && parsed.is_ok_and(|(expression, rest)| is_name(&expression) && rest == Token::EOF)
}
