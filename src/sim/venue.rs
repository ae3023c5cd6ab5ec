//! The simulated venue: the orders it knows, when something can happen to them, and what happens.

use super::matching::{
    BarConditions, Happening, InFlight, LiveOrder, MatchRules, NO_ORDER, Outcome, QTY_EPSILON, QuoteTest, Scratch,
    Stage, apply_change, cancel_by_owner, drop_held, end_order, marketable, match_bar,
};
use super::path::{Path, nearer_is_low};
use super::random::symbol_key;
use super::{FillRule, SimRules, Slippage};
use crate::market::{Bar, Market, Nanos, SymbolId};
use crate::risk::{Approved, Venue};
use crate::trading::{
    Execution, Instruments, Order, OrderChange, OrderId, OrderKind, OrderState, Portfolio, Side, TimeInForce,
};

/// Nothing can happen to the orders of an instrument within the day.
const NO_STEP: usize = usize::MAX;

/// The orders of one instrument.
#[derive(Debug, Clone, Default)]
struct Book {
    /// In order of id.
    live: Vec<LiveOrder>,
    in_flight: Vec<InFlight>,
    /// The next step of the day at which something can happen.
    next: usize,
    /// Bar in which volume was taken last, and how much.
    volume_bar: usize,
    volume_used: f64,
    /// Key of the random draws of the driving symbol.
    draw_key: u64,
    /// Orders came or went since `next` was found.
    dirty: bool,
    /// The state after the bar that is being tried, with the volume it took.
    pending: Vec<LiveOrder>,
    pending_used: f64,
    pending_bar: usize,
    /// Orders that the other order of extremes would have filled differently, and by how many dollars.
    ambiguous: Vec<OrderId>,
    difference: f64,
}

/// The simulated venue of one run.
#[derive(Debug)]
pub struct SimVenue<'m> {
    market: &'m Market,
    rules: SimRules,
    match_rules: MatchRules,
    cash_account: bool,
    /// Do without [`SimVenue::try_lone_market_order`]: for the test that it changes nothing.
    pub(crate) general_path_only: bool,
    books: Vec<Book>,
    /// Instruments with orders or cancels, ascending.
    active: Vec<SymbolId>,
    day: usize,
    /// Last step whose bars the venue has seen; `None` before the first of the day.
    step: Option<usize>,
    /// Market orders that fill at the instant of their decision.
    immediate: Vec<(SymbolId, OrderId)>,
    /// Sum of the absolute differences between the two orders of extremes, dollars.
    ambiguity_pnl: f64,
    outcomes: Vec<(SymbolId, u32, Outcome)>,
    trial: [Variant; 2],
    scratch: Scratch,
    settled: Vec<Outcome>,
    reductions: Vec<String>,
}

/// One order of extremes, tried out.
#[derive(Debug, Default)]
struct Variant {
    orders: Vec<LiveOrder>,
    out: Vec<Outcome>,
    used: f64,
}

