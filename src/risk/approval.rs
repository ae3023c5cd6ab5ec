//! Approved orders and the venue that takes them.

use crate::market::{Nanos, SymbolId};
use crate::trading::{Instruments, Order, OrderChange, OrderId, OrderKind, Portfolio, TimeInForce};

/// Something that passed the risk desk. The field is private and the constructor belongs to this room, so an
/// order cannot reach a venue any other way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    pub(super) fn new(value: T) -> Approved<T> {
        Approved(value)
    }

    /// What was approved.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// Takes what was approved.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What a venue may make of an order without asking again: what is no larger and no other way round than what was
/// approved.
impl Approved<Order> {
    /// A part of it, at most the whole.
    pub fn part(&self, qty: f64) -> Approved<Order> {
        let mut order = self.0;
        order.request.qty = qty.min(order.request.qty);
        Approved(order)
    }

    /// Without its price or its place in an auction: at the market, for the day.
    pub fn at_market(&self) -> Approved<Order> {
        let mut order = self.0;
        (order.request.kind, order.request.tif) = (OrderKind::Market, TimeInForce::Day);
        Approved(order)
    }

    /// With a change that was approved, too.
    pub fn changed(&self, change: Approved<OrderChange>) -> Approved<Order> {
        let (mut order, change) = (self.0, change.0);
        match &mut order.request.kind {
            OrderKind::Limit { limit } => *limit = change.limit.unwrap_or(*limit),
            OrderKind::Stop { stop } => *stop = change.stop.unwrap_or(*stop),
            OrderKind::StopLimit { stop, limit } => {
                *stop = change.stop.unwrap_or(*stop);
                *limit = change.limit.unwrap_or(*limit);
            }
            _ => {}
        }
        order.request.qty = change.qty.unwrap_or(order.request.qty);
        Approved(order)
    }
}

/// What is asked of a venue, simulated or real. What happens to an order comes back as order updates.
pub trait Venue {
    /// Makes room for instruments created during the run.
    fn grow(&mut self, instruments: &Instruments<'_>);

    /// Sends an order.
    fn submit(&mut self, order: Approved<Order>);

    /// Asks to cancel an order.
    fn cancel(&mut self, symbol: SymbolId, id: OrderId, decided: Nanos);

    /// Asks to change an order.
    fn replace(&mut self, symbol: SymbolId, id: OrderId, change: Approved<OrderChange>, decided: Nanos);
}

/// A venue that lives on bars. It is told of each day and each bar end, and books what happens to its orders. To a
/// venue whose fills come from elsewhere a bar means nothing: the provided methods do nothing.
pub trait BarVenue: Venue {
    /// A trading day begins.
    fn start_day(&mut self, _day: usize, _instruments: &Instruments<'_>) {}

    /// The market has grown by a step of the day, which is about to be processed.
    fn extend_day(&mut self, _instruments: &Instruments<'_>) {}

    /// The next step of the day at which something can happen to its orders, if the bars tell.
    fn next_step(&self) -> Option<usize> {
        None
    }

    /// What happens in the bars that end at `step`, and at that instant, before anything is decided.
    fn process(&mut self, _step: usize, _portfolio: &mut Portfolio, _instruments: &Instruments<'_>) {}

    /// What happens to the orders decided at `step` in that instant. Returns whether anything may have.
    fn settle(&mut self, _step: usize, _portfolio: &mut Portfolio, _instruments: &Instruments<'_>) -> bool {
        false
    }

    /// The rest of a day whose last bar ends before its close.
    fn end_of_day(&mut self, _portfolio: &mut Portfolio, _instruments: &Instruments<'_>) {}

    /// A split of `ratio` shares for one, in force from `time` on.
    fn split(
        &mut self,
        _symbol: SymbolId,
        _ratio: f64,
        _time: Nanos,
        _portfolio: &mut Portfolio,
        _instruments: &Instruments<'_>,
    ) {
    }

    /// The data end at `time`: what is still open is cancelled.
    fn end_of_data(&mut self, _time: Nanos, _portfolio: &mut Portfolio, _instruments: &Instruments<'_>) {}

    /// Sum of the absolute differences in equity between the two orders of a bar's extremes, dollars.
    fn ambiguity_pnl(&self) -> f64 {
        0.0
    }

    /// Whether the account is kept here alone, so that what a night costs must be booked here, too.
    fn keeps_account(&self) -> bool {
        false
    }

    /// Takes sentences for the summary.
    fn take_notes(&mut self) -> Vec<String> {
        Vec::new()
    }
}
