//! Under what rules and limits a run takes place, and how it can end.

use crate::risk::Limits;
use crate::sim::SimRules;

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
