//! SQL as `sqlparser`'s generic dialect reads it, with the precedence of operators that PostgreSQL, DuckDB and Trino agree on.
//!
//! The generic dialect reads the right side of IS DISTINCT FROM up to the end of the expression, AND and OR too; LIKE looser
//! than comparisons (`a = b like c`); `||` as tight as `*`; `@>` and `->` looser than comparisons; and the operators on bits each
//! with a precedence of its own, where these engines read them and `||` from left to right.

use std::any::TypeId;

use datafusion::sql::sqlparser::ast::Expr;
use datafusion::sql::sqlparser::dialect::{Dialect, GenericDialect, Precedence};
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::{Parser, ParserError};
use datafusion::sql::sqlparser::tokenizer::Token;

/// SQL as mep reads it.
#[derive(Debug)]
pub(crate) struct Sql;

/// Looser than `+`, tighter than whatever compares.
const OTHER: u8 = 26;
/// Tighter than `=`, looser than whatever makes a value.
const LIKE: u8 = 20;
/// Tighter than IS.
const COMPARISON: u8 = 18;

macro_rules! as_generic {
    ($($method:ident),* $(,)?) => { $(fn $method(&self) -> bool { GenericDialect.$method() })* };
}

impl Dialect for Sql {
    /// The parser asks for the generic dialect by its type.
    fn dialect(&self) -> TypeId {
        TypeId::of::<GenericDialect>()
    }

    fn prec_value(&self, precedence: Precedence) -> u8 {
        match precedence {
            Precedence::Between | Precedence::Like => LIKE,
            Precedence::Eq => COMPARISON,
            Precedence::PgOther | Precedence::Pipe | Precedence::Ampersand | Precedence::Caret => OTHER,
            other => GenericDialect.prec_value(other),
        }
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        match parser.peek_token_ref().token {
            Token::StringConcat => Some(Ok(OTHER)),
            Token::Tilde
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk
            | Token::DoubleTilde
            | Token::DoubleTildeAsterisk
            | Token::ExclamationMarkDoubleTilde
            | Token::ExclamationMarkDoubleTildeAsterisk => Some(Ok(LIKE)),
            _ => None,
        }
    }

    fn parse_infix(
        &self,
        parser: &mut Parser<'_>,
        left: &Expr,
        precedence: u8,
    ) -> Option<Result<Expr, ParserError>> {
        let distinct = [Keyword::IS, Keyword::DISTINCT, Keyword::FROM];
        let not_distinct = [Keyword::IS, Keyword::NOT, Keyword::DISTINCT, Keyword::FROM];
        let make = if parser.parse_keywords(&distinct) {
            Expr::IsDistinctFrom
        } else if parser.parse_keywords(&not_distinct) {
            Expr::IsNotDistinctFrom
        } else {
            return None;
        };
        let right = parser.parse_subexpr(precedence);
        Some(right.map(|right| make(Box::new(left.clone()), Box::new(right))))
    }

