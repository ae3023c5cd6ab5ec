//! Walk-forward analysis: parameters are searched on a stretch of sessions and judged on the sessions after it,
//! again and again.
//!
//! **What a window may know.** The search sees the sessions to train on and the bars before them (for indicators),
//! nothing later. The winner then runs over the sessions to test on from a flat account: its indicators are warm
//! from all bars before, as they would be on the day, but no position or order is carried over from the training,
//! and a strategy that waits for a crossover takes the side that holds at the first bar end.
//!
//! **Stitching.** Each test begins with the run's cash. The stitched curve multiplies: within a window equity moves
//! as the test's did, from where the window before left off. Where tests overlap, a session belongs to the window
//! that was fitted last; sessions that no window tests are left out.

pub mod store;

pub use store::write;

use crate::backtest::metrics;
use crate::market::{Market, Nanos, format_date};
use crate::optimize::sweep::{EngineEvaluator, Memory, Search, SweepError, SweepSpec, TrialRecord};
use crate::optimize::{Params, Space, method};
use crate::settings::Key;
use crate::stats::overfit::{WalkForward, Window, walk_forward_efficiency, walk_forward_windows};
use crate::stats::{Metrics, performance, sum};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::atomic::AtomicBool;

/// Everything that decides the result of a walk-forward analysis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WalkForwardSpec {
    /// Sessions to search on (of the first window, when anchored).
    pub train: u64,
    /// Sessions to judge on.
    pub test: u64,
    /// Sessions from one window to the next.
    pub step: u64,
    /// Sessions left out between them.
    pub embargo: u64,
    /// Whether every window is searched from the first session on.
    pub anchored: bool,
    /// The search in each window; `trials` is the number of a window.
    pub search: SweepSpec,
}

/// What came of one window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowResult {
    /// Sessions by index.
    pub sessions: Window,
    /// Trials of the search.
    pub trials: usize,
    /// The winner in training; `None` when no trial met the constraints. Nothing was traded in the test then.
    pub winner: Option<TrialRecord>,
    /// Of the winner in the test.
    pub test: Metrics,
    /// Returns in the test by session.
    pub test_returns: Vec<f64>,
}

/// The stitched account out of sample: one row a step.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StitchedEquity {
    pub time: Vec<Nanos>,
    pub equity: Vec<f64>,
    /// Window of each row, from 0.
    pub window: Vec<u32>,
}

/// The whole analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct WalkForwardResult {
    pub windows: Vec<WindowResult>,
    pub equity: StitchedEquity,
    /// Of the stitched returns by session.
    pub out_of_sample: Metrics,
    /// Mean of the winners' yearly growth (cagr) in training.
    pub in_sample_cagr: Option<f64>,
    /// Yearly growth out of sample as a share of that (Pardo 2008).
    pub efficiency: Option<f64>,
}

impl WalkForwardSpec {
    /// The windows over some sessions.
    ///
    /// # Errors
    /// A length of 0, or sessions that are too few for one window.
    pub fn windows(&self, sessions: usize) -> Result<Vec<Window>, SweepError> {
        let size = |n: u64| usize::try_from(n).map_err(|error| SweepError::Input(error.to_string()));
        let plan = WalkForward {
            train: size(self.train)?,
            test: size(self.test)?,
            step: size(self.step)?,
            embargo: size(self.embargo)?,
            anchored: self.anchored,
        };
        let windows = walk_forward_windows(sessions, &plan).map_err(|error| SweepError::Input(error.to_string()))?;
        if windows.is_empty() {
            return Err(SweepError::Input(format!(
                "{sessions} sessions are too few: one window of --train {}, --embargo {} and --test {} takes {}",
                self.train,
                self.embargo,
                self.test,
                self.train.saturating_add(self.embargo).saturating_add(self.test)
            )));
        }
        Ok(windows)
    }

    /// Hash of everything the result depends on.
    pub fn fingerprint(&self, data_hash: &str) -> Result<String, SweepError> {
        let search = self.search.fingerprint(data_hash)?;
        let body =
            json!(["walk_forward", search, self.train, self.test, self.step, self.embargo, self.anchored]).to_string();
        Ok(blake3::hash(body.as_bytes()).to_hex().to_string())
    }
}

