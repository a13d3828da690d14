//! Points in time and lengths of time, with as much of Python's `datetime` as projects use.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, TimeDelta, Timelike, Utc};
use minijinja::value::{DynObject, Kwargs, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::moment::Moment;
use super::patterns::ReModule;
use super::problem::{invalid, unsupported};
use super::scope::RenderScope;

/// A `datetime`: UTC.
#[derive(Debug)]
pub(super) struct Timestamp(pub(super) DateTime<Utc>);

/// A `date`.
#[derive(Debug)]
pub(super) struct Day(pub(super) NaiveDate);

/// A `timedelta`.
#[derive(Debug)]
struct Delta(TimeDelta);

impl Object for Timestamp {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "year" => self.0.year().into(),
            "month" => self.0.month().into(),
            "day" => self.0.day().into(),
            "hour" => self.0.hour().into(),
            "minute" => self.0.minute().into(),
            "second" => self.0.second().into(),
            "microsecond" => self.0.timestamp_subsec_micros().into(),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "strftime" => strftime(arguments, |items| self.0.format_with_items(items).to_string()),
            "isoformat" => Ok(self.0.format("%Y-%m-%dT%H:%M:%S%.6f+00:00").to_string().into()),
            "date" => Ok(Value::from_object(Day(self.0.date_naive()))),
            "timestamp" => Ok((self.0.timestamp_micros() as f64 / 1e6).into()),
            "weekday" => Ok(self.0.weekday().num_days_from_monday().into()),
            "isoweekday" => Ok(self.0.weekday().number_from_monday().into()),
            "astimezone" => Err(unsupported("astimezone()", "times are UTC: convert them in SQL")),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m-%d %H:%M:%S%.6f+00:00"))
    }
}

