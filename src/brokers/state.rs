//! The order-state machine that all brokers share.
//!
//! `Created -> Submitting -> (Unknown) -> Accepted -> Working -> PartiallyFilled -> Filled | Canceled | Expired |
//! Rejected | Replaced`, with the overlays [`Overlay`].
//!
//! 1. The filled quantity only grows.
//! 2. Each execution is booked once: it is known by its number, or by the filled quantity that it led to, and
//!    executions never add up to more than the order is reported to have filled. Positions and ledger follow
//!    executions, never states.
//! 3. A final state is never left. An execution that arrives after it is booked all the same.
//! 4. Reports out of order are normal. A stream moves the state forward only.
//! 5. The broker's records win over what a stream said, except where that would break rules 1 to 3.
//!
//! Sources: ib_async and Lean have booked fills twice, or overwritten `Filled` by a late `Submitted`
//! (QuantConnect/Lean#1799); executions after `Canceled` happen (pst-group/pysystemtrade#1580); executions of one
//! millisecond are listed out of order (alpacahq/Alpaca-API#170).

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::report::{ExecutionReport, OrderReport, Overlay, Source, Status};
use super::{ClientOrderId, OrderTicket};
use crate::market::Nanos;
use crate::trading::{OrderState, Side};

/// What is known of one order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackedOrder {
    pub client_id: String,
    /// The broker's number, once it is known.
    pub broker_id: Option<String>,
    pub symbol: String,
    pub side: Side,
    /// Shares ordered.
    pub qty: Option<Decimal>,
    pub state: OrderState,
    pub overlay: Option<Overlay>,
    /// The largest filled quantity that was reported; executions may still be missing.
    pub filled: Decimal,
    /// The executions that were booked, in the order in which they arrived.
    pub executions: Vec<ExecutionReport>,
    /// When it was sent, by our clock; by the broker's, if it is not ours.
    pub sent: Nanos,
    /// Time of the latest report.
    pub updated: Nanos,
    /// The broker's number of the order that took its place.
    pub replaced_by: Option<String>,
}

/// What was new in a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// State, overlay, filled quantity or executions differ from before.
    pub changed: bool,
    /// The state after the report.
    pub state: OrderState,
    pub overlay: Option<Overlay>,
    /// The execution, if it is to be booked.
    pub execution: Option<ExecutionReport>,
    /// Shares that are reported as filled and of which no execution has arrived.
    pub missing: Decimal,
}

impl TrackedOrder {
    /// Shares of the booked executions.
    pub fn booked(&self) -> Decimal {
        self.executions.iter().map(|execution| execution.qty).sum()
    }

    /// Shares that are reported as filled and of which no execution has arrived.
    pub fn missing(&self) -> Decimal {
        (self.filled - self.booked()).max(Decimal::ZERO)
    }

    /// Takes a report by the rules of this module.
    pub fn apply(&mut self, report: &OrderReport) -> Applied {
        let before = (self.state, self.overlay, self.filled, self.executions.len());
        if self.broker_id.is_none() && !report.broker_id.is_empty() {
            self.broker_id = Some(report.broker_id.clone());
        }
        if report.qty.is_some() {
            self.qty = report.qty;
        }
        if report.replaced_by.is_some() {
            self.replaced_by.clone_from(&report.replaced_by);
        }
        self.updated = self.updated.max(report.time);
        self.filled = self.filled.max(report.filled);
        let execution = report.execution.as_ref().filter(|execution| self.book(execution, report.filled)).cloned();
        self.take_status(report);
        let after = (self.state, self.overlay, self.filled, self.executions.len());
        let (state, overlay) = (self.state, self.overlay);
        Applied { changed: before != after, state, overlay, execution, missing: self.missing() }
    }

    /// Books an execution unless it is known. `reported` is the filled quantity of the report that it came with.
    fn book(&mut self, execution: &ExecutionReport, reported: Decimal) -> bool {
        let is_known = self.executions.iter().any(|known| {
            known.id == execution.id || (known.cumulative.is_some() && known.cumulative == execution.cumulative)
        });
        let told = reported.max(execution.cumulative.unwrap_or_default());
        self.filled = self.filled.max(told);
        let booked = self.booked() + execution.qty;
        // Whoever tells a filled quantity counts this execution in it.
        let exceeds = told > Decimal::ZERO && booked > self.filled;
        if is_known || exceeds || execution.qty <= Decimal::ZERO {
            return false;
        }
        self.filled = self.filled.max(booked);
        self.executions.push(execution.clone());
        true
    }

    fn take_status(&mut self, report: &OrderReport) {
        if self.state.is_final() {
            return;
        }
        // Whatever is said of an order, the broker has it.
        if rank(self.state) < rank(OrderState::Accepted) {
            self.state = OrderState::Accepted;
        }
        match &report.status {
            Status::State(state) if state.is_final() => {
                self.state = *state;
                self.overlay = None;
            }
            Status::State(state) => match report.source {
                Source::Records => {
                    self.state = if rank(*state) < rank(OrderState::Accepted) { OrderState::Accepted } else { *state };
                    self.overlay = None;
                }
                Source::Stream if rank(*state) > rank(self.state) => self.state = *state,
                Source::Stream => {}
            },
            Status::Overlay(overlay) => self.overlay = Some(*overlay),
            Status::RequestRefused => self.overlay = None,
            Status::Unknown(_) => {}
        }
        if self.state.is_final() || self.filled == Decimal::ZERO {
            return;
        }
        if self.qty.is_some_and(|qty| self.filled >= qty) {
            self.state = OrderState::Filled;
            self.overlay = None;
        } else {
            self.state = OrderState::PartiallyFilled;
        }
    }
}

