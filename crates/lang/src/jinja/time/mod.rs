//! Python's `datetime` and `pytz`: points in time, days, times of day, lengths of time, and zones.

mod clock;
mod day;
mod length;
mod modules;
mod moment;
mod pattern;
mod reading;
mod zone;

use minijinja::{Error, Value};

pub(super) use clock::Clock;
pub(super) use day::Day;
pub(super) use length::Delta;
pub(super) use modules::{Modules, Path};
pub(super) use moment::Timestamp;
pub(super) use zone::ZoneValue;

use super::problem::invalid;

/// Whether a value is a point in time or a length of time.
pub(super) fn is_time(value: &Value) -> bool {
    value.downcast_object_ref::<Timestamp>().is_some()
        || value.downcast_object_ref::<Day>().is_some()
        || value.downcast_object_ref::<Delta>().is_some()
}

/// A time as Python's `repr()` gives it; `None` for another value.
pub(super) fn repr(value: &Value) -> Option<String> {
    value
        .downcast_object_ref::<Timestamp>()
        .map(Timestamp::written)
        .or_else(|| value.downcast_object_ref::<Day>().map(Day::written))
        .or_else(|| value.downcast_object_ref::<Clock>().map(Clock::written))
        .or_else(|| value.downcast_object_ref::<Delta>().map(Delta::written))
        .or_else(|| value.downcast_object_ref::<ZoneValue>().map(ZoneValue::written))
}

/// A time less a length of time, or the length between two times.
pub(super) fn difference(left: &Value, right: &Value) -> Result<Value, Error> {
    if let (Some(left), Some(right)) =
        (left.downcast_object_ref::<Timestamp>(), right.downcast_object_ref::<Timestamp>())
    {
        return left.since(right).map(Value::from_object);
    }
    if let (Some(Day(left)), Some(Day(right))) =
        (left.downcast_object_ref::<Day>(), right.downcast_object_ref::<Day>())
    {
        return Ok(Value::from_object(Delta(*left - *right)));
    }
    shifted(left, right, -1)
}

/// A time, or a text that is a date, and a length of time more or less.
pub(super) fn shifted(time: &Value, delta: &Value, sign: i32) -> Result<Value, Error> {
    let Some(Delta(delta)) = delta.downcast_object_ref::<Delta>() else {
        return Err(invalid(format!(
            "expected a `timedelta`, which can be added to or taken from a time, found {}",
            delta.kind()
        )));
    };
    let out_of_range = || invalid("the time is out of range");
    let delta = delta.checked_mul(sign).ok_or_else(out_of_range)?;
    let day = match time.downcast_object_ref::<Day>() {
        Some(Day(day)) => Some(*day),
        None => time.as_str().and_then(|text| text.parse().ok()),
    };
    if let Some(day) = day {
        // A day moves by whole days; what is left of one counts downwards.
        let days = Delta(delta).parts().0;
        let day = day.checked_add_signed(chrono::TimeDelta::days(days));
        return day.map(|day| Value::from_object(Day(day))).ok_or_else(out_of_range);
    }
    if let Some(moment) = time.downcast_object_ref::<Timestamp>() {
        return moment.shifted(delta).map(Value::from_object).ok_or_else(out_of_range);
    }
    if let Some(Delta(other)) = time.downcast_object_ref::<Delta>() {
        return other.checked_add(&delta).map(|sum| Value::from_object(Delta(sum))).ok_or_else(out_of_range);
    }
    Err(invalid(format!("a `timedelta` can be added to or taken from a time, not {}", time.kind())))
}

/// A time in a format of its own, `{:%Y-%m-%d}`; `None` for another value, and without a format.
pub(super) fn in_pattern(value: &Value, pattern: &str) -> Option<Result<String, Error>> {
    if pattern.is_empty() {
        return None;
    }
    if let Some(moment) = value.downcast_object_ref::<Timestamp>() {
        return Some(moment.formatted(pattern));
    }
    let Day(day) = value.downcast_object_ref::<Day>()?;
    Some(pattern::formatted(pattern, day.and_time(chrono::NaiveTime::MIN), None))
}
