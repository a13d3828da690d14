//! Where in SQL an error that happens while it runs can have come from.
//!
//! The plan that runs knows no places. What failed is known by its kind (a division, a cast to a type, a call of a function), and
//! often by the value that it failed on: the SQL is looked through for what is of that kind. Must not know: how the engine says
//! it.

use std::ops::{ControlFlow, Range};

use datafusion::sql::sqlparser::ast::{
    self, BinaryOperator, Expr, LimitClause, Spanned, TypedString, UnaryOperator, Value, Visitor,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use super::syntax::visits::visit;
use super::{offset, syntax};

/// What failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Culprit {
    /// One of these operators.
    Operators(Vec<&'static str>),
    /// A cast to a type, as SQL writes it, of a text that is known or not.
    Cast {
        /// The type, where it is known.
        to: Option<String>,
        /// The text that could not be cast.
        value: Option<String>,
    },
    /// A call of one of these functions.
    Call(Vec<String>),
    /// A part of a time, such as `dow`.
    Part(String),
    /// A regular expression.
    Pattern(String),
    /// A subquery that stands for one value.
    Subquery,
    /// LIMIT or OFFSET.
    Limit,
    /// A comparison with a number.
    ComparedWithNumber,
}

impl Culprit {
    /// What a failure of which nothing more is known names: a call of a function that its message speaks of.
    pub fn named(message: &str) -> Self {
        let words = message.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
        Self::Call(words.map(str::to_lowercase).collect())
    }

    /// The bytes of all in the SQL that it can be, in the order of the SQL.
    pub fn ranges(&self, sql: &str) -> Vec<Range<usize>> {
        let Ok(mut statement) = syntax::statement(sql, syntax::NESTING) else { return Vec::new() };
        if let datafusion::sql::parser::Statement::Statement(tree) = &mut statement
            && syntax::balance(tree).is_err()
        {
            // To drop what is nested so deep takes as much stack as to walk it.
            std::mem::forget(statement);
            return Vec::new();
        }
        let Some(query) = syntax::query(&statement) else { return Vec::new() };
        let mut search = CulpritSearch { culprit: self, sure: Vec::new(), likely: Vec::new() };
        let _ = visit(query, &mut search);
        let found = if search.sure.is_empty() { search.likely } else { search.sure };
        let mut ranges: Vec<Range<usize>> = found.into_iter().filter_map(|spot| spot.bytes(sql)).collect();
        // The longest first of those that begin at the same place: a chain is one place, and not one for each link.
        ranges.sort_by_key(|range| (range.start, std::cmp::Reverse(range.end)));
        ranges.dedup_by(|next, before| next.end <= before.end);
        if !ranges.is_empty() {
            return ranges;
        }
        match self {
            // What is compared with a number is made one.
            Self::Cast { to: Some(to), .. } if is_numeric(to) => Self::ComparedWithNumber.ranges(sql),
            Self::Cast { to: Some(to), .. } if to == "timestamp" => {
                Self::Call(["date_part", "date_trunc", "date_bin", "extract"].map(str::to_owned).to_vec())
                    .ranges(sql)
            }
            // What is computed can be another operation than the one that is written: days are made of dates by `*`.
            Self::Operators(wanted) if wanted.len() < ARITHMETIC.len() => {
                Self::Operators(ARITHMETIC.to_vec()).ranges(sql)
            }
            _ => ranges,
        }
    }
}

const ARITHMETIC: [&str; 5] = ["+", "-", "*", "/", "%"];

/// What was found, as the parser says where it is.
struct Spot {
    span: Span,
    /// Whether the parser knows the place of what is within it alone: of `cast(x as date)` that of `x`.
    is_inner: bool,
}

impl Spot {
    fn of(expression: &Expr) -> Self {
        let is_inner =
            matches!(expression, Expr::Cast { .. } | Expr::Extract { .. } | Expr::Substring { .. });
        Self { span: expression.span(), is_inner }
    }

    fn bytes(&self, sql: &str) -> Option<Range<usize>> {
        if self.span.start.line == 0 {
            return None;
        }
        let start = offset(sql, self.span.start);
        let end = offset(sql, self.span.end).max(start);
        Some(closed(sql, start..end, self.is_inner))
    }
}

/// A stretch of SQL with the brackets of what begins or ends in it, and the word before them; with one more pair around it
/// where it is what stands within a call.
fn closed(sql: &str, range: Range<usize>, is_inner: bool) -> Range<usize> {
    let (mut opened, mut unopened) = (0_usize, 0_usize);
    for character in sql[range.clone()].chars() {
        match character {
            '(' => opened += 1,
            ')' if opened > 0 => opened -= 1,
            ')' => unopened += 1,
            _ => {}
        }
    }
    let Range { mut start, mut end } = range;
    for _ in 0..unopened {
        start = call_around(sql, start);
    }
    for _ in 0..opened {
        end = unmatched_after(sql, end).map_or(end, |at| at + 1);
    }
    if !is_inner {
        return start..end;
    }
    if let Some(rest) = sql[end..].trim_start().strip_prefix("::") {
        let rest = rest.trim_start();
        let word = rest.find(|c: char| !is_word(c)).unwrap_or(rest.len());
        return start..sql.len() - rest.len() + word;
    }
    call_around(sql, start)..unmatched_after(sql, end).map_or(end, |at| at + 1)
}

/// Where the call begins whose brackets a place stands in.
fn call_around(sql: &str, at: usize) -> usize {
    let Some(bracket) = unmatched_before(sql, at) else { return at };
    sql[..bracket].rfind(|c: char| !is_word(c)).map_or(0, |before| before + 1)
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// Where the bracket before a place stands that is open there.
fn unmatched_before(sql: &str, at: usize) -> Option<usize> {
    let mut closed = 0_usize;
    sql[..at].char_indices().rev().find_map(|(index, character)| match character {
        ')' => {
            closed += 1;
            None
        }
        '(' if closed == 0 => Some(index),
        '(' => {
            closed -= 1;
            None
        }
        _ => None,
    })
}

/// Where the bracket that is open at a place is closed.
fn unmatched_after(sql: &str, at: usize) -> Option<usize> {
    let mut opened = 0_usize;
    sql[at..].char_indices().find_map(|(index, character)| match character {
        '(' => {
            opened += 1;
            None
        }
        ')' if opened == 0 => Some(at + index),
        ')' => {
            opened -= 1;
            None
        }
        _ => None,
    })
}

struct CulpritSearch<'a> {
    culprit: &'a Culprit,
    /// What names the very value that failed.
    sure: Vec<Spot>,
    /// What is of the kind.
    likely: Vec<Spot>,
}

impl CulpritSearch<'_> {
    fn look_at(&mut self, expression: &Expr) {
        match (self.culprit, expression) {
            (Culprit::Operators(wanted), Expr::BinaryOp { left, op, right }) => {
                let symbol = symbol(op);
                // What is divided by a number that is written there is not divided by zero.
                let is_sound = wanted.contains(&"%") && is_number(right) && !is_zero(right);
                let are_constants = symbol != "/" && symbol != "%" && is_literal(left) && is_literal(right);
                if wanted.contains(&symbol) && !is_sound && !are_constants {
                    self.likely.push(Spot::of(expression));
                }
            }
            (Culprit::Operators(wanted), Expr::UnaryOp { op: UnaryOperator::Minus, expr })
                if wanted.contains(&"-") && !is_literal(expr) =>
            {
                self.likely.push(Spot::of(expression));
            }
            (Culprit::Operators(wanted), Expr::Function(call))
                if wanted.contains(&"%") && calls(call, &["mod"]) =>
            {
                self.likely.push(Spot::of(expression));
            }
            (Culprit::Cast { to, value }, _) => {
                self.look_at_cast(to.as_deref(), value.as_deref(), expression);
            }
            (Culprit::Call(names), Expr::Function(call)) => {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                if calls(call, &names) {
                    self.likely.push(Spot::of(expression));
                }
            }
            (Culprit::Call(names), Expr::Substring { .. })
                if names.iter().any(|name| name == "substr" || name == "substring") =>
            {
                self.likely.push(Spot::of(expression));
            }
            (Culprit::Call(names), Expr::Extract { .. }) if names.iter().any(|name| name == "extract") => {
                self.likely.push(Spot::of(expression));
            }
            (Culprit::Call(names), Expr::Overlay { .. }) if names.iter().any(|name| name == "overlay") => {
                self.likely.push(Spot::of(expression));
            }
            (Culprit::Call(names), Expr::CompoundFieldAccess { .. })
                if names.iter().any(|name| name == "array_slice" || name == "array_element") =>
            {
                self.likely.push(Spot::of(expression));
            }
            (Culprit::ComparedWithNumber, Expr::BinaryOp { left, right, .. })
                if is_number(left) != is_number(right) =>
            {
                self.likely.push(Spot::of(expression));
            }
            (Culprit::Part(part), Expr::Extract { field, .. }) => {
                let is_it = field.to_string().trim_matches('\'').eq_ignore_ascii_case(part);
                let found = if is_it { &mut self.sure } else { &mut self.likely };
                found.push(Spot::of(expression));
            }
            (Culprit::Part(part), Expr::Function(call)) if calls(call, &["date_part", "datepart"]) => {
                let is_it =
                    call.args.to_string().to_lowercase().contains(&format!("'{}'", part.to_lowercase()));
                let found = if is_it { &mut self.sure } else { &mut self.likely };
                found.push(Spot::of(expression));
            }
            (Culprit::Pattern(pattern), _) => self.look_at_pattern(pattern, expression),
            (Culprit::Subquery, Expr::Subquery(query)) => {
                self.likely.push(Spot { span: query.span(), is_inner: false });
            }
            _ => {}
        }
    }

    fn look_at_cast(&mut self, to: Option<&str>, value: Option<&str>, expression: &Expr) {
        match expression {
            Expr::Value(literal) if value.is_some_and(|value| is_text(&literal.value, value)) => {
                self.sure.push(Spot::of(expression));
            }
            Expr::TypedString(TypedString { value: literal, .. })
                if value.is_some_and(|value| is_text(&literal.value, value)) =>
            {
                self.sure.push(Spot::of(expression));
            }
            // `try_cast` gives NULL.
            Expr::Cast { kind: ast::CastKind::TryCast | ast::CastKind::SafeCast, .. } => {}
            Expr::Cast { data_type, expr, .. }
                if !is_literal(expr) && to.is_none_or(|to| is_type(data_type, to)) =>
            {
                self.likely.push(Spot::of(expression));
            }
            Expr::Function(call) if to == Some("timestamp") && is_to_time(call) => {
                self.likely.push(Spot::of(expression));
            }
            Expr::Function(call) if calls(call, &["arrow_cast"]) => self.likely.push(Spot::of(expression)),
            _ => {}
        }
    }

    fn look_at_pattern(&mut self, pattern: &str, expression: &Expr) {
        match expression {
            Expr::Value(literal) if is_text(&literal.value, pattern) => self.sure.push(Spot::of(expression)),
            Expr::Function(call) if call.name.to_string().to_lowercase().starts_with("regexp_") => {
                self.likely.push(Spot::of(expression));
            }
            Expr::BinaryOp { op, right, .. } if is_match(op) && !is_literal(right) => {
                self.likely.push(Spot::of(expression));
            }
            Expr::SimilarTo { .. } | Expr::RLike { .. } => self.likely.push(Spot::of(expression)),
            _ => {}
        }
    }
}

