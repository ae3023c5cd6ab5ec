//! One run: the trading core, the simulated venue, and a clock that jumps to the next event.

use super::marking::{mark_all, mark_chunk};
use super::result::{Ambiguity, DailyEquity, RunResult};
use crate::engine::{Core, StrategySetup};
use crate::market::{ActionKind, Market};
use crate::risk::Limits;
use crate::sim::{SimRules, SimVenue};
use crate::trading::AccountKind;
use std::sync::atomic::{AtomicBool, Ordering};

/// Everything that decides the result of a run, beside the market and the strategies.
#[derive(Debug, Clone, PartialEq)]
pub struct RunConfig {
    /// Dollars at the start.
    pub cash: f64,
    pub rules: SimRules,
    pub limits: Limits,
}

/// A run that was stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

/// Runs strategies over a market. `stop` is looked at once a session.
pub fn run(
    market: &Market,
    config: &RunConfig,
    strategies: Vec<StrategySetup>,
    stop: &AtomicBool,
) -> Result<RunResult, Interrupted> {
    let cash_account = config.limits.account.kind == AccountKind::Cash;
    let core = Core::new(market, strategies, config.limits.clone(), config.cash);
    let venue = SimVenue::new(market, config.rules.clone(), cash_account);
    let mut run = Run {
        market,
        core,
        venue,
        equity: vec![0.0; market.steps.len()],
        changes: Vec::new(),
        daily: Vec::with_capacity(market.days.len()),
        previous_close: config.cash,
        recorded_cash: config.cash,
        next_action: 0,
    };
    for day in 0..market.days.len() {
        if stop.load(Ordering::Relaxed) {
            return Err(Interrupted);
        }
        run.day(day);
    }
    Ok(run.finish(config.cash))
}

struct Run<'m> {
    market: &'m Market,
    core: Core<'m>,
    venue: SimVenue<'m>,
    equity: Vec<f64>,
    changes: Vec<(usize, f64)>,
    daily: Vec<DailyEquity>,
    previous_close: f64,
    /// Cash at the last entry of `changes`.
    recorded_cash: f64,
    next_action: usize,
}

