//! Words to write cases in.

use super::HandCase;
use crate::oracle::case::{Case, CaseBar, Day, FillRow, FillRule, FinalOrder, Line, Reason, Rules, Series, Submission};
use tradebot::market::{Bar, DAY, MINUTE, Nanos, SECOND};
use tradebot::trading::{OrderKind, OrderState, Side, TimeInForce, Trail};

/// 2024-03-26T13:30:00Z, an open of the exchange.
const OPEN: Nanos = 1_711_459_800 * SECOND;

/// An instant of the first day.
pub(super) fn t(minute: i64, second: f64) -> Nanos {
    OPEN + minute * MINUTE + (second * SECOND as f64).floor() as Nanos
}

/// An instant of the second day.
pub(super) fn t2(minute: i64, second: f64) -> Nanos {
    t(minute, second) + DAY
}

pub(super) fn bar(open: f64, high: f64, low: f64, close: f64) -> Bar {
    Bar { open, high, low, close, volume: 10_000.0 }
}

pub(super) fn thin(open: f64, high: f64, low: f64, close: f64, volume: f64) -> Bar {
    Bar { open, high, low, close, volume }
}

pub(super) fn flat(price: f64) -> Bar {
    bar(price, price, price, price)
}

/// The bar that most cases meet: the low is nearer, so 20.00 > 19.90 > 20.60 > 20.20.
pub(super) fn wide() -> Bar {
    bar(20.00, 20.60, 19.90, 20.20)
}

/// A session of the given bars, and a second one if it has any.
pub(super) fn days(first: &[Bar], second: &[Bar], rules: Rules, lines: Vec<Line>) -> Case {
    let mut days = Vec::new();
    let mut bars = Vec::new();
    for (open, day) in [(OPEN, first), (OPEN + DAY, second)] {
        if day.is_empty() {
            continue;
        }
        days.push(Day { open, close: open + day.len() as i64 * MINUTE });
        for (i, prices) in day.iter().enumerate() {
            let start = open + i as i64 * MINUTE;
            bars.push(CaseBar { start, end: start + MINUTE, prices: *prices, quotes: None });
        }
    }
    Case { days, series: vec![Series { name: "AAA".to_string(), bars }], lines, rules }
}

pub(super) fn day(bars: &[Bar], rules: Rules, lines: Vec<Line>) -> Case {
    days(bars, &[], rules, lines)
}

pub(super) fn rule(fill: FillRule) -> Rules {
    Rules { fill, ..Rules::default() }
}

pub(super) fn latency(latency: Nanos) -> Rules {
    Rules { latency, ..Rules::default() }
}

pub(super) fn tenth_of_volume() -> Rules {
    Rules { participation: 0.1, ..Rules::default() }
}

pub(super) fn order(id: u32, ts: Nanos, side: Side, qty: f64, kind: OrderKind) -> Submission {
    Submission { ts, id, symbol: 0, side, qty, kind, tif: TimeInForce::Day, oco: None, parent: None }
}

pub(super) fn buy(id: u32, ts: Nanos, qty: f64, kind: OrderKind) -> Submission {
    order(id, ts, Side::Buy, qty, kind)
}

pub(super) fn sell(id: u32, ts: Nanos, qty: f64, kind: OrderKind) -> Submission {
    order(id, ts, Side::Sell, qty, kind)
}

impl Submission {
    pub(super) fn tif(self, tif: TimeInForce) -> Submission {
        Submission { tif, ..self }
    }

    pub(super) fn oco(self, label: u32) -> Submission {
        Submission { oco: Some(label), ..self }
    }

    pub(super) fn parent(self, id: u32) -> Submission {
        Submission { parent: Some(id), ..self }
    }

    pub(super) fn line(self) -> Line {
        Line::Submit(self)
    }
}

pub(super) fn cancel(target: u32, ts: Nanos) -> Line {
    Line::Cancel { ts, target }
}

pub(super) const MARKET: OrderKind = OrderKind::Market;

pub(super) fn limit(limit: f64) -> OrderKind {
    OrderKind::Limit { limit }
}

pub(super) fn stop(stop: f64) -> OrderKind {
    OrderKind::Stop { stop }
}

pub(super) fn trail(amount: f64) -> OrderKind {
    OrderKind::TrailingStop { trail: Trail::Amount(amount), stop: None }
}

/// A fill without commission.
pub(super) fn fill(order: u32, time: Nanos, qty: f64, price: f64) -> FillRow {
    FillRow { order, time, qty, price, commission: 0.0 }
}

pub(super) fn filled(id: u32, filled: f64) -> FinalOrder {
    FinalOrder { id, state: OrderState::Filled, filled, reason: Reason::Complete }
}

pub(super) fn canceled(id: u32, filled: f64, reason: Reason) -> FinalOrder {
    FinalOrder { id, state: OrderState::Canceled, filled, reason }
}

pub(super) fn expired(id: u32, filled: f64) -> FinalOrder {
    FinalOrder { id, state: OrderState::Expired, filled, reason: Reason::SessionClose }
}

pub(super) fn rejected(id: u32) -> FinalOrder {
    FinalOrder { id, state: OrderState::Rejected, filled: 0.0, reason: Reason::Invalid }
}

pub(super) fn hand(name: &'static str, case: Case, fills: Vec<FillRow>, orders: Vec<FinalOrder>) -> HandCase {
    HandCase { name, case, fills, orders }
}
