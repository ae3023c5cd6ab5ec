//! One run, or many over the same market: the fast way where a run qualifies for it, else the general one.

use super::config::{Interrupted, RunConfig};
use super::general::Run;
use super::result::{DailyEquity, RunResult, RunSummary};
use super::signal_path::{Everything, FillPrices, SignalPath, SummaryOnly, qualifies};
use crate::engine::{Core, OrderStream, Recorded, StrategySetup};
use crate::market::Market;
use crate::sim::SimVenue;
use crate::trading::{AccountKind, ColumnCache};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Runs strategies over a market. `stop` is looked at once a session.
pub fn run(
    market: &Market,
    config: &RunConfig,
    strategies: Vec<StrategySetup>,
    stop: &AtomicBool,
) -> Result<RunResult, Interrupted> {
    let go_on = |_: &[DailyEquity]| !stop.load(Ordering::Relaxed);
    run_sessions(market, config, strategies, 0..market.days.len(), go_on)
}

/// Runs strategies over some sessions of a market, by index; equity is that of their steps. The account begins
/// with the first of them, flat; strategies and their indicators see the bars before it, and one that waits
/// for a signal decides at its first bar end about the side that holds there. Corporate actions before the
/// first session are history.
///
/// `go_on` is asked before each session, with the closes so far, whether to go on.
pub fn run_sessions(
    market: &Market,
    config: &RunConfig,
    strategies: Vec<StrategySetup>,
    sessions: Range<usize>,
    mut go_on: impl FnMut(&[DailyEquity]) -> bool,
) -> Result<RunResult, Interrupted> {
    let core = Core::new(market, strategies, config.limits.clone(), config.cash, None);
    if let Some((signal, size)) = core.holding().filter(|_| qualifies(market, config)) {
        let prices = FillPrices::new(market, config, signal.changes.len());
        let mut kept = Everything::new(market, config.cash, signal.changes.len());
        let path = SignalPath { market, config, signal, size, prices: &prices };
        if let Some(costs) = path.run(sessions.clone(), &mut kept, &mut go_on)? {
            let name = core.strategy_names().remove(0);
            return Ok(kept.into_result(name, costs));
        }
    }
    let mut run = Run::new(market, core, sim_venue(market, config), config);
    run.sessions(sessions.clone(), go_on)?;
    Ok(run.finish(config.cash, sessions).0)
}

/// As [`run_sessions`], with the text of every order as it went to the venue: see [`OrderStream`].
pub fn run_recorded(
    market: &Market,
    config: &RunConfig,
    strategies: Vec<StrategySetup>,
    sessions: Range<usize>,
    stop: &AtomicBool,
) -> Result<(RunResult, OrderStream), Interrupted> {
    let core = Core::new(market, strategies, config.limits.clone(), config.cash, None);
    let names = core.strategy_names();
    let venue = Recorded::new(sim_venue(market, config), OrderStream::new(market, names));
    let mut run = Run::new(market, core, venue, config);
    run.sessions(sessions.clone(), |_| !stop.load(Ordering::Relaxed))?;
    let (result, venue) = run.finish(config.cash, sessions);
    Ok((result, venue.stream))
}

/// The simulated venue of a run.
pub(super) fn sim_venue(market: &Market, config: &RunConfig) -> SimVenue {
    SimVenue::new(market, config.rules.clone(), config.limits.account.kind == AccountKind::Cash)
}

/// Many runs over the same market under the same rules: what they have in common is computed once. Every answer is
/// that of [`run`], to the last bit.
#[derive(Debug)]
pub struct Runner<'m> {
    market: &'m Market,
    config: RunConfig,
    cache: ColumnCache,
    prices: Option<FillPrices>,
}

impl<'m> Runner<'m> {
    /// For runs over `market` under `config`.
    pub fn new(market: &'m Market, config: RunConfig) -> Runner<'m> {
        let prices = qualifies(market, &config).then(|| FillPrices::shared(market, &config));
        Runner { market, config, cache: ColumnCache::default(), prices }
    }

    /// The market of the runs.
    pub fn market(&self) -> &'m Market {
        self.market
    }

    /// As [`run_sessions`], but only what a summary needs is kept.
    pub fn summary(
        &self,
        strategies: Vec<StrategySetup>,
        sessions: Range<usize>,
        mut go_on: impl FnMut(&[DailyEquity]) -> bool,
    ) -> Result<RunSummary, Interrupted> {
        let config = &self.config;
        let core = Core::new(self.market, strategies, config.limits.clone(), config.cash, Some(&self.cache));
        if let (Some((signal, size)), Some(prices)) = (core.holding(), &self.prices) {
            let mut kept = SummaryOnly::new(config.cash, sessions.len());
            let path = SignalPath { market: self.market, config, signal, size, prices };
            if let Some(costs) = path.run(sessions.clone(), &mut kept, &mut go_on)? {
                return Ok(kept.into_summary(costs));
            }
        }
        let mut run = Run::new(self.market, core, sim_venue(self.market, config), config);
        run.sessions(sessions.clone(), go_on)?;
        Ok(run.finish(config.cash, sessions).0.summary())
    }
}
