//! A time without a zone, as a column of rows holds it.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use chrono::{Datelike, NaiveDateTime, Timelike};
use minijinja::value::{DynObject, Object, ObjectRepr, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::time::{Day, strftime};

/// A `datetime` without a zone.
#[derive(Debug)]
pub(super) struct Moment(pub(super) NaiveDateTime);

impl Moment {
    /// As Python writes it: microseconds only where there are any.
    fn written(&self, between: char) -> String {
        let fraction = if self.0.nanosecond() == 0 { "" } else { "%.6f" };
        self.0.format(&format!("%Y-%m-%d{between}%H:%M:%S{fraction}")).to_string()
    }
}

impl Object for Moment {
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
            "microsecond" => (self.0.nanosecond() / 1_000).into(),
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
            "isoformat" => {
                let () = from_args(arguments)?;
                Ok(self.written('T').into())
            }
            "date" => Ok(Value::from_object(Day(self.0.date()))),
            "weekday" => Ok(self.0.weekday().num_days_from_monday().into()),
            "isoweekday" => Ok(self.0.weekday().number_from_monday().into()),
            _ => Err(Error::from(ErrorKind::UnknownMethod)),
        }
    }

    fn custom_cmp(self: &Arc<Self>, other: &DynObject) -> Option<Ordering> {
        Some(self.0.cmp(&other.downcast_ref::<Self>()?.0))
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written(' '))
    }
}