impl<'m> SimVenue<'m> {
    /// A venue for the instruments of a market.
    pub fn new(market: &'m Market, rules: SimRules, cash_account: bool) -> SimVenue<'m> {
        let match_rules = MatchRules {
            commission: rules.commission,
            slippage: rules.slippage,
            penetrate: rules.limit_penetrate,
            fractional: rules.fractional,
        };
        let mut venue = SimVenue {
            market,
            rules,
            match_rules,
            cash_account,
            general_path_only: false,
            books: Vec::new(),
            active: Vec::new(),
            day: 0,
            step: None,
            immediate: Vec::new(),
            ambiguity_pnl: 0.0,
            outcomes: Vec::new(),
            trial: Default::default(),
            scratch: Scratch::default(),
            settled: Vec::new(),
            reductions: Vec::new(),
        };
        for name in &market.symbols {
            let draw_key = symbol_key(venue.rules.seed, name);
            venue.books.push(Book { next: NO_STEP, volume_bar: usize::MAX, draw_key, ..Book::default() });
        }
        venue
    }

    /// Sum of the absolute differences in equity between the two orders of extremes, each for its bar alone.
    pub fn ambiguity_pnl(&self) -> f64 {
        self.ambiguity_pnl
    }

    /// Sentences about orders that the venue had to reduce for want of cash.
    pub fn take_reductions(&mut self) -> Vec<String> {
        std::mem::take(&mut self.reductions)
    }

    /// Whether there are sentences to take.
    pub fn has_reductions(&self) -> bool {
        !self.reductions.is_empty()
    }

    /// Whether a market order decided now fills now.
    pub fn has_immediate(&self) -> bool {
        !self.immediate.is_empty()
    }

    /// A new trading day begins.
    pub fn start_day(&mut self, day: usize, instruments: &Instruments<'_>) {
        self.day = day;
        self.step = None;
        for k in 0..self.active.len() {
            self.schedule(self.active[k], instruments);
        }
    }

    /// The next step of the day at which something can happen, if any.
    #[inline]
    pub fn next_step(&self) -> Option<usize> {
        let next = self.active.iter().map(|s| self.books[s.index()].next).min()?;
        if next == NO_STEP { None } else { Some(next) }
    }

    /// Fills and state changes of the bars that end at `step`.
    pub fn process(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.step = Some(step);
        self.outcomes.clear();
        if self.active.is_empty() {
            return;
        }
        let mut touched = false;
        loop {
            self.outcomes.clear();
            let mut symbols = 0;
            for k in 0..self.active.len() {
                let symbol = self.active[k];
                if self.books[symbol.index()].next == step {
                    touched = true;
                    symbols += 1;
                    self.try_bar(symbol, step, instruments);
                }
            }
            if symbols > 1 {
                // Stable: events of one symbol keep their order.
                self.outcomes.sort_by_key(|(symbol, _, outcome)| (outcome.time, *symbol));
            }
            if !self.cash_account || !self.limit_by_cash(portfolio) {
                break;
            }
        }
        if !touched {
            return;
        }
        self.commit(portfolio, instruments);
        for &symbol in &self.active {
            let book = &mut self.books[symbol.index()];
            if book.next == step {
                for id in book.ambiguous.drain(..) {
                    portfolio.mark_ambiguous(id);
                }
            }
        }
        for k in (0..self.active.len()).rev() {
            let symbol = self.active[k];
            if self.books[symbol.index()].next == step {
                self.adopt(symbol, step);
                self.schedule(symbol, instruments);
            }
        }
        self.retire();
    }

    /// Tries the bar of `symbol` that ends at `step` under the rule's order of extremes and the other, and
    /// lists what happens. The book itself is not changed.
    fn try_bar(&mut self, symbol: SymbolId, step: usize, instruments: &Instruments<'_>) {
        let driver = instruments.driver(symbol);
        let Some(i) = self.market.bar_at(driver, self.day, step) else { return };
        let series = &self.market.series[driver.index()];
        let (start, end) = (series.start[i], self.market.steps[step]);
        let bar = instruments.bar(symbol, i, start, end);
        if self.try_lone_market_order(symbol, &bar, i, start, end) {
            return;
        }
        let conditions = self.conditions(symbol, &bar, i, start, end, true);
        let book = &self.books[symbol.index()];
        let flights = book.in_flight.partition_point(|f| f.arrival < end);
        let low_first = nearer_is_low(&bar);
        let mut equity = [0.0; 2];
        for (k, variant) in self.trial.iter_mut().enumerate() {
            variant.orders.clear();
            variant.orders.extend_from_slice(&book.live);
            variant.out.clear();
            let path = Path::new(&bar, start, end, low_first == (k == 0));
            let conditions = BarConditions { path, ..conditions };
            variant.used = match_bar(
                &mut variant.orders,
                &book.in_flight[..flights],
                &conditions,
                &self.match_rules,
                &mut self.scratch,
                &mut variant.out,
            );
            equity[k] = value_at_close(&variant.out, &variant.orders, bar.close);
        }
        let differs = fills_differ(&self.trial[0].out, &self.trial[1].out);
        let chosen = self.choose(differs, equity);
        self.outcomes.extend(self.trial[chosen].out.iter().map(|o| (symbol, i as u32, *o)));
        let used = self.trial[chosen].used;
        let book = &mut self.books[symbol.index()];
        book_after_trial(book, i, differs, equity);
        book.pending.extend_from_slice(&self.trial[chosen].orders);
        book.pending_used = used;
        if differs {
            mark_different(&self.trial[0].out, &self.trial[1].out, &mut book.ambiguous);
        }
    }

    /// The commonest case by far, without the machinery: one plain market order, nothing else in the book and
    /// no volume cap. Gives the same outcomes as [`match_bar`], which a test proves.
    fn try_lone_market_order(&mut self, symbol: SymbolId, bar: &Bar, i: usize, start: Nanos, end: Nanos) -> bool {
        let book = &self.books[symbol.index()];
        let [order] = book.live.as_slice() else { return false };
        let plain = order.kind == OrderKind::Market
            && matches!(order.stage, Stage::Traveling | Stage::Market)
            && matches!(order.tif, TimeInForce::Day | TimeInForce::Gtc)
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
        let time = path.time(position);
        let other = Path::new(bar, start, end, !low_first);
        let raw = [path.price(position), other.price(position)];
        let qty = order.remaining();
        let sign = order.side.sign();
        let date = self.market.days[self.day].date;
        let mut price = [0.0; 2];
        let mut fee = [0.0; 2];
        let mut equity = [0.0; 2];
        for k in 0..2 {
            price[k] = self.rules.slippage.price(raw[k], sign, order.slip_pct, qty, None, bar.volume);
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
        let book = &mut self.books[symbol.index()];
        book_after_trial(book, i, differs, equity);
        if differs {
            book.ambiguous.push(order.id);
        }
        true
    }

    /// Which order of extremes the fill rule takes: 0, the one of the rule `path`, or 1, the other.
    fn choose(&self, differs: bool, equity: [f64; 2]) -> usize {
        let gain = equity[1] - equity[0];
        let take_other = match self.rules.fill {
            FillRule::Pessimistic => gain < -1e-6,
            FillRule::Optimistic => gain > 1e-6,
            _ => false,
        };
        usize::from(differs && take_other)
    }

    fn conditions(
        &self,
        symbol: SymbolId,
        bar: &Bar,
        i: usize,
        start: Nanos,
        end: Nanos,
        is_stock: bool,
    ) -> BarConditions {
        let day = &self.market.days[self.day];
        let book = &self.books[symbol.index()];
        let used = if book.volume_bar == i { book.volume_used } else { 0.0 };
        let capacity = if self.rules.participation > 0.0 {
            (self.rules.participation * bar.volume - used).max(0.0)
        } else {
            f64::INFINITY
        };
        let quotes = self.market.series.get(symbol.index()).and_then(|s| s.quotes.as_ref()).filter(|_| is_stock);
        let range_start = self.market.series.get(symbol.index()).map(|_| self.market.day_range(symbol, self.day).start);
        let opens_session = match range_start {
            Some(first) => {
                let series = &self.market.series[symbol.index()];
                let opens = start >= day.open && (i == first || series.start[i - 1] < day.open);
                opens.then_some(day.open)
            }
            None => None,
        };
        BarConditions {
            path: Path::new(bar, start, end, true),
            volume: bar.volume,
            capacity,
            spread: quotes.map(|q| q.ask_close[i] - q.bid_close[i]).filter(|s| s.is_finite()),
            opens_session,
            is_point: start == end,
            date: day.date,
            quote: match self.rules.fill {
                FillRule::Quote => quotes.map(|q| {
                    let b = q.bar(i);
                    QuoteTest {
                        bid_low: b.bid_low,
                        bid_high: b.bid_high,
                        bid_close: b.bid_close,
                        ask_low: b.ask_low,
                        ask_high: b.ask_high,
                        ask_close: b.ask_close,
                    }
                }),
                _ => None,
            },
        }
    }

    /// In a cash account: finds the first fill that cash or shares do not allow, and caps it. Returns whether
    /// there was one, in which case the bars have to be tried again.
    fn limit_by_cash(&mut self, portfolio: &Portfolio) -> bool {
        let mut cash = portfolio.account.cash;
        let mut held: Vec<(SymbolId, f64)> = Vec::new();
        for (symbol, _, outcome) in &self.outcomes {
            let Happening::Fill { qty, price, commission, .. } = outcome.what else { continue };
            let book = &mut self.books[symbol.index()];
            let Some(order) = book.live.iter_mut().find(|o| o.id == outcome.id) else { continue };
            let slot = match held.iter().position(|(s, _)| s == symbol) {
                Some(at) => at,
                None => {
                    held.push((*symbol, portfolio.account.position(*symbol)));
                    held.len() - 1
                }
            };
            let allowed = match order.side {
                Side::Buy if qty * price + commission > cash + 1e-9 => {
                    affordable(&self.match_rules, order, price, cash, self.market.days[self.day].date)
                }
                Side::Sell if qty > held[slot].1 + QTY_EPSILON => held[slot].1.max(0.0),
                _ => {
                    cash -= order.side.sign() * qty * price + commission;
                    held[slot].1 += order.side.sign() * qty;
                    continue;
                }
            };
            order.cash_cap = allowed;
            self.reductions.push(format!(
                "cash account: an order for {qty} {} was reduced to {allowed} shares, which is what cash or shares \
                 allowed",
                self.market.symbols.get(symbol.index()).map_or("puts", |s| s.as_str())
            ));
            return true;
        }
        false
    }

    /// Books everything that was listed.
    fn commit(&mut self, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        for (_, bar, outcome) in &self.outcomes {
            book_outcome(portfolio, instruments, outcome, *bar);
        }
    }

    /// Makes the tried state of a book its real one.
    fn adopt(&mut self, symbol: SymbolId, step: usize) {
        let end = self.market.steps[step];
        let book = &mut self.books[symbol.index()];
        std::mem::swap(&mut book.live, &mut book.pending);
        book.live.retain(|o| o.stage != Stage::Done);
        for order in &mut book.live {
            order.cash_cap = f64::INFINITY;
        }
        let flights = book.in_flight.partition_point(|f| f.arrival < end);
        book.in_flight.drain(..flights);
        if book.pending_used > 0.0 {
            book.take_volume(book.pending_bar, book.pending_used);
        }
        self.ambiguity_pnl += book.difference;
        book.difference = 0.0;
    }

    /// Drops instruments without orders from the active list.
    fn retire(&mut self) {
        let books = &self.books;
        self.active.retain(|s| {
            let book = &books[s.index()];
            !(book.live.is_empty() && book.in_flight.is_empty())
        });
    }

    /// Finds the next step of the day at which something can happen to the orders of an instrument.
    fn schedule(&mut self, symbol: SymbolId, instruments: &Instruments<'_>) {
        let driver = instruments.driver(symbol);
        let market = self.market;
        let day = &market.days[self.day];
        let range = market.day_range(driver, self.day);
        let from = match self.step {
            Some(step) => market.ended(driver, self.day, step),
            None => range.start,
        };
        let book = &self.books[symbol.index()];
        let mut next = range.end;
        let (mut low_trigger, mut high_trigger) = (f64::NEG_INFINITY, f64::INFINITY);
        let is_put = instruments.put(symbol).is_some();
        let starts = &market.series[driver.index()].start[..range.end];
        let ends_after = |i: usize, t: Nanos| {
            let end = starts[i] + market.bar_length;
            (if starts[i] < day.close { end.min(day.close) } else { end }) > t
        };
        // Nearly always the next bar, so it is looked at first.
        let first_end_after = |t: Nanos| {
            if from >= range.end || ends_after(from, t) {
                return from;
            }
            (from + 1..range.end).find(|&i| ends_after(i, t)).unwrap_or(range.end)
        };
        for order in &book.live {
            match (order.stage, order.kind) {
                (Stage::Held | Stage::Done, _) => {}
                (Stage::Traveling, _) => next = next.min(first_end_after(order.arrival)),
                _ if order.remaining() <= QTY_EPSILON => {}
                (Stage::Market, _) | (_, OrderKind::TrailingStop { .. }) => next = next.min(from),
                (Stage::Resting, OrderKind::MarketOnOpen) => next = next.min(from),
                (Stage::Resting, OrderKind::MarketOnClose) => {}
                (_, OrderKind::Limit { .. }) if order.tif == TimeInForce::Cls => {}
                (_, OrderKind::Limit { .. }) if order.tif == TimeInForce::Opg => next = next.min(from),
                _ if is_put => next = next.min(from),
                (Stage::Limit, OrderKind::StopLimit { limit, .. }) | (_, OrderKind::Limit { limit }) => {
                    match order.side {
                        Side::Buy => low_trigger = low_trigger.max(limit),
                        Side::Sell => high_trigger = high_trigger.min(limit),
                    }
                }
                (_, OrderKind::Stop { stop } | OrderKind::StopLimit { stop, .. }) => match order.side {
                    Side::Buy => high_trigger = high_trigger.min(stop),
                    Side::Sell => low_trigger = low_trigger.max(stop),
                },
                _ => {}
            }
        }
        if let Some(flight) = book.in_flight.first() {
            next = next.min(first_end_after(flight.arrival));
        }
        if low_trigger > f64::NEG_INFINITY || high_trigger < f64::INFINITY {
            let series = &market.series[driver.index()];
            let (low, high) = (&series.low[from..next], &series.high[from..next]);
            let met = low.iter().zip(high).position(|(&l, &h)| l <= low_trigger || h >= high_trigger);
            next = met.map_or(next, |k| from + k);
        }
        let step = if next >= range.end || next < from { NO_STEP } else { market.step_of_bar(driver, self.day, next) };
        self.books[symbol.index()].next = step;
    }

    /// Fills the market orders of the rules `close` and `quote` that were decided at `step`.
    pub fn fill_immediate(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        let now = self.market.steps[step];
        let date = self.market.days[self.day].date;
        for (symbol, id) in std::mem::take(&mut self.immediate) {
            let driver = instruments.driver(symbol);
            let Some(i) = self.market.ended(driver, self.day, step).checked_sub(1) else { continue };
            let Some(at) = self.books[symbol.index()].live.iter().position(|o| o.id == id) else { continue };
            let side = self.books[symbol.index()].live[at].side;
            let raw = match self.immediate_price(symbol, i, side, now, instruments) {
                Some(price) => price,
                None => {
                    self.settled.clear();
                    end_order(&mut self.books[symbol.index()].live, at, now, "no quote", &mut self.settled);
                    self.settle(symbol, i as u32, portfolio, instruments);
                    continue;
                }
            };
            let bar = instruments.bar(symbol, i, now, now);
            // The path is a single point: the order fills there, and its children come into the market there.
            let point = Bar { open: raw, high: raw, low: raw, close: raw, volume: bar.volume };
            let mut conditions = self.conditions(symbol, &point, i, now, now, instruments.put(symbol).is_none());
            conditions.opens_session = None;
            conditions.quote = None;
            conditions.date = date;
            if self.cash_account {
                let order = &mut self.books[symbol.index()].live[at];
                let held = portfolio.account.position(symbol).max(0.0);
                let price = self.match_rules.slippage.price(
                    raw,
                    side.sign(),
                    order.slip_pct,
                    order.remaining(),
                    conditions.spread,
                    bar.volume,
                );
                let allowed = match side {
                    Side::Buy => affordable(&self.match_rules, order, price, portfolio.account.cash, date),
                    Side::Sell => held,
                };
                if allowed < order.remaining() {
                    order.cash_cap = allowed;
                    self.reductions.push(format!(
                        "cash account: an order for {} {} was reduced to {allowed} shares, which is what cash or \
                         shares allowed",
                        order.remaining(),
                        instruments.name(symbol)
                    ));
                }
            }
            // Only this order and its children take part; the others wait for their own bar.
            let mut part: Vec<LiveOrder> = Vec::new();
            let mut rest: Vec<LiveOrder> = Vec::new();
            for order in self.books[symbol.index()].live.drain(..) {
                let group = order.id == id || order.parent == id.0;
                if group { part.push(order) } else { rest.push(order) }
            }
            for order in &mut part {
                if order.id == id {
                    order.stage = Stage::Market;
                    order.arrival = now;
                    order.waits_for_open = false;
                }
            }
            self.settled.clear();
            self.settled.push(Outcome { time: now, id, what: Happening::Working });
            let used = match_bar(&mut part, &[], &conditions, &self.match_rules, &mut self.scratch, &mut self.settled);
            part.retain(|o| o.stage != Stage::Done);
            rest.append(&mut part);
            rest.sort_by_key(|o| o.id);
            let book = &mut self.books[symbol.index()];
            book.live = rest;
            if used > 0.0 {
                book.take_volume(i, used);
            }
            self.settle(symbol, i as u32, portfolio, instruments);
            self.schedule(symbol, instruments);
        }
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
            return Some(instruments.close(symbol, i, now));
        }
        let quotes = self.market.series[symbol.index()].quotes.as_ref()?;
        let price = match side {
            Side::Buy => quotes.ask_close[i],
            Side::Sell => quotes.bid_close[i],
        };
        if price.is_finite() { Some(price) } else { None }
    }

    /// Books what was listed in `settled`.
    fn settle(&mut self, _symbol: SymbolId, bar: u32, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        for outcome in &self.settled {
            book_outcome(portfolio, instruments, outcome, bar);
        }
    }

    /// The step at which the day's closing auction takes place: the last one not after the close.
    fn close_step(&self) -> usize {
        let day = &self.market.days[self.day];
        let ended = self.market.steps[day.first_step..day.end_step].partition_point(|&t| t <= day.close);
        day.first_step + ended.max(1) - 1
    }

    /// The closing auction and the end of day orders, after the last bar of the day. With extended hours the
    /// auction is at the session's close, before the later bars.
    pub fn end_of_step(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        let day = self.market.days[self.day];
        let is_last = step + 1 == day.end_step;
        if !is_last && (!self.market.extended_hours || step != self.close_step()) {
            return;
        }
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            let driver = instruments.driver(symbol);
            let last_bar = self.market.ended(driver, self.day, step).saturating_sub(1) as u32;
            self.settled.clear();
            if is_last {
                self.arrivals_after_last_bar(symbol, day.end);
            }
            if step == self.close_step() {
                self.closing_auction(symbol, step, instruments);
            }
            if is_last {
                let live = &mut self.books[symbol.index()].live;
                for i in 0..live.len() {
                    if live[i].stage != Stage::Done && live[i].expires <= day.end {
                        live[i].stage = Stage::Done;
                        self.settled.push(Outcome { time: day.end, id: live[i].id, what: Happening::Expired });
                        drop_held(live, i, day.end, &mut self.settled);
                    }
                }
            }
            self.books[symbol.index()].live.retain(|o| o.stage != Stage::Done);
            self.settle(symbol, last_bar, portfolio, instruments);
        }
        self.retire();
    }

