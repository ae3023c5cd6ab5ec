//! Round trips: FIFO pairs of an opening and a closing order.

use super::{OrderId, Side};
use crate::market::{Nanos, SymbolId};

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
    /// Worst open result while held, dollars (<= 0).
    pub mae: f64,
    /// Best open result while held, dollars (>= 0).
    pub mfe: f64,
    pub opening: OrderId,
    pub closing: OrderId,
    /// Reason of the closing order.
    pub reason: &'static str,
}
