//! What is wrong with SQL, and where in it.

use std::ops::Range;

use datafusion::common::{DataFusionError, SchemaError, Span};
use datafusion::sql::sqlparser::parser::ParserError;
use regex::Regex;

use super::failure::{Failure, arguments, tidied};
use super::syntax::{NESTING, Nesting, deepest_bracket};
use super::types_said::in_sql;
use mep_core::nearest::nearest;

/// Something wrong with a SELECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlProblem {
    /// What is wrong, lower case.
    pub message: String,
    /// The bytes of the SQL that it is about, where they are known.
    pub range: Option<Range<usize>>,
    /// What to do, where something is known.
    pub help: Option<String>,
}

impl SqlProblem {
    /// The problem that the planner's error is about.
    pub(super) fn of(error: &DataFusionError, sql: &str) -> Self {
        let diagnostic = error.diagnostic();
        let range = diagnostic.and_then(|diagnostic| diagnostic.span).map(|span| bytes(span, sql));
        let root = error.find_root();
        let failure = match diagnostic {
            Some(diagnostic) => Failure::of_text(&diagnostic.message),
            None => Failure::of(error),
        };
        let mut problem = Self { message: failure.message, range, help: failure.help };
        match root {
            DataFusionError::SchemaError(schema_error, _) => problem.describe_column(schema_error),
            DataFusionError::SQL(parse_error, _)
                if matches!(**parse_error, ParserError::RecursionLimitExceeded) =>
            {
                let nesting = Nesting { at: deepest_bracket(sql) };
                return Self::nested_too_deep(nesting, sql, NESTING);
            }
            DataFusionError::SQL(parse_error, _) => {
                problem.message = tidied(&parse_error.to_string());
                problem.range = problem.range.take().or_else(|| line_column(&problem.message, sql));
                problem.message =
                    LINE_COLUMN.with(|pattern| pattern.replace(&problem.message, "").into_owned());
            }
            _ => {
                let said = diagnostic
                    .map_or_else(|| root.strip_backtrace(), |diagnostic| diagnostic.message.clone());
                if let Some(reasons) = signature_mismatch(&said) {
                    problem.message = reasons;
                }
                let helps = diagnostic.iter().flat_map(|diagnostic| &diagnostic.helps);
                problem.help = helps.map(|help| tidied(&help.message)).next().or(problem.help);
            }
        }
        problem.describe_number_of_statements();
        if problem.message.ends_with("found: EOF") {
            problem.range = Some(sql.trim_end().len()..sql.trim_end().len());
        }
        problem
    }

    /// The problem of SQL that is nested deeper than so many levels.
    pub(super) fn nested_too_deep(nesting: Nesting, sql: &str, levels: usize) -> Self {
        let at = offset(sql, nesting.at.line, nesting.at.column);
        Self {
            message: format!(
                "the SQL is nested more than {levels} levels deep, which is more than can be planned"
            ),
            range: (nesting.at.line > 0).then_some(at..at),
            help: Some("put a part of it into a CTE or a model of its own".to_owned()),
        }
    }

    /// Offers the function that is most like the unknown one, where this is about one.
    pub(super) fn suggest_function(&mut self, functions: &[String]) {
        let unknown =
            self.message.strip_prefix("invalid function '").and_then(|rest| rest.strip_suffix('\''));
        let Some(unknown) = unknown else { return };
        // As stream processors name windows of other kinds.
        if ["hop", "session", "cumulate"].contains(&unknown.to_lowercase().as_str()) {
            self.help = Some(
                "windows of time have a fixed length and do not overlap: tumble(time, interval '5 minutes')"
                    .to_owned(),
            );
        } else if let Some(near) = nearest(unknown, functions.iter().map(String::as_str)) {
            self.help = Some(format!("did you mean `{near}`?"));
        }
    }

    fn describe_number_of_statements(&mut self) {
        let found = match self.message.as_str() {
            "no SQL statements were provided in the query string" => "nothing",
            "the context currently only supports a single SQL statement" => "several statements",
            _ => return,
        };
        self.message = format!("expected one SELECT, found {found}");
    }

