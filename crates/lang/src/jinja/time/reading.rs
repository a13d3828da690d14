//! Times out of texts.

use chrono::format::{Parsed, StrftimeItems, parse};
use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime};
use minijinja::Error;

use super::super::problem::invalid;
use super::moment::Timestamp;
use super::zone::Zone;

/// `strptime`: a time that is written in a format of Python's. What it does not say is that of 1 January 1900, midnight.
pub(super) fn by_pattern(text: &str, pattern: &str) -> Result<Timestamp, Error> {
    let misfit = || invalid(format!("`{text}` is not a time like `{pattern}`"));
    // Python takes one to six digits after the point.
    let format = pattern.replace(".%f", "%.f").replace("%f", "%6f");
    let mut parsed = Parsed::new();
    parse(&mut parsed, text, StrftimeItems::new(&format)).map_err(|_| misfit())?;
    let time = parsed.to_naive_time().or_else(|_| {
        let mut parsed = parsed.clone();
        let has_hour = parsed.hour_mod_12().is_some();
        // What is said already stays, and an error says no more than that.
        let _ = (has_hour || parsed.set_hour(0).is_ok()).then(|| parsed.set_minute(0));
        if parsed.hour_div_12().is_none() {
            let _ = parsed.set_ampm(false);
        }
        parsed.to_naive_time()
    });
    let day = parsed.to_naive_date().or_else(|_| {
        let mut parsed = parsed.clone();
        let _ = (parsed.year().is_none() && parsed.year_mod_100().is_none()).then(|| parsed.set_year(1900));
        let _ = parsed.month().is_none().then(|| parsed.set_month(1));
        let _ = parsed.day().is_none().then(|| parsed.set_day(1));
        parsed.to_naive_date()
    });
    let local = day.map_err(|_| misfit())?.and_time(time.unwrap_or(NaiveTime::MIN));
    Ok(match parsed.offset().and_then(FixedOffset::east_opt) {
        Some(offset) => Timestamp::at_local(local, Zone::Fixed(offset)),
        None => Timestamp::naive(local),
    })
}

/// `datetime.fromisoformat`.
pub(super) fn iso_moment(text: &str) -> Result<Timestamp, Error> {
    const LOCAL: [&str; 3] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H"];
    const ZONED: [&str; 2] = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
    let written = text.replacen(' ', "T", 1);
    if let Some(local) = LOCAL.iter().find_map(|format| NaiveDateTime::parse_from_str(&written, format).ok())
    {
        return Ok(Timestamp::naive(local));
    }
    if let Ok(day) = iso_day(text) {
        return Ok(Timestamp::naive(day.and_time(NaiveTime::MIN)));
    }
    let zoned = ZONED.iter().find_map(|format| DateTime::parse_from_str(&written, format).ok());
    let zoned = zoned.or_else(|| DateTime::parse_from_rfc3339(&written).ok());
    match zoned {
        Some(moment) => Ok(Timestamp::at_local(moment.naive_local(), Zone::Fixed(*moment.offset()))),
        None => Err(invalid(format!("`{text}` is not a time like 2018-11-03T01:02:03"))),
    }
}

/// `date.fromisoformat`.
pub(super) fn iso_day(text: &str) -> Result<NaiveDate, Error> {
    ["%Y-%m-%d", "%Y%m%d", "%G-W%V-%u"]
        .iter()
        .find_map(|format| NaiveDate::parse_from_str(text, format).ok())
        .ok_or_else(|| invalid(format!("`{text}` is not a day like 2018-11-03")))
}
