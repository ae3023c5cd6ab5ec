//! The one path of every fill: order record, account, trades, costs.

use super::trade::Leg;
use super::{
    Account, Fill, Instruments, Order, OrderEvent, OrderId, OrderRecord, OrderRequest, OrderState, Side, Trade,
    TradeBook,
};
use crate::market::{Nanos, SymbolId};
use serde::{Deserialize, Serialize};

/// Sums of what trading cost, dollars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    pub commission: f64,
    pub slippage: f64,
    pub borrow: f64,
    pub interest: f64,
}

/// An execution as a venue reports it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Execution {
    pub order: OrderId,
    pub time: Nanos,
    pub qty: f64,
    /// Dollars per share, slippage included.
    pub price: f64,
    pub commission: f64,
    pub slippage: f64,
    /// Index of the bar of the driving symbol in which it happened.
    pub bar: u32,
}

/// Shares that open orders may still buy and sell.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Pending {
    buys: f64,
    sells: f64,
}

/// Orders, fills, round trips and the account of a run.
#[derive(Debug, Clone)]
pub struct Portfolio {
    pub account: Account,
    pub orders: Vec<OrderRecord>,
    pub events: Vec<OrderEvent>,
    pub fills: Vec<Fill>,
    pub trades: TradeBook,
    pub costs: Costs,
    /// Own net position of each strategy: `[strategy][instrument]`.
    positions: Vec<Vec<f64>>,
    /// Quantity in open orders of each strategy, signed by side: `[strategy][instrument]`. Children of a
    /// bracket do not count: they close what their parent opens.
    working: Vec<Vec<f64>>,
    /// Quantity in open buys and open sells of all strategies: `[instrument]`, bracket children left out.
    pending: Vec<Pending>,
    /// Instruments with such orders, ascending.
    pending_in: Vec<SymbolId>,
    /// Orders so far by driving symbol: the key of random draws.
    symbol_orders: Vec<u32>,
    /// Per strategy: something happened to an order since its last decision.
    updated: Vec<bool>,
}

impl Portfolio {
    /// An account with `cash` dollars shared by `strategies` strategies.
    pub fn new(cash: f64, instruments: usize, strategies: usize) -> Portfolio {
        let mut portfolio = Portfolio {
            account: Account::new(cash, 0),
            orders: Vec::new(),
            events: Vec::new(),
            fills: Vec::new(),
            trades: TradeBook::default(),
            costs: Costs::default(),
            positions: vec![Vec::new(); strategies],
            working: vec![Vec::new(); strategies],
            pending: Vec::new(),
            pending_in: Vec::new(),
            symbol_orders: Vec::new(),
            updated: vec![false; strategies],
        };
        portfolio.grow(instruments);
        portfolio
    }

    /// Makes room for instruments created during the run.
    pub fn grow(&mut self, instruments: usize) {
        self.account.grow(instruments);
        self.trades.grow(instruments);
        self.symbol_orders.resize(instruments, 0);
        self.pending.resize(instruments, Pending::default());
        for column in self.positions.iter_mut().chain(&mut self.working) {
            column.resize(instruments, 0.0);
        }
    }

    /// Shares held by one strategy.
    #[inline]
    pub fn strategy_position(&self, strategy: u16, symbol: SymbolId) -> f64 {
        self.positions[usize::from(strategy)][symbol.index()]
    }

    /// Signed quantity of one strategy's open orders in an instrument, bracket children left out.
    #[inline]
    pub fn strategy_working(&self, strategy: u16, symbol: SymbolId) -> f64 {
        self.working[usize::from(strategy)][symbol.index()]
    }

    /// Calls `visit` with every instrument in which a strategy has open orders.
    pub fn for_each_working(&self, strategy: u16, mut visit: impl FnMut(SymbolId)) {
        for (k, qty) in self.working[usize::from(strategy)].iter().enumerate() {
            if *qty != 0.0 {
                visit(SymbolId(k as u32));
            }
        }
    }

