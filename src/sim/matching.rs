//! What happens to the orders of one instrument within one bar.
//!
//! A [`Lane`] is a pure function of (orders, bar, path): it changes the copies of orders it was loaded with and
//! lists what happened, in order of time. The venue runs two of them, one for each order of the bar's extremes,
//! and takes over one.

use super::Commission;
use super::orders::{
    Happening, InFlight, LiveOrder, NO_ORDER, Outcome, QTY_EPSILON, Stage, apply_change, cancel_by_owner, end_order,
    parent_ended, reduce,
};
use super::path::Path;
use super::slippage::Slippage;
use super::trailing::{best_after, best_by_quote, fill_by_quote, met_on_path};
use crate::market::{Nanos, QuoteBar};
use crate::trading::{OrderKind, Side, TimeInForce};
use chrono::NaiveDate;

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
    /// Date of the session, for fees.
    pub date: NaiveDate,
    /// Under the rule `quote`: what trailing stops are tested against.
    pub quote: Option<QuoteBar>,
    pub rules: MatchRules,
}

/// Rules that hold for every bar.
#[derive(Debug, Clone, Copy)]
pub(super) struct MatchRules {
    pub commission: Commission,
    pub slippage: Slippage,
    pub penetrate: bool,
    pub fractional: bool,
}

impl MatchRules {
    /// Whether a limit can fill at a price.
    pub fn marketable(&self, side: Side, price: f64, limit: f64) -> bool {
        match (side, self.penetrate) {
            (Side::Buy, false) => price <= limit,
            (Side::Buy, true) => price < limit,
            (Side::Sell, false) => price >= limit,
            (Side::Sell, true) => price > limit,
        }
    }

    /// The price after slippage of `qty` shares that would have filled at `raw`.
    pub fn fill_price(&self, o: &LiveOrder, raw: f64, qty: f64, spread: Option<f64>, volume: f64) -> f64 {
        if o.slips() { self.slippage.price(raw, o.sign(), o.slip_pct, qty, spread, volume) } else { raw }
    }
}

/// What an order does next on the path.
#[derive(Debug, Clone, Copy)]
enum Act {
    Arrive,
    Fill,
    Trigger,
    /// A trailing stop that was met by a quote fills at a price off the path.
    FillOffPath,
    CancelUnfilled,
}

#[derive(Debug, Clone, Copy)]
struct Candidate {
    time: Nanos,
    position: f64,
    price: f64,
    act: Act,
}

/// A place on the path: position, instant, price.
#[derive(Debug, Clone, Copy)]
struct Place {
    position: f64,
    time: Nanos,
    price: f64,
}

/// What comes first at one instant: cancels and changes, then orders by arrival and number.
pub(super) type Turn = (Nanos, bool, Nanos, u32);

/// A fill that concerns the other members of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct GroupFill {
    pub group: u32,
    pub qty: f64,
    pub time: Nanos,
}

/// One instrument in one bar.
#[derive(Debug, Default)]
pub(super) struct Lane {
    /// In order of id.
    pub orders: Vec<LiveOrder>,
    pub out: Vec<Outcome>,
    /// Shares taken from the bar's volume.
    pub used: f64,
    /// Cancels and changes that arrive by the bar's end, in order of arrival.
    flights: Vec<InFlight>,
    next_flight: usize,
    candidates: Vec<Option<Candidate>>,
    bar: Option<BarConditions>,
    /// Fills happen outside a bar: children come into the market but act from their next bar on.
    is_point: bool,
}

impl Lane {
    /// Starts a bar with copies of the orders and of the cancels and changes on their way.
    pub fn load(&mut self, orders: &[LiveOrder], in_flight: &[InFlight], bar: BarConditions) {
        self.clear(orders);
        self.load_flights(in_flight, bar.path.end);
        self.bar = Some(bar);
        let open = bar.path.prices[0];
        for i in 0..self.orders.len() {
            let o = &mut self.orders[i];
            if o.stage == Stage::Resting && o.best.is_nan() {
                o.best = open;
            }
            let candidate = match o.stage {
                Stage::Held | Stage::Done => None,
                Stage::Traveling => self.arrival(i, &bar),
                _ => self.candidate(i, Place { position: 0.0, time: bar.path.start, price: open }, &bar),
            };
            self.candidates.push(candidate);
        }
    }

    /// Starts an instant outside any bar at which order `i` fills at `price`. `bar` says what the fill counts
    /// against.
    pub fn load_point(&mut self, orders: &[LiveOrder], i: usize, time: Nanos, price: f64, bar: BarConditions) {
        self.clear(orders);
        self.is_point = true;
        self.bar = Some(bar);
        self.candidates.resize(orders.len(), None);
        self.candidates[i] = Some(Candidate { time, position: 0.0, price, act: Act::Fill });
    }

