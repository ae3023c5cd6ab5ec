//! UTC nanosecond time and its text forms.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Timelike, Utc};
use chrono_tz::America::New_York;

/// UTC nanoseconds since 1970-01-01T00:00:00Z.
pub type Nanos = i64;
/// One millisecond in nanoseconds.
pub const MILLI: Nanos = 1_000_000;
/// One second in nanoseconds.
pub const SECOND: Nanos = 1_000_000_000;
/// One minute in nanoseconds.
pub const MINUTE: Nanos = 60 * SECOND;
/// One day of 24 hours in nanoseconds.
pub const DAY: Nanos = 86_400 * SECOND;

/// Day number of 1970-01-01 counted from the year 1.
const UNIX_EPOCH_DAYS: i32 = 719_163;

/// A text that is not a time or date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Not an RFC 3339 time.
    #[error("'{0}' is not a time; expected RFC 3339 such as 2024-03-26T13:30:00Z")]
    Time(String),
    /// Not a calendar date.
    #[error("'{0}' is not a date; expected YYYY-MM-DD")]
    Date(String),
}

/// RFC 3339 in UTC with nine decimals: `2024-03-26T13:30:00.000000000Z`.
pub fn format_time(t: Nanos) -> String {
    DateTime::<Utc>::from_timestamp_nanos(t).format("%Y-%m-%dT%H:%M:%S%.9fZ").to_string()
}

/// Reads an RFC 3339 time with offset, or a bare `YYYY-MM-DD` (midnight UTC).
pub fn parse_time(text: &str) -> Result<Nanos, TimeError> {
    let error = || TimeError::Time(text.to_string());
    if let Ok(t) = DateTime::parse_from_rfc3339(text) {
        return t.timestamp_nanos_opt().ok_or_else(error);
    }
    if let Ok(t) = DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f%#z") {
        return t.timestamp_nanos_opt().ok_or_else(error);
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| error())?;
    NaiveDateTime::from(date).and_utc().timestamp_nanos_opt().ok_or_else(error)
}

/// `YYYY-MM-DD`.
pub fn format_date(date: NaiveDate) -> String {
    date.format("%Y-%m-%d").to_string()
}

/// Reads `YYYY-MM-DD`.
pub fn parse_date(text: &str) -> Result<NaiveDate, TimeError> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").map_err(|_| TimeError::Date(text.to_string()))
}

/// The offset of New York wall time from UTC at `t` (negative: -5 h or -4 h).
pub fn new_york_offset(t: Nanos) -> Nanos {
    let utc = DateTime::<Utc>::from_timestamp_nanos(t).naive_utc();
    i64::from(New_York.offset_from_utc_datetime(&utc).fix().local_minus_utc()) * SECOND
}

/// The calendar date in New York at `t`.
pub fn new_york_date(t: Nanos) -> NaiveDate {
    DateTime::<Utc>::from_timestamp_nanos(t + new_york_offset(t)).date_naive()
}

/// The instant of a wall time of four o'clock or later in New York: clocks change at two, so that from then on
/// the offset of a date no longer changes. Earlier wall times of the two days of change are off by an hour.
pub(crate) fn new_york_time(date: NaiveDate, time: NaiveTime) -> Nanos {
    let midnight = i64::from(Datelike::num_days_from_ce(&date) - UNIX_EPOCH_DAYS) * DAY;
    let noon_utc = midnight + DAY / 2;
    midnight + i64::from(time.num_seconds_from_midnight()) * SECOND - new_york_offset(noon_utc)
}