/// How far a state that is not final has come.
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

/// All orders that are known, by client order id.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderBook {
    orders: BTreeMap<String, TrackedOrder>,
    /// Client ids by the broker's numbers.
    by_broker_id: BTreeMap<String, String>,
}

impl OrderBook {
    /// An empty book.
    pub fn new() -> OrderBook {
        OrderBook::default()
    }

    /// A book of these orders.
    pub fn of(orders: impl IntoIterator<Item = TrackedOrder>) -> OrderBook {
        let orders = orders.into_iter().map(|order| (order.client_id.clone(), order)).collect();
        OrderBook { orders, by_broker_id: BTreeMap::new() }
    }

    /// An order is about to be sent.
    pub fn submitting(&mut self, ticket: &OrderTicket, now: Nanos) {
        self.orders.entry(ticket.client_id().to_string()).or_insert_with(|| TrackedOrder {
            client_id: ticket.client_id().to_string(),
            broker_id: None,
            symbol: ticket.symbol().to_string(),
            side: ticket.side(),
            qty: Some(ticket.qty()),
            state: OrderState::Submitting,
            overlay: None,
            filled: Decimal::ZERO,
            executions: Vec::new(),
            sent: now,
            updated: now,
            replaced_by: None,
        });
    }

    /// An order is about to be replaced: the one that takes its place is expected.
    pub fn submitting_replacement(
        &mut self,
        old: &ClientOrderId,
        new: &ClientOrderId,
        qty: Option<Decimal>,
        now: Nanos,
    ) {
        let Some(old) = self.orders.get(old.as_str()) else { return };
        let new_order = TrackedOrder {
            client_id: new.to_string(),
            broker_id: None,
            qty: qty.or(old.qty),
            state: OrderState::Submitting,
            overlay: None,
            filled: Decimal::ZERO,
            executions: Vec::new(),
            sent: now,
            updated: now,
            replaced_by: None,
            ..old.clone()
        };
        self.orders.entry(new.to_string()).or_insert(new_order);
    }

    /// The outcome of sending an order is not known. Changes nothing if the broker has spoken of the order since.
    pub fn outcome_unknown(&mut self, id: &ClientOrderId) {
        if let Some(order) = self.orders.get_mut(id.as_str())
            && rank(order.state) < rank(OrderState::Unknown)
        {
            order.state = OrderState::Unknown;
        }
    }

    /// Whoever sent orders has stopped: what became of those under way is not known.
    pub fn all_submitting_are_unknown(&mut self) {
        for order in self.orders.values_mut().filter(|order| order.state == OrderState::Submitting) {
            order.state = OrderState::Unknown;
        }
    }

    /// It is certain that the broker has no such order: it is forgotten, and may be sent again. Changes nothing if the
    /// broker has spoken of the order otherwise.
    pub fn not_sent(&mut self, id: &ClientOrderId) {
        if self.orders.get(id.as_str()).is_some_and(|order| rank(order.state) < rank(OrderState::Accepted)) {
            self.orders.remove(id.as_str());
        }
    }

    /// Takes a report. An order that is not known yet is entered: others may use the account, too.
    pub fn apply(&mut self, report: &OrderReport) -> Applied {
        let key = self.key(report);
        let is_new = !self.orders.contains_key(&key);
        let order = self.orders.entry(key.clone()).or_insert_with(|| TrackedOrder {
            client_id: report.client_id.clone(),
            broker_id: None,
            symbol: report.symbol.clone(),
            side: report.side,
            qty: report.qty,
            state: OrderState::Submitting,
            overlay: None,
            filled: Decimal::ZERO,
            executions: Vec::new(),
            sent: report.submitted,
            updated: report.time,
            replaced_by: None,
        });
        let mut applied = order.apply(report);
        applied.changed |= is_new;
        if !report.broker_id.is_empty() {
            self.by_broker_id.entry(report.broker_id.clone()).or_insert(key);
        }
        applied
    }

    /// Under what an order is kept: its client id, or the broker's number if it has none.
    fn key(&self, report: &OrderReport) -> String {
        match report.client_id.as_str() {
            "" => self.by_broker_id.get(&report.broker_id).cloned().unwrap_or_else(|| format!("#{}", report.broker_id)),
            id => id.to_string(),
        }
    }

    /// The order of a client order id.
    pub fn get(&self, client_id: &str) -> Option<&TrackedOrder> {
        self.orders.get(client_id)
    }

    /// The order of a broker's number.
    pub fn by_broker_id(&self, broker_id: &str) -> Option<&TrackedOrder> {
        self.orders.get(self.by_broker_id.get(broker_id)?)
    }

    /// All orders, by client order id.
    pub fn iter(&self) -> impl Iterator<Item = &TrackedOrder> {
        self.orders.values()
    }

    /// Orders of which something may still come: not ended, or with executions missing.
    pub fn pending(&self) -> impl Iterator<Item = &TrackedOrder> {
        self.iter().filter(|order| !order.state.is_final() || order.missing() > Decimal::ZERO)
    }
}

#[cfg(test)]
mod tests;
