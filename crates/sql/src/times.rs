//! Functions of times that projects call and the engine has not, with DuckDB's meaning.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Int64Array, IntervalMonthDayNanoArray, StringViewBuilder,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{
    DataType, Date32Type, Float64Type, Int64Type, IntervalMonthDayNano, IntervalMonthDayNanoType,
    IntervalUnit, TimeUnit, TimestampMicrosecondType,
};
use arrow::temporal_conversions::{as_date, as_datetime};
use chrono::{Datelike, NaiveDate, NaiveDateTime, NaiveTime};
use datafusion::common::{Result, ScalarValue, exec_datafusion_err, exec_err, plan_err};
use datafusion::logical_expr::ScalarUDF;

use super::calendar::{CalendarUnit, last_day_of_month};
use super::per_row::PerRow;
use super::time_text::{TimeReader, strftime};

pub(super) const TIMESTAMP: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);
const INTERVAL: DataType = DataType::Interval(IntervalUnit::MonthDayNano);

/// All of them, in the order of [`super::functions::ADDED`].
pub(super) fn all() -> Vec<ScalarUDF> {
    let functions = [
        PerRow {
            name: "date_diff",
            call: "date_diff('day', from, to)",
            takes: unit_and_times,
            returns: |_, constants| unit_of(constants).map(|_| DataType::Int64),
            evaluate: |arguments| between(arguments, CalendarUnit::difference),
        },
        PerRow {
            name: "datesub",
            call: "datesub('day', from, to)",
            takes: unit_and_times,
            returns: |_, constants| unit_of(constants).map(|_| DataType::Int64),
            evaluate: |arguments| between(arguments, CalendarUnit::whole),
        },
        PerRow {
            name: "date_add",
            call: "date_add('day', number, time), or date_add(time, interval '1 day')",
            takes: |types| match types {
                [unit, number, time] if is_text(unit) && is_whole(number) => {
                    let time = if *time == DataType::Date32 { DataType::Date32 } else { timestamp(time)? };
                    Some(vec![DataType::Utf8View, DataType::Int64, time])
                }
                _ => None,
            },
            returns: |types, constants| {
                let is_of_days = unit_of(constants)?.is_none_or(CalendarUnit::is_of_days);
                let is_date = types.get(2) == Some(&DataType::Date32) && is_of_days;
                Ok(if is_date { DataType::Date32 } else { TIMESTAMP })
            },
            evaluate: added,
        },
        PerRow {
            name: "multiply_interval",
            call: "interval '1 day' * number",
            takes: |types| match types {
                [DataType::Interval(_), number] if is_whole(number) => Some(vec![INTERVAL, DataType::Int64]),
                _ => None,
            },
            returns: |_, _| Ok(INTERVAL),
            evaluate: multiplied,
        },
        PerRow {
            name: "last_day",
            call: "last_day(time)",
            takes: |types| match types {
                [time] => {
                    Some(vec![if *time == DataType::Date32 { DataType::Date32 } else { timestamp(time)? }])
                }
                _ => None,
            },
            returns: |_, _| Ok(DataType::Date32),
            evaluate: |arguments| {
                let days = arrow::compute::cast(&arguments[0], &DataType::Date32)?;
                let last = days.as_primitive::<Date32Type>().iter().map(|day| {
                    day.and_then(|day| as_date::<Date32Type>(day.into()))
                        .map(|day| Date32Type::from_naive_date(last_day_of_month(day)))
                });
                Ok(Arc::new(last.collect::<Date32Array>()))
            },
        },
        PerRow {
            name: "monthname",
            call: "monthname(time)",
            takes: one_time,
            returns: |_, _| Ok(DataType::Utf8View),
            evaluate: |arguments| text_of(&arguments[0], "%B"),
        },
        PerRow {
            name: "dayname",
            call: "dayname(time)",
            takes: one_time,
            returns: |_, _| Ok(DataType::Utf8View),
            evaluate: |arguments| text_of(&arguments[0], "%A"),
        },
        PerRow {
            name: "epoch_ms",
            call: "epoch_ms(time), or epoch_ms(milliseconds)",
            takes: time_or_number,
            returns: |types, _| Ok(if types == [DataType::Int64] { TIMESTAMP } else { DataType::Int64 }),
            evaluate: |arguments| epoch(&arguments[0], 1_000),
        },
        PerRow {
            name: "epoch_us",
            call: "epoch_us(time)",
            takes: one_time,
            returns: |_, _| Ok(DataType::Int64),
            evaluate: |arguments| epoch(&arguments[0], 1),
        },
        PerRow {
            name: "make_timestamp",
            call: "make_timestamp(year, month, day, hour, minute, seconds), or make_timestamp(microseconds)",
            takes: |types| match types {
                [micros] if is_whole(micros) => Some(vec![DataType::Int64]),
                [whole @ .., seconds]
                    if whole.len() == 5 && whole.iter().all(is_whole) && is_number(seconds) =>
                {
                    let mut types = vec![DataType::Int64; 5];
                    types.push(DataType::Float64);
                    Some(types)
                }
                _ => None,
            },
            returns: |_, _| Ok(TIMESTAMP),
            evaluate: made,
        },
        PerRow {
            name: "strftime",
            call: "strftime(time, '%Y-%m-%d')",
            takes: |types| match types {
                [time, format] if is_text(format) && !is_text(time) => {
                    Some(vec![timestamp(time)?, DataType::Utf8View])
                }
                // DuckDB takes them in either order.
                [format, time] if is_text(format) && !is_text(time) => {
                    Some(vec![DataType::Utf8View, timestamp(time)?])
                }
                _ => None,
            },
            returns: |_, _| Ok(DataType::Utf8View),
            evaluate: |arguments| {
                let is_swapped = arguments[0].data_type() == &DataType::Utf8View;
                let (times, formats) =
                    if is_swapped { (&arguments[1], &arguments[0]) } else { (&arguments[0], &arguments[1]) };
                let mut texts = StringViewBuilder::with_capacity(times.len());
                for (time, format) in datetimes(times).zip(formats.as_string_view()) {
                    match (time, format) {
                        (Some(time), Some(format)) => texts.append_value(strftime(time, format)?),
                        _ => texts.append_null(),
                    }
                }
                Ok(Arc::new(texts.finish()))
            },
        },
        PerRow {
            name: "strptime",
            call: "strptime(text, '%Y-%m-%d')",
            takes: two_texts,
            returns: |_, _| Ok(TIMESTAMP),
            evaluate: |arguments| {
                parsed(arguments, |text, format| {
                    exec_err!("strptime: the text `{text}` is not written as `{format}`")
                })
            },
        },
        PerRow {
            name: "try_strptime",
            call: "try_strptime(text, '%Y-%m-%d')",
            takes: two_texts,
            returns: |_, _| Ok(TIMESTAMP),
            evaluate: |arguments| parsed(arguments, |_, _| Ok(None)),
        },
    ];
    functions.into_iter().map(PerRow::function).collect()
}

