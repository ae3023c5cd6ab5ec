//! Days without a session.
//!
//! Rules: NYSE Rule 7.2 (holidays) and the exchange's list of special closings.

use super::fixed_date;
use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Weekdays on which the exchange did not open for another reason than a holiday.
const SPECIAL: [NaiveDate; 11] = [
    fixed_date(1994, 4, 27), // funeral of President Nixon
    fixed_date(2001, 9, 11), // attack on the World Trade Center
    fixed_date(2001, 9, 12),
    fixed_date(2001, 9, 13),
    fixed_date(2001, 9, 14),
    fixed_date(2004, 6, 11),  // funeral of President Reagan
    fixed_date(2007, 1, 2),   // mourning for President Ford
    fixed_date(2012, 10, 29), // hurricane Sandy
    fixed_date(2012, 10, 30),
    fixed_date(2018, 12, 5), // mourning for President G. H. W. Bush
    fixed_date(2025, 1, 9),  // mourning for President Carter
];

/// Whether there is no session on `date`.
pub(super) fn is_closed(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun) || is_holiday(date) || SPECIAL.contains(&date)
}

/// Whether a weekday is a holiday, or stands in for one that falls on a weekend.
fn is_holiday(date: NaiveDate) -> bool {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let is_monday = date.weekday() == Weekday::Mon;
    match month {
        // A New Year's Day on a Saturday is not observed: the books of the year close on that Friday.
        1 => day == 1 || (day == 2 && is_monday) || (year >= 1998 && is_monday && week_of_month(day) == 3),
        2 => is_monday && week_of_month(day) == 3,
        3 | 4 => Some(date) == good_friday(year),
        5 => is_monday && day > 31 - 7,
        6 => year >= 2022 && is_observed(date, 19),
        7 => is_observed(date, 4),
        9 => is_monday && week_of_month(day) == 1,
        11 => is_thanksgiving(date),
        12 => is_observed(date, 25),
        _ => false,
    }
}

/// Thanksgiving: the fourth Thursday of November.
pub(super) fn is_thanksgiving(date: NaiveDate) -> bool {
    date.month() == 11 && date.weekday() == Weekday::Thu && week_of_month(date.day()) == 4
}

/// Whether the holiday on `day` of this month is kept on `date`: Saturday's on Friday, Sunday's on Monday.
fn is_observed(date: NaiveDate, day: u32) -> bool {
    date.day() == day
        || (date.day() + 1 == day && date.weekday() == Weekday::Fri)
        || (date.day() == day + 1 && date.weekday() == Weekday::Mon)
}

/// 1 for the first Monday (Tuesday, ...) of a month, 2 for the second, and so on.
fn week_of_month(day: u32) -> u32 {
    (day - 1) / 7 + 1
}

/// The Friday before Easter. Easter by the anonymous Gregorian algorithm (Nature, 20 April 1876).
fn good_friday(year: i32) -> Option<NaiveDate> {
    let a = year % 19;
    let (b, c) = (year / 100, year % 100);
    let (d, e) = (b / 4, b % 4);
    let g = (b - (b + 8) / 25 + 1) / 3;
    let h = (19 * a + b - d - g + 15) % 30;
    let (i, k) = (c / 4, c % 4);
    let l = (32 + 2 * e + 2 * i - h - k) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    let easter = NaiveDate::from_ymd_opt(year, (n / 31) as u32, (n % 31 + 1) as u32)?;
    easter.checked_sub_days(Days::new(2))
}
