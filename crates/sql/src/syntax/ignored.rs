//! What the parser reads and the planner leaves out without a word: it is refused by name, at its place.
//!
//! The parser takes the words of many engines. The planner looks at most of a syntax tree and passes over the rest, so that
//! `from t tablesample (1 percent)` gives all rows. Each such part is listed here.

use std::borrow::Cow;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArgumentClause, FunctionArguments, GroupByExpr,
    NullTreatment, Query, Select, Spanned, TableAlias, TableFactor, Visit, Visitor, WindowType,
};
use datafusion::sql::sqlparser::tokenizer::{Location, Span, Token, Tokenizer};

use super::Sql;
use super::patterns::{NoPattern, no_pattern};
use super::visits::{visit, visit_expressions};
use crate::offset;
use crate::problem::SqlProblem;

/// The first part of a query that would be left out, if there is one.
pub(crate) fn ignored(query: &Query, sql: &str, is_scalar: &dyn Fn(&str) -> bool) -> Option<SqlProblem> {
    let mut search = Search { is_scalar };
    match visit(query, &mut search) {
        ControlFlow::Break(part) => Some(part.problem(sql)),
        ControlFlow::Continue(()) => None,
    }
}

/// A part that the planner does not look at.
struct IgnoredPart {
    /// Its words, as SQL writes them; the first of them is looked for from `near` on.
    words: &'static str,
    /// What it is about.
    message: String,
    near: Span,
    help: Cow<'static, str>,
}

impl IgnoredPart {
    fn of(words: &'static str, near: Span, help: &'static str) -> Self {
        Self { words, message: format!("{words} is not supported"), near, help: help.into() }
    }

    fn problem(self, sql: &str) -> SqlProblem {
        let range = place(sql, self.near, self.words);
        SqlProblem {
            message: self.message,
            range,
            help: Some(self.help.into_owned()).filter(|help| !help.is_empty()),
        }
    }
}

/// Where these words stand, from a place on; that place, where they do not.
fn place(sql: &str, near: Span, words: &str) -> Option<std::ops::Range<usize>> {
    if words.is_empty() {
        return Some(offset(sql, near.start)..offset(sql, near.end));
    }
    let tokens = Tokenizer::new(&Sql, sql).tokenize_with_location().ok()?;
    let spoken: Vec<_> =
        tokens.iter().filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF)).collect();
    let words: Vec<&str> = words.split(' ').collect();
    let is_at = |at: usize| {
        let here = spoken.get(at..at + words.len());
        here.is_some_and(|here| {
            here.iter().zip(&words).all(|(token, word)| token.token.to_string().eq_ignore_ascii_case(word))
        })
    };
    let from = if near == Span::empty() { Location::new(1, 1) } else { near.start };
    let found = (0..spoken.len()).find(|at| spoken[*at].span.start >= from && is_at(*at));
    let (start, end) = match found {
        Some(at) => (spoken[at].span.start, spoken[at + words.len() - 1].span.end),
        None if near == Span::empty() => return None,
        None => (near.start, near.end),
    };
    Some(offset(sql, start)..offset(sql, end))
}

struct Search<'a> {
    is_scalar: &'a dyn Fn(&str) -> bool,
}

type FoundPart = ControlFlow<IgnoredPart>;

fn found(words: &'static str, near: Span, help: &'static str) -> FoundPart {
    ControlFlow::Break(IgnoredPart::of(words, near, help))
}

