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
pub(crate) struct Leg {
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

/// What a closing order took of one lot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece {
    pub qty: f64,
    /// Commission of both sides, dollars.
    pub commission: f64,
    /// Slippage of both sides, dollars.
    pub slippage: f64,
    /// Dollars, net of commission.
    pub pnl: f64,
}

/// Open lots of one instrument, first in, first out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lots(VecDeque<Leg>);

impl Lots {
    /// Books one fill: closes open lots of the other side first in, first out, and tells of every piece with the
    /// lot as it was before and the fill; what is left opens a lot.
    pub fn book(&mut self, mut leg: Leg, mut closed: impl FnMut(&Leg, &Leg, Piece)) {
        let per_share = (leg.commission / leg.qty, leg.slippage / leg.qty);
        while leg.qty > QTY_EPSILON {
            let Some(lot) = self.0.front_mut().filter(|lot| lot.side != leg.side) else { break };
            let qty = lot.qty.min(leg.qty);
            let lot_per_share = (lot.commission / lot.qty, lot.slippage / lot.qty);
            let commission = (per_share.0 + lot_per_share.0) * qty;
            let slippage = (per_share.1 + lot_per_share.1) * qty;
            let pnl = lot.side.sign() * (leg.price - lot.price) * qty - commission;
            closed(lot, &leg, Piece { qty, commission, slippage, pnl });
            lot.commission -= lot_per_share.0 * qty;
            lot.slippage -= lot_per_share.1 * qty;
            lot.qty -= qty;
            leg.qty -= qty;
            if lot.qty <= QTY_EPSILON {
                self.0.pop_front();
            }
        }
        if leg.qty > QTY_EPSILON {
            leg.commission = per_share.0 * leg.qty;
            leg.slippage = per_share.1 * leg.qty;
            self.0.push_back(leg);
        }
    }

    /// A split: lots become `ratio` times as many shares at a price divided by `ratio`.
    pub fn split(&mut self, ratio: f64) {
        for lot in &mut self.0 {
            lot.qty *= ratio;
            lot.price /= ratio;
        }
    }
}

/// Open lots by instrument and the round trips so far.
#[derive(Debug, Clone, Default)]
pub struct TradeBook {
    lots: Vec<Lots>,
    round_trips: RoundTrips,
}

#[derive(Debug, Clone, Default)]
struct RoundTrips {
    trades: Vec<Trade>,
    /// First trade closed by an order, by order id; `u32::MAX`: none.
    first_trade: Vec<u32>,
}

impl TradeBook {
    /// Room for `instruments` instruments.
    pub(crate) fn grow(&mut self, instruments: usize) {
        self.lots.resize_with(instruments, Lots::default);
    }

    /// Round trips in order of their first closing fill.
    pub fn trades(&self) -> &[Trade] {
        &self.round_trips.trades
    }

    /// Hands over the round trips.
    pub(crate) fn into_trades(self) -> Vec<Trade> {
        self.round_trips.trades
    }

    /// Books one fill: closes open lots of the other side first in, first out; what is left opens a lot.
    /// `extremes(from, to)` gives the lowest and highest price of the bars strictly between two bars, and the
    /// close of the first.
    pub(crate) fn book(&mut self, symbol: SymbolId, leg: Leg, extremes: impl Fn(u32, u32) -> (f64, f64)) {
        let round_trips = &mut self.round_trips;
        self.lots[symbol.index()].book(leg, |lot, leg, piece| {
            let (worst, best) = held_extremes(lot, leg, &extremes);
            let sign = lot.side.sign();
            round_trips.merge(Trade {
                symbol,
                strategy: lot.strategy,
                side: lot.side,
                qty: piece.qty,
                entry_time: lot.time,
                entry_price: lot.price,
                exit_time: leg.time,
                exit_price: leg.price,
                pnl: piece.pnl,
                commission: piece.commission,
                slippage: piece.slippage,
                bars_held: leg.bar - lot.bar,
                mae: sign * (worst - lot.price) * piece.qty,
                mfe: sign * (best - lot.price) * piece.qty,
                opening: lot.order,
                closing: leg.order,
                reason: leg.reason,
            });
        });
    }

    /// A split of an instrument.
    pub(crate) fn split(&mut self, symbol: SymbolId, ratio: f64) {
        self.lots[symbol.index()].split(ratio);
    }
}

impl RoundTrips {
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
