//! Trailing stops: where they are met, and how they follow prices.

use super::orders::LiveOrder;
use super::path::Path;
use crate::market::QuoteBar;
use crate::trading::{Side, Trail};

/// Under the rule `quote`, once a bar: the price of the fill if the stop is met in the bar, the worse of the stop
/// and the side's close. A buy is tested against the ask's high, a sell against the bid's low.
pub(super) fn fill_by_quote(quote: &QuoteBar, o: &LiveOrder, trail: Trail) -> Option<f64> {
    let stop = stop_of(o, trail, o.best);
    match o.side {
        Side::Buy => (quote.ask_high >= stop).then(|| stop.max(quote.ask_close)),
        Side::Sell => (quote.bid_low <= stop).then(|| stop.min(quote.bid_close)),
    }
}

/// Under the rule `quote`: the best price after a bar in which the stop was not met.
pub(super) fn best_by_quote(quote: &QuoteBar, o: &LiveOrder) -> f64 {
    match o.side {
        Side::Buy => o.best.min(quote.ask_low),
        Side::Sell => o.best.max(quote.bid_high),
    }
}

/// The stop that belongs to a best price.
fn stop_of(o: &LiveOrder, trail: Trail, best: f64) -> f64 {
    let moved = match trail {
        Trail::Amount(amount) => best + o.sign() * amount,
        Trail::Percent(percent) => best * (1.0 + o.sign() * percent / 100.0),
    };
    if o.initial_stop.is_nan() {
        moved
    } else if o.side == Side::Buy {
        moved.min(o.initial_stop)
    } else {
        moved.max(o.initial_stop)
    }
}

/// Position and price at which a trailing stop that follows the path from `from` on, where the price is
/// `price`, is met.
pub(super) fn met_on_path(o: &LiveOrder, trail: Trail, path: &Path, from: f64, price: f64) -> Option<(f64, f64)> {
    let sell = o.side == Side::Sell;
    let met = |price: f64, stop: f64| if sell { price <= stop } else { price >= stop };
    if met(price, stop_of(o, trail, o.best)) {
        return Some((from, price));
    }
    let mut best = better(o, o.best, price);
    for leg in (from as usize).min(3)..3 {
        let end = path.prices[leg + 1];
        let stop = stop_of(o, trail, best);
        if met(end, stop) {
            return Some((path.position_of(leg, stop).max(from), stop));
        }
        best = better(o, best, end);
    }
    None
}

/// The best price after the rest of the path, from the order's entry on.
pub(super) fn best_after(o: &LiveOrder, path: &Path) -> f64 {
    let from = path.position(o.entered);
    let start = if from == 0.0 { better(o, o.best, path.prices[0]) } else { o.best };
    let legs = (from as usize).min(3)..3;
    legs.fold(start, |best, leg| better(o, best, path.prices[leg + 1]))
}

fn better(o: &LiveOrder, a: f64, b: f64) -> f64 {
    match o.side {
        Side::Sell => a.max(b),
        Side::Buy => a.min(b),
    }
}