    /// Orders, cancels and changes that arrive after the last bar of their symbol but before the day's end.
    fn arrivals_after_last_bar(&mut self, symbol: SymbolId, end: Nanos) {
        let book = &mut self.books[symbol.index()];
        let flights = book.in_flight.partition_point(|f| f.arrival <= end);
        for order in &mut book.live {
            if order.stage == Stage::Traveling && order.arrival <= end && order.kind == OrderKind::MarketOnClose {
                order.stage = Stage::Resting;
                self.settled.push(Outcome { time: order.arrival, id: order.id, what: Happening::Working });
            }
        }
        for flight in book.in_flight.drain(..flights) {
            if let Some(i) = book.live.iter().position(|o| o.id == flight.id && o.stage != Stage::Done) {
                match flight.change {
                    None => cancel_by_owner(&mut book.live, i, flight.arrival, &mut self.settled),
                    Some(change) => apply_change(&mut book.live, i, &change, flight.arrival, &mut self.settled),
                }
            }
        }
    }

    /// Market-on-close and limit-on-close orders of an instrument that traded in this session.
    fn closing_auction(&mut self, symbol: SymbolId, step: usize, instruments: &Instruments<'_>) {
        let driver = instruments.driver(symbol);
        let range = self.market.day_range(driver, self.day);
        let ended = self.market.ended(driver, self.day, step);
        if ended <= range.start {
            return;
        }
        let close = self.market.days[self.day].close.min(self.market.steps[step]).max(self.market.days[self.day].open);
        let time = self.market.days[self.day].close.max(close);
        let i = ended - 1;
        let raw = instruments.close(symbol, i, self.market.steps[step]);
        let bar = instruments.bar(symbol, i, time, time);
        let point = Bar { open: raw, high: raw, low: raw, close: raw, volume: bar.volume };
        let mut conditions = self.conditions(symbol, &point, i, time, time, instruments.put(symbol).is_none());
        conditions.opens_session = None;
        conditions.quote = None;
        let book = &mut self.books[symbol.index()];
        let mut selected: Vec<(OrderId, Stage)> = Vec::new();
        for order in &mut book.live {
            let at_close = order.kind == OrderKind::MarketOnClose || order.tif == TimeInForce::Cls;
            let arrived = order.arrival <= time && matches!(order.stage, Stage::Resting);
            if at_close && arrived {
                let fillable =
                    order.kind.limit().is_none_or(|limit| marketable(order.side == Side::Buy, raw, limit, false));
                selected.push((order.id, if fillable { Stage::Market } else { Stage::Done }));
            }
        }
        for (id, stage) in selected {
            let Some(at) = book.live.iter().position(|o| o.id == id) else { continue };
            if stage == Stage::Done {
                end_order(&mut book.live, at, time, "not fillable", &mut self.settled);
                continue;
            }
            let held_back: Vec<(usize, Stage)> = book
                .live
                .iter()
                .enumerate()
                .filter(|(k, o)| *k != at && o.stage != Stage::Done && o.parent != id.0)
                .map(|(k, o)| (k, o.stage))
                .collect();
            for (k, _) in &held_back {
                book.live[*k].stage = Stage::Held;
            }
            let limit_order = book.live[at].kind.limit().is_some();
            if limit_order {
                book.live[at].tif = TimeInForce::Ioc;
            } else {
                book.live[at].stage = Stage::Market;
            }
            let used =
                match_bar(&mut book.live, &[], &conditions, &self.match_rules, &mut self.scratch, &mut self.settled);
            conditions.capacity -= used;
            if used > 0.0 {
                book.take_volume(i, used);
            }
            for (k, stage) in held_back {
                if book.live[k].stage == Stage::Held {
                    book.live[k].stage = stage;
                }
            }
            if let Some(k) = book.live.iter().position(|o| o.id == id && o.stage != Stage::Done) {
                end_order(&mut book.live, k, time, "volume cap", &mut self.settled);
            }
        }
    }

