//! Start of a strategy's daily window.

use super::time::new_york_offset;
use super::{DAY, MINUTE, Nanos, SECOND, Session};
use chrono::{NaiveTime, Timelike};

/// Offset of New York standard time from UTC.
const STANDARD_OFFSET: Nanos = -5 * 60 * MINUTE;

/// The instant at which a window given in UTC begins on the day of `session`.
///
/// With `dst_aware` the time means New York standard time: 14:30 is 9:30 in New York in winter and in summer,
/// so the instant is an hour earlier in UTC while daylight saving lasts. Without it the time is UTC to the
/// letter. Either way the time is one of the session's date in UTC; the instant may lie outside the session.
pub fn start_of_window(session: &Session, utc: NaiveTime, dst_aware: bool) -> Nanos {
    let midnight = session.open.div_euclid(DAY) * DAY;
    let literal = midnight + i64::from(utc.num_seconds_from_midnight()) * SECOND;
    // New York's wall clock shows `literal` in standard time, so wall = literal + STANDARD_OFFSET and the
    // instant is wall - actual offset. Clocks change in the small hours of a Sunday, so that on a session's
    // date the offset is the same at `literal` as at the instant an hour before it.
    if dst_aware { literal + STANDARD_OFFSET - new_york_offset(literal) } else { literal }
}

#[cfg(test)]
mod tests {
    use super::super::{Calendar, format_time, parse_date};
    use super::*;

    /// The start in UTC on a date, to the minute.
    fn start(date: &str, utc: &str, dst_aware: bool) -> String {
        let session = Calendar::nyse().session(parse_date(date).unwrap()).unwrap();
        let time = NaiveTime::parse_from_str(utc, "%H:%M").unwrap();
        format_time(start_of_window(&session, time, dst_aware))[..16].to_string()
    }

    #[test]
    fn an_aware_window_keeps_its_new_york_time() {
        // Friday before and Monday after the clocks go forward and back.
        assert_eq!(start("2024-03-08", "14:30", true), "2024-03-08T14:30");
        assert_eq!(start("2024-03-11", "14:30", true), "2024-03-11T13:30");
        assert_eq!(start("2024-11-01", "14:30", true), "2024-11-01T13:30");
        assert_eq!(start("2024-11-04", "14:30", true), "2024-11-04T14:30");
    }

    #[test]
    fn the_default_open_window_starts_with_every_regular_session() {
        let calendar = Calendar::nyse();
        let open = NaiveTime::from_hms_opt(14, 30, 0).unwrap();
        for session in calendar.sessions(parse_date("2003-01-01").unwrap(), Calendar::LAST) {
            assert_eq!(start_of_window(&session, open, true), session.open, "{}", session.date);
        }
    }

    #[test]
    fn a_literal_window_keeps_its_utc_time() {
        for date in ["2024-03-08", "2024-03-11", "2024-11-01", "2024-11-04"] {
            assert_eq!(start(date, "15:30", false), format!("{date}T15:30"));
        }
    }

    #[test]
    fn the_summer_hour_may_cross_midnight() {
        assert_eq!(start("2024-07-01", "00:30", true), "2024-06-30T23:30");
        assert_eq!(start("2024-07-01", "00:30", false), "2024-07-01T00:30");
        assert_eq!(start("2024-12-02", "00:30", true), "2024-12-02T00:30");
        assert_eq!(start("2024-07-01", "23:59", true), "2024-07-01T22:59");
        // Monday after the change, an hour after midnight: already on the new offset.
        assert_eq!(start("2024-03-11", "01:00", true), "2024-03-11T00:00");
        assert_eq!(start("2024-11-04", "00:00", true), "2024-11-04T00:00");
    }
}