impl Visitor for CulpritSearch<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expression: &Expr) -> ControlFlow<()> {
        self.look_at(expression);
        ControlFlow::Continue(())
    }

    fn pre_visit_query(&mut self, query: &ast::Query) -> ControlFlow<()> {
        if *self.culprit == Culprit::Limit {
            let limit = query.limit_clause.as_ref().map(LimitClause::span);
            self.likely.extend(limit.map(|span| Spot { span, is_inner: false }));
        }
        ControlFlow::Continue(())
    }
}

fn symbol(operator: &BinaryOperator) -> &'static str {
    match operator {
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide | BinaryOperator::DuckIntegerDivide | BinaryOperator::MyIntegerDivide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::PGBitwiseShiftLeft => "<<",
        BinaryOperator::PGBitwiseShiftRight => ">>",
        _ => "",
    }
}

fn is_match(operator: &BinaryOperator) -> bool {
    matches!(
        operator,
        BinaryOperator::PGRegexMatch
            | BinaryOperator::PGRegexIMatch
            | BinaryOperator::PGRegexNotMatch
            | BinaryOperator::PGRegexNotIMatch
    )
}

fn is_literal(expression: &Expr) -> bool {
    match expression {
        Expr::Value(_) | Expr::TypedString(_) => true,
        Expr::Nested(inner) | Expr::UnaryOp { expr: inner, .. } => is_literal(inner),
        _ => false,
    }
}

