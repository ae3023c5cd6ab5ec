//! From a specification to a result with its summary.

use super::report::PriceSeries;
use super::spec::{RunSpec, SpecError, VERSION};
use super::store::{Elapsed, StoreError, Summary, write_run};
use super::{Interrupted, RunResult, RunSummary, run_sessions};
use crate::data::{DataError, load_until};
use crate::market::{Market, SymbolId, format_date};
use crate::settings::Key;
use crate::stats::{Metrics, StatsError, performance};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Why a run gave no result.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Spec(#[from] SpecError),
    #[error(transparent)]
    Stats(#[from] StatsError),
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    #[error("{0}")]
    Internal(String),
}

/// A finished run.
#[derive(Debug)]
pub struct Execution {
    pub market: Market,
    pub result: RunResult,
    pub summary: Summary,
    /// The content of `run.json`.
    pub run: Value,
}

/// Loads the data and runs. `started` is the time part of the run's name, `command` what the user typed.
pub fn execute(
    spec: &RunSpec,
    started: &str,
    command: &[String],
    stop: &AtomicBool,
) -> Result<Execution, ExecuteError> {
    let clock = Instant::now();
    let market = load_until(&spec.data, stop)?;
    let load_s = clock.elapsed().as_secs_f64();
    execute_on(spec, market, started, command, load_s, |_| !stop.load(Ordering::Relaxed))
}

/// The name of the result folder of a run on some data.
///
/// # Errors
/// The specification cannot be used.
pub fn run_id(spec: &RunSpec, market: &Market, started: &str) -> Result<String, SpecError> {
    Ok(format!("{started}-{}", &spec.fingerprint(&market.data_hash)?[..12]))
}

/// Runs on data that is in memory. `go_on` is asked before each session, with the number of those done, whether to go
/// on.
pub fn execute_on(
    spec: &RunSpec,
    market: Market,
    started: &str,
    command: &[String],
    load_s: f64,
    mut go_on: impl FnMut(usize) -> bool,
) -> Result<Execution, ExecuteError> {
    let config = spec.config(&market)?;
    let strategies = spec.build_strategies()?;
    let fingerprint = spec.fingerprint(&market.data_hash)?;
    let clock = Instant::now();
    let result = run_sessions(&market, &config, strategies, 0..market.days.len(), |daily| go_on(daily.len()))?;
    let metrics = metrics(&result.summary(), spec.settings.number(Key::RiskFreeRate))?;
    let run_s = clock.elapsed().as_secs_f64();

    let run_id = run_id(spec, &market, started)?;
    let mut warnings = result.warnings.clone();
    if market.quality.outside_session > 0 && !market.extended_hours {
        warnings.push(format!(
            "{} bars outside the regular session were not used (--extended-hours uses them)",
            market.quality.outside_session
        ));
    }
    let summary = Summary {
        run_id,
        fingerprint: fingerprint.clone(),
        data_hash: market.data_hash.clone(),
        seed: spec.seed,
        version: VERSION.to_string(),
        strategies: result.strategies.clone(),
        params: spec.params_json()?,
        symbols: market.symbols.clone(),
        from: market.days.first().map(|d| format_date(d.date)).unwrap_or_default(),
        to: market.days.last().map(|d| format_date(d.date)).unwrap_or_default(),
        bars: market.bar_count(),
        sessions: market.days.len() as u64,
        start_equity: result.start_equity,
        final_equity: result.daily.last().map_or(result.start_equity, |d| d.equity),
        fills: result.fills.len() as u64,
        orders: result.orders.len() as u64,
        trades: result.trades.len() as u64,
        metrics: object(&metrics)?,
        costs: result.costs,
        ambiguity: result.ambiguity,
        data_quality: object(&market.quality)?,
        warnings,
        elapsed: Elapsed { load_s, run_s, bars_per_s: market.bar_count() as f64 / run_s.max(1e-9) },
    };
    let mut run = json!({
        "version": VERSION,
        "calendar": crate::market::CALENDAR_VERSION,
        "fingerprint": fingerprint,
        "data_hash": market.data_hash,
        "seed": spec.seed,
        "command": command,
        "assumptions": super::assumptions::assumptions(spec, &market),
    });
    let body = serde_json::to_value(spec).map_err(|e| ExecuteError::Internal(e.to_string()))?;
    if let (Some(run), Value::Object(body)) = (run.as_object_mut(), body) {
        run.extend(body);
    }
    Ok(Execution { market, result, summary, run })
}

/// All metrics of a run: daily returns of the account, and its closed trades in order of exit.
pub fn metrics(run: &RunSummary, risk_free_rate: f64) -> Result<Metrics, StatsError> {
    performance(&run.daily_returns(), risk_free_rate, None, Some(&run.pnl))
}

/// The price series of the symbols with trades, for the report. Daily bars and minutes alike.
pub fn prices_of_trades<'m>(market: &'m Market, traded: &[String]) -> Vec<PriceSeries<'m>> {
    let mut symbols: Vec<SymbolId> = traded.iter().filter_map(|name| market.symbol(name)).collect();
    symbols.sort_unstable();
    symbols.dedup();
    symbols
        .into_iter()
        .map(|id| {
            let series = &market.series[id.index()];
            PriceSeries {
                symbol: market.symbols[id.index()].clone(),
                times: series.start.as_slice().into(),
                open: series.open.as_slice().into(),
                high: series.high.as_slice().into(),
                low: series.low.as_slice().into(),
                close: series.close.as_slice().into(),
            }
        })
        .collect()
}

impl Execution {
    /// Writes the result folder under `out` and returns its path; `csv`: also `equity.csv`.
    ///
    /// # Errors
    /// What [`write_run`] answers: nothing of the run stays then.
    pub fn write(&self, out: &Path, csv: bool) -> Result<PathBuf, StoreError> {
        let curve = self.result.equity_curve(&self.market);
        let traded: Vec<String> =
            self.result.trades.iter().map(|t| self.result.instruments[t.symbol.index()].clone()).collect();
        let prices = prices_of_trades(&self.market, &traded);
        write_run(out, &self.summary.run_id, &self.run, &self.summary, &self.result, &curve, &prices, csv)
    }
}

/// A serialisable structure as a JSON object.
fn object(value: &impl serde::Serialize) -> Result<Map<String, Value>, ExecuteError> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(other) => Err(ExecuteError::Internal(format!("expected a JSON object, found {other}"))),
        Err(error) => Err(ExecuteError::Internal(error.to_string())),
    }
}