    /// Copies of orders for which no bar ends at `time`: cancels still arrive, and groups still reduce them.
    pub fn load_idle(&mut self, orders: &[LiveOrder], in_flight: &[InFlight], time: Nanos) {
        self.clear(orders);
        self.load_flights(in_flight, time);
        self.candidates.resize(orders.len(), None);
    }

    fn load_flights(&mut self, in_flight: &[InFlight], until: Nanos) {
        let arriving = in_flight.partition_point(|f| f.arrival <= until);
        self.flights.extend_from_slice(&in_flight[..arriving]);
    }

    fn clear(&mut self, orders: &[LiveOrder]) {
        self.orders.clear();
        self.orders.extend_from_slice(orders);
        self.out.clear();
        self.used = 0.0;
        self.flights.clear();
        self.next_flight = 0;
        self.candidates.clear();
        self.bar = None;
        self.is_point = false;
    }

    /// Number of cancels and changes that have been applied.
    pub fn flights_applied(&self) -> usize {
        self.next_flight
    }

    /// Lets everything happen up to the bar's end.
    pub fn run(&mut self) {
        while self.peek().is_some() {
            self.advance();
        }
        self.follow();
    }

    /// When the next thing happens.
    pub fn peek(&self) -> Option<Turn> {
        let order = self.earliest().map(|(_, turn)| turn);
        let flight = self.flights.get(self.next_flight).map(|f| (f.arrival, false, 0, 0));
        match (order, flight) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }

    /// Lets the next thing happen. Returns the fill if it concerns a group.
    pub fn advance(&mut self) -> Option<GroupFill> {
        let order = self.earliest();
        if let Some(flight) = self.flights.get(self.next_flight).copied()
            && order.is_none_or(|(_, turn)| flight.arrival <= turn.0)
        {
            self.next_flight += 1;
            self.apply_flight(&flight);
            return None;
        }
        let (bar, (i, _)) = (self.bar?, order?);
        let candidate = self.candidates[i].take()?;
        self.act(i, candidate, &bar)
    }

    /// The order that acts first: by time, then arrival, then number.
    fn earliest(&self) -> Option<(usize, Turn)> {
        let mut best: Option<(usize, Turn)> = None;
        for (i, candidate) in self.candidates.iter().enumerate() {
            let Some(candidate) = candidate else { continue };
            let o = &self.orders[i];
            // Its group may have ended it or left nothing of it since the candidate was found.
            if o.stage == Stage::Done || (o.stage != Stage::Traveling && o.remaining() <= QTY_EPSILON) {
                continue;
            }
            let turn = (candidate.time, true, o.arrival, o.id.0);
            if best.is_none_or(|(_, b)| turn < b) {
                best = Some((i, turn));
            }
        }
        best
    }

    fn arrival(&self, i: usize, bar: &BarConditions) -> Option<Candidate> {
        let time = self.orders[i].arrival;
        if time >= bar.path.end {
            return None;
        }
        let position = bar.path.position(time);
        Some(Candidate { time, position, price: bar.path.price(position), act: Act::Arrive })
    }

    /// What order `i` does next from a place on.
    fn candidate(&self, i: usize, from: Place, bar: &BarConditions) -> Option<Candidate> {
        let o = &self.orders[i];
        let path = &bar.path;
        let buy = o.side == Side::Buy;
        let here = |act| Some(Candidate { time: from.time, position: from.position, price: from.price, act });
        let at = |position: f64, price, act| {
            Some(Candidate { time: path.time(position).max(from.time), position, price, act })
        };
        match (o.stage, o.kind) {
            (Stage::Market, _) if o.waits_for_open && o.entered > path.start => None,
            (Stage::Market, _) => here(Act::Fill),
            (Stage::Resting, _) if o.is_for_close() => None,
            (Stage::Resting, _) if o.is_for_open() => {
                let open = bar.opens_session?;
                if from.position > 0.0 || o.entered > open {
                    return None;
                }
                let met = o.kind.limit().is_none_or(|limit| bar.rules.marketable(o.side, from.price, limit));
                here(if met { Act::Fill } else { Act::CancelUnfilled })
            }
            (Stage::Limit, OrderKind::StopLimit { limit, .. }) | (Stage::Resting, OrderKind::Limit { limit }) => {
                if bar.rules.marketable(o.side, from.price, limit) {
                    return here(Act::Fill);
                }
                if matches!(o.tif, TimeInForce::Ioc | TimeInForce::Fok) {
                    return here(Act::CancelUnfilled);
                }
                let position = if buy {
                    path.first_below(from.position, from.price, limit, bar.rules.penetrate)
                } else {
                    path.first_above(from.position, from.price, limit, bar.rules.penetrate)
                };
                at(position?, limit, Act::Fill)
            }
            (Stage::Resting, OrderKind::Stop { stop } | OrderKind::StopLimit { stop, .. }) => {
                if (buy && from.price >= stop) || (!buy && from.price <= stop) {
                    return here(Act::Trigger);
                }
                let position = if buy {
                    path.first_above(from.position, from.price, stop, false)
                } else {
                    path.first_below(from.position, from.price, stop, false)
                };
                at(position?, stop, Act::Trigger)
            }
            (Stage::Resting, OrderKind::TrailingStop { trail, .. }) => match &bar.quote {
                None => {
                    let (position, price) = met_on_path(o, trail, path, from.position, from.price)?;
                    at(position, price, Act::Trigger)
                }
                Some(quote) if o.entered <= path.start => at(3.0, fill_by_quote(quote, o, trail)?, Act::FillOffPath),
                Some(_) => None,
            },
            _ => None,
        }
    }

