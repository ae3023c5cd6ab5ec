//! Orders of the core and their wires, and what has to be asked so that they agree.

use super::broker::{BrokerEvent, Request, VenueRules};
use super::wire::Wire;
use crate::market::{MILLI, Nanos, SymbolId};
use crate::risk::{Approved, BarVenue, Venue};
use crate::session::machine::SessionVenue;
use crate::sim::Commission;
use crate::trading::{
    Execution, Instruments, Order, OrderChange, OrderId, OrderKind, OrderState, Portfolio, QTY_EPSILON, Side,
    TimeInForce,
};
use std::collections::BTreeMap;

/// Groups made of the children of one parent are told from labelled groups by this bit.
const PARENT_GROUP: u32 = 1 << 31;

/// How often a wire that cannot be canceled is tried again.
const MOST_CANCELS: u32 = 10;

/// How often executions that are missing are asked for between two connections.
const MOST_QUESTIONS: u32 = 10;

/// An order of the core.
#[derive(Debug, Clone)]
struct Entry {
    order: Approved<Order>,
    /// Shares wanted in all, less what its group took.
    total: f64,
    filled: f64,
    wires: Vec<Wire>,
    /// Its owner has cancelled it.
    cancel_wanted: bool,
    /// Its prices have changed: what lies at the broker has to come back first.
    resend: bool,
    /// The broker will not take any more of it: the state that it ends in.
    refused: Option<(OrderState, &'static str)>,
    ended: bool,
    cancels: u32,
    /// Questions for missing executions since the stream came up.
    questions: u32,
}

impl Entry {
    fn group(&self) -> Option<u32> {
        let request = &self.order.get().request;
        request.oco.or(request.parent.map(|parent| PARENT_GROUP | parent.0))
    }

    /// Shares at the broker that may still fill.
    fn lies(&self) -> f64 {
        self.wires.iter().map(Wire::left).sum()
    }

    fn is_canceling(&self) -> bool {
        self.wires.iter().any(|wire| wire.is_open() && wire.canceling)
    }

    /// Everything of it at the broker has ended, and nothing is missing.
    fn is_clear(&self) -> bool {
        self.wires.iter().all(Wire::is_closed)
    }
}

/// An order at the broker, as we believe it to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct KnownWire<'a> {
    pub client_id: &'a str,
    /// The order of the core that it belongs to.
    pub order: OrderId,
    pub symbol: SymbolId,
    pub side: Side,
    pub qty: f64,
    /// When it was asked for, by the session's clock.
    pub sent: Nanos,
    /// Submitting: no word of it yet.
    pub state: OrderState,
    pub filled: f64,
    /// In the order in which they arrived.
    pub executions: &'a [super::broker::Execution],
}

/// The venue of a broker: see the [room](super).
#[derive(Debug)]
pub struct LiveVenue {
    session: String,
    rules: VenueRules,
    /// What executions cost of which the broker does not say it.
    commission: Commission,
    /// By order id.
    entries: BTreeMap<OrderId, Entry>,
    /// Orders that have not ended, or of which a wire has not.
    open: Vec<OrderId>,
    by_client_id: BTreeMap<String, (OrderId, usize)>,
    /// Orders that cannot be traded here, and why.
    refused: Vec<(OrderId, Nanos, &'static str)>,
    requests: Vec<Request>,
    notes: Vec<String>,
    /// Broker's id of each fill.
    executions: Vec<String>,
    close: Nanos,
    is_up: bool,
    /// Instruments whose positions differed when they were compared last.
    differing: Vec<SymbolId>,
}

impl LiveVenue {
    /// A venue of a session; the broker's stream is not up yet.
    pub fn new(session: &str, rules: VenueRules, commission: Commission) -> LiveVenue {
        LiveVenue {
            session: session.to_string(),
            rules,
            commission,
            entries: BTreeMap::new(),
            open: Vec::new(),
            by_client_id: BTreeMap::new(),
            refused: Vec::new(),
            requests: Vec::new(),
            notes: Vec::new(),
            executions: Vec::new(),
            close: Nanos::MAX,
            is_up: false,
            differing: Vec::new(),
        }
    }

