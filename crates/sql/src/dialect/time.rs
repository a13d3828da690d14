//! Dates and timestamps, which stand for no zone anywhere in mep.
//!
//! Hive and Spark share no function that cuts a timestamp or makes one of a number without going through the session's
//! zone. A timestamp's text has no zone, so it is cut and made there.

use arrow::datatypes::{DataType, IntervalMonthDayNano};
use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};

use super::expression::{Writer, constant, constant_text};
use super::{Dialect, Result, types};
use crate::rules::whole_days::number_of_days;

const NANOSECONDS_A_DAY: i64 = 86_400_000_000_000;

/// `to_timestamp_millis(arg)`.
pub(super) fn of_milliseconds(writer: &Writer<'_>, arg: &Expr) -> Result<String> {
    let data_type = writer.type_of(arg)?;
    if !data_type.is_signed_integer() {
        return Err(writer.refused(format!("`to_timestamp_millis` of a {data_type}")));
    }
    let ms = writer.expression(arg)?;
    if writer.dialect == Dialect::Trino {
        return Ok(format!("(TIMESTAMP '1970-01-01 00:00:00.000' + {ms} * INTERVAL '0.001' SECOND)"));
    }
    let of_day = format!("pmod({ms}, 86400000L)");
    let two = |sql: &str| format!("lpad(CAST({sql} AS string), 2, '0')");
    let day = format!("date_add(DATE '1970-01-01', CAST((({ms} - {of_day}) div 86400000L) AS int))");
    Ok(format!(
        "CAST(concat(CAST({day} AS string), ' ', {}, ':', {}, ':', {}, '.', lpad(CAST(pmod({ms}, 1000L) AS string), 3, '0')) AS timestamp)",
        two(&format!("({of_day} div 3600000L)")),
        two(&format!("(pmod({ms}, 3600000L) div 60000L)")),
        two(&format!("(pmod({ms}, 60000L) div 1000L)")),
    ))
}

/// `date_part(part, arg)`, which `extract` is too: an `integer`.
pub(super) fn part(writer: &Writer<'_>, part: &str, arg: &Expr) -> Result<String> {
    let data_type = writer.type_of(arg)?;
    let is_time = matches!(part, "hour" | "minute" | "second");
    match &data_type {
        DataType::Date32 if !is_time => {}
        DataType::Timestamp(_, None) => {}
        other => return Err(writer.refused(format!("the {part} of a {other}"))),
    }
    let sql = writer.expression(arg)?;
    let refused = || Err(writer.refused(format!("`extract({part} …)`")));
    if writer.dialect == Dialect::Trino {
        let of = |function: &str| Ok(format!("CAST({function}({sql}) AS integer)"));
        return match part {
            "year" | "quarter" | "month" | "day" | "hour" | "minute" | "second" | "week" => of(part),
            "isodow" => of("day_of_week"),
            "dow" => Ok(format!("CAST((day_of_week({sql}) % 7) AS integer)")),
            "doy" => of("day_of_year"),
            "isoyear" => of("year_of_week"),
            _ => refused(),
        };
    }
    Ok(match part {
        "year" | "quarter" | "month" | "day" | "hour" | "minute" | "second" => format!("{part}({sql})"),
        "week" => format!("weekofyear({sql})"),
        "isodow" => format!("(((dayofweek({sql}) + 5) % 7) + 1)"),
        "dow" => format!("(dayofweek({sql}) - 1)"),
        "doy" => format!("(datediff({0}, CAST(trunc({0}, 'YYYY') AS date)) + 1)", as_date(&data_type, &sql)),
        "isoyear" => format!("year(date_add({}, 3))", monday(&as_date(&data_type, &sql))),
        _ => return refused(),
    })
}

/// `date_trunc(grain, arg)`, of the argument's type.
pub(super) fn truncated(writer: &Writer<'_>, grain: &str, arg: &Expr) -> Result<String> {
    let data_type = writer.type_of(arg)?;
    if !matches!(data_type, DataType::Timestamp(_, None)) {
        return Err(writer.refused(format!("`date_trunc` of a {data_type}")));
    }
    if !GRAINS.contains(&grain) {
        return Err(writer.refused(format!("`date_trunc('{grain}', …)`")));
    }
    let sql = writer.expression(arg)?;
    if writer.dialect == Dialect::Trino {
        return Ok(format!("date_trunc('{grain}', {sql})"));
    }
    let start = |length: usize| format!("substr(CAST({sql} AS string), 1, {length})");
    let date = as_date(&data_type, &sql);
    Ok(match grain {
        "second" => format!("CAST({} AS timestamp)", start(19)),
        "minute" => format!("CAST(concat({}, ':00') AS timestamp)", start(16)),
        "hour" => format!("CAST(concat({}, ':00:00') AS timestamp)", start(13)),
        "day" => format!("CAST({date} AS timestamp)"),
        "week" => format!("CAST({} AS timestamp)", monday(&date)),
        "month" => format!("CAST(CAST(trunc({date}, 'MM') AS date) AS timestamp)"),
        "quarter" => format!("CAST(CAST(trunc({date}, 'QUARTER') AS date) AS timestamp)"),
        _ => format!("CAST(CAST(trunc({date}, 'YYYY') AS date) AS timestamp)"),
    })
}

const GRAINS: [&str; 8] = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];

