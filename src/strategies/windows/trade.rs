//! One trade of a window from its entry to the last of its exits.

use super::rule::Signal;
use super::shorts::Entry;
use crate::market::{Nanos, SymbolId};
use crate::trading::{OrderId, OrderKind, OrderRequest, OrderState, Orders, Side, TimeInForce, View};

/// Below this, a quantity of shares is what rounding left of zero.
const QTY_EPSILON: f64 = 1e-9;

/// An entry with its exits. All exits are one group: a fill of one reduces the others, so that together they
/// never close more than what was opened. One of them is a market-on-close order that is at the venue from
/// the moment of the entry's fill on: whatever happens to the data or the program, nothing is held over night.
#[derive(Debug)]
pub(super) struct Trade {
    signal_symbol: SymbolId,
    instrument: SymbolId,
    /// Side of the entry order.
    side: Side,
    entry: OrderId,
    /// Group of the exits.
    group: u32,
    /// Stop and target orders at the venue.
    protective: [Option<OrderId>; 2],
    /// Market-on-close orders and exits at the market.
    others: Vec<OrderId>,
    /// When to close at the market; at or after the session's close the market-on-close order does it.
    exit_at: Nanos,
    exit_reason: &'static str,
    /// Watched at bar ends where the instrument is not the signal's symbol: (side of the signal, stop, target).
    watched: Option<(Side, Option<f64>, Option<f64>)>,
    is_closing: bool,
}

/// When and why a trade is closed at the market.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exit {
    pub at: Nanos,
    pub reason: &'static str,
}

impl Trade {
    /// Submits the entry with its exits.
    pub fn open(
        signal_symbol: SymbolId,
        signal: &Signal,
        entry: &Entry,
        exit: Exit,
        group: u32,
        orders: &mut Orders<'_>,
    ) -> Trade {
        let request = OrderRequest::market(entry.instrument, entry.side, entry.qty, signal.reason);
        let id = orders.submit(request);
        let mut child = |kind, tif, reason| {
            orders.submit(OrderRequest {
                side: entry.side.opposite(),
                kind,
                tif,
                oco: Some(group),
                parent: Some(id),
                reason,
                ..request
            })
        };
        let mut protective = [None; 2];
        let mut watched = None;
        if entry.is_direct {
            protective[0] = signal.stop.map(|stop| child(OrderKind::Stop { stop }, TimeInForce::Day, "stop"));
            protective[1] = signal.target.map(|limit| child(OrderKind::Limit { limit }, TimeInForce::Day, "target"));
        } else if signal.stop.is_some() || signal.target.is_some() {
            watched = Some((signal.side, signal.stop, signal.target));
        }
        let on_close = child(OrderKind::MarketOnClose, TimeInForce::Cls, "session close");
        Trade {
            signal_symbol,
            instrument: entry.instrument,
            side: entry.side,
            entry: id,
            group,
            protective,
            others: vec![on_close],
            exit_at: exit.at,
            exit_reason: exit.reason,
            watched,
            is_closing: false,
        }
    }

    /// When the trade has to be looked at next, if nothing happens to its orders before: at every bar end when
    /// prices are watched, at its exit, or never.
    pub fn wake(&self, close: Nanos) -> Nanos {
        if self.is_closing {
            Nanos::MAX
        } else if self.watched.is_some() {
            Nanos::MIN
        } else if self.exit_at < close {
            self.exit_at
        } else {
            Nanos::MAX
        }
    }

    /// The session of the trade is over. Only what the closing auction could not take is still there, and it
    /// goes at the next price. Returns whether something is left.
    pub fn carry_over(&mut self, view: &View<'_>) -> bool {
        self.is_closing = true;
        self.left(view) > QTY_EPSILON
    }

    /// Closes the trade when its time has come or a watched price is met, and keeps at it until nothing is
    /// left. Returns whether the trade is over.
    pub fn manage(&mut self, view: &View<'_>, orders: &mut Orders<'_>) -> bool {
        let is_open = |id: OrderId| view.order(id).is_some_and(|record| !record.state.is_final());
        let entry_open = is_open(self.entry);
        let left = self.left(view);
        if !entry_open && left <= QTY_EPSILON {
            for id in self.protective.into_iter().flatten().chain(self.others.iter().copied()) {
                if is_open(id) {
                    orders.cancel(id);
                }
            }
            return true;
        }
        let mut reason = self.exit_reason;
        if !self.is_closing {
            if let Some(met) = self.met(view) {
                self.is_closing = true;
                reason = met;
                self.exit_reason = met;
            } else if view.now() >= self.exit_at.min(view.session().close) {
                // At the close itself this is what the closing auction left over.
                self.is_closing = true;
            }
        }
        if self.is_closing {
            self.close(left, entry_open, reason, view, orders);
        }
        false
    }

    /// Shares of the trade that are still held, as its own orders tell and the position allows: a limit of
    /// the account may have closed it from outside.
    fn left(&self, view: &View<'_>) -> f64 {
        let filled = |id: OrderId| view.order(id).map_or(0.0, |record| record.filled);
        let exits = self.protective.into_iter().flatten().chain(self.others.iter().copied());
        let own = filled(self.entry) - exits.map(filled).sum::<f64>();
        own.min((self.side.sign() * view.position(self.instrument)).max(0.0))
    }

    fn met(&self, view: &View<'_>) -> Option<&'static str> {
        let (side, stop, target) = self.watched?;
        if !view.has_bar(self.signal_symbol) {
            return None;
        }
        let close = view.past(self.signal_symbol).close()?;
        let beyond = |level: f64| side.sign() * (close - level);
        if stop.is_some_and(|level| beyond(level) <= 0.0) {
            Some("stop")
        } else if target.is_some_and(|level| beyond(level) >= 0.0) {
            Some("target")
        } else {
            None
        }
    }

    /// Sends the exit at the market for what no open exit at the market covers. The market-on-close order
    /// stays behind it, in case there is no further trade before the close.
    fn close(&mut self, left: f64, entry_open: bool, reason: &'static str, view: &View<'_>, orders: &mut Orders<'_>) {
        for id in self.protective.into_iter().flatten() {
            if view.order(id).is_some_and(|record| !record.state.is_final()) {
                orders.cancel(id);
            }
        }
        if entry_open {
            // This cancels the entry's children too, the market-on-close order among them.
            orders.cancel(self.entry);
        }
        let refused =
            self.others.last().and_then(|id| view.order(*id)).is_some_and(|r| r.state == OrderState::Rejected);
        if refused {
            // Asking again would be refused again; the market-on-close order remains.
            return;
        }
        // What opposes the position at the market already, whoever sent it.
        let exiting = (-self.side.sign() * view.working(self.instrument)).max(0.0);
        let qty = left - exiting;
        if qty <= QTY_EPSILON {
            return;
        }
        let exit = OrderRequest {
            oco: Some(self.group),
            ..OrderRequest::market(self.instrument, self.side.opposite(), qty, reason)
        };
        self.others.push(orders.submit(exit));
        if entry_open && view.now() < view.session().close {
            let on_close = OrderRequest { kind: OrderKind::MarketOnClose, tif: TimeInForce::Cls, ..exit };
            self.others.push(orders.submit(on_close));
        }
    }
}
