//! What the dashboard shows of a session.

use super::machine::{Counters, Session, SessionVenue};
use super::output::StageChange;
use super::schedule::Stage;
use crate::market::{Nanos, SymbolId, format_time};
use crate::risk::Halt;
use crate::trading::{OrderRecord, QTY_EPSILON};
use serde::Serialize;
use std::collections::BTreeMap;

/// A window of a strategy, times in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowStatus {
    pub strategy: String,
    pub start: String,
    pub analysis_end: String,
    pub entry_end: String,
    pub end: String,
    /// Entries that were filled, in part at least.
    pub entries: u64,
    /// Round trips that ended.
    pub exits: u64,
    /// Entries that were decided, refused ones included.
    pub signals: u64,
}

/// A round trip.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TradeStatus {
    pub strategy: String,
    pub instrument: String,
    /// Signed shares.
    pub qty: f64,
    pub entry_time: String,
    pub entry_price: f64,
    pub exit_time: String,
    pub exit_price: f64,
    /// Dollars, costs included.
    pub pnl: f64,
    pub reason: String,
}

/// An order that waits for confirmation.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WaitingOrder {
    pub id: u32,
    pub strategy: String,
    pub instrument: String,
    pub side: &'static str,
    pub order_type: &'static str,
    pub qty: f64,
    pub decided: String,
    /// When it lapses.
    pub lapses: Option<String>,
}

/// A snapshot.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusSnapshot {
    pub session: String,
    pub mode: super::Mode,
    /// `waiting`, `analyzing`, `trading` or `monitoring`.
    pub stage: &'static str,
    /// Why no position may be opened, if so.
    pub halted: Option<&'static str>,
    pub time: Option<String>,
    pub windows: Vec<WindowStatus>,
    pub trades: Vec<TradeStatus>,
    /// Sum over the round trips, dollars.
    pub pnl: f64,
    /// Share of the round trips with a profit; none without any.
    pub win_rate: Option<f64>,
    /// Dollars at the start of the session.
    pub start_equity: f64,
    pub equity: f64,
    pub cash: f64,
    /// Gross value of the positions as a share of equity.
    pub invested: f64,
    /// TOTAL_ALLOCATION times the strategies that trade in the session.
    pub invested_target: f64,
    /// (instrument, signed shares)
    pub positions: Vec<(String, f64)>,
    pub open_orders: u64,
    /// Orders at the broker of which something is not known.
    pub unresolved_orders: usize,
    /// Why nothing may be opened because of the broker or the market data, if so.
    pub entries_blocked: Option<&'static str>,
    /// Orders that wait for confirmation.
    pub waiting_orders: Vec<WaitingOrder>,
    pub defense_mode: bool,
    pub trades_disabled: bool,
    pub counters: Counters,
    pub warnings: Vec<String>,
}

impl<V: SessionVenue> Session<V> {
    /// The session as it is now.
    pub fn status(&self) -> StatusSnapshot {
        let core = &self.trader.core;
        let (portfolio, desk) = (&core.portfolio, &core.desk);
        let instruments = core.contracts.on(&self.market);
        let trades: Vec<TradeStatus> = portfolio
            .trades
            .trades()
            .iter()
            .map(|t| TradeStatus {
                strategy: self.strategies[usize::from(t.strategy)].clone(),
                instrument: instruments.name(t.symbol),
                qty: t.side.sign() * t.qty,
                entry_time: format_time(t.entry_time),
                entry_price: t.entry_price,
                exit_time: format_time(t.exit_time),
                exit_price: t.exit_price,
                pnl: t.pnl,
                reason: t.reason.to_string(),
            })
            .collect();
        let wins = trades.iter().filter(|t| t.pnl > 0.0).count();
        let equity = portfolio.account.equity();
        let windows = self.schedule.iter().flat_map(|schedule| schedule.windows.iter().enumerate());
        let windows = windows.filter_map(|(k, window)| {
            let window = window.as_ref()?;
            let entries = entries(&portfolio.orders, k);
            Some(WindowStatus {
                strategy: self.strategies[k].clone(),
                start: format_time(window.start),
                analysis_end: format_time(window.analysis_end),
                entry_end: format_time(window.entry_end),
                end: format_time(window.end),
                entries: entries.iter().filter(|r| r.filled > 0.0).count() as u64,
                exits: portfolio.trades.trades().iter().filter(|t| usize::from(t.strategy) == k).count() as u64,
                signals: entries.len() as u64,
            })
        });
        let settings = &self.plan.spec.settings;
        let target = settings.fraction(crate::settings::Key::TotalAllocation);
        StatusSnapshot {
            session: self.plan.session.clone(),
            mode: self.plan.mode,
            stage: stage_word(self.stage),
            halted: desk.halted().map(Halt::refusal),
            time: Some(self.now).filter(|now| *now > Nanos::MIN).map(format_time),
            windows: windows.collect(),
            pnl: trades.iter().map(|t| t.pnl).sum(),
            win_rate: (!trades.is_empty()).then(|| wins as f64 / trades.len() as f64),
            trades,
            start_equity: self.start_equity,
            equity,
            cash: portfolio.account.cash,
            invested: portfolio.account.gross() / equity,
            invested_target: target * self.strategies.len() as f64,
            positions: (portfolio.account.open_positions().iter())
                .map(|&symbol| (instruments.name(symbol), portfolio.account.position(symbol)))
                .collect(),
            open_orders: portfolio.orders.iter().filter(|r| !r.state.is_final()).count() as u64,
            unresolved_orders: self.venue().unresolved(),
            entries_blocked: self.entries_blocked(),
            waiting_orders: (self.trader.venue.venue.waiting())
                .map(|order| WaitingOrder {
                    id: order.id.0,
                    strategy: self.strategies[usize::from(order.strategy)].clone(),
                    instrument: instruments.name(order.request.symbol),
                    side: order.request.side.name(),
                    order_type: order.request.kind.order_type().name(),
                    qty: order.request.qty,
                    decided: format_time(order.decided),
                    lapses: self.schedule.as_ref().map(|s| format_time(s.entry_end(order.strategy))),
                })
                .collect(),
            defense_mode: desk.limits().defense.is_some(),
            trades_disabled: desk.limits().disable_all_trades,
            counters: self.counters,
            warnings: core.warnings().to_vec(),
        }
    }
}

/// The orders of a strategy that opened or enlarged a position, or would have. An order against what the strategy holds
/// when it is decided is an exit, as are the children of an entry.
fn entries(orders: &[OrderRecord], strategy: usize) -> Vec<&OrderRecord> {
    let mut held: BTreeMap<SymbolId, f64> = BTreeMap::new();
    let mut entries = Vec::new();
    // Ids are given in order of decision, and a strategy closes what it holds before it turns around.
    for record in orders.iter().filter(|record| usize::from(record.order.strategy) == strategy) {
        let request = &record.order.request;
        let position = held.entry(request.symbol).or_default();
        let sign = request.side.sign();
        if request.parent.is_none() && !record.order.liquidates && *position * sign > -QTY_EPSILON {
            entries.push(record);
        }
        *position += sign * record.filled;
    }
    entries
}

fn stage_word(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Analyzing => "analyzing",
        Stage::Trading => "trading",
        Stage::Monitoring => "monitoring",
    }
}

impl StageChange {
    /// Whether the change takes risk away.
    pub fn reduces_risk(self) -> bool {
        !matches!(self, StageChange::AnalysisBegan | StageChange::EntriesBegan)
    }
}
