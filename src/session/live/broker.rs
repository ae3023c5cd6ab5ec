//! What is asked of a broker, and what it says. An adapter translates both.

use crate::market::Nanos;
use crate::risk::Approved;
use crate::trading::{Order, OrderState};
use serde::{Deserialize, Serialize};

/// What a broker does differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VenueRules {
    /// Shares that an open exit may sell are not available to another one, and orders on both sides of a stock may not be
    /// open at once: exits wait for each other, and for the end of what adds to their position.
    pub exits_hold_shares: bool,
    /// Whether an order for the close may have a fraction of a share. Where not, it goes to the market shortly before.
    pub fractions_at_close: bool,
    /// How long before the close.
    pub close_lead_ms: u32,
    /// From so long before the close on the broker takes no orders for the close: they go to the market instead.
    pub close_cutoff_ms: u32,
}

impl Default for VenueRules {
    /// A broker that takes everything.
    fn default() -> VenueRules {
        VenueRules { exits_hold_shares: false, fractions_at_close: true, close_lead_ms: 60_000, close_cutoff_ms: 0 }
    }
}

/// Something to ask of the broker. Requests are carried out in their order.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Send an order under this id. The answer is a report, a refusal, or that the outcome is not known.
    Submit { client_id: String, instrument: String, order: Approved<Order> },
    /// Cancel an order.
    Cancel { client_id: String },
    /// Ask for an order with its executions. The answer is a report of each execution and of the state, or that the
    /// broker does not know it.
    Resolve { client_id: String },
}

/// What a broker says, or an adapter found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum BrokerEvent {
    /// Something of an order. It may be late, doubled or out of order.
    Report(Report),
    /// The broker refused to take an order: there is none.
    Refused { client_id: String, reason: String },
    /// The answer to a submission was lost. It is being asked for.
    OutcomeUnknown { client_id: String },
    /// It is certain that the broker has never had this order.
    NeverArrived { client_id: String },
    /// The broker was asked and does not know this order now; it may learn of it in a moment.
    NotFound { client_id: String },
    /// The broker refused to cancel.
    CancelRefused { client_id: String, reason: String },
    /// All positions: instrument, signed shares.
    Positions { positions: Vec<(String, f64)> },
    /// Order updates arrive, and everything from before has been reported.
    Up,
    /// Order updates do not arrive.
    Down { reason: String },
}

/// What a broker says of an order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub client_id: String,
    /// By the broker's clock.
    pub time: Nanos,
    #[serde(with = "state_name")]
    pub state: OrderState,
    /// Shares filled so far.
    pub filled: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// One execution.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Execution {
    /// The broker's number.
    pub id: String,
    pub time: Nanos,
    pub qty: f64,
    /// Dollars a share.
    pub price: f64,
    /// Dollars, where the broker tells; otherwise the commission model of the session counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commission: Option<f64>,
    /// Filled quantity of the order with this execution, where the broker tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cumulative: Option<f64>,
}

/// An order state by its name.
mod state_name {
    use crate::trading::OrderState;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const STATES: [OrderState; 11] = [
        OrderState::Created,
        OrderState::Submitting,
        OrderState::Unknown,
        OrderState::Accepted,
        OrderState::Working,
        OrderState::PartiallyFilled,
        OrderState::Filled,
        OrderState::Canceled,
        OrderState::Expired,
        OrderState::Rejected,
        OrderState::Replaced,
    ];

    pub fn serialize<S: Serializer>(state: &OrderState, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(state.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<OrderState, D::Error> {
        let name = String::deserialize(deserializer)?;
        let state = STATES.into_iter().find(|state| state.name() == name);
        state.ok_or_else(|| D::Error::custom(format!("'{name}' is not the state of an order")))
    }
}
