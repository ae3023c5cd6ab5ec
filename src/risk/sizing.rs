//! How many shares a trade gets.

use crate::trading::PositionSize;

/// Fractions of a share are counted in billionths, as brokers take them.
const FRACTIONS: f64 = 1e9;

/// Shares that an amount of dollars buys at a price: floored to whole shares, or to billionths of a share if fractions
/// are allowed. Not finite or not positive input gives 0.
pub fn whole_shares(dollars: f64, price: f64, fractional: bool) -> f64 {
    let qty = dollars / price;
    if !qty.is_finite() || qty <= 0.0 {
        0.0
    } else if fractional {
        (qty * FRACTIONS).floor() / FRACTIONS
    } else {
        // A quotient that rounding left just below a whole number is that number.
        (qty + 1e-9).floor()
    }
}

/// The position that a size asks for on a side (+1 long, 0 flat, -1 short, or flat when short positions are not
/// wanted), signed shares. By weight: the share of `equity` at the price `close`, in dollars.
pub fn signed_shares(size: &PositionSize, side: i8, equity: f64, close: f64) -> f64 {
    let side = if size.long_short { side } else { side.max(0) };
    let shares = match (side, size.shares) {
        (0, _) => 0.0,
        (_, Some(shares)) => shares,
        (_, None) => whole_shares(size.weight * equity, close, size.fractional),
    };
    f64::from(side) * shares
}

/// Sizing of the strategies `open`, `mid` and `close`: trade k of a session (from 0, in order of trigger)
/// gets `min(weights[k] x total_allocation, max_risk_per_trade)` of equity at the session's start.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizing {
    /// Share of equity for one strategy and session.
    pub total_allocation: f64,
    /// Share of the allocation for each trade; unused entries are not redistributed.
    pub weights: Vec<f64>,
    /// Most of equity that one trade may take.
    pub max_risk_per_trade: f64,
    /// Trades a strategy may open in a session.
    pub max_trades: usize,
}

impl Sizing {
    /// Dollars for trade `k` of a session; `None` when no further trade is allowed.
    pub fn dollars(&self, k: usize, session_start_equity: f64) -> Option<f64> {
        if k >= self.max_trades {
            return None;
        }
        let share = (self.weights.get(k)? * self.total_allocation).min(self.max_risk_per_trade);
        Some(share * session_start_equity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trades_get_their_weights_in_order_of_trigger() {
        let sizing = Sizing {
            total_allocation: 0.02,
            weights: vec![0.4, 0.2, 0.2, 0.2],
            max_risk_per_trade: 0.005,
            max_trades: 3,
        };
        // 0.4 x 0.02 = 0.008 is capped at 0.005; 0.2 x 0.02 = 0.004.
        assert_eq!(sizing.dollars(0, 100_000.0), Some(500.0));
        assert_eq!(sizing.dollars(1, 100_000.0), Some(400.0));
        assert_eq!(sizing.dollars(2, 100_000.0), Some(400.0));
        assert_eq!(sizing.dollars(3, 100_000.0), None);
    }

    #[test]
    fn shares_are_floored_unless_fractions_are_allowed() {
        assert_eq!(whole_shares(1_000.0, 30.0, false), 33.0);
        assert_eq!(whole_shares(1_000.0, 40.0, true), 25.0);
        assert_eq!(whole_shares(10.0, 40.0, true), 0.25);
        assert_eq!(whole_shares(1_000.0, 3.0, true), 333.333_333_333, "billionths of a share");
        assert_eq!(whole_shares(0.3, 0.1, false), 3.0);
        assert_eq!(whole_shares(1_000.0, 0.0, true), 0.0);
        assert_eq!(whole_shares(f64::NAN, 10.0, true), 0.0);
    }
}
