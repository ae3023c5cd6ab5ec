//! The account, its positions, and what the broker says of the exchange.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::market::Nanos;

/// The account as the broker sees it. Money in dollars.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccountInfo {
    /// The broker's word for the state of the account, such as `ACTIVE`.
    pub status: String,
    /// Settled and unsettled cash.
    pub cash: Decimal,
    /// Cash and positions.
    pub equity: Decimal,
    /// Equity at the last close.
    pub last_equity: Option<Decimal>,
    /// What may be bought for.
    pub buying_power: Decimal,
    /// 1 for cash, 2 for margin, 4 for intraday margin.
    pub multiplier: Option<Decimal>,
    /// Why orders would be refused; empty if they would not.
    pub restrictions: Vec<String>,
    /// Whether selling short is allowed.
    pub shorting_enabled: bool,
    /// Whether the account is marked as a pattern day trader, where the broker says so.
    pub pattern_day_trader: Option<bool>,
    /// Day trades in the last five sessions, where the broker says so.
    pub day_trades: Option<u32>,
}

impl AccountInfo {
    /// Whether orders are accepted.
    pub fn is_tradable(&self) -> bool {
        self.restrictions.is_empty()
    }
}

/// Shares held, negative if short.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Position {
    pub symbol: String,
    /// Signed shares.
    pub qty: Decimal,
    /// Signed shares that no open order holds.
    pub qty_available: Decimal,
    /// Dollars a share.
    pub average_entry_price: Decimal,
    /// Latest price, dollars a share.
    pub current_price: Option<Decimal>,
}

/// The broker's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokerClock {
    pub time: Nanos,
    /// Whether regular trading is on.
    pub is_open: bool,
    pub next_open: Nanos,
    pub next_close: Nanos,
}

/// Regular trading hours of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionHours {
    /// New York date.
    pub date: NaiveDate,
    pub open: Nanos,
    pub close: Nanos,
}

/// A stock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    pub symbol: String,
    pub name: String,
    /// The broker's name of the exchange, such as `NASDAQ`.
    pub exchange: String,
    pub tradable: bool,
    pub marginable: bool,
    /// Whether it can be sold short at all.
    pub shortable: bool,
    /// Whether shares to borrow are at hand.
    pub easy_to_borrow: bool,
    /// Whether fractions of a share can be traded.
    pub fractionable: bool,
}
