//! What a cash account allows: no purchase beyond its cash, no sale beyond its shares.

use super::SimVenue;
use crate::market::SymbolId;
use crate::sim::matching::{BarConditions, MatchRules};
use crate::sim::orders::{Happening, LiveOrder, QTY_EPSILON};
use crate::trading::{Instruments, Portfolio, Side};
use chrono::NaiveDate;

impl SimVenue {
    /// Finds the first listed fill that cash or shares do not allow, and caps its order. Returns whether there
    /// was one, in which case the bars have to be tried again.
    pub(super) fn limit_by_cash(&mut self, portfolio: &Portfolio, instruments: &Instruments<'_>) -> bool {
        let mut cash = portfolio.account.cash;
        let mut held = std::mem::take(&mut self.held);
        held.clear();
        let capped = self.first_beyond_cash(&mut cash, &mut held, portfolio, instruments);
        self.held = held;
        capped
    }

    /// `held`: positions by symbol, as far as the listed fills so far have changed them.
    fn first_beyond_cash(
        &mut self,
        cash: &mut f64,
        held: &mut Vec<(SymbolId, f64)>,
        portfolio: &Portfolio,
        instruments: &Instruments<'_>,
    ) -> bool {
        let date = instruments.market.days[self.day].date;
        for k in 0..self.outcomes.len() {
            let (symbol, bar, outcome) = self.outcomes[k];
            let Happening::Fill { qty, raw, price, commission, .. } = outcome.what else { continue };
            let Some(at) = self.book(symbol).live.iter().position(|o| o.id == outcome.id) else { continue };
            let slot = match held.iter().position(|(s, _)| *s == symbol) {
                Some(slot) => slot,
                None => {
                    held.push((symbol, portfolio.account.position(symbol)));
                    held.len() - 1
                }
            };
            let order = self.book(symbol).live[at];
            let allowed = match order.side {
                Side::Buy if qty * price + commission > *cash => {
                    let series = instruments.market.series.get(symbol.index());
                    let volume = series.map_or(f64::INFINITY, |s| s.volume[bar as usize]);
                    let quotes = series.and_then(|s| s.quotes.as_ref());
                    let spread = quotes.and_then(|quotes| quotes.spread(bar as usize));
                    let cost = |qty: f64| {
                        let price = self.match_rules.fill_price(&order, raw, qty, spread, volume);
                        self.cost(&order, qty, price, date)
                    };
                    affordable(&self.match_rules, qty, *cash, cost)
                }
                Side::Sell if qty > held[slot].1 + QTY_EPSILON => held[slot].1.max(0.0),
                side => {
                    *cash -= side.sign() * qty * price + commission;
                    held[slot].1 += side.sign() * qty;
                    continue;
                }
            };
            self.books[symbol.index()].live[at].cash_cap = allowed;
            self.note_reduction(symbol, order.side, qty, allowed, instruments);
            return true;
        }
        false
    }

    /// Caps an order that is about to fill outside a bar.
    pub(super) fn cap_by_cash(
        &mut self,
        symbol: SymbolId,
        at: usize,
        raw: f64,
        conditions: &BarConditions,
        portfolio: &Portfolio,
        instruments: &Instruments<'_>,
    ) {
        let order = self.book(symbol).live[at];
        let qty = order.remaining();
        let allowed = match order.side {
            Side::Buy => affordable(&self.match_rules, qty, portfolio.account.cash, |qty| {
                let price = self.match_rules.fill_price(&order, raw, qty, conditions.spread, conditions.volume);
                self.cost(&order, qty, price, conditions.date)
            }),
            Side::Sell => portfolio.account.position(symbol).max(0.0),
        };
        if allowed < qty - QTY_EPSILON {
            self.books[symbol.index()].live[at].cash_cap = allowed;
            self.note_reduction(symbol, order.side, qty, allowed, instruments);
        }
    }

    /// Dollars that leave the account with a purchase of `qty` more shares, computed as the fill computes it.
    fn cost(&self, order: &LiveOrder, qty: f64, price: f64, date: NaiveDate) -> f64 {
        let notional = order.notional + qty * price;
        qty * price + (self.rules.commission.fee(order.side, order.filled + qty, notional, date) - order.fee)
    }

    fn note_reduction(&mut self, symbol: SymbolId, side: Side, qty: f64, allowed: f64, instruments: &Instruments<'_>) {
        let limit = if side == Side::Buy { "cash allowed" } else { "the account held" };
        self.reductions.push(format!(
            "cash account: a {} of {qty} {} was reduced to {allowed} shares, which is what {limit}",
            side.name(),
            instruments.name(symbol)
        ));
    }
}

/// The most shares, up to `wanted`, that cost no more than `cash`: whole ones unless fractions are allowed,
/// then millionths. `cost` grows with the quantity.
fn affordable(rules: &MatchRules, wanted: f64, cash: f64, cost: impl Fn(f64) -> f64) -> f64 {
    if cost(wanted) <= cash {
        return wanted;
    }
    let units = if rules.fractional { 1e6 } else { 1.0 };
    // The first is affordable, the second is not.
    let (mut low, mut high) = (0u64, (wanted * units).ceil() as u64);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if cost(middle as f64 / units) <= cash { low = middle } else { high = middle }
    }
    low as f64 / units
}
