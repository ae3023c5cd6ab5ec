//! The result store: one folder a run, written whole or not at all.
//!
//! ```text
//! backtest_results/<run_id>/
//!   run.json         everything needed to run it again
//!   summary.json     the result in numbers
//!   equity.parquet   the account, one row per step (equity.csv on request)
//!   orders.csv       every state change of every order
//!   fills.csv        every execution
//!   trades.csv       every round trip
//!   report.html      one self-contained page
//! ```
//!
//! A folder is assembled under a hidden name beside its final place and then renamed, so that whoever
//! sees a run sees all of it. An interrupted run takes its hidden folder away; one that was killed leaves
//! it behind, locked by nobody, and [`remove_abandoned`] clears it.

mod catalog;
mod equity;
mod error;
mod summary;
mod tables;
mod write;

pub use catalog::{RunEntry, is_run, list_runs, remove_abandoned, remove_folder, remove_run, resolve_run};
pub use equity::{drawdowns, read_equity};
pub use error::StoreError;
pub use summary::{Elapsed, Summary};
pub use tables::{FileTime, FillRow, OrderRow, TradeRow, read_fills, read_orders, read_trades};
pub use write::{write_report, write_run};

use super::EquityCurve;
use serde_json::Value;
use std::path::Path;

/// Name of the file that says how to run it again.
pub const RUN_FILE: &str = "run.json";
/// Name of the file with the result in numbers.
pub const SUMMARY_FILE: &str = "summary.json";
/// Name of the equity curve.
pub const EQUITY_FILE: &str = "equity.parquet";
/// Name of the equity curve as text, written on request.
pub const EQUITY_CSV_FILE: &str = "equity.csv";
/// Name of the order file.
pub const ORDERS_FILE: &str = "orders.csv";
/// Name of the fill file.
pub const FILLS_FILE: &str = "fills.csv";
/// Name of the trade file.
pub const TRADES_FILE: &str = "trades.csv";
/// Name of the page for people.
pub const REPORT_FILE: &str = "report.html";

/// A run as read back from its folder: what the report is made of.
#[derive(Debug, Clone)]
pub struct StoredRun {
    pub run: Value,
    pub summary: Summary,
    pub equity: EquityCurve,
    pub trades: Vec<TradeRow>,
}

impl StoredRun {
    /// Reads `run.json`, `summary.json`, `equity.parquet` and `trades.csv` of a run's folder.
    pub fn read(dir: &Path) -> Result<StoredRun, StoreError> {
        Ok(StoredRun {
            run: read_run_json(dir)?,
            summary: read_summary(dir)?,
            equity: read_equity(&dir.join(EQUITY_FILE))?,
            trades: read_trades(&dir.join(TRADES_FILE))?,
        })
    }
}

/// Reads `run.json` of a run's folder.
pub fn read_run_json(dir: &Path) -> Result<Value, StoreError> {
    read_json(&dir.join(RUN_FILE))
}

/// Reads `summary.json` of a run's folder.
pub fn read_summary(dir: &Path) -> Result<Summary, StoreError> {
    read_json(&dir.join(SUMMARY_FILE))
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, StoreError> {
    let text = std::fs::read_to_string(path).map_err(StoreError::reading(path))?;
    serde_json::from_str(&text).map_err(|source| StoreError::Json { path: path.to_path_buf(), source })
}
