//! Hours of a session in New York wall time.
//!
//! Sources: the exchange's yearly notices of holidays and early closings and its history of special closings.
//! Opens delayed by minutes of silence (9:31 to 9:33) and the close at 15:56 on 2005-06-01 are left out: the
//! exchange counts these days as full sessions.

use super::closures::is_thanksgiving;
use super::fixed_date;
use chrono::{Datelike, NaiveDate, NaiveTime, Weekday};

/// Open and close of one session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hours {
    pub open: NaiveTime,
    pub close: NaiveTime,
}

/// The hours of an ordinary session.
pub(super) const REGULAR: Hours = Hours { open: clock(9, 30), close: clock(16, 0) };

/// Sessions whose hours follow from no rule.
const SPECIAL: [(NaiveDate, Hours); 8] = [
    (fixed_date(1994, 2, 11), Hours { close: clock(14, 30), ..REGULAR }), // snow
    (fixed_date(1995, 12, 18), Hours { open: clock(10, 30), ..REGULAR }), // computer trouble
    (fixed_date(1996, 1, 8), Hours { open: clock(11, 0), close: clock(14, 0) }), // blizzard
    (fixed_date(1997, 10, 27), Hours { close: clock(15, 30), ..REGULAR }), // circuit breaker
    (fixed_date(1997, 12, 26), Hours { close: clock(13, 0), ..REGULAR }), // Friday after Christmas
    (fixed_date(1999, 12, 31), Hours { close: clock(13, 0), ..REGULAR }), // turn of the millennium
    (fixed_date(2002, 9, 11), Hours { open: clock(12, 0), ..REGULAR }),   // commemoration
    (fixed_date(2003, 12, 26), Hours { close: clock(13, 0), ..REGULAR }), // Friday after Christmas
];

/// The hours of the session on `date`.
pub(super) fn of(date: NaiveDate) -> Hours {
    if let Some((_, hours)) = SPECIAL.iter().find(|(special, _)| *special == date) {
        return *hours;
    }
    if !is_holiday_eve(date) {
        return REGULAR;
    }
    // Early closes moved from 14:00 to 13:00 in 1993.
    Hours { close: if date.year() <= 1992 { clock(14, 0) } else { clock(13, 0) }, ..REGULAR }
}

/// Whether the exchange closes early beside a holiday. On Fridays that are themselves holidays there is no
/// session to shorten.
fn is_holiday_eve(date: NaiveDate) -> bool {
    let year = date.year();
    match (date.month(), date.day()) {
        // Around Independence Day since 1995. When it is a Thursday, the day after was shortened at first;
        // from 2013 on the day before, as always otherwise.
        (7, 3) => year >= 2013 || (year >= 1995 && date.weekday() != Weekday::Wed),
        (7, 5) => (1995..2013).contains(&year) && date.weekday() == Weekday::Fri,
        (11, _) => year >= 1992 && date.pred_opt().is_some_and(is_thanksgiving),
        // Before 1990 lies outside the coverage.
        (12, 24) => true,
        _ => false,
    }
}

/// A time of day written in the source.
const fn clock(hour: u32, minute: u32) -> NaiveTime {
    match NaiveTime::from_hms_opt(hour, minute, 0) {
        Some(time) => time,
        None => panic!("not a time"),
    }
}
