//! Valuing the account at bar ends.

use super::result::{EquityCurve, RunResult};
use crate::engine::mark_all;
use crate::market::{ActionKind, Market};
use crate::risk::RiskDesk;
use crate::trading::{Account, AccountKind, Contracts, Instruments};

/// Writes the equity of steps `from..from + equity.len()` of `day`, during which nothing is traded. Returns
/// the first step at which the day's loss limit or the maintenance margin is reached, if any: rows from there
/// on are not final.
///
/// `gross` is working memory. The sum is cash, then position by position in order of instrument, as in [`Account::equity`]: the same
/// bits, whether the rows of a chunk are computed together or one by one.
#[expect(clippy::too_many_arguments, reason = "the account, where it is in time, and where the rows go")]
pub(super) fn mark_chunk(
    market: &Market,
    instruments: &Instruments<'_>,
    account: &Account,
    desk: &RiskDesk,
    day: usize,
    from: usize,
    equity: &mut [f64],
    gross: &mut Vec<f64>,
) -> Option<usize> {
    equity.fill(account.cash);
    if account.open_positions().is_empty() {
        return None;
    }
    let rules = &desk.limits().account;
    let leveraged = rules.kind == AccountKind::Margin
        && (account.cash < 0.0 || account.open_positions().iter().any(|&s| account.position(s) < 0.0));
    gross.clear();
    if leveraged {
        gross.resize(equity.len(), 0.0);
    }
    for &symbol in account.open_positions() {
        let qty = account.position(symbol);
        let driver = instruments.driver(symbol);
        let is_stock = symbol == driver;
        if is_stock && market.is_complete(driver, day) {
            let first = market.ended(driver, day, from) - 1;
            let closes = &market.series[driver.index()].close[first..first + equity.len()];
            for (row, &close) in equity.iter_mut().zip(closes) {
                *row += qty * close;
            }
            for (row, &close) in gross.iter_mut().zip(closes) {
                *row += (qty * close).abs();
            }
            continue;
        }
        for (k, row) in equity.iter_mut().enumerate() {
            let ended = market.ended(driver, day, from + k);
            // A position whose symbol has no bar yet in this day keeps its mark (a split may have changed it).
            let fresh = ended > market.day_range(driver, day).start;
            let price =
                if fresh { instruments.close(symbol, ended - 1, market.steps[from + k]) } else { account.mark(symbol) };
            *row += qty * price;
            if let Some(gross) = gross.get_mut(k) {
                *gross += (qty * price).abs();
            }
        }
    }
    let threshold = desk.loss_threshold();
    let breach = if leveraged {
        let maintenance = rules.maintenance_margin;
        equity.iter().zip(gross.iter()).position(|(&e, &g)| e <= threshold || e < maintenance * g)
    } else {
        first_at_or_below(equity, threshold)
    };
    breach.map(|k| from + k)
}

/// The first value at or below a threshold. Whole blocks are tested at once, since there is almost never one.
fn first_at_or_below(values: &[f64], threshold: f64) -> Option<usize> {
    let mut low = [f64::INFINITY; 8];
    let blocks = values.chunks_exact(8);
    let rest = blocks.remainder();
    for block in blocks {
        for (lane, &v) in low.iter_mut().zip(block) {
            *lane = if v < *lane { v } else { *lane };
        }
    }
    let lowest = rest.iter().chain(&low).fold(f64::INFINITY, |m, &v| if v < m { v } else { m });
    if lowest > threshold { None } else { values.iter().position(|&v| v <= threshold) }
}

impl RunResult {
    /// The full table of the account over time. Cash and exposure are derived here and not during the run.
    pub fn equity_curve(&self, market: &Market) -> EquityCurve {
        expand(self, market)
    }
}

/// The full account table of a result: cash from its changes, exposure from the fills.
fn expand(result: &RunResult, market: &Market) -> EquityCurve {
    let contracts = Contracts::with_puts(market, result.puts.clone());
    let instruments = contracts.on(market);
    let mut account = Account::new(result.start_equity, instruments.len());
    let mut curve = EquityCurve {
        time: market.steps.clone(),
        equity: result.equity.clone(),
        cash: Vec::with_capacity(market.steps.len()),
        exposure: Vec::with_capacity(market.steps.len()),
    };
    let mut fills = result.fills.iter().peekable();
    let mut changes = result.cash_changes.iter().peekable();
    let mut actions = market.actions.iter().peekable();
    for (index, day) in market.days.iter().enumerate() {
        while let Some(action) = actions.next_if(|a| a.date <= day.date) {
            if let ActionKind::Split { ratio } = action.kind {
                account.split(action.symbol, ratio);
            }
        }
        for step in day.first_step..day.end_step {
            while let Some(fill) = fills.next_if(|f| f.time <= market.steps[step]) {
                let ended = market.ended(instruments.driver(fill.symbol), index, step);
                if account.position(fill.symbol) == 0.0 && ended > 0 {
                    account.set_mark(fill.symbol, instruments.old_close(fill.symbol, ended - 1, market.steps[step]));
                }
                account.add(fill.symbol, fill.side.sign() * fill.qty);
            }
            while let Some(change) = changes.next_if(|c| c.0 <= step) {
                account.cash = change.1;
            }
            mark_all(&instruments, &mut account, index, step);
            curve.cash.push(account.cash);
            curve.exposure.push(account.gross() / result.equity[step]);
        }
    }
    curve
}
