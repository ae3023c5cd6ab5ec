//! TRADE_CONFIRMATION_REQUIRED: orders that would open a position wait for somebody, and lapse if nobody comes.
//!
//! The gate stands between the core and the venue. Exits pass it at once; what belongs to a waiting order (its stop,
//! its target, its exit at the close) waits with it.

use crate::market::{Nanos, SymbolId};
use crate::risk::{Approved, BarVenue, RiskDesk, Venue, opens_position};
use crate::trading::{Instruments, Order, OrderChange, OrderId, OrderState, Portfolio};
use std::collections::BTreeSet;

/// A venue behind a gate.
#[derive(Debug)]
pub struct Gate<V> {
    pub venue: V,
    /// TRADE_CONFIRMATION_REQUIRED.
    closed: bool,
    /// Why nothing may be opened now, if so.
    blocked: Option<&'static str>,
    /// Instruments in which trading is halted.
    halted: BTreeSet<SymbolId>,
    /// Orders since the last [`BarVenue::settle`], while the gate is closed.
    arrived: Vec<Approved<Order>>,
    held: Vec<Approved<Order>>,
    /// Changes of held orders.
    changes: Vec<(SymbolId, OrderId, Approved<OrderChange>)>,
    /// Held orders that their owner has cancelled since the last settling.
    canceled: Vec<(OrderId, Nanos)>,
}

impl<V: BarVenue> Gate<V> {
    /// A gate before `venue`; `closed`: whether opening orders wait.
    pub fn new(venue: V, closed: bool) -> Gate<V> {
        Gate {
            venue,
            closed,
            blocked: None,
            halted: BTreeSet::new(),
            arrived: Vec::new(),
            held: Vec::new(),
            changes: Vec::new(),
            canceled: Vec::new(),
        }
    }

    /// Refuses what would open a position from now on, for a reason, or lets it pass.
    pub fn block(&mut self, reason: Option<&'static str>) {
        self.blocked = reason;
    }

    /// Trading in an instrument is halted, or goes on: nothing is opened in it meanwhile.
    pub fn halt(&mut self, symbol: SymbolId, halted: bool) {
        if halted {
            self.halted.insert(symbol);
        } else {
            self.halted.remove(&symbol);
        }
    }

    /// Why nothing may be opened in an instrument now, if so.
    fn obstacle(&self, symbol: SymbolId) -> Option<&'static str> {
        self.blocked.or(self.halted.contains(&symbol).then_some("trading in it is halted"))
    }

    /// The orders that wait for confirmation, without what belongs to them.
    pub fn waiting(&self) -> impl Iterator<Item = &Order> {
        self.held.iter().map(Approved::get).filter(|order| !self.is_held(order.request.parent))
    }

    fn is_held(&self, id: Option<OrderId>) -> bool {
        id.is_some_and(|id| self.held.iter().any(|order| order.get().id == id))
    }

    /// Takes an order and all that belongs to it out of the waiting ones, the order first; empty if it does not wait.
    fn take(&mut self, id: OrderId) -> Vec<Approved<Order>> {
        let mut family: Vec<Approved<Order>> = Vec::new();
        let mut ids = vec![id];
        // A child comes after its parent.
        self.held.retain(|order| {
            let order_id = order.get().id;
            let belongs = order_id == id || order.get().request.parent.is_some_and(|parent| ids.contains(&parent));
            if belongs {
                ids.push(order_id);
                family.push(*order);
            }
            !belongs
        });
        family
    }

    /// Sends a waiting order and what belongs to it. `false`: it does not wait.
    pub fn confirm(&mut self, id: OrderId, time: Nanos, desk: &RiskDesk, portfolio: &mut Portfolio) -> bool {
        let family = self.take(id);
        for order in &family {
            let id = order.get().id;
            let released = match self.obstacle(order.get().request.symbol) {
                Some(reason) => Err(reason),
                None => desk.release(*order, time),
            };
            match released {
                Ok(order) => {
                    portfolio.change_state(id, time, OrderState::Submitting, "confirmed");
                    self.venue.submit(order);
                    let released = self.changes.extract_if(.., |change| change.1 == id);
                    for (symbol, id, change) in released {
                        self.venue.replace(symbol, id, change, time);
                    }
                }
                Err(reason) => portfolio.change_state(id, time, OrderState::Rejected, reason),
            }
        }
        !family.is_empty()
    }

    /// Ends a waiting order and what belongs to it. `false`: it does not wait.
    pub fn drop_order(&mut self, id: OrderId, time: Nanos, reason: &'static str, portfolio: &mut Portfolio) -> bool {
        let family = self.take(id);
        for (k, order) in family.iter().enumerate() {
            let reason = if k == 0 { reason } else { "parent ended" };
            portfolio.change_state(order.get().id, time, OrderState::Canceled, reason);
            self.changes.retain(|change| change.1 != order.get().id);
        }
        !family.is_empty()
    }

    /// Ends the waiting orders whose time is over, as `is_over` tells by strategy.
    pub fn lapse(&mut self, time: Nanos, portfolio: &mut Portfolio, is_over: impl Fn(u16) -> bool) {
        let over: Vec<OrderId> = self.waiting().filter(|order| is_over(order.strategy)).map(|order| order.id).collect();
        for id in over {
            self.drop_order(id, time, "not confirmed in time", portfolio);
        }
    }
}