impl Visitor for Search<'_> {
    type Break = IgnoredPart;

    fn pre_visit_query(&mut self, query: &Query) -> FoundPart {
        let near = query.body.span();
        if !query.locks.is_empty() {
            return found("FOR", near, "a model only reads: take the lock away");
        }
        if query.for_clause.is_some() {
            return found("FOR", near, "");
        }
        if query.settings.is_some() {
            return found("SETTINGS", near, "");
        }
        if query.format_clause.is_some() {
            return found("FORMAT", near, "");
        }
        by_name(&query.order_by)
    }

    fn pre_visit_select(&mut self, select: &Select) -> FoundPart {
        let near = select.span();
        if select.into.is_some() {
            return found("INTO", near, "a model is one SELECT; mep makes the table or view itself");
        }
        if select.exclude.is_some() {
            return found("EXCLUDE", near, "write it at the star: select * exclude (a)");
        }
        if select.prewhere.is_some() {
            return found("PREWHERE", near, "write WHERE");
        }
        if !select.connect_by.is_empty() {
            return found("CONNECT", near, "write WITH RECURSIVE");
        }
        if select.value_table_mode.is_some() {
            return found("AS", near, "select the columns by name");
        }
        if let GroupByExpr::Expressions(_, modifiers) | GroupByExpr::All(modifiers) = &select.group_by
            && !modifiers.is_empty()
        {
            let help = "write GROUP BY ROLLUP (a, b), CUBE (a, b) or GROUPING SETS ((a), ())";
            return found("WITH", select.group_by.span(), help);
        }
        by_name(&select.qualify)?;
        by_name(&select.having)
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> FoundPart {
        let near = factor.span();
        let alias = match factor {
            TableFactor::Table {
                alias,
                args,
                with_hints,
                version,
                with_ordinality,
                partitions,
                json_path,
                sample,
                index_hints,
                name: _,
            } => {
                if args.as_ref().is_some_and(|args| args.settings.is_some()) {
                    return found("SETTINGS", near, "");
                }
                if !with_hints.is_empty() {
                    return found("WITH", near, "take the hint away");
                }
                if version.is_some() {
                    return found("FOR", near, "a model reads its inputs as they are");
                }
                if *with_ordinality {
                    return found("WITH ORDINALITY", near, "number the rows: row_number() over (order by …)");
                }
                if !partitions.is_empty() {
                    return found("PARTITION", near, "filter by the partition columns in WHERE");
                }
                if json_path.is_some() {
                    return found("[", near, "");
                }
                if sample.is_some() {
                    return found("TABLESAMPLE", near, SAMPLE);
                }
                if !index_hints.is_empty() {
                    return found("INDEX", near, "take the hint away");
                }
                alias
            }
            TableFactor::Derived { alias, sample, .. } => {
                if sample.is_some() {
                    return found("TABLESAMPLE", near, SAMPLE);
                }
                alias
            }
            TableFactor::Function { alias, with_ordinality, .. } => {
                if *with_ordinality {
                    return found("WITH ORDINALITY", near, "number the rows: row_number() over (order by …)");
                }
                alias
            }
            _ => return ControlFlow::Continue(()),
        };
        match alias {
            Some(alias) => within_alias(alias),
            None => ControlFlow::Continue(()),
        }
    }

    fn pre_visit_expr(&mut self, expression: &Expr) -> FoundPart {
        match expression {
            Expr::SimilarTo { expr, .. } => {
                found("SIMILAR TO", expr.span(), "write a regular expression: regexp_like(a, '^(b|c).*$')")
            }
            Expr::Function(function) => self.within_call(function),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// The planner knows the windows that a SELECT names in its select list alone. Elsewhere a function over one is taken for
/// a function of the group.
fn by_name(part: &impl Visit) -> FoundPart {
    let search = visit_expressions(part, |expression| match expression {
        Expr::Function(Function { over: Some(WindowType::NamedWindow(_)), name, .. }) => {
            ControlFlow::Break(name.span())
        }
        _ => ControlFlow::Continue(()),
    });
    match search {
        ControlFlow::Break(near) => ControlFlow::Break(IgnoredPart {
            words: "OVER",
            message: "a window is known by its name in the select list only".to_owned(),
            near,
            help: "write the window itself: over (partition by a order by b)".into(),
        }),
        ControlFlow::Continue(()) => ControlFlow::Continue(()),
    }
}

const SAMPLE: &str =
    "a sample would be another one on each run: filter by a hash of a key, such as hash_key(id) % 100 = 0";

/// Names of window functions that look at IGNORE NULLS.
const LOOK_AT_NULLS: [&str; 5] = ["first_value", "last_value", "nth_value", "lag", "lead"];

impl Search<'_> {
    fn within_call(&self, function: &Function) -> FoundPart {
        let near = function.name.span();
        if function.parameters != FunctionArguments::None {
            return ControlFlow::Break(IgnoredPart {
                words: "(",
                message: "a function takes one list of arguments".to_owned(),
                near,
                help: "".into(),
            });
        }
        if let Some(WindowType::WindowSpec(window)) = &function.over
            && let Some(base) = &window.window_name
        {
            return ControlFlow::Break(IgnoredPart {
                words: "OVER",
                message: format!("a window that goes on from another one, `{base}`, is not supported"),
                near,
                help: "write the window itself: over (partition by a order by b)".into(),
            });
        }
        let name = function.name.to_string().to_lowercase();
        if let Some(NoPattern { message, at, help }) = no_pattern(&name, function) {
            return ControlFlow::Break(IgnoredPart { words: "", message, near: at, help: help.into() });
        }
        let nulls = null_treatment(function);
        if function.over.is_some()
            && nulls == Some(NullTreatment::IgnoreNulls)
            && !LOOK_AT_NULLS.contains(&name.as_str())
        {
            return found("IGNORE NULLS", near, "first_value, last_value, nth_value, lag and lead take it");
        }
        if !(self.is_scalar)(&name) {
            return ControlFlow::Continue(());
        }
        let of = |words: &'static str| {
            ControlFlow::Break(IgnoredPart {
                words,
                message: format!(
                    "{words} has no meaning for `{name}`, which is no aggregate and no window function"
                ),
                near,
                help: "".into(),
            })
        };
        if function.filter.is_some() {
            return of("FILTER");
        }
        if function.over.is_some() {
            return of("OVER");
        }
        if !function.within_group.is_empty() {
            return of("WITHIN GROUP");
        }
        if nulls.is_some() {
            return of("NULLS");
        }
        match &function.args {
            FunctionArguments::Subquery(_) => of("SELECT"),
            FunctionArguments::List(list)
                if list.duplicate_treatment == Some(DuplicateTreatment::Distinct) =>
            {
                of("DISTINCT")
            }
            FunctionArguments::List(list)
                if list.clauses.iter().any(|one| matches!(one, FunctionArgumentClause::OrderBy(_))) =>
            {
                of("ORDER BY")
            }
            _ => ControlFlow::Continue(()),
        }
    }
}

fn null_treatment(function: &Function) -> Option<NullTreatment> {
    let within = match &function.args {
        FunctionArguments::List(list) => list.clauses.iter().find_map(|clause| match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => Some(*treatment),
            _ => None,
        }),
        _ => None,
    };
    function.null_treatment.or(within)
}

