//! When a window begins and ends in a session.

use crate::market::{Nanos, Session, start_of_window};
use chrono::NaiveTime;

/// Start and lengths of a window, the same in every session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Schedule {
    /// START_TIME_*, as written.
    pub start: NaiveTime,
    /// START_TIMES_DST_AWARE: whether `start` means New York standard time plus five hours.
    pub dst_aware: bool,
    pub analysis: Nanos,
    pub breakout: Nanos,
    pub monitoring: Nanos,
}

impl Schedule {
    /// The window in a session. It stands by the clock: what lies outside the session has no bars.
    pub fn window(&self, session: &Session) -> Window {
        let start = start_of_window(session, self.start, self.dst_aware);
        let analysis_end = start + self.analysis;
        let entry_end = analysis_end + self.breakout;
        Window { start, analysis_end, entry_end, end: entry_end + self.monitoring }
    }
}

/// A window on one date: `start..analysis_end` is watched, entries are decided in
/// `analysis_end < t <= entry_end`, and `end` is where what is left is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: Nanos,
    pub analysis_end: Nanos,
    pub entry_end: Nanos,
    pub end: Nanos,
}

impl Window {
    /// What of it lies before `close`.
    pub fn cut(self, close: Nanos) -> Window {
        Window {
            start: self.start.min(close),
            analysis_end: self.analysis_end.min(close),
            entry_end: self.entry_end.min(close),
            end: self.end.min(close),
        }
    }

    /// Whether entries may be decided at `now`, in a session that closes at `close`.
    pub fn takes_entries(&self, now: Nanos, close: Nanos) -> bool {
        now > self.analysis_end && now <= self.entry_end && now < close
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_decided_after_the_analysis_and_before_the_close() {
        let window = Window { start: 0, analysis_end: 20, entry_end: 30, end: 60 };
        let close = 1_000;
        assert!(!window.takes_entries(20, close), "the bar that ends the analysis belongs to it");
        assert!(window.takes_entries(21, close) && window.takes_entries(30, close));
        assert!(!window.takes_entries(31, close));
        assert!(!window.takes_entries(25, 25), "an order of the close would belong to the next session");
    }
}
