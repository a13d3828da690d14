//! Functions of other engines that are another way to write what mep has: they are read as that.
//!
//! The meaning is DuckDB's where engines differ. A call that engines read differently, and that its arguments do not tell apart, is
//! refused by name. Must not know: types; what depends on them is a function of its own.

use std::ops::ControlFlow;

use datafusion::sql::parser::Statement;
use datafusion::sql::sqlparser::ast::helpers::attached_token::AttachedToken;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CaseWhen, CastKind, DataType, DateTimeField, Expr, Function, FunctionArg,
    FunctionArgExpr, FunctionArgumentClause, FunctionArgumentList, FunctionArguments, Ident, Interval,
    ObjectName, ObjectNamePart, OrderByExpr, OrderByOptions, Spanned, Statement as Tree, TableAlias,
    TableAliasColumnDef, TableFactor, TimezoneInfo, Value, VisitorMut,
};
use datafusion::sql::sqlparser::tokenizer::Span;

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

/// Aggregates of the row where another column is greatest or least.
const EXTREMES: [(&str, bool); 6] = [
    ("max_by", false),
    ("arg_max", false),
    ("argmax", false),
    ("min_by", true),
    ("arg_min", true),
    ("argmin", true),
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

/// `date_diff`, of which engines have three forms.
fn difference(function: &Function, given: &[Expr]) -> Result<Option<Expr>, Box<Unclear>> {
    Ok(match given {
        // Spark, Hive and MySQL: the days to the first from the second.
        [to, from] => Some(call_at(function, "date_diff", vec![text("day"), from.clone(), to.clone()])),
        [unit, from, to] if is_word(unit) || bare_unit(unit).is_some() && !is_word(to) => {
            let name = bare_unit(unit).unwrap_or_default();
            Some(call_at(function, "date_diff", vec![text(&name), from.clone(), to.clone()]))
        }
        // BigQuery: the units to the first from the second.
        [to, from, unit]
            if is_word(unit) && text_of(to).is_none_or(|to| CalendarUnit::named(&to).is_none()) =>
        {
            let name = bare_unit(unit).unwrap_or_default();
            if name.eq_ignore_ascii_case("week") {
                return Err(Box::new(Unclear {
                    message:
                        "the weeks of this form of `date_diff` begin on Sunday, those of others on Monday"
                            .to_owned(),
                    help: "write date_diff('week', from, to), whose weeks begin on Monday",
                    span: function.name.span(),
                }));
            }
            Some(call_at(function, "date_diff", vec![text(&name), from.clone(), to.clone()]))
        }
        _ => None,
    })
}

/// `date_sub(time, interval)`, or DuckDB's `date_sub('day', from, to)`.
fn subtraction(function: &Function, given: &[Expr]) -> Result<Option<Expr>, Box<Unclear>> {
    Ok(match given {
        [time, length] => Some(operation(time, BinaryOperator::Minus, length)),
        [unit, from, to] if is_word(unit) || bare_unit(unit).is_some() && !is_word(to) => {
            let name = bare_unit(unit).unwrap_or_default();
            Some(call_at(function, "datesub", vec![text(&name), from.clone(), to.clone()]))
        }
        [_, _, unit] if is_word(unit) => {
            return Err(Box::new(Unclear {
                message: "`date_sub` with a unit at its end takes away, and with one at its start counts"
                    .to_owned(),
                help: "write time - interval '1 day', or date_diff('day', from, to)",
                span: function.name.span(),
            }));
        }
        _ => None,
    })
}

/// `date_add(time, interval)`, or `dateadd(day, number, time)`.
fn addition(function: &Function, given: &[Expr]) -> Option<Expr> {
    match given {
        [time, length] => Some(operation(time, BinaryOperator::Plus, length)),
        [unit, count, time] => {
            let name = bare_unit(unit)
                .or_else(|| text_of(unit).filter(|name| CalendarUnit::named(name).is_some()))?;
            match (whole_number(count), interval_of(&name), text_of(time)) {
                // Written so, a day stays a day for all that looks at the plan.
                (Some(count), Some((per, word)), None) => {
                    let length = interval(&format!("{} {word}", count.checked_mul(per)?));
                    Some(operation(time, BinaryOperator::Plus, &length))
                }
                _ => Some(call_at(function, "date_add", vec![text(&name), count.clone(), time.clone()])),
            }
        }
        _ => None,
    }
}

/// How many of which of the engine's units a unit is.
fn interval_of(unit: &str) -> Option<(i64, &'static str)> {
    Some(match CalendarUnit::named(unit)? {
        CalendarUnit::Millennium => (1_000, "years"),
        CalendarUnit::Century => (100, "years"),
        CalendarUnit::Decade => (10, "years"),
        CalendarUnit::Year => (1, "years"),
        CalendarUnit::Quarter => (3, "months"),
        CalendarUnit::Month => (1, "months"),
        CalendarUnit::Week => (7, "days"),
        CalendarUnit::Day => (1, "days"),
        CalendarUnit::Hour => (1, "hours"),
        CalendarUnit::Minute => (1, "minutes"),
        CalendarUnit::Second => (1, "seconds"),
        CalendarUnit::IsoYear | CalendarUnit::Millisecond | CalendarUnit::Microsecond => return None,
    })
}

/// `string_agg` with what stands between the texts, and their order within the brackets.
fn joined(function: &mut Function) {
    let order = std::mem::take(&mut function.within_group);
    let FunctionArguments::List(list) = &mut function.args else { return };
    if list.args.len() == 1 {
        list.args.push(unnamed(text(",")));
    }
    if !order.is_empty() {
        list.clauses.push(FunctionArgumentClause::OrderBy(order));
    }
}

/// `count_if(condition)` counts the rows for which it holds.
fn count_of_true(function: &mut Function) {
    let Some(given) = arguments(function) else { return };
    if let ([condition], FunctionArguments::List(list)) = (&given[..], &mut function.args) {
        list.args = vec![unnamed(case(condition, &number("1"), None))];
        rename(function, "count");
    }
}

/// The value of the row where another one is greatest or least; of equal ones, that of the least value.
fn at_extreme(function: &mut Function, ascending: bool) {
    let Some(given) = arguments(function) else { return };
    let ([value, by], FunctionArguments::List(list), None) = (&given[..], &mut function.args, &function.over)
    else {
        return;
    };
    let order = |expr: &Expr, ascending| OrderByExpr {
        expr: expr.clone(),
        options: OrderByOptions { asc: Some(ascending), nulls_first: Some(false) },
        with_fill: None,
    };
    list.args = vec![unnamed(value.clone())];
    list.clauses.push(FunctionArgumentClause::OrderBy(vec![order(by, ascending), order(value, true)]));
    let is_there = |of: &Expr| Expr::IsNotNull(Box::new(Expr::Nested(Box::new(of.clone()))));
    let both = operation(&is_there(value), BinaryOperator::And, &is_there(by));
    let filter = match function.filter.take() {
        Some(filter) => operation(&filter, BinaryOperator::And, &both),
        None => both,
    };
    function.filter = Some(Box::new(filter));
    rename(function, "first_value");
}

/// `time at time zone 'UTC' at time zone 'Asia/Tokyo'`: of a time that has a zone, the time on the clocks of another one. The engine
/// gives the time with that zone.
fn of_zone(time: &Expr, zone: &Expr) -> Option<Expr> {
    let at =
        |time: Expr, zone: Expr| Expr::AtTimeZone { timestamp: Box::new(time), time_zone: Box::new(zone) };
    let zoned = match Zoned::of(time)? {
        Zoned::AsWritten => time.clone(),
        // It has its zone elsewhere, and is in UTC here.
        Zoned::InUtc => at(time.clone(), text("UTC")),
    };
    Some(call("to_local_time", vec![at(zoned, zone.clone())]))
}

/// What is a time with a zone, by how it is written.
enum Zoned {
    AsWritten,
    InUtc,
}

impl Zoned {
    fn of(time: &Expr) -> Option<Self> {
        match time {
            Expr::Nested(inner) => Self::of(inner),
            Expr::AtTimeZone { .. } => Some(Self::AsWritten),
            Expr::Cast { data_type: DataType::Timestamp(_, zone), .. } => {
                matches!(zone, TimezoneInfo::Tz | TimezoneInfo::WithTimeZone).then_some(Self::InUtc)
            }
            Expr::Function(function) => {
                let name = plain_name(&function.name)?;
                let is_now = ["now", "current_timestamp", "get_current_timestamp"].contains(&name.as_str());
                is_now.then_some(Self::InUtc)
            }
            _ => None,
        }
    }
}

/// The arguments of a JSON function that names keys one by one, as PostgreSQL has it.
fn by_keys(function: &Function, given: &[Expr]) -> Option<Expr> {
    let (json, keys) = given.split_first()?;
    let (last, others) = keys.split_last()?;
    let within = others.iter().fold(json.clone(), |json, key| call("json_extract", vec![json, key.clone()]));
    let name = plain_name(&function.name)?;
    (!others.is_empty()).then(|| call_at(function, &name, vec![within, last.clone()]))
}

/// `number * interval` in either order.
fn multiplied(left: &Expr, right: &Expr) -> Option<Expr> {
    match (left, right) {
        (Expr::Interval(_), number) => Some(times(left.clone(), number.clone())),
        (number, Expr::Interval(_)) => Some(times(right.clone(), number.clone())),
        _ => None,
    }
}

/// `interval (number) day`, of a number that is no literal.
fn of_interval(written: &Interval) -> Option<Expr> {
    let is_literal =
        matches!(written.value.as_ref(), Expr::Value(_) | Expr::UnaryOp { .. } | Expr::Identifier(_));
    let (per, word) = interval_of(&written.leading_field.as_ref()?.to_string())?;
    match written.value.as_ref() {
        Expr::Nested(inner) => match whole_number(inner) {
            Some(count) => Some(interval(&format!("{} {word}", count.checked_mul(per)?))),
            None => Some(times(interval(&format!("{per} {word}")), inner.as_ref().clone())),
        },
        Expr::Identifier(_) => {
            Some(times(interval(&format!("{per} {word}")), written.value.as_ref().clone()))
        }
        value if !is_literal => Some(times(interval(&format!("{per} {word}")), value.clone())),
        _ => None,
    }
}

fn cast_to(value: &Expr, data_type: DataType) -> Expr {
    cast_by(CastKind::Cast, value, data_type)
}

/// NULL where the value is none of the type.
fn tried(value: &Expr, data_type: DataType) -> Expr {
    cast_by(CastKind::TryCast, value, data_type)
}

fn cast_by(kind: CastKind, value: &Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind, expr: Box::new(value.clone()), data_type, array: false, format: None }
}

