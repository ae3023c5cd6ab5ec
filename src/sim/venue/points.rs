//! Fills outside bars: market orders at the instant of their decision (`close`, `quote`), and the session's
//! close with its auction and the end of day orders.

use super::{GroupFill, SimVenue};
use crate::market::{Bar, Nanos, SymbolId};
use crate::sim::FillRule;
use crate::sim::orders::{
    Happening, NO_ORDER, Outcome, QTY_EPSILON, Stage, apply_change, cancel_by_owner, end_order, parent_ended, reduce,
};
use crate::trading::{Instruments, OrderId, Portfolio, Side};

impl SimVenue {
    /// Fills the market orders of the rules `close` and `quote` that were decided at `step`, in order of
    /// submission. A cancel that arrives at the same instant wins.
    pub(super) fn fill_immediate(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        let now = instruments.market.steps[step];
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            if !self.book(symbol).in_flight.is_empty() {
                let until = self.idle_until(symbol, step, instruments);
                self.apply_arrived(symbol, until, None);
                self.settle(symbol, 0, portfolio, instruments);
            }
        }
        for k in 0..self.immediate.len() {
            let (symbol, id) = self.immediate[k];
            let driver = instruments.driver(symbol);
            // Before the first bar of its symbol an order waits for that bar.
            let Some(i) = instruments.market.ended(driver, self.day, step).checked_sub(1) else { continue };
            self.apply_arrived(symbol, now, Some(id));
            if let Some(at) = self.book(symbol).live.iter().position(|o| o.id == id && o.stage != Stage::Done) {
                match self.immediate_price(symbol, i, self.book(symbol).live[at].side, now, instruments) {
                    Some(raw) => {
                        let order = &mut self.books[symbol.index()].live[at];
                        order.stage = Stage::Market;
                        self.settled.push(Outcome { time: now, id, what: Happening::Working });
                        self.fill_at_point(symbol, id, i, now, raw, portfolio, instruments);
                    }
                    None => {
                        end_order(&mut self.books[symbol.index()].live, at, now, "no quote", &mut self.settled);
                    }
                }
            }
            self.settle(symbol, i as u32, portfolio, instruments);
            self.books[symbol.index()].dirty = true;
        }
        self.immediate.clear();
        self.retire();
    }

    fn immediate_price(
        &self,
        symbol: SymbolId,
        i: usize,
        side: Side,
        now: Nanos,
        instruments: &Instruments<'_>,
    ) -> Option<f64> {
        if self.rules.fill == FillRule::Close || instruments.put(symbol).is_some() {
            return Some(instruments.old_close(symbol, i, now));
        }
        let series = &instruments.market.series[symbol.index()];
        let quotes = series.quotes.as_ref()?;
        let price = match side {
            Side::Buy => quotes.ask_close[i],
            Side::Sell => quotes.bid_close[i],
        } / instruments.split_ratio(symbol, series.start[i], now);
        if price.is_finite() { Some(price) } else { None }
    }

    /// Fills one order at `raw` at an instant, against the volume of bar `i`, which has ended.
    #[expect(clippy::too_many_arguments, reason = "an order, a bar, a price, and where fills go")]
    fn fill_at_point(
        &mut self,
        symbol: SymbolId,
        id: OrderId,
        i: usize,
        time: Nanos,
        raw: f64,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        // Everything in the shares of the day, also where a split lies between the bar and this instant.
        let driver = instruments.driver(symbol);
        let ratio = instruments.split_ratio(driver, instruments.market.series[driver.index()].start[i], time);
        let volume = instruments.bar(symbol, i, time, time).volume * ratio;
        let point = Bar { open: raw, high: raw, low: raw, close: raw, volume };
        let mut conditions = self.conditions(symbol, &point, i, time, time, instruments);
        conditions.spread = conditions.spread.map(|spread| spread / ratio);
        let Some(at) = self.book(symbol).live.iter().position(|o| o.id == id) else { return };
        if self.cash_account {
            self.cap_by_cash(symbol, at, raw, &conditions, portfolio, instruments);
        }
        let lane = &mut self.trial[0];
        let book = &mut self.books[symbol.index()];
        lane.load_point(&book.live, at, time, raw, conditions);
        lane.run();
        book.live.clear();
        book.live.extend_from_slice(&lane.orders);
        for order in &mut book.live {
            order.cash_cap = f64::INFINITY;
        }
        if lane.used > 0.0 {
            book.take_volume(i, lane.used);
        }
        self.settled.extend_from_slice(&lane.out);
        let group = lane.orders[at].oco;
        let qty = lane.used;
        self.settle(symbol, i as u32, portfolio, instruments);
        if self.has_links && group != NO_ORDER && qty > 0.0 {
            self.reduce_elsewhere(symbol, &GroupFill { group, qty, time }, portfolio, instruments);
        }
    }

    /// Takes a fill from the members of its group in other instruments.
    fn reduce_elsewhere(
        &mut self,
        filled: SymbolId,
        fill: &GroupFill,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            if symbol == filled || !self.book(symbol).linked {
                continue;
            }
            let live = &mut self.books[symbol.index()].live;
            for i in 0..live.len() {
                if live[i].oco == fill.group && live[i].stage != Stage::Done {
                    reduce(live, i, fill.qty, fill.time, &mut self.settled);
                }
            }
            self.settle(symbol, 0, portfolio, instruments);
            self.books[symbol.index()].dirty = true;
        }
    }

    /// Applies cancels and changes that have arrived by `time` outside a bar: of one order, or of all.
    pub(super) fn apply_arrived(&mut self, symbol: SymbolId, time: Nanos, only: Option<OrderId>) {
        let book = &mut self.books[symbol.index()];
        let (live, settled) = (&mut book.live, &mut self.settled);
        book.in_flight.retain(|flight| {
            if flight.arrival > time || only.is_some_and(|id| id != flight.id) {
                return true;
            }
            if let Some(i) = live.iter().position(|o| o.id == flight.id && o.stage != Stage::Done) {
                match &flight.change {
                    None => cancel_by_owner(live, i, flight.arrival, settled),
                    Some(change) => apply_change(live, i, change, flight.arrival, settled),
                }
            }
            false
        });
    }

    /// What belongs to the session's close, if `step` is at it: after the bars that end there and before what
    /// is decided there.
    pub(super) fn end_of_step(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        let day = instruments.market.days[self.day];
        let now = instruments.market.steps[step];
        if !self.auction_held && now == day.close {
            self.hold_auction(portfolio, instruments);
        }
        if !self.day_closed && now == day.end {
            self.expire(portfolio, instruments);
        }
    }

    /// The rest of a day whose last bar ends before its close: the close comes after everything decided at the
    /// last step. Where the data end before the close there is no such rest.
    pub(super) fn close_day(&mut self, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        if !self.auction_held {
            self.hold_auction(portfolio, instruments);
        }
        if !self.day_closed {
            self.expire(portfolio, instruments);
        }
    }

    /// The closing auction, at the last price of each instrument that traded in this session: market-on-close
    /// and limit-on-close orders that have arrived.
    pub(super) fn hold_auction(&mut self, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.auction_held = true;
        let day = instruments.market.days[self.day];
        let time = day.close;
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            self.apply_arrived(symbol, time, None);
            for order in &mut self.books[symbol.index()].live {
                if order.stage == Stage::Traveling && order.arrival <= time && order.is_for_close() {
                    order.stage = Stage::Resting;
                    self.settled.push(Outcome { time: order.arrival, id: order.id, what: Happening::Working });
                }
            }
            self.settle(symbol, 0, portfolio, instruments);
        }
        let last_step =
            day.first_step + instruments.market.steps[day.first_step..day.end_step].partition_point(|&t| t <= time);
        let Some(last_step) = last_step.checked_sub(1).filter(|&step| step >= day.first_step) else { return };
        while let Some((symbol, id)) = self.next_at_close(last_step, instruments) {
            let driver = instruments.driver(symbol);
            let i = instruments.market.ended(driver, self.day, last_step) - 1;
            let raw = instruments.close(symbol, i, instruments.market.steps[last_step]);
            let book = &mut self.books[symbol.index()];
            let Some(at) = book.live.iter().position(|o| o.id == id) else { break };
            let (side, limit) = (book.live[at].side, book.live[at].kind.limit());
            if limit.is_none_or(|limit| self.match_rules.marketable(side, raw, limit)) {
                self.fill_at_point(symbol, id, i, time, raw, portfolio, instruments);
            } else {
                end_order(&mut book.live, at, time, "not fillable", &mut self.settled);
                self.settle(symbol, i as u32, portfolio, instruments);
            }
            self.books[symbol.index()].dirty = true;
        }
        self.retire();
        self.reschedule(instruments);
    }

    /// The next order that the closing auction serves: by symbol, then arrival, then number; instruments with
    /// common groups together by arrival and number.
    fn next_at_close(&self, last_step: usize, instruments: &Instruments<'_>) -> Option<(SymbolId, OrderId)> {
        let time = instruments.market.days[self.day].close;
        let mut first = None;
        for &symbol in &self.active {
            let driver = instruments.driver(symbol);
            if instruments.market.ended(driver, self.day, last_step)
                <= instruments.market.day_range(driver, self.day).start
            {
                continue;
            }
            let book = self.book(symbol);
            let turn_of_symbol = if book.linked { SymbolId(u32::MAX) } else { symbol };
            for o in &book.live {
                let served =
                    o.is_for_close() && o.stage == Stage::Resting && o.arrival <= time && o.remaining() > QTY_EPSILON;
                let turn = (turn_of_symbol, o.arrival, o.id);
                if served && first.is_none_or(|(t, _)| turn < t) {
                    first = Some((turn, symbol));
                }
            }
        }
        first.map(|((_, _, id), symbol)| (symbol, id))
    }

    /// The end of day orders.
    fn expire(&mut self, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.day_closed = true;
        let time = instruments.market.days[self.day].end;
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            self.apply_arrived(symbol, time, None);
            let live = &mut self.books[symbol.index()].live;
            for i in 0..live.len() {
                if live[i].stage != Stage::Done && live[i].expires <= time {
                    live[i].stage = Stage::Done;
                    self.settled.push(Outcome { time, id: live[i].id, what: Happening::Expired });
                    parent_ended(live, i, time, &mut self.settled);
                }
            }
            self.settle(symbol, 0, portfolio, instruments);
        }
        self.retire();
    }
}
