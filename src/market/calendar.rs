//! The NYSE calendar: sessions, holidays, special closures, early closes, daylight saving.

use super::Nanos;
use chrono::NaiveDate;

/// Part of every fingerprint: changes when a session or a time of it changes.
pub const CALENDAR_VERSION: &str = "xnys-1";

/// One exchange session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Session {
    /// New York date.
    pub date: NaiveDate,
    /// Start of regular trading (9:30 New York).
    pub open: Nanos,
    /// End of regular trading (16:00 New York, or earlier on an early-close day).
    pub close: Nanos,
    /// Whether the session ends before its usual time.
    pub early_close: bool,
}

/// The exchange calendar.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calendar;