    /// Everything that was ever sent, by order and then in order of sending: what an adapter has to know of a
    /// session that goes on.
    pub fn wires(&self) -> impl Iterator<Item = KnownWire<'_>> {
        self.entries.iter().flat_map(|(id, entry)| {
            let request = &entry.order.get().request;
            entry.wires.iter().map(move |wire| KnownWire {
                client_id: &wire.client_id,
                order: *id,
                symbol: request.symbol,
                side: request.side,
                qty: wire.qty,
                sent: wire.sent,
                state: wire.state,
                filled: wire.filled,
                executions: &wire.executions,
            })
        })
    }

    /// The client order ids of everything that was ever sent, in order of id.
    pub fn client_ids(&self) -> impl Iterator<Item = &str> {
        self.by_client_id.keys().map(String::as_str)
    }

    fn report(
        &mut self,
        report: &super::broker::Report,
        now: Nanos,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        let Some(&(id, at)) = self.by_client_id.get(&report.client_id) else {
            self.stranger(report);
            return;
        };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let side = entry.order.get().request.side;
        let wire = &mut entry.wires[at];
        let news = wire.take(report);
        let cost = news.execution.as_ref().map_or(0.0, |execution| wire.commission(execution, side, &self.commission));
        let (open, missing) = (wire.is_open(), wire.has_missing() && !wire.is_open());
        if news.revived {
            wire.canceling = true;
            self.requests.push(Request::Cancel { client_id: report.client_id.clone() });
            self.notes.push(format!("order {} was held to be lost and is open: it is canceled", report.client_id));
        } else if open && wire.canceling && report.execution.is_none() && entry.cancels > 0 {
            // A cancel was refused, and it is still there.
            self.requests.push(Request::Cancel { client_id: report.client_id.clone() });
        }
        if missing {
            entry.questions += 1;
            if entry.questions <= MOST_QUESTIONS {
                self.requests.push(Request::Resolve { client_id: report.client_id.clone() });
            } else if entry.questions == MOST_QUESTIONS + 1 {
                self.notes.push(format!("{}: the broker does not tell all of its executions", report.client_id));
            }
        }
        if !self.open.contains(&id) {
            self.open.push(id);
        }
        if let Some(execution) = news.execution {
            if self.entries[&id].ended {
                self.notes.push(format!("{}: {} shares filled after its end", report.client_id, execution.qty));
            }
            self.executed(id, &execution, cost, portfolio, instruments);
        }
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let wire = &entry.wires[at];
        match wire.state {
            OrderState::Working | OrderState::Accepted
                if matches!(portfolio.order(id).state, OrderState::Submitting | OrderState::Unknown) =>
            {
                portfolio.change_state(id, report.time.max(now), wire.state, "");
            }
            OrderState::Rejected if !wire.canceling => {
                entry.refused = Some((OrderState::Rejected, "rejected by the broker"));
                self.notes.push(format!("{}: rejected: {}", report.client_id, report.reason.as_deref().unwrap_or("")));
            }
            OrderState::Canceled | OrderState::Replaced if !wire.canceling => {
                entry.refused = Some((OrderState::Canceled, "canceled by the broker"));
            }
            OrderState::Expired => entry.refused = Some((OrderState::Expired, "end of session")),
            _ => {}
        }
    }

    /// A report of an order that is not in the books.
    fn stranger(&mut self, report: &super::broker::Report) {
        let ours = report.client_id.strip_prefix(&self.session).is_some_and(|rest| rest.starts_with('-'));
        if ours && !report.state.is_final() {
            self.requests.push(Request::Cancel { client_id: report.client_id.clone() });
            self.notes.push(format!("order {} is of this session but not in its books: canceled", report.client_id));
        }
    }

