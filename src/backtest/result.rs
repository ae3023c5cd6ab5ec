//! What a run leaves in memory.

use crate::market::Nanos;
use crate::stats::returns_from_equity;
use crate::trading::{Costs, Fill, OrderEvent, OrderRecord, PutContract, Trade};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// How much of the result hangs on the unknown order of a bar's extremes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Ambiguity {
    /// Trades with a fill that differs under the other order of extremes.
    pub trades: u64,
    /// Sum of the absolute differences in equity at the close of the ambiguous bars, dollars.
    pub pnl: f64,
}

/// The account over time: one row per step of the market's timeline, parallel to `Market::steps`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EquityCurve {
    pub time: Vec<Nanos>,
    pub equity: Vec<f64>,
    pub cash: Vec<f64>,
    /// Gross market value of positions over equity.
    pub exposure: Vec<f64>,
}

/// Closing equity of one session.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DailyEquity {
    pub date: NaiveDate,
    pub equity: f64,
}

/// Everything a run produced.
#[derive(Debug, Clone, Default)]
pub struct RunResult {
    /// Names of the instruments by id: the market's symbols, then option contracts made in the run.
    pub instruments: Vec<String>,
    /// The option contracts.
    pub puts: Vec<PutContract>,
    /// Names of the strategies by index.
    pub strategies: Vec<String>,
    /// Names of orders that came from a file, by order id; empty when there are none.
    pub labels: Vec<String>,
    pub orders: Vec<OrderRecord>,
    pub order_events: Vec<OrderEvent>,
    pub fills: Vec<Fill>,
    pub trades: Vec<Trade>,
    /// Equity at each step of the market's timeline.
    pub equity: Vec<f64>,
    /// (step, cash from there on), where it changed.
    pub cash_changes: Vec<(usize, f64)>,
    pub daily: Vec<DailyEquity>,
    pub start_equity: f64,
    pub costs: Costs,
    pub ambiguity: Ambiguity,
    /// Plain sentences for the summary and the report, in order of occurrence, without repeats.
    pub warnings: Vec<String>,
}

/// What is kept of one run among many: enough for every metric.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunSummary {
    pub start_equity: f64,
    /// Closing equity of each session.
    pub daily: Vec<DailyEquity>,
    /// Net P&L of the closed trades in order of exit, dollars.
    pub pnl: Vec<f64>,
    pub orders: u64,
    pub fills: u64,
    pub costs: Costs,
}

impl RunSummary {
    /// Returns of the account by session: see [`daily_returns`].
    pub fn daily_returns(&self) -> Vec<f64> {
        daily_returns(self.start_equity, &self.daily)
    }
}

/// Simple returns of the account by session. One that lost everything has no further returns: the series ends with
/// -100 % or less.
pub fn daily_returns(start_equity: f64, daily: &[DailyEquity]) -> Vec<f64> {
    let equity: Vec<f64> = daily.iter().map(|d| d.equity).collect();
    let alive = equity.iter().position(|&e| e <= 0.0).map_or(equity.len(), |k| k + 1);
    returns_from_equity(start_equity, &equity[..alive]).unwrap_or_default()
}

impl RunResult {
    /// What is kept of this run when it is one among many.
    pub fn summary(&self) -> RunSummary {
        let mut trades: Vec<(Nanos, f64)> = self.trades.iter().map(|t| (t.exit_time, t.pnl)).collect();
        trades.sort_by_key(|t| t.0);
        RunSummary {
            start_equity: self.start_equity,
            daily: self.daily.clone(),
            pnl: trades.into_iter().map(|t| t.1).collect(),
            orders: self.orders.len() as u64,
            fills: self.fills.len() as u64,
            costs: self.costs,
        }
    }
}
