//! Times of day.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{NaiveDate, NaiveTime, Timelike};
use minijinja::value::{DynObject, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::super::given::GivenArguments;
use super::super::problem::invalid;
use super::pattern;

/// A `time`, of no zone.
#[derive(Debug)]
pub(in super::super) struct Clock(pub(super) NaiveTime);

impl Clock {
    /// `time(hour, minute, second, microsecond)`.
    pub(super) fn of_arguments(arguments: &[Value]) -> Result<Self, Error> {
        let mut given = GivenArguments::of("time", arguments)?;
        let time = time(&mut given, NaiveTime::MIN)?;
        given.end()?;
        Ok(Self(time))
    }

    pub(in super::super) fn written(&self) -> String {
        format!("datetime.time({})", parts(self.0, 2))
    }
}

/// The time of the arguments `hour`, `minute`, `second` and `microsecond`, with what is not given of another one.
pub(super) fn time(given: &mut GivenArguments<'_>, of: NaiveTime) -> Result<NaiveTime, Error> {
    let mut part = |name: &str, default: u32| given.number(name).map(|found| found.unwrap_or(default.into()));
    let (hour, minute) = (part("hour", of.hour())?, part("minute", of.minute())?);
    let (second, microsecond) = (part("second", of.second())?, part("microsecond", of.nanosecond() / 1_000)?);
    let whole = |part: i64| u32::try_from(part).unwrap_or(u32::MAX);
    let found = NaiveTime::from_hms_micro_opt(whole(hour), whole(minute), whole(second), whole(microsecond));
    found.filter(|_| microsecond < 1_000_000).ok_or_else(|| {
        invalid(format!("there is no time {hour:02}:{minute:02}:{second:02}.{microsecond:06}"))
    })
}

/// The parts of a time as Python's `repr()` names them: at least so many.
pub(super) fn parts(time: NaiveTime, least: usize) -> String {
    let all = [time.hour(), time.minute(), time.second(), time.nanosecond() / 1_000];
    let shown = all.iter().rposition(|part| *part != 0).map_or(0, |last| last + 1).max(least);
    all[..shown].iter().map(u32::to_string).collect::<Vec<_>>().join(", ")
}

/// `01:02:03`, with microseconds where there are some.
pub(super) fn shown(time: NaiveTime) -> String {
    let pattern = if time.nanosecond() / 1_000 == 0 { "%H:%M:%S" } else { "%H:%M:%S%.6f" };
    time.format(pattern).to_string()
}

impl Object for Clock {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        part_of(self.0, key.as_str()?)
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let mut given = GivenArguments::of(method, arguments)?;
        let found = match method {
            "strftime" => {
                let day = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap_or_default();
                pattern::formatted(&given.text("format")?, day.and_time(self.0), None)?.into()
            }
            "isoformat" => shown(self.0).into(),
            "replace" => Value::from_object(Self(time(&mut given, self.0)?)),
            _ => return Err(Error::from(ErrorKind::UnknownMethod)),
        };
        given.end()?;
        Ok(found)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.0))
    }
}

/// A part of a time of day, by its name.
pub(super) fn part_of(time: NaiveTime, name: &str) -> Option<Value> {
    Some(match name {
        "hour" => time.hour().into(),
        "minute" => time.minute().into(),
        "second" => time.second().into(),
        "microsecond" => (time.nanosecond() / 1_000).into(),
        _ => return None,
    })
}