    /// Books an execution, and takes it from the order's group.
    fn executed(
        &mut self,
        id: OrderId,
        execution: &super::broker::Execution,
        commission: f64,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.filled += execution.qty;
        let complete = entry.filled >= entry.total - QTY_EPSILON;
        let (group, request) = (entry.group(), entry.order.get().request);
        let driver = instruments.driver(request.symbol);
        let bar = instruments.market.series[driver.index()].len().saturating_sub(1) as u32;
        let booked = Execution {
            order: id,
            time: execution.time,
            qty: execution.qty,
            price: execution.price,
            commission,
            slippage: 0.0,
            bar,
        };
        portfolio.execute(booked, complete, instruments);
        self.executions.push(execution.id.clone());
        let Some(group) = group else { return };
        for (other, entry) in &mut self.entries {
            if *other != id && entry.group() == Some(group) {
                entry.total -= execution.qty;
            }
        }
    }

    /// How many shares of an open order should lie at the broker now, exits' claims on one position aside.
    fn wanted(&self, entry: &Entry, now: Nanos, portfolio: &Portfolio) -> f64 {
        let order = entry.order.get();
        if entry.cancel_wanted || entry.resend || entry.refused.is_some() || entry.ended {
            return 0.0;
        }
        let mut most = entry.total;
        if let Some(parent) = order.request.parent.and_then(|id| self.entries.get(&id)) {
            most = most.min(parent.filled);
        }
        if order.liquidates {
            most = most.min(entry.filled + closable(order, portfolio));
        }
        let left = most - entry.filled;
        let waits = self.goes_to_market(order, left, now) && now < self.before_close(self.rules.close_lead_ms);
        if left <= QTY_EPSILON || waits { 0.0 } else { left }
    }

    /// An order for the close that the broker does not take: of a fraction of a share, or too late.
    fn goes_to_market(&self, order: &Order, qty: f64, now: Nanos) -> bool {
        let for_close = order.request.kind == OrderKind::MarketOnClose || order.request.tif == TimeInForce::Cls;
        let is_fraction = !self.rules.fractions_at_close && qty.fract() != 0.0;
        let is_late = self.rules.close_cutoff_ms > 0 && now >= self.before_close(self.rules.close_cutoff_ms);
        for_close && (is_fraction || is_late)
    }

    fn before_close(&self, ms: u32) -> Nanos {
        self.close - i64::from(ms) * MILLI
    }

