//! Time stamps of data files: text, epoch numbers, wall clocks.

use crate::market::{DAY, Nanos, SECOND};
use chrono::{NaiveDate, TimeZone};

/// How the times of a file are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Clock {
    /// Instants: labelled UTC, with an offset, or epoch numbers.
    Utc,
    /// Wall clock without an offset: nanoseconds since 1970-01-01 on that clock.
    Wall,
    /// Dates: nanoseconds of their midnight as if UTC.
    Date,
}

/// The time in a text field and how to understand it, or `None`.
///
/// Accepted: RFC 3339 and the same with a blank for the `T`; without seconds; without an offset; a bare date;
/// epoch seconds, milliseconds, microseconds or nanoseconds by magnitude.
pub(super) fn parse_stamp(text: &[u8]) -> Option<(Nanos, Clock)> {
    let text = text.trim_ascii();
    if !text.is_empty() && text.iter().all(u8::is_ascii_digit) {
        let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        return number.checked_mul(epoch_unit(number)?).map(|t| (t, Clock::Utc));
    }
    let date = parse_date(text.get(..10)?)?;
    let midnight = midnight_of(date)?;
    let rest = &text[10..];
    if rest.is_empty() {
        return Some((midnight, Clock::Date));
    }
    if !matches!(rest[0], b'T' | b't' | b' ') {
        return None;
    }
    let rest = &rest[1..];
    let hour = two_digits(rest.get(..2)?)?;
    let minute = two_digits(rest.get(3..5)?)?;
    if rest[2] != b':' || hour > 23 || minute > 59 {
        return None;
    }
    let mut of_day = (hour * 60 + minute) * 60 * SECOND;
    let mut rest = &rest[5..];
    if rest.first() == Some(&b':') {
        let second = two_digits(rest.get(1..3)?)?;
        if second > 59 {
            return None;
        }
        of_day += second * SECOND;
        rest = &rest[3..];
        if rest.first() == Some(&b'.') {
            let digits = rest[1..].iter().take_while(|c| c.is_ascii_digit()).count();
            if digits == 0 || digits > 9 {
                return None;
            }
            let mut fraction = 0i64;
            for k in 0..9 {
                fraction = fraction * 10 + if k < digits { i64::from(rest[1 + k] - b'0') } else { 0 };
            }
            of_day += fraction;
            rest = &rest[1 + digits..];
        }
    }
    let wall = midnight.checked_add(of_day)?;
    match rest {
        [] => Some((wall, Clock::Wall)),
        b"Z" | b"z" | b" UTC" => Some((wall, Clock::Utc)),
        _ => wall.checked_sub(parse_offset(rest)?).map(|t| (t, Clock::Utc)),
    }
}

/// `+HH:MM`, `+HHMM` or `+HH` in nanoseconds.
fn parse_offset(text: &[u8]) -> Option<Nanos> {
    let sign = match text.first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = match text.len() {
        3 => (&text[1..3], &b"00"[..]),
        5 => (&text[1..3], &text[3..5]),
        6 if text[3] == b':' => (&text[1..3], &text[4..6]),
        _ => return None,
    };
    let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
    if hours > 23 || minutes > 59 { None } else { Some(sign * (hours * 3600 + minutes * 60) * SECOND) }
}

/// `YYYY-MM-DD`.
fn parse_date(text: &[u8]) -> Option<NaiveDate> {
    if text.len() != 10 || text[4] != b'-' || text[7] != b'-' {
        return None;
    }
    let year = two_digits(&text[..2])? * 100 + two_digits(&text[2..4])?;
    let (month, day) = (two_digits(&text[5..7])?, two_digits(&text[8..10])?);
    NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month as u32, day as u32)
}

/// Midnight of a date, as if UTC.
pub(super) fn midnight_of(date: NaiveDate) -> Option<Nanos> {
    date.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_nanos_opt()
}

/// The date of a midnight as [`midnight_of`] gives it.
pub(super) fn date_of(midnight: Nanos) -> NaiveDate {
    chrono::DateTime::from_timestamp_nanos(midnight).date_naive()
}

/// A time as messages and files show it: RFC 3339, with a fraction only where there is one.
pub(super) fn show(t: Nanos) -> String {
    let form = if t % SECOND == 0 { "%Y-%m-%dT%H:%M:%SZ" } else { "%Y-%m-%dT%H:%M:%S%.fZ" };
    chrono::DateTime::from_timestamp_nanos(t).format(form).to_string()
}

fn two_digits(text: &[u8]) -> Option<i64> {
    match text {
        [a, b] if a.is_ascii_digit() && b.is_ascii_digit() => Some(i64::from(a - b'0') * 10 + i64::from(b - b'0')),
        _ => None,
    }
}