pub(super) fn is_text(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

pub(super) fn is_whole(data_type: &DataType) -> bool {
    data_type.is_integer() || data_type.is_null()
}

fn is_number(data_type: &DataType) -> bool {
    data_type.is_numeric() || data_type.is_null()
}

pub(super) fn two_texts(types: &[DataType]) -> Option<Vec<DataType>> {
    let are_texts = types.len() == 2 && types.iter().all(is_text);
    are_texts.then(|| vec![DataType::Utf8View; 2])
}

/// The timestamp that a time is cast to.
fn timestamp(time: &DataType) -> Option<DataType> {
    let is_time = matches!(time, DataType::Date32 | DataType::Date64 | DataType::Timestamp(_, _));
    (is_time || is_text(time)).then_some(TIMESTAMP)
}

fn one_time(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [time] => Some(vec![timestamp(time)?]),
        _ => None,
    }
}

fn time_or_number(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [number] if number.is_integer() => Some(vec![DataType::Int64]),
        types => one_time(types),
    }
}

fn unit_and_times(types: &[DataType]) -> Option<Vec<DataType>> {
    match types {
        [unit, from, to] if is_text(unit) => Some(vec![DataType::Utf8View, timestamp(from)?, timestamp(to)?]),
        _ => None,
    }
}

