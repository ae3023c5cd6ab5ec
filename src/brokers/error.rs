//! What a broker can answer instead of what was asked for.

use std::time::Duration;

/// Why an order was refused, as far as brokers agree on reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum RejectClass {
    /// Not enough buying power.
    InsufficientBuyingPower,
    /// More shares than are held, or than open orders leave free.
    InsufficientShares,
    /// An order on the other side is open, and both might trade with each other.
    WashTrade,
    /// The account or the stock cannot be sold short.
    NotShortable,
    /// The stock is not traded here, or trading in it is halted.
    NotTradable,
    /// The stock has no fractions, or not in this kind of order.
    NotFractionable,
    /// More decimals in a price than the exchange allows.
    SubPenny,
    /// There is an order with this client order id.
    DuplicateClientId,
    /// Such orders are not taken at this time of day.
    OutsideHours,
    /// The account may not do this.
    Permission,
    /// The order has ended.
    AlreadyFinal,
    /// Something in the order is not allowed.
    InvalidOrder,
    /// Anything else.
    Other,
}

/// A definite no.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{message}{}", code.map(|code| format!(" (code {code})")).unwrap_or_default())]
pub struct Rejection {
    /// The broker's number, if it gave one.
    pub code: Option<i64>,
    /// The broker's words.
    pub message: String,
    /// What they mean.
    pub class: RejectClass,
}

/// A request that did not get what it asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BrokerError {
    /// The broker said no. There is no such order.
    #[error("rejected: {0}")]
    Rejected(Rejection),
    /// Whether the order exists is not known: the answer was lost, late or not understood. The adapter keeps asking.
    #[error("it is not known what became of order {client_id}: {why}")]
    Unknown { client_id: String, why: String },
    /// Too many requests; nothing was done.
    #[error("too many requests; the broker takes the next one in {} s", .retry_after.as_secs_f64().ceil())]
    RateLimited { retry_after: Duration },
    /// The broker does not accept the credentials, or not for this.
    #[error("the broker refuses the credentials (status {status}): {message}")]
    Auth { status: u16, message: String },
    /// The broker cannot be reached or is out of order; nothing was done.
    #[error("{what}: {why}")]
    Network { what: String, why: String },
    /// The broker answered something that is not in its protocol.
    #[error("{what}: the broker's answer is not understood: {why}")]
    Protocol { what: String, why: String },
    /// The broker does not know it.
    #[error("the broker does not know {0}")]
    NotFound(String),
    /// This broker, or this adapter, cannot do that; nothing was sent.
    #[error("not supported: {0}")]
    Unsupported(String),
}

impl BrokerError {
    /// Whether it is certain that a submitted order does not exist.
    pub fn is_definite(&self) -> bool {
        !matches!(self, BrokerError::Unknown { .. } | BrokerError::Protocol { .. })
    }
}