    /// Ends orders that have nothing more to come, and tells the portfolio.
    fn end(&mut self, now: Nanos, portfolio: &mut Portfolio) {
        for (id, time, reason) in std::mem::take(&mut self.refused) {
            portfolio.change_state(id, time, OrderState::Rejected, reason);
        }
        for k in 0..self.open.len() {
            let id = self.open[k];
            let entry = &self.entries[&id];
            let parent = entry.order.get().request.parent.and_then(|parent| self.entries.get(&parent));
            let parent_done = parent.filter(|parent| parent.ended).map(|parent| parent.filled);
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            if let Some(filled) = parent_done {
                entry.total = entry.total.min(filled.max(entry.filled));
            }
            if entry.ended {
                continue;
            }
            let request = &entry.order.get().request;
            let whole = entry.filled >= request.qty - QTY_EPSILON;
            let order = entry.order.get();
            let closes_nothing = order.liquidates && closable(order, portfolio) <= QTY_EPSILON;
            let nothing_left = entry.total - entry.filled <= QTY_EPSILON;
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
            entry.ended = true;
            portfolio.change_state(id, now, state, reason);
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
    fn ask(&mut self, now: Nanos, portfolio: &Portfolio, instruments: &Instruments<'_>) {
        let mut claims: Vec<(OrderId, f64)> = Vec::new();
        for &id in &self.open {
            claims.push((id, self.wanted(&self.entries[&id], now, portfolio)));
        }
        // Exits in instruments whose shares are not free yet.
        let mut blocked: Vec<SymbolId> = Vec::new();
        if self.rules.exits_hold_shares {
            self.share_out(&mut claims, now, portfolio, &mut blocked);
        }
        for (id, want) in claims {
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            let (lies, order) = (entry.lies(), *entry.order.get());
            if want < lies - QTY_EPSILON {
                for wire in entry.wires.iter_mut().filter(|wire| wire.is_open() && !wire.canceling) {
                    wire.canceling = true;
                    self.requests.push(Request::Cancel { client_id: wire.client_id.clone() });
                }
                continue;
            }
            if entry.resend && entry.is_clear() {
                entry.resend = false;
            }
            let is_exit = -order.request.side.sign() * portfolio.account.position(order.request.symbol) > 0.0;
            let waits = entry.is_canceling()
                || entry.wires.iter().any(Wire::has_missing)
                || (is_exit && blocked.contains(&order.request.symbol));
            if want <= lies + QTY_EPSILON || waits {
                continue;
            }
            let qty = want - lies;
            let part = entry.order.part(qty);
            let part = if self.goes_to_market(&order, qty, now) { part.at_market() } else { part };
            let Some(entry) = self.entries.get_mut(&id) else { continue };
            // Deterministic, so that whoever repeats the inputs knows what was sent.
            let client_id = match entry.wires.len() {
                0 => format!("{}-{}", self.session, id.0),
                n => format!("{}-{}-{n}", self.session, id.0),
            };
            self.by_client_id.insert(client_id.clone(), (id, entry.wires.len()));
            entry.wires.push(Wire::new(client_id.clone(), qty, now));
            let instrument = instruments.name(order.request.symbol);
            self.requests.push(Request::Submit { client_id, instrument, order: part });
        }
    }

    /// Gives the shares of each position to its exits in order of urgency.
    fn share_out(&self, claims: &mut [(OrderId, f64)], now: Nanos, portfolio: &Portfolio, blocked: &mut Vec<SymbolId>) {
        for &symbol in portfolio.account.open_positions() {
            let position = portfolio.account.position(symbol);
            let opposes = |order: &Order| {
                order.request.symbol == symbol && (position > 0.0) == (order.request.side == Side::Sell)
            };
            let mut exits: Vec<usize> =
                (0..claims.len()).filter(|&k| opposes(self.entries[&claims[k].0].order.get())).collect();
            exits.sort_by_key(|&k| (self.urgency(self.entries[&claims[k].0].order.get(), now), claims[k].0));
            let adds = |id: &OrderId| {
                let entry = &self.entries[id];
                let request = &entry.order.get().request;
                let is_same_side = (position > 0.0) == (request.side == Side::Buy);
                request.symbol == symbol && is_same_side && entry.wires.iter().any(Wire::is_open)
            };
            if self.open.iter().any(adds) {
                blocked.push(symbol);
            }
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

/// Shares that a closing order can still close of what its strategy holds.
fn closable(order: &Order, portfolio: &Portfolio) -> f64 {
    let held = portfolio.strategy_position(order.strategy, order.request.symbol);
    (-order.request.side.sign() * held).max(0.0)
}

impl Venue for LiveVenue {
    fn grow(&mut self, _: &Instruments<'_>) {}

    fn submit(&mut self, order: Approved<Order>) {
        let id = order.get().id;
        let entry = Entry {
            total: order.get().request.qty,
            order,
            filled: 0.0,
            wires: Vec::new(),
            cancel_wanted: false,
            resend: false,
            refused: None,
            ended: false,
            cancels: 0,
            questions: 0,
        };
        self.entries.insert(id, entry);
        self.open.push(id);
    }

    fn cancel(&mut self, _: SymbolId, id: OrderId, _: Nanos) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.cancel_wanted = true;
        }
        // As in the simulated venue: what belongs to it and has not filled goes with it.
        for entry in self.entries.values_mut() {
            if entry.order.get().request.parent == Some(id) && entry.filled <= QTY_EPSILON {
                entry.cancel_wanted = true;
            }
        }
    }

    fn replace(&mut self, _: SymbolId, id: OrderId, change: Approved<OrderChange>, _: Nanos) {
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.ended) {
            let taken = entry.order.get().request.qty - entry.total;
            entry.order = entry.order.changed(change);
            entry.total = entry.order.get().request.qty - taken;
            entry.resend = true;
        }
    }
}

impl BarVenue for LiveVenue {
    fn start_day(&mut self, day: usize, instruments: &Instruments<'_>) {
        self.close = instruments.market.days[day].close;
    }

    fn settle(&mut self, _: usize, portfolio: &mut Portfolio, instruments: &Instruments<'_>) -> bool {
        // What cannot be traded ends here, so that its strategy sees it at once.
        for &id in &self.open {
            let Some(entry) = self.entries.get_mut(&id).filter(|e| e.wires.is_empty() && !e.ended) else { continue };
            let order = entry.order.get();
            let reason = if instruments.put(order.request.symbol).is_some() {
                "options cannot be traded here"
            } else if instruments.market.series[order.request.symbol.index()].is_empty() {
                "no price is known yet"
            } else {
                continue;
            };
            entry.ended = true;
            self.refused.push((id, order.decided, reason));
        }
        for (id, time, reason) in std::mem::take(&mut self.refused) {
            portfolio.change_state(id, time, OrderState::Rejected, reason);
        }
        false
    }

    fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }
}

impl SessionVenue for LiveVenue {
    fn execution(&self, fill: usize) -> Option<String> {
        self.executions.get(fill).cloned()
    }

    fn broker(&mut self, event: &BrokerEvent, now: Nanos, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        match event {
            BrokerEvent::Report(report) => self.report(report, now, portfolio, instruments),
            BrokerEvent::Refused { client_id, reason } => {
                let Some(&(id, at)) = self.by_client_id.get(client_id) else { return };
                let Some(entry) = self.entries.get_mut(&id) else { return };
                let wire = &mut entry.wires[at];
                // Whoever has spoken of an order has it.
                if !wire.acknowledged && wire.is_open() {
                    wire.state = OrderState::Rejected;
                    entry.refused = Some((OrderState::Rejected, "rejected by the broker"));
                    self.notes.push(format!("{client_id}: rejected: {reason}"));
                }
            }
            BrokerEvent::OutcomeUnknown { client_id } => {
                let Some(&(id, at)) = self.by_client_id.get(client_id) else { return };
                let Some(entry) = self.entries.get_mut(&id) else { return };
                let wire = &mut entry.wires[at];
                if !wire.acknowledged && wire.is_open() {
                    wire.state = OrderState::Unknown;
                    portfolio.change_state(id, now, OrderState::Unknown, "the answer was lost");
                    self.requests.push(Request::Resolve { client_id: client_id.clone() });
                }
            }
            BrokerEvent::NeverArrived { client_id } => self.never_arrived(client_id, now, portfolio),
            BrokerEvent::NotFound { client_id } => {
                self.missing(client_id, now, portfolio);
            }
            BrokerEvent::CancelRefused { client_id, .. } => {
                let Some(&(id, at)) = self.by_client_id.get(client_id) else { return };
                let Some(entry) = self.entries.get_mut(&id) else { return };
                if entry.wires[at].is_open() && entry.cancels < MOST_CANCELS {
                    entry.cancels += 1;
                    self.requests.push(Request::Resolve { client_id: client_id.clone() });
                }
            }
            BrokerEvent::Positions { positions } => {
                let market = instruments.market;
                let theirs = |name: &str| positions.iter().find(|(n, _)| n == name).map_or(0.0, |(_, qty)| *qty);
                let differs = |symbol: SymbolId| {
                    let ours = portfolio.account.position(symbol);
                    (ours - theirs(&market.symbols[symbol.index()])).abs() > QTY_EPSILON
                };
                let different: Vec<SymbolId> = market.symbol_ids().filter(|&symbol| differs(symbol)).collect();
                // Positions may have been asked for before an execution that is booked already, or the other way round:
                // what differs twice is told.
                let again = |symbol: &&SymbolId| self.differing.contains(symbol);
                for &symbol in different.iter().filter(again) {
                    let name = &market.symbols[symbol.index()];
                    let ours = portfolio.account.position(symbol);
                    self.notes.push(format!("position in {name}: {ours} in our books, {} at the broker", theirs(name)));
                }
                self.differing = different;
            }
            BrokerEvent::Up => {
                self.is_up = true;
                self.ask_again();
            }
            BrokerEvent::Down { reason } => {
                self.is_up = false;
                self.notes.push(format!("order updates do not arrive: {reason}"));
            }
        }
    }

    fn converge(&mut self, now: Nanos, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        if self.open.is_empty() && self.refused.is_empty() {
            return;
        }
        self.end(now, portfolio);
        self.ask(now, portfolio, instruments);
    }

    fn resume(&mut self) {
        self.is_up = false;
        self.ask_again();
    }

    fn is_clear(&self) -> bool {
        self.open.iter().all(|id| self.entries[id].is_clear())
    }

    fn unresolved(&self) -> usize {
        let is_unresolved =
            |wire: &&Wire| wire.has_missing() || matches!(wire.state, OrderState::Submitting | OrderState::Unknown);
        self.open.iter().map(|id| self.entries[id].wires.iter().filter(is_unresolved).count()).sum()
    }

    fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    fn blocks_entries(&self) -> Option<&'static str> {
        let unknown = |entry: &Entry| entry.wires.iter().any(|w| w.acknowledged && w.state == OrderState::Unknown);
        if !self.is_up {
            Some("order updates do not arrive")
        } else if !self.differing.is_empty() {
            Some("positions differ from the broker's")
        } else if self.open.iter().any(|id| unknown(&self.entries[id])) {
            Some("an order is missing at the broker")
        } else {
            None
        }
    }
}

impl LiveVenue {
    /// Answers may have been lost: asks for every wire of which anything may come, and cancels again what was to be
    /// canceled.
    fn ask_again(&mut self) {
        for id in &self.open {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            entry.questions = 0;
            for wire in entry.wires.iter().filter(|wire| !wire.is_closed()) {
                self.requests.push(Request::Resolve { client_id: wire.client_id.clone() });
                if wire.canceling && wire.is_open() {
                    self.requests.push(Request::Cancel { client_id: wire.client_id.clone() });
                }
            }
        }
    }

