//! Functions of other engines that are another way to write what mep has: they are read as that.
//!
//! The meaning is DuckDB's where engines differ. A call that engines read differently, and that its arguments do not tell apart, is
//! refused by name. Must not know: types; what depends on them is a function of its own.

mod aggregates;
mod dates;
mod tree;

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, Expr, Function, Ident, ObjectName, ObjectNamePart, Spanned, Statement as Tree,
    TableAlias, TableAliasColumnDef, TableFactor, TimezoneInfo, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

use self::aggregates::{EXTREMES, at_extreme, count_of_true, joined, percentile_over_window};
use self::dates::{addition, difference, interval, multiplied, of_interval, of_zone, subtraction, times};
use self::tree::{
    arguments, bare_unit, call_at, case, cast_to, is_word, number, operation, plain_name, rename, text,
    text_of, tried, unit_of,
};
use super::columns::call;
use super::visits::{visit_expressions, visit_mut};
use crate::calendar::CalendarUnit;
use crate::offset;
use crate::problem::SqlProblem;

/// Names that stand for another function with the same arguments.
const RENAMED: [(&str, &str); 41] = [
    ("lcase", "lower"),
    ("ucase", "upper"),
    ("ceiling", "ceil"),
    ("list_value", "make_array"),
    ("list_pack", "make_array"),
    ("prefix", "starts_with"),
    ("suffix", "ends_with"),
    ("ord", "ascii"),
    ("arbitrary", "any_value"),
    ("first", "first_value"),
    ("last", "last_value"),
    ("list", "array_agg"),
    ("approx_count_distinct", "approx_distinct"),
    ("regexp_matches", "regexp_like"),
    ("datediff", "date_diff"),
    ("date_sub", "datesub"),
    ("dateadd", "date_add"),
    ("split", "string_split"),
    ("str_split", "string_split"),
    ("string_split_regex", "regexp_split_to_array"),
    ("gen_random_uuid", "uuid"),
    ("array_cat", "array_concat"),
    ("array_size", "cardinality"),
    ("group_concat", "string_agg"),
    ("listagg", "string_agg"),
    ("datetime_diff", "date_diff"),
    ("json_extract_path", "json_extract"),
    ("json_extract_path_text", "json_extract_string"),
    ("get_json_object", "json_extract_string"),
    ("startswith", "starts_with"),
    ("endswith", "ends_with"),
    ("boolor_agg", "bool_or"),
    ("booland_agg", "bool_and"),
    ("logical_or", "bool_or"),
    ("logical_and", "bool_and"),
    ("generate_uuid", "uuid"),
    ("uuid_string", "uuid"),
    ("timestamp_add", "date_add"),
    ("datetime_add", "date_add"),
    ("timestampadd", "date_add"),
    ("datetime_trunc", "date_trunc"),
];

/// Functions that count up, as tables.
const SERIES: [&str; 2] = ["range", "generate_series"];

/// Functions that take a part of a time.
const PARTS: [(&str, &str); 16] = [
    ("year", "year"),
    ("quarter", "quarter"),
    ("month", "month"),
    ("week", "week"),
    ("weekofyear", "week"),
    ("day", "day"),
    ("dayofmonth", "day"),
    ("dayofyear", "doy"),
    ("dayofweek", "dow"),
    ("isodow", "isodow"),
    ("weekday", "dow"),
    ("isoyear", "isoyear"),
    ("hour", "hour"),
    ("minute", "minute"),
    ("second", "second"),
    ("epoch", "epoch"),
];

/// Functions that make an interval of a number.
const INTERVALS: [(&str, &str); 8] = [
    ("to_years", "1 year"),
    ("to_quarters", "3 months"),
    ("to_months", "1 month"),
    ("to_weeks", "7 days"),
    ("to_days", "1 day"),
    ("to_hours", "1 hour"),
    ("to_minutes", "1 minute"),
    ("to_seconds", "1 second"),
];

/// Reads all synonyms of a statement as what they stand for; what is unclear is the problem.
pub(crate) fn write_synonyms_out(statement: &mut Statement, sql: &str) -> Option<SqlProblem> {
    let Statement::Statement(tree) = statement else { return None };
    let tree: &mut Tree = tree;
    let mut synonyms = Synonyms { names_series: names_series(tree) };
    match visit_mut(tree, &mut synonyms) {
        ControlFlow::Continue(()) => None,
        ControlFlow::Break(unclear) => Some(unclear.problem(sql)),
    }
}