fn is_number(expression: &Expr) -> bool {
    matches!(expression, Expr::Value(value) if matches!(value.value, Value::Number(..)))
}

fn is_zero(expression: &Expr) -> bool {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(digits, _) => digits.clone().trim_matches(['0', '.']).is_empty(),
            _ => false,
        },
        _ => false,
    }
}

fn is_numeric(said: &str) -> bool {
    ["tinyint", "smallint", "integer", "bigint", "float", "double", "decimal"]
        .iter()
        .any(|name| said.starts_with(name))
}

fn is_text(value: &Value, text: &str) -> bool {
    matches!(value, Value::SingleQuotedString(found) if found == text)
}

fn calls(call: &ast::Function, names: &[&str]) -> bool {
    let called = call.name.to_string().to_lowercase();
    names.contains(&called.as_str())
}

fn is_to_time(call: &ast::Function) -> bool {
    let called = call.name.to_string().to_lowercase();
    called.starts_with("to_timestamp") || called == "to_date" || called == "to_unixtime"
}

/// Whether a type of the SQL is the one that an error speaks of. Numbers of digits are not compared: a cast can go through a
/// wider type.
fn is_type(written: &ast::DataType, said: &str) -> bool {
    let written = written.to_string().to_lowercase();
    let head = |of: &str| of.split(['(', ' ']).next().unwrap_or_default().to_owned();
    let kind = |of: &str| -> String {
        match head(of).as_str() {
            "int" | "int4" | "integer" => "integer",
            "int8" | "bigint" | "long" => "bigint",
            "int2" | "smallint" => "smallint",
            "decimal" | "numeric" | "dec" => "decimal",
            "float8" | "double" => "double",
            "float4" | "real" | "float" => "float",
            "bool" | "boolean" => "boolean",
            "datetime" | "timestamp" | "timestamptz" => "timestamp",
            other => return other.to_owned(),
        }
        .to_owned()
    };
    kind(&written) == kind(said)
}

