//! Arithmetic of dates and times as engines write it: differences, sums, lengths and zones.

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, DataType, DateTimeField, Expr, Function, Interval, Spanned, TimezoneInfo,
};

use super::super::columns::call;
use super::Unclear;
use super::tree::{bare_unit, call_at, is_word, operation, plain_name, text, text_of, whole_number};
use crate::calendar::CalendarUnit;

/// `date_diff`, of which engines have three forms.
pub(super) fn difference(function: &Function, given: &[Expr]) -> Result<Option<Expr>, Box<Unclear>> {
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
pub(super) fn subtraction(function: &Function, given: &[Expr]) -> Result<Option<Expr>, Box<Unclear>> {
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
pub(super) fn addition(function: &Function, given: &[Expr]) -> Option<Expr> {
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
pub(super) fn interval_of(unit: &str) -> Option<(i64, &'static str)> {
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

/// `time at time zone 'UTC' at time zone 'Asia/Tokyo'`: of a time that has a zone, the time on the clocks of another one. The engine
/// gives the time with that zone.
pub(super) fn of_zone(time: &Expr, zone: &Expr) -> Option<Expr> {
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
    pub(super) fn of(time: &Expr) -> Option<Self> {
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

/// `number * interval` in either order.
pub(super) fn multiplied(left: &Expr, right: &Expr) -> Option<Expr> {
    match (left, right) {
        (Expr::Interval(_), number) => Some(times(left.clone(), number.clone())),
        (number, Expr::Interval(_)) => Some(times(right.clone(), number.clone())),
        _ => None,
    }
}

/// `interval (number) day`, of a number that is no literal.
pub(super) fn of_interval(written: &Interval) -> Option<Expr> {
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

pub(super) fn times(length: Expr, number: Expr) -> Expr {
    call("multiply_interval", vec![length, number])
}

pub(super) fn interval(length: &str) -> Expr {
    Expr::Interval(Interval {
        value: Box::new(text(length)),
        leading_field: None::<DateTimeField>,
        leading_precision: None,
        last_field: None,
        fractional_seconds_precision: None,
    })
}