    /// Cancels every order of an instrument at once, without latency: a split, or the end of the data.
    pub fn cancel_all(
        &mut self,
        symbol: SymbolId,
        time: Nanos,
        reason: &'static str,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        self.settled.clear();
        let book = &mut self.books[symbol.index()];
        for order in book.live.drain(..) {
            self.settled.push(Outcome { time, id: order.id, what: Happening::Canceled(reason) });
        }
        book.in_flight.clear();
        self.settle(symbol, 0, portfolio, instruments);
        self.retire();
    }

    /// Instruments with orders, ascending.
    pub fn active(&self) -> &[SymbolId] {
        &self.active
    }

    /// Ids of the open orders of an instrument.
    pub fn open_orders(&self, symbol: SymbolId) -> impl Iterator<Item = OrderId> + '_ {
        self.books[symbol.index()].live.iter().map(|o| o.id)
    }

    /// Tells the venue that everything decided at a step has been submitted: finds out when something can
    /// happen next to the orders of the instruments concerned.
    pub fn reschedule(&mut self, instruments: &Instruments<'_>) {
        for k in 0..self.active.len() {
            let symbol = self.active[k];
            if self.books[symbol.index()].dirty {
                self.books[symbol.index()].dirty = false;
                self.schedule(symbol, instruments);
            }
        }
    }

    fn activate(&mut self, symbol: SymbolId) {
        if let Err(at) = self.active.binary_search(&symbol) {
            self.active.insert(at, symbol);
        }
        self.books[symbol.index()].dirty = true;
    }

    fn expiry(&self, order: &Order) -> Nanos {
        if order.request.tif != TimeInForce::Day
            || order.request.kind == OrderKind::MarketOnClose
            || order.request.kind == OrderKind::MarketOnOpen
        {
            return Nanos::MAX;
        }
        let today = self.market.days[self.day].end;
        if order.decided < today { today } else { self.market.days.get(self.day + 1).map_or(Nanos::MAX, |d| d.end) }
    }
}

