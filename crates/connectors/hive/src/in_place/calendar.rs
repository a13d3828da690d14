//! Days that were written by the calendar of their time, as older versions of Hive and their like count them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray};
use arrow::datatypes::Date32Type;
use chrono::{Days, NaiveDate};

/// 15 October 1582, in days since 1970: the first day of today's calendar.
const FIRST_DAY: i32 = -141_427;

/// Days of the calendar of their time as the days that have the same date today.
pub(super) fn today_s_calendar(column: &ArrayRef) -> ArrayRef {
    let days = column.as_primitive::<Date32Type>();
    if days.iter().flatten().all(|day| day >= FIRST_DAY) {
        return column.clone();
    }
    Arc::new(days.unary_opt::<_, Date32Type>(|day| if day >= FIRST_DAY { Some(day) } else { same_date(day) }))
}

/// The day that has today the date which a day before October 1582 had then.
fn same_date(day: i32) -> Option<i32> {
    // Days since 1 March of the year 0 of the calendar in which each fourth year is a leap year.
    let since = i64::from(day) + 719_470;
    let year = (4 * since + 3).div_euclid(1461);
    let of_year = since - (1461 * year).div_euclid(4);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5;
    let (year, month) = if month < 10 { (year, month + 3) } else { (year + 1, month - 9) };
    let first = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, u32::try_from(month).ok()?, 1)?;
    let date = first.checked_add_days(Days::new(u64::try_from(of_month).ok()?))?;
    i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
}

#[cfg(test)]
mod tests {
    use arrow::array::Date32Array;

    use super::*;

    fn day(year: i32, month: u32, day: u32) -> i32 {
        let date = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).unwrap()
    }

    #[test]
    fn days_before_october_1582_keep_their_date() {
        // By the calendar of their time: the day before 15 October 1582 was 4 October, and 1 January of the year 1 was two days
        // before today's calendar would have it.
        assert_eq!(FIRST_DAY, day(1582, 10, 15));
        assert_eq!(same_date(FIRST_DAY - 1), Some(day(1582, 10, 4)));
        assert_eq!(same_date(day(1, 1, 1) - 2), Some(day(1, 1, 1)));
        assert_eq!(same_date(day(1500, 3, 10)), Some(day(1500, 3, 1)));
        let mended = today_s_calendar(&(Arc::new(Date32Array::from(vec![Some(0), None])) as ArrayRef));
        assert_eq!(mended.as_primitive::<Date32Type>().iter().collect::<Vec<_>>(), [Some(0), None]);
    }
}