impl<V: BarVenue> Venue for Gate<V> {
    fn grow(&mut self, instruments: &Instruments<'_>) {
        self.venue.grow(instruments);
    }

    fn submit(&mut self, order: Approved<Order>) {
        let passes = !self.closed && self.blocked.is_none() && self.halted.is_empty();
        if passes { self.venue.submit(order) } else { self.arrived.push(order) }
    }

    fn cancel(&mut self, symbol: SymbolId, id: OrderId, decided: Nanos) {
        if self.is_held(Some(id)) || self.arrived.iter().any(|order| order.get().id == id) {
            self.canceled.push((id, decided));
        } else {
            self.venue.cancel(symbol, id, decided);
        }
    }

    fn replace(&mut self, symbol: SymbolId, id: OrderId, change: Approved<OrderChange>, decided: Nanos) {
        if self.is_held(Some(id)) || self.arrived.iter().any(|order| order.get().id == id) {
            self.changes.push((symbol, id, change));
        } else {
            self.venue.replace(symbol, id, change, decided);
        }
    }
}

impl<V: BarVenue> BarVenue for Gate<V> {
    fn start_day(&mut self, day: usize, instruments: &Instruments<'_>) {
        self.venue.start_day(day, instruments);
    }

    fn extend_day(&mut self, instruments: &Instruments<'_>) {
        self.venue.extend_day(instruments);
    }

    fn process(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.venue.process(step, portfolio, instruments);
    }

    fn settle(&mut self, step: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) -> bool {
        for order in std::mem::take(&mut self.arrived) {
            let (id, time) = (order.get().id, order.get().decided);
            let opens = opens_position(order.get(), portfolio);
            let parent = order.get().request.parent;
            let parent_refused = parent.is_some_and(|id| portfolio.order(id).state == OrderState::Rejected);
            if let Some(reason) = self.obstacle(order.get().request.symbol).filter(|_| opens || parent_refused) {
                portfolio.change_state(id, time, OrderState::Rejected, reason);
            } else if self.is_held(parent) || (self.closed && opens) {
                portfolio.change_state(id, time, OrderState::Accepted, "waits for confirmation");
                self.held.push(order);
            } else {
                self.venue.submit(order);
            }
        }
        for (id, time) in std::mem::take(&mut self.canceled) {
            self.drop_order(id, time, "canceled", portfolio);
        }
        self.venue.settle(step, portfolio, instruments)
    }

    fn end_of_day(&mut self, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.venue.end_of_day(portfolio, instruments);
    }

    fn split(
        &mut self,
        symbol: SymbolId,
        ratio: f64,
        time: Nanos,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        self.venue.split(symbol, ratio, time, portfolio, instruments);
    }

    fn end_of_data(&mut self, time: Nanos, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        self.lapse(time, portfolio, |_| true);
        self.venue.end_of_data(time, portfolio, instruments);
    }

    fn ambiguity_pnl(&self) -> f64 {
        self.venue.ambiguity_pnl()
    }

    fn keeps_account(&self) -> bool {
        self.venue.keeps_account()
    }

    fn take_notes(&mut self) -> Vec<String> {
        self.venue.take_notes()
    }
}
