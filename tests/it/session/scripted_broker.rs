//! A broker in memory that answers late, twice, in the wrong order or not at all, and whose own books are right.

use std::collections::BTreeMap;
use tradebot::market::Nanos;
use tradebot::session::live::{BrokerEvent, Execution, Report, Request};
use tradebot::trading::{OrderKind, OrderState, Side};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn chance(&mut self, share: f64) -> bool {
        self.next() < share
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() * n as f64) as usize
    }
}

/// How often things go wrong, as shares.
#[derive(Clone, Copy)]
pub struct Trouble {
    /// An order never arrives.
    pub lost: f64,
    /// It arrives, but its answer does not.
    pub unanswered: f64,
    pub refused: f64,
    pub duplicates: f64,
    /// Reports overtake each other.
    pub disorder: f64,
    /// A report stays away until the next comparison of records.
    pub swallowed: f64,
    pub partial: f64,
    /// A stop or limit order fills, each minute.
    pub resting: f64,
}

impl Trouble {
    pub const NONE: Trouble = Trouble {
        lost: 0.0,
        unanswered: 0.0,
        refused: 0.0,
        duplicates: 0.0,
        disorder: 0.0,
        swallowed: 0.0,
        partial: 0.0,
        resting: 0.0,
    };
    pub const MUCH: Trouble = Trouble {
        lost: 0.05,
        unanswered: 0.1,
        refused: 0.05,
        duplicates: 0.2,
        disorder: 0.3,
        swallowed: 0.1,
        partial: 0.5,
        resting: 0.03,
    };
}

pub struct BrokerOrder {
    pub instrument: String,
    pub side: Side,
    pub qty: f64,
    pub kind: OrderKind,
    pub state: OrderState,
    pub executions: Vec<Execution>,
}

impl BrokerOrder {
    pub fn filled(&self) -> f64 {
        self.executions.iter().map(|e| e.qty).sum()
    }

    pub fn is_open(&self) -> bool {
        !self.state.is_final()
    }
}

pub struct ScriptedBroker {
    pub random: Random,
    pub trouble: Trouble,
    /// Whether shares in open exits are not available to others, and an exit may not meet an entry.
    pub holds_shares: bool,
    pub orders: BTreeMap<String, BrokerOrder>,
    /// How often each order was sent.
    pub sent: BTreeMap<String, u32>,
    /// Orders refused for want of free shares.
    pub short_of_shares: u32,
    /// Exits refused because an entry that they might trade with is open.
    pub crossing: u32,
    pub prices: BTreeMap<String, f64>,
    /// Events on their way.
    way: Vec<BrokerEvent>,
    executions: u32,
}

impl ScriptedBroker {
    pub fn new(seed: u64, trouble: Trouble, holds_shares: bool) -> ScriptedBroker {
        ScriptedBroker {
            random: Random(seed),
            trouble,
            holds_shares,
            orders: BTreeMap::new(),
            sent: BTreeMap::new(),
            short_of_shares: 0,
            crossing: 0,
            prices: BTreeMap::new(),
            way: Vec::new(),
            executions: 0,
        }
    }

    pub fn position(&self, instrument: &str) -> f64 {
        let of = self.orders.values().filter(|o| o.instrument == instrument);
        of.map(|o| o.side.sign() * o.filled()).sum()
    }

    /// Shares that a new order on `side` may close: the position less what open orders hold of it.
    fn free(&self, instrument: &str, side: Side) -> f64 {
        let position = self.position(instrument);
        let open = self.orders.values().filter(|o| o.is_open() && o.instrument == instrument && o.side == side);
        position.abs() - open.map(|o| o.qty - o.filled()).sum::<f64>()
    }

    pub fn request(&mut self, request: &Request, now: Nanos) {
        match request {
            Request::Submit { client_id, instrument, order, .. } => {
                assert!(client_id.len() <= 48, "{client_id}");
                *self.sent.entry(client_id.clone()).or_default() += 1;
                let client_id = client_id.clone();
                if self.random.chance(self.trouble.lost) {
                    self.way.push(BrokerEvent::OutcomeUnknown { client_id });
                    return;
                }
                if self.random.chance(self.trouble.refused) {
                    self.way.push(BrokerEvent::Refused { client_id, reason: "no".to_string() });
                    return;
                }
                assert!(!self.orders.contains_key(&client_id), "{client_id} was sent twice");
                let request = &order.get().request;
                let position = self.position(instrument);
                let closes = position != 0.0 && (position > 0.0) == (request.side == Side::Sell);
                if self.holds_shares && closes && request.qty > self.free(instrument, request.side) + 1e-9 {
                    self.short_of_shares += 1;
                    self.way.push(BrokerEvent::Refused { client_id, reason: "insufficient qty available".to_string() });
                    return;
                }
                let crosses = |o: &BrokerOrder| o.is_open() && o.instrument == *instrument && o.side != request.side;
                if self.holds_shares && closes && self.orders.values().any(crosses) {
                    self.crossing += 1;
                    self.way.push(BrokerEvent::Refused { client_id, reason: "potential wash trade".to_string() });
                    return;
                }
                self.orders.insert(
                    client_id.clone(),
                    BrokerOrder {
                        instrument: instrument.clone(),
                        side: request.side,
                        qty: request.qty,
                        kind: request.kind,
                        state: OrderState::Working,
                        executions: Vec::new(),
                    },
                );
                if self.random.chance(self.trouble.unanswered) {
                    self.way.push(BrokerEvent::OutcomeUnknown { client_id });
                } else {
                    self.report(&client_id, now, None);
                }
            }
            Request::Cancel { client_id } => match self.orders.get_mut(client_id) {
                Some(order) if order.is_open() => {
                    order.state = OrderState::Canceled;
                    self.report(client_id, now, None);
                }
                _ => self.way.push(BrokerEvent::CancelRefused {
                    client_id: client_id.clone(),
                    reason: "it has ended".to_string(),
                }),
            },
            Request::Resolve { client_id, .. } => {
                if self.orders.contains_key(client_id) {
                    self.records(client_id, now);
                } else {
                    self.way.push(BrokerEvent::NeverArrived { client_id: client_id.clone() });
                }
            }
        }
    }

