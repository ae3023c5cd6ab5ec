//! Going long, short or flat in one symbol: what the generic strategies share.

use super::params::{ParamKind, ParamSpec, Params};
use crate::market::SymbolId;
use crate::trading::{OrderRequest, Orders, PositionSize, Side, View};

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

/// The size that the parameters `qty`, `weight` and `direction` ask for.
pub(super) fn position_size(params: &Params, fractional: bool) -> PositionSize {
    PositionSize {
        shares: params.float("qty"),
        weight: params.float("weight").unwrap_or(1.0),
        long_short: params.text("direction") == "long_short",
        fractional,
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