/// The unit that the first argument names, where it is a constant.
fn unit_of(constants: &[Option<&ScalarValue>]) -> Result<Option<CalendarUnit>> {
    match constants.first() {
        Some(Some(name)) => match name.try_as_str().flatten() {
            Some(name) => unit(name).map(Some),
            None => Ok(None),
        },
        _ => Ok(None),
    }
}

fn unit(name: &str) -> Result<CalendarUnit> {
    match CalendarUnit::named(name) {
        Some(unit) => Ok(unit),
        None if name.eq_ignore_ascii_case("m") => {
            plan_err!("the unit `m` is a minute in some engines and a month in others: write it out")
        }
        None => plan_err!("there is no unit of time `{name}`"),
    }
}

fn datetimes(times: &ArrayRef) -> impl Iterator<Item = Option<NaiveDateTime>> + '_ {
    let times = times.as_primitive::<TimestampMicrosecondType>().iter();
    times.map(|time| time.and_then(as_datetime::<TimestampMicrosecondType>))
}

fn between(
    arguments: &[ArrayRef],
    count: fn(CalendarUnit, NaiveDateTime, NaiveDateTime) -> i64,
) -> Result<ArrayRef> {
    let units = arguments[0].as_string_view();
    let rows = units.iter().zip(datetimes(&arguments[1])).zip(datetimes(&arguments[2]));
    let counts = rows.map(|((name, from), to)| match (name, from, to) {
        (Some(name), Some(from), Some(to)) => Ok(Some(count(unit(name)?, from, to))),
        _ => Ok(None),
    });
    Ok(Arc::new(counts.collect::<Result<Int64Array>>()?))
}

fn added(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let (units, numbers) = (arguments[0].as_string_view(), arguments[1].as_primitive::<Int64Type>());
    let is_date = arguments[2].data_type() == &DataType::Date32;
    let times = arrow::compute::cast(&arguments[2], &TIMESTAMP)?;
    let mut is_of_days = true;
    let mut moved: Vec<Option<NaiveDateTime>> = Vec::with_capacity(times.len());
    for ((name, number), time) in units.iter().zip(numbers).zip(datetimes(&times)) {
        let (Some(name), Some(number), Some(time)) = (name, number, time) else {
            moved.push(None);
            continue;
        };
        let unit = unit(name)?;
        is_of_days &= unit.is_of_days();
        let after = unit.after(time, number);
        moved.push(Some(
            after.ok_or_else(|| exec_datafusion_err!("no time lies {number} {name} after {time}"))?,
        ));
    }
    if is_date && is_of_days {
        let days = moved.into_iter().map(|time| time.map(|time| Date32Type::from_naive_date(time.date())));
        return Ok(Arc::new(days.collect::<Date32Array>()));
    }
    let micros = moved.into_iter().map(|time| time.map(|time| time.and_utc().timestamp_micros()));
    Ok(Arc::new(micros.collect::<TimestampMicrosecondArray>()))
}

fn multiplied(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    let intervals = arguments[0].as_primitive::<IntervalMonthDayNanoType>();
    let rows = intervals.iter().zip(arguments[1].as_primitive::<Int64Type>());
    let products = rows.map(|row| {
        let (Some(interval), Some(times)) = row else { return Ok(None) };
        let product = || {
            let small = i32::try_from(times).ok();
            let times_small = |part: i32| if part == 0 { Some(0) } else { part.checked_mul(small?) };
            Some(IntervalMonthDayNano {
                months: times_small(interval.months)?,
                days: times_small(interval.days)?,
                nanoseconds: interval.nanoseconds.checked_mul(times)?,
            })
        };
        product().map(Some).ok_or_else(|| exec_datafusion_err!("{times} times the interval is too long"))
    });
    Ok(Arc::new(products.collect::<Result<IntervalMonthDayNanoArray>>()?))
}

