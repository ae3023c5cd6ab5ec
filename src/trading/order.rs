//! Orders, their types and the state machine that simulated and live venues share.

use crate::market::{Nanos, SymbolId};
use serde::{Deserialize, Serialize};

/// Number of an order within a run, from 0 in order of submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u32);

impl OrderId {
    /// Stands for what opened a position that was there before the first order.
    pub const BEFORE: OrderId = OrderId(u32::MAX);
}

/// Buy or sell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Side {
    Buy,
    Sell,
}

impl Side {
    /// +1 for a buy, -1 for a sell.
    #[inline]
    pub fn sign(self) -> f64 {
        match self {
            Side::Buy => 1.0,
            Side::Sell => -1.0,
        }
    }

    /// The other side.
    pub fn opposite(self) -> Side {
        match self {
            Side::Buy => Side::Sell,
            Side::Sell => Side::Buy,
        }
    }

    /// `buy` or `sell`.
    pub fn name(self) -> &'static str {
        match self {
            Side::Buy => "buy",
            Side::Sell => "sell",
        }
    }
}

/// Distance of a trailing stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Trail {
    /// Dollars.
    Amount(f64),
    /// Percent of the best price: 2.0 is two percent.
    Percent(f64),
}

/// Order type with its prices in dollars.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum OrderKind {
    Market,
    Limit {
        limit: f64,
    },
    Stop {
        stop: f64,
    },
    StopLimit {
        stop: f64,
        limit: f64,
    },
    /// `stop` is where it starts; without it, `trail` away from the price at which it comes into the market.
    TrailingStop {
        trail: Trail,
        stop: Option<f64>,
    },
    MarketOnOpen,
    MarketOnClose,
}

/// Order type without prices, as named in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrderType {
    Market,
    Limit,
    Stop,
    StopLimit,
    TrailingStop,
    MarketOnOpen,
    MarketOnClose,
}

impl OrderType {
    /// Every type.
    pub const ALL: [OrderType; 7] = [
        OrderType::Market,
        OrderType::Limit,
        OrderType::Stop,
        OrderType::StopLimit,
        OrderType::TrailingStop,
        OrderType::MarketOnOpen,
        OrderType::MarketOnClose,
    ];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            OrderType::Market => "market",
            OrderType::Limit => "limit",
            OrderType::Stop => "stop",
            OrderType::StopLimit => "stop_limit",
            OrderType::TrailingStop => "trailing_stop",
            OrderType::MarketOnOpen => "market_on_open",
            OrderType::MarketOnClose => "market_on_close",
        }
    }
}

impl OrderKind {
    /// The type of the order.
    pub fn order_type(&self) -> OrderType {
        match self {
            OrderKind::Market => OrderType::Market,
            OrderKind::Limit { .. } => OrderType::Limit,
            OrderKind::Stop { .. } => OrderType::Stop,
            OrderKind::StopLimit { .. } => OrderType::StopLimit,
            OrderKind::TrailingStop { .. } => OrderType::TrailingStop,
            OrderKind::MarketOnOpen => OrderType::MarketOnOpen,
            OrderKind::MarketOnClose => OrderType::MarketOnClose,
        }
    }

    /// The limit price, if the type has one.
    pub fn limit(&self) -> Option<f64> {
        match *self {
            OrderKind::Limit { limit } | OrderKind::StopLimit { limit, .. } => Some(limit),
            _ => None,
        }
    }

    /// The stop price, if the type has a fixed one.
    pub fn stop(&self) -> Option<f64> {
        match *self {
            OrderKind::Stop { stop } | OrderKind::StopLimit { stop, .. } => Some(stop),
            OrderKind::TrailingStop { stop, .. } => stop,
            _ => None,
        }
    }
}

/// How long an order stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Until the close of its session.
    Day,
    /// Until filled or cancelled.
    Gtc,
    /// What fills at once; the rest is cancelled.
    Ioc,
    /// All at once or nothing.
    Fok,
    /// At the session's open only.
    Opg,
    /// At the session's close only.
    Cls,
}

