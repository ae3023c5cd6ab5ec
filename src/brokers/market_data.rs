//! Bars, quotes and halts, as brokers report them.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::market::Nanos;

/// How long bars are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum BarSize {
    Minute,
    /// A session; such a bar starts at midnight in New York.
    Day,
}

/// A bar; where nothing else is said, of one minute.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BrokerBar {
    pub symbol: String,
    /// Start of the bar.
    pub start: Nanos,
    pub open: Decimal,
    pub high: Decimal,
    pub low: Decimal,
    pub close: Decimal,
    /// Shares.
    pub volume: Decimal,
    /// Volume-weighted average price, where the broker gives it.
    pub vwap: Option<Decimal>,
}

/// The best bid and offer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quote {
    pub symbol: String,
    pub time: Nanos,
    /// Dollars; zero if there is none.
    pub bid: Decimal,
    /// Dollars; zero if there is none.
    pub ask: Decimal,
    /// In the unit of the broker: shares or round lots.
    pub bid_size: Decimal,
    pub ask_size: Decimal,
}

/// Trading in a stock was halted or resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TradingStatus {
    pub symbol: String,
    pub time: Nanos,
    /// Whether orders trade. A market order must not be sent into a halt.
    pub trading: bool,
    /// The broker's code and words.
    pub code: String,
    pub message: String,
}

/// What is to be reported while it happens.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Watchlist {
    /// Symbols whose bars and halts arrive.
    pub bars: Vec<String>,
    /// Symbols whose quotes arrive; brokers limit their number.
    pub quotes: Vec<String>,
}

/// Bars of the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BarQuery {
    pub symbols: Vec<String>,
    pub size: BarSize,
    /// Bars that start at or after this time ...
    pub from: Nanos,
    /// ... and at or before this one.
    pub to: Nanos,
}
