//! The account by session and by month.

use crate::market::{Nanos, new_york_date, new_york_offset};
use chrono::{Datelike, NaiveDate};

/// One hour: the zone's offset never changes within one.
const HOUR: Nanos = 3_600_000_000_000;

/// New York dates of ascending times. The zone is asked once an hour of data, not once a row.
pub struct Dates {
    hour: Nanos,
    date: NaiveDate,
}

impl Dates {
    /// Knows no date yet.
    pub fn new() -> Dates {
        Dates { hour: Nanos::MIN, date: NaiveDate::MIN }
    }

    /// The New York date at `t`.
    pub fn at(&mut self, t: Nanos) -> NaiveDate {
        let hour = t.div_euclid(HOUR);
        if hour != self.hour {
            self.hour = hour;
            self.date = new_york_date(t);
        }
        self.date
    }
}

/// Equity at the last step of one session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SessionClose {
    pub date: NaiveDate,
    /// Time of the last step.
    pub time: Nanos,
    pub equity: f64,
    /// Return against the session before, or the starting capital; `None` after a loss of everything.
    pub change: Option<f64>,
}

/// The last step of every New York date.
pub fn session_closes(time: &[Nanos], equity: &[f64], start_equity: f64) -> Vec<SessionClose> {
    let mut dates = Dates::new();
    let mut closes: Vec<SessionClose> = Vec::new();
    for (&time, &equity) in time.iter().zip(equity) {
        let date = dates.at(time);
        match closes.last_mut() {
            Some(last) if last.date == date => *last = SessionClose { date, time, equity, change: None },
            _ => closes.push(SessionClose { date, time, equity, change: None }),
        }
    }
    let mut before = start_equity;
    for close in &mut closes {
        close.change = change(before, close.equity);
        before = close.equity;
    }
    closes
}

fn change(before: f64, after: f64) -> Option<f64> {
    (before > 0.0).then(|| after / before - 1.0)
}

/// Returns of one calendar year by month.
#[derive(Debug, Clone, PartialEq)]
pub struct Year {
    pub year: i32,
    /// January first; `None` where the run has no session.
    pub months: [Option<f64>; 12],
    pub total: Option<f64>,
}

/// Returns by month and year, from the last session before each to its own last session.
pub fn years(closes: &[SessionClose], start_equity: f64) -> Vec<Year> {
    let mut years: Vec<Year> = Vec::new();
    let (mut month_base, mut year_base) = (start_equity, start_equity);
    for (i, close) in closes.iter().enumerate() {
        let next = closes.get(i + 1).map(|next| next.date);
        let (year, month) = (close.date.year(), close.date.month0() as usize);
        if years.last().is_none_or(|y| y.year != year) {
            years.push(Year { year, months: [None; 12], total: None });
        }
        let Some(row) = years.last_mut() else { continue };
        if next.is_none_or(|next| (next.year(), next.month0()) != (year, close.date.month0())) {
            row.months[month] = change(month_base, close.equity);
            month_base = close.equity;
        }
        if next.is_none_or(|next| next.year() != year) {
            row.total = change(year_base, close.equity);
            year_base = close.equity;
        }
    }
    years
}

/// Offsets of New York from UTC over a span of ascending times: (from, offset), both in seconds.
pub fn offsets(times: impl Iterator<Item = Nanos>) -> Vec<(i64, i64)> {
    const SECOND: Nanos = 1_000_000_000;
    let mut changes: Vec<(i64, i64)> = Vec::new();
    let mut hour = Nanos::MIN;
    for t in times {
        if t.div_euclid(HOUR) == hour {
            continue;
        }
        hour = t.div_euclid(HOUR);
        let offset = new_york_offset(t) / SECOND;
        if changes.last().is_none_or(|&(_, last)| last != offset) {
            changes.push((hour * 3600, offset));
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::parse_time;

    fn at(text: &str) -> Nanos {
        parse_time(text).unwrap()
    }

    #[test]
    fn sessions_end_at_their_last_step_and_start_from_the_capital() {
        let time = ["2024-03-08T14:31:00Z", "2024-03-08T21:00:00Z", "2024-03-11T13:31:00Z"].map(at);
        let closes = session_closes(&time, &[101.0, 110.0, 99.0], 100.0);
        assert_eq!(closes.len(), 2);
        assert_eq!(closes[0].equity, 110.0);
        assert!((closes[0].change.unwrap() - 0.10).abs() < 1e-12);
        assert!((closes[1].change.unwrap() + 0.10).abs() < 1e-12);
    }

    #[test]
    fn an_evening_in_utc_belongs_to_the_new_york_day() {
        let closes = session_closes(&[at("2024-03-08T23:59:00Z"), at("2024-03-09T00:30:00Z")], &[1.0, 2.0], 1.0);
        assert_eq!(closes.len(), 1);
        assert_eq!(closes[0].date, NaiveDate::from_ymd_opt(2024, 3, 8).unwrap());
    }

    #[test]
    fn months_chain_to_the_year() {
        let time = ["2024-01-31T21:00:00Z", "2024-02-29T21:00:00Z", "2025-01-02T21:00:00Z"].map(at);
        let closes = session_closes(&time, &[110.0, 99.0, 198.0], 100.0);
        let years = years(&closes, 100.0);
        assert_eq!(years.len(), 2);
        assert!((years[0].months[0].unwrap() - 0.10).abs() < 1e-12);
        assert!((years[0].months[1].unwrap() + 0.10).abs() < 1e-12);
        assert_eq!(years[0].months[2], None);
        assert!((years[0].total.unwrap() + 0.01).abs() < 1e-12);
        assert!((years[1].total.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn daylight_saving_changes_the_offset() {
        let times = ["2024-03-08T14:30:00Z", "2024-03-08T15:30:00Z", "2024-03-11T13:30:00Z"].map(at);
        let offsets = offsets(times.into_iter());
        assert_eq!(offsets.iter().map(|o| o.1).collect::<Vec<_>>(), [-5 * 3600, -4 * 3600]);
    }
}
