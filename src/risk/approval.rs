//! Approved orders and the venue that takes them.

use crate::market::{Nanos, SymbolId};
use crate::trading::{Order, OrderChange, OrderId};

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

/// What is asked of a venue, simulated or real. What happens to an order comes back as order updates.
pub trait Venue {
    /// Makes room for instruments created during the run; `driver` names the symbol behind an instrument.
    fn grow(&mut self, instruments: usize, driver: &dyn Fn(SymbolId) -> SymbolId);

    /// Sends an order.
    fn submit(&mut self, order: Approved<Order>);

    /// Asks to cancel an order.
    fn cancel(&mut self, symbol: SymbolId, id: OrderId, decided: Nanos);

    /// Asks to change an order.
    fn replace(&mut self, symbol: SymbolId, id: OrderId, change: Approved<OrderChange>, decided: Nanos);
}
