//! The NYSE calendar: sessions, holidays, special closures, early closes, daylight saving.
//!
//! Which days are sessions follows from rules (`closures`) plus the closures nobody could foresee; the hours
//! of a session (`hours`) are 9:30 to 16:00 in New York but for early closes and a few late opens. Both are
//! computed by date, so a look-up needs no table of sessions and no state.
//!
//! Dates after the exchange's last published schedule are a forecast by its present rules.

mod closures;
mod hours;

use super::Nanos;
use super::time::new_york_time;
use chrono::NaiveDate;

/// Part of every fingerprint: changes when a session or a time of it changes.
pub const CALENDAR_VERSION: &str = "xnys-1";

/// One exchange session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// New York date.
    pub date: NaiveDate,
    /// Start of regular trading (9:30 New York, or later on the few days of a late open).
    pub open: Nanos,
    /// End of regular trading (16:00 New York, or earlier on an early-close day).
    pub close: Nanos,
    /// Whether the session ends before its usual time.
    pub early_close: bool,
}

/// The exchange calendar. It has no state: copies are free and equal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Calendar;

impl Calendar {
    /// First date the calendar knows.
    pub const FIRST: NaiveDate = fixed_date(1990, 1, 1);
    /// Last date the calendar knows.
    pub const LAST: NaiveDate = fixed_date(2040, 12, 31);

    /// The calendar of the New York Stock Exchange.
    pub const fn nyse() -> Calendar {
        Calendar
    }

    /// Whether the calendar knows `date`: [`Calendar::FIRST`] to [`Calendar::LAST`], inclusive.
    pub fn is_covered(&self, date: NaiveDate) -> bool {
        (Calendar::FIRST..=Calendar::LAST).contains(&date)
    }

    /// The session of a New York date; `None` on weekends, holidays and closures, and outside the coverage.
    pub fn session(&self, date: NaiveDate) -> Option<Session> {
        if !self.is_covered(date) || closures::is_closed(date) {
            return None;
        }
        let hours = hours::of(date);
        Some(Session {
            date,
            open: new_york_time(date, hours.open),
            close: new_york_time(date, hours.close),
            early_close: hours.close < hours::REGULAR.close,
        })
    }

    /// Sessions from `from` to `to`, both included. Dates outside the coverage have no sessions: who must not
    /// miss any asks [`Calendar::is_covered`] for both ends first.
    pub fn sessions(&self, from: NaiveDate, to: NaiveDate) -> Vec<Session> {
        let (from, to) = (from.max(Calendar::FIRST), to.min(Calendar::LAST));
        from.iter_days().take_while(|&date| date <= to).filter_map(|date| self.session(date)).collect()
    }

    /// The first session after `date`; `None` when it lies beyond the coverage.
    pub fn next_session_after(&self, date: NaiveDate) -> Option<Session> {
        let start = date.succ_opt()?.max(Calendar::FIRST);
        start.iter_days().take_while(|&date| date <= Calendar::LAST).find_map(|date| self.session(date))
    }
}