fn text_of(times: &ArrayRef, format: &str) -> Result<ArrayRef> {
    let mut texts = StringViewBuilder::with_capacity(times.len());
    for time in datetimes(times) {
        match time {
            Some(time) => texts.append_value(strftime(time, format)?),
            None => texts.append_null(),
        }
    }
    Ok(Arc::new(texts.finish()))
}

/// Times as numbers of so many microseconds, or numbers as times.
fn epoch(values: &ArrayRef, microseconds: i64) -> Result<ArrayRef> {
    if values.data_type() == &DataType::Int64 {
        let times = values.as_primitive::<Int64Type>().iter().map(|number| match number {
            Some(number) => {
                let micros = number.checked_mul(microseconds);
                let far = || exec_datafusion_err!("no time lies so far from 1970: {number}");
                micros.map(Some).ok_or_else(far)
            }
            None => Ok(None),
        });
        return Ok(Arc::new(times.collect::<Result<TimestampMicrosecondArray>>()?));
    }
    let times = values.as_primitive::<TimestampMicrosecondType>().iter();
    let numbers = times.map(|time| time.map(|time| time.div_euclid(microseconds)));
    Ok(Arc::new(numbers.collect::<Int64Array>()))
}

fn made(arguments: &[ArrayRef]) -> Result<ArrayRef> {
    if arguments.len() == 1 {
        return Ok(arrow::compute::cast(&arguments[0], &TIMESTAMP)?);
    }
    let whole = |at: usize| arguments[at].as_primitive::<Int64Type>();
    let seconds = arguments[5].as_primitive::<Float64Type>();
    let mut times = TimestampMicrosecondArray::builder(seconds.len());
    for row in 0..seconds.len() {
        if (0..5).any(|at| whole(at).is_null(row)) || seconds.is_null(row) {
            times.append_null();
            continue;
        }
        let part = |at: usize| whole(at).value(row);
        let micros = (seconds.value(row) * 1e6).round();
        let time = || {
            let day = NaiveDate::from_ymd_opt(
                i32::try_from(part(0)).ok()?,
                u32::try_from(part(1)).ok()?,
                u32::try_from(part(2)).ok()?,
            )?;
            let clock =
                NaiveTime::from_hms_opt(u32::try_from(part(3)).ok()?, u32::try_from(part(4)).ok()?, 0)?;
            (0.0..60e6).contains(&micros).then(|| day.and_time(clock).and_utc().timestamp_micros())
        };
        match time() {
            #[expect(clippy::cast_possible_truncation, reason = "it lies within a minute")]
            Some(time) => times.append_value(time + micros as i64),
            None => {
                return exec_err!(
                    "make_timestamp: there is no time {}-{}-{} {}:{}:{}",
                    part(0),
                    part(1),
                    part(2),
                    part(3),
                    part(4),
                    seconds.value(row)
                );
            }
        }
    }
    Ok(Arc::new(times.finish()))
}

/// What texts say in formats; `otherwise` says what is the time of a text that is not written so.
fn parsed(
    arguments: &[ArrayRef],
    otherwise: fn(&str, &str) -> Result<Option<NaiveDateTime>>,
) -> Result<ArrayRef> {
    let mut reader: Option<TimeReader> = None;
    let mut times = TimestampMicrosecondArray::builder(arguments[0].len());
    for row in arguments[0].as_string_view().iter().zip(arguments[1].as_string_view()) {
        let (Some(text), Some(format)) = row else {
            times.append_null();
            continue;
        };
        let of_format = match reader.take() {
            Some(reader) if reader.is_of(format) => reader,
            _ => TimeReader::new(format)?,
        };
        let time = match of_format.read(text) {
            Some(time) => Some(time),
            None => otherwise(text, format)?,
        };
        reader = Some(of_format);
        times.append_option(time.map(|time| time.and_utc().timestamp_micros()));
    }
    Ok(Arc::new(times.finish()))
}

/// The day of a week, from 0 for Sunday.
pub(super) fn from_sunday(day: NaiveDate) -> u32 {
    day.weekday().num_days_from_sunday()
}
