//! Alpaca's messages. Whatever is not needed may be missing, and numbers may be texts or numbers.

use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::words;
use crate::brokers::{
    AccountInfo, Asset, BrokerBar, ExecutionReport, OrderReport, Position, Quote, Source, TradingStatus,
};
use crate::market::{Nanos, parse_time};
use crate::trading::Side;

/// Numbers are smaller than this, 10^15, so that no sum of them overflows.
const LARGEST: Decimal = Decimal::from_parts(0xA4C6_8000, 0x0003_8D7E, 0, false, 0);

/// A decimal from a text or from the digits of a number.
fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
    optional_decimal(deserializer)?.ok_or_else(|| serde::de::Error::custom("null, expected a number"))
}

/// As [`decimal`]; `None` for null and for an empty text.
fn optional_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw).trim();
    if matches!(text, "null" | "") {
        return Ok(None);
    }
    Decimal::from_str(text)
        .or_else(|_| Decimal::from_scientific(text))
        .ok()
        .filter(|number| number.abs() < LARGEST)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format!("{raw}, expected a number below {LARGEST}")))
}

/// A time; 0 if there is none. A time that cannot be read must not lose an order.
fn time_of(texts: &[&Option<String>]) -> Nanos {
    texts.iter().find_map(|text| parse_time(text.as_deref()?).ok()).unwrap_or(0)
}

fn side(word: &str) -> Side {
    // `sell_short` has been a word of this interface; anything that is not a buy reduces or sells.
    if word.eq_ignore_ascii_case("buy") { Side::Buy } else { Side::Sell }
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct WireOrder {
    pub(super) id: String,
    #[serde(default)]
    pub(super) client_order_id: Option<String>,
    #[serde(default)]
    pub(super) symbol: Option<String>,
    #[serde(default)]
    pub(super) side: Option<String>,
    #[serde(default, deserialize_with = "optional_decimal")]
    pub(super) qty: Option<Decimal>,
    #[serde(default, deserialize_with = "optional_decimal")]
    filled_qty: Option<Decimal>,
    #[serde(default, deserialize_with = "optional_decimal")]
    filled_avg_price: Option<Decimal>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    pub(super) submitted_at: Option<String>,
    #[serde(default)]
    created_at: Option<String>,
    #[serde(default)]
    updated_at: Option<String>,
    #[serde(default)]
    replaced_by: Option<String>,
    #[serde(default)]
    replaces: Option<String>,
    /// Legs of a bracket, which are orders of their own.
    #[serde(default)]
    pub(super) legs: Option<Vec<WireOrder>>,
}

impl WireOrder {
    /// When it was sent.
    pub(super) fn submitted(&self) -> Nanos {
        time_of(&[&self.submitted_at, &self.created_at])
    }

    /// The order as the records have it.
    pub(super) fn report(&self) -> OrderReport {
        OrderReport {
            client_id: self.client_order_id.clone().unwrap_or_default(),
            broker_id: self.id.clone(),
            symbol: self.symbol.clone().unwrap_or_default(),
            side: side(self.side.as_deref().unwrap_or_default()),
            qty: self.qty,
            status: words::status(self.status.as_deref().unwrap_or_default()),
            filled: self.filled_qty.unwrap_or_default(),
            average_price: self.filled_avg_price,
            execution: None,
            submitted: self.submitted(),
            time: time_of(&[&self.updated_at, &self.submitted_at, &self.created_at]),
            reason: None,
            replaced_by: self.replaced_by.clone(),
            replaces: self.replaces.clone(),
            source: Source::Records,
        }
    }
}

/// `data` of a message of the stream `trade_updates`.
#[derive(Debug, Deserialize)]
pub(super) struct WireUpdate {
    pub(super) event: String,
    #[serde(default)]
    execution_id: Option<String>,
    order: WireOrder,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default, deserialize_with = "optional_decimal")]
    price: Option<Decimal>,
    #[serde(default, deserialize_with = "optional_decimal")]
    qty: Option<Decimal>,
    #[serde(default)]
    reason: Option<String>,
}

impl WireUpdate {
    /// The event as a report. Only `fill` and `partial_fill` carry an execution; price and quantity are its own.
    pub(super) fn report(&self) -> OrderReport {
        let record = self.order.report();
        let time = match time_of(&[&self.timestamp]) {
            0 => record.time,
            time => time,
        };
        let execution = match (self.event.as_str(), self.price, self.qty) {
            ("fill" | "partial_fill", Some(price), Some(qty)) => Some(ExecutionReport {
                id: self.execution_id.clone().unwrap_or_else(|| format!("{}@{}", record.broker_id, record.filled)),
                time,
                qty,
                price,
                cumulative: (record.filled > Decimal::ZERO).then_some(record.filled),
            }),
            _ => None,
        };
        let reason = self.reason.clone();
        OrderReport { status: words::event(&self.event), execution, time, reason, source: Source::Stream, ..record }
    }
}