impl Book {
    fn take_volume(&mut self, bar: usize, qty: f64) {
        if self.volume_bar != bar {
            self.volume_bar = bar;
            self.volume_used = 0.0;
        }
        self.volume_used += qty;
    }
}

impl Venue for SimVenue<'_> {
    fn grow(&mut self, instruments: usize, driver: &dyn Fn(SymbolId) -> SymbolId) {
        // The draws of a put are those of its underlying.
        for id in self.books.len()..instruments {
            let draw_key = self.books[driver(SymbolId(id as u32)).index()].draw_key;
            self.books.push(Book { next: NO_STEP, volume_bar: usize::MAX, draw_key, ..Book::default() });
        }
    }

    fn submit(&mut self, approved: Approved<Order>) {
        let order = approved.into_inner();
        let request = order.request;
        let kind = match (request.kind, request.tif) {
            (OrderKind::Market, TimeInForce::Opg) => OrderKind::MarketOnOpen,
            (OrderKind::Market, TimeInForce::Cls) => OrderKind::MarketOnClose,
            (kind, _) => kind,
        };
        let is_market = kind == OrderKind::Market;
        let slips = kind.limit().is_none() || matches!(kind, OrderKind::StopLimit { .. });
        let key = self.books[request.symbol.index()].draw_key;
        let slip_pct = if slips { self.rules.slippage.draw(key, order.symbol_number) } else { 0.0 };
        let no_latency = is_market && self.rules.fill.ignores_latency();
        let child = request.parent.is_some();
        let live = LiveOrder {
            id: order.id,
            side: request.side,
            kind,
            tif: request.tif,
            stage: if child { Stage::Held } else { Stage::Traveling },
            arrival: order.decided + if no_latency { 0 } else { self.rules.latency },
            waits_for_open: is_market && self.rules.fill == FillRule::NextOpen,
            expires: self.expiry(&order),
            total: request.qty,
            active: if child { 0.0 } else { request.qty },
            filled: 0.0,
            oco: request.oco.or(request.parent.map(|p| PARENT_GROUP | p.0)).unwrap_or(NO_ORDER),
            parent: request.parent.map_or(NO_ORDER, |p| p.0),
            best: f64::NAN,
            initial_stop: match kind {
                OrderKind::TrailingStop { stop: Some(stop), .. } => stop,
                _ => f64::NAN,
            },
            slip_pct,
            notional: 0.0,
            fee: 0.0,
            cash_cap: f64::INFINITY,
        };
        let book = &mut self.books[request.symbol.index()];
        book.live.push(live);
        if is_market && !child && self.rules.fill.is_immediate() {
            self.immediate.push((request.symbol, order.id));
        }
        self.activate(request.symbol);
    }

    fn cancel(&mut self, symbol: SymbolId, id: OrderId, decided: Nanos) {
        self.replace(symbol, id, None, decided);
    }

    fn replace(&mut self, symbol: SymbolId, id: OrderId, change: Option<OrderChange>, decided: Nanos) {
        let arrival = decided + self.rules.latency;
        self.books[symbol.index()].in_flight.push(InFlight { arrival, id, change });
        self.activate(symbol);
    }
}

