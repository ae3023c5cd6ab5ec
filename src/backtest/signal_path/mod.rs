//! A faster way through the commonest run: one symbol, one strategy that holds a signal by market orders.
//!
//! Everything such a run does follows from the signal's changes, so nothing is asked bar by bar: the path goes
//! from one change to the fill of its order to the next change, and a day without either costs a few comparisons
//! with the day's lowest and highest close. Every number is computed by the expressions of the trading core and the
//! simulated venue, in their order, so that the result is theirs to the last bit, which tests prove. Where something
//! happens that is not foreseen here (two orders at once, an order that has to wait), the path gives up and the
//! run is done the general way from its start.
//!
//! | file | subject |
//! | --- | --- |
//! | `mod` | which runs qualify, and the path itself |
//! | `prices` | where an order fills: computed as needed, or once for many runs |
//! | `record` | what is kept: everything, or what a summary needs |

mod prices;
mod record;
#[cfg(test)]
mod tests;

pub(super) use prices::FillPrices;
pub(super) use record::{Everything, Kept, SummaryOnly};

use super::config::{Interrupted, RunConfig};
use super::result::DailyEquity;
use crate::engine::{LOSS_LIMIT, Limit, MARGIN_CALL};
use crate::market::{ActionKind, Market, Nanos, SymbolId};
use crate::risk::{covers_initial_margin, leaves_whole_shares, loss_threshold, night_costs, signed_shares};
use crate::sim::{FillRule, Slippage};
use crate::trading::{AccountKind, Costs, OrderState, PositionSize, QTY_EPSILON, Side, Signal, SignalChange};
use prices::start_of;
use record::{Filled, Submitted};
use std::ops::Range;

/// The only symbol of the run.
const SYMBOL: SymbolId = SymbolId(0);

/// A run that qualifies.
pub(super) struct SignalPath<'a> {
    pub market: &'a Market,
    pub config: &'a RunConfig,
    pub signal: &'a Signal,
    pub size: PositionSize,
    pub prices: &'a FillPrices,
}

/// An order on its way.
#[derive(Debug, Clone, Copy)]
struct OnItsWay {
    /// Number of the order.
    number: u32,
    side: Side,
    qty: f64,
    arrival: Nanos,
    /// The bar in which it fills.
    bar: usize,
    /// Prices before slippage under both orders of the bar's extremes.
    raw: [f64; 2],
    reason: &'static str,
}

/// What changes during a run.
#[derive(Debug)]
struct State {
    cash: f64,
    /// Shares, negative when short.
    position: f64,
    orders: u32,
    on_its_way: Option<OnItsWay>,
    /// Whether the order on its way closes the position because of a limit.
    liquidating: bool,
    halted: bool,
    loss_threshold: f64,
    /// Side that the signal said last.
    side: i8,
    /// One past the last session of the run.
    last_day: usize,
    costs: Costs,
}

/// Something that only the general way can do.
struct Unforeseen;

/// Whether every day's bars of the only symbol are the steps of that day, and the rules are those of the path.
pub(super) fn qualifies(market: &Market, config: &RunConfig) -> bool {
    let limits = &config.limits;
    market.symbols.len() == 1
        && market.steps.len() == market.series[0].len()
        && (0..market.days.len()).all(|day| market.day_range(SYMBOL, day).start == market.days[day].first_step)
        && limits.account.kind == AccountKind::Margin
        && limits.defense.is_none()
        && limits.borrow.is_empty()
        && !limits.disable_all_trades
        && config.rules.participation == 0.0
        && (config.rules.fill != FillRule::Quote || market.series[0].quotes.is_some())
}

