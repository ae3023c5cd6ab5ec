//! Orders of the core and their wires: what the core asks for, and what the broker says.

use super::broker::{BrokerEvent, Request, VenueRules};
use super::entry::Entry;
use super::wire::Wire;
use crate::market::{Nanos, SymbolId};
use crate::risk::{Approved, BarVenue, Venue};
use crate::session::machine::{SessionVenue, Stray};
use crate::sim::Commission;
use crate::trading::{Execution, Instruments, Order, OrderChange, OrderId, OrderState, Portfolio, QTY_EPSILON, Side};
use std::collections::{BTreeMap, BTreeSet};

/// How often a wire that cannot be canceled is tried again.
const MOST_CANCELS: u32 = 10;

/// How often executions that are missing are asked for between two connections.
const MOST_QUESTIONS: u32 = 10;

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
    pub(super) session: String,
    pub(super) rules: VenueRules,
    /// What executions cost of which the broker does not say it.
    commission: Commission,
    /// By order id.
    pub(super) entries: BTreeMap<OrderId, Entry>,
    /// Orders of each group.
    groups: BTreeMap<u32, Vec<OrderId>>,
    /// Orders that have not ended, or of which a wire has not.
    pub(super) open: Vec<OrderId>,
    pub(super) by_client_id: BTreeMap<String, (OrderId, usize)>,
    /// Orders that cannot be traded here, and why.
    pub(super) refused: Vec<(OrderId, Nanos, &'static str)>,
    pub(super) requests: Vec<Request>,
    notes: Vec<String>,
    /// Broker's id of each fill.
    executions: Vec<String>,
    /// Shares that nobody looks after.
    strays: Vec<Stray>,
    pub(super) close: Nanos,
    is_up: bool,
    /// The broker takes no requests.
    is_refusing: bool,
    /// Instruments in which trading is halted.
    pub(super) halted: BTreeSet<SymbolId>,
    /// Instruments whose positions differed when they were compared last.
    pub(super) differing: Vec<SymbolId>,
    /// Those of them that were told.
    differing_told: Vec<SymbolId>,
}

impl LiveVenue {
    /// A venue of a session; the broker's stream is not up yet.
    pub fn new(session: &str, rules: VenueRules, commission: Commission) -> LiveVenue {
        LiveVenue {
            session: session.to_string(),
            rules,
            commission,
            entries: BTreeMap::new(),
            groups: BTreeMap::new(),
            open: Vec::new(),
            by_client_id: BTreeMap::new(),
            refused: Vec::new(),
            requests: Vec::new(),
            notes: Vec::new(),
            executions: Vec::new(),
            strays: Vec::new(),
            close: Nanos::MAX,
            is_up: false,
            is_refusing: false,
            halted: BTreeSet::new(),
            differing: Vec::new(),
            differing_told: Vec::new(),
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
        let found = find(&self.by_client_id, &mut self.entries, &report.client_id);
        let Some((id, at, entry)) = found else { return self.stranger(report) };
        let side = entry.order.get().request.side;
        let wire = &mut entry.wires[at];
        let was_open = wire.is_open();
        let news = wire.take(report);
        let has_ended = was_open && !wire.is_open();
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
                self.requests.push(Request::Resolve { client_id: report.client_id.clone(), again: None });
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
            self.executed(id, &execution, cost, now, portfolio, instruments);
        }
        let Some(entry) = self.entries.get_mut(&id) else { return };
        let wire = &entry.wires[at];
        let (exit, by_broker) = (wire.exit, has_ended && !wire.canceling);
        match wire.state {
            OrderState::Working | OrderState::Accepted
                if matches!(portfolio.order(id).state, OrderState::Submitting | OrderState::Unknown) =>
            {
                portfolio.change_state(id, report.time.max(now), wire.state, "");
            }
            OrderState::Rejected if by_broker => {
                entry.turned_down(exit, OrderState::Rejected, "rejected by the broker", now);
                self.notes.push(format!("{}: rejected: {}", report.client_id, report.reason.as_deref().unwrap_or("")));
            }
            OrderState::Canceled if by_broker => {
                entry.turned_down(exit, OrderState::Canceled, "canceled by the broker", now);
                self.notes.push(format!("{}: canceled by the broker", report.client_id));
            }
            // Whoever replaced it has taken over.
            OrderState::Replaced if by_broker => entry.refused = Some((OrderState::Canceled, "replaced elsewhere")),
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
        now: Nanos,
        portfolio: &mut Portfolio,
        instruments: &Instruments<'_>,
    ) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        entry.filled += execution.qty;
        entry.first_fill.get_or_insert(now);
        let (request, had_ended) = (entry.order.get().request, entry.ended);
        let strategy = entry.order.get().strategy;
        let parent_done = self.parent(id).filter(|parent| parent.ended).map(|parent| parent.filled);
        let complete = self.entries[&id].filled >= self.most(id, parent_done, |other| other.filled) - QTY_EPSILON;
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
        let is_guarded = |entry: &Entry| entry.order.get().request.parent == Some(id) && !entry.ended;
        let opened = (request.side.sign() * portfolio.strategy_position(strategy, request.symbol)).min(execution.qty);
        if had_ended && opened > QTY_EPSILON && !self.entries.values().any(is_guarded) {
            self.strays.push(Stray { strategy, symbol: request.symbol, side: request.side, qty: opened });
        }
    }