/// Runs the analysis. `progress` is called with the window and each finished trial, and the bars it ran over.
///
/// # Errors
/// What cannot be used; [`SweepError::Interrupted`] when stopped.
pub fn run(
    spec: &WalkForwardSpec,
    market: &Market,
    stop: &AtomicBool,
    progress: &(dyn Fn(usize, &TrialRecord, u64) + Sync),
) -> Result<WalkForwardResult, SweepError> {
    let plan = spec.search.plan()?;
    let evaluator = EngineEvaluator::new(market, &spec.search.run, &plan.binding, stop)
        .map_err(|error| SweepError::Input(error.to_string()))?;
    let rate = spec.search.run.settings.number(Key::RiskFreeRate);
    let windows = spec.windows(market.days.len())?;
    let mut results: Vec<WindowResult> = Vec::with_capacity(windows.len());
    let mut equity = StitchedEquity::default();
    let mut returns = Vec::new();
    let mut level = spec.search.run.cash;
    for (number, sessions) in windows.iter().enumerate() {
        let (trials, winner) =
            search(spec, &plan, &evaluator, sessions, stop, &|trial, bars| progress(number, trial, bars))?;
        // A session belongs to the window fitted last before it.
        let end = windows.get(number + 1).map_or(sessions.test.end, |next| next.test.start.min(sessions.test.end));
        let tested = test(&evaluator, market, winner.as_ref().map(|w| &w.params), sessions, rate)?;
        let cash = spec.search.run.cash;
        let from = market.days[sessions.test.start].first_step;
        for step in from..market.days[end - 1].end_step {
            equity.time.push(market.steps[step]);
            equity.equity.push(level * (tested.equity[step - from] / cash));
            equity.window.push(number as u32);
        }
        level = equity.equity.last().copied().unwrap_or(level);
        returns.extend(tested.returns.iter().take(end - sessions.test.start));
        let (test, test_returns) = (tested.metrics, tested.returns);
        results.push(WindowResult { sessions: sessions.clone(), trials, winner, test, test_returns });
    }
    let out_of_sample =
        performance(&returns, rate, None, None).map_err(|error| SweepError::Internal(error.to_string()))?;
    let growths: Vec<f64> = results.iter().filter_map(|w| w.winner.as_ref()?.metric("cagr")).collect();
    let in_sample_cagr =
        if growths.is_empty() { None } else { Some(sum(growths.iter().copied()) / growths.len() as f64) };
    let efficiency = in_sample_cagr
        .zip(out_of_sample.get("cagr"))
        .and_then(|(inside, outside)| walk_forward_efficiency(inside, outside));
    Ok(WalkForwardResult { windows: results, equity, out_of_sample, in_sample_cagr, efficiency })
}

/// Searches the sessions to train on: the number of trials and the winner.
fn search(
    spec: &WalkForwardSpec,
    plan: &crate::optimize::sweep::Plan,
    evaluator: &EngineEvaluator<'_>,
    sessions: &Window,
    stop: &AtomicBool,
    progress: &(dyn Fn(&TrialRecord, u64) + Sync),
) -> Result<(usize, Option<TrialRecord>), SweepError> {
    let settings = spec.search.settings()?;
    let mut method = method(&spec.search.method, &plan.space, &plan.aim.goal(), &settings)
        .map_err(|error| SweepError::Input(error.to_string()))?;
    let search = Search {
        space: &plan.space,
        aim: &plan.aim,
        evaluator,
        sessions: sessions.train.clone(),
        settings: &settings,
        prune: spec.search.prune,
        shard: None,
        stop,
        progress,
    };
    let mut record = Memory::default();
    let history = search.run(method.as_mut(), Vec::new(), &mut record)?;
    let best = history.best().filter(|&k| history.merit(k).is_some_and(|merit| merit.is_feasible()));
    Ok((history.trials.len(), best.and_then(|k| record.trials.into_iter().nth(k))))
}

/// What came of a test.
struct Tested {
    metrics: Metrics,
    returns: Vec<f64>,
    /// By step of the test's sessions.
    equity: Vec<f64>,
}

/// Runs the winner over the sessions to test on; without a winner nothing happens.
fn test(
    evaluator: &EngineEvaluator<'_>,
    market: &Market,
    params: Option<&Params>,
    sessions: &Window,
    rate: f64,
) -> Result<Tested, SweepError> {
    let internal = |error: &dyn std::fmt::Display| SweepError::Internal(error.to_string());
    let width = sessions.test.len();
    let Some(params) = params else {
        let steps = market.days[sessions.test.end - 1].end_step - market.days[sessions.test.start].first_step;
        let returns = vec![0.0; width];
        let metrics = performance(&returns, rate, None, Some(&[])).map_err(|error| internal(&error))?;
        return Ok(Tested { metrics, returns, equity: vec![evaluator.cash(); steps] });
    };
    let result = evaluator.run(params, sessions.test.clone()).map_err(SweepError::Internal)?;
    let result = result.ok_or(SweepError::Interrupted)?;
    let summary = result.summary();
    let mut returns = summary.daily_returns();
    returns.resize(width, 0.0);
    let metrics = metrics(&summary, rate).map_err(|error| internal(&error))?;
    Ok(Tested { metrics, returns, equity: result.equity })
}

/// First and last date of some sessions.
fn dates(market: &Market, sessions: &std::ops::Range<usize>) -> (String, String) {
    (format_date(market.days[sessions.start].date), format_date(market.days[sessions.end - 1].date))
}

/// Values of parameters by name, empty where one does not count.
fn cells(space: &Space, params: Option<&Params>) -> Vec<String> {
    let cell = |k: usize| params.and_then(|params| params[k].as_ref()).map(ToString::to_string).unwrap_or_default();
    (0..space.len()).map(cell).collect()
}
