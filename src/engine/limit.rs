//! Limits of the account that close every position, with the words for them.

use chrono::NaiveDate;

/// A limit that closes every position.
pub(crate) struct Limit {
    /// Reason of the closing orders.
    pub reason: &'static str,
    because: &'static str,
}

/// DAILY_LOSS_LIMIT.
pub(crate) const LOSS_LIMIT: Limit =
    Limit { reason: "daily loss limit", because: "equity fell to it; no entries until the next session" };

/// The maintenance margin.
pub(crate) const MARGIN_CALL: Limit =
    Limit { reason: "margin call", because: "equity no longer covered the maintenance margin" };

impl Limit {
    /// The sentence for the summary.
    pub fn warning(&self, date: NaiveDate) -> String {
        format!("{} in the session of {date}: positions closed, since {}", self.reason, self.because)
    }
}
