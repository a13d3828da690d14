//! Zones, and how far a local time in one is from UTC.

use std::fmt;
use std::sync::Arc;

use chrono::{FixedOffset, MappedLocalTime, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{OffsetComponents, OffsetName, Tz};
use minijinja::value::{Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::super::given::GivenArguments;
use super::super::problem::{invalid, invalid_with_help};
use super::length::Delta;
use super::moment::Timestamp;

/// A zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Zone {
    Utc,
    Named(Tz),
    Fixed(FixedOffset),
}

/// A zone at some time of it: a time keeps it when it is moved, as in Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ZoneAt {
    pub(super) zone: Zone,
    pub(super) offset: FixedOffset,
    pub(super) name: String,
    summer: TimeDelta,
}

impl Zone {
    pub(super) const UTC: Self = Self::Utc;

    /// The zone of a name.
    pub(super) fn named(name: &str) -> Result<Self, Error> {
        if name.eq_ignore_ascii_case("utc") {
            return Ok(Self::Utc);
        }
        name.parse().map(Self::Named).map_err(|_| {
            let near = crate::project::nearest(name, chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name()));
            let help = near.map_or_else(
                || "write a name such as 'Europe/Stockholm'".to_owned(),
                |near| format!("did you mean `{near}`?"),
            );
            invalid_with_help(format!("there is no time zone `{name}`"), &help)
        })
    }

    /// As it is at a time of UTC.
    pub(super) fn at_utc(self, utc: NaiveDateTime) -> ZoneAt {
        match self {
            Self::Utc => ZoneAt::fixed(self, Offset::fix(&chrono::Utc), "UTC".to_owned()),
            Self::Fixed(offset) => ZoneAt::fixed(self, offset, fixed_name(offset)),
            Self::Named(zone) => ZoneAt::of_named(self, &zone.offset_from_utc_datetime(&utc)),
        }
    }

    /// As it is at a local time of its own: in the hour that is there twice it is winter time.
    pub(super) fn at_local(self, local: NaiveDateTime) -> ZoneAt {
        match self {
            Self::Named(zone) => match zone.offset_from_local_datetime(&local) {
                MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(_, offset) => {
                    ZoneAt::of_named(self, &offset)
                }
                MappedLocalTime::None => ZoneAt::of_named(self, &zone.offset_from_utc_datetime(&local)),
            },
            _ => self.at_utc(local),
        }
    }
}

/// The name of a zone that is only so far from UTC.
fn fixed_name(offset: FixedOffset) -> String {
    if offset.local_minus_utc() == 0 { "UTC".to_owned() } else { format!("UTC{offset}") }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Utc => f.write_str("UTC"),
            Self::Named(zone) => f.write_str(zone.name()),
            Self::Fixed(offset) => f.write_str(&fixed_name(*offset)),
        }
    }
}

impl ZoneAt {
    fn fixed(zone: Zone, offset: FixedOffset, name: String) -> Self {
        Self { zone, offset, name, summer: TimeDelta::zero() }
    }

    fn of_named(zone: Zone, offset: &chrono_tz::TzOffset) -> Self {
        let name = offset.abbreviation().map_or_else(|| zone.to_string(), str::to_owned);
        Self { zone, offset: offset.fix(), name, summer: offset.dst_offset() }
    }

    pub(super) fn delta(&self) -> Delta {
        Delta(TimeDelta::seconds(i64::from(self.offset.local_minus_utc())))
    }

    pub(super) fn summer(&self) -> Delta {
        Delta(self.summer)
    }

    /// `+01:00`, or without the colon.
    pub(super) fn shown(&self, colon: &str) -> String {
        let seconds = self.offset.local_minus_utc();
        let sign = if seconds < 0 { '-' } else { '+' };
        let minutes = seconds.abs() / 60;
        format!("{sign}{:02}{colon}{:02}", minutes / 60, minutes % 60)
    }

    pub(super) fn written(&self) -> String {
        match self.zone {
            Zone::Named(zone) => format!("<DstTzInfo '{}' {}>", zone.name(), self.name),
            _ => format!("<{}>", self.zone),
        }
    }
}

/// A zone as templates see it.
#[derive(Debug)]
pub(in super::super) struct ZoneValue(pub(super) Zone);

impl ZoneValue {
    pub(in super::super) fn written(&self) -> String {
        match self.0 {
            Zone::Named(zone) => format!("<DstTzInfo '{}'>", zone.name()),
            _ => format!("<{}>", self.0),
        }
    }
}

impl Object for ZoneValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        (key.as_str()? == "zone").then(|| self.0.to_string().into())
    }

    fn call_method(
        self: &Arc<Self>,
        _: &mut State<'_, '_>,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Error> {
        let mut given = GivenArguments::of(method, arguments)?;
        let moment = given.needed("dt")?;
        given.next("is_dst")?;
        given.end()?;
        let Some(moment) = moment.downcast_object_ref::<Timestamp>() else {
            return Err(invalid(format!("{method}() takes a time, found {moment:?}")));
        };
        match method {
            "localize" => moment.localized(self.0).map(Value::from_object),
            "normalize" => Ok(Value::from_object(moment.in_zone(self.0))),
            "utcoffset" => Ok(Value::from_object(self.0.at_local(moment.local()).delta())),
            "dst" => Ok(Value::from_object(self.0.at_local(moment.local()).summer())),
            "tzname" => Ok(self.0.at_local(moment.local()).name.into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}
