//! `summary.json`: the result of a run in numbers.

use crate::backtest::{Ambiguity, Costs};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// `summary.json`. Numbers are written with the shortest text that reads back to the same value; what is
/// undefined is `null`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// `<utc yyyymmddThhmmssZ>-<first 12 hex of fingerprint>`.
    pub run_id: String,
    /// Hash of everything the result depends on: equal fingerprints mean equal results, bit for bit.
    pub fingerprint: String,
    /// Hash of the market data values used.
    pub data_hash: String,
    pub seed: u64,
    /// Version of the program.
    pub version: String,
    pub strategies: Vec<String>,
    /// Parameters of the strategies.
    pub params: Value,
    pub symbols: Vec<String>,
    /// First session, `YYYY-MM-DD`.
    pub from: String,
    /// Last session, `YYYY-MM-DD`.
    pub to: String,
    /// Bars of all symbols.
    pub bars: u64,
    pub sessions: u64,
    /// Dollars.
    pub start_equity: f64,
    /// Dollars.
    pub final_equity: f64,
    pub fills: u64,
    pub orders: u64,
    pub trades: u64,
    /// Name to number or `null`, in the order of the report.
    pub metrics: Map<String, Value>,
    pub costs: Costs,
    pub ambiguity: Ambiguity,
    /// Counts of what is suspicious but legal in the data.
    pub data_quality: Map<String, Value>,
    pub warnings: Vec<String>,
    /// The only part that differs between two runs of the same fingerprint.
    pub elapsed: Elapsed,
}

/// How long a run took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Elapsed {
    /// Seconds from the first file to the data in memory.
    pub load_s: f64,
    /// Seconds from the first bar to finished metrics and equity in memory.
    pub run_s: f64,
    /// Bars of all symbols over `run_s`.
    pub bars_per_s: f64,
}

impl Summary {
    /// A metric by its name; `None` when it is undefined or not there.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.get(name).and_then(Value::as_f64)
    }
}
