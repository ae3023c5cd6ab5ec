//! Round trips: FIFO pairs of an opening and a closing order.

use super::account::QTY_EPSILON;
use super::{OrderId, Side};
use crate::market::{Nanos, SymbolId};
use std::collections::VecDeque;

/// One round trip: the quantity that one closing order closed of one opening order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trade {
    pub symbol: SymbolId,
    /// Index of the strategy of the opening order.
    pub strategy: u16,
    /// Side of the opening order: `Buy` is a long trade.
    pub side: Side,
    pub qty: f64,
    pub entry_time: Nanos,
    /// Average price of the matched opening quantity.
    pub entry_price: f64,
    pub exit_time: Nanos,
    /// Average price of the matched closing quantity.
    pub exit_price: f64,
    /// Dollars, net of commission (slippage is in the prices).
    pub pnl: f64,
    /// Commission of both sides for this quantity.
    pub commission: f64,
    /// Slippage of both sides for this quantity.
    pub slippage: f64,
    /// Bars of the symbol from the entry's bar to the exit's bar.
    pub bars_held: u32,
    /// Worst open result while certainly held, dollars, not above 0: from the entry price, the close of the
    /// entry bar, the lows and highs of the bars between entry bar and exit bar, and the exit price. The rest
    /// of the entry and exit bars is left out, since the order of their extremes is unknown.
    pub mae: f64,
    /// Best open result over the same prices, dollars, not below 0.
    pub mfe: f64,
    pub opening: OrderId,
    pub closing: OrderId,
    /// Reason of the closing order.
    pub reason: &'static str,
}

/// One side of a round trip as the book sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leg {
    pub order: OrderId,
    pub strategy: u16,
    pub side: Side,
    pub qty: f64,
    pub price: f64,
    pub time: Nanos,
    pub commission: f64,
    pub slippage: f64,
    /// Bar of the driving symbol in which it happened.
    pub bar: u32,
    pub reason: &'static str,
}

/// Open lots by instrument and the round trips so far.
#[derive(Debug, Clone, Default)]
pub struct TradeBook {
    lots: Vec<VecDeque<Leg>>,
    trades: Vec<Trade>,
    /// First trade closed by an order, by order id; `u32::MAX`: none.
    first_trade: Vec<u32>,
}

impl TradeBook {
    /// Room for `instruments` instruments.
    pub(super) fn grow(&mut self, instruments: usize) {
        self.lots.resize_with(instruments, VecDeque::new);
    }

    /// Round trips in order of their first closing fill.
    pub fn trades(&self) -> &[Trade] {
        &self.trades
    }

    /// Hands over the round trips.
    pub(super) fn into_trades(self) -> Vec<Trade> {
        self.trades
    }

    /// Books one fill: closes open lots of the other side first in, first out; what is left opens a lot.
    /// `extremes(from, to)` gives the lowest and highest price of the bars strictly between two bars, and the
    /// close of the first.
    pub(super) fn book(&mut self, symbol: SymbolId, mut leg: Leg, extremes: impl Fn(u32, u32) -> (f64, f64)) {
        let per_share = (leg.commission / leg.qty, leg.slippage / leg.qty);
        while leg.qty > QTY_EPSILON {
            let Some(lot) = self.lots[symbol.index()].front_mut().filter(|lot| lot.side != leg.side) else {
                break;
            };
            let qty = lot.qty.min(leg.qty);
            let lot_per_share = (lot.commission / lot.qty, lot.slippage / lot.qty);
            let (worst, best) = held_extremes(lot, &leg, &extremes);
            let sign = lot.side.sign();
            let commission = (per_share.0 + lot_per_share.0) * qty;
            let piece = Trade {
                symbol,
                strategy: lot.strategy,
                side: lot.side,
                qty,
                entry_time: lot.time,
                entry_price: lot.price,
                exit_time: leg.time,
                exit_price: leg.price,
                pnl: sign * (leg.price - lot.price) * qty - commission,
                commission,
                slippage: (per_share.1 + lot_per_share.1) * qty,
                bars_held: leg.bar - lot.bar,
                mae: sign * (worst - lot.price) * qty,
                mfe: sign * (best - lot.price) * qty,
                opening: lot.order,
                closing: leg.order,
                reason: leg.reason,
            };
            lot.commission -= lot_per_share.0 * qty;
            lot.slippage -= lot_per_share.1 * qty;
            lot.qty -= qty;
            leg.qty -= qty;
            if lot.qty <= QTY_EPSILON {
                self.lots[symbol.index()].pop_front();
            }
            self.merge(piece);
        }
        if leg.qty > QTY_EPSILON {
            leg.commission = per_share.0 * leg.qty;
            leg.slippage = per_share.1 * leg.qty;
            self.lots[symbol.index()].push_back(leg);
        }
    }

    /// Adds a piece to the trade of the same pair of orders, or starts one.
    fn merge(&mut self, piece: Trade) {
        let closing = piece.closing.0 as usize;
        if self.first_trade.len() <= closing {
            self.first_trade.resize(closing + 1, u32::MAX);
        }
        let first = self.first_trade[closing];
        if first == u32::MAX {
            self.first_trade[closing] = self.trades.len() as u32;
        } else if let Some(trade) =
            self.trades[first as usize..].iter_mut().find(|t| t.closing == piece.closing && t.opening == piece.opening)
        {
            let qty = trade.qty + piece.qty;
            trade.entry_price = (trade.entry_price * trade.qty + piece.entry_price * piece.qty) / qty;
            trade.exit_price = (trade.exit_price * trade.qty + piece.exit_price * piece.qty) / qty;
            trade.qty = qty;
            trade.exit_time = piece.exit_time;
            trade.pnl += piece.pnl;
            trade.commission += piece.commission;
            trade.slippage += piece.slippage;
            trade.bars_held = trade.bars_held.max(piece.bars_held);
            trade.mae += piece.mae;
            trade.mfe += piece.mfe;
            return;
        }
        self.trades.push(piece);
    }

    /// A split: lots become `ratio` times as many shares at a price divided by `ratio`.
    pub(super) fn split(&mut self, symbol: SymbolId, ratio: f64) {
        for lot in &mut self.lots[symbol.index()] {
            lot.qty *= ratio;
            lot.price /= ratio;
        }
    }
}

/// Worst and best price for the holder of `lot` until `exit`.
fn held_extremes(lot: &Leg, exit: &Leg, extremes: &impl Fn(u32, u32) -> (f64, f64)) -> (f64, f64) {
    let mut low = lot.price.min(exit.price);
    let mut high = lot.price.max(exit.price);
    if exit.bar > lot.bar {
        let (l, h) = extremes(lot.bar, exit.bar);
        low = low.min(l);
        high = high.max(h);
    }
    match lot.side {
        Side::Buy => (low, high),
        Side::Sell => (high, low),
    }
}