/// A call that engines read differently.
struct Unclear {
    message: String,
    help: &'static str,
    span: Span,
}

impl Unclear {
    fn problem(self, sql: &str) -> SqlProblem {
        let range =
            (self.span != Span::empty()).then(|| offset(sql, self.span.start)..offset(sql, self.span.end));
        SqlProblem { message: self.message, range, help: Some(self.help.to_owned()) }
    }
}

struct Synonyms {
    /// Whether the column of a series is named as the function that makes it.
    names_series: bool,
}

impl VisitorMut for Synonyms {
    type Break = Unclear;

    fn pre_visit_table_factor(&mut self, table: &mut TableFactor) -> ControlFlow<Unclear> {
        // Functions are known in lower case, and found by how they are written.
        let (TableFactor::Table { name, args: Some(_), alias, .. }
        | TableFactor::Function { name, alias, .. }) = table
        else {
            return ControlFlow::Continue(());
        };
        for part in &mut name.0 {
            if let ObjectNamePart::Identifier(ident) = part
                && ident.quote_style.is_none()
            {
                ident.value.make_ascii_lowercase();
            }
        }
        if self.names_series {
            name_series(name, alias);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Unclear> {
        let read = match expression {
            Expr::Function(function) => of_call(function),
            Expr::BinaryOp { left, op: BinaryOperator::Multiply, right } => Ok(multiplied(left, right)),
            Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } => {
                Ok(Some(call("json_extract", vec![left.as_ref().clone(), right.as_ref().clone()])))
            }
            Expr::BinaryOp { left, op: BinaryOperator::LongArrow, right } => {
                Ok(Some(call("json_extract_string", vec![left.as_ref().clone(), right.as_ref().clone()])))
            }
            Expr::Interval(interval) => Ok(of_interval(interval)),
            Expr::AtTimeZone { timestamp, time_zone } => Ok(of_zone(timestamp, time_zone)),
            Expr::Extract { field, expr, .. } => {
                let part = other_part(&field.to_string());
                Ok(part.map(|part| call("date_part", vec![text(part), expr.as_ref().clone()])))
            }
            _ => Ok(None),
        };
        match read {
            Ok(Some(read)) => {
                *expression = read;
                ControlFlow::Continue(())
            }
            Ok(None) => ControlFlow::Continue(()),
            Err(unclear) => ControlFlow::Break(*unclear),
        }
    }
}

/// The part of a time that another name stands for. That of a day in its week is one number in some engines and another in others.
fn other_part(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    let found = PARTS.iter().find(|(of, part)| *of == name && of != part)?;
    (found.1 != "dow").then_some(found.1)
}

/// Whether a statement knows the column of a series by the function's name, as DuckDB does, and not as `value`, as DataFusion does.
fn names_series(tree: &Tree) -> bool {
    let (mut says_value, mut says_series) = (false, false);
    // The closure never breaks off.
    let _ = visit_expressions(tree, |expression| {
        let name = match expression {
            Expr::Identifier(name) => Some(name),
            Expr::CompoundIdentifier(names) => names.last(),
            _ => None,
        };
        let is = |of: &str| name.is_some_and(|name| name.value.eq_ignore_ascii_case(of));
        says_value |= is("value");
        says_series |= SERIES.iter().any(|of| is(of));
        ControlFlow::<()>::Continue(())
    });
    says_series || !says_value
}

/// The column of `range(…)` and `generate_series(…)` is named as the function.
fn name_series(name: &ObjectName, alias: &mut Option<TableAlias>) {
    let Some(series) = plain_name(name).filter(|name| SERIES.contains(&name.as_str())) else { return };
    let alias = alias.get_or_insert_with(|| TableAlias {
        explicit: true,
        name: Ident::new(&series),
        columns: Vec::new(),
        at: None,
    });
    if alias.columns.is_empty() {
        alias.columns.push(TableAliasColumnDef::from_name(series));
    }
}

/// What a call stands for, where that is another expression.
fn of_call(function: &mut Function) -> Result<Option<Expr>, Box<Unclear>> {
    let Some(name) = plain_name(&function.name) else { return Ok(None) };
    if let Some((_, ascending)) = EXTREMES.iter().find(|(of, _)| *of == name) {
        at_extreme(function, *ascending);
        return Ok(None);
    }
    if name == "listagg" && arguments(function).is_some_and(|given| given.len() == 1) {
        return Err(Box::new(Unclear {
            message:
                "`listagg` of one argument puts a comma between texts in some engines and nothing in others"
                    .to_owned(),
            help: "write what stands between them: listagg(x, ',')",
            span: function.name.span(),
        }));
    }
    if let Some((_, of)) = RENAMED.iter().find(|(renamed, _)| *renamed == name) {
        rename(function, of);
    }
    let name = plain_name(&function.name).unwrap_or_default();
    if name == "string_agg" {
        joined(function);
        return Ok(None);
    }
    if function.over.is_some() && name == "percentile_cont" {
        percentile_over_window(function);
        return Ok(None);
    }
    if matches!(name.as_str(), "count_if" | "countif") {
        count_of_true(function);
        return Ok(None);
    }
    let Some(given) = arguments(function) else { return Ok(None) };
    let is_plain = function.over.is_none() && function.filter.is_none() && function.within_group.is_empty();
    if !is_plain {
        return Ok(None);
    }
    if let ([time], Some((_, part))) = (&given[..], PARTS.iter().find(|(of, _)| *of == name)) {
        return Ok(Some(call_at(function, "date_part", vec![text(part), time.clone()])));
    }
    if let ([number], Some((_, one))) = (&given[..], INTERVALS.iter().find(|(of, _)| *of == name)) {
        return Ok(Some(times(interval(one), number.clone())));
    }
    Ok(match (name.as_str(), &given[..]) {
        ("date", [value]) => Some(cast_to(value, DataType::Date)),
        ("mod", [left, right]) => Some(operation(left, BinaryOperator::Modulo, right)),
        ("if" | "iff", [condition, yes, no]) => Some(case(condition, yes, Some(no))),
        ("nullifzero", [value]) => Some(call_at(function, "nullif", vec![value.clone(), number("0")])),
        ("div0" | "div0null", [left, right]) => {
            let given = |of: &Expr| {
                if name == "div0" { of.clone() } else { call("coalesce", vec![of.clone(), number("0")]) }
            };
            let right = given(right);
            let is_zero = operation(&right, BinaryOperator::Eq, &number("0"));
            let divided = operation(left, BinaryOperator::Divide, &right);
            Some(case(&is_zero, &operation(left, BinaryOperator::Multiply, &number("0")), Some(&divided)))
        }
        // BigQuery divides in doubles.
        ("safe_divide", [left, right]) => {
            let right = call("nullif", vec![right.clone(), number("0")]);
            Some(operation(&cast_to(left, DataType::DoublePrecision), BinaryOperator::Divide, &right))
        }
        ("ifnull", [value, other]) => Some(call_at(function, "coalesce", vec![value.clone(), other.clone()])),
        ("to_varchar", [value]) => Some(cast_to(value, DataType::Varchar(None))),
        ("to_timestamp_ntz", [value]) => Some(cast_to(value, DataType::Timestamp(None, TimezoneInfo::None))),
        ("try_to_date", [value]) => Some(tried(value, DataType::Date)),
        ("try_to_timestamp", [value]) => Some(tried(value, DataType::Timestamp(None, TimezoneInfo::None))),
        ("to_char" | "to_date" | "to_timestamp" | "date_format", [value, pattern]) => {
            let equal = text_of(pattern).and_then(|pattern| super::patterns::equal(&name, &pattern));
            equal.map(|pattern| call_at(function, &name, vec![value.clone(), text(&pattern)]))
        }
        ("format_date" | "format_timestamp" | "format_datetime", [pattern, time]) => {
            Some(call_at(function, "strftime", vec![time.clone(), pattern.clone()]))
        }
        // The clock of one zone, read in another one.
        ("convert_timezone", [from, to, time]) => {
            let at = |time: Expr, zone: &Expr| Expr::AtTimeZone {
                timestamp: Box::new(time),
                time_zone: Box::new(zone.clone()),
            };
            let local = cast_to(time, DataType::Timestamp(None, TimezoneInfo::None));
            Some(call_at(function, "to_local_time", vec![at(at(local, from), to)]))
        }
        // BigQuery names the unit at the end.
        ("date_trunc" | "timestamp_trunc", [time, unit])
            if is_word(unit) && !is_word(time) && unit_of(time).is_none() =>
        {
            let name = bare_unit(unit).unwrap_or_default();
            if name.eq_ignore_ascii_case("week") {
                return Err(Box::new(Unclear {
                    message:
                        "the weeks of this form of `date_trunc` begin on Sunday, those of others on Monday"
                            .to_owned(),
                    help: "write date_trunc('week', time), whose weeks begin on Monday",
                    span: function.name.span(),
                }));
            }
            Some(call_at(function, "date_trunc", vec![text(&name), time.clone()]))
        }
        // Snowflake and Redshift name it at the start, without quotes.
        ("date_trunc", [unit, time]) if is_word(unit) && !is_word(time) => {
            let name = bare_unit(unit).unwrap_or_default();
            Some(call_at(function, "date_trunc", vec![text(&name), time.clone()]))
        }
        ("date_part", [part, time]) => {
            let part = text_of(part).and_then(|part| other_part(&part));
            part.map(|part| call_at(function, "date_part", vec![text(part), time.clone()]))
        }
        ("regexp_like", [value, pattern, flags]) => {
            let flags = text_of(flags).filter(|flags| flags.contains('c') && !flags.contains('i'));
            flags.map(|flags| {
                let mut given = vec![value.clone(), pattern.clone()];
                // That capitals count is so without a flag.
                let others = flags.replace('c', "");
                given.extend((!others.is_empty()).then(|| text(&others)));
                call_at(function, "regexp_like", given)
            })
        }
        ("zeroifnull", [value]) => Some(call_at(function, "coalesce", vec![value.clone(), number("0")])),
        ("json_extract" | "json_extract_string", given) => by_keys(function, given),
        ("yearweek", [time]) => {
            let part = |name: &str| call("date_part", vec![text(name), time.clone()]);
            let century = operation(&part("isoyear"), BinaryOperator::Multiply, &number("100"));
            Some(operation(&century, BinaryOperator::Plus, &part("week")))
        }
        ("date_diff", given) => difference(function, given)?,
        ("datesub", given) => subtraction(function, given)?,
        ("date_add", given) => addition(function, given),
        ("last_day", [time, unit]) => match unit_of(unit) {
            Some(CalendarUnit::Month) => Some(call_at(function, "last_day", vec![time.clone()])),
            _ => None,
        },
        _ => None,
    })
}

/// The arguments of a JSON function that names keys one by one, as PostgreSQL has it.
fn by_keys(function: &Function, given: &[Expr]) -> Option<Expr> {
    let (json, keys) = given.split_first()?;
    let (last, others) = keys.split_last()?;
    let within = others.iter().fold(json.clone(), |json, key| call("json_extract", vec![json, key.clone()]));
    let name = plain_name(&function.name)?;
    (!others.is_empty()).then(|| call_at(function, &name, vec![within, last.clone()]))
}

#[cfg(test)]
mod tests {
    use crate::Scope;
    use crate::rules::executed::rows;

