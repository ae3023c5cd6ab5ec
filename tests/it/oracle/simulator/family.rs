//! Parents, children and one-cancels-other groups: how much of an order is left, and what ends with it.

use super::{NO_QUANTITY, Simulation};
use crate::oracle::case::Reason;
use tradebot::trading::OrderState;

impl Simulation<'_> {
    pub(super) fn parent(&self, number: usize) -> Option<usize> {
        let id = self.orders[number].line.parent?;
        self.orders.iter().position(|o| o.line.id == id)
    }

    pub(super) fn children(&self, number: usize) -> Vec<usize> {
        (0..self.orders.len()).filter(|&n| self.parent(n) == Some(number)).collect()
    }

    /// The other members of the order's one-cancels-other group.
    pub(super) fn siblings(&self, number: usize) -> Vec<usize> {
        let group = |n: usize| self.orders[n].line.group();
        let Some(own) = group(number) else {
            return Vec::new();
        };
        (0..self.orders.len()).filter(|&n| n != number && group(n) == Some(own)).collect()
    }

    /// What the order may fill in the end, before what its group took: a child of an ended parent no more than
    /// the parent got.
    fn total(&self, number: usize) -> f64 {
        let qty = self.orders[number].line.qty;
        match self.parent(number) {
            Some(p) if self.orders[p].state.is_final() => qty.min(self.orders[p].filled),
            _ => qty,
        }
    }

    /// What the order may fill now.
    pub(super) fn open_quantity(&self, number: usize) -> f64 {
        let order = &self.orders[number];
        let available = match self.parent(number) {
            Some(p) => order.line.qty.min(self.orders[p].filled),
            None => order.line.qty,
        };
        let open = available - order.reduced - order.filled;
        if open < NO_QUANTITY { 0.0 } else { open }
    }

    pub(super) fn is_used_up(&self, number: usize) -> bool {
        self.total(number) - self.orders[number].reduced - self.orders[number].filled < NO_QUANTITY
    }

    /// Ends an order that is not at its end yet, and what hangs on it.
    pub(super) fn end(&mut self, number: usize, state: OrderState, reason: Reason) {
        let order = &mut self.orders[number];
        if order.state.is_final() {
            return;
        }
        order.state = state;
        order.reason = reason;
        let nothing_filled = order.filled == 0.0;
        for child in self.children(number) {
            if nothing_filled {
                self.end(child, OrderState::Canceled, Reason::Parent);
            } else if self.is_used_up(child) {
                self.end_used_up(child);
            }
        }
    }

    fn end_used_up(&mut self, number: usize) {
        if self.orders[number].reduced == 0.0 {
            self.end(number, OrderState::Filled, Reason::Complete);
        } else {
            self.end(number, OrderState::Canceled, Reason::Group);
        }
    }
}
