//! The commonest case by far, without the machinery: one plain market order, nothing else in the book and no
//! volume cap.

use super::SimVenue;
use crate::market::{Bar, Nanos, SymbolId};
use crate::sim::Slippage;
use crate::sim::orders::{Happening, Outcome, Stage};
use crate::sim::path::{Path, nearer_is_low};
use crate::trading::{Instruments, OrderKind, TimeInForce};

impl SimVenue {
    /// Gives the same outcomes as the general path, bit for bit, which a test proves; `false` if the book is
    /// not of this kind.
    pub(super) fn try_lone_market_order(
        &mut self,
        symbol: SymbolId,
        bar: &Bar,
        i: usize,
        start: Nanos,
        end: Nanos,
        instruments: &Instruments<'_>,
    ) -> bool {
        let book = self.book(symbol);
        let [order] = book.live.as_slice() else { return false };
        let plain = order.kind == OrderKind::Market
            && matches!(order.stage, Stage::Traveling | Stage::Market)
            && matches!(order.tif, TimeInForce::Day | TimeInForce::Gtc)
            && order.active == order.total
            && book.in_flight.is_empty()
            && self.rules.participation == 0.0
            && !self.cash_account
            && !matches!(self.rules.slippage, Slippage::RuleBased(_))
            && !self.general_path_only;
        if !plain || (order.waits_for_open && order.arrival > start) || order.arrival >= end {
            return false;
        }
        let order = *order;
        let low_first = nearer_is_low(bar);
        let path = Path::new(bar, start, end, low_first);
        let position = if order.stage == Stage::Traveling { path.position(order.arrival) } else { 0.0 };
        let time = if order.stage == Stage::Traveling { order.arrival.max(start) } else { start };
        let other = Path::new(bar, start, end, !low_first);
        let raw = [path.price(position), other.price(position)];
        let qty = order.remaining();
        let sign = order.sign();
        let date = instruments.market.days[self.day].date;
        let mut price = [0.0; 2];
        let mut fee = [0.0; 2];
        let mut equity = [0.0; 2];
        for k in 0..2 {
            price[k] = self.match_rules.fill_price(&order, raw[k], qty, None, bar.volume);
            let notional = order.notional + qty * price[k];
            fee[k] = self.rules.commission.fee(order.side, order.filled + qty, notional, date) - order.fee;
            equity[k] = 0.0 + (sign * qty * (bar.close - price[k]) - fee[k]);
        }
        let differs = raw[0] != raw[1];
        let chosen = self.choose(differs, equity);
        if order.stage == Stage::Traveling {
            let what = Happening::Working;
            self.outcomes.push((symbol, i as u32, Outcome { time: order.arrival, id: order.id, what }));
        }
        let what =
            Happening::Fill { qty, raw: raw[chosen], price: price[chosen], commission: fee[chosen], complete: true };
        self.outcomes.push((symbol, i as u32, Outcome { time, id: order.id, what }));
        let pending = &mut self.books[symbol.index()].pending;
        pending.start(i, differs, equity);
        if differs {
            pending.ambiguous.push(order.id);
        }
        true
    }
}
