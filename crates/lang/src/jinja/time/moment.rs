//! Points in time.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDateTime, TimeDelta, Timelike, Utc};
use minijinja::value::{DynObject, Object, ObjectRepr, Tuple};
use minijinja::{Error, ErrorKind, State, Value};

use super::super::given::GivenArguments;
use super::super::problem::{invalid, invalid_with_help};
use super::clock::{self, Clock};
use super::day::{self, Day};
use super::length::Delta;
use super::pattern;
use super::zone::{Zone, ZoneAt, ZoneValue};

/// A `datetime`: a local time, with or without a zone.
#[derive(Clone, Debug)]
pub(in super::super) struct Timestamp {
    local: NaiveDateTime,
    zone: Option<ZoneAt>,
}

impl Timestamp {
    pub(in super::super) fn utc(moment: DateTime<Utc>) -> Self {
        Self::at_utc(moment.naive_utc(), Zone::UTC)
    }

    /// One without a zone.
    pub(in super::super) fn naive(local: NaiveDateTime) -> Self {
        Self { local, zone: None }
    }

    /// What a time of UTC is in a zone.
    pub(super) fn at_utc(utc: NaiveDateTime, zone: Zone) -> Self {
        let zone = zone.at_utc(utc);
        Self { local: utc + zone.offset, zone: Some(zone) }
    }

    /// A local time of a zone.
    pub(super) fn at_local(local: NaiveDateTime, zone: Zone) -> Self {
        Self { local, zone: Some(zone.at_local(local)) }
    }

    pub(super) fn local(&self) -> NaiveDateTime {
        self.local
    }

    /// `datetime(year, month, day, hour, …, tzinfo=…)`.
    pub(super) fn of_arguments(arguments: &[Value]) -> Result<Self, Error> {
        let mut given = GivenArguments::of("datetime", arguments)?;
        let local = day::date(&mut given, None)?.and_time(clock::time(&mut given, chrono::NaiveTime::MIN)?);
        let zone = zone(&mut given, "tzinfo")?;
        given.end()?;
        Ok(zone.map_or(Self::naive(local), |zone| Self::at_local(local, zone)))
    }

    /// The time in UTC; one without a zone is taken as UTC.
    fn in_utc(&self) -> NaiveDateTime {
        self.zone.as_ref().map_or(self.local, |zone| self.local - zone.offset)
    }

    /// The same time in another zone.
    pub(super) fn in_zone(&self, zone: Zone) -> Self {
        Self::at_utc(self.in_utc(), zone)
    }

    /// The same local time, as one of a zone.
    pub(super) fn localized(&self, zone: Zone) -> Result<Self, Error> {
        if self.zone.is_some() {
            return Err(invalid_with_help("the time has a zone already", "convert it by `astimezone(zone)`"));
        }
        Ok(Self::at_local(self.local, zone))
    }

    /// The time in a format of Python's.
    pub(super) fn formatted(&self, pattern: &str) -> Result<String, Error> {
        pattern::formatted(pattern, self.local, self.zone.as_ref())
    }

    pub(super) fn shifted(&self, by: TimeDelta) -> Option<Self> {
        let local = self.local.checked_add_signed(by).filter(|local| (1..=9999).contains(&local.year()))?;
        Some(Self { local, zone: self.zone.clone() })
    }

    pub(super) fn since(&self, earlier: &Self) -> Result<Delta, Error> {
        if self.zone.is_some() != earlier.zone.is_some() {
            return Err(invalid_with_help(
                "one of these times has a zone and the other has none",
                "give both a zone: modules.pytz.utc.localize(time)",
            ));
        }
        Ok(Delta(self.in_utc() - earlier.in_utc()))
    }

    fn shown(&self, separator: &str) -> String {
        let zone = self.zone.as_ref().map(|zone| zone.shown(":")).unwrap_or_default();
        format!("{}{separator}{}{zone}", self.local.date(), clock::shown(self.local.time()))
    }

    pub(in super::super) fn written(&self) -> String {
        let (day, zone) = (self.local.date(), self.zone.as_ref());
        let zone = zone.map(|zone| format!(", tzinfo={}", zone.written())).unwrap_or_default();
        let time = clock::parts(self.local.time(), 2);
        format!("datetime.datetime({}, {}, {}, {time}{zone})", day.year(), day.month(), day.day())
    }