/// Nanoseconds per unit of an epoch number by its magnitude, for times from 1973 to 5138; `None` for smaller
/// numbers, which are no time (dates written as 20240102 among them).
pub(super) fn epoch_unit(number: i64) -> Option<Nanos> {
    match number {
        100_000_000..100_000_000_000 => Some(SECOND),
        100_000_000_000..100_000_000_000_000 => Some(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => Some(1_000),
        100_000_000_000_000_000.. => Some(1),
        _ => None,
    }
}

/// Turns wall-clock times into instants. Offsets are looked up once an hour of the wall clock.
#[derive(Debug)]
pub(super) struct Localiser {
    zone: chrono_tz::Tz,
    hour: i64,
    offset: Option<Nanos>,
}

impl Localiser {
    pub(super) fn new(zone: chrono_tz::Tz) -> Localiser {
        Localiser { zone, hour: i64::MIN, offset: None }
    }

    /// The instant of a wall-clock time; the first of two in the hour that repeats when the clocks go back,
    /// `None` in the hour that is left out when they go forward.
    #[inline]
    pub(super) fn instant(&mut self, wall: Nanos) -> Option<Nanos> {
        let hour = wall.div_euclid(3600 * SECOND);
        if hour != self.hour {
            self.hour = hour;
            let time = chrono::DateTime::from_timestamp_nanos(wall).naive_utc();
            self.offset = self.zone.from_local_datetime(&time).earliest().map(|instant| {
                use chrono::Offset;
                i64::from(instant.offset().fix().local_minus_utc()) * SECOND
            });
        }
        self.offset.map(|offset| wall - offset)
    }
}

/// Whether a time is a midnight on its clock.
#[inline]
pub(super) fn is_midnight(t: Nanos) -> bool {
    t.rem_euclid(DAY) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::{format_time, parse_time};

    fn stamp(text: &str) -> Option<(Nanos, Clock)> {
        parse_stamp(text.as_bytes())
    }

    #[test]
    fn every_way_of_writing_an_instant_means_the_same() {
        let wanted = parse_time("2024-03-26T13:30:00Z").expect("a time");
        for text in [
            "2024-03-26T13:30:00Z",
            "2024-03-26 13:30:00Z",
            "2024-03-26T13:30Z",
            "2024-03-26T13:30:00.000000000Z",
            "2024-03-26 13:30:00+00:00",
            "2024-03-26 09:30:00-04:00",
            "2024-03-26T09:30:00-0400",
            "2024-03-26T15:30:00+02",
            " 2024-03-26 13:30:00 UTC ",
            "1711459800",
            "1711459800000",
            "1711459800000000",
            "1711459800000000000",
        ] {
            assert_eq!(stamp(text), Some((wanted, Clock::Utc)), "{text}");
        }
        assert_eq!(stamp("2024-03-26 13:30:00"), Some((wanted, Clock::Wall)));
        assert_eq!(stamp("2024-03-26T13:30"), Some((wanted, Clock::Wall)));
        assert_eq!(stamp("2024-03-26").map(|s| s.1), Some(Clock::Date));
        assert_eq!(stamp("2024-03-26T13:30:00.5Z").map(|s| s.0), Some(wanted + SECOND / 2));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "SPY",
            "2024-13-01",
            "2024-02-30",
            "20240326",
            "26/03/2024",
            "2024-03-26X",
            "2024-03-26 25:00:00",
            "2024-03-26 13:60:00",
            "2024-03-26 13:30:61",
            "2024-03-26 13:30:00+",
            "2024-03-26 13:30:00 EST",
            "12",
            "99999999999999999999",
            "2024-03-26 13:30:00.",
            "-1711459800",
        ] {
            assert_eq!(stamp(text), None, "{text}");
        }
    }

    #[test]
    fn wall_clocks_follow_daylight_saving() {
        let mut clock = Localiser::new(chrono_tz::America::New_York);
        let wall = |text: &str| stamp(text).expect("a time").0;
        let instant = |clock: &mut Localiser, text: &str| clock.instant(wall(text)).map(format_time);
        assert_eq!(instant(&mut clock, "2024-03-08 09:30:00").as_deref(), Some("2024-03-08T14:30:00.000000000Z"));
        assert_eq!(instant(&mut clock, "2024-03-11 09:30:00").as_deref(), Some("2024-03-11T13:30:00.000000000Z"));
        assert_eq!(instant(&mut clock, "2024-03-10 02:30:00"), None);
        assert_eq!(instant(&mut clock, "2024-11-03 01:30:00").as_deref(), Some("2024-11-03T05:30:00.000000000Z"));
    }
}