fn within_alias(alias: &TableAlias) -> FoundPart {
    if alias.at.is_some() {
        return found("AT", alias.name.span, "");
    }
    match alias.columns.iter().find(|column| column.data_type.is_some()) {
        Some(column) => ControlFlow::Break(IgnoredPart {
            words: "(",
            message: format!("the type of `{}` in an alias is not supported", column.name),
            near: column.name.span,
            help: "cast the column in the select list".into(),
        }),
        None => ControlFlow::Continue(()),
    }
}

#[cfg(test)]
mod tests {
    use crate::Scope;

    fn refusal(sql: &str) -> String {
        let Err(problem) = Scope::for_planning().plan(sql) else { return format!("{sql}: planned") };
        let place = problem.range.map_or("nowhere", |range| &sql[range]);
        format!("{} [{place}] {}", problem.message, problem.help.unwrap_or_default())
    }

    #[test]
    fn what_the_planner_would_leave_out_is_refused_at_its_place() {
        let t = "(values (1, 'a'), (2, 'b')) t(k, s)";
        let refusals: Vec<String> = [
            format!("select k from {t} tablesample (10 percent)"),
            format!("select k from (select k from {t}) tablesample (10 percent)"),
            format!("select s similar to 'a|b' from {t}"),
            format!("select k from {t} for update"),
            format!("select k into kept from {t}"),
            format!("select k, count(*) from {t} group by k with rollup"),
            format!(
                "select k, row_number() over w from {t} window w as (order by k) qualify sum(k) over w > 1"
            ),
            format!("select k from {t} window w as (order by k) order by sum(k) over w"),
            format!("select sum(k) over (w order by k) from {t} window w as (partition by s)"),
            format!("select upper(s) filter (where k > 1) from {t}"),
            format!("select upper(distinct s) from {t}"),
            format!("select abs(k) over (order by k) from {t}"),
            format!("select coalesce(s, 'x') ignore nulls from {t}"),
            format!("select upper(s order by k) from {t}"),
            format!("select sum(k) ignore nulls over (order by s) from {t}"),
            format!("select quantile(0.5)(k) from {t}"),
            "select k from (select 1 as k) as t(k text)".to_owned(),
        ]
        .iter()
        .map(|sql| refusal(sql))
        .collect();
        insta::assert_snapshot!(refusals.join("\n"));
    }

    #[test]
    fn words_that_the_planner_looks_at_are_planned() {
        let t = "(values (1, 'a'), (2, 'b')) t(k, s)";
        for sql in [
            format!("select first_value(k) ignore nulls over (order by s) from {t}"),
            format!("select count(distinct k) filter (where k > 1), array_agg(s order by k) from {t}"),
            format!("select sum(k) over w from {t} window w as (partition by s order by k)"),
            format!("select k, count(*) from {t} group by rollup (k)"),
        ] {
            assert_eq!(refusal(&sql), format!("{sql}: planned"));
        }
    }
}
