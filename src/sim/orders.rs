//! Orders as the venue knows them, and how they hang together: groups, parents and children.

use crate::market::Nanos;
use crate::trading::{OrderChange, OrderId, OrderKind, Side, TimeInForce};

/// Below this, a quantity is what rounding left of zero.
pub(super) const QTY_EPSILON: f64 = 1e-9;

/// No group, no parent.
pub(super) const NO_ORDER: u32 = u32::MAX;

/// Where an order is in its life at the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// A child whose parent has not filled.
    Held,
    /// On its way.
    Traveling,
    /// In the market under its own type.
    Resting,
    /// A market order, or what is left of one, or a stop that was triggered.
    Market,
    /// A stop-limit that was triggered.
    Limit,
    Done,
}

/// An order as the venue knows it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LiveOrder {
    pub id: OrderId,
    pub side: Side,
    pub kind: OrderKind,
    pub tif: TimeInForce,
    pub stage: Stage,
    /// The instant since when it is in the market: its arrival, for a child its parent's first fill if that is
    /// later.
    pub arrival: Nanos,
    /// The instant from which its prices count: `arrival`, or the fill of its parent that last brought it back
    /// after nothing was left of it.
    pub entered: Nanos,
    /// A market order under `next_open` waits for a bar that starts at or after its decision.
    pub waits_for_open: bool,
    /// End of its session for a day order.
    pub expires: Nanos,
    /// Shares wanted in all: the order's own quantity, less what its group took.
    pub total: f64,
    /// Shares in the market: less than `total` for a child whose parent is not filled.
    pub active: f64,
    pub filled: f64,
    pub oco: u32,
    pub strategy: u16,
    /// See [`crate::trading::Order::liquidates`].
    pub liquidates: bool,
    /// Its group took some of it.
    pub reduced: bool,
    pub parent: u32,
    /// A fill of its parent is about to bring it into the market.
    pub waking: bool,
    /// Best price seen by a trailing stop; NaN before it met a price.
    pub best: f64,
    /// Stop of a trailing stop given by its owner, until the path moves it; NaN: none.
    pub initial_stop: f64,
    /// Slippage in percent, drawn once.
    pub slip_pct: f64,
    /// Dollars filled so far.
    pub notional: f64,
    /// Commission charged so far.
    pub fee: f64,
    /// Most shares that a cash account allows in this bar.
    pub cash_cap: f64,
}

impl LiveOrder {
    pub fn remaining(&self) -> f64 {
        self.active - self.filled
    }

    pub fn sign(&self) -> f64 {
        self.side.sign()
    }

    /// For the open of a session only.
    pub fn is_for_open(&self) -> bool {
        self.kind == OrderKind::MarketOnOpen || self.tif == TimeInForce::Opg
    }

    /// For the close of a session only.
    pub fn is_for_close(&self) -> bool {
        self.kind == OrderKind::MarketOnClose || self.tif == TimeInForce::Cls
    }

    /// Whether slippage applies: limits never slip.
    pub fn slips(&self) -> bool {
        self.kind.limit().is_none()
    }
}

/// A cancel or change on its way to the venue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct InFlight {
    pub arrival: Nanos,
    pub id: OrderId,
    /// `None`: cancel.
    pub change: Option<OrderChange>,
}

/// What happened to an order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Happening {
    /// It is in the market.
    Working,
    Fill {
        qty: f64,
        /// Price on the path.
        raw: f64,
        /// Price after slippage.
        price: f64,
        commission: f64,
        complete: bool,
    },
    /// A part-filled child is done, since its parent ended and will fill no more.
    Completed,
    Canceled(&'static str),
    Expired,
    /// New quantity (or `None` when only prices changed).
    Changed(Option<f64>),
}

/// One happening, at an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Outcome {
    pub time: Nanos,
    pub id: OrderId,
    pub what: Happening,
}

/// Ends order `i` unfilled or part-filled, and what was held for the rest of it.
pub(super) fn end_order(orders: &mut [LiveOrder], i: usize, time: Nanos, reason: &'static str, out: &mut Vec<Outcome>) {
    orders[i].stage = Stage::Done;
    out.push(Outcome { time, id: orders[i].id, what: Happening::Canceled(reason) });
    parent_ended(orders, i, time, out);
}

/// Order `i` has ended: its children keep what it filled, and end if that is nothing or done with.
pub(super) fn parent_ended(orders: &mut [LiveOrder], i: usize, time: Nanos, out: &mut Vec<Outcome>) {
    let (parent, filled) = (orders[i].id.0, orders[i].filled);
    for k in 0..orders.len() {
        if orders[k].parent != parent || orders[k].stage == Stage::Done {
            continue;
        }
        orders[k].total = orders[k].active;
        if filled <= QTY_EPSILON {
            end_order(orders, k, time, "parent ended", out);
        } else if orders[k].total - orders[k].filled <= QTY_EPSILON {
            if orders[k].reduced {
                end_order(orders, k, time, "oco", out);
            } else {
                orders[k].stage = Stage::Done;
                out.push(Outcome { time, id: orders[k].id, what: Happening::Completed });
                parent_ended(orders, k, time, out);
            }
        }
    }
}

/// A cancel by the owner: also of the order's children that have not filled.
pub(super) fn cancel_by_owner(orders: &mut [LiveOrder], i: usize, time: Nanos, out: &mut Vec<Outcome>) {
    let parent = orders[i].id.0;
    end_order(orders, i, time, "canceled", out);
    for k in 0..orders.len() {
        if orders[k].parent == parent && orders[k].stage != Stage::Done && orders[k].filled <= QTY_EPSILON {
            end_order(orders, k, time, "parent ended", out);
        }
    }
}

/// A fill of another member of its group takes `qty` from order `k`.
pub(super) fn reduce(orders: &mut [LiveOrder], k: usize, qty: f64, time: Nanos, out: &mut Vec<Outcome>) {
    let o = &mut orders[k];
    o.total -= qty;
    o.active -= qty;
    o.reduced = true;
    if o.total - o.filled <= QTY_EPSILON {
        end_order(orders, k, time, "oco", out);
    }
}

/// A change by the owner. A quantity at or below what is filled ends the order.
pub(super) fn apply_change(
    orders: &mut [LiveOrder],
    i: usize,
    change: &OrderChange,
    time: Nanos,
    out: &mut Vec<Outcome>,
) {
    let o = &mut orders[i];
    match &mut o.kind {
        OrderKind::Limit { limit } => *limit = change.limit.unwrap_or(*limit),
        OrderKind::Stop { stop } => *stop = change.stop.unwrap_or(*stop),
        OrderKind::StopLimit { stop, limit } => {
            *stop = change.stop.unwrap_or(*stop);
            *limit = change.limit.unwrap_or(*limit);
        }
        _ => {}
    }
    if let Some(qty) = change.qty {
        o.total = qty;
        // A child is never in the market for more than its parent filled.
        o.active = if o.parent == NO_ORDER { qty } else { o.active.min(qty) };
        if o.total - o.filled <= QTY_EPSILON {
            end_order(orders, i, time, "canceled", out);
            return;
        }
    }
    out.push(Outcome { time, id: orders[i].id, what: Happening::Changed(change.qty) });
}
