//! What a run leaves behind: everything, or what its summary needs.

use super::SYMBOL;
use crate::backtest::RunSummary;
use crate::backtest::result::{Ambiguity, DailyEquity, RunResult};
use crate::market::{Market, Nanos};
use crate::trading::{
    Contracts, Costs, Fill, Leg, Lots, Order, OrderEvent, OrderId, OrderRecord, OrderRequest, OrderState, Side,
    TradeBook, extremes,
};
use chrono::NaiveDate;
use std::ops::Range;

/// An order as it was decided.
pub(in crate::backtest) struct Submitted {
    pub number: u32,
    pub side: Side,
    pub qty: f64,
    pub decided: Nanos,
    pub reason: &'static str,
}

/// A fill of a whole order.
pub(in crate::backtest) struct Filled {
    pub number: u32,
    pub side: Side,
    pub qty: f64,
    pub price: f64,
    pub time: Nanos,
    pub commission: f64,
    pub slippage: f64,
    pub bar: u32,
    pub reason: &'static str,
}

impl Filled {
    fn leg(&self) -> Leg {
        Leg {
            order: OrderId(self.number),
            strategy: 0,
            side: self.side,
            qty: self.qty,
            price: self.price,
            time: self.time,
            commission: self.commission,
            slippage: self.slippage,
            bar: self.bar,
            reason: self.reason,
        }
    }
}

/// Takes what happens in a run.
pub(in crate::backtest) trait Kept {
    /// Whether fills under the other order of extremes are asked for.
    const EVERYTHING: bool;

    fn submitted(&mut self, order: &Submitted);
    fn event(&mut self, number: u32, time: Nanos, state: OrderState, filled: f64, reason: &'static str);
    fn filled(&mut self, fill: Filled);
    /// The other order of a bar's extremes fills an order differently, which changes equity by so many dollars.
    fn ambiguous(&mut self, number: u32, difference: f64);
    /// The next bar ends, at which nothing happens, with cash and position.
    fn rows(&mut self, steps: Range<usize>, cash: f64, position: f64);
    /// Equity at the next bar end.
    fn row(&mut self, equity: f64);
    /// Cash from a bar end on.
    fn cash(&mut self, step: usize, cash: f64);
    /// Equity at the end of a day.
    fn day(&mut self, date: NaiveDate, equity: f64);
    /// Equity at the end of each day so far.
    fn days(&self) -> &[DailyEquity];
    fn split(&mut self, ratio: f64);
    fn warn(&mut self, text: impl FnOnce() -> String);
}

/// Keeps all that a [`RunResult`] holds.
pub(in crate::backtest) struct Everything<'m> {
    market: &'m Market,
    contracts: Contracts,
    start_equity: f64,
    orders: Vec<OrderRecord>,
    events: Vec<OrderEvent>,
    fills: Vec<Fill>,
    trades: TradeBook,
    equity: Vec<f64>,
    cash_changes: Vec<(usize, f64)>,
    recorded_cash: f64,
    daily: Vec<DailyEquity>,
    ambiguity_pnl: f64,
    warnings: Vec<String>,
}

impl<'m> Everything<'m> {
    /// `orders`: about how many there will be.
    pub fn new(market: &'m Market, cash: f64, orders: usize) -> Everything<'m> {
        let mut trades = TradeBook::default();
        trades.grow(1);
        Everything {
            market,
            contracts: Contracts::new(market),
            start_equity: cash,
            orders: Vec::with_capacity(orders),
            events: Vec::with_capacity(3 * orders),
            fills: Vec::with_capacity(orders),
            trades,
            equity: Vec::with_capacity(market.steps.len()),
            cash_changes: Vec::with_capacity(orders),
            recorded_cash: cash,
            daily: Vec::with_capacity(market.days.len()),
            ambiguity_pnl: 0.0,
            warnings: Vec::new(),
        }
    }

    pub fn into_result(self, strategy: String, costs: Costs) -> RunResult {
        let trades = self.trades.into_trades();
        let ambiguous = |id: OrderId| self.orders[id.0 as usize].ambiguous;
        let ambiguity = Ambiguity {
            trades: trades.iter().filter(|t| ambiguous(t.opening) || ambiguous(t.closing)).count() as u64,
            pnl: self.ambiguity_pnl,
        };
        RunResult {
            instruments: vec![self.contracts.on(self.market).name(SYMBOL)],
            puts: Vec::new(),
            strategies: vec![strategy],
            labels: Vec::new(),
            orders: self.orders,
            order_events: self.events,
            fills: self.fills,
            trades,
            equity: self.equity,
            cash_changes: self.cash_changes,
            daily: self.daily,
            start_equity: self.start_equity,
            costs,
            ambiguity,
            warnings: self.warnings,
        }
    }
}

impl Kept for Everything<'_> {
    const EVERYTHING: bool = true;

