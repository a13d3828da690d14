//! `modules`, and what its modules hold of times.

use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::super::given::GivenArguments;
use super::super::itertools::Itertools;
use super::super::patterns::ReModule;
use super::super::problem::{invalid, unsupported};
use super::super::scope::RenderScope;
use super::clock::Clock;
use super::day::Day;
use super::length::Delta;
use super::moment::{Timestamp, zone};
use super::reading;
use super::zone::{Zone, ZoneValue};

/// `modules`, and what it holds.
pub(in super::super) struct Modules {
    pub(in super::super) scope: Arc<RenderScope>,
    pub(in super::super) path: Path,
}

#[derive(Clone, Copy, Debug)]
pub(in super::super) enum Path {
    Modules,
    DatetimeModule,
    DatetimeClass,
    DateClass,
    TimeClass,
    DeltaClass,
    Pytz,
}

impl fmt::Debug for Modules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.path {
            Path::Modules => "modules",
            Path::DatetimeModule => "modules.datetime",
            Path::DatetimeClass => "modules.datetime.datetime",
            Path::DateClass => "modules.datetime.date",
            Path::TimeClass => "modules.datetime.time",
            Path::DeltaClass => "modules.datetime.timedelta",
            Path::Pytz => "modules.pytz",
        })
    }
}

impl Object for Modules {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let midnight = |day: NaiveDate| Value::from_object(Timestamp::naive(day.and_time(NaiveTime::MIN)));
        let (first, last) = (NaiveDate::from_ymd_opt(1, 1, 1)?, NaiveDate::from_ymd_opt(9999, 12, 31)?);
        let path = match (self.path, key.as_str()?) {
            (Path::Modules, "datetime") => Path::DatetimeModule,
            (Path::Modules, "pytz") => Path::Pytz,
            (Path::Modules, "re") => return Some(Value::from_object(ReModule)),
            (Path::Modules, "itertools") => return Some(Value::from_object(Itertools)),
            (Path::DatetimeModule, "datetime") => Path::DatetimeClass,
            (Path::DatetimeModule, "date") => Path::DateClass,
            (Path::DatetimeModule, "time") => Path::TimeClass,
            (Path::DatetimeModule, "timedelta") => Path::DeltaClass,
            (Path::Pytz, "utc" | "UTC") => return Some(Value::from_object(ZoneValue(Zone::UTC))),
            (Path::DatetimeClass, "min") => return Some(midnight(first)),
            (Path::DatetimeClass, "max") => {
                let end = NaiveTime::from_hms_micro_opt(23, 59, 59, 999_999)?;
                return Some(Value::from_object(Timestamp::naive(last.and_time(end))));
            }
            (Path::DateClass, "min") => return Some(Value::from_object(Day(first))),
            (Path::DateClass, "max") => return Some(Value::from_object(Day(last))),
            _ => return None,
        };
        Some(Value::from_object(Self { scope: self.scope.clone(), path }))
    }

    fn call(self: &Arc<Self>, _: &mut State<'_, '_>, arguments: &[Value]) -> Result<Value, Error> {
        Ok(match self.path {
            Path::DatetimeClass => Value::from_object(Timestamp::of_arguments(arguments)?),
            Path::DateClass => Value::from_object(Day::of_arguments(arguments)?),
            Path::TimeClass => Value::from_object(Clock::of_arguments(arguments)?),
            Path::DeltaClass => Value::from_object(Delta::of_arguments(arguments)?),
            Path::Modules | Path::DatetimeModule | Path::Pytz => {
                return Err(invalid(format!("`{self:?}` cannot be called")));
            }
        })
    }

    fn call_method(
        self: &Arc<Self>,
        state: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        // `modules.datetime.date(…)` is a call of what is held.
        if let Some(held) = self.get_value(&Value::from(method)) {
            return held.call(state, arguments);
        }
        let mut given = GivenArguments::of(method, arguments)?;
        let found = match self.path {
            Path::DatetimeClass => self.datetime_method(method, &mut given)?,
            Path::DateClass => self.date_method(method, &mut given)?,
            Path::Pytz if method == "timezone" => {
                Value::from_object(ZoneValue(Zone::named(&given.text("zone")?)?))
            }
            _ => return Err(unknown(self, method)),
        };
        given.end()?;
        Ok(found)
    }
}

