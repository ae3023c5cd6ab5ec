//! What happens to the orders of one instrument within one bar.
//!
//! [`match_bar`] is a pure function of (orders, bar, path): it changes the orders it is given and lists what
//! happened, in order of path time. The venue runs it on copies, once for each order of the bar's extremes,
//! and commits one of the two.

use super::Commission;
use super::path::Path;
use super::slippage::Slippage;
use crate::market::Nanos;
use crate::trading::{OrderId, OrderKind, Side, TimeInForce, Trail};
use chrono::NaiveDate;

/// Below this, a quantity is what rounding left of zero.
pub(super) const QTY_EPSILON: f64 = 1e-9;

/// No group, no parent.
pub(super) const NO_ORDER: u32 = u32::MAX;

/// Where an order is in its life at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// A child whose parent has not filled.
    Held,
    /// On its way.
    Traveling,
    /// In the market under its own type.
    Resting,
    /// A market order, or what is left of one, or a stop that was triggered.
    Market,
    /// A stop-limit that was triggered.
    Limit,
    Done,
}

/// An order as the venue knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LiveOrder {
    pub id: OrderId,
    pub side: Side,
    pub kind: OrderKind,
    pub tif: TimeInForce,
    pub stage: Stage,
    pub arrival: Nanos,
    /// A market order under `next_open` waits for a bar that starts at or after its decision.
    pub waits_for_open: bool,
    /// End of its session for a day order.
    pub expires: Nanos,
    /// Shares wanted in all.
    pub total: f64,
    /// Shares in the market: less than `total` for a child whose parent is not filled.
    pub active: f64,
    pub filled: f64,
    pub oco: u32,
    pub parent: u32,
    /// Best price seen by a trailing stop; NaN before it is in the market.
    pub best: f64,
    /// Stop of a trailing stop given by its owner, until the path moves it; NaN: none.
    pub initial_stop: f64,
    /// Slippage in percent, drawn once.
    pub slip_pct: f64,
    /// Dollars filled so far.
    pub notional: f64,
    /// Commission charged so far.
    pub fee: f64,
    /// Most shares that cash allows in this bar.
    pub cash_cap: f64,
}

impl LiveOrder {
    pub fn remaining(&self) -> f64 {
        self.active - self.filled
    }

    fn sign(&self) -> f64 {
        self.side.sign()
    }
}

/// A cancel or change on its way to the venue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct InFlight {
    pub arrival: Nanos,
    pub id: OrderId,
    /// `None`: cancel.
    pub change: Option<crate::trading::OrderChange>,
}

/// What a bar offers.
#[derive(Debug, Clone, Copy)]
pub(super) struct BarConditions {
    pub path: Path,
    pub volume: f64,
    /// Shares that may still be taken; infinite without a cap.
    pub capacity: f64,
    /// Ask - bid at the close, where quotes exist.
    pub spread: Option<f64>,
    /// The official open, when this is the first bar at or after it.
    pub opens_session: Option<Nanos>,
    /// The path is the single instant of a fill outside a bar: children come into the market but act from
    /// their next bar on.
    pub is_point: bool,
    /// Date of the session, for fees.
    pub date: NaiveDate,
    /// Quote closes (bid, ask) for the trailing stops of the rule `quote`, with bid low and ask high and the
    /// prices that move the stop: bid high and ask low.
    pub quote: Option<QuoteTest>,
}

/// The quote prices that a trailing stop is tested against, once a bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct QuoteTest {
    pub bid_low: f64,
    pub bid_high: f64,
    pub bid_close: f64,
    pub ask_low: f64,
    pub ask_high: f64,
    pub ask_close: f64,
}

