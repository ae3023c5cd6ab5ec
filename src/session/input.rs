//! What goes into a session. An input is everything that a session learns: it is written to the journal as it is.

use super::live::BrokerEvent;
use crate::market::{Bar, Nanos, NewBar, QuoteBar, SymbolId};
use serde::{Deserialize, Serialize};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Input {
    /// A bar has ended.
    Bar(BarInput),
    /// The volatility index at an instant.
    Vix { time: Nanos, close: f64 },
    /// The clock.
    Timer { time: Nanos },
    /// Whether bars arrive from now on; if not, why.
    MarketData {
        time: Nanos,
        up: bool,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Trading in a symbol was halted, or goes on. Index into the symbols of the session.
    Halt { time: Nanos, symbol: u32, halted: bool },
    /// The broker said something.
    Broker { time: Nanos, broker: BrokerEvent },
    /// Somebody asked for something.
    Command { time: Nanos, command: Command },
}

impl Input {
    /// When it happened or arrived, UTC nanoseconds.
    pub fn time(&self) -> Nanos {
        match self {
            Input::Bar(bar) => bar.time,
            Input::Vix { time, .. }
            | Input::Timer { time }
            | Input::MarketData { time, .. }
            | Input::Halt { time, .. }
            | Input::Broker { time, .. }
            | Input::Command { time, .. } => *time,
        }
    }
}

/// A bar as it came from the source of market data.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BarInput {
    /// When it arrived.
    pub time: Nanos,
    /// Index into the symbols of the session.
    pub symbol: u32,
    /// Start of its span.
    pub start: Nanos,
    pub open: f64,
    pub high: f64,
    pub low: f64,
    pub close: f64,
    pub volume: f64,
    /// Bid open, high, low, close, then ask; where a side is absent, nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote: Option<[Option<f64>; 8]>,
}

impl BarInput {
    /// A bar that arrived at `time`.
    pub fn new(time: Nanos, bar: &NewBar) -> BarInput {
        let known = |price: f64| Some(price).filter(|price| price.is_finite());
        BarInput {
            time,
            symbol: bar.symbol.0,
            start: bar.start,
            open: bar.bar.open,
            high: bar.bar.high,
            low: bar.bar.low,
            close: bar.bar.close,
            volume: bar.bar.volume,
            quote: bar.quote.map(|q| {
                let sides = [q.bid_open, q.bid_high, q.bid_low, q.bid_close, q.ask_open, q.ask_high, q.ask_low];
                let mut quote = [None; 8];
                for (slot, price) in quote.iter_mut().zip(sides.into_iter().chain([q.ask_close])) {
                    *slot = known(price);
                }
                quote
            }),
        }
    }

    /// Whether prices and volume are what a bar can have.
    pub fn is_valid(&self) -> bool {
        let prices = [self.open, self.high, self.low, self.close];
        let (high, low) = (self.open.max(self.close), self.open.min(self.close));
        prices.iter().all(|price| price.is_finite() && *price > 0.0)
            && self.high >= high
            && self.low <= low
            && self.volume.is_finite()
            && self.volume >= 0.0
    }

    /// The bar for the market.
    pub fn bar(&self) -> NewBar {
        let price = |side: &Option<f64>| side.unwrap_or(f64::NAN);
        NewBar {
            symbol: SymbolId(self.symbol),
            start: self.start,
            bar: Bar { open: self.open, high: self.high, low: self.low, close: self.close, volume: self.volume },
            quote: self.quote.as_ref().map(|q| QuoteBar {
                bid_open: price(&q[0]),
                bid_high: price(&q[1]),
                bid_low: price(&q[2]),
                bid_close: price(&q[3]),
                ask_open: price(&q[4]),
                ask_high: price(&q[5]),
                ask_low: price(&q[6]),
                ask_close: price(&q[7]),
            }),
        }
    }
}

/// What somebody can ask of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Begin.
    Start,
    /// Enter nothing more, close what is open, end.
    Stop,
    /// The kill switch: cancel and close everything at once.
    Kill,
    /// Send an order that waits for confirmation.
    Confirm { order: u32 },
    /// Drop an order that waits for confirmation.
    Decline { order: u32 },
    /// DISABLE_ALL_TRADES and DEFENSE_MODE_ACTIVE from now on.
    Controls { disable_all_trades: bool, defense_mode: bool },
    /// The recorded data end here: what is still open is cancelled, as at the end of a backtest.
    EndOfData,
}