    /// Everything that the records say of an order.
    fn records(&mut self, client_id: &str, now: Nanos) {
        for execution in self.orders[client_id].executions.clone() {
            self.report_of(client_id, now, Some(execution));
        }
        self.report_of(client_id, now, None);
    }

    /// A report that the stream sends, or swallows.
    fn report(&mut self, client_id: &str, now: Nanos, execution: Option<Execution>) {
        if !self.random.chance(self.trouble.swallowed) {
            self.report_of(client_id, now, execution);
        }
    }

    fn report_of(&mut self, client_id: &str, now: Nanos, execution: Option<Execution>) {
        let order = &self.orders[client_id];
        let (state, filled) = (order.state, order.filled());
        let report = Report { client_id: client_id.to_string(), time: now, state, filled, execution, reason: None };
        let event = BrokerEvent::Report(report);
        if self.random.chance(self.trouble.duplicates) {
            self.way.push(event.clone());
        }
        self.way.push(event);
    }

    /// Time goes by: open orders fill, market orders surely unless there is trouble.
    pub fn fill(&mut self, now: Nanos, at_close: bool) {
        let open: Vec<String> = self.orders.iter().filter(|(_, o)| o.is_open()).map(|(id, _)| id.clone()).collect();
        for client_id in open {
            let share = match self.orders[&client_id].kind {
                OrderKind::Market => 0.8,
                OrderKind::MarketOnClose => f64::from(u8::from(at_close)),
                _ => self.trouble.resting,
            };
            let kind = self.orders[&client_id].kind;
            if !(self.random.chance(share) || (kind == OrderKind::Market && self.trouble.partial == 0.0)) {
                continue;
            }
            let part = self.random.chance(self.trouble.partial);
            let fraction = if part { 0.1 + 0.8 * self.random.next() } else { 1.0 };
            let Some(order) = self.orders.get_mut(&client_id) else { continue };
            let left = order.qty - order.filled();
            let qty = if part { (left * fraction * 1e4).ceil() / 1e4 } else { left };
            let qty = qty.min(left);
            self.executions += 1;
            let price = self.prices.get(&order.instrument).copied().unwrap_or(50.0);
            let id = format!("e{}", self.executions);
            let execution = Execution { id, time: now, qty, price, commission: Some(0.0), cumulative: None };
            order.executions.push(execution.clone());
            let done = order.filled() >= order.qty - 1e-9;
            order.state = if done { OrderState::Filled } else { OrderState::PartiallyFilled };
            self.report(&client_id, now, Some(execution));
        }
    }

    /// What arrives now: most of what is on its way, in order unless there is trouble.
    pub fn deliver(&mut self) -> Vec<BrokerEvent> {
        let mut arrived = Vec::new();
        let mut rest = Vec::new();
        for event in std::mem::take(&mut self.way) {
            let late = self.random.chance(self.trouble.disorder);
            if late { rest.push(event) } else { arrived.push(event) }
        }
        if self.trouble.disorder > 0.0 {
            for k in (1..arrived.len()).rev() {
                let other = self.random.below(k + 1);
                arrived.swap(k, other);
            }
        }
        self.way = rest;
        arrived
    }

    /// The connection breaks: what is on its way is gone.
    pub fn disconnect(&mut self) {
        self.way.clear();
    }

    /// What an adapter reports after it has connected: the records of every order, the positions, that it is up.
    pub fn connect(&mut self, now: Nanos) -> Vec<BrokerEvent> {
        let before = std::mem::take(&mut self.way);
        for client_id in self.orders.keys().cloned().collect::<Vec<String>>() {
            self.records(&client_id, now);
        }
        let mut events = before;
        events.append(&mut self.way);
        let names: std::collections::BTreeSet<String> = self.orders.values().map(|o| o.instrument.clone()).collect();
        let positions = names.into_iter().map(|name| (name.clone(), self.position(&name))).collect();
        events.push(BrokerEvent::Positions { positions });
        events.push(BrokerEvent::Up);
        events
    }
}