/// Rules that hold for every bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct MatchRules {
    pub commission: Commission,
    pub slippage: Slippage,
    pub penetrate: bool,
    pub fractional: bool,
}

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Happening {
    /// It is in the market.
    Working,
    Fill {
        qty: f64,
        /// Price on the path.
        raw: f64,
        /// Price after slippage.
        price: f64,
        commission: f64,
        complete: bool,
    },
    Canceled(&'static str),
    Expired,
    /// New quantity (or `None` when only prices changed).
    Changed(Option<f64>),
}

/// One happening, at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub time: Nanos,
    pub id: OrderId,
    pub what: Happening,
}

/// What an order does next on the path.
#[derive(Debug, Clone, Copy)]
enum Act {
    Arrive,
    Fill,
    Trigger,
    CancelUnfilled,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    position: f64,
    price: f64,
    act: Act,
}

/// Working memory of [`match_bar`], kept to avoid allocation.
#[derive(Debug, Clone, Default)]
pub(super) struct Scratch {
    candidates: Vec<Option<Candidate>>,
}

/// Runs the orders of one instrument through one bar. `orders` are in order of id; `in_flight` are cancels
/// and changes that arrive before the bar's end, in order of arrival.
pub(super) fn match_bar(
    orders: &mut [LiveOrder],
    in_flight: &[InFlight],
    bar: &BarConditions,
    rules: &MatchRules,
    scratch: &mut Scratch,
    out: &mut Vec<Outcome>,
) -> f64 {
    let mut matcher = Matcher { orders, bar, rules, capacity: bar.capacity, used: 0.0, out };
    let candidates = &mut scratch.candidates;
    candidates.clear();
    for i in 0..matcher.orders.len() {
        candidates.push(matcher.first_candidate(i));
    }
    let mut flights = in_flight.iter().peekable();
    loop {
        let next = matcher.earliest(candidates);
        let limit = next.map_or(f64::INFINITY, |i| candidates[i].map_or(f64::INFINITY, |c| c.position));
        // A cancel that arrives at the instant of a fill wins.
        if let Some(flight) = flights.next_if(|f| bar.path.position(f.arrival) <= limit) {
            matcher.apply_flight(flight, candidates);
            continue;
        }
        let Some(i) = next else { break };
        let Some(candidate) = candidates[i] else { break };
        matcher.act(i, candidate, candidates);
    }
    matcher.test_quote_trailing();
    matcher.used
}

struct Matcher<'a> {
    orders: &'a mut [LiveOrder],
    bar: &'a BarConditions,
    rules: &'a MatchRules,
    capacity: f64,
    used: f64,
    out: &'a mut Vec<Outcome>,
}