/// What a book remembers of a trial until it is adopted.
fn book_after_trial(book: &mut Book, bar: usize, differs: bool, equity: [f64; 2]) {
    book.pending.clear();
    book.pending_used = 0.0;
    book.pending_bar = bar;
    book.difference = if differs { (equity[1] - equity[0]).abs() } else { 0.0 };
    book.ambiguous.clear();
}

/// Groups made of the children of one parent are told from labelled groups by this bit.
const PARENT_GROUP: u32 = 1 << 31;

/// The most shares that `cash` pays for, commission included.
fn affordable(rules: &MatchRules, order: &LiveOrder, price: f64, cash: f64, date: chrono::NaiveDate) -> f64 {
    let cost = |qty: f64| {
        let fee = rules.commission.fee(order.side, order.filled + qty, order.notional + qty * price, date);
        qty * price + fee - order.fee
    };
    let whole = |qty: f64| if rules.fractional { (qty * 1e6).floor() / 1e6 } else { qty.floor() };
    let mut qty = whole((cash / price).max(0.0).min(order.remaining()));
    for _ in 0..100 {
        let over = cost(qty) - cash;
        if qty <= 0.0 || over <= 1e-9 {
            break;
        }
        let step = (over / price).max(if rules.fractional { 1e-6 } else { 1.0 });
        qty = whole((qty - step).max(0.0));
    }
    if cost(qty) - cash <= 1e-9 { qty } else { 0.0 }
}

