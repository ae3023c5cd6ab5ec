//! What has to be asked of the broker so that what lies there is what should, and which orders are over.

use super::broker::Request;
use super::entry::Entry;
use super::venue::LiveVenue;
use super::wire::Wire;
use crate::market::{MILLI, Nanos, SymbolId};
use crate::session::machine::SessionVenue;
use crate::trading::{Instruments, Order, OrderId, OrderKind, OrderState, Portfolio, QTY_EPSILON, Side, TimeInForce};
use std::collections::BTreeMap;

/// What is to be known of the open orders of an instrument, found in one pass over all of them: looking at all for each
/// of them would take a hundred positions a millisecond.
#[derive(Default)]
struct ByInstrument {
    /// Places in [`LiveVenue::open`].
    places: BTreeMap<SymbolId, Vec<usize>>,
    /// Strategies with the signed shares that the broker has reported as filled and that are not booked yet, since it has
    /// not told the executions.
    unbooked: BTreeMap<SymbolId, Vec<(u16, f64)>>,
    /// Orders that close what their strategy holds.
    closing: BTreeMap<SymbolId, Vec<OrderId>>,
}

impl ByInstrument {
    fn of(venue: &LiveVenue) -> ByInstrument {
        let mut found = ByInstrument::default();
        for (place, id) in venue.open.iter().enumerate() {
            let entry = &venue.entries[id];
            let order = entry.order.get();
            found.places.entry(order.request.symbol).or_default().push(place);
            let unbooked = entry.known_filled() - entry.filled;
            if unbooked != 0.0 {
                let of_symbol = found.unbooked.entry(order.request.symbol).or_default();
                of_symbol.push((order.strategy, order.request.side.sign() * unbooked));
            }
            if order.liquidates {
                found.closing.entry(order.request.symbol).or_default().push(*id);
            }
        }
        found
    }

    /// Signed shares of a symbol, or of one strategy in it.
    fn unbooked(&self, symbol: SymbolId, of: Option<u16>) -> f64 {
        let all = self.unbooked.get(&symbol).into_iter().flatten();
        all.filter(|(strategy, _)| of.is_none_or(|of| of == *strategy)).map(|(_, qty)| qty).sum()
    }

    /// Signed shares that are held by the broker's word.
    fn held(&self, symbol: SymbolId, portfolio: &Portfolio) -> f64 {
        let held = portfolio.account.position(symbol) + self.unbooked(symbol, None);
        if held.abs() <= QTY_EPSILON { 0.0 } else { held }
    }
}

impl LiveVenue {
    /// Ends what is over, and asks for what is missing.
    pub(super) fn bring_together(&mut self, now: Nanos, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        let before = self.open.clone();
        let mut open = ByInstrument::of(self);
        self.end(&open, now, portfolio);
        if self.open != before {
            open = ByInstrument::of(self);
        }
        self.ask(&open, now, portfolio, instruments);
    }

    /// Shares that a closing order can still close of what its strategy holds.
    fn closable(&self, order: &Order, open: &ByInstrument, portfolio: &Portfolio) -> f64 {
        let (strategy, symbol) = (order.strategy, order.request.symbol);
        let held = portfolio.strategy_position(strategy, symbol) + open.unbooked(symbol, Some(strategy));
        // What an earlier one closes is not there for this one.
        let is_earlier = |other: &&Entry| {
            let other = other.order.get();
            other.strategy == strategy && other.request.side == order.request.side && other.id < order.id
        };
        let closing = open.closing.get(&symbol).into_iter().flatten().map(|id| &self.entries[id]);
        let claimed: f64 = closing
            .filter(is_earlier)
            .filter(|other| !other.cancel_wanted && other.refused.is_none() && !other.ended)
            .map(|other| other.order.get().request.qty - other.known_filled())
            .sum();
        (-order.request.side.sign() * held - claimed).max(0.0)
    }

