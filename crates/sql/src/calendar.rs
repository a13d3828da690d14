//! Units of the calendar: how far two times are apart, and where a time lies some units on.
//!
//! As DuckDB has it: `difference` counts the boundaries between two times, `whole` the units that went by. Must not know: arrays,
//! SQL.

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime, TimeDelta};

/// A unit of the calendar or of the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CalendarUnit {
    Millennium,
    Century,
    Decade,
    Year,
    /// Of ISO 8601: it begins with the week that holds its first Thursday.
    IsoYear,
    Quarter,
    Month,
    /// It begins on Monday.
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

const MICROSECONDS: i64 = 1_000_000;

impl CalendarUnit {
    /// The unit of a name, in whatever case.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "millennium" | "millennia" | "millenniums" | "mil" | "mils" => Self::Millennium,
            "century" | "centuries" | "cent" | "c" => Self::Century,
            "decade" | "decades" | "dec" | "decs" => Self::Decade,
            "year" | "years" | "yr" | "yrs" | "y" | "yy" | "yyyy" => Self::Year,
            "isoyear" => Self::IsoYear,
            "quarter" | "quarters" | "qtr" | "qtrs" | "qq" => Self::Quarter,
            "month" | "months" | "mon" | "mons" | "mm" => Self::Month,
            "week" | "weeks" | "w" | "wk" | "ww" | "weekofyear" | "isoweek" => Self::Week,
            "day" | "days" | "d" | "dd" => Self::Day,
            "hour" | "hours" | "hr" | "hrs" | "h" | "hh" => Self::Hour,
            "minute" | "minutes" | "min" | "mins" | "mi" => Self::Minute,
            "second" | "seconds" | "sec" | "secs" | "s" | "ss" => Self::Second,
            "millisecond" | "milliseconds" | "ms" | "msec" | "msecs" => Self::Millisecond,
            "microsecond" | "microseconds" | "us" | "usec" | "usecs" => Self::Microsecond,
            _ => return None,
        })
    }

    /// Whether it is made of whole days.
    pub(super) fn is_of_days(self) -> bool {
        !matches!(self, Self::Hour | Self::Minute | Self::Second | Self::Millisecond | Self::Microsecond)
    }

    /// The months that it is made of.
    fn months(self) -> Option<i64> {
        Some(match self {
            Self::Millennium => 12_000,
            Self::Century => 1_200,
            Self::Decade => 120,
            Self::Year | Self::IsoYear => 12,
            Self::Quarter => 3,
            Self::Month => 1,
            _ => return None,
        })
    }

    /// The microseconds that it is made of, where it is always as long.
    fn microseconds(self) -> i64 {
        match self {
            Self::Week => 7 * 86_400 * MICROSECONDS,
            Self::Day => 86_400 * MICROSECONDS,
            Self::Hour => 3_600 * MICROSECONDS,
            Self::Minute => 60 * MICROSECONDS,
            Self::Second => MICROSECONDS,
            Self::Millisecond => 1_000,
            _ => 1,
        }
    }

    /// Which of these units a time lies in, counted from some beginning.
    fn number(self, time: NaiveDateTime) -> i64 {
        let (year, month0) = (i64::from(time.year()), i64::from(time.month0()));
        match self {
            Self::Millennium => year.div_euclid(1_000),
            Self::Century => year.div_euclid(100),
            Self::Decade => year.div_euclid(10),
            Self::Year => year,
            Self::IsoYear => i64::from(time.iso_week().year()),
            Self::Quarter => year * 4 + month0 / 3,
            Self::Month => year * 12 + month0,
            // 1970 began on a Thursday.
            Self::Week => (days(time) + 3).div_euclid(7),
            Self::Day => days(time),
            _ => time.and_utc().timestamp_micros().div_euclid(self.microseconds()),
        }
    }

    /// How many boundaries of the unit lie between two times.
    pub(super) fn difference(self, from: NaiveDateTime, to: NaiveDateTime) -> i64 {
        self.number(to) - self.number(from)
    }

    /// How many whole units go by from one time to another.
    pub(super) fn whole(self, from: NaiveDateTime, to: NaiveDateTime) -> i64 {
        match self.months() {
            Some(months) => whole_months(from, to) / months,
            None => {
                (to.and_utc().timestamp_micros() - from.and_utc().timestamp_micros()) / self.microseconds()
            }
        }
    }

    /// The time some units after another; the last day of a month that has not the day. `None` where no time lies there.
    pub(super) fn after(self, time: NaiveDateTime, units: i64) -> Option<NaiveDateTime> {
        if let Some(months) = self.months() {
            let months = months.checked_mul(units)?;
            let by = Months::new(u32::try_from(months.unsigned_abs()).ok()?);
            return if months < 0 { time.checked_sub_months(by) } else { time.checked_add_months(by) };
        }
        time.checked_add_signed(TimeDelta::microseconds(self.microseconds().checked_mul(units)?))
    }
}

