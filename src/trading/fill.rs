//! Executions.

use super::{OrderId, Side};
use crate::market::{Nanos, SymbolId};

/// One execution of (part of) an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fill {
    pub order: OrderId,
    pub time: Nanos,
    pub symbol: SymbolId,
    pub side: Side,
    /// Shares, positive.
    pub qty: f64,
    /// Dollars per share, slippage included.
    pub price: f64,
    /// Dollars charged with this fill.
    pub commission: f64,
    /// Dollars lost to slippage by this fill (negative: gained).
    pub slippage: f64,
}
