//! The patterns of `to_char`, `to_date` and `to_timestamp` are those of strftime; one of PostgreSQL's or Snowflake's is read as its equal, and
//! one that has none is refused.
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

/// What Java, which Spark writes dates by, and strftime call the same.
const OF_JAVA: [(&str, &str); 13] = [
    ("yyyy", "%Y"),
    ("yy", "%y"),
    ("MMMM", "%B"),
    ("MMM", "%b"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("hh", "%I"),
    ("mm", "%M"),
    ("ss", "%S"),
    ("EEEE", "%A"),
    ("EEE", "%a"),
    ("a", "%p"),
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

/// The pattern of strftime that a pattern of PostgreSQL or Snowflake stands for, or of Java for `date_format`; `None` where a word of it
/// has no equal, or one that engines read differently.
pub(super) fn equal(name: &str, pattern: &str) -> Option<String> {
    const MISREAD: [&str; 4] = ["%B", "%A", "%b", "%a"];
    if is_pattern(pattern) {
        return None;
    }
    let of_java = name == "date_format";
    let words: &[(&str, &str)] = if of_java { &OF_JAVA } else { &SAME };
    let (written, is_whole) = written(pattern, words, !of_java);
    // Names of months and days are padded by one engine, and written in the case of the pattern.
    let makes_names =
        !of_java && MAKE_TEXT.contains(&name) && MISREAD.iter().any(|word| written.contains(word));
    (is_whole && !makes_names).then_some(written)
}

fn translated(pattern: &str) -> String {
    written(pattern, &SAME, true).0
}

/// A pattern in the words of strftime, and whether each letter of it is a part of such a word.
fn written(pattern: &str, words: &[(&str, &str)], in_any_case: bool) -> (String, bool) {
    let (mut strftime, mut is_whole) = (String::new(), true);
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let is_here = |word: &&(&str, &str)| {
            rest.starts_with(word.0)
                || in_any_case && rest.get(..word.0.len()).is_some_and(|start| start == word.0.to_lowercase())
        };
        if let Some((word, same)) = words.iter().find(is_here) {
            strftime.push_str(same);
            rest = &rest[word.len()..];
        } else {
            is_whole &= !first.is_alphabetic() && first != '"' && first != '\'' && first != '%';
            strftime.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    (strftime, is_whole)
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
    fn a_pattern_without_an_equal_is_refused_with_the_one_to_write() {
        insta::assert_snapshot!(refusal("to_char(ts, 'YYYY Month')"), @"`to_char` takes patterns of strftime, and found 'YYYY Month', in which there is no `%` ['YYYY Month'] write '%Y %B'");
        insta::assert_snapshot!(refusal("to_date(s, 'DDTH/MM/YYYY')"), @"`to_date` takes patterns of strftime, and found 'DDTH/MM/YYYY', in which there is no `%` ['DDTH/MM/YYYY'] write '%dTH/%m/%Y'");
        insta::assert_snapshot!(refusal("to_char(ts, s)"), @"the pattern of `to_char` is to be a text in the SQL [s] write a pattern of strftime, such as '%Y-%m-%d'; for several, a CASE of several calls");
        assert_eq!(translated("Dy, DD Mon YYYY HH24:MI:SS.MS"), "%a, %d %b %Y %H:%M:%S.%3f");
        assert_eq!(translated("yyyymmdd hh24:mi"), "%Y%m%d %H:%M");
    }

    #[test]
    fn patterns_of_strftime_are_planned() {
        for expression in [
            "to_char(ts, 'YYYY-MM')",
            "to_date(s, 'dd/mm/yyyy')",
            "date_format(ts, 'yyyy-MM-dd HH:mm')",
            "to_char(ts, '%Y-%m')",
            "to_date(s, '%d/%m/%Y')",
            "to_timestamp(s)",
            "to_timestamp(s, '%d/%m/%Y', '%Y')",
        ] {
            assert_eq!(refusal(expression), "planned", "{expression}");
        }
    }
}