impl Object for Day {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "year" => self.0.year().into(),
            "month" => self.0.month().into(),
            "day" => self.0.day().into(),
            _ => return None,
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "strftime" => strftime(arguments, |items| self.0.format_with_items(items).to_string()),
            "isoformat" => Ok(self.0.to_string().into()),
            "weekday" => Ok(self.0.weekday().num_days_from_monday().into()),
            "isoweekday" => Ok(self.0.weekday().number_from_monday().into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

const MICROSECONDS: i64 = 1_000_000;

impl Delta {
    fn microseconds(&self) -> i64 {
        self.0.num_microseconds().unwrap_or(i64::MAX)
    }

    /// Whole days, which may be below zero, and the microseconds that are left, which are not.
    fn parts(&self) -> (i64, i64) {
        const DAY: i64 = 86_400 * MICROSECONDS;
        (self.microseconds().div_euclid(DAY), self.microseconds().rem_euclid(DAY))
    }
}

impl Object for Delta {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let (days, rest) = self.parts();
        Some(match key.as_str()? {
            "days" => days.into(),
            "seconds" => (rest / MICROSECONDS).into(),
            "microseconds" => (rest % MICROSECONDS).into(),
            _ => return None,
        })
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, rest) = self.parts();
        if days != 0 {
            write!(f, "{days} day{}, ", if days.abs() == 1 { "" } else { "s" })?;
        }
        let seconds = rest / MICROSECONDS;
        write!(f, "{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
        match rest % MICROSECONDS {
            0 => Ok(()),
            microseconds => write!(f, ".{microseconds:06}"),
        }
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        _: &[Value],
    ) -> Result<Value, Error> {
        match method {
            "total_seconds" => Ok((self.microseconds() as f64 / 1e6).into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }
}

pub(super) fn strftime(
    arguments: &[Value],
    format: impl FnOnce(std::slice::Iter<'_, chrono::format::Item<'_>>) -> String,
) -> Result<Value, Error> {
    let (pattern,): (&str,) = from_args(arguments)?;
    let pattern = as_chrono_formats(pattern);
    let items = chrono::format::StrftimeItems::new(&pattern).parse();
    let items = items.map_err(|_| invalid(format!("strftime does not know the format `{pattern}`")))?;
    Ok(format(items.iter()).into())
}

/// Python's `%f` is microseconds; chrono's is nanoseconds.
fn as_chrono_formats(pattern: &str) -> String {
    pattern.replace("%f", "%6f")
}

/// `modules`, and what it holds.
pub(super) struct Modules {
    pub(super) scope: Arc<RenderScope>,
    pub(super) path: Path,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Path {
    Modules,
    DatetimeModule,
    DatetimeClass,
    DateClass,
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.path {
            Path::Modules => "modules",
            Path::DatetimeModule => "modules.datetime",
            Path::DatetimeClass => "modules.datetime.datetime",
            Path::DateClass => "modules.datetime.date",
        })
    }
}

impl Object for Modules {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let path = match (self.path, key.as_str()?) {
            (Path::Modules, "datetime") => Path::DatetimeModule,
            (Path::Modules, "re") => return Some(Value::from_object(ReModule)),
            (Path::DatetimeModule, "datetime") => Path::DatetimeClass,
            (Path::DatetimeModule, "date") => Path::DateClass,
            (Path::Modules, other) => {
                return Some(Value::from(unsupported(
                    &format!("`modules.{other}`"),
                    "`modules.datetime` and `modules.re` are: do the rest in SQL or in a macro",
                )));
            }
            _ => return None,
        };
        Some(Value::from_object(Self { scope: self.scope.clone(), path }))
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        match (self.path, method) {
            (Path::DatetimeModule, "timedelta") => delta(arguments),
            // One time for all models, so that they agree.
            (Path::DatetimeClass, "now" | "utcnow" | "today") => {
                Ok(Value::from_object(Timestamp(self.scope.run_started_at())))
            }
            (Path::DateClass, "today") => {
                Ok(Value::from_object(Day(self.scope.run_started_at().date_naive())))
            }
            (Path::DatetimeClass, "strptime") => {
                let (text, pattern): (&str, &str) = from_args(arguments)?;
                let format = as_chrono_formats(pattern);
                let moment = NaiveDateTime::parse_from_str(text, &format).or_else(|_| {
                    NaiveDate::parse_from_str(text, &format).map(|day| day.and_time(chrono::NaiveTime::MIN))
                });
                let moment =
                    moment.map_err(|_| invalid(format!("`{text}` is not a time like `{pattern}`")))?;
                Ok(Value::from_object(Timestamp(moment.and_utc())))
            }
            _ => Err(unsupported(
                &format!("`{method}()` of `modules.datetime`"),
                "mep has `timedelta`, `datetime.now`, `datetime.strptime` and `date.today`",
            )),
        }
    }
}

/// `timedelta(days, seconds, microseconds, milliseconds, minutes, hours, weeks)`.
fn delta(arguments: &[Value]) -> Result<Value, Error> {
    const UNITS: [(&str, f64); 7] = [
        ("days", 86_400e6),
        ("seconds", 1e6),
        ("microseconds", 1.0),
        ("milliseconds", 1e3),
        ("minutes", 60e6),
        ("hours", 3_600e6),
        ("weeks", 604_800e6),
    ];
    let mut microseconds = 0.0;
    let number = |value: &Value| {
        f64::try_from(value.clone())
            .map_err(|_| invalid(format!("timedelta() takes numbers, found {value:?}")))
    };
    for (argument, (_, unit)) in arguments.iter().filter(|value| !value.is_kwargs()).zip(UNITS) {
        microseconds += number(argument)? * unit;
    }
    if let Some(named) = arguments.last().filter(|value| value.is_kwargs()) {
        let named = Kwargs::try_from(named.clone())?;
        for (name, unit) in UNITS {
            if named.has(name) {
                microseconds += number(&named.get::<Value>(name)?)? * unit;
            }
        }
        named.assert_all_used()?;
    }
    Ok(Value::from_object(Delta(TimeDelta::microseconds(microseconds as i64))))
}

/// Whether a value is a point in time or a length of time.
pub(super) fn is_time(value: &Value) -> bool {
    value.downcast_object_ref::<Timestamp>().is_some()
        || value.downcast_object_ref::<Day>().is_some()
        || value.downcast_object_ref::<Delta>().is_some()
}

/// A time less a length of time, or the length between two times.
pub(super) fn difference(left: &Value, right: &Value) -> Result<Value, Error> {
    let (moments, days) = (
        left.downcast_object_ref::<Timestamp>().zip(right.downcast_object_ref::<Timestamp>()),
        left.downcast_object_ref::<Day>().zip(right.downcast_object_ref::<Day>()),
    );
    if let Some((Timestamp(left), Timestamp(right))) = moments {
        return Ok(Value::from_object(Delta(*left - *right)));
    }
    if let Some((Day(left), Day(right))) = days {
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
        return day
            .checked_add_signed(delta)
            .map(|day| Value::from_object(Day(day)))
            .ok_or_else(out_of_range);
    }
    if let Some(Timestamp(moment)) = time.downcast_object_ref::<Timestamp>() {
        let moment = moment.checked_add_signed(delta).ok_or_else(out_of_range)?;
        return Ok(Value::from_object(Timestamp(moment)));
    }
    if let Some(Moment(moment)) = time.downcast_object_ref::<Moment>() {
        let moment = moment.checked_add_signed(delta).ok_or_else(out_of_range)?;
        return Ok(Value::from_object(Moment(moment)));
    }
    if let Some(Delta(other)) = time.downcast_object_ref::<Delta>() {
        return other.checked_add(&delta).map(|sum| Value::from_object(Delta(sum))).ok_or_else(out_of_range);
    }
    Err(invalid(format!("a `timedelta` can be added to or taken from a time, not {}", time.kind())))
}