/// An entry of the account's activities of type FILL.
#[derive(Debug, Deserialize)]
pub(super) struct WireActivity {
    /// `yyyymmddHHMMSSmmm::uuid`.
    pub(super) id: String,
    #[serde(default)]
    transaction_time: Option<String>,
    #[serde(deserialize_with = "decimal")]
    price: Decimal,
    #[serde(deserialize_with = "decimal")]
    qty: Decimal,
    #[serde(default, deserialize_with = "optional_decimal")]
    cum_qty: Option<Decimal>,
    pub(super) order_id: String,
}

impl WireActivity {
    /// The execution. Its number is the second half of the activity's.
    pub(super) fn execution(&self) -> ExecutionReport {
        let id = self.id.rsplit_once("::").map_or(self.id.as_str(), |(_, id)| id);
        let cumulative = self.cum_qty.filter(|qty| *qty > Decimal::ZERO);
        let time = time_of(&[&self.transaction_time]);
        ExecutionReport { id: id.to_string(), time, qty: self.qty, price: self.price, cumulative }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireAccount {
    #[serde(default)]
    status: String,
    #[serde(deserialize_with = "decimal")]
    cash: Decimal,
    #[serde(deserialize_with = "decimal")]
    equity: Decimal,
    #[serde(default, deserialize_with = "optional_decimal")]
    last_equity: Option<Decimal>,
    #[serde(deserialize_with = "decimal")]
    buying_power: Decimal,
    #[serde(default, deserialize_with = "optional_decimal")]
    multiplier: Option<Decimal>,
    #[serde(default)]
    trading_blocked: bool,
    #[serde(default)]
    account_blocked: bool,
    #[serde(default)]
    trade_suspended_by_user: bool,
    #[serde(default)]
    shorting_enabled: bool,
    #[serde(default)]
    pattern_day_trader: Option<bool>,
    #[serde(default)]
    daytrade_count: Option<u32>,
}

impl WireAccount {
    pub(super) fn info(self) -> AccountInfo {
        let mut restrictions = Vec::new();
        if self.status != "ACTIVE" {
            restrictions.push(format!("its status is {}", self.status));
        }
        for (is_so, what) in [
            (self.trading_blocked, "trading is blocked"),
            (self.account_blocked, "the account is blocked"),
            (self.trade_suspended_by_user, "trading was suspended by the user"),
        ] {
            if is_so {
                restrictions.push(what.to_string());
            }
        }
        AccountInfo {
            status: self.status,
            cash: self.cash,
            equity: self.equity,
            last_equity: self.last_equity,
            buying_power: self.buying_power,
            multiplier: self.multiplier,
            restrictions,
            shorting_enabled: self.shorting_enabled,
            pattern_day_trader: self.pattern_day_trader,
            day_trades: self.daytrade_count,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WirePosition {
    symbol: String,
    #[serde(deserialize_with = "decimal")]
    qty: Decimal,
    #[serde(default, deserialize_with = "optional_decimal")]
    qty_available: Option<Decimal>,
    #[serde(deserialize_with = "decimal")]
    avg_entry_price: Decimal,
    #[serde(default, deserialize_with = "optional_decimal")]
    current_price: Option<Decimal>,
    #[serde(default)]
    side: Option<String>,
}

impl WirePosition {
    pub(super) fn position(self) -> Position {
        // Short positions have a negative quantity; should one come without its sign, the side tells.
        let sign = if self.side.as_deref() == Some("short") && self.qty > Decimal::ZERO {
            -Decimal::ONE
        } else {
            Decimal::ONE
        };
        Position {
            symbol: self.symbol,
            qty: sign * self.qty,
            qty_available: sign * self.qty_available.unwrap_or(self.qty),
            average_entry_price: self.avg_entry_price,
            current_price: self.current_price,
        }
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct WireClock {
    pub(super) timestamp: String,
    pub(super) is_open: bool,
    pub(super) next_open: String,
    pub(super) next_close: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireDay {
    pub(super) date: String,
    pub(super) open: String,
    pub(super) close: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct WireAsset {
    symbol: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    exchange: Option<String>,
    #[serde(default)]
    tradable: bool,
    #[serde(default)]
    marginable: bool,
    #[serde(default)]
    shortable: bool,
    #[serde(default)]
    easy_to_borrow: bool,
    #[serde(default)]
    fractionable: bool,
}

impl WireAsset {
    pub(super) fn asset(self) -> Asset {
        Asset {
            symbol: self.symbol,
            name: self.name.unwrap_or_default(),
            exchange: self.exchange.unwrap_or_default(),
            tradable: self.tradable,
            marginable: self.marginable,
            shortable: self.shortable,
            easy_to_borrow: self.easy_to_borrow,
            fractionable: self.fractionable,
        }
    }
}

/// A bar, in answers and on the stream.
#[derive(Debug, Deserialize)]
pub(super) struct WireBar {
    /// The symbol, on the stream only.
    #[serde(default, rename = "S")]
    pub(super) symbol: String,
    t: String,
    #[serde(deserialize_with = "decimal")]
    o: Decimal,
    #[serde(deserialize_with = "decimal")]
    h: Decimal,
    #[serde(deserialize_with = "decimal")]
    l: Decimal,
    #[serde(deserialize_with = "decimal")]
    c: Decimal,
    #[serde(deserialize_with = "decimal")]
    v: Decimal,
    #[serde(default, deserialize_with = "optional_decimal")]
    vw: Option<Decimal>,
}

impl WireBar {
    /// The bar; an error names what is wrong with its time.
    pub(super) fn bar(self, symbol: &str) -> Result<BrokerBar, String> {
        let start = parse_time(&self.t).map_err(|error| error.to_string())?;
        Ok(BrokerBar {
            symbol: symbol.to_string(),
            start,
            open: self.o,
            high: self.h,
            low: self.l,
            close: self.c,
            volume: self.v,
            vwap: self.vw,
        })
    }
}

/// A quote, in answers and on the stream.
#[derive(Debug, Deserialize)]
pub(super) struct WireQuote {
    #[serde(default, rename = "S")]
    pub(super) symbol: String,
    t: String,
    #[serde(deserialize_with = "decimal")]
    bp: Decimal,
    #[serde(deserialize_with = "decimal")]
    ap: Decimal,
    #[serde(default, deserialize_with = "optional_decimal")]
    bs: Option<Decimal>,
    #[serde(default, rename = "as", deserialize_with = "optional_decimal")]
    ask_size: Option<Decimal>,
}

impl WireQuote {
    pub(super) fn quote(self, symbol: &str) -> Result<Quote, String> {
        Ok(Quote {
            symbol: symbol.to_string(),
            time: parse_time(&self.t).map_err(|error| error.to_string())?,
            bid: self.bp,
            ask: self.ap,
            bid_size: self.bs.unwrap_or_default(),
            ask_size: self.ask_size.unwrap_or_default(),
        })
    }
}

/// A message about a halt.
#[derive(Debug, Deserialize)]
pub(super) struct WireTradingStatus {
    #[serde(rename = "S")]
    symbol: String,
    #[serde(default)]
    t: Option<String>,
    /// Code of the status.
    #[serde(default)]
    sc: String,
    /// The status in words.
    #[serde(default)]
    sm: String,
    /// The reason in words.
    #[serde(default)]
    rm: String,
}

impl WireTradingStatus {
    /// Tape C (Nasdaq) says H, P or Q for halt, pause and quotes only, T for trading; tapes A and B say numbers, of
    /// which 3 is "trading resumes"; any other code counts as a halt.
    pub(super) fn trading_status(self) -> TradingStatus {
        let message = [self.sm.as_str(), self.rm.as_str()].join(" ").trim().to_string();
        TradingStatus {
            symbol: self.symbol,
            time: time_of(&[&self.t]),
            trading: matches!(self.sc.as_str(), "T" | "3"),
            code: self.sc,
            message,
        }
    }
}

/// `{"bars": {"AAPL": [...]}, "next_page_token": ...}`.
#[derive(Debug, Deserialize)]
pub(super) struct WireBars {
    #[serde(default)]
    pub(super) bars: Option<std::collections::BTreeMap<String, Option<Vec<WireBar>>>>,
    #[serde(default)]
    pub(super) next_page_token: Option<String>,
}

/// `{"quotes": {"AAPL": {...}}}`.
#[derive(Debug, Deserialize)]
pub(super) struct WireQuotes {
    #[serde(default)]
    pub(super) quotes: Option<std::collections::BTreeMap<String, Option<WireQuote>>>,
}

/// The body of an error. The code can be missing.
#[derive(Debug, Default, Deserialize)]
pub(super) struct WireError {
    #[serde(default)]
    pub(super) code: Option<i64>,
    #[serde(default)]
    pub(super) message: Option<String>,
}

#[cfg(test)]
mod tests;