    /// Shares that an order may come to, if `parent` is what its parent has filled and `taken` tells what the others of
    /// its group have.
    pub(super) fn most(&self, id: OrderId, parent: Option<f64>, taken: impl Fn(&Entry) -> f64) -> f64 {
        let Some(entry) = self.entries.get(&id) else { return 0.0 };
        let qty = entry.order.get().request.qty;
        let group = entry.group().and_then(|group| self.groups.get(&group));
        let others = group.into_iter().flatten().filter(|other| **other != id);
        parent.map_or(qty, |filled| qty.min(filled)) - others.map(|other| taken(&self.entries[other])).sum::<f64>()
    }

    pub(super) fn parent(&self, id: OrderId) -> Option<&Entry> {
        self.entries.get(&self.entries.get(&id)?.order.get().request.parent?)
    }
}

/// The order of a client order id, and the number of its wire.
fn find<'e>(
    by_client_id: &BTreeMap<String, (OrderId, usize)>,
    entries: &'e mut BTreeMap<OrderId, Entry>,
    client_id: &str,
) -> Option<(OrderId, usize, &'e mut Entry)> {
    let &(id, at) = by_client_id.get(client_id)?;
    Some((id, at, entries.get_mut(&id)?))
}

/// A question for a wire. An exit of which no word has come is sent again, if the broker does not know it.
fn resolve(wire: &Wire, instruments: &Instruments<'_>) -> Request {
    let again = wire.exit && wire.is_open() && !wire.acknowledged && !wire.canceling;
    let again = again.then(|| (instruments.name(wire.order.get().request.symbol), wire.order));
    Request::Resolve { client_id: wire.client_id.clone(), again }
}