    /// How many shares of an open order should lie at the broker now, exits' claims on one position aside.
    fn wanted(&self, id: OrderId, open: &ByInstrument, now: Nanos, portfolio: &Portfolio) -> f64 {
        let entry = &self.entries[&id];
        let order = entry.order.get();
        if entry.cancel_wanted || entry.resend || entry.refused.is_some() || entry.ended {
            return 0.0;
        }
        let filled = entry.known_filled();
        let mut most = self.most(id, self.parent(id).map(Entry::known_filled), Entry::known_filled);
        if order.liquidates {
            most = most.min(filled + self.closable(order, open, portfolio));
        }
        let left = most - filled;
        let to_market = entry.gives_up_waiting() || self.goes_to_market(order, left, now);
        if order.request.kind == OrderKind::Market || to_market {
            // No order at the market is sent into a halt: what protects the position stays where it is.
            if self.halted.contains(&order.request.symbol) {
                return left.min(entry.lies()).max(0.0);
            }
        }
        let waits = self.goes_to_market(order, left, now) && now < self.before_close(self.rules.close_lead_ms);
        if left <= QTY_EPSILON || waits { 0.0 } else { left }
    }

    /// An order for the close that the broker does not take: of a fraction of a share, or too late.
    fn goes_to_market(&self, order: &Order, qty: f64, now: Nanos) -> bool {
        let for_close = order.request.kind == OrderKind::MarketOnClose || order.request.tif == TimeInForce::Cls;
        let is_fraction = !self.rules.fractions_at_close && (qty - qty.round()).abs() > QTY_EPSILON;
        let is_late = self.rules.close_cutoff_ms > 0 && now >= self.before_close(self.rules.close_cutoff_ms);
        for_close && (is_fraction || is_late)
    }

    fn before_close(&self, ms: u32) -> Nanos {
        self.close - i64::from(ms) * MILLI
    }

    /// Ends orders that have nothing more to come, and tells the portfolio.
    fn end(&mut self, open: &ByInstrument, now: Nanos, portfolio: &mut Portfolio) {
        for (id, time, reason) in std::mem::take(&mut self.refused) {
            portfolio.change_state(id, time, OrderState::Rejected, reason);
        }
        for k in 0..self.open.len() {
            let id = self.open[k];
            let parent_done = self.parent(id).filter(|parent| parent.ended).map(|parent| parent.filled);
            let most = self.most(id, parent_done, |other| other.filled);
            let entry = &self.entries[&id];
            if entry.ended {
                continue;
            }
            let request = &entry.order.get().request;
            let whole = entry.filled >= request.qty - QTY_EPSILON;
            let order = entry.order.get();
            // While executions are missing, what is left to close is not certain.
            let is_certain = open.unbooked(order.request.symbol, None).abs() <= QTY_EPSILON;
            let closes_nothing = order.liquidates && is_certain && self.closable(order, open, portfolio) <= QTY_EPSILON;
            let nothing_left = most - entry.filled <= QTY_EPSILON;
            let is_clear = entry.is_clear();
            let (state, reason) = match entry.refused {
                // What its group or its parent has ended is over for its owner at once, as in the simulated venue;
                // what lies at the broker is called back.
                None if nothing_left && !whole && !is_clear => {
                    let never_came = parent_done == Some(0.0);
                    (OrderState::Canceled, if never_came { "parent ended" } else { "oco" })
                }
                _ if !is_clear => continue,
                _ if whole => (OrderState::Filled, request.reason),
                Some(refused) => refused,
                None if entry.cancel_wanted => (OrderState::Canceled, "canceled"),
                None if nothing_left && entry.filled > 0.0 && request.oco.is_none() => {
                    (OrderState::Filled, "parent ended")
                }
                None if nothing_left && parent_done == Some(0.0) => (OrderState::Canceled, "parent ended"),
                None if nothing_left => (OrderState::Canceled, "oco"),
                None if closes_nothing => (OrderState::Canceled, "nothing left to close"),
                None => continue,
            };
            portfolio.change_state(id, now, state, reason);
            if let Some(entry) = self.entries.get_mut(&id) {
                entry.ended = true;
            }
        }
        let entries = &self.entries;
        self.open.retain(|id| !(entries[id].ended && entries[id].is_clear()));
        self.open.sort_unstable();
    }

    /// Among exits that claim the same shares, the more urgent one first.
    fn urgency(&self, order: &Order, now: Nanos) -> u8 {
        let near_close = now >= self.before_close(self.rules.close_lead_ms);
        match order.request.kind {
            OrderKind::MarketOnClose if near_close => 1,
            OrderKind::MarketOnClose => 4,
            OrderKind::Market => 0,
            OrderKind::Stop { .. } | OrderKind::StopLimit { .. } | OrderKind::TrailingStop { .. } => 2,
            _ => 3,
        }
    }