fn unknown(module: &Modules, method: &str) -> Error {
    if matches!(module.path, Path::Modules) {
        return Error::from(ErrorKind::UnknownMethod);
    }
    let help = "mep has `datetime`, `date`, `time` and `timedelta` of `modules.datetime`, and `timezone` of `modules.pytz`";
    unsupported(&format!("`{module:?}.{method}()`"), help)
}

impl Modules {
    /// Whether it is called: a class, and no module.
    pub(in super::super) fn is_class(&self) -> bool {
        matches!(self.path, Path::DatetimeClass | Path::DateClass | Path::TimeClass | Path::DeltaClass)
    }

    fn datetime_method(&self, method: &str, given: &mut GivenArguments<'_>) -> Result<Value, Error> {
        let moment = match method {
            // One time for all models, so that they agree.
            "now" => {
                let now = self.scope.run_started_at().naive_utc();
                zone(given, "tz")?.map_or(Timestamp::naive(now), |zone| Timestamp::at_utc(now, zone))
            }
            "utcnow" | "today" => Timestamp::naive(self.scope.run_started_at().naive_utc()),
            "strptime" => reading::by_pattern(&given.text("date_string")?, &given.text("format")?)?,
            "fromisoformat" => reading::iso_moment(&given.text("date_string")?)?,
            "fromtimestamp" | "utcfromtimestamp" => {
                let utc = of_seconds(&given.needed("timestamp")?)?;
                zone(given, "tz")?.map_or(Timestamp::naive(utc), |zone| Timestamp::at_utc(utc, zone))
            }
            "fromordinal" => Timestamp::naive(of_ordinal(given)?.and_time(NaiveTime::MIN)),
            "combine" => combined(given)?,
            _ => return Err(unknown(self, method)),
        };
        Ok(Value::from_object(moment))
    }

    fn date_method(&self, method: &str, given: &mut GivenArguments<'_>) -> Result<Value, Error> {
        let day = match method {
            "today" => self.scope.run_started_at().date_naive(),
            "fromisoformat" => reading::iso_day(&given.text("date_string")?)?,
            "fromtimestamp" => of_seconds(&given.needed("timestamp")?)?.date(),
            "fromordinal" => of_ordinal(given)?,
            _ => return Err(unknown(self, method)),
        };
        Ok(Value::from_object(Day(day)))
    }
}

/// The time so many seconds after 1970 began.
fn of_seconds(seconds: &Value) -> Result<NaiveDateTime, Error> {
    let microseconds = (f64::try_from(seconds.clone())? * 1e6).round_ties_even();
    let moment = DateTime::UNIX_EPOCH.checked_add_signed(TimeDelta::microseconds(microseconds as i64));
    moment.map(|moment| moment.naive_utc()).ok_or_else(|| invalid(format!("{seconds} is no time")))
}

fn of_ordinal(given: &mut GivenArguments<'_>) -> Result<NaiveDate, Error> {
    let ordinal = given.needed("ordinal")?;
    let day = ordinal.as_i64().and_then(|ordinal| i32::try_from(ordinal).ok());
    day.and_then(NaiveDate::from_num_days_from_ce_opt).ok_or_else(|| invalid(format!("{ordinal} is no day")))
}

fn combined(given: &mut GivenArguments<'_>) -> Result<Timestamp, Error> {
    let (day, time) = (given.needed("date")?, given.needed("time")?);
    let day = match (day.downcast_object_ref::<Day>(), day.downcast_object_ref::<Timestamp>()) {
        (Some(Day(day)), _) => *day,
        (_, Some(moment)) => moment.local().date(),
        _ => return Err(invalid(format!("combine() takes a date and a time, found {day:?}"))),
    };
    let Some(Clock(time)) = time.downcast_object_ref::<Clock>() else {
        return Err(invalid(format!("combine() takes a date and a time, found {time:?}")));
    };
    let local = day.and_time(*time);
    Ok(zone(given, "tzinfo")?.map_or(Timestamp::naive(local), |zone| Timestamp::at_local(local, zone)))
}
