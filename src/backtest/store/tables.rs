//! `orders.csv`, `fills.csv` and `trades.csv`: one row type each, used for writing and for reading.
//!
//! Times are RFC 3339 UTC with nanoseconds, numbers have the shortest text that reads back to the same
//! value, and what is absent is empty.

use super::StoreError;
use crate::backtest::RunResult;
use crate::market::{Nanos, SymbolId, TimeError, format_time, parse_time};
use crate::trading::{OrderId, Trail};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::io::Write;
use std::path::Path;

/// A time as files write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileTime(pub Nanos);

impl Serialize for FileTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_time(self.0))
    }
}

impl<'de> Deserialize<'de> for FileTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<FileTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_time(&text).map(FileTime).map_err(|error: TimeError| D::Error::custom(error))
    }
}

/// One line of `trades.csv`: the quantity that one closing order closed of one opening order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TradeRow {
    pub symbol: String,
    pub strategy: String,
    /// Side of the opening order: `buy` is a long trade, `sell` a short one.
    pub side: String,
    /// Shares.
    pub qty: f64,
    pub entry_ts: FileTime,
    pub entry_price: f64,
    pub exit_ts: FileTime,
    pub exit_price: f64,
    /// Dollars, net of commission.
    pub pnl: f64,
    pub commission: f64,
    pub slippage: f64,
    pub bars_held: u32,
    /// Worst open result while held, dollars.
    pub mae: f64,
    /// Best open result while held, dollars.
    pub mfe: f64,
    /// Reason of the closing order.
    pub reason: String,
}

/// One line of `fills.csv`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FillRow {
    /// Number of the fill, from 0 in order of time.
    pub fill_id: u64,
    /// Number of the order, or its label when orders came from a file.
    pub order_id: String,
    pub ts: FileTime,
    pub symbol: String,
    pub side: String,
    pub qty: f64,
    pub price: f64,
    pub commission: f64,
    pub slippage: f64,
}

/// One line of `orders.csv`: one state change of one order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OrderRow {
    pub order_id: String,
    pub ts: FileTime,
    pub symbol: String,
    pub strategy: String,
    pub side: String,
    #[serde(rename = "type")]
    pub order_type: String,
    pub tif: String,
    pub qty: f64,
    pub limit: Option<f64>,
    pub stop: Option<f64>,
    /// A price distance (`0.5`), or a percentage of the best price with its sign (`2%`).
    pub trail: String,
    pub state: String,
    /// Filled so far, shares.
    pub filled: f64,
    pub reason: String,
}

/// A row type with its header.
pub(super) trait Row: Serialize + DeserializeOwned {
    const COLUMNS: &'static [&'static str];
}

impl Row for TradeRow {
    const COLUMNS: &'static [&'static str] = &[
        "symbol",
        "strategy",
        "side",
        "qty",
        "entry_ts",
        "entry_price",
        "exit_ts",
        "exit_price",
        "pnl",
        "commission",
        "slippage",
        "bars_held",
        "mae",
        "mfe",
        "reason",
    ];
}

impl Row for FillRow {
    const COLUMNS: &'static [&'static str] =
        &["fill_id", "order_id", "ts", "symbol", "side", "qty", "price", "commission", "slippage"];
}

impl Row for OrderRow {
    const COLUMNS: &'static [&'static str] = &[
        "order_id", "ts", "symbol", "strategy", "side", "type", "tif", "qty", "limit", "stop", "trail", "state",
        "filled", "reason",
    ];
}

/// Writes rows under their header, which is there even without a row.
pub(super) fn write_csv<R: Row>(
    to: impl Write,
    rows: impl Iterator<Item = Result<R, StoreError>>,
    failed: impl Fn(csv::Error) -> StoreError,
) -> Result<(), StoreError> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(to);
    writer.write_record(R::COLUMNS).map_err(&failed)?;
    for row in rows {
        writer.serialize(row?).map_err(&failed)?;
    }
    writer.flush().map_err(|error| failed(error.into()))
}

/// Reads `trades.csv`.
pub fn read_trades(path: &Path) -> Result<Vec<TradeRow>, StoreError> {
    read_csv(path)
}

/// Reads `fills.csv`.
pub fn read_fills(path: &Path) -> Result<Vec<FillRow>, StoreError> {
    read_csv(path)
}

/// Reads `orders.csv`.
pub fn read_orders(path: &Path) -> Result<Vec<OrderRow>, StoreError> {
    read_csv(path)
}

