//! A broker's terms in those of a session, and back. Decimals become the nearest floats here, and nowhere else on the
//! way in.

use rust_decimal::Decimal;

use crate::brokers::{
    BrokerBar, Capabilities, ExecutionReport, OrderBook, OrderReport, OrderUpdate, Position, Status, TrackedOrder,
    to_decimal, to_f64,
};
use crate::market::{Bar, NewBar, SymbolId};
use crate::session::live::{BrokerEvent, Execution, KnownWire, LiveVenue, Report, VenueRules};
use crate::trading::OrderState;

/// What is new of an order.
pub fn update(update: &OrderUpdate) -> Report {
    report(&update.report, update.state)
}

/// What the broker's records say of an order, without its executions.
pub fn record(report: &OrderReport) -> Report {
    let state = match &report.status {
        Status::State(state) => *state,
        // It is there, whatever else is said of it.
        Status::Overlay(_) | Status::RequestRefused | Status::Unknown(_) => OrderState::Accepted,
    };
    self::report(report, state)
}

/// An execution from the broker's records: how far the order was after it.
pub fn recorded_execution(order: &OrderReport, execution: &ExecutionReport) -> Report {
    Report {
        filled: execution.cumulative.map_or(0.0, to_f64),
        time: execution.time,
        execution: Some(self::execution(execution)),
        ..report(order, OrderState::PartiallyFilled)
    }
}

fn report(report: &OrderReport, state: OrderState) -> Report {
    Report {
        client_id: report.client_id.clone(),
        time: report.time,
        state,
        filled: to_f64(report.filled),
        execution: report.execution.as_ref().map(execution),
        reason: report.reason.clone(),
    }
}

fn execution(execution: &ExecutionReport) -> Execution {
    Execution {
        id: execution.id.clone(),
        time: execution.time,
        qty: to_f64(execution.qty),
        price: to_f64(execution.price),
        commission: None,
        cumulative: execution.cumulative.map(to_f64),
    }
}

/// All positions.
pub fn positions(positions: &[Position]) -> BrokerEvent {
    let of = |position: &Position| (position.symbol.clone(), to_f64(position.qty));
    BrokerEvent::Positions { positions: positions.iter().map(of).collect() }
}

/// A bar of a symbol of the session.
pub fn bar(symbol: u32, bar: &BrokerBar) -> NewBar {
    let [open, high, low, close, volume] = [bar.open, bar.high, bar.low, bar.close, bar.volume].map(to_f64);
    NewBar { symbol: SymbolId(symbol), start: bar.start, bar: Bar { open, high, low, close, volume }, quote: None }
}

/// What a broker does differently from the simulated venue.
pub fn venue_rules(capabilities: &Capabilities) -> VenueRules {
    VenueRules {
        exits_hold_shares: capabilities.exit_orders_hold_shares,
        both_sides: capabilities.both_sides,
        fractions_at_close: false,
        close_cutoff_ms: capabilities.on_close_cutoff_ms,
        ..VenueRules::default()
    }
}

/// What a session knows of its orders at the broker, for an adapter that goes on with them.
pub fn order_book(venue: &LiveVenue, symbols: &[String]) -> OrderBook {
    OrderBook::of(venue.wires().map(|wire| tracked(&wire, &symbols[wire.symbol.index()])))
}

fn tracked(wire: &KnownWire<'_>, symbol: &str) -> TrackedOrder {
    let decimal = |value: f64| to_decimal(value).unwrap_or_default();
    let execution = |e: &Execution| ExecutionReport {
        id: e.id.clone(),
        time: e.time,
        qty: decimal(e.qty),
        price: decimal(e.price),
        cumulative: e.cumulative.map(decimal),
    };
    let filled: Decimal = decimal(wire.filled);
    TrackedOrder {
        client_id: wire.client_id.to_string(),
        broker_id: None,
        symbol: symbol.to_string(),
        side: wire.side,
        qty: Some(decimal(wire.qty)),
        state: wire.state,
        overlay: None,
        filled,
        executions: wire.executions.iter().map(execution).collect(),
        sent: wire.sent,
        updated: wire.sent,
        replaced_by: None,
    }
}
