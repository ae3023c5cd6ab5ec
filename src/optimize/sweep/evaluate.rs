//! How a trial is evaluated: the port, and its implementation by the engine of backtests.

use super::Binding;
use crate::backtest::{
    DailyEquity, RunResult, RunSpec, RunSummary, Runner, SpecError, daily_returns, metrics, run_sessions,
};
use crate::market::Market;
use crate::optimize::Params;
use crate::settings::Key;
use crate::stats::Metrics;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is kept of a trial's run.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    pub metrics: Metrics,
    /// Simple returns by session; they end with ruin, if it comes.
    pub daily_returns: Vec<f64>,
    /// Bars of all symbols in the sessions of the run.
    pub bars: u64,
}

/// How an evaluation ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Evaluated {
    Complete(Box<Evaluation>),
    /// The gate let it go after this many sessions.
    Pruned {
        sessions: usize,
    },
    /// The parameters cannot be run: the reason.
    Failed(String),
    /// Stopped from outside; nothing is known of the trial.
    Interrupted,
}

/// Where a trial may be given up early.
#[derive(Clone, Copy)]
pub struct Gate<'a> {
    /// Numbers of sessions, ascending, after which to ask.
    pub rungs: &'a [usize],
    /// Whether to go on, by the daily returns so far.
    pub keeps: &'a (dyn Fn(&[f64]) -> bool + Sync),
}

/// Evaluates parameters. The answer is a function of the arguments alone, whatever the thread.
pub trait Evaluate: Sync {
    /// Runs `params` over some sessions of the market, by index. The account begins flat with the first of
    /// them; indicators know the bars before it.
    fn evaluate(&self, params: &Params, sessions: Range<usize>, gate: Option<&Gate<'_>>) -> Evaluated;
}

/// Evaluation by a backtest. What trials have in common (fill prices, random draws, indicator columns) is computed
/// once, as long as the parameters are those of strategies.
#[derive(Debug)]
pub struct EngineEvaluator<'a> {
    market: &'a Market,
    spec: &'a RunSpec,
    binding: &'a Binding,
    /// `None`: parameters change the rules of the run.
    runner: Option<Runner<'a>>,
    stop: &'a AtomicBool,
}

impl<'a> EngineEvaluator<'a> {
    /// `spec` is the run that parameters are merged into; `stop` ends evaluations.
    ///
    /// # Errors
    /// A specification that cannot be run.
    pub fn new(
        market: &'a Market,
        spec: &'a RunSpec,
        binding: &'a Binding,
        stop: &'a AtomicBool,
    ) -> Result<Self, SpecError> {
        let config = spec.config(market)?;
        let runner = binding.is_of_strategies().then(|| Runner::new(market, config));
        Ok(EngineEvaluator { market, spec, binding, runner, stop })
    }

    /// Dollars at the start of a run.
    pub fn cash(&self) -> f64 {
        self.spec.cash
    }

    /// The whole result of a trial; `None` when it was stopped from outside.
    ///
    /// # Errors
    /// Why the parameters cannot be run.
    pub fn run(&self, params: &Params, sessions: Range<usize>) -> Result<Option<RunResult>, String> {
        let spec = self.binding.apply(self.spec, params)?;
        let config = spec.config(self.market).map_err(|error| error.to_string())?;
        let strategies = spec.build_strategies().map_err(|error| error.to_string())?;
        let go_on = |_: &[DailyEquity]| !self.stop.load(Ordering::Relaxed);
        Ok(run_sessions(self.market, &config, strategies, sessions, go_on).ok())
    }

    /// What is kept of a trial; `None` when `go_on` stopped it.
    fn summary(
        &self,
        params: &Params,
        sessions: Range<usize>,
        go_on: impl FnMut(&[DailyEquity]) -> bool,
    ) -> Result<Option<RunSummary>, String> {
        let spec = self.binding.apply(self.spec, params)?;
        let strategies = spec.build_strategies().map_err(|error| error.to_string())?;
        let summary = match &self.runner {
            Some(runner) => runner.summary(strategies, sessions, go_on),
            None => {
                let config = spec.config(self.market).map_err(|error| error.to_string())?;
                run_sessions(self.market, &config, strategies, sessions, go_on).map(|result| result.summary())
            }
        };
        Ok(summary.ok())
    }
}

impl Evaluate for EngineEvaluator<'_> {
    fn evaluate(&self, params: &Params, sessions: Range<usize>, gate: Option<&Gate<'_>>) -> Evaluated {
        let mut given_up = None;
        let go_on = |daily: &[DailyEquity]| {
            if let Some(gate) = gate.filter(|gate| gate.rungs.contains(&daily.len()))
                && !(gate.keeps)(&daily_returns(self.spec.cash, daily))
            {
                given_up = Some(daily.len());
            }
            given_up.is_none() && !self.stop.load(Ordering::Relaxed)
        };
        let summary = match self.summary(params, sessions.clone(), go_on) {
            Err(reason) => return Evaluated::Failed(reason),
            Ok(Some(summary)) => summary,
            Ok(None) => return given_up.map_or(Evaluated::Interrupted, |sessions| Evaluated::Pruned { sessions }),
        };
        // A parameter cannot change the rate: settings that are searched are those of strategies and limits.
        match metrics(&summary, self.spec.settings.number(Key::RiskFreeRate)) {
            Err(error) => Evaluated::Failed(error.to_string()),
            Ok(metrics) => Evaluated::Complete(Box::new(Evaluation {
                metrics,
                daily_returns: summary.daily_returns(),
                bars: bars_of(self.market, &sessions),
            })),
        }
    }
}

/// Bars of all symbols in some sessions.
pub(super) fn bars_of(market: &Market, sessions: &Range<usize>) -> u64 {
    let Some(last) = sessions.end.checked_sub(1).filter(|last| *last >= sessions.start) else { return 0 };
    let of = |symbol| market.day_range(symbol, last).end - market.day_range(symbol, sessions.start).start;
    market.symbol_ids().map(|symbol| of(symbol) as u64).sum()
}