    /// The largest position, in shares and without sign, that an instrument can come to once its open orders
    /// have filled, all, some or none of them: everything bought or everything sold is the worst. Children of a
    /// bracket do not count, since they close what their parent opens; every member of a one-cancels-other group
    /// counts on its own side, so that a pair around the price counts once and two entries on one side twice.
    #[inline]
    pub fn largest_position(&self, symbol: SymbolId) -> f64 {
        let held = self.account.position(symbol);
        let pending = self.pending[symbol.index()];
        (held + pending.buys).abs().max((held - pending.sells).abs())
    }

    /// Dollars of exposure once everything pending has filled: the sum over instruments of
    /// [`Portfolio::largest_position`] times price. Positions count at their marks, orders where nothing is held
    /// at `price`; an instrument whose price is not known (NaN: it has no bar yet) counts nothing.
    pub fn exposure(&self, price: impl Fn(SymbolId) -> f64) -> f64 {
        let mut sum = 0.0;
        for &symbol in self.account.open_positions() {
            sum += self.largest_position(symbol) * self.account.mark(symbol);
        }
        for &symbol in &self.pending_in {
            if self.account.position(symbol) == 0.0 {
                let value = self.largest_position(symbol) * price(symbol);
                sum += if value.is_finite() { value } else { 0.0 };
            }
        }
        sum
    }

    /// Whether an order of the strategy changed since the last call.
    #[inline]
    pub fn take_updated(&mut self, strategy: u16) -> bool {
        std::mem::take(&mut self.updated[usize::from(strategy)])
    }

    /// Whether an order of the strategy changed since the last [`Portfolio::take_updated`].
    #[inline]
    pub fn is_updated(&self, strategy: u16) -> bool {
        self.updated[usize::from(strategy)]
    }

    /// The record of an order.
    #[inline]
    pub fn order(&self, id: OrderId) -> &OrderRecord {
        &self.orders[id.0 as usize]
    }

    /// Enters a new order under the next free id. `driver` is the symbol whose draws it uses.
    pub fn enter(&mut self, strategy: u16, request: OrderRequest, decided: Nanos, driver: SymbolId) -> Order {
        let number = &mut self.symbol_orders[driver.index()];
        let id = OrderId(self.orders.len() as u32);
        let order = Order { id, strategy, request, decided, symbol_number: *number, liquidates: false };
        *number += 1;
        self.orders.push(OrderRecord { order, state: OrderState::Created, filled: 0.0, ambiguous: false });
        if order.request.parent.is_none() {
            let request = &order.request;
            self.working[usize::from(order.strategy)][request.symbol.index()] += request.side.sign() * request.qty;
            self.add_pending(request.symbol, request.side, request.qty);
        }
        order
    }

    /// Records a state change without a fill.
    pub fn change_state(&mut self, id: OrderId, time: Nanos, state: OrderState, reason: &'static str) {
        let record = &mut self.orders[id.0 as usize];
        if record.state.is_final() {
            return;
        }
        record.state = state;
        let filled = record.filled;
        self.events.push(OrderEvent { id, time, state, filled, reason });
        if state.is_final() {
            let order = record.order;
            self.updated[usize::from(order.strategy)] = true;
            if order.request.parent.is_none() {
                let left = order.request.qty - filled;
                self.release(&order, left);
            }
        }
    }

    /// A changed quantity of a working order.
    pub fn change_qty(&mut self, id: OrderId, qty: f64) {
        let record = &mut self.orders[id.0 as usize];
        let delta = qty - record.order.request.qty;
        record.order.request.qty = qty;
        let order = record.order;
        if order.request.parent.is_none() {
            self.release(&order, -delta);
        }
    }

    fn release(&mut self, order: &Order, qty: f64) {
        let slot = &mut self.working[usize::from(order.strategy)][order.request.symbol.index()];
        *slot -= order.request.side.sign() * qty;
        if slot.abs() < super::account::QTY_EPSILON {
            *slot = 0.0;
        }
        self.add_pending(order.request.symbol, order.request.side, -qty);
    }