/// `percentile_cont(0.5) within group (order by x) over (…)`: over a window, the engine takes the column as the first argument.
fn percentile_over_window(function: &mut Function) {
    let Some(given) = arguments(function) else { return };
    let ([share], [OrderByExpr { expr, options, .. }], FunctionArguments::List(list)) =
        (&given[..], &function.within_group[..], &mut function.args)
    else {
        return;
    };
    if options.asc != Some(false) {
        list.args = vec![unnamed(expr.clone()), unnamed(share.clone())];
        function.within_group.clear();
    }
}

fn times(length: Expr, number: Expr) -> Expr {
    call("multiply_interval", vec![length, number])
}

fn interval(length: &str) -> Expr {
    Expr::Interval(Interval {
        value: Box::new(text(length)),
        leading_field: None::<DateTimeField>,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}

fn operation(left: &Expr, op: BinaryOperator, right: &Expr) -> Expr {
    let nested = |side: &Expr| Box::new(Expr::Nested(Box::new(side.clone())));
    Expr::Nested(Box::new(Expr::BinaryOp { left: nested(left), op, right: nested(right) }))
}

fn case(condition: &Expr, yes: &Expr, no: Option<&Expr>) -> Expr {
    Expr::Case {
        case_token: AttachedToken::empty(),
        end_token: AttachedToken::empty(),
        operand: None,
        conditions: vec![CaseWhen { condition: condition.clone(), result: yes.clone() }],
        else_result: no.map(|no| Box::new(no.clone())),
    }
}

fn text(value: &str) -> Expr {
    Expr::Value(Value::SingleQuotedString(value.to_owned()).into())
}

fn number(value: &str) -> Expr {
    Expr::Value(Value::Number(value.to_owned(), false).into())
}

fn unnamed(value: Expr) -> FunctionArg {
    FunctionArg::Unnamed(FunctionArgExpr::Expr(value))
}

/// A call in the place of another one.
fn call_at(function: &Function, name: &str, given: Vec<Expr>) -> Expr {
    let mut made = call(name, given);
    if let (Expr::Function(made), Some(place)) = (&mut made, ident(&function.name)) {
        made.name =
            ObjectName(vec![ObjectNamePart::Identifier(Ident { value: name.to_owned(), ..place.clone() })]);
    }
    made
}

fn rename(function: &mut Function, name: &str) {
    if let Some(ObjectNamePart::Identifier(ident)) = function.name.0.first_mut() {
        name.clone_into(&mut ident.value);
    }
}

fn ident(name: &ObjectName) -> Option<&Ident> {
    match &name.0[..] {
        [ObjectNamePart::Identifier(ident)] => Some(ident),
        _ => None,
    }
}

/// A name without quotes and dots, in lower case.
fn plain_name(name: &ObjectName) -> Option<String> {
    ident(name).filter(|ident| ident.quote_style.is_none()).map(|ident| ident.value.to_lowercase())
}

/// The arguments of a call that are expressions, where all are.
fn arguments(function: &Function) -> Option<Vec<Expr>> {
    let FunctionArguments::List(FunctionArgumentList { args, .. }) = &function.args else { return None };
    let expression = |argument: &FunctionArg| match argument {
        FunctionArg::Unnamed(FunctionArgExpr::Expr(expression)) => Some(expression.clone()),
        _ => None,
    };
    args.iter().map(expression).collect()
}

/// A unit of time that is written as a name.
fn bare_unit(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Identifier(name) if name.quote_style.is_none() => {
            // What `m` is, is for the function to refuse.
            let is_unit = CalendarUnit::named(&name.value).is_some() || name.value.eq_ignore_ascii_case("m");
            is_unit.then(|| name.value.clone())
        }
        _ => None,
    }
}

/// Whether a unit is written as a word: one letter is a column's name as well.
fn is_word(expression: &Expr) -> bool {
    bare_unit(expression).is_some_and(|name| name.len() > 1)
}

fn unit_of(expression: &Expr) -> Option<CalendarUnit> {
    bare_unit(expression).or_else(|| text_of(expression)).and_then(|name| CalendarUnit::named(&name))
}

fn text_of(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

fn whole_number(expression: &Expr) -> Option<i64> {
    match expression {
        Expr::Value(value) => match &value.value {
            Value::Number(number, _) => number.parse().ok(),
            _ => None,
        },
        Expr::Nested(inner) => whole_number(inner),
        Expr::UnaryOp { op: datafusion::sql::sqlparser::ast::UnaryOperator::Minus, expr } => {
            whole_number(expr).and_then(i64::checked_neg)
        }
        Expr::UnaryOp { op: datafusion::sql::sqlparser::ast::UnaryOperator::Plus, expr } => {
            whole_number(expr)
        }
        _ => None,
    }
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
