//! How the simulated venue fills and what it charges.

use super::{Commission, CostModelError, Slippage};
use crate::market::Nanos;
use std::fmt;
use std::str::FromStr;

/// Equities closer than this are equal, dollars.
const EQUAL_EQUITY: f64 = 1e-6;

/// Which path a bar takes and where market orders fill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FillRule {
    /// The extreme nearer to the open first.
    Path,
    /// The order of extremes that leaves less equity at the bar's close.
    Pessimistic,
    /// The order of extremes that leaves more equity at the bar's close.
    Optimistic,
    /// Market orders at the next bar's open.
    NextOpen,
    /// Market orders at the close of the bar just ended.
    Close,
    /// Market orders at the ask (buy) or bid (sell) of the bar just ended.
    Quote,
}

impl FillRule {
    const NAMES: [(FillRule, &'static str); 6] = [
        (FillRule::Path, "path"),
        (FillRule::Pessimistic, "pessimistic"),
        (FillRule::Optimistic, "optimistic"),
        (FillRule::NextOpen, "next_open"),
        (FillRule::Close, "close"),
        (FillRule::Quote, "quote"),
    ];

    /// Whether market orders ignore the latency by definition.
    pub fn ignores_latency(self) -> bool {
        matches!(self, FillRule::NextOpen | FillRule::Close | FillRule::Quote)
    }

    /// Whether the rule takes the other order of extremes than `path`, which leaves so many dollars more equity.
    pub fn takes_other(self, gain: f64) -> bool {
        match self {
            FillRule::Pessimistic => gain < -EQUAL_EQUITY,
            FillRule::Optimistic => gain > EQUAL_EQUITY,
            _ => false,
        }
    }

    /// Whether market orders fill at the instant of the decision.
    pub fn is_immediate(self) -> bool {
        matches!(self, FillRule::Close | FillRule::Quote)
    }
}

impl fmt::Display for FillRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = FillRule::NAMES.iter().find(|(rule, _)| rule == self).map_or("", |(_, name)| name);
        f.write_str(name)
    }
}

impl FromStr for FillRule {
    type Err = CostModelError;

    fn from_str(text: &str) -> Result<FillRule, CostModelError> {
        FillRule::NAMES.iter().find(|(_, name)| *name == text).map(|(rule, _)| *rule).ok_or_else(|| {
            CostModelError::new("fill rule", text, "path, pessimistic, optimistic, next_open, close or quote")
        })
    }
}

/// Everything that decides how orders fill.
#[derive(Debug, Clone, PartialEq)]
pub struct SimRules {
    pub fill: FillRule,
    /// From decision to arrival at the venue.
    pub latency: Nanos,
    pub commission: Commission,
    pub slippage: Slippage,
    /// Share of a bar's volume that all orders of a symbol may take together; 0: no cap.
    pub participation: f64,
    /// Whether a limit must be passed, not only met.
    pub limit_penetrate: bool,
    /// Whether quantities may be fractions of a share.
    pub fractional: bool,
    /// Seed of the random draws.
    pub seed: u64,
}

impl Default for SimRules {
    /// The path of a bar, without latency, costs or a volume cap.
    fn default() -> SimRules {
        SimRules {
            fill: FillRule::Path,
            latency: 0,
            commission: Commission::None,
            slippage: Slippage::None,
            participation: 0.0,
            limit_penetrate: false,
            fractional: true,
            seed: 1,
        }
    }
}
