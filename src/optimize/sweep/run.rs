//! A sweep in its folder, from where it stands to its end.

use super::evaluate::EngineEvaluator;
use super::{Log, Search, SweepError, SweepFile, SweepSpec, TRIALS_LOG, TrialRecord};
use crate::market::Market;
use crate::optimize::{History, SearchSettings, method};
use std::path::Path;
use std::sync::atomic::AtomicBool;

/// Metrics that more return on the same days makes better: what the paired test of pruning can tell about.
const PRUNABLE: [&str; 10] = [
    "total_return",
    "cagr",
    "sharpe",
    "sortino",
    "calmar",
    "omega",
    "profit_factor_periods",
    "psr",
    "net_profit",
    "stability_r2",
];

impl SweepSpec {
    /// What methods of search are told.
    pub fn settings(&self) -> Result<SearchSettings, SweepError> {
        let size = |number: u64| usize::try_from(number).map_err(|error| SweepError::Input(error.to_string()));
        Ok(SearchSettings {
            seed: self.run.seed,
            budget: size(self.trials)?,
            batch: size(self.batch)?,
            // A backtest has no chance in it.
            noisy: false,
        })
    }

    /// Checks what no part of the sweep sees alone.
    ///
    /// # Errors
    /// `--prune` without an objective that its test can tell about, `--shard` with a method or an option that
    /// needs the results of all shards.
    pub fn check(&self, shard: Option<super::Shard>) -> Result<(), SweepError> {
        let aim = self.aim()?;
        let prunable = |(name, more): &(String, bool)| *more && PRUNABLE.contains(&name.as_str());
        if self.prune && !(aim.objectives().len() == 1 && aim.objectives().iter().all(prunable)) {
            return Err(SweepError::Input(format!(
                "--prune compares returns day by day; expected one objective out of {}",
                PRUNABLE.join(", ")
            )));
        }
        if let Some(shard) = shard {
            if !matches!(self.method.as_str(), "grid" | "random") {
                return Err(SweepError::Input(format!(
                    "--shard with --method {}: its trials depend on the results of others; expected grid or random",
                    self.method
                )));
            }
            if self.prune {
                return Err(SweepError::Input(
                    "--shard with --prune: pruning compares with the results of other shards; expected one of them"
                        .to_string(),
                ));
            }
            if shard.index >= shard.count {
                return Err(SweepError::Input(format!(
                    "--shard {}/{}: shards are numbered from 0 to {}",
                    shard.index,
                    shard.count,
                    shard.count.saturating_sub(1)
                )));
            }
        }
        Ok(())
    }
}

/// Runs a sweep in its folder to its end. `progress` is called with each trial as it is recorded, and the bars it
/// ran over; `begun` once, with the number of trials that the log holds already.
///
/// # Errors
/// [`SweepError::Interrupted`] when stopped: what is in the log stays. Everything that cannot be used, read or
/// written.
pub fn run(
    dir: &Path,
    sweep: &SweepFile,
    market: &Market,
    stop: &AtomicBool,
    begun: impl FnOnce(u64),
    progress: &(dyn Fn(&TrialRecord, u64) + Sync),
) -> Result<History, SweepError> {
    let spec = &sweep.spec;
    let plan = spec.plan()?;
    let settings = spec.settings()?;
    let mut method = method(&spec.method, &plan.space, &plan.aim.goal(), &settings)
        .map_err(|error| SweepError::Input(error.to_string()))?;
    let (mut log, told) = Log::open(dir, &plan.space, market.days.len())?;
    begun(told.len() as u64);
    let evaluator = EngineEvaluator::new(market, &spec.run, &plan.binding, stop)
        .map_err(|error| SweepError::Input(error.to_string()))?;
    let search = Search {
        space: &plan.space,
        aim: &plan.aim,
        evaluator: &evaluator,
        sessions: 0..market.days.len(),
        settings: &settings,
        prune: spec.prune,
        shard: sweep.shard,
        stop,
        progress,
    };
    search.run(method.as_mut(), told, &mut log).map_err(|error| match error {
        SweepError::Foreign { id, .. } => SweepError::Foreign { path: dir.join(TRIALS_LOG), id },
        SweepError::File { reason, .. } => SweepError::File { path: dir.join(TRIALS_LOG), reason },
        other => other,
    })
}
