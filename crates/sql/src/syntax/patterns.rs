//! The patterns of `to_char`, `to_date` and `to_timestamp` are those of strftime, and one of PostgreSQL's is refused.
//!
//! A pattern without a `%` is to the engine a text that stands for itself: `to_char(ts, 'YYYY-MM')` would give `YYYY-MM`.

use datafusion::sql::sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Spanned, Value,
};
use datafusion::sql::sqlparser::tokenizer::Span;

/// A pattern that is none, with what to write in its place.
pub(super) struct NoPattern {
    pub(super) message: String,
    pub(super) at: Span,
    pub(super) help: String,
}

const MAKE_TEXT: [&str; 2] = ["to_char", "date_format"];
const READ_TEXT: [&str; 6] = [
    "to_date",
    "to_timestamp",
    "to_timestamp_seconds",
    "to_timestamp_millis",
    "to_timestamp_micros",
    "to_timestamp_nanos",
];

/// What PostgreSQL and strftime call the same. Longer words come before those that they begin with.
const SAME: [(&str, &str); 28] = [
    ("HH24", "%H"),
    ("HH12", "%I"),
    ("YYYY", "%Y"),
    ("IYYY", "%G"),
    ("MONTH", "%B"),
    ("Month", "%B"),
    ("month", "%B"),
    ("DDD", "%j"),
    ("DAY", "%A"),
    ("Day", "%A"),
    ("day", "%A"),
    ("MON", "%b"),
    ("Mon", "%b"),
    ("mon", "%b"),
    ("MI", "%M"),
    ("MM", "%m"),
    ("DD", "%d"),
    ("DY", "%a"),
    ("Dy", "%a"),
    ("HH", "%I"),
    ("SS", "%S"),
    ("MS", "%3f"),
    ("US", "%6f"),
    ("YY", "%y"),
    ("IW", "%V"),
    ("ID", "%u"),
    ("AM", "%p"),
    ("PM", "%p"),
];

/// What is wrong with the patterns of a call, if anything is.
pub(super) fn no_pattern(name: &str, call: &Function) -> Option<NoPattern> {
    let makes_text = MAKE_TEXT.contains(&name);
    if !makes_text && !READ_TEXT.contains(&name) {
        return None;
    }
    let FunctionArguments::List(list) = &call.args else { return None };
    list.args.iter().skip(1).find_map(|argument| {
        let FunctionArg::Unnamed(FunctionArgExpr::Expr(pattern)) = argument else { return None };
        match text(pattern) {
            Some(text) if is_pattern(text) => None,
            Some(text) => Some(NoPattern {
                message: format!(
                    "`{name}` takes patterns of strftime, and found '{text}', in which there is no `%`"
                ),
                at: pattern.span(),
                help: format!("write '{}'", translated(text)),
            }),
            None if makes_text => Some(NoPattern {
                message: format!("the pattern of `{name}` is to be a text in the SQL"),
                at: pattern.span(),
                help: "write a pattern of strftime, such as '%Y-%m-%d'; for several, a CASE of several calls"
                    .to_owned(),
            }),
            None => None,
        }
    })
}

fn text(pattern: &Expr) -> Option<&str> {
    match pattern {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::EscapedStringLiteral(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// Durations have two words of their own.
fn is_pattern(text: &str) -> bool {
    text.contains('%') || text.eq_ignore_ascii_case("iso8601") || text.eq_ignore_ascii_case("pretty")
}

fn translated(pattern: &str) -> String {
    let mut strftime = String::new();
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let upper = |word: &&(&str, &str)| {
            rest.starts_with(word.0)
                || rest.get(..word.0.len()).is_some_and(|start| start == word.0.to_lowercase())
        };
        if let Some((word, same)) = SAME.iter().find(upper) {
            strftime.push_str(same);
            rest = &rest[word.len()..];
        } else {
            strftime.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    strftime
}

#[cfg(test)]
mod tests {
    use super::translated;
    use crate::Scope;

    fn refusal(expression: &str) -> String {
        let sql = format!(
            "select {expression} from (values (timestamp '2024-03-05 10:11:12', '05/03/2024')) t(ts, s)"
        );
        let Err(problem) = Scope::for_planning().plan(&sql) else { return "planned".to_owned() };
        let place = problem.range.map_or("nowhere", |range| &sql[range]);
        format!("{} [{place}] {}", problem.message, problem.help.unwrap_or_default())
    }

    #[test]
    fn a_pattern_of_postgresql_is_refused_with_the_one_to_write() {
        insta::assert_snapshot!(refusal("to_char(ts, 'YYYY-MM')"), @"`to_char` takes patterns of strftime, and found 'YYYY-MM', in which there is no `%` ['YYYY-MM'] write '%Y-%m'");
        insta::assert_snapshot!(refusal("to_date(s, 'DD/MM/YYYY')"), @"`to_date` takes patterns of strftime, and found 'DD/MM/YYYY', in which there is no `%` ['DD/MM/YYYY'] write '%d/%m/%Y'");
        insta::assert_snapshot!(refusal("to_char(ts, s)"), @"the pattern of `to_char` is to be a text in the SQL [s] write a pattern of strftime, such as '%Y-%m-%d'; for several, a CASE of several calls");
        assert_eq!(translated("Dy, DD Mon YYYY HH24:MI:SS.MS"), "%a, %d %b %Y %H:%M:%S.%3f");
        assert_eq!(translated("yyyymmdd hh24:mi"), "%Y%m%d %H:%M");
    }

    #[test]
    fn patterns_of_strftime_are_planned() {
        for expression in [
            "to_char(ts, '%Y-%m')",
            "to_date(s, '%d/%m/%Y')",
            "to_timestamp(s)",
            "to_timestamp(s, '%d/%m/%Y', '%Y')",
        ] {
            assert_eq!(refusal(expression), "planned", "{expression}");
        }
    }
}