    /// Expressions of other engines, with what DuckDB gives for them.
    const GIVEN: &str = include_str!("synonyms.txt");

    #[test]
    fn what_other_engines_call_otherwise_gives_what_duckdb_gives() {
        let from = "from (values (date '2024-01-31', timestamp '2024-02-29 10:30:00', 3, 'a,b;c', true), (null, null, null, null, null)) t(d, ts, n, s, b)";
        let found = GIVEN.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(|line| {
            let (expression, _) = line.split_once(" => ").unwrap();
            let some = if expression.contains("/*agg*/") { "" } else { " where n is not null" };
            let shown = match Scope::for_planning().plan(&format!("select {expression} as r {from}{some}")) {
                Ok(_) => rows(&format!("select {expression} as r {from}{some}")),
                Err(problem) => problem.message,
            };
            (line.replace(' ', ""), format!("{expression} => {shown}").replace(' ', ""))
        });
        let differing: Vec<_> = found.filter(|(expected, found)| expected != found).collect();
        assert!(differing.is_empty(), "{differing:#?}");
    }

    #[test]
    fn a_call_that_engines_read_differently_is_refused_by_name() {
        let said = |expression: &str| {
            let sql = format!("select {expression} from (values (date '2024-01-31', 'a')) t(d, s)");
            Scope::for_planning().plan(&sql).unwrap_err().message
        };
        insta::assert_snapshot!(
            [
                "listagg(s)",
                "date_diff(d, d, week)",
                "date_sub(d, 1, day)",
                "datediff(m, d, d)",
                "datediff('fortnight', d, d)",
                "datediff(fortnight, d, d)",
                "strftime(1, '%Y')",
                "regexp_extract(s, 'a', 'b')",
                "datediff(d)",
            ]
            .map(said)
            .join("\n")
        );
    }
}
