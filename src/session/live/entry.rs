//! An order of the core, with what lies of it at the broker.

use super::broker::Request;
use super::wire::Wire;
use crate::market::{Nanos, SECOND};
use crate::risk::Approved;
use crate::trading::{Order, OrderKind, OrderState, TimeInForce};

/// Groups made of the children of one parent are told from labelled groups by this bit.
const PARENT_GROUP: u32 = 1 << 31;

/// How often the broker may turn an exit down before a limit is given up and a stop goes to the market.
const MOST_REFUSALS: u32 = 3;

/// The longest pause between two tries of an exit that the broker turns down, seconds.
const LONGEST_PAUSE: i64 = 60;

/// An order of the core.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub order: Approved<Order>,
    /// Sum of the executions that were booked.
    pub filled: f64,
    /// When it first filled, by the session's clock.
    pub first_fill: Option<Nanos>,
    pub wires: Vec<Wire>,
    /// Its owner has cancelled it.
    pub cancel_wanted: bool,
    /// Its prices have changed: what lies at the broker has to come back first.
    pub resend: bool,
    /// The broker will not take any more of it: the state that it ends in.
    pub refused: Option<(OrderState, &'static str)>,
    pub ended: bool,
    pub cancels: u32,
    /// Questions for missing executions since the stream came up.
    pub questions: u32,
    /// How often the broker has turned down this exit, and how long it is left alone because of that.
    refusals: u32,
    pub not_before: Nanos,
}

impl Entry {
    pub fn new(order: Approved<Order>) -> Entry {
        Entry {
            order,
            filled: 0.0,
            first_fill: None,
            wires: Vec::new(),
            cancel_wanted: false,
            resend: false,
            refused: None,
            ended: false,
            cancels: 0,
            questions: 0,
            refusals: 0,
            not_before: Nanos::MIN,
        }
    }

    pub fn group(&self) -> Option<u32> {
        let request = &self.order.get().request;
        request.oco.or(request.parent.map(|parent| PARENT_GROUP | parent.0))
    }

    /// Shares that it has filled by the broker's word, booked or not yet.
    pub fn known_filled(&self) -> f64 {
        self.wires.iter().map(Wire::known_filled).sum()
    }

    /// Shares at the broker that may still fill.
    pub fn lies(&self) -> f64 {
        self.wires.iter().map(Wire::left).sum()
    }

    /// The same without what is being called back.
    pub fn stays(&self) -> f64 {
        self.wires.iter().filter(|wire| !wire.canceling).map(Wire::left).sum()
    }

    pub fn is_open(&self) -> bool {
        self.wires.iter().any(Wire::is_open)
    }

    pub fn is_canceling(&self) -> bool {
        self.wires.iter().any(|wire| wire.is_open() && wire.canceling)
    }

    /// Asks for an end of everything of it that lies at the broker.
    pub fn call_back(&mut self, requests: &mut Vec<Request>) {
        for wire in self.wires.iter_mut().filter(|wire| wire.is_open() && !wire.canceling) {
            wire.canceling = true;
            requests.push(Request::Cancel { client_id: wire.client_id.clone() });
        }
    }

    /// Everything of it at the broker has ended, and nothing is missing.
    pub fn is_clear(&self) -> bool {
        self.wires.iter().all(Wire::is_closed)
    }

    fn is_stop(&self) -> bool {
        let kind = self.order.get().request.kind;
        matches!(kind, OrderKind::Stop { .. } | OrderKind::StopLimit { .. } | OrderKind::TrailingStop { .. })
    }

    /// A wire of it has ended by the broker's hand. An entry ends with it; an exit is still wanted, and goes out again
    /// after a pause: a refusal may come of shares that another order still holds, or of an outage. One that never was
    /// to stay, and a limit that is turned down again and again, end all the same.
    pub fn turned_down(&mut self, exit: bool, state: OrderState, reason: &'static str, now: Nanos) {
        let request = &self.order.get().request;
        let is_brief = matches!(request.tif, TimeInForce::Ioc | TimeInForce::Fok);
        let is_hopeless = matches!(request.kind, OrderKind::Limit { .. }) && self.refusals + 1 >= MOST_REFUSALS;
        if !exit || is_brief || is_hopeless {
            self.refused = Some((state, reason));
            return;
        }
        self.not_before = now + (1 << self.refusals.min(6)).min(LONGEST_PAUSE) * SECOND;
        self.refusals += 1;
    }

    /// Whether the broker has turned it down before.
    pub fn is_retried(&self) -> bool {
        self.refusals > 0
    }

    /// A stop that the broker does not take, for whatever reason: the position is closed instead.
    pub fn gives_up_waiting(&self) -> bool {
        self.is_stop() && self.refusals >= MOST_REFUSALS
    }
}
