//! Lengths of time.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::TimeDelta;
use minijinja::value::{DynObject, Object, ObjectRepr};
use minijinja::{Error, ErrorKind, State, Value};

use super::super::given::GivenArguments;
use super::super::problem::invalid;

/// A `timedelta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Delta(pub(in super::super) TimeDelta);

const MICROSECONDS: i64 = 1_000_000;

/// The parameters of `timedelta()`, and how many microseconds each counts.
const UNITS: [(&str, i64); 7] = [
    ("days", 86_400 * MICROSECONDS),
    ("seconds", MICROSECONDS),
    ("microseconds", 1),
    ("milliseconds", 1_000),
    ("minutes", 60 * MICROSECONDS),
    ("hours", 3_600 * MICROSECONDS),
    ("weeks", 604_800 * MICROSECONDS),
];

fn out_of_range() -> Error {
    invalid("the length of time is out of range")
}

impl Delta {
    /// `timedelta(days, seconds, microseconds, milliseconds, minutes, hours, weeks)`.
    pub(super) fn of_arguments(arguments: &[Value]) -> Result<Self, Error> {
        let mut given = GivenArguments::of("timedelta", arguments)?;
        let mut microseconds = 0_i128;
        for (name, unit) in UNITS {
            let Some(number) = given.next(name)? else { continue };
            microseconds += match number.as_i64() {
                Some(number) => i128::from(number) * i128::from(unit),
                None => match f64::try_from(number.clone()) {
                    Ok(number) => (number * unit as f64).round_ties_even() as i128,
                    Err(_) => return Err(invalid(format!("timedelta() takes numbers, found {number:?}"))),
                },
            };
        }
        given.end()?;
        Self::of_microseconds(microseconds)
    }

    fn of_microseconds(microseconds: i128) -> Result<Self, Error> {
        let microseconds = i64::try_from(microseconds).map_err(|_| out_of_range())?;
        Ok(Self(TimeDelta::microseconds(microseconds)))
    }

    fn microseconds(self) -> i64 {
        self.0.num_microseconds().unwrap_or(i64::MAX)
    }

    /// Whole days, which may be below zero, and the microseconds that are left, which are not.
    pub(super) fn parts(self) -> (i64, i64) {
        const DAY: i64 = 86_400 * MICROSECONDS;
        (self.microseconds().div_euclid(DAY), self.microseconds().rem_euclid(DAY))
    }

    pub(in super::super) fn written(&self) -> String {
        let (days, rest) = self.parts();
        let parts = [("days", days), ("seconds", rest / MICROSECONDS), ("microseconds", rest % MICROSECONDS)];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(_, part)| *part != 0)
            .map(|(name, part)| format!("{name}={part}"))
            .collect();
        let parts = if parts.is_empty() { "0".to_owned() } else { parts.join(", ") };
        format!("datetime.timedelta({parts})")
    }

    /// So many times as long.
    pub(in super::super) fn times(self, number: &Value) -> Result<Value, Error> {
        let product = match number.as_i64() {
            Some(number) => i128::from(self.microseconds()) * i128::from(number),
            None => (self.microseconds() as f64 * f64::try_from(number.clone())?).round_ties_even() as i128,
        };
        Self::of_microseconds(product).map(Value::from_object)
    }

    /// A part of it, or how often another one goes into it.
    pub(in super::super) fn divided(self, by: &Value, whole: bool) -> Result<Value, Error> {
        let zero = || invalid("a length of time is divided by zero");
        if let Some(by) = by.downcast_object_ref::<Self>() {
            let (this, by) = (self.microseconds(), by.microseconds());
            return match (by, whole) {
                (0, _) => Err(zero()),
                (_, true) => Ok(Value::from((i128::from(this)).div_euclid(i128::from(by)))),
                (_, false) => Ok(Value::from(this as f64 / by as f64)),
            };
        }
        let number = f64::try_from(by.clone())?;
        if number == 0.0 {
            return Err(zero());
        }
        let microseconds = match by.as_i64() {
            Some(by) if whole => i128::from(self.microseconds()).div_euclid(i128::from(by)),
            _ => (self.microseconds() as f64 / number).round_ties_even() as i128,
        };
        Self::of_microseconds(microseconds).map(Value::from_object)
    }
}

impl Object for Delta {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        !self.0.is_zero()
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