impl SignalPath<'_> {
    /// Goes through some sessions. `None`: the general way is needed. See
    /// [`run_sessions`](crate::backtest::run_sessions) for `go_on`.
    pub fn run<K: Kept>(
        &self,
        sessions: Range<usize>,
        kept: &mut K,
        go_on: &mut impl FnMut(&[DailyEquity]) -> bool,
    ) -> Result<Option<Costs>, Interrupted> {
        let mut state = State {
            cash: self.config.cash,
            position: 0.0,
            orders: 0,
            on_its_way: None,
            liquidating: false,
            halted: false,
            loss_threshold: f64::NEG_INFINITY,
            side: 0,
            last_day: sessions.end,
            costs: Costs::default(),
        };
        let mut previous_close = self.config.cash;
        let Some(first_day) = self.market.days.get(sessions.start) else { return Ok(None) };
        let first = first_day.first_step;
        let changes = &self.signal.changes;
        let mut cursor = changes.partition_point(|change| (change.bar as usize) < first);
        let first_change = cursor;
        let planned = self.prices.of_changes(self.market, &changes[first_change..]);
        // A late start decides at its first bar end about the side that holds there.
        let mut side_before = cursor.checked_sub(1).map(|k| changes[k]);
        let mut action =
            self.market.actions.partition_point(|action| sessions.start > 0 && action.date < first_day.date);
        for day in sessions {
            if !go_on(kept.days()) {
                return Err(Interrupted);
            }
            let (first, end) = (self.market.days[day].first_step, self.market.days[day].end_step);
            if self.corporate_actions(day, &mut action, &mut state, kept).is_err() {
                return Ok(None);
            }
            state.halted = false;
            state.loss_threshold = loss_threshold(previous_close, self.config.limits.daily_loss_limit);
            kept.cash(first, state.cash);
            let mut from = first;
            while from < end {
                let change = changes.get(cursor).map_or(usize::MAX, |change| change.bar as usize);
                let mut at = if side_before.is_some() { from } else { change.min(end - 1) };
                if let Some(order) = &state.on_its_way {
                    at = at.min(order.bar.max(from));
                }
                if at > from {
                    if state.position != 0.0
                        && let Some(limit) = self.first_limit(&state, day, from..at)
                    {
                        at = limit;
                    }
                    kept.rows(from..at, state.cash, state.position);
                }
                let mut decision = side_before.take().map(|change| (change, None));
                if at == change {
                    decision = Some((changes[cursor], planned.get(cursor - first_change).copied()));
                    cursor += 1;
                }
                let Ok(equity) = self.step(day, at, decision, &mut state, kept) else { return Ok(None) };
                kept.row(equity);
                kept.cash(at, state.cash);
                previous_close = equity;
                from = at + 1;
            }
            kept.day(self.market.days[day].date, previous_close);
        }
        Ok(Some(state.costs))
    }

    /// Dividends and splits in force from the open of a day.
    fn corporate_actions<K: Kept>(
        &self,
        day: usize,
        next: &mut usize,
        state: &mut State,
        kept: &mut K,
    ) -> Result<(), Unforeseen> {
        let date = self.market.days[day].date;
        while let Some(action) = self.market.actions.get(*next).filter(|action| action.date <= date) {
            *next += 1;
            match action.kind {
                ActionKind::Dividend { amount } => state.cash += state.position * amount,
                ActionKind::Split { .. } if state.on_its_way.is_some() => return Err(Unforeseen),
                ActionKind::Split { ratio } => {
                    state.position *= ratio;
                    kept.split(ratio);
                }
            }
        }
        Ok(())
    }

    /// The first of some bars, between two events, at whose end the day's loss limit or the maintenance margin is
    /// reached with the position held.
    fn first_limit(&self, state: &State, day: usize, bars: Range<usize>) -> Option<usize> {
        // What holds at the worst close holds at all of them, since rounding keeps order.
        let (lowest, highest) = self.prices.closes(self.market, day, bars.clone());
        let (worst, widest) = if state.position > 0.0 { (lowest, highest) } else { (highest, highest) };
        let equity = state.cash + state.position * worst;
        if equity > state.threshold() && !self.is_margin_call(state, equity, widest) {
            return None;
        }
        let closes = &self.market.series[0].close[bars.clone()];
        let reached = closes.iter().position(|&close| {
            let equity = state.cash + state.position * close;
            equity <= state.threshold() || self.is_margin_call(state, equity, close)
        });
        reached.map(|k| bars.start + k)
    }

    /// Whether `equity` no longer covers the maintenance margin of the position at `price`.
    fn is_margin_call(&self, state: &State, equity: f64, price: f64) -> bool {
        let leveraged = state.cash < 0.0 || state.position < 0.0;
        leveraged && equity < self.config.limits.account.maintenance_margin * (state.position * price).abs()
    }

    /// One bar end at which something happens. Returns the equity after it.
    fn step<K: Kept>(
        &self,
        day: usize,
        at: usize,
        decision: Option<(SignalChange, Option<[f64; 2]>)>,
        state: &mut State,
        kept: &mut K,
    ) -> Result<f64, Unforeseen> {
        if state.on_its_way.is_some_and(|order| order.bar == at) {
            self.fill(day, state, kept);
        }
        let close = self.market.series[0].close[at];
        let equity = state.equity(close);
        if equity <= state.threshold() {
            state.halted = true;
            kept.warn(|| self.warning(day, &LOSS_LIMIT));
            self.liquidate(day, at, LOSS_LIMIT.reason, state, kept)?;
        } else if state.position != 0.0 && !state.liquidating {
            if state.halted {
                self.liquidate(day, at, LOSS_LIMIT.reason, state, kept)?;
            } else if self.is_margin_call(state, equity, close) {
                kept.warn(|| self.warning(day, &MARGIN_CALL));
                self.liquidate(day, at, MARGIN_CALL.reason, state, kept)?;
            }
        }
        if let Some((change, planned)) = decision.filter(|(change, _)| change.side != state.side) {
            state.side = change.side;
            self.decide(day, at, equity, close, self.signal.reason(change), planned, state, kept)?;
        }
        if self.config.rules.fill.is_immediate() && state.on_its_way.is_some() {
            self.fill(day, state, kept);
        }
        if at + 1 == self.market.days[day].end_step {
            self.night(close, state);
        }
        Ok(state.equity(close))
    }

    fn warning(&self, day: usize, limit: &Limit) -> String {
        limit.warning(self.market.days[day].date)
    }

    /// Closes the position because of a limit.
    fn liquidate<K: Kept>(
        &self,
        day: usize,
        at: usize,
        reason: &'static str,
        state: &mut State,
        kept: &mut K,
    ) -> Result<(), Unforeseen> {
        if state.on_its_way.is_some() {
            return Err(Unforeseen);
        }
        if state.position == 0.0 {
            return Ok(());
        }
        let side = if state.position > 0.0 { Side::Sell } else { Side::Buy };
        let number = state.next_order();
        state.liquidating = true;
        self.send(day, at, number, side, state.position.abs(), reason, None, state, kept)
    }

    /// One market order from the position, what is on its way counted in, to what the signal wants.
    #[expect(clippy::too_many_arguments, reason = "where, at what prices, why, and what changes")]
    fn decide<K: Kept>(
        &self,
        day: usize,
        at: usize,
        equity: f64,
        close: f64,
        reason: &'static str,
        planned: Option<[f64; 2]>,
        state: &mut State,
        kept: &mut K,
    ) -> Result<(), Unforeseen> {
        let wanted = signed_shares(&self.size, state.side, equity, close);
        let working = state.on_its_way.map_or(0.0, |order| order.side.sign() * order.qty);
        let delta = wanted - state.position - working;
        if delta.abs() < 1e-9 {
            return Ok(());
        }
        let side = if delta > 0.0 { Side::Buy } else { Side::Sell };
        let qty = delta.abs();
        if !qty.is_finite() {
            return Err(Unforeseen);
        }
        let fractional = self.config.limits.account.fractional;
        if !fractional && qty.fract() != 0.0 && !leaves_whole_shares(state.position, side, qty) {
            return Err(Unforeseen);
        }
        let opening = (qty - (-side.sign() * state.position).max(0.0)).max(0.0);
        let mut refused = None;
        if opening > 0.0 {
            if state.halted {
                refused = Some("DAILY_LOSS_LIMIT");
            } else if state.on_its_way.is_none() {
                let (buys, sells) = if side == Side::Buy { (qty, 0.0) } else { (0.0, qty) };
                let largest = (state.position + buys).abs().max((state.position - sells).abs());
                if !covers_initial_margin(&self.config.limits.account, 0.0 + largest * close, equity) {
                    refused = Some("initial margin");
                }
            }
        }
        if let Some(refusal) = refused {
            let number = state.next_order();
            let decided = self.market.time_of(day, at);
            kept.submitted(&Submitted { number, side, qty, decided, reason });
            kept.event(number, decided, OrderState::Rejected, 0.0, refusal);
            return Ok(());
        }
        if state.on_its_way.is_some() {
            return Err(Unforeseen);
        }
        let number = state.next_order();
        state.liquidating = false;
        self.send(day, at, number, side, qty, reason, planned, state, kept)
    }

    /// Sends an order that was approved, if it fills within the next bar.
    #[expect(clippy::too_many_arguments, reason = "an order, when it was decided, and what changes")]
    fn send<K: Kept>(
        &self,
        day: usize,
        at: usize,
        number: u32,
        side: Side,
        qty: f64,
        reason: &'static str,
        planned: Option<[f64; 2]>,
        state: &mut State,
        kept: &mut K,
    ) -> Result<(), Unforeseen> {
        let rules = &self.config.rules;
        let decided = self.market.time_of(day, at);
        let arrival = decided + if rules.fill.ignores_latency() { 0 } else { rules.latency };
        let bar = if rules.fill.is_immediate() { at } else { at + 1 };
        let fill_day = day + usize::from(bar == self.market.days[day].end_step);
        if fill_day == state.last_day && !K::EVERYTHING {
            // It never meets a bar: cancelled when the data end, without a trace in the summary.
            let (bar, raw) = (usize::MAX, [f64::NAN; 2]);
            kept.submitted(&Submitted { number, side, qty, decided, reason });
            state.on_its_way = Some(OnItsWay { number, side, qty, arrival, bar, raw, reason });
            return Ok(());
        }
        if !rules.fill.is_immediate() {
            // An order of a session that is not over fills within it, a later one within the next session.
            let expires = decided < self.market.days[day].end && fill_day > day;
            let meets = fill_day < state.last_day && !expires && self.market.time_of(fill_day, bar) > arrival;
            let waits = || rules.fill == FillRule::NextOpen && arrival > start_of(self.market, fill_day, bar);
            if !meets || waits() {
                return Err(Unforeseen);
            }
        }
        let raw = planned.unwrap_or_else(|| self.prices.raw(self.market, fill_day, bar, arrival, side));
        if !raw[0].is_finite() {
            return Err(Unforeseen);
        }
        kept.submitted(&Submitted { number, side, qty, decided, reason });
        kept.event(number, decided, OrderState::Submitting, 0.0, reason);
        state.on_its_way = Some(OnItsWay { number, side, qty, arrival, bar, raw, reason });
        Ok(())
    }

    /// Fills the order on its way, in the bar it was meant for.
    fn fill<K: Kept>(&self, day: usize, state: &mut State, kept: &mut K) {
        let Some(order) = state.on_its_way.take() else { return };
        state.liquidating = false;
        let rules = &self.config.rules;
        let (bar, side, qty) = (order.bar, order.side, order.qty);
        let sign = side.sign();
        let date = self.market.days[day].date;
        let slip_pct = self.prices.draw(order.number);
        let series = &self.market.series[0];
        // Only this model looks at them, and every column looked at costs.
        let (spread, volume) = match rules.slippage {
            Slippage::RuleBased(_) => (series.quotes.as_ref().and_then(|q| q.spread(bar)), series.volume[bar]),
            _ => (None, f64::NAN),
        };
        let close = series.close[bar];
        let raw = order.raw;
        let outcome = |raw: f64| {
            let price = rules.slippage.price(raw, sign, slip_pct, qty, spread, volume);
            let fee = rules.commission.fee(side, 0.0 + qty, 0.0 + qty * price, date) - 0.0;
            (price, fee, 0.0 + (sign * qty * (close - price) - fee))
        };
        let mut chosen = outcome(raw[0]);
        let mut chosen_raw = raw[0];
        let differs = raw[0] != raw[1];
        if differs && (K::EVERYTHING || matches!(rules.fill, FillRule::Pessimistic | FillRule::Optimistic)) {
            let other = outcome(raw[1]);
            kept.ambiguous(order.number, (other.2 - chosen.2).abs());
            if rules.fill.takes_other(other.2 - chosen.2) {
                (chosen, chosen_raw) = (other, raw[1]);
            }
        }
        let (price, commission, _) = chosen;
        let slippage = sign * (price - chosen_raw) * qty;
        let time =
            if rules.fill.is_immediate() { order.arrival } else { order.arrival.max(start_of(self.market, day, bar)) };
        kept.event(order.number, order.arrival, OrderState::Working, 0.0, "");
        kept.event(order.number, time, OrderState::Filled, qty, order.reason);
        let delta = sign * qty;
        state.cash -= delta * price + commission;
        state.position += delta;
        if state.position.abs() < QTY_EPSILON {
            state.position = 0.0;
        }
        state.costs.commission += commission;
        state.costs.slippage += slippage;
        kept.filled(Filled {
            number: order.number,
            side,
            qty,
            price,
            time,
            commission,
            slippage,
            bar: bar as u32,
            reason: order.reason,
        });
    }

    /// Borrow fees and interest of a night.
    fn night(&self, close: f64, state: &mut State) {
        let rules = &self.config.limits.account;
        let mut borrow = 0.0;
        let value = state.position * close;
        if value < 0.0 {
            borrow += night_costs(-value, rules.borrow_rate);
        }
        let interest = night_costs((-state.cash).max(0.0), rules.margin_rate);
        state.cash -= borrow + interest;
        state.costs.borrow += borrow;
        state.costs.interest += interest;
    }
}

impl State {
    fn next_order(&mut self) -> u32 {
        self.orders += 1;
        self.orders - 1
    }

    fn threshold(&self) -> f64 {
        if self.halted { f64::NEG_INFINITY } else { self.loss_threshold }
    }

    /// Cash and position at a price, as [`crate::trading::Account::equity`] sums them.
    fn equity(&self, price: f64) -> f64 {
        if self.position == 0.0 { self.cash } else { self.cash + self.position * price }
    }
}