impl Venue for LiveVenue {
    fn grow(&mut self, _: &Instruments<'_>) {}

    fn submit(&mut self, order: Approved<Order>) {
        let id = order.get().id;
        let entry = Entry::new(order);
        if let Some(group) = entry.group() {
            self.groups.entry(group).or_default().push(id);
        }
        self.entries.insert(id, entry);
        self.open.push(id);
    }

    fn cancel(&mut self, _: SymbolId, id: OrderId, _: Nanos) {
        if let Some(entry) = self.entries.get_mut(&id) {
            entry.cancel_wanted = true;
        }
        // What belongs to it goes with it only once it has ended without a fill: it may fill on the way to its end.
    }

    fn replace(&mut self, _: SymbolId, id: OrderId, change: Approved<OrderChange>, _: Nanos) {
        if let Some(entry) = self.entries.get_mut(&id).filter(|entry| !entry.ended) {
            entry.order = entry.order.changed(change);
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
                let Some((_, at, entry)) = find(&self.by_client_id, &mut self.entries, client_id) else { return };
                let wire = &mut entry.wires[at];
                // Whoever has spoken of an order has it.
                if !wire.acknowledged && wire.is_open() {
                    // Should it turn up all the same, it is treated as one that never arrived.
                    (wire.lost, wire.state) = (true, OrderState::Rejected);
                    let exit = wire.exit;
                    entry.turned_down(exit, OrderState::Rejected, "rejected by the broker", now);
                    self.notes.push(format!("{client_id}: rejected: {reason}"));
                }
            }
            BrokerEvent::OutcomeUnknown { client_id } => {
                let Some((id, at, entry)) = find(&self.by_client_id, &mut self.entries, client_id) else { return };
                let wire = &mut entry.wires[at];
                if !wire.acknowledged && wire.is_open() {
                    wire.state = OrderState::Unknown;
                    self.requests.push(resolve(wire, instruments));
                    portfolio.change_state(id, now, OrderState::Unknown, "the answer was lost");
                }
            }
            BrokerEvent::NeverArrived { client_id } => self.never_arrived(client_id, now, portfolio),
            BrokerEvent::Lost { client_id } => {
                let Some((_, at, entry)) = find(&self.by_client_id, &mut self.entries, client_id) else { return };
                match resolve(&entry.wires[at], instruments) {
                    // The same order under the same id cannot become two.
                    question @ Request::Resolve { again: Some(_), .. } => self.requests.push(question),
                    _ => self.never_arrived(client_id, now, portfolio),
                }
            }
            BrokerEvent::NotFound { client_id } => {
                self.missing(client_id, now, portfolio);
            }
            BrokerEvent::CancelRefused { client_id, .. } => {
                let Some((_, at, entry)) = find(&self.by_client_id, &mut self.entries, client_id) else { return };
                if entry.wires[at].is_open() && entry.cancels < MOST_CANCELS {
                    entry.cancels += 1;
                    self.requests.push(resolve(&entry.wires[at], instruments));
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
                self.differing_told.retain(|symbol| different.contains(symbol));
                for &symbol in different.iter().filter(again) {
                    if self.differing_told.contains(&symbol) {
                        continue;
                    }
                    self.differing_told.push(symbol);
                    let name = &market.symbols[symbol.index()];
                    let ours = portfolio.account.position(symbol);
                    self.notes.push(format!("position in {name}: {ours} in our books, {} at the broker", theirs(name)));
                }
                self.differing = different;
            }
            BrokerEvent::Up => {
                self.is_up = true;
                self.ask_again(instruments);
            }
            BrokerEvent::Down { reason } => {
                self.is_up = false;
                self.notes.push(format!("order updates do not arrive: {reason}"));
            }
            BrokerEvent::Refusing { reason } => {
                self.is_refusing = true;
                self.notes.push(format!("the broker takes no requests: {reason}"));
            }
            BrokerEvent::Taking => self.is_refusing = false,
            BrokerEvent::Restarted => {
                (self.is_up, self.is_refusing) = (false, false);
                self.ask_again(instruments);
            }
        }
    }

    fn halt(&mut self, symbol: SymbolId, halted: bool) {
        if halted {
            self.halted.insert(symbol);
        } else {
            self.halted.remove(&symbol);
        }
    }

    fn converge(&mut self, now: Nanos, portfolio: &mut Portfolio, instruments: &Instruments<'_>) {
        if self.open.is_empty() && self.refused.is_empty() {
            return;
        }
        self.bring_together(now, portfolio, instruments);
    }

    fn take_strays(&mut self) -> Vec<Stray> {
        std::mem::take(&mut self.strays)
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
        } else if self.is_refusing {
            Some("the broker takes no requests")
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
    fn ask_again(&mut self, instruments: &Instruments<'_>) {
        for id in &self.open {
            let Some(entry) = self.entries.get_mut(id) else { continue };
            entry.questions = 0;
            for wire in entry.wires.iter().filter(|wire| !wire.is_closed()) {
                self.requests.push(resolve(wire, instruments));
                if wire.canceling && wire.is_open() {
                    self.requests.push(Request::Cancel { client_id: wire.client_id.clone() });
                }
            }
        }
    }

    /// The broker does not know an order. Of one that it had that means nothing good, and nothing certain; of any other,
    /// nothing yet. Whether it had it.
    fn missing(&mut self, client_id: &str, now: Nanos, portfolio: &mut Portfolio) -> bool {
        let found = find(&self.by_client_id, &mut self.entries, client_id);
        let Some((id, at, entry)) = found else { return false };
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
        let Some((_, at, entry)) = find(&self.by_client_id, &mut self.entries, client_id) else { return };
        let wire = &mut entry.wires[at];
        if !wire.is_open() {
            return;
        }
        (wire.lost, wire.state) = (true, OrderState::Rejected);
        if !wire.exit {
            entry.refused = Some((OrderState::Rejected, "lost on its way to the broker"));
        }
    }
}