/// A date written in the source; an impossible one does not compile when used in a constant.
const fn fixed_date(year: i32, month: u32, day: u32) -> NaiveDate {
    match NaiveDate::from_ymd_opt(year, month, day) {
        Some(date) => date,
        None => panic!("not a date"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{format_time, parse_date};
    use super::*;

    fn date(text: &str) -> NaiveDate {
        parse_date(text).unwrap()
    }

    /// Open and close in UTC to the minute, or "closed".
    fn utc(text: &str) -> String {
        match Calendar::nyse().session(date(text)) {
            Some(s) => format!("{} {}", &format_time(s.open)[11..16], &format_time(s.close)[11..16]),
            None => "closed".to_string(),
        }
    }

    #[test]
    fn new_year_on_saturday_is_not_observed() {
        assert_eq!(utc("1999-12-31"), "14:30 18:00");
        assert_eq!(utc("2010-12-31"), "14:30 21:00");
        assert_eq!(utc("2021-12-31"), "14:30 21:00");
        assert_eq!(utc("2023-01-02"), "closed", "a Sunday New Year moves to Monday");
    }

    #[test]
    fn holidays_begin_in_their_year() {
        assert_ne!(utc("1997-01-20"), "closed");
        assert_eq!(utc("1998-01-19"), "closed");
        assert_ne!(utc("2021-06-18"), "closed");
        assert_eq!(utc("2022-06-20"), "closed");
        assert_eq!(utc("2023-06-19"), "closed");
    }

    #[test]
    fn saturday_holidays_move_to_friday_and_sunday_holidays_to_monday() {
        for day in ["2020-07-03", "2021-07-05", "2021-12-24", "2022-12-26", "2027-06-18"] {
            assert_eq!(utc(day), "closed", "{day}");
        }
    }

    #[test]
    fn special_closures() {
        for day in ["1994-04-27", "2004-06-11", "2007-01-02", "2018-12-05", "2025-01-09"] {
            assert_eq!(utc(day), "closed", "{day}");
        }
        let september_2001 = Calendar::nyse().next_session_after(date("2001-09-10")).unwrap();
        assert_eq!(september_2001.date, date("2001-09-17"));
        let sandy = Calendar::nyse().next_session_after(date("2012-10-26")).unwrap();
        assert_eq!(sandy.date, date("2012-10-31"));
    }

    #[test]
    fn early_closes() {
        for (day, hours) in [
            ("1991-11-29", "14:30 21:00"), // not yet the custom
            ("1992-11-27", "14:30 19:00"), // 14:00 in New York
            ("1993-11-26", "14:30 18:00"),
            ("1992-12-24", "14:30 19:00"),
            ("2024-12-24", "14:30 18:00"),
            ("1996-07-05", "13:30 17:00"), // the Friday after a Thursday 4 July, until 2013
            ("1996-07-03", "13:30 20:00"),
            ("2013-07-03", "13:30 17:00"), // since then the Wednesday before
            ("2013-07-05", "13:30 20:00"),
            ("2003-12-26", "14:30 18:00"),
            ("2008-12-26", "14:30 21:00"),
        ] {
            assert_eq!(utc(day), hours, "{day}");
            let session = Calendar::nyse().session(date(day)).unwrap();
            assert_eq!(session.early_close, !(hours.ends_with("21:00") || hours.ends_with("20:00")), "{day}");
        }
    }

    #[test]
    fn late_opens_and_unforeseen_early_closes() {
        assert_eq!(utc("2002-09-11"), "16:00 20:00");
        assert_eq!(utc("1996-01-08"), "16:00 19:00");
        assert_eq!(utc("1997-10-27"), "14:30 20:30");
    }

    #[test]
    fn daylight_saving_changes_over_the_weekend() {
        assert_eq!((utc("2024-03-08").as_str(), utc("2024-03-11").as_str()), ("14:30 21:00", "13:30 20:00"));
        assert_eq!((utc("2024-11-01").as_str(), utc("2024-11-04").as_str()), ("13:30 20:00", "14:30 21:00"));
        // Until 2006 summer time began in April and ended in October.
        assert_eq!((utc("2006-03-31").as_str(), utc("2006-04-03").as_str()), ("14:30 21:00", "13:30 20:00"));
        assert_eq!((utc("2006-10-27").as_str(), utc("2006-10-30").as_str()), ("13:30 20:00", "14:30 21:00"));
    }

    #[test]
    fn ranges_are_inclusive_and_end_with_the_coverage() {
        let calendar = Calendar::nyse();
        let week = calendar.sessions(date("2024-03-25"), date("2024-03-28"));
        assert_eq!(week.len(), 4);
        assert_eq!(calendar.sessions(date("2024-03-29"), date("2024-03-31")), vec![], "Good Friday");
        assert_eq!(calendar.sessions(date("2024-03-28"), date("2024-03-25")), vec![]);
        assert!(!calendar.is_covered(date("1989-12-31")) && calendar.is_covered(date("1990-01-01")));
        assert_eq!(calendar.session(date("1989-12-29")), None);
        assert_eq!(calendar.next_session_after(date("1980-01-01")).unwrap().date, date("1990-01-02"));
        assert_eq!(calendar.next_session_after(Calendar::LAST), None);
    }
}