#[cfg(test)]
mod tests {
    use super::Culprit;

    fn found(culprit: &Culprit, sql: &str) -> Vec<String> {
        culprit.ranges(sql).into_iter().map(|range| sql[range].to_owned()).collect()
    }

    #[test]
    fn what_failed_is_found_by_its_kind() {
        let division = Culprit::Operators(vec!["/", "%"]);
        assert_eq!(
            found(&division, "select a + b, a / b, a / 2 from t where 1 / 2 > c % d"),
            ["a / b", "c % d"]
        );
        assert_eq!(
            found(&division, "select cast(a as double) / cast(b as double) from t"),
            ["cast(a as double) / cast(b as double)"]
        );
        assert_eq!(found(&Culprit::Operators(vec!["+"]), "select a + b + c from t"), ["a + b + c"]);
        let call = Culprit::Call(vec!["sqrt".to_owned()]);
        assert_eq!(found(&call, "select sqrt(x), ln(x) from t"), ["sqrt(x)"]);
        let subquery = Culprit::Subquery;
        assert_eq!(
            found(&subquery, "select (select x from u) from t where exists (select 1)"),
            ["select x from u"]
        );
    }

    #[test]
    fn the_literal_that_failed_goes_before_what_is_of_its_kind() {
        let cast = Culprit::Cast { to: Some("bigint".to_owned()), value: Some("x".to_owned()) };
        assert_eq!(
            found(&cast, "select cast(s as bigint), cast(s as date), try_cast(s as bigint) from t"),
            ["cast(s as bigint)"]
        );
        assert_eq!(found(&cast, "select max(s)::bigint as n from t"), ["max(s)::bigint"]);
        assert_eq!(found(&cast, "select cast(s as bigint) from t where k in ('x', 'y')"), ["'x'"]);
    }
}
