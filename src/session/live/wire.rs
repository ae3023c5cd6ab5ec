//! One order at the broker, as we believe it to be.

use super::broker::{Execution, Report};
use crate::market::{Nanos, new_york_date};
use crate::risk::Approved;
use crate::sim::Commission;
use crate::trading::{Order, OrderState, QTY_EPSILON, Side};

/// An order at the broker.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Wire {
    pub client_id: String,
    /// As it is sent.
    pub order: Approved<Order>,
    /// It takes risk away.
    pub exit: bool,
    pub qty: f64,
    /// When it was asked for, by the session's clock.
    pub sent: Nanos,
    /// Submitting: no word of it yet. Final states are the broker's.
    pub state: OrderState,
    /// The broker has spoken of it.
    pub acknowledged: bool,
    /// It never arrived, or was refused, by the broker's word.
    pub lost: bool,
    /// Sum of the executions that were booked.
    pub filled: f64,
    /// The largest filled quantity that was reported.
    reported: f64,
    /// The booked executions in the order in which they arrived.
    pub executions: Vec<Execution>,
    /// A cancel was asked for.
    pub canceling: bool,
    /// Dollars that the booked executions came to, and what they cost by the commission model.
    value: f64,
    fee: f64,
}

/// What a report changes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct News {
    /// To be booked.
    pub execution: Option<Execution>,
    /// It has come back from the dead: it never arrived, and is open.
    pub revived: bool,
}

impl Wire {
    /// A wire that is about to be sent.
    pub fn new(client_id: String, order: Approved<Order>, exit: bool, sent: Nanos) -> Wire {
        Wire {
            client_id,
            order,
            exit,
            qty: order.get().request.qty,
            sent,
            state: OrderState::Submitting,
            acknowledged: false,
            lost: false,
            filled: 0.0,
            reported: 0.0,
            executions: Vec::new(),
            canceling: false,
            value: 0.0,
            fee: 0.0,
        }
    }

    /// Whether it may still fill.
    pub fn is_open(&self) -> bool {
        !self.state.is_final()
    }

    /// Whether it has ended and nothing of it is missing.
    pub fn is_closed(&self) -> bool {
        !self.is_open() && !self.has_missing()
    }

    /// Whether more was reported as filled than executions have arrived.
    pub fn has_missing(&self) -> bool {
        self.reported > self.filled + QTY_EPSILON
    }

    /// Shares that it has filled by the broker's word, booked or not yet.
    pub fn known_filled(&self) -> f64 {
        self.reported.max(self.filled)
    }

    /// Shares that it may still fill.
    pub fn left(&self) -> f64 {
        if self.is_open() { (self.qty - self.known_filled()).max(0.0) } else { 0.0 }
    }

    /// What an execution that has been taken costs: what the broker says, or what the model says of the whole order so
    /// far, less what was counted before.
    pub fn commission(&mut self, execution: &Execution, side: Side, model: &Commission) -> f64 {
        self.value += execution.qty * execution.price;
        let before = self.fee;
        self.fee = match execution.commission {
            Some(told) => before + told,
            None => model.fee(side, self.filled, self.value, new_york_date(execution.time)),
        };
        self.fee - before
    }

    /// Takes a report: an execution is booked once, known by its number or by the filled quantity that it led to
    /// (brokers number one execution differently in a stream and in their records), and never beyond what is
    /// reported as filled; the filled quantity only grows; a state goes forward only, and a final one is never left.
    pub fn take(&mut self, report: &Report) -> News {
        let revived = self.lost && !report.state.is_final();
        if self.lost {
            // It exists: what was concluded from its absence is void.
            (self.lost, self.state) = (false, OrderState::Accepted);
        }
        self.acknowledged = true;
        self.reported = self.reported.max(report.filled);
        let same = |a: Option<f64>, b: Option<f64>| matches!((a, b), (Some(a), Some(b)) if (a - b).abs() < QTY_EPSILON);
        let is_known = |e: &Execution| {
            self.executions.iter().any(|known| known.id == e.id || same(known.cumulative, e.cumulative))
        };
        let fits = |e: &Execution| {
            let told = self.reported.max(e.cumulative.unwrap_or(0.0));
            told == 0.0 || self.filled + e.qty <= told + QTY_EPSILON
        };
        let is_new = |e: &&Execution| e.qty > 0.0 && e.price > 0.0 && !is_known(e) && fits(e);
        let execution = report.execution.as_ref().filter(is_new).cloned();
        if let Some(execution) = &execution {
            self.executions.push(execution.clone());
            self.filled += execution.qty;
            self.reported = self.reported.max(self.filled);
        }
        if self.is_open() && rank(report.state) > rank(self.state) {
            self.state = report.state;
        }
        if self.is_open() && self.filled >= self.qty - QTY_EPSILON {
            self.state = OrderState::Filled;
        }
        News { execution, revived }
    }
}