    fn is_delimited_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_delimited_identifier_start(ch)
    }

    fn is_identifier_start(&self, ch: char) -> bool {
        GenericDialect.is_identifier_start(ch)
    }

    fn is_identifier_part(&self, ch: char) -> bool {
        GenericDialect.is_identifier_part(ch)
    }

    as_generic! {
        supports_unicode_string_literal,
        supports_partition_by_after_order_by,
        supports_array_join_syntax,
        supports_group_by_expr,
        supports_group_by_with_modifier,
        supports_left_associative_joins_without_parens,
        supports_connect_by,
        supports_match_recognize,
        supports_pipe_operator,
        supports_start_transaction_modifier,
        supports_window_function_null_treatment_arg,
        supports_dictionary_syntax,
        supports_window_clause_named_window_reference,
        supports_parenthesized_set_variables,
        supports_select_wildcard_except,
        support_map_literal_syntax,
        allow_extract_custom,
        allow_extract_single_quotes,
        supports_extract_comma_syntax,
        supports_create_view_comment_syntax,
        supports_parens_around_table_factor,
        supports_values_as_table_factor,
        supports_create_index_with_clause,
        supports_explain_with_utility_options,
        supports_limit_comma,
        supports_update_order_by,
        supports_from_first_select,
        supports_projection_trailing_commas,
        supports_asc_desc_in_column_definition,
        supports_try_convert,
        supports_bitwise_shift_operators,
        supports_comment_on,
        supports_load_extension,
        supports_named_fn_args_with_assignment_operator,
        supports_struct_literal,
        supports_empty_projections,
        supports_nested_comments,
        supports_multiline_comment_hints,
        supports_user_host_grantee,
        supports_string_escape_constant,
        supports_array_typedef_with_brackets,
        supports_match_against,
        supports_set_names,
        supports_comma_separated_set_assignments,
        supports_filter_during_aggregation,
        supports_select_wildcard_exclude,
        supports_data_type_signed_suffix,
        supports_interval_options,
        supports_quote_delimited_string,
        supports_select_wildcard_replace,
        supports_select_wildcard_ilike,
        supports_select_wildcard_rename,
        supports_optimize_table,
        supports_install,
        supports_detach,
        supports_prewhere,
        supports_with_fill,
        supports_limit_by,
        supports_interpolate,
        supports_settings,
        supports_select_format,
        supports_comment_optimizer_hint,
        supports_constraint_keyword_without_name,
        supports_key_column_option,
        supports_comma_separated_trim,
        supports_cte_without_as,
        supports_select_item_multi_column_alias,
        supports_xml_expressions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The expression with brackets around every operator.
    fn read(expression: &str) -> String {
        let parse = |dialect: &dyn Dialect| {
            let mut parser = Parser::new(dialect).try_with_sql(expression).unwrap();
            let parsed = parser.parse_expr().unwrap();
            assert_eq!(parser.peek_token().token, Token::EOF, "{expression}");
            parsed
        };
        bracketed(&parse(&Sql))
    }

    fn bracketed(expression: &Expr) -> String {
        let of = bracketed;
        match expression {
            Expr::BinaryOp { left, op, right } => format!("({} {op} {})", of(left), of(right)),
            Expr::IsDistinctFrom(a, b) => format!("({} is distinct from {})", of(a), of(b)),
            Expr::IsNotDistinctFrom(a, b) => format!("({} is not distinct from {})", of(a), of(b)),
            Expr::IsNull(a) => format!("({} is null)", of(a)),
            Expr::IsTrue(a) => format!("({} is true)", of(a)),
            Expr::UnaryOp { op, expr } => format!("({op} {})", of(expr)),
            Expr::Like { negated, expr, pattern, .. } => {
                format!("({} {}like {})", of(expr), if *negated { "not " } else { "" }, of(pattern))
            }
            Expr::Between { expr, low, high, .. } => {
                format!("({} between {} and {})", of(expr), of(low), of(high))
            }
            Expr::InList { expr, list, .. } => {
                format!("({} in {})", of(expr), list.iter().map(of).collect::<Vec<_>>().join(" "))
            }
            Expr::Cast { expr, data_type, .. } => format!("({}::{data_type})", of(expr)),
            Expr::Nested(inner) => format!("[{}]", of(inner)),
            other => other.to_string(),
        }
    }

    #[test]
    fn distinct_from_ends_where_and_begins() {
        insta::assert_snapshot!(read("a is distinct from b and c or d"), @"(((a is distinct from b) AND c) OR d)");
        insta::assert_snapshot!(read("x or a is not distinct from b and not c is distinct from d + 1 or e"), @"((x OR ((a is not distinct from b) AND (NOT (c is distinct from (d + 1))))) OR e)");
        insta::assert_snapshot!(read("a is distinct from (b and c)"), @"(a is distinct from [(b AND c)])");
        insta::assert_snapshot!(read("a is distinct from b = c"), @"(a is distinct from (b = c))");
        insta::assert_snapshot!(read("a is distinct from b is null"), @"((a is distinct from b) is null)");
        insta::assert_snapshot!(read("a is distinct from b is distinct from c"), @"((a is distinct from b) is distinct from c)");
    }

    #[test]
    fn what_matches_binds_tighter_than_what_compares() {
        insta::assert_snapshot!(read("a = b like c"), @"(a = (b like c))");
        insta::assert_snapshot!(read("a like b = c"), @"((a like b) = c)");
        insta::assert_snapshot!(read("a = b not like c || d and e"), @"((a = (b not like (c || d))) AND e)");
        insta::assert_snapshot!(read("a = b between c and d"), @"(a = (b between c and d))");
        insta::assert_snapshot!(read("a between b and c = d"), @"((a between b and c) = d)");
        insta::assert_snapshot!(read("a = b in (1, 2)"), @"(a = (b in 1 2))");
        insta::assert_snapshot!(read("true = a ~ b"), @"(true = (a ~ b))");
        insta::assert_snapshot!(read("not a = b is null"), @"(NOT ((a = b) is null))");
    }

    #[test]
    fn operators_that_make_values_are_ordered_as_elsewhere() {
        insta::assert_snapshot!(read("a || b + c * d"), @"(a || (b + (c * d)))");
        insta::assert_snapshot!(read("a + b || c"), @"((a + b) || c)");
        insta::assert_snapshot!(read("a << 2 & 3"), @"((a << 2) & 3)");
        insta::assert_snapshot!(read("a | b & 3 << 1"), @"(((a | b) & 3) << 1)");
        insta::assert_snapshot!(read("a @> b = c"), @"((a @> b) = c)");
        insta::assert_snapshot!(read("a @> b is null"), @"((a @> b) is null)");
        insta::assert_snapshot!(read("- a::text"), @"(- (a::TEXT))");
    }
}