/// Whether an expression's timestamps are whole seconds.
pub(super) fn has_no_fraction(expr: &Expr) -> bool {
    match expr {
        Expr::Alias(alias) => has_no_fraction(&alias.expr),
        Expr::Cast(cast) => match cast.field.data_type() {
            DataType::Date32 => true,
            DataType::Timestamp(..) => has_no_fraction(&cast.expr) || is_date(&cast.expr),
            _ => false,
        },
        Expr::ScalarFunction(call) if call.func.name() == "date_trunc" => {
            let grain = call.args.first().and_then(constant_text);
            grain.is_some_and(|grain| GRAINS.contains(&grain.to_lowercase().as_str()))
        }
        _ => false,
    }
}

fn is_date(expr: &Expr) -> bool {
    matches!(expr, Expr::Cast(cast) if *cast.field.data_type() == DataType::Date32)
}

fn as_date(data_type: &DataType, sql: &str) -> String {
    if *data_type == DataType::Date32 { sql.to_owned() } else { format!("CAST({sql} AS date)") }
}

/// The Monday that begins a date's week, for Hive and Spark: in one of them `next_day` and `trunc` give a text.
fn monday(date: &str) -> String {
    format!("CAST(next_day(date_sub({date}, 7), 'MO') AS date)")
}

/// A date or timestamp plus or minus a constant interval or days; `None` where the expression is nothing of the kind.
pub(super) fn arithmetic(writer: &Writer<'_>, binary: &BinaryExpr) -> Result<Option<String>> {
    let sign = match binary.op {
        Operator::Plus => 1,
        Operator::Minus => -1,
        _ => return Ok(None),
    };
    let (left, right) = (&binary.left, &binary.right);
    let (left_type, right_type) = (writer.type_of(left)?, writer.type_of(right)?);
    match (&left_type, &right_type) {
        (DataType::Date32 | DataType::Timestamp(_, None), DataType::Interval(_)) => {
            shifted(writer, left, &left_type, right, sign).map(Some)
        }
        (DataType::Interval(_), DataType::Date32 | DataType::Timestamp(_, None)) if sign == 1 => {
            shifted(writer, right, &right_type, left, sign).map(Some)
        }
        _ => Ok(None),
    }
}

fn shifted(
    writer: &Writer<'_>,
    value: &Expr,
    data_type: &DataType,
    interval: &Expr,
    sign: i64,
) -> Result<String> {
    let refused = || writer.refused(format!("a {data_type} moved by `{interval}`"));
    if *data_type == DataType::Date32
        && let Some(days) = number_of_days(interval)
    {
        let (date, days) = (writer.expression(value)?, writer.expression(days)?);
        return Ok(match (writer.dialect, sign) {
            (Dialect::Hive, 1) => format!("date_add({date}, CAST({days} AS int))"),
            (Dialect::Hive, _) => format!("date_sub({date}, CAST({days} AS int))"),
            (Dialect::Trino, 1) => format!("date_add('day', {days}, {date})"),
            (Dialect::Trino, _) => format!("date_add('day', - {days}, {date})"),
        });
    }
    let Some(ScalarValue::IntervalMonthDayNano(Some(interval))) = constant(interval) else {
        return Err(refused());
    };
    let IntervalMonthDayNano { months, days, nanoseconds } = interval;
    let (months, days) = (i64::from(months), i64::from(days));
    let sql = writer.expression(value)?;
    let is_date = *data_type == DataType::Date32;
    if is_date {
        return match (months, days, nanoseconds) {
            (0, days, 0) => Ok(match writer.dialect {
                Dialect::Hive => format!("date_add({sql}, {})", days * sign),
                Dialect::Trino => format!("date_add('day', {}, {sql})", days * sign),
            }),
            (months, 0, 0) => Ok(match writer.dialect {
                Dialect::Hive => format!("CAST(({sql} {}) AS date)", hive_months(months * sign)),
                Dialect::Trino => format!("date_add('month', {}, {sql})", months * sign),
            }),
            _ => Err(refused()),
        };
    }
    if months != 0 && (days != 0 || nanoseconds != 0) {
        return Err(refused());
    }
    if months != 0 {
        return Ok(match writer.dialect {
            Dialect::Hive => format!("({sql} {})", hive_months(months * sign)),
            Dialect::Trino => format!("date_add('month', {}, {sql})", months * sign),
        });
    }
    let total = days.checked_mul(NANOSECONDS_A_DAY).and_then(|days| days.checked_add(nanoseconds));
    let total = total.and_then(|total| total.checked_mul(sign)).ok_or_else(refused)?;
    let DataType::Timestamp(unit, None) = data_type else { return Err(refused()) };
    let step = 10_i64.pow(u32::try_from(9 - types::digits(*unit)).unwrap_or_default());
    match writer.dialect {
        Dialect::Hive if total % 1_000 == 0 => Ok(format!("({sql} {})", hive_duration(total))),
        // Trino's intervals are milliseconds.
        Dialect::Trino if total % 1_000_000 == 0 && total % step == 0 => {
            let sign = if total < 0 { '-' } else { '+' };
            Ok(format!("({sql} {sign} BIGINT '{}' * INTERVAL '0.001' SECOND)", total.abs() / 1_000_000))
        }
        _ => Err(refused()),
    }
}

fn hive_months(months: i64) -> String {
    let sign = if months < 0 { '-' } else { '+' };
    format!("{sign} INTERVAL '{}' MONTH", months.abs())
}

fn hive_duration(nanoseconds: i64) -> String {
    let sign = if nanoseconds < 0 { '-' } else { '+' };
    let (days, rest) = (nanoseconds.abs() / NANOSECONDS_A_DAY, nanoseconds.abs() % NANOSECONDS_A_DAY);
    let seconds = rest / 1_000_000_000;
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    let fraction = rest % 1_000_000_000;
    format!("{sign} INTERVAL '{days} {hour:02}:{minute:02}:{second:02}.{fraction:09}' DAY TO SECOND")
}