    /// Asks for what is missing at the broker, and for an end of what should not be there.
    fn ask(&mut self, open: &ByInstrument, now: Nanos, portfolio: &Portfolio, instruments: &Instruments<'_>) {
        let mut claims: Vec<(OrderId, f64)> =
            self.open.iter().map(|&id| (id, self.wanted(id, open, now, portfolio))).collect();
        // Exits in instruments whose shares are not free yet.
        let mut blocked: Vec<SymbolId> = Vec::new();
        if self.rules.exits_hold_shares {
            self.share_out(&mut claims, open, now, portfolio, &mut blocked);
        }
        let no_entries = self.blocks_entries().is_some();
        for (id, want) in claims {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let (lies, order) = (entry.lies(), *entry.order.get());
            if want < entry.stays() - QTY_EPSILON {
                entry.call_back(&mut self.requests);
                continue;
            }
            if entry.resend && entry.is_clear() {
                entry.resend = false;
            }
            let symbol = order.request.symbol;
            let waits = entry.is_canceling()
                || now < entry.not_before
                || (entry.is_retried() && self.differing.contains(&symbol));
            if want <= lies + QTY_EPSILON || waits {
                continue;
            }
            let opposes = -order.request.side.sign() * open.held(symbol, portfolio) > 0.0;
            let exit = order.request.parent.is_some() || order.liquidates || opposes;
            if opposes && blocked.contains(&symbol) {
                continue;
            }
            if if exit { !self.rules.both_sides && self.makes_way(&order, open, now) } else { no_entries } {
                continue;
            }
            let qty = want - lies;
            let Some(entry) = self.entries.get(&id) else { continue };
            let part = entry.order.part(qty);
            let to_market = entry.gives_up_waiting() || self.goes_to_market(&order, qty, now);
            let part = if to_market { part.at_market() } else { part };
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            // Deterministic, so that whoever repeats the inputs knows what was sent.
            let client_id = match entry.wires.len() {
                0 => format!("{}-{}", self.session, id.0),
                n => format!("{}-{}-{n}", self.session, id.0),
            };
            self.by_client_id.insert(client_id.clone(), (id, entry.wires.len()));
            entry.wires.push(Wire::new(client_id.clone(), part, exit, now));
            let instrument = instruments.name(symbol);
            self.requests.push(Request::Submit { client_id, instrument, order: part, exit });
        }
    }

    /// Whether an exit has to wait because something lies on the other side of its instrument. It is called back; the
    /// rest of the exit's own entry after a while only, since it may just be filling.
    fn makes_way(&mut self, exit: &Order, open: &ByInstrument, now: Nanos) -> bool {
        let patience = i64::from(self.rules.patience_ms) * MILLI;
        let mut waits = false;
        for &place in open.places.get(&exit.request.symbol).into_iter().flatten() {
            let id = self.open[place];
            let Some(entry) = self.entries.get_mut(&id).filter(|entry| entry.is_open()) else { continue };
            if entry.order.get().request.side == exit.request.side {
                continue;
            }
            waits = true;
            let is_own = exit.request.parent == Some(id);
            if is_own && entry.first_fill.is_some_and(|first| now < first + patience) {
                continue;
            }
            entry.refused.get_or_insert((OrderState::Canceled, "in the way of an exit"));
            entry.call_back(&mut self.requests);
        }
        waits
    }

    /// Gives the shares of each position to its exits in order of urgency.
    fn share_out(
        &self,
        claims: &mut [(OrderId, f64)],
        open: &ByInstrument,
        now: Nanos,
        portfolio: &Portfolio,
        blocked: &mut Vec<SymbolId>,
    ) {
        for (&symbol, places) in &open.places {
            let position = open.held(symbol, portfolio);
            if position == 0.0 {
                continue;
            }
            let closing_side = if position > 0.0 { Side::Sell } else { Side::Buy };
            let closes = |k: &usize| self.entries[&claims[*k].0].order.get().request.side == closing_side;
            let mut exits: Vec<usize> = places.iter().copied().filter(closes).collect();
            exits.sort_by_key(|&k| (self.urgency(self.entries[&claims[k].0].order.get(), now), claims[k].0));
            let mut free = position.abs();
            for k in exits {
                let granted = claims[k].1.min(free);
                free -= granted;
                claims[k].1 = if granted > QTY_EPSILON { granted } else { 0.0 };
                let entry = &self.entries[&claims[k].0];
                if entry.is_canceling() || entry.lies() > claims[k].1 + QTY_EPSILON {
                    blocked.push(symbol);
                }
            }
        }
    }
}
