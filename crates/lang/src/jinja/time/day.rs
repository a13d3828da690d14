//! Days.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, NaiveTime};
use minijinja::value::{DynObject, Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use super::super::given::GivenArguments;
use super::super::problem::invalid;
use super::pattern;

/// A `date`.
#[derive(Debug)]
pub(in super::super) struct Day(pub(in super::super) NaiveDate);

impl Day {
    /// `date(year, month, day)`.
    pub(super) fn of_arguments(arguments: &[Value]) -> Result<Self, Error> {
        let mut given = GivenArguments::of("date", arguments)?;
        let day = date(&mut given, None)?;
        given.end()?;
        Ok(Self(day))
    }

    pub(in super::super) fn written(&self) -> String {
        format!("datetime.date({}, {}, {})", self.0.year(), self.0.month(), self.0.day())
    }
}

/// The day of the arguments `year`, `month` and `day`, with what is not given of another one.
pub(super) fn date(given: &mut GivenArguments<'_>, of: Option<NaiveDate>) -> Result<NaiveDate, Error> {
    let mut part = |name: &str, default: Option<u32>| -> Result<i64, Error> {
        match (given.number(name)?, default) {
            (Some(number), _) => Ok(number),
            (None, Some(default)) => Ok(default.into()),
            (None, None) => Err(invalid(format!("a date needs the argument `{name}`"))),
        }
    };
    let year = match of {
        Some(of) => part("year", u32::try_from(of.year()).ok())?,
        None => part("year", None)?,
    };
    let (month, day) = (part("month", of.map(|of| of.month()))?, part("day", of.map(|of| of.day()))?);
    let found = i32::try_from(year).ok().zip(u32::try_from(month).ok()).zip(u32::try_from(day).ok());
    let found = found.filter(|_| (1..=9999).contains(&year));
    let found = found.and_then(|((year, month), day)| NaiveDate::from_ymd_opt(year, month, day));
    found.ok_or_else(|| invalid(format!("there is no day {year}-{month:02}-{day:02}")))
}

/// What a day and a point in time know of their day.
pub(super) fn day_method(day: NaiveDate, method: &str) -> Option<Value> {
    let iso = day.iso_week();
    Some(match method {
        "weekday" => day.weekday().num_days_from_monday().into(),
        "isoweekday" => day.weekday().number_from_monday().into(),
        "toordinal" => day.num_days_from_ce().into(),
        "isocalendar" => Tuple::from([
            Value::from(iso.year()),
            iso.week().into(),
            day.weekday().number_from_monday().into(),
        ])
        .into(),
        _ => return None,
    })
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
        let mut given = GivenArguments::of(method, arguments)?;
        let found = match method {
            "strftime" => {
                pattern::formatted(&given.text("format")?, self.0.and_time(NaiveTime::MIN), None)?.into()
            }
            "isoformat" => self.0.to_string().into(),
            "ctime" => self.0.format("%a %b %e 00:00:00 %Y").to_string().into(),
            "replace" => Value::from_object(Self(date(&mut given, Some(self.0))?)),
            method => day_method(self.0, method).ok_or_else(|| Error::from(ErrorKind::UnknownMethod))?,
        };
        given.end()?;
        Ok(found)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