    fn emit(&mut self, i: usize, time: Nanos, what: Happening) {
        self.out.push(Outcome { time, id: self.orders[i].id, what });
    }

    fn act(&mut self, i: usize, c: Candidate, bar: &BarConditions) -> Option<GroupFill> {
        let place = Place { position: c.position, time: c.time.max(bar.path.start), price: c.price };
        match c.act {
            Act::Arrive => {
                self.emit(i, c.time, Happening::Working);
                self.enter(i, c.time, Some(place));
                self.candidates[i] = self.candidate(i, place, bar);
                None
            }
            Act::Trigger => {
                let o = &mut self.orders[i];
                o.stage = if matches!(o.kind, OrderKind::StopLimit { .. }) { Stage::Limit } else { Stage::Market };
                o.waits_for_open = false;
                self.candidates[i] = self.candidate(i, place, bar);
                None
            }
            Act::CancelUnfilled => {
                end_order(&mut self.orders, i, c.time, "not fillable", &mut self.out);
                None
            }
            Act::Fill => self.fill(i, c.price, place, bar),
            Act::FillOffPath => {
                self.orders[i].stage = Stage::Market;
                self.fill(i, c.price, Place { price: bar.path.price(c.position), ..place }, bar)
            }
        }
    }

    /// An order comes into the market, at a place on the path if a bar is running.
    fn enter(&mut self, i: usize, time: Nanos, place: Option<Place>) {
        let o = &mut self.orders[i];
        o.stage = if o.kind == OrderKind::Market { Stage::Market } else { Stage::Resting };
        o.entered = time;
        o.best = place.map_or(f64::NAN, |p| p.price);
    }

    fn fill(&mut self, i: usize, raw: f64, place: Place, bar: &BarConditions) -> Option<GroupFill> {
        let o = self.orders[i];
        let wanted = o.remaining();
        let mut qty = wanted;
        if qty > bar.capacity - self.used {
            qty = bar.capacity - self.used;
            if !bar.rules.fractional {
                qty = (qty + QTY_EPSILON).floor();
            }
        }
        let orders = &mut self.orders;
        if o.tif == TimeInForce::Fok && qty < wanted - QTY_EPSILON {
            end_order(orders, i, place.time, "cannot fill at once", &mut self.out);
            return None;
        }
        let short_of_cash = qty > o.cash_cap;
        qty = qty.min(o.cash_cap);
        let mut group = None;
        if qty > QTY_EPSILON {
            group = self.execute(i, raw, qty, place, bar);
        }
        let o = &self.orders[i];
        if o.stage != Stage::Done {
            let once = matches!(o.tif, TimeInForce::Ioc | TimeInForce::Fok) || o.is_for_open() || o.is_for_close();
            if short_of_cash && o.remaining() > QTY_EPSILON {
                let reason = if o.side == Side::Buy { "not enough cash" } else { "not enough shares" };
                end_order(&mut self.orders, i, place.time, reason, &mut self.out);
            } else if once {
                // Of a child, also what its parent has not filled yet: the one instant is over.
                end_order(&mut self.orders, i, place.time, "volume cap", &mut self.out);
            }
        }
        // What the cap left over goes on in the next bar.
        group
    }

