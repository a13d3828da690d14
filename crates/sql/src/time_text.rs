//! Times as texts and texts as times, by the formats of C that DuckDB and Python know.

use std::fmt::Write as _;

use chrono::format::{Item, Parsed, StrftimeItems};
use chrono::{Datelike, NaiveDateTime, TimeDelta, Timelike};
use datafusion::common::{Result, exec_err};

use super::times::from_sunday;

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/// A time as a format writes it.
///
/// # Errors
/// Where the format has a specifier that is none.
pub(super) fn strftime(time: NaiveDateTime, format: &str) -> Result<String> {
    let mut text = String::with_capacity(format.len() * 2);
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        let (specifier, is_padded) = match characters.next() {
            Some('-') => (characters.next(), false),
            other => (other, true),
        };
        let mut number = |value: u32, width: usize| {
            // Writing to a text does not fail.
            let _ = if is_padded { write!(text, "{value:0width$}") } else { write!(text, "{value}") };
        };
        let month = MONTHS[time.month0() as usize % 12];
        let day = DAYS[from_sunday(time.date()) as usize % 7];
        let week = |begins: u32| (time.ordinal() + 6 - (from_sunday(time.date()) + 7 - begins) % 7) / 7;
        match specifier {
            Some('a') => text.push_str(&day[..3]),
            Some('A') => text.push_str(day),
            Some('b' | 'h') => text.push_str(&month[..3]),
            Some('B') => text.push_str(month),
            Some('w') => number(from_sunday(time.date()), 1),
            Some('u') => number(time.weekday().number_from_monday(), 1),
            Some('d') => number(time.day(), 2),
            Some('m') => number(time.month(), 2),
            Some('y') => number(time.year().rem_euclid(100).unsigned_abs(), 2),
            Some('Y') => {
                let _ = write!(text, "{}{:04}", if time.year() < 0 { "-" } else { "" }, time.year().abs());
            }
            Some('G') => {
                let _ = write!(text, "{:04}", time.iso_week().year());
            }
            Some('V') => number(time.iso_week().week(), 2),
            Some('U') => number(week(0), 2),
            Some('W') => number(week(1), 2),
            Some('j') => number(time.ordinal(), 3),
            Some('H') => number(time.hour(), 2),
            Some('I') => number(time.hour12().1, 2),
            Some('p') => text.push_str(if time.hour() < 12 { "AM" } else { "PM" }),
            Some('M') => number(time.minute(), 2),
            Some('S') => number(time.second(), 2),
            Some('g') => number(time.nanosecond() / 1_000_000, 3),
            Some('f') => number(time.nanosecond() / 1_000, 6),
            Some('n') => number(time.nanosecond(), 9),
            Some('z') => text.push_str("+00"),
            Some('Z') => {}
            Some('c') => text.push_str(&strftime(time, "%Y-%m-%d %H:%M:%S")?),
            Some('x' | 'F') => text.push_str(&strftime(time, "%Y-%m-%d")?),
            Some('X' | 'T') => text.push_str(&strftime(time, "%H:%M:%S")?),
            Some('D') => text.push_str(&strftime(time, "%m/%d/%y")?),
            Some('R') => text.push_str(&strftime(time, "%H:%M")?),
            Some('%') => text.push('%'),
            Some(other) => {
                return exec_err!("the format `{format}` has `%{other}`, which is no part of a time");
            }
            None => return exec_err!("the format `{format}` ends with `%`"),
        }
    }
    Ok(text)
}

/// What reads times that are written in a format.
pub(super) struct TimeReader {
    format: String,
    items: Vec<Item<'static>>,
}

impl TimeReader {
    /// # Errors
    /// Where the format has a specifier that is none.
    pub(super) fn new(format: &str) -> Result<Self> {
        let chrono = format
            .replace("%-", "%")
            .replace("%g", "%3f")
            .replace("%f", "%6f")
            .replace("%n", "%9f")
            .replace("%c", "%Y-%m-%d %H:%M:%S")
            .replace("%x", "%Y-%m-%d")
            .replace("%X", "%H:%M:%S");
        let Ok(items) = StrftimeItems::new(&chrono).parse_to_owned() else {
            return exec_err!("the format `{format}` has a part that is no part of a time");
        };
        Ok(Self { format: format.to_owned(), items })
    }

    pub(super) fn is_of(&self, format: &str) -> bool {
        self.format == format
    }

    /// The time that a text says; `None` where it is not written so. What the format leaves out is the beginning of 1900.
    pub(super) fn read(&self, text: &str) -> Option<NaiveDateTime> {
        let mut parsed = Parsed::new();
        chrono::format::parse(&mut parsed, text, self.items.iter()).ok()?;
        let is_of_seconds = parsed.timestamp().is_some();
        let has_year = parsed.year().or(parsed.year_mod_100()).or(parsed.isoyear()).is_some();
        if !has_year && !is_of_seconds {
            parsed.set_year(1900).ok()?;
        }
        let has_day = parsed.ordinal().is_some()
            || parsed.isoweek().is_some()
            || parsed.week_from_sun().is_some()
            || parsed.week_from_mon().is_some()
            || is_of_seconds;
        if !has_day {
            if parsed.month().is_none() {
                parsed.set_month(1).ok()?;
            }
            if parsed.day().is_none() {
                parsed.set_day(1).ok()?;
            }
        }
        if parsed.hour_div_12().is_none() && parsed.hour_mod_12().is_some() {
            parsed.set_ampm(false).ok()?;
        }
        if parsed.hour_div_12().is_none() && !is_of_seconds {
            parsed.set_hour(0).ok()?;
        }
        if parsed.minute().is_none() && !is_of_seconds {
            parsed.set_minute(0).ok()?;
        }
        let offset = parsed.offset().unwrap_or(0);
        let time = parsed.to_naive_datetime_with_offset(offset).ok()?;
        time.checked_sub_signed(TimeDelta::seconds(offset.into()))
    }
}