impl TimeInForce {
    /// Every time in force.
    pub const ALL: [TimeInForce; 6] =
        [TimeInForce::Day, TimeInForce::Gtc, TimeInForce::Ioc, TimeInForce::Fok, TimeInForce::Opg, TimeInForce::Cls];

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            TimeInForce::Day => "day",
            TimeInForce::Gtc => "gtc",
            TimeInForce::Ioc => "ioc",
            TimeInForce::Fok => "fok",
            TimeInForce::Opg => "opg",
            TimeInForce::Cls => "cls",
        }
    }
}

/// State of an order, the same for simulated and live venues.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderState {
    /// Decided, not yet sent.
    Created,
    /// On its way to the venue.
    Submitting,
    /// Sent, outcome not known (live venues only).
    Unknown,
    /// Known to the venue but not in the market: a held bracket leg.
    Accepted,
    /// In the market.
    Working,
    /// Some of the quantity is filled.
    PartiallyFilled,
    Filled,
    Canceled,
    Expired,
    Rejected,
    /// Superseded by a changed order.
    Replaced,
}

impl OrderState {
    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            OrderState::Created => "Created",
            OrderState::Submitting => "Submitting",
            OrderState::Unknown => "Unknown",
            OrderState::Accepted => "Accepted",
            OrderState::Working => "Working",
            OrderState::PartiallyFilled => "PartiallyFilled",
            OrderState::Filled => "Filled",
            OrderState::Canceled => "Canceled",
            OrderState::Expired => "Expired",
            OrderState::Rejected => "Rejected",
            OrderState::Replaced => "Replaced",
        }
    }

    /// Whether no further change is possible.
    pub fn is_final(self) -> bool {
        use OrderState::*;
        matches!(self, Filled | Canceled | Expired | Rejected | Replaced)
    }
}

/// What a strategy asks for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderRequest {
    pub symbol: SymbolId,
    pub side: Side,
    /// Shares, positive.
    pub qty: f64,
    pub kind: OrderKind,
    pub tif: TimeInForce,
    /// Orders of one group: a fill of one reduces the others.
    pub oco: Option<u32>,
    /// Held until this order fills.
    pub parent: Option<OrderId>,
    /// Why, for orders.csv and trades.csv ("breakout", "stop", "window end").
    pub reason: &'static str,
}

impl OrderRequest {
    /// A market day order.
    pub fn market(symbol: SymbolId, side: Side, qty: f64, reason: &'static str) -> OrderRequest {
        OrderRequest {
            symbol,
            side,
            qty,
            kind: OrderKind::Market,
            tif: TimeInForce::Day,
            oco: None,
            parent: None,
            reason,
        }
    }
}

/// An order as risk approved it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Order {
    pub id: OrderId,
    pub strategy: u16,
    pub request: OrderRequest,
    /// The instant of the decision.
    pub decided: Nanos,
    /// Number of this order among the orders of its symbol, from 0: the key of its random draws.
    pub symbol_number: u32,
    /// It closes what its strategy holds because a limit was reached: whatever another order of the strategy
    /// closes before it is taken from it, so that it never turns the position.
    pub liquidates: bool,
}

/// New values for a working order; `None` leaves a value as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct OrderChange {
    pub qty: Option<f64>,
    pub limit: Option<f64>,
    pub stop: Option<f64>,
}

/// Everything about an order but its events.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderRecord {
    pub order: Order,
    pub state: OrderState,
    pub filled: f64,
    /// Some bar would have filled it differently under the other order of extremes.
    pub ambiguous: bool,
}

/// One state change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OrderEvent {
    pub id: OrderId,
    pub time: Nanos,
    pub state: OrderState,
    /// Filled so far.
    pub filled: f64,
    pub reason: &'static str,
}