    /// Books `qty` shares of order `i` at `raw` dollars, with all that follows at this instant.
    fn execute(&mut self, i: usize, raw: f64, qty: f64, place: Place, bar: &BarConditions) -> Option<GroupFill> {
        let time = place.time;
        self.used += qty;
        let o = &mut self.orders[i];
        let price = bar.rules.fill_price(o, raw, qty, bar.spread, bar.volume);
        o.filled += qty;
        o.cash_cap -= qty;
        o.notional += qty * price;
        let fee = bar.rules.commission.fee(o.side, o.filled, o.notional, bar.date);
        let commission = fee - o.fee;
        o.fee = fee;
        let complete = o.total - o.filled <= QTY_EPSILON;
        if complete {
            o.stage = Stage::Done;
        }
        let (id, group, strategy, side) = (o.id, o.oco, o.strategy, o.side);
        self.emit(i, time, Happening::Fill { qty, raw, price, commission, complete });
        for child in self.orders.iter_mut().filter(|c| c.parent == id.0 && c.stage != Stage::Done) {
            child.waking = child.remaining() <= QTY_EPSILON;
            child.active = (child.active + qty).min(child.total);
        }
        if complete {
            parent_ended(&mut self.orders, i, time, &mut self.out);
        }
        for k in 0..self.orders.len() {
            let o = &self.orders[k];
            if k != i && o.liquidates && o.strategy == strategy && o.side == side && o.stage != Stage::Done {
                reduce(&mut self.orders, k, qty, time, &mut self.out);
            }
        }
        let fill = GroupFill { group, qty, time };
        if group != NO_ORDER {
            self.reduce_group(&fill, Some(i));
        }
        for k in 0..self.orders.len() {
            if std::mem::take(&mut self.orders[k].waking) && self.orders[k].stage != Stage::Done {
                self.wake(k, place, bar);
            }
        }
        if group == NO_ORDER { None } else { Some(fill) }
    }

    /// Takes a fill of one member from the other members of its group.
    pub fn reduce_group(&mut self, fill: &GroupFill, filled: Option<usize>) {
        for k in 0..self.orders.len() {
            if Some(k) != filled && self.orders[k].oco == fill.group && self.orders[k].stage != Stage::Done {
                reduce(&mut self.orders, k, fill.qty, fill.time, &mut self.out);
            }
        }
    }

    /// A fill of the parent brings child `k` into the market, or back into it.
    fn wake(&mut self, k: usize, place: Place, bar: &BarConditions) {
        let place_on_path = if self.is_point { None } else { Some(place) };
        let o = &mut self.orders[k];
        match o.stage {
            Stage::Held if o.arrival > place.time => {
                o.stage = Stage::Traveling;
                self.candidates[k] = if self.is_point { None } else { self.arrival(k, bar) };
                return;
            }
            Stage::Held => {
                o.arrival = place.time;
                self.emit(k, place.time, Happening::Working);
                self.enter(k, place.time, place_on_path);
            }
            Stage::Traveling => return,
            Stage::Resting => {
                o.entered = place.time;
                o.best = place_on_path.map_or(f64::NAN, |p| p.price);
            }
            _ => o.entered = place.time,
        }
        self.candidates[k] = place_on_path.and_then(|place| self.candidate(k, place, bar));
    }

    fn apply_flight(&mut self, flight: &InFlight) {
        let Some(i) = self.orders.iter().position(|o| o.id == flight.id && o.stage != Stage::Done) else {
            return;
        };
        let Some(change) = flight.change else {
            cancel_by_owner(&mut self.orders, i, flight.arrival, &mut self.out);
            return;
        };
        apply_change(&mut self.orders, i, &change, flight.arrival, &mut self.out);
        let o = &self.orders[i];
        let has_prices = !matches!(o.kind, OrderKind::TrailingStop { .. });
        if let Some(bar) = self.bar
            && has_prices
            && matches!(o.stage, Stage::Resting | Stage::Limit)
        {
            let position = bar.path.position(flight.arrival);
            let time = flight.arrival.max(bar.path.start);
            let place = Place { position, time, price: bar.path.price(position) };
            self.candidates[i] = self.candidate(i, place, &bar);
        }
    }

    /// After the bar, trailing stops that were not met have followed its prices.
    pub fn follow(&mut self) {
        let Some(bar) = self.bar else { return };
        if self.is_point {
            return;
        }
        for o in &mut self.orders {
            if o.stage != Stage::Resting || !matches!(o.kind, OrderKind::TrailingStop { .. }) {
                continue;
            }
            match &bar.quote {
                None => o.best = best_after(o, &bar.path),
                Some(quote) if o.entered <= bar.path.start => o.best = best_by_quote(quote, o),
                Some(_) => {}
            }
        }
    }
}