    fn isoformat(&self, given: &mut GivenArguments<'_>) -> Result<String, Error> {
        let separator = given.word("sep")?.unwrap_or_else(|| "T".to_owned());
        let precision = given.word("timespec")?.unwrap_or_else(|| "auto".to_owned());
        let pattern = match precision.as_str() {
            "auto" => return Ok(self.shown(&separator)),
            "hours" => "%H",
            "minutes" => "%H:%M",
            "seconds" => "%H:%M:%S",
            "milliseconds" => "%H:%M:%S%.3f",
            "microseconds" => "%H:%M:%S%.6f",
            other => return Err(invalid(format!("isoformat() has no timespec `{other}`"))),
        };
        let zone = self.zone.as_ref().map(|zone| zone.shown(":")).unwrap_or_default();
        Ok(format!("{}{separator}{}{zone}", self.local.date(), self.local.time().format(pattern)))
    }

    fn replaced(&self, given: &mut GivenArguments<'_>) -> Result<Self, Error> {
        let date = day::date(given, Some(self.local.date()))?;
        let local = date.and_time(clock::time(given, self.local.time())?);
        let zone = match given.next("tzinfo")? {
            None => self.zone.clone(),
            Some(none) if none.is_none() => None,
            Some(zone) => Some(zone_of(&zone)?.at_local(local)),
        };
        Ok(Self { local, zone })
    }
}

/// The zone that an argument is, where it is given.
pub(super) fn zone(given: &mut GivenArguments<'_>, name: &str) -> Result<Option<Zone>, Error> {
    given.next(name)?.filter(|zone| !zone.is_none()).map(|zone| zone_of(&zone)).transpose()
}

fn zone_of(value: &Value) -> Result<Zone, Error> {
    value.downcast_object_ref::<ZoneValue>().map(|zone| zone.0).ok_or_else(|| {
        invalid_with_help(
            format!("{value:?} is no time zone"),
            "write modules.pytz.timezone('Europe/Stockholm')",
        )
    })
}

impl Object for Timestamp {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        Some(match key.as_str()? {
            "year" => self.local.year().into(),
            "month" => self.local.month().into(),
            "day" => self.local.day().into(),
            "tzinfo" => self
                .zone
                .as_ref()
                .map_or_else(|| Value::from(()), |zone| Value::from_object(ZoneValue(zone.zone))),
            name => return clock::part_of(self.local.time(), name),
        })
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let mut given = GivenArguments::of(method, arguments)?;
        let none = || Value::from(());
        let zone_at = self.zone.as_ref();
        let found = match method {
            "strftime" => self.formatted(&given.text("format")?)?.into(),
            "isoformat" => self.isoformat(&mut given)?.into(),
            "date" => Value::from_object(Day(self.local.date())),
            "time" => Value::from_object(Clock(self.local.time())),
            "timestamp" => (self.in_utc().and_utc().timestamp_micros() as f64 / 1e6).into(),
            "replace" => Value::from_object(self.replaced(&mut given)?),
            "astimezone" => {
                let zone = zone(&mut given, "tz")?.unwrap_or(Zone::UTC);
                Value::from_object(self.in_zone(zone))
            }
            "utcoffset" => zone_at.map_or_else(none, |zone| Value::from_object(zone.delta())),
            "dst" => zone_at.map_or_else(none, |zone| Value::from_object(zone.summer())),
            "tzname" => zone_at.map_or_else(none, |zone| zone.name.as_str().into()),
            "ctime" => self.local.format("%a %b %e %H:%M:%S %Y").to_string().into(),
            "timetuple" | "utctimetuple" => {
                let of = if method == "timetuple" { self.local } else { self.in_utc() };
                let parts =
                    [of.year(), of.month() as i32, of.day() as i32, of.hour() as i32, of.minute() as i32];
                let rest = [of.second(), of.weekday().num_days_from_monday(), of.ordinal()];
                let all = parts.into_iter().map(Value::from).chain(rest.into_iter().map(Value::from));
                Tuple::from(all.chain([Value::from(-1)]).collect::<Vec<_>>()).into()
            }
            method => day::day_method(self.local.date(), method)
                .ok_or_else(|| Error::from(ErrorKind::UnknownMethod))?,
        };
        given.end()?;
        Ok(found)
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        let other = other.downcast_ref::<Self>()?;
        (self.zone.is_some() == other.zone.is_some()).then(|| self.in_utc().cmp(&other.in_utc()))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(" "))
    }
}