    fn describe_column(&mut self, error: &SchemaError) {
        if let SchemaError::FieldNotFound { field, valid_fields } = error {
            self.message = format!("there is no column `{}` here", field.flat_name());
            let candidates: Vec<String> = valid_fields.iter().map(|field| field.name.clone()).collect();
            let near = nearest(&field.name, candidates.iter().map(String::as_str));
            self.help = match near {
                Some(near) if near != field.name.to_lowercase() && near.to_lowercase() == field.name => {
                    Some(format!("did you mean \"{near}\"? a name with capitals is quoted"))
                }
                Some(near) => Some(format!("did you mean `{near}`?")),
                None if candidates.is_empty() => None,
                None => {
                    let shown: Vec<&str> = candidates.iter().take(12).map(String::as_str).collect();
                    let more = if candidates.len() > shown.len() { ", ..." } else { "" };
                    Some(format!("the columns are {}{more}", shown.join(", ")))
                }
            };
        }
    }
}

thread_local! {
    static LINE_COLUMN: Regex = regex(r" at Line: (\d+), Column: (\d+)");
    static NUMBER_OF_ARGUMENTS: Regex = regex(r"expects (\d+) arguments? but received (\d+)");
    static TYPE_OF_ARGUMENT: Regex = regex(r"requires ([^,;]+), but received .+? \(DataType: (\w+(?:\([^()]*\))?)\)");
    static QUOTED: Regex = regex(r#"['"`]([A-Za-z_][A-Za-z0-9_.]*)['"`]"#);
}

fn regex(pattern: &str) -> Regex {
    #[expect(clippy::unwrap_used, reason = "the patterns are literals that the tests compile")]
    Regex::new(pattern).unwrap()
}

/// Of a message that lists why each signature of a function does not fit, what it takes and what it was given.
fn signature_mismatch(message: &str) -> Option<String> {
    let (head, reasons) = message.split_once(" failed to match any signature, errors: ")?;
    let function = head.rsplit("Function ").next()?.trim_matches('\'');
    let mut takes: Vec<String> = Vec::new();
    let mut given = None;
    TYPE_OF_ARGUMENT.with(|pattern| {
        for found in pattern.captures_iter(reasons) {
            let wanted = in_sql(&found[1]).to_lowercase().replace("string", "varchar");
            if !takes.contains(&wanted) && !wanted.contains("unsigned") && wanted != "duration" {
                takes.push(wanted);
            }
            given = Some(in_sql(&found[2]));
        }
    });
    if let Some(given) = given {
        return Some(format!("`{function}` takes {}, and not {given}", takes.join(" or ")));
    }
    let numbers = NUMBER_OF_ARGUMENTS.with(|pattern| {
        let found = pattern.captures(reasons)?;
        Some((arguments(&found[1]), found[2].to_owned()))
    });
    Some(match numbers {
        Some((takes, given)) => format!("`{function}` takes {takes}, and not {given}"),
        None => format!("`{function}` does not take this: {}", tidied(reasons)),
    })
}

/// The bytes of a span of lines and columns; columns count characters.
fn bytes(span: Span, sql: &str) -> Range<usize> {
    let start = offset(sql, span.start.line, span.start.column);
    let end = offset(sql, span.end.line, span.end.column);
    start..end.max(start)
}

fn offset(sql: &str, line: u64, column: u64) -> usize {
    let line_start = match line {
        0 | 1 => 0,
        _ => sql.match_indices('\n').nth(line as usize - 2).map_or(sql.len(), |(at, _)| at + 1),
    };
    let rest = &sql[line_start..];
    line_start + rest.char_indices().nth(column.max(1) as usize - 1).map_or(rest.len(), |(at, _)| at)
}

/// Where a parser's message says that it is.
fn line_column(message: &str, sql: &str) -> Option<Range<usize>> {
    let (line, column) = LINE_COLUMN.with(|pattern| {
        let found = pattern.captures(message)?;
        Some((found.get(1)?.as_str().parse().ok()?, found.get(2)?.as_str().parse().ok()?))
    })?;
    let start = offset(sql, line, column);
    let word = sql[start..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(sql.len() - start);
    Some(start..start + word.max(1).min(sql.len() - start))
}

/// Where the SQL first speaks of what the message names in quotes, for errors that carry no place.
pub(super) fn named_range(message: &str, sql: &str) -> Option<Range<usize>> {
    let lower = sql.to_ascii_lowercase();
    QUOTED.with(|pattern| {
        pattern.captures_iter(message).find_map(|found| {
            let full = found.get(1)?.as_str().to_ascii_lowercase();
            let last = full.rsplit('.').next().unwrap_or(&full).to_owned();
            let name = if lower.contains(&full) { full } else { last };
            let is_word = |at: usize| {
                let before = lower[..at].chars().next_back();
                let after = lower[at + name.len()..].chars().next();
                let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
                !joins(before) && !joins(after)
            };
            let at = lower.match_indices(&name).map(|(at, _)| at).find(|at| is_word(*at))?;
            Some(at..at + name.len())
        })
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::datatypes::{DataType, Field, Schema};

    use crate::scope::{DeclaredTable, Scope};
    use mep_core::relation::Relation;

    /// The problem of a SELECT over `m.raw (id bigint, "userId" bigint, song varchar)`, with the text it points at.
    fn problem(sql: &str) -> String {
        let scope = Scope::for_planning();
        let raw = Schema::new(vec![
            Field::new("id", DataType::Int64, true),
            Field::new("userId", DataType::Int64, true),
            Field::new("song", DataType::Utf8View, true),
        ]);
        let table = DeclaredTable::new(Arc::new(raw), Vec::new());
        scope.register(&Relation::new("m", "raw"), Arc::new(table)).unwrap();
        let problem = scope.plan(sql).unwrap_err();
        let place = problem.range.map_or("nowhere", |range| &sql[range]);
        format!("{} [{place}] {}", problem.message, problem.help.unwrap_or_default())
    }

    #[test]
    fn an_unknown_name_is_pointed_at_with_a_near_one() {
        insta::assert_snapshot!(problem("select\n  sonng\nfrom m.raw"), @"there is no column `sonng` here [sonng] did you mean `song`?");
        insta::assert_snapshot!(problem("select \"userid\" from m.raw"), @r#"there is no column `userid` here ["userid"] did you mean "userId"? a name with capitals is quoted"#);
        insta::assert_snapshot!(problem("select r.whatever from m.raw r"), @"there is no column `r.whatever` here [r.whatever] the columns are id, userId, song");
        insta::assert_snapshot!(problem("select id from m.row"), @"table 'm.row' not found [m.row]");
        insta::assert_snapshot!(problem("select uper(song) from m.raw"), @"invalid function 'uper' [uper] did you mean `upper`?");
        insta::assert_snapshot!(problem("select count(*) from m.raw group by session(id)"), @"invalid function 'session' [session] windows of time have a fixed length and do not overlap: tumble(time, interval '5 minutes')");
    }

    #[test]
    fn a_type_that_does_not_fit_is_pointed_at() {
        insta::assert_snapshot!(problem("select id, song + true from m.raw"), @"expressions have incompatible types [song]");
        insta::assert_snapshot!(problem("select date_trunc('day', song, 3) from m.raw"), @"`date_trunc` takes 2 arguments, and not 3 [date_trunc('day', song, 3]");
        insta::assert_snapshot!(problem("select sum(song) from m.raw"), @"`sum` takes decimal or bigint or double or interval, and not varchar [song]");
        insta::assert_snapshot!(problem("select id from m.raw where id"), @"a filter takes a condition, and `m.raw.id` is bigint [id] compare it: x <> 0, x is not null, x = 'yes'");
        insta::assert_snapshot!(problem("select * from range(0, random())"), @"argument 2 must be an integer that is written out, or NULL [random]");
        insta::assert_snapshot!(problem("select id from m.raw union all select song, id from m.raw"), @"UNION queries have different number of columns [select id from m.raw union all select song, id from m.raw]");
    }

    #[test]
    fn a_syntax_error_is_pointed_at() {
        insta::assert_snapshot!(problem("select id\nfrm m.raw where"), @"expected: end of statement, found: m [m]");
        insta::assert_snapshot!(problem("select id from m.raw where (id = 1"), @"expected: ), found: EOF []");
        insta::assert_snapshot!(problem("drop table m.raw"), @"expected a SELECT, found another statement [nowhere] a model is one SELECT; mep makes the table or view itself");
        insta::assert_snapshot!(problem("select song, count(*) from m.raw"), @"'m.raw.song' must appear in GROUP BY clause because it's not an aggregate expression [song] either add 'm.raw.song' to GROUP BY clause, or use an aggregate function like ANY_VALUE(m.raw.song)");
    }
}