    fn add_pending(&mut self, symbol: SymbolId, side: Side, qty: f64) {
        let pending = &mut self.pending[symbol.index()];
        let slot = match side {
            Side::Buy => &mut pending.buys,
            Side::Sell => &mut pending.sells,
        };
        *slot += qty;
        if *slot < super::account::QTY_EPSILON {
            *slot = 0.0;
        }
        let is_none = *pending == Pending::default();
        match self.pending_in.binary_search(&symbol) {
            Ok(at) if is_none => {
                self.pending_in.remove(at);
            }
            Err(at) if !is_none => self.pending_in.insert(at, symbol),
            _ => {}
        }
    }

    /// Books an execution: order state, cash, positions, trades and costs. `complete` says whether the order
    /// is done with it. An execution of an order that has ended (a broker reported it late) is booked all the same,
    /// and the order stays as it ended.
    pub fn execute(&mut self, execution: Execution, complete: bool, instruments: &Instruments<'_>) {
        let record = &mut self.orders[execution.order.0 as usize];
        record.filled += execution.qty;
        let order = record.order;
        let request = order.request;
        let had_ended = record.state.is_final();
        let state = match complete {
            _ if had_ended => record.state,
            true => OrderState::Filled,
            false => OrderState::PartiallyFilled,
        };
        record.state = state;
        self.events.push(OrderEvent {
            id: execution.order,
            time: execution.time,
            state,
            filled: record.filled,
            reason: request.reason,
        });
        let delta = request.side.sign() * execution.qty;
        let symbol = request.symbol;
        self.account.cash -= delta * execution.price + execution.commission;
        if self.account.position(symbol) == 0.0 {
            // Until a bar of this session ends, it is worth what the bar it was filled in closed at.
            let close = instruments.old_close(symbol, execution.bar as usize, execution.time);
            self.account.set_mark(symbol, close);
        }
        self.account.add(symbol, delta);
        let own = &mut self.positions[usize::from(order.strategy)][symbol.index()];
        *own += delta;
        if own.abs() < super::account::QTY_EPSILON {
            *own = 0.0;
        }
        if request.parent.is_none() && !had_ended {
            let left = if complete { request.qty - self.orders[execution.order.0 as usize].filled } else { 0.0 };
            self.release(&order, execution.qty + left);
        }
        self.updated[usize::from(order.strategy)] = true;
        self.costs.commission += execution.commission;
        self.costs.slippage += execution.slippage;
        self.fills.push(Fill {
            order: execution.order,
            time: execution.time,
            symbol,
            side: request.side,
            qty: execution.qty,
            price: execution.price,
            commission: execution.commission,
            slippage: execution.slippage,
        });
        let leg = Leg {
            order: execution.order,
            strategy: order.strategy,
            side: request.side,
            qty: execution.qty,
            price: execution.price,
            time: execution.time,
            commission: execution.commission,
            slippage: execution.slippage,
            bar: execution.bar,
            reason: request.reason,
        };
        self.trades.book(symbol, leg, |from, to| extremes(instruments, symbol, from, to, leg.time));
    }

    /// Takes over a position that is there before the first order: signed shares at an average price, held by one
    /// strategy since `time`. Cash is what is left beside it. `bar` is the last bar of its symbol.
    pub fn adopt(&mut self, strategy: u16, symbol: SymbolId, qty: f64, price: f64, time: Nanos, bar: u32) {
        self.account.add(symbol, qty);
        self.account.set_mark(symbol, price);
        self.positions[usize::from(strategy)][symbol.index()] += qty;
        let leg = Leg {
            order: OrderId::BEFORE,
            strategy,
            side: if qty > 0.0 { Side::Buy } else { Side::Sell },
            qty: qty.abs(),
            price,
            time,
            commission: 0.0,
            slippage: 0.0,
            bar,
            reason: "held before",
        };
        self.trades.book(symbol, leg, |_, _| (price, price));
    }