    fn submitted(&mut self, order: &Submitted) {
        let id = OrderId(order.number);
        let request = OrderRequest::market(SYMBOL, order.side, order.qty, order.reason);
        let order =
            Order { id, strategy: 0, request, decided: order.decided, symbol_number: order.number, liquidates: false };
        self.orders.push(OrderRecord { order, state: OrderState::Created, filled: 0.0, ambiguous: false });
    }

    fn event(&mut self, number: u32, time: Nanos, state: OrderState, filled: f64, reason: &'static str) {
        let record = &mut self.orders[number as usize];
        (record.state, record.filled) = (state, filled);
        self.events.push(OrderEvent { id: OrderId(number), time, state, filled, reason });
    }

    fn filled(&mut self, fill: Filled) {
        self.fills.push(Fill {
            order: OrderId(fill.number),
            time: fill.time,
            symbol: SYMBOL,
            side: fill.side,
            qty: fill.qty,
            price: fill.price,
            commission: fill.commission,
            slippage: fill.slippage,
        });
        let (instruments, time) = (&self.contracts.on(self.market), fill.time);
        self.trades.book(SYMBOL, fill.leg(), |from, to| extremes(instruments, SYMBOL, from, to, time));
    }

    fn ambiguous(&mut self, number: u32, difference: f64) {
        self.orders[number as usize].ambiguous = true;
        self.ambiguity_pnl += difference;
    }

    fn rows(&mut self, steps: Range<usize>, cash: f64, position: f64) {
        if position == 0.0 {
            self.equity.resize(self.equity.len() + steps.len(), cash);
        } else {
            let closes = &self.market.series[0].close[steps];
            self.equity.extend(closes.iter().map(|close| cash + position * close));
        }
    }

    fn row(&mut self, equity: f64) {
        self.equity.push(equity);
    }

    fn cash(&mut self, step: usize, cash: f64) {
        if cash != self.recorded_cash {
            self.recorded_cash = cash;
            self.cash_changes.push((step, cash));
        }
    }

    fn day(&mut self, date: NaiveDate, equity: f64) {
        self.daily.push(DailyEquity { date, equity });
    }

    fn days(&self) -> &[DailyEquity] {
        &self.daily
    }

    fn split(&mut self, ratio: f64) {
        self.trades.split(SYMBOL, ratio);
    }

    fn warn(&mut self, text: impl FnOnce() -> String) {
        let text = text();
        if !self.warnings.contains(&text) {
            self.warnings.push(text);
        }
    }
}

/// Keeps what a [`RunSummary`] holds.
pub(in crate::backtest) struct SummaryOnly {
    lots: Lots,
    summary: RunSummary,
}

impl SummaryOnly {
    /// For a run over `days` sessions.
    pub fn new(cash: f64, days: usize) -> SummaryOnly {
        let summary = RunSummary { start_equity: cash, daily: Vec::with_capacity(days), ..RunSummary::default() };
        SummaryOnly { lots: Lots::default(), summary }
    }

    pub fn into_summary(mut self, costs: Costs) -> RunSummary {
        self.summary.costs = costs;
        self.summary
    }
}

impl Kept for SummaryOnly {
    const EVERYTHING: bool = false;

    fn submitted(&mut self, _: &Submitted) {
        self.summary.orders += 1;
    }

    fn event(&mut self, _: u32, _: Nanos, _: OrderState, _: f64, _: &'static str) {}

    fn filled(&mut self, fill: Filled) {
        self.summary.fills += 1;
        let pnl = &mut self.summary.pnl;
        self.lots.book(fill.leg(), |_, _, piece| pnl.push(piece.pnl));
    }

    fn ambiguous(&mut self, _: u32, _: f64) {}

    fn rows(&mut self, _: Range<usize>, _: f64, _: f64) {}

    fn row(&mut self, _: f64) {}

    fn cash(&mut self, _: usize, _: f64) {}

    fn day(&mut self, date: NaiveDate, equity: f64) {
        self.summary.daily.push(DailyEquity { date, equity });
    }

    fn days(&self) -> &[DailyEquity] {
        &self.summary.daily
    }

    fn split(&mut self, ratio: f64) {
        self.lots.split(ratio);
    }

    fn warn(&mut self, _: impl FnOnce() -> String) {}
}
