//! What brokers say of an order.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::market::Nanos;
use crate::trading::{OrderState, Side};

/// A request under way, or a rest over night, on top of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Overlay {
    PendingCancel,
    PendingReplace,
    /// No more executions today; the order goes on tomorrow.
    DoneForDay,
}

/// A broker's status word in common terms.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// The order is in this state.
    State(OrderState),
    /// Something on top of the state, which stays as it was.
    Overlay(Overlay),
    /// A request was refused: its overlay ends, the state stays as it was.
    RequestRefused,
    /// A word that is not in the table: nothing is concluded from it.
    Unknown(String),
}

/// How a report was obtained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// It arrived by itself; it may be late, doubled or out of order.
    Stream,
    /// It answers a question: the broker's records, which win.
    Records,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutionReport {
    /// The broker's number. The same execution may have another number in a stream than in the records.
    pub id: String,
    pub time: Nanos,
    /// Shares, positive.
    pub qty: Decimal,
    /// Dollars a share.
    pub price: Decimal,
    /// Filled quantity of the order with this execution, where the broker tells.
    pub cumulative: Option<Decimal>,
}

/// What a broker says of an order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReport {
    /// The id that its sender gave it: ours, or anything if the order is not ours.
    pub client_id: String,
    /// The broker's own number.
    pub broker_id: String,
    pub symbol: String,
    pub side: Side,
    /// Shares ordered; `None` for an order of an amount of dollars.
    pub qty: Option<Decimal>,
    pub status: Status,
    /// Shares filled so far.
    pub filled: Decimal,
    /// Dollars a share over all executions so far.
    pub average_price: Option<Decimal>,
    /// The execution that this report is about.
    pub execution: Option<ExecutionReport>,
    /// When the broker received the order, by its clock; 0 if it does not say.
    pub submitted: Nanos,
    /// When what is said here happened, by the broker's clock; 0 if it does not say.
    pub time: Nanos,
    /// The broker's words, if it gave a reason.
    pub reason: Option<String>,
    /// The broker's number of the order that took its place.
    pub replaced_by: Option<String>,
    /// The broker's number of the order whose place it took.
    pub replaces: Option<String>,
    pub source: Source,
}

/// Something new of an order: what was said, and what the order is after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderUpdate {
    pub state: OrderState,
    pub overlay: Option<Overlay>,
    /// Shares that are reported as filled and of which no execution has arrived yet.
    pub missing: Decimal,
    /// What was said; its execution, if there is one, has not been reported before.
    pub report: OrderReport,
}