fn read_csv<R: Row>(path: &Path) -> Result<Vec<R>, StoreError> {
    let failed = |source: csv::Error| StoreError::Csv { path: path.to_path_buf(), source };
    let file = std::fs::File::open(path).map_err(StoreError::reading(path))?;
    let mut reader = csv::Reader::from_reader(std::io::BufReader::new(file));
    let header = reader.headers().map_err(failed)?;
    if header.iter().ne(R::COLUMNS.iter().copied()) {
        let found = header.iter().collect::<Vec<_>>().join(",");
        return Err(StoreError::Header { path: path.to_path_buf(), found, expected: R::COLUMNS.join(",") });
    }
    reader.deserialize().map(|row| row.map_err(failed)).collect()
}

/// The rows of `trades.csv`, in order of the result.
pub(super) fn trade_rows(result: &RunResult) -> impl Iterator<Item = Result<TradeRow, StoreError>> {
    result.trades.iter().map(|t| {
        Ok(TradeRow {
            symbol: instrument(result, t.symbol)?,
            strategy: strategy(result, t.strategy)?,
            side: t.side.name().to_string(),
            qty: t.qty,
            entry_ts: FileTime(t.entry_time),
            entry_price: t.entry_price,
            exit_ts: FileTime(t.exit_time),
            exit_price: t.exit_price,
            pnl: t.pnl,
            commission: t.commission,
            slippage: t.slippage,
            bars_held: t.bars_held,
            mae: t.mae,
            mfe: t.mfe,
            reason: t.reason.to_string(),
        })
    })
}

/// The rows of `fills.csv`, in order of the result.
pub(super) fn fill_rows(result: &RunResult) -> impl Iterator<Item = Result<FillRow, StoreError>> {
    result.fills.iter().zip(0u64..).map(|(f, fill_id)| {
        Ok(FillRow {
            fill_id,
            order_id: order_label(result, f.order)?,
            ts: FileTime(f.time),
            symbol: instrument(result, f.symbol)?,
            side: f.side.name().to_string(),
            qty: f.qty,
            price: f.price,
            commission: f.commission,
            // No slippage against a seller is -0: written as 0.
            slippage: f.slippage + 0.0,
        })
    })
}

/// The rows of `orders.csv`, in order of the events.
pub(super) fn order_rows(result: &RunResult) -> impl Iterator<Item = Result<OrderRow, StoreError>> {
    result.order_events.iter().map(|e| {
        let order =
            result.orders.get(e.id.0 as usize).map(|record| &record.order).ok_or_else(|| {
                StoreError::Inconsistent(format!("an event names order {}, which is unknown", e.id.0))
            })?;
        let request = &order.request;
        Ok(OrderRow {
            order_id: order_label(result, e.id)?,
            ts: FileTime(e.time),
            symbol: instrument(result, request.symbol)?,
            strategy: strategy(result, order.strategy)?,
            side: request.side.name().to_string(),
            order_type: request.kind.order_type().name().to_string(),
            tif: request.tif.name().to_string(),
            qty: request.qty,
            limit: request.kind.limit(),
            stop: request.kind.stop(),
            trail: trail_text(&request.kind),
            state: e.state.name().to_string(),
            filled: e.filled,
            reason: e.reason.to_string(),
        })
    })
}

fn trail_text(kind: &crate::trading::OrderKind) -> String {
    match kind {
        crate::trading::OrderKind::TrailingStop { trail: Trail::Amount(amount), .. } => amount.to_string(),
        crate::trading::OrderKind::TrailingStop { trail: Trail::Percent(percent), .. } => format!("{percent}%"),
        _ => String::new(),
    }
}

fn instrument(result: &RunResult, id: SymbolId) -> Result<String, StoreError> {
    let unknown = || StoreError::Inconsistent(format!("instrument {} has no name", id.0));
    result.instruments.get(id.index()).cloned().ok_or_else(unknown)
}

fn strategy(result: &RunResult, index: u16) -> Result<String, StoreError> {
    let unknown = || StoreError::Inconsistent(format!("strategy {index} has no name"));
    result.strategies.get(usize::from(index)).cloned().ok_or_else(unknown)
}

/// The label of an order that came from a file, else its number.
fn order_label(result: &RunResult, id: OrderId) -> Result<String, StoreError> {
    if result.labels.is_empty() {
        return Ok(id.0.to_string());
    }
    let unknown = || StoreError::Inconsistent(format!("order {} has no label", id.0));
    result.labels.get(id.0 as usize).cloned().ok_or_else(unknown)
}
