//! The core with its venue and its account: what happens in the course of a day, bar end by bar end.

use super::core::Core;
use super::limit::{LOSS_LIMIT, Limit, MARGIN_CALL};
use crate::market::{ActionKind, Market, Nanos};
use crate::risk::{BarVenue, Halt, night_costs};
use crate::trading::{Account, Instruments};

/// A core and a venue that are led through the days of a market together. A backtest leads it through days that are
/// known, a session through a day that grows.
pub struct Trader<V> {
    pub core: Core,
    pub venue: V,
    /// Equity at the last close.
    pub previous_close: f64,
    next_action: usize,
}

impl<V: BarVenue> Trader<V> {
    /// A core and a venue that have not begun.
    pub fn new(core: Core, venue: V) -> Trader<V> {
        let previous_close = core.portfolio.account.equity();
        Trader { core, venue, previous_close, next_action: 0 }
    }

    /// The first day to come is `day`, and not the first of the data: corporate actions before it are history, and
    /// see [`Core::begin_late`].
    pub fn begin_late(&mut self, market: &Market, day: usize) {
        let date = market.days[day].date;
        self.next_action = market.actions.partition_point(|action| action.date < date);
        self.core.begin_late();
    }

    /// A day begins: corporate actions, then the day of core and venue.
    pub fn begin_day(&mut self, market: &Market, day: usize) {
        self.corporate_actions(market, day);
        self.core.start_day(market, day, self.previous_close);
        self.venue.start_day(day, &self.core.contracts.on(market));
    }

    /// Everything that happens at one bar end: fills, limits, decisions.
    #[inline]
    pub fn step(&mut self, market: &Market, day: usize, step: usize) {
        let Trader { core, venue, .. } = self;
        venue.process(step, &mut core.portfolio, &core.contracts.on(market));
        mark_all(&core.contracts.on(market), &mut core.portfolio.account, day, step);
        let equity = core.portfolio.account.equity();
        let has_positions = !core.portfolio.account.open_positions().is_empty();
        if equity <= core.desk.loss_threshold() {
            core.desk.halt(Halt::LossLimit);
            self.close_for(market, day, step, &LOSS_LIMIT);
        } else if has_positions && !core.is_liquidating() {
            if let Some(halt) = core.desk.halted() {
                // An order that was on its way has filled since.
                core.liquidate(market, market.steps[step], halt.reason(), venue);
            } else if core.desk.is_margin_call(&core.portfolio) {
                self.close_for(market, day, step, &MARGIN_CALL);
            }
        }
        let Trader { core, venue, .. } = self;
        core.decide(market, day, step, venue);
        self.settle(market, day, step);
    }

    /// Gives orders that were sent at `step` what happens to them in that instant.
    pub fn settle(&mut self, market: &Market, day: usize, step: usize) {
        let Trader { core, venue, .. } = self;
        if venue.settle(step, &mut core.portfolio, &core.contracts.on(market)) {
            mark_all(&core.contracts.on(market), &mut core.portfolio.account, day, step);
        }
        for text in venue.take_notes() {
            core.warn(text);
        }
    }

    /// A day is over after `step`: its close, and what a night costs. `data_end`: the data end with it, so that
    /// there is no rest of the day after its last bar.
    pub fn end_day(&mut self, market: &Market, day: usize, step: usize, data_end: bool) {
        let Trader { core, venue, .. } = self;
        if !data_end {
            venue.end_of_day(&mut core.portfolio, &core.contracts.on(market));
        }
        mark_all(&core.contracts.on(market), &mut core.portfolio.account, day, step);
        if self.venue.keeps_account() {
            self.night();
        }
        self.previous_close = self.core.portfolio.account.equity();
        let Trader { core, venue, .. } = self;
        for text in venue.take_notes() {
            core.warn(text);
        }
    }

    /// The data end after `step`.
    pub fn end_data(&mut self, market: &Market, step: usize) {
        let Trader { core, venue, .. } = self;
        venue.end_of_data(market.steps[step], &mut core.portfolio, &core.contracts.on(market));
    }

    /// Halts, cancels everything and closes every position at `now`, by order of somebody.
    pub fn close_all(&mut self, market: &Market, now: Nanos, halt: Halt) {
        self.core.desk.halt(halt);
        self.core.liquidate(market, now, halt.reason(), &mut self.venue);
    }

    /// Closes what has come to be held since [`Trader::close_all`].
    pub fn close_rest(&mut self, market: &Market, now: Nanos, halt: Halt) {
        self.core.liquidate_rest(market, now, halt.reason(), &mut self.venue);
    }

    /// Closes every position because of a limit, and says so.
    fn close_for(&mut self, market: &Market, day: usize, step: usize, limit: &Limit) {
        self.core.warn(limit.warning(market.days[day].date));
        self.core.liquidate(market, market.steps[step], limit.reason, &mut self.venue);
    }

    /// Borrow fees and margin interest, once a night on the balance at the close, a 360th of the yearly rate.
    fn night(&mut self) {
        let core = &mut self.core;
        let account = &mut core.portfolio.account;
        let mut borrow = 0.0;
        for &symbol in account.open_positions() {
            let value = account.position(symbol) * account.mark(symbol);
            if value < 0.0 && !core.contracts.is_put(symbol) {
                borrow += night_costs(-value, core.desk.borrow_rate(symbol));
            }
        }
        let interest = night_costs((-account.cash).max(0.0), core.desk.limits().account.margin_rate);
        account.cash -= borrow + interest;
        core.portfolio.costs.borrow += borrow;
        core.portfolio.costs.interest += interest;
    }

    /// Dividends and splits that are in force from the open of `day`. Orders are never carried over a split.
    fn corporate_actions(&mut self, market: &Market, day: usize) {
        let date = market.days[day].date;
        let Trader { core, venue, .. } = self;
        while let Some(action) = market.actions.get(self.next_action).filter(|a| a.date <= date) {
            self.next_action += 1;
            match action.kind {
                ActionKind::Dividend { amount } => core.portfolio.dividend(action.symbol, amount),
                ActionKind::Split { ratio } => {
                    let open = market.days[day].open;
                    let instruments = core.contracts.on(market);
                    venue.split(action.symbol, ratio, open, &mut core.portfolio, &instruments);
                    core.portfolio.split(action.symbol, ratio);
                }
            }
        }
    }
}

/// Marks every position at the last close known at `step`.
pub(crate) fn mark_all(instruments: &Instruments<'_>, account: &mut Account, day: usize, step: usize) {
    let market = instruments.market;
    for k in 0..account.open_positions().len() {
        let symbol = account.open_positions()[k];
        let driver = instruments.driver(symbol);
        let ended = market.ended(driver, day, step);
        if ended > market.day_range(driver, day).start {
            let price = instruments.close(symbol, ended - 1, market.steps[step]);
            account.set_mark(symbol, price);
        }
    }
}
