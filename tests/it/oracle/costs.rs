//! Commission and slippage.

use super::case::{CaseBar, Commission, Slippage};
use tradebot::trading::Side;

/// Commission of an order of which `qty` shares for `notional` dollars are filled so far.
pub fn commission(model: Commission, qty: f64, notional: f64) -> f64 {
    match model {
        Commission::None => 0.0,
        Commission::Bps(rate) => rate / 10_000.0 * notional,
        Commission::PerShare { rate, min, max_pct } => (rate * qty).max(min).min(max_pct / 100.0 * notional),
        Commission::PerOrder(fee) => fee,
    }
}

/// The price of a market fill of `qty` shares in `bar` that would have been at `price`.
pub fn slipped(model: Slippage, side: Side, price: f64, qty: f64, bar: &CaseBar) -> f64 {
    let percent = match model {
        Slippage::None => return price,
        Slippage::FixedPct(percent) => percent,
        Slippage::RuleBased { k } => {
            let spread = bar.quotes.map_or(price / 10_000.0, |q| q.ask_close - q.bid_close);
            let volume = bar.prices.volume;
            let impact = if volume > 0.0 { price * k * (qty / volume).sqrt() } else { 0.0 };
            100.0 * (spread / 2.0 + impact) / price
        }
    };
    price * (1.0 + side.sign() * percent / 100.0)
}