    /// A split of `ratio` shares for one.
    pub fn split(&mut self, symbol: SymbolId, ratio: f64) {
        self.account.split(symbol, ratio);
        self.trades.split(symbol, ratio);
        for positions in &mut self.positions {
            positions[symbol.index()] *= ratio;
        }
    }

    /// A cash dividend of `amount` dollars a share; a short position pays it.
    pub fn dividend(&mut self, symbol: SymbolId, amount: f64) {
        self.account.cash += self.account.position(symbol) * amount;
    }

    /// Marks an order as one that the other order of extremes would have filled differently.
    pub fn mark_ambiguous(&mut self, id: OrderId) {
        self.orders[id.0 as usize].ambiguous = true;
    }

    /// Hands over the round trips.
    pub fn into_parts(self) -> (Vec<OrderRecord>, Vec<OrderEvent>, Vec<Fill>, Vec<Trade>, Costs) {
        (self.orders, self.events, self.fills, self.trades.into_trades(), self.costs)
    }

    /// The side and quantity that close an instrument's position, if there is one.
    pub fn closing(&self, symbol: SymbolId) -> Option<(Side, f64)> {
        let qty = self.account.position(symbol);
        if qty == 0.0 {
            None
        } else if qty > 0.0 {
            Some((Side::Sell, qty))
        } else {
            Some((Side::Buy, -qty))
        }
    }
}

/// Lowest and highest price certainly seen between bar `from` (its close) and bar `to` (left out), in the shares
/// of `time`.
pub(crate) fn extremes(instruments: &Instruments<'_>, symbol: SymbolId, from: u32, to: u32, time: Nanos) -> (f64, f64) {
    let driver = instruments.driver(symbol);
    let series = &instruments.market.series[driver.index()];
    let (low, high) = if instruments.has_splits(driver) {
        extremes_over_splits(instruments, driver, from as usize, to as usize, time)
    } else {
        let close = series.close[from as usize];
        let between = from as usize + 1..to as usize;
        (lowest(&series.low[between.clone()], close), highest(&series.high[between], close))
    };
    match instruments.put(symbol) {
        None => (low, high),
        // Valued at the end of the holding time: a bound on the excursion, not its exact value.
        Some(put) => {
            let time = series.start[to as usize];
            (put.price(high, time), put.price(low, time))
        }
    }
}

/// As [`extremes`], bars in the same shares together.
fn extremes_over_splits(
    instruments: &Instruments<'_>,
    driver: SymbolId,
    from: usize,
    to: usize,
    time: Nanos,
) -> (f64, f64) {
    let series = &instruments.market.series[driver.index()];
    let ratio = |bar: usize| instruments.split_ratio(driver, series.start[bar], time);
    let close = series.close[from] / ratio(from);
    let (mut low, mut high) = (close, close);
    let mut begin = from + 1;
    while begin < to {
        let split = instruments.next_split(driver, series.start[begin]);
        let rest = &series.start[begin..to];
        let end = if split > rest[rest.len() - 1] { to } else { begin + rest.partition_point(|&t| t < split) };
        let ratio = ratio(begin);
        low = low.min(lowest(&series.low[begin..end], f64::INFINITY) / ratio);
        high = high.max(highest(&series.high[begin..end], f64::NEG_INFINITY) / ratio);
        begin = end;
    }
    (low, high)
}

// Four running minima let the compiler use vector instructions; a minimum does not depend on the order.
pub(crate) fn lowest(values: &[f64], start: f64) -> f64 {
    fold_lanes(values, start, |a, b| if b < a { b } else { a })
}

pub(crate) fn highest(values: &[f64], start: f64) -> f64 {
    fold_lanes(values, start, |a, b| if b > a { b } else { a })
}

#[inline]
fn fold_lanes(values: &[f64], start: f64, pick: impl Fn(f64, f64) -> f64) -> f64 {
    let mut lanes = [start; 8];
    let chunks = values.chunks_exact(8);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (lane, &v) in lanes.iter_mut().zip(chunk) {
            *lane = pick(*lane, v);
        }
    }
    rest.iter().chain(&lanes).fold(start, |m, &v| pick(m, v))
}