/// What the fills of a bar are worth at its close, dollars.
fn value_at_close(out: &[Outcome], orders: &[LiveOrder], close: f64) -> f64 {
    let mut value = 0.0;
    for outcome in out {
        if let Happening::Fill { qty, price, commission, .. } = outcome.what
            && let Some(order) = orders.iter().find(|o| o.id == outcome.id)
        {
            value += order.side.sign() * qty * (close - price) - commission;
        }
    }
    value
}

fn fill_of(outcome: &Outcome) -> Option<(OrderId, f64, f64)> {
    match outcome.what {
        Happening::Fill { qty, raw, .. } => Some((outcome.id, qty, raw)),
        _ => None,
    }
}

/// Whether two lists hold different fills; their instants do not matter.
fn fills_differ(a: &[Outcome], b: &[Outcome]) -> bool {
    let missing = |x: &[Outcome], y: &[Outcome]| {
        x.iter().filter_map(fill_of).any(|fill| !y.iter().filter_map(fill_of).any(|other| other == fill))
    };
    missing(a, b) || missing(b, a)
}

/// The orders whose fills differ between two lists.
fn mark_different(a: &[Outcome], b: &[Outcome], marked: &mut Vec<OrderId>) {
    for (x, y) in [(a, b), (b, a)] {
        for fill in x.iter().filter_map(fill_of) {
            if !y.iter().filter_map(fill_of).any(|other| other == fill) && !marked.contains(&fill.0) {
                marked.push(fill.0);
            }
        }
    }
}

/// Takes one happening into the portfolio.
fn book_outcome(portfolio: &mut Portfolio, instruments: &Instruments<'_>, outcome: &Outcome, bar: u32) {
    match outcome.what {
        Happening::Working => portfolio.change_state(outcome.id, outcome.time, OrderState::Working, ""),
        Happening::Canceled(reason) => {
            portfolio.change_state(outcome.id, outcome.time, OrderState::Canceled, reason);
        }
        Happening::Expired => {
            portfolio.change_state(outcome.id, outcome.time, OrderState::Expired, "end of session");
        }
        Happening::Changed(qty) => {
            if let Some(qty) = qty {
                portfolio.change_qty(outcome.id, qty);
            }
            let state = portfolio.order(outcome.id).state;
            portfolio.change_state(outcome.id, outcome.time, state, "changed");
        }
        Happening::Fill { qty, raw, price, commission, complete } => {
            let side = portfolio.order(outcome.id).order.request.side;
            let slippage = side.sign() * (price - raw) * qty;
            let execution = Execution { order: outcome.id, time: outcome.time, qty, price, commission, slippage, bar };
            portfolio.execute(execution, complete, instruments);
        }
    }
}