    /// The broker does not know an order. Of one that it had that means nothing good, and nothing certain; of any other,
    /// nothing yet. Whether it had it.
    fn missing(&mut self, client_id: &str, now: Nanos, portfolio: &mut Portfolio) -> bool {
        let Some(&(id, at)) = self.by_client_id.get(client_id) else { return false };
        let Some(entry) = self.entries.get_mut(&id) else { return false };
        let wire = &mut entry.wires[at];
        if !wire.is_open() || !wire.acknowledged {
            return false;
        }
        wire.state = OrderState::Unknown;
        portfolio.change_state(id, now, OrderState::Unknown, "missing at the broker");
        self.notes.push(format!("order {client_id} is missing at the broker, which had it"));
        true
    }

    /// The broker says that it has never had an order.
    fn never_arrived(&mut self, client_id: &str, now: Nanos, portfolio: &mut Portfolio) {
        if self.missing(client_id, now, portfolio) {
            return;
        }
        let Some(&(id, at)) = self.by_client_id.get(client_id) else { return };
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let wire = &mut entry.wires[at];
        if !wire.is_open() {
            return;
        }
        (wire.lost, wire.state) = (true, OrderState::Rejected);
        let order = entry.order.get();
        let held = portfolio.account.position(order.request.symbol);
        let closes = order.request.parent.is_some() || order.liquidates || -order.request.side.sign() * held > 0.0;
        if !closes {
            entry.refused = Some((OrderState::Rejected, "lost on its way to the broker"));
        }
    }
}
