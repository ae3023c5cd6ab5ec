//! Under what rules and limits a run takes place, and how it can end.

use crate::risk::Limits;
use crate::sim::SimRules;
use chrono::NaiveDate;

/// Everything that decides the result of a run, beside the market and the strategies.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// Dollars at the start.
    pub cash: f64,
    pub rules: SimRules,
    pub limits: Limits,
}

/// A run that was stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// A limit that closes every position.
pub(super) struct Limit {
    /// Reason of the closing orders.
    pub reason: &'static str,
    because: &'static str,
}

/// DAILY_LOSS_LIMIT.
pub(super) const LOSS_LIMIT: Limit =
    Limit { reason: "daily loss limit", because: "equity fell to it; no entries until the next session" };

/// The maintenance margin.
pub(super) const MARGIN_CALL: Limit =
    Limit { reason: "margin call", because: "equity no longer covered the maintenance margin" };

impl Limit {
    /// The sentence for the summary.
    pub fn warning(&self, date: NaiveDate) -> String {
        format!("{} in the session of {date}: positions closed, since {}", self.reason, self.because)
    }
}