impl Run<'_> {
    fn day(&mut self, day: usize) {
        let (first, end) = (self.market.days[day].first_step, self.market.days[day].end_step);
        self.corporate_actions(day);
        self.core.start_day(day, self.previous_close);
        self.venue.start_day(day, &self.core.instruments);
        let mut from = first;
        if self.core.portfolio.account.cash != self.recorded_cash {
            self.recorded_cash = self.core.portfolio.account.cash;
            self.changes.push((first, self.recorded_cash));
        }
        while from < end {
            let wake = self.core.next_wake(day, from).min(end - 1);
            let mut at = self.venue.next_step().map_or(wake, |step| step.min(wake));
            if at > from
                && let Some(breach) = mark_chunk(
                    self.market,
                    &self.core.instruments,
                    &self.core.portfolio.account,
                    &self.core.desk,
                    day,
                    from,
                    &mut self.equity[from..at],
                )
            {
                at = breach;
            }
            self.step(day, at);
            from = at + 1;
        }
        self.previous_close = self.equity[end - 1];
        self.daily.push(DailyEquity { date: self.market.days[day].date, equity: self.previous_close });
    }

    /// Everything that happens at one bar end: fills, limits, decisions, and at the day's end what a night
    /// costs.
    fn step(&mut self, day: usize, step: usize) {
        let is_last = step + 1 == self.market.days[day].end_step;
        self.venue.process(step, &mut self.core.portfolio, &self.core.instruments);
        self.venue.end_of_step(step, &mut self.core.portfolio, &self.core.instruments);
        mark_all(&self.core.instruments, &mut self.core.portfolio.account, day, step);
        let equity = self.core.portfolio.account.equity();
        let has_positions = !self.core.portfolio.account.open_positions().is_empty();
        if equity <= self.core.desk.loss_threshold() {
            self.core.desk.halt();
            self.liquidate(day, step, "daily loss limit", "equity fell to it; no entries until the next session");
        } else if has_positions && !self.core.is_liquidating() {
            if self.core.desk.is_halted() {
                // An order that was on its way has filled since.
                self.core.liquidate(step, "daily loss limit", &mut self.venue);
            } else if self.core.desk.is_margin_call(&self.core.portfolio) {
                self.liquidate(day, step, "margin call", "equity no longer covered the maintenance margin");
            }
        }
        self.core.decide(day, step, &mut self.venue);
        if self.venue.has_immediate() {
            self.venue.fill_immediate(step, &mut self.core.portfolio, &self.core.instruments);
            mark_all(&self.core.instruments, &mut self.core.portfolio.account, day, step);
        }
        self.venue.reschedule(&self.core.instruments);
        if is_last {
            self.venue.end_of_day(&mut self.core.portfolio, &self.core.instruments);
            mark_all(&self.core.instruments, &mut self.core.portfolio.account, day, step);
            self.night();
        }
        self.equity[step] = self.core.portfolio.account.equity();
        let cash = self.core.portfolio.account.cash;
        if cash != self.recorded_cash {
            self.recorded_cash = cash;
            self.changes.push((step, cash));
        }
        if self.venue.has_reductions() {
            for text in self.venue.take_reductions() {
                self.core.warn(text);
            }
        }
    }

    /// Closes every position because of a limit, and says so.
    fn liquidate(&mut self, day: usize, step: usize, reason: &'static str, text: &str) {
        let date = self.market.days[day].date;
        self.core.warn(format!("{reason} in the session of {date}: positions closed, since {text}"));
        self.core.liquidate(step, reason, &mut self.venue);
    }

    /// Borrow fees and margin interest, once a night on the balance at the close, a 360th of the yearly rate.
    fn night(&mut self) {
        let account = &mut self.core.portfolio.account;
        let mut borrow = 0.0;
        for &symbol in account.open_positions() {
            let value = account.position(symbol) * account.mark(symbol);
            if value < 0.0 && self.core.instruments.put(symbol).is_none() {
                borrow += -value * self.core.desk.borrow_rate(symbol) / 360.0;
            }
        }
        let interest = (-account.cash).max(0.0) * self.core.desk.limits().account.margin_rate / 360.0;
        account.cash -= borrow + interest;
        self.core.portfolio.costs.borrow += borrow;
        self.core.portfolio.costs.interest += interest;
    }

    /// Dividends and splits that are in force from the open of `day`. Orders are never carried over a split.
    fn corporate_actions(&mut self, day: usize) {
        let date = self.market.days[day].date;
        while let Some(action) = self.market.actions.get(self.next_action).filter(|a| a.date <= date) {
            self.next_action += 1;
            match action.kind {
                ActionKind::Dividend { amount } => self.core.portfolio.dividend(action.symbol, amount),
                ActionKind::Split { ratio } => {
                    let open = self.market.days[day].open;
                    self.venue.cancel_all(
                        action.symbol,
                        open,
                        "split",
                        &mut self.core.portfolio,
                        &self.core.instruments,
                    );
                    self.core.portfolio.split(action.symbol, ratio);
                }
            }
        }
    }

    fn finish(mut self, start_equity: f64) -> RunResult {
        if let Some(&last) = self.market.steps.last() {
            self.venue.end_of_data(last, &mut self.core.portfolio, &self.core.instruments);
        }
        let strategies = self.core.strategy_names();
        let labels = self.core.labels();
        let warnings = self.core.take_warnings();
        let instruments =
            (0..self.core.instruments.len() as u32).map(|id| self.core.instruments.name(crate::market::SymbolId(id)));
        let instruments = instruments.collect();
        let puts = self.core.instruments.puts.clone();
        let ambiguity_pnl = self.venue.ambiguity_pnl();
        let (orders, order_events, fills, trades, costs) = self.core.portfolio.into_parts();
        let ambiguous = |id: crate::trading::OrderId| orders[id.0 as usize].ambiguous;
        let ambiguity = Ambiguity {
            trades: trades.iter().filter(|t| ambiguous(t.opening) || ambiguous(t.closing)).count() as u64,
            pnl: ambiguity_pnl,
        };
        RunResult {
            instruments,
            puts,
            strategies,
            labels,
            orders,
            order_events,
            fills,
            trades,
            equity: self.equity,
            cash_changes: self.changes,
            daily: self.daily,
            start_equity,
            costs,
            ambiguity,
            warnings,
        }
    }
}