impl Matcher<'_> {
    /// The order that acts first: by path position, then arrival, then number.
    fn earliest(&self, candidates: &[Option<Candidate>]) -> Option<usize> {
        let mut best: Option<(f64, Nanos, usize)> = None;
        for (i, candidate) in candidates.iter().enumerate() {
            if let Some(c) = candidate {
                let arrival = self.orders[i].arrival;
                let earlier = best.is_none_or(|(p, a, _)| c.position < p || (c.position == p && arrival < a));
                if earlier {
                    best = Some((c.position, arrival, i));
                }
            }
        }
        best.map(|b| b.2)
    }

    fn first_candidate(&self, i: usize) -> Option<Candidate> {
        let o = &self.orders[i];
        match o.stage {
            Stage::Held | Stage::Done => None,
            Stage::Traveling => {
                if o.arrival >= self.bar.path.end {
                    return None;
                }
                let position = self.bar.path.position(o.arrival);
                Some(Candidate { position, price: self.bar.path.price(position), act: Act::Arrive })
            }
            _ => self.candidate(i, 0.0, self.bar.path.prices[0]),
        }
    }

    /// What order `i` does next from a position on, where the path's price is `price`.
    fn candidate(&self, i: usize, from: f64, price: f64) -> Option<Candidate> {
        let o = &self.orders[i];
        if o.remaining() <= QTY_EPSILON {
            return None;
        }
        let path = &self.bar.path;
        let buy = o.side == Side::Buy;
        let at = |position, price, act| Some(Candidate { position, price, act });
        match (o.stage, o.kind) {
            (Stage::Market, _) => {
                if o.waits_for_open && o.arrival > path.start {
                    return None;
                }
                at(from, price, Act::Fill)
            }
            (Stage::Limit, OrderKind::StopLimit { limit, .. }) | (Stage::Resting, OrderKind::Limit { limit }) => {
                if o.tif == TimeInForce::Opg {
                    return self.at_open(
                        o,
                        from,
                        if marketable(buy, price, limit, false) { Act::Fill } else { Act::CancelUnfilled },
                    );
                }
                if o.tif == TimeInForce::Cls {
                    return None;
                }
                if marketable(buy, price, limit, self.rules.penetrate) {
                    return at(from, price, Act::Fill);
                }
                if matches!(o.tif, TimeInForce::Ioc | TimeInForce::Fok) {
                    return at(from, price, Act::CancelUnfilled);
                }
                let position = if buy {
                    path.first_below(from, price, limit, self.rules.penetrate)
                } else {
                    path.first_above(from, price, limit, self.rules.penetrate)
                };
                at(position?, limit, Act::Fill)
            }
            (Stage::Resting, OrderKind::Stop { stop } | OrderKind::StopLimit { stop, .. }) => {
                if (buy && price >= stop) || (!buy && price <= stop) {
                    return at(from, price, Act::Trigger);
                }
                let position = if buy {
                    path.first_above(from, price, stop, false)
                } else {
                    path.first_below(from, price, stop, false)
                };
                at(position?, stop, Act::Trigger)
            }
            (Stage::Resting, OrderKind::TrailingStop { trail, .. }) => {
                if self.bar.quote.is_some() {
                    return None;
                }
                trailing_trigger(o, trail, path, from, price)
            }
            (Stage::Resting, OrderKind::MarketOnOpen) => self.at_open(o, from, Act::Fill),
            _ => None,
        }
    }

    /// An act at the open of a session that opens at or after the order's arrival.
    fn at_open(&self, o: &LiveOrder, from: f64, act: Act) -> Option<Candidate> {
        let open = self.bar.opens_session?;
        if from > 0.0 || o.arrival > open {
            return None;
        }
        Some(Candidate { position: 0.0, price: self.bar.path.prices[0], act })
    }

    fn emit(&mut self, i: usize, time: Nanos, what: Happening) {
        self.out.push(Outcome { time, id: self.orders[i].id, what });
    }

    fn act(&mut self, i: usize, candidate: Candidate, candidates: &mut [Option<Candidate>]) {
        let time = self.bar.path.time(candidate.position);
        match candidate.act {
            Act::Arrive => {
                let arrival = self.orders[i].arrival;
                self.emit(i, arrival, Happening::Working);
                self.enter_market(i, candidate.price);
                candidates[i] = self.candidate(i, candidate.position, candidate.price);
            }
            Act::Trigger => {
                let o = &mut self.orders[i];
                o.stage = if matches!(o.kind, OrderKind::StopLimit { .. }) { Stage::Limit } else { Stage::Market };
                o.waits_for_open = false;
                candidates[i] = self.candidate(i, candidate.position, candidate.price);
            }
            Act::CancelUnfilled => self.cancel(i, time, "not fillable", candidates),
            Act::Fill => self.fill(i, candidate, time, candidates),
        }
    }

    /// An order comes into the market where the path's price is `price`.
    fn enter_market(&mut self, i: usize, price: f64) {
        let o = &mut self.orders[i];
        o.stage = if o.kind == OrderKind::Market { Stage::Market } else { Stage::Resting };
        if let OrderKind::TrailingStop { .. } = o.kind
            && o.best.is_nan()
        {
            o.best = price;
        }
    }

    fn fill(&mut self, i: usize, candidate: Candidate, time: Nanos, candidates: &mut [Option<Candidate>]) {
        let o = self.orders[i];
        let wanted = o.remaining();
        let mut qty = wanted;
        if qty > self.capacity - self.used {
            qty = self.capacity - self.used;
            if !self.rules.fractional {
                qty = (qty + QTY_EPSILON).floor();
            }
        }
        if o.tif == TimeInForce::Fok && qty < wanted - QTY_EPSILON {
            self.cancel(i, time, "cannot fill at once", candidates);
            return;
        }
        let short_of_cash = qty > o.cash_cap;
        qty = qty.min(o.cash_cap);
        if qty > QTY_EPSILON {
            self.execute(i, candidate.price, qty, time, candidates, candidate.position);
        }
        if short_of_cash && self.orders[i].stage != Stage::Done {
            self.orders[i].cash_cap = 0.0;
            self.cancel(i, time, "not enough cash", candidates);
        }
        if self.orders[i].stage != Stage::Done && self.orders[i].remaining() > QTY_EPSILON {
            let once = matches!(o.tif, TimeInForce::Ioc | TimeInForce::Opg) || o.kind == OrderKind::MarketOnOpen;
            if once {
                self.cancel(i, time, "volume cap", candidates);
            }
        }
        // What the cap left over goes on in the next bar.
        candidates[i] = None;
    }

    /// Books `qty` shares of order `i` at `raw` dollars, with all that follows at this instant.
    fn execute(
        &mut self,
        i: usize,
        raw: f64,
        qty: f64,
        time: Nanos,
        candidates: &mut [Option<Candidate>],
        position: f64,
    ) {
        self.used += qty;
        let o = &mut self.orders[i];
        let slips = o.stage == Stage::Market
            || matches!(o.kind, OrderKind::MarketOnOpen | OrderKind::MarketOnClose | OrderKind::TrailingStop { .. });
        let price = if slips {
            self.rules.slippage.price(raw, o.sign(), o.slip_pct, qty, self.bar.spread, self.bar.volume)
        } else {
            raw
        };
        o.filled += qty;
        o.cash_cap -= qty;
        o.notional += qty * price;
        let fee = self.rules.commission.fee(o.side, o.filled, o.notional, self.bar.date);
        let commission = fee - o.fee;
        o.fee = fee;
        let complete = o.total - o.filled <= QTY_EPSILON;
        if complete {
            o.stage = Stage::Done;
            candidates[i] = None;
        }
        let (id, group) = (o.id, o.oco);
        self.emit(i, time, Happening::Fill { qty, raw, price, commission, complete });
        if group != NO_ORDER {
            for k in 0..self.orders.len() {
                if k != i && self.orders[k].oco == group && self.orders[k].stage != Stage::Done {
                    self.reduce(k, qty, time, candidates);
                }
            }
        }
        for k in 0..self.orders.len() {
            if self.orders[k].parent == id.0 && self.orders[k].stage != Stage::Done {
                self.release_child(k, qty, time, position, raw, candidates);
            }
        }
    }

    /// A fill of a sibling takes `qty` from order `k`.
    fn reduce(&mut self, k: usize, qty: f64, time: Nanos, candidates: &mut [Option<Candidate>]) {
        let o = &mut self.orders[k];
        o.total -= qty;
        o.active -= qty;
        if o.total - o.filled <= QTY_EPSILON {
            self.cancel(k, time, "oco", candidates);
        } else if o.remaining() <= QTY_EPSILON && !matches!(o.stage, Stage::Traveling) {
            candidates[k] = None;
        }
    }

    /// A fill of the parent puts `qty` shares of child `k` into the market.
    fn release_child(
        &mut self,
        k: usize,
        qty: f64,
        time: Nanos,
        position: f64,
        price: f64,
        candidates: &mut [Option<Candidate>],
    ) {
        let o = &mut self.orders[k];
        o.active = (o.active + qty).min(o.total);
        if o.stage == Stage::Held {
            o.arrival = time;
            self.emit(k, time, Happening::Working);
            self.enter_market(k, price);
        }
        if candidates[k].is_none() && !self.bar.is_point {
            candidates[k] = self.candidate(k, position, price);
        }
    }

    fn cancel(&mut self, i: usize, time: Nanos, reason: &'static str, candidates: &mut [Option<Candidate>]) {
        end_order(self.orders, i, time, reason, self.out);
        for (k, o) in self.orders.iter().enumerate() {
            if o.stage == Stage::Done {
                candidates[k] = None;
            }
        }
    }

    fn apply_flight(&mut self, flight: &InFlight, candidates: &mut [Option<Candidate>]) {
        let Some(i) = self.orders.iter().position(|o| o.id == flight.id && o.stage != Stage::Done) else {
            return;
        };
        let position = self.bar.path.position(flight.arrival);
        match flight.change {
            None => cancel_by_owner(self.orders, i, flight.arrival, self.out),
            Some(change) => {
                apply_change(self.orders, i, &change, flight.arrival, self.out);
                if self.orders[i].stage != Stage::Traveling && self.orders[i].stage != Stage::Done {
                    candidates[i] = self.candidate(i, position, self.bar.path.price(position));
                }
            }
        }
        for (k, o) in self.orders.iter().enumerate() {
            if o.stage == Stage::Done {
                candidates[k] = None;
            }
        }
    }

    /// Under the rule `quote` a trailing stop is tested once a bar, after the bar in which it came into the
    /// market: a buy against the ask's high, a sell against the bid's low; it fills at the worse of its stop
    /// and that side's close, else its stop moves with the ask's low or the bid's high.
    fn test_quote_trailing(&mut self) {
        let path = self.bar.path;
        for i in 0..self.orders.len() {
            let o = self.orders[i];
            let OrderKind::TrailingStop { trail, .. } = o.kind else { continue };
            if o.stage == Stage::Done || o.stage == Stage::Held || o.stage == Stage::Traveling {
                continue;
            }
            let Some(quote) = self.bar.quote else {
                if o.stage == Stage::Resting {
                    self.orders[i].best = trailing_best(&o, &path);
                }
                continue;
            };
            if o.stage == Stage::Resting {
                if o.arrival > path.start {
                    continue;
                }
                let stop = trailing_stop(&o, trail, o.best);
                let buy = o.side == Side::Buy;
                if (buy && quote.ask_high >= stop) || (!buy && quote.bid_low <= stop) {
                    let raw = if buy { stop.max(quote.ask_close) } else { stop.min(quote.bid_close) };
                    let mut candidates = vec![None; self.orders.len()];
                    self.orders[i].stage = Stage::Market;
                    let candidate = Candidate { position: 3.0, price: raw, act: Act::Fill };
                    self.fill(i, candidate, path.end, &mut candidates);
                    // Children and siblings act from the next bar on.
                } else {
                    let o = &mut self.orders[i];
                    o.best = if buy { o.best.min(quote.ask_low) } else { o.best.max(quote.bid_high) };
                }
            }
        }
    }
}

