//! The Alpaca adapter against the local Alpaca, over real sockets.

mod log;
mod reads;
mod self_check;
mod soak;
mod streams;
mod submit;
pub mod universe;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rust_decimal::Decimal;
use tradebot::brokers::alpaca::{Alpaca, AlpacaOptions, Timing};
use tradebot::brokers::{
    ApiLine, ApiLog, Broker, BrokerEvent, ClientOrderId, Events, ExecutionReport, OrderBook, OrderReport, OrderTicket,
    OrderUpdate, Replacement, Stream, Watchlist,
};
use tradebot::market::SymbolId;
use tradebot::risk::{Limits, RiskDesk};
use tradebot::trading::{Order, OrderChange, OrderId, OrderKind, OrderRequest, OrderState, Side, TimeInForce};

use crate::local_alpaca::{KEY, LocalAlpaca, SECRET, Setup};

fn run<T>(test: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test)
}

fn decimal(text: &str) -> Decimal {
    text.parse().unwrap()
}

fn id(text: &str) -> ClientOrderId {
    ClientOrderId::new(text).unwrap()
}

/// Keeps every line.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl ApiLog for Lines {
    fn record(&self, line: &ApiLine) {
        self.0.lock().unwrap().push(line.to_json());
    }
}

/// Waits of milliseconds.
fn timing() -> Timing {
    Timing {
        retry_first: Duration::from_millis(2),
        retry_longest: Duration::from_millis(8),
        reconnect_first: Duration::from_millis(2),
        reconnect_longest: Duration::from_millis(20),
        ping: Duration::from_millis(50),
        silence: Duration::from_secs(5),
        poll: Duration::from_millis(30),
        lost_after: Duration::ZERO,
    }
}

fn options(server: &LocalAlpaca) -> AlpacaOptions {
    AlpacaOptions {
        timeout: Duration::from_secs(15),
        calls_per_minute: 1_000_000,
        timing: timing(),
        ..AlpacaOptions::new(server.url(), KEY.into(), SECRET.into(), server.now())
    }
}

/// A connected adapter and its events.
struct Session {
    server: LocalAlpaca,
    alpaca: Alpaca,
    events: Events,
}

impl Session {
    async fn start(setup: Setup) -> Session {
        let server = LocalAlpaca::start(setup);
        let options = options(&server);
        Session::with(server, options, OrderBook::new(), Watchlist::default()).await
    }

    async fn with(server: LocalAlpaca, options: AlpacaOptions, known: OrderBook, watch: Watchlist) -> Session {
        let alpaca = Alpaca::new(options).unwrap();
        let events = alpaca.connect(known, watch).await.unwrap();
        let mut session = Session { server, alpaca, events };
        session.until("both streams are up", both_up).await;
        session
    }

    /// Events up to the one after which something holds of them.
    async fn until(&mut self, what: &str, holds: impl Fn(&[BrokerEvent]) -> bool) -> Vec<BrokerEvent> {
        let mut seen = Vec::new();
        while !holds(&seen) {
            match self.events.next_within(Duration::from_secs(20)).await {
                Some(event) => seen.push(event),
                None => panic!("never came about: {what}; {seen:#?}"),
            }
        }
        seen
    }

    /// Takes events until `count` executions of an order have arrived and it has ended.
    async fn until_ended(&mut self, client_id: &str, count: usize) -> Vec<BrokerEvent> {
        self.until(&format!("the end of {client_id} with {count} executions"), |seen| {
            state(seen, client_id).is_some_and(OrderState::is_final) && executions(seen, client_id).len() >= count
        })
        .await
    }
}

fn both_up(seen: &[BrokerEvent]) -> bool {
    [Stream::Orders, Stream::MarketData]
        .iter()
        .all(|stream| seen.iter().any(|event| matches!(event, BrokerEvent::StreamUp { stream: up } if up == stream)))
}

fn updates(seen: &[BrokerEvent]) -> impl DoubleEndedIterator<Item = &OrderUpdate> {
    seen.iter().filter_map(|event| match event {
        BrokerEvent::Order(update) => Some(update.as_ref()),
        _ => None,
    })
}

fn orders(seen: &[BrokerEvent]) -> impl DoubleEndedIterator<Item = &OrderReport> {
    updates(seen).map(|update| &update.report)
}

/// The state that the last update of an order gives.
fn state(seen: &[BrokerEvent], client_id: &str) -> Option<OrderState> {
    updates(seen).rfind(|update| update.report.client_id == client_id).map(|update| update.state)
}

/// Waits until something holds of the server, while the adapter works.
async fn eventually(server: &LocalAlpaca, what: &str, holds: impl Fn(&LocalAlpaca) -> bool) {
    for _ in 0..20_000 {
        if holds(server) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never came about: {what}");
}

fn executions(seen: &[BrokerEvent], client_id: &str) -> Vec<ExecutionReport> {
    orders(seen).filter(|report| report.client_id == client_id).filter_map(|report| report.execution.clone()).collect()
}

/// Quantities and prices of executions, by the quantity they led to.
fn sizes(executions: &[ExecutionReport]) -> Vec<(Decimal, Decimal)> {
    let mut executions = executions.to_vec();
    executions.sort_by_key(|execution| execution.cumulative);
    executions.into_iter().map(|execution| (execution.qty, execution.price)).collect()
}

/// An order that a risk desk without limits approved.
fn ticket_of(client_id: &str, symbol: &str, side: Side, qty: f64, kind: OrderKind, tif: TimeInForce) -> OrderTicket {
    let request = OrderRequest { kind, tif, ..OrderRequest::market(SymbolId(0), side, qty, "test") };
    let order = Order { id: OrderId(0), strategy: 0, request, decided: 0, symbol_number: 0, liquidates: false };
    let approved = RiskDesk::new(Limits::default(), vec![false]).approve_liquidation(order).unwrap();
    OrderTicket::new(approved, symbol, id(client_id)).unwrap()
}

fn buy(client_id: &str, symbol: &str, qty: f64) -> OrderTicket {
    ticket_of(client_id, symbol, Side::Buy, qty, OrderKind::Market, TimeInForce::Day)
}

fn sell(client_id: &str, symbol: &str, qty: f64) -> OrderTicket {
    ticket_of(client_id, symbol, Side::Sell, qty, OrderKind::Market, TimeInForce::Day)
}

fn limit(client_id: &str, symbol: &str, side: Side, qty: f64, limit: f64) -> OrderTicket {
    ticket_of(client_id, symbol, side, qty, OrderKind::Limit { limit }, TimeInForce::Day)
}

fn replacement(client_id: &str, qty: Option<f64>, limit: Option<f64>) -> Replacement {
    let request = OrderRequest::market(SymbolId(0), Side::Buy, 1e9, "test");
    let order = Order { id: OrderId(0), strategy: 0, request, decided: 0, symbol_number: 0, liquidates: false };
    let change = OrderChange { qty, limit, stop: None };
    let approved = RiskDesk::new(Limits::default(), vec![false]).approve_change(&order, change).unwrap();
    Replacement::new(approved, Side::Buy, id(client_id)).unwrap()
}

fn with_log(server: &LocalAlpaca) -> (AlpacaOptions, Arc<Lines>) {
    let lines = Arc::new(Lines::default());
    (AlpacaOptions { log: lines.clone(), ..options(server) }, lines)
}
