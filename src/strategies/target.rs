//! Going long, short or flat in one symbol: what the generic strategies share.

use super::params::{ParamError, ParamKind, ParamSpec, Params};
use crate::market::SymbolId;
use crate::risk::whole_shares;
use crate::trading::{OrderRequest, Orders, Side, View};

/// Parameter `qty`.
pub(super) const QTY: ParamSpec = ParamSpec {
    name: "qty",
    kind: ParamKind::Float { min: 1e-6, max: 1e9 },
    default: "",
    meaning: "Shares of a position; when set, it is used in place of weight.",
};

/// Parameter `weight`.
pub(super) const WEIGHT: ParamSpec = ParamSpec {
    name: "weight",
    kind: ParamKind::Float { min: 1e-6, max: 100.0 },
    default: "1.0",
    meaning: "Size of a position as a share of equity at the decision, for each symbol.",
};

/// Parameter `direction`.
pub(super) const DIRECTION: ParamSpec = ParamSpec {
    name: "direction",
    kind: ParamKind::Choice(&["long", "long_short"]),
    default: "long",
    meaning: "Whether the opposite signal means flat (long) or short (long_short).",
};

/// How large a position is and whether it may be short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Target {
    qty: Option<f64>,
    weight: f64,
    long_short: bool,
    fractional: bool,
}

impl Target {
    pub fn new(params: &Params, fractional: bool) -> Result<Target, ParamError> {
        Ok(Target {
            qty: params.float("qty"),
            weight: params.float("weight").unwrap_or(1.0),
            long_short: params.text("direction") == "long_short",
            fractional,
        })
    }

    /// Whether short positions are wanted.
    pub fn long_short(&self) -> bool {
        self.long_short
    }

    /// One market order that brings the position to `side` (+1 long, 0 flat, -1 short, or flat when short
    /// positions are not wanted), open orders counted in.
    pub fn go(&self, side: i8, symbol: SymbolId, view: &View<'_>, orders: &mut Orders<'_>, reason: &'static str) {
        let side = if self.long_short { side } else { side.max(0) };
        let size = match side {
            0 => 0.0,
            _ => match self.qty {
                Some(qty) => qty,
                None => {
                    let price = view.price(symbol);
                    if price.is_nan() {
                        return;
                    }
                    whole_shares(self.weight * view.equity(), price, self.fractional)
                }
            },
        };
        let wanted = f64::from(side) * size;
        move_to(wanted, symbol, view, orders, reason);
    }
}

/// One market order from the position, open orders counted in, to `wanted` shares; none when they are equal.
pub(super) fn move_to(wanted: f64, symbol: SymbolId, view: &View<'_>, orders: &mut Orders<'_>, reason: &'static str) {
    let delta = wanted - view.position(symbol) - view.working(symbol);
    if delta.abs() < 1e-9 {
        return;
    }
    let side = if delta > 0.0 { Side::Buy } else { Side::Sell };
    orders.submit(OrderRequest::market(symbol, side, delta.abs(), reason));
}