/// Whether a limit can fill at a price.
pub(super) fn marketable(buy: bool, price: f64, limit: f64, strict: bool) -> bool {
    match (buy, strict) {
        (true, false) => price <= limit,
        (true, true) => price < limit,
        (false, false) => price >= limit,
        (false, true) => price > limit,
    }
}

/// The stop that belongs to a best price.
fn trailing_stop(o: &LiveOrder, trail: Trail, best: f64) -> f64 {
    let moved = match trail {
        Trail::Amount(amount) => best - -o.sign() * amount,
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

/// Where a trailing stop that follows the path is met.
fn trailing_trigger(o: &LiveOrder, trail: Trail, path: &Path, from: f64, price: f64) -> Option<Candidate> {
    let sell = o.side == Side::Sell;
    let better = |a: f64, b: f64| if sell { a.max(b) } else { a.min(b) };
    let met = |price: f64, stop: f64| if sell { price <= stop } else { price >= stop };
    let mut best = better(o.best, price);
    if met(price, trailing_stop(o, trail, best)) {
        return Some(Candidate { position: from, price, act: Act::Trigger });
    }
    let mut leg = (from as usize).min(3);
    while leg < 3 {
        let end = path.prices[leg + 1];
        let stop = trailing_stop(o, trail, best);
        if met(end, stop) {
            let position = path.position_of(leg, stop).max(from);
            return Some(Candidate { position, price: stop, act: Act::Trigger });
        }
        best = better(best, end);
        leg += 1;
    }
    None
}

/// The best price of a trailing stop after the whole path from its arrival on.
fn trailing_best(o: &LiveOrder, path: &Path) -> f64 {
    let from = path.position(o.arrival);
    let mut best = if o.side == Side::Sell { o.best.max(path.price(from)) } else { o.best.min(path.price(from)) };
    for leg in (from as usize).min(3)..3 {
        let end = path.prices[leg + 1];
        best = if o.side == Side::Sell { best.max(end) } else { best.min(end) };
    }
    best
}

/// Ends order `i` unfilled or part-filled. Children keep what their parent filled; what was still held for
/// the rest of the parent is dropped.
pub(super) fn end_order(orders: &mut [LiveOrder], i: usize, time: Nanos, reason: &'static str, out: &mut Vec<Outcome>) {
    orders[i].stage = Stage::Done;
    out.push(Outcome { time, id: orders[i].id, what: Happening::Canceled(reason) });
    drop_held(orders, i, time, out);
}

/// What the children of an ended order held for its unfilled rest is dropped.
pub(super) fn drop_held(orders: &mut [LiveOrder], i: usize, time: Nanos, out: &mut Vec<Outcome>) {
    let parent = orders[i].id.0;
    for k in 0..orders.len() {
        if orders[k].parent == parent && orders[k].stage != Stage::Done {
            orders[k].total = orders[k].active;
            if orders[k].total - orders[k].filled <= QTY_EPSILON {
                end_order(orders, k, time, "parent ended", out);
            }
        }
    }
}

/// A cancel by the owner: also the order's children that are not filled.
pub(super) fn cancel_by_owner(orders: &mut [LiveOrder], i: usize, time: Nanos, out: &mut Vec<Outcome>) {
    let parent = orders[i].id.0;
    orders[i].stage = Stage::Done;
    out.push(Outcome { time, id: orders[i].id, what: Happening::Canceled("canceled") });
    for k in 0..orders.len() {
        if orders[k].parent == parent && orders[k].stage != Stage::Done {
            cancel_by_owner(orders, k, time, out);
        }
    }
}

/// A change by the owner. A quantity at or below what is filled ends the order.
pub(super) fn apply_change(
    orders: &mut [LiveOrder],
    i: usize,
    change: &crate::trading::OrderChange,
    time: Nanos,
    out: &mut Vec<Outcome>,
) {
    let o = &mut orders[i];
    match &mut o.kind {
        OrderKind::Limit { limit } => *limit = change.limit.unwrap_or(*limit),
        OrderKind::Stop { stop } => *stop = change.stop.unwrap_or(*stop),
        OrderKind::StopLimit { stop, limit } => {
            *stop = change.stop.unwrap_or(*stop);
            *limit = change.limit.unwrap_or(*limit);
        }
        _ => {}
    }
    if let Some(qty) = change.qty {
        let delta = qty - o.total;
        o.total = qty;
        o.active = (o.active + delta).max(o.filled);
        if o.total - o.filled <= QTY_EPSILON {
            end_order(orders, i, time, "canceled", out);
            return;
        }
    }
    out.push(Outcome { time, id: orders[i].id, what: Happening::Changed(change.qty) });
}