fn days(time: NaiveDateTime) -> i64 {
    i64::from(time.date().num_days_from_ce()) - 719_163
}

fn whole_months(from: NaiveDateTime, to: NaiveDateTime) -> i64 {
    if to < from {
        return -whole_months(to, from);
    }
    let months = CalendarUnit::Month.difference(from, to);
    let is_last = last_day_of_month(to.date()) == to.date();
    let day = if is_last { from.day().min(to.day()) } else { from.day() };
    let not_yet = (to.day(), to.time()) < (day, from.time());
    months - i64::from(not_yet)
}

/// The last day of a day's month.
pub(super) fn last_day_of_month(day: NaiveDate) -> NaiveDate {
    let first = day.with_day(1).unwrap_or(day);
    first.checked_add_months(Months::new(1)).and_then(|next| next.pred_opt()).unwrap_or(NaiveDate::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> NaiveDateTime {
        text.parse().unwrap()
    }

    #[test]
    fn a_difference_counts_boundaries_and_what_is_whole_counts_what_went_by() {
        for (unit, from, to, difference, whole) in [
            ("month", "2020-01-31T10:00:00", "2020-02-29T11:00:00", 1, 1),
            ("month", "2020-01-31T10:00:00", "2020-02-29T09:00:00", 1, 0),
            ("month", "2020-03-15T00:00:00", "2020-01-16T00:00:00", -2, -1),
            ("year", "2019-12-31T00:00:00", "2020-01-01T00:00:00", 1, 0),
            ("week", "2024-01-07T23:00:00", "2024-01-08T01:00:00", 1, 0),
            ("day", "1969-12-31T23:00:00", "1970-01-01T01:00:00", 1, 0),
            ("hour", "1969-12-31T23:30:00", "1970-01-01T00:15:00", 1, 0),
            ("decade", "1999-06-01T00:00:00", "2000-06-01T00:00:00", 1, 0),
            ("quarter", "2020-03-31T00:00:00", "2020-04-01T00:00:00", 1, 0),
        ] {
            let unit = CalendarUnit::named(unit).unwrap();
            assert_eq!(unit.difference(time(from), time(to)), difference, "{unit:?} {from} {to}");
            assert_eq!(unit.whole(time(from), time(to)), whole, "{unit:?} {from} {to}");
        }
    }

    #[test]
    fn a_month_on_is_the_last_day_where_the_day_is_not_there() {
        assert_eq!(
            CalendarUnit::Month.after(time("2024-01-31T10:00:00"), 1),
            Some(time("2024-02-29T10:00:00"))
        );
        assert_eq!(
            CalendarUnit::Quarter.after(time("2024-01-31T10:00:00"), -1),
            Some(time("2023-10-31T10:00:00"))
        );
        assert_eq!(CalendarUnit::Year.after(time("2024-02-29T00:00:00"), i64::MAX), None);
    }
}