/// How far an order has come.
fn rank(state: OrderState) -> u8 {
    match state {
        OrderState::Created => 0,
        OrderState::Submitting => 1,
        OrderState::Unknown => 2,
        OrderState::Accepted => 3,
        OrderState::Working => 4,
        OrderState::PartiallyFilled => 5,
        _ => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::market::SymbolId;
    use crate::risk::{Limits, RiskDesk};
    use crate::trading::{OrderId, OrderRequest};

    fn report(state: OrderState, filled: f64, execution: Option<(&str, f64)>) -> Report {
        let execution = execution.map(|(id, qty)| Execution {
            id: id.to_string(),
            time: 0,
            qty,
            price: 10.0,
            commission: None,
            cumulative: None,
        });
        Report { client_id: "s-0".to_string(), time: 0, state, filled, execution, reason: None }
    }

    fn wire() -> Wire {
        let request = OrderRequest::market(SymbolId(0), Side::Buy, 10.0, "test");
        let order = Order { id: OrderId(0), strategy: 0, request, decided: 0, symbol_number: 0, liquidates: false };
        let order = RiskDesk::new(Limits::default(), vec![false]).approve_liquidation(order).unwrap();
        Wire::new("s-0".to_string(), order, false, 0)
    }

    #[test]
    fn an_execution_is_booked_once_and_a_state_never_goes_back() {
        let mut wire = wire();
        assert!(wire.take(&report(OrderState::PartiallyFilled, 4.0, Some(("a", 4.0)))).execution.is_some());
        assert!(wire.take(&report(OrderState::PartiallyFilled, 4.0, Some(("a", 4.0)))).execution.is_none());
        wire.take(&report(OrderState::Working, 0.0, None));
        assert_eq!((wire.state, wire.filled, wire.left()), (OrderState::PartiallyFilled, 4.0, 6.0));
        wire.take(&report(OrderState::Filled, 10.0, Some(("b", 6.0))));
        wire.take(&report(OrderState::Canceled, 4.0, None));
        assert_eq!((wire.state, wire.is_closed()), (OrderState::Filled, true));
    }

    #[test]
    fn an_end_with_missing_executions_is_not_closed_until_they_are_there() {
        let mut wire = wire();
        wire.take(&report(OrderState::Canceled, 7.0, None));
        assert!(!wire.is_open() && wire.has_missing() && !wire.is_closed());
        assert_eq!(wire.left(), 0.0);
        wire.take(&report(OrderState::Canceled, 7.0, Some(("a", 3.0))));
        assert!(!wire.is_closed());
        wire.take(&report(OrderState::Canceled, 7.0, Some(("b", 4.0))));
        assert!(wire.is_closed());
        // And one that nobody had announced.
        assert!(wire.take(&report(OrderState::Canceled, 8.0, Some(("c", 1.0)))).execution.is_some());
        assert_eq!((wire.filled, wire.state), (8.0, OrderState::Canceled));
    }

    #[test]
    fn one_execution_under_two_numbers_is_booked_once() {
        let mut wire = wire();
        let mut first = report(OrderState::PartiallyFilled, 4.0, Some(("stream-1", 4.0)));
        first.execution.as_mut().unwrap().cumulative = Some(4.0);
        wire.take(&first);
        let mut again = report(OrderState::Filled, 10.0, Some(("records-9", 4.0)));
        again.execution.as_mut().unwrap().cumulative = Some(4.0);
        assert!(wire.take(&again).execution.is_none());
        // Without that quantity the sum tells: 4 and 4 are more than 4.
        let mut wire = self::wire();
        wire.take(&report(OrderState::PartiallyFilled, 4.0, Some(("a", 4.0))));
        assert!(wire.take(&report(OrderState::PartiallyFilled, 4.0, Some(("b", 4.0)))).execution.is_none());
    }

    #[test]
    fn executions_alone_fill_an_order() {
        let mut wire = wire();
        // A broker that tells executions only.
        wire.take(&report(OrderState::Accepted, 0.0, Some(("a", 10.0))));
        assert_eq!((wire.state, wire.is_closed()), (OrderState::Filled, true));
    }

    #[test]
    fn what_never_arrived_can_come_back() {
        let mut wire = wire();
        (wire.lost, wire.state) = (true, OrderState::Rejected);
        assert!(wire.take(&report(OrderState::Working, 0.0, None)).revived);
        assert_eq!((wire.state, wire.lost), (OrderState::Working, false));
        let mut wire = self::wire();
        (wire.lost, wire.state) = (true, OrderState::Rejected);
        let news = wire.take(&report(OrderState::Filled, 10.0, Some(("a", 10.0))));
        assert!(!news.revived && news.execution.is_some() && wire.state == OrderState::Filled);
    }
}
