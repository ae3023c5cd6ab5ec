//! Alpaca: REST for requests, one WebSocket for orders and one for market data.
//!
//! - `config`: addresses and waiting times; `http` and `limiter`: calls, repeated where that is safe; `refusal`: what
//!   a no means; `wire` and `words`: messages in common terms.
//! - `orders`: send, cancel, replace. An order whose answer is lost is asked for by our own id before anything else.
//! - `reads`: questions. `records`: comparison with the broker's records, after every connect and while orders pend.
//! - `stream`, `order_stream`, `data_stream`: what arrives by itself.
//!
//! Sources of the protocol: alpacahq/alpaca-docs, alpaca-py and the issues named where they matter.

mod config;
mod data_stream;
mod http;
mod limiter;
mod order_stream;
mod orders;
mod reads;
mod records;
mod refusal;
mod rules;
mod self_check;
mod stream;
mod wire;
mod words;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::NaiveDate;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{
    AccountInfo, Answer, Applied, Asset, BarQuery, Broker, BrokerBar, BrokerClock, BrokerEvent, CancelOutcome,
    Capabilities, ClientOrderId, EventSender, Events, ExecutionReport, Idempotency, OrderBook, OrderReport,
    OrderTicket, OrderUpdate, Position, Quote, ReplaceSemantics, Replacement, SelfCheck, SessionHours, ShortCheck,
    Stream, Watchlist, channel,
};
use crate::market::Nanos;
use crate::trading::{OrderType, TimeInForce};
use http::Http;

pub use config::{AlpacaOptions, ConfigError, Feed, Now, Timing};
pub use rules::short_obstacle;

/// What Alpaca can do.
pub static CAPABILITIES: Capabilities = Capabilities {
    name: "ALPACA",
    order_types: &OrderType::ALL,
    times_in_force: &TimeInForce::ALL,
    fractional: true,
    short_selling: true,
    options: false,
    short_check: ShortCheck::AssetFlags,
    order_stream: true,
    market_data_stream: true,
    idempotency: Idempotency::UniqueClientId,
    replace: ReplaceSemantics::NewOrder,
    exit_orders_hold_shares: true,
    both_sides: false,
    on_close_cutoff_ms: 600_000,
    longest_client_id: ClientOrderId::LONGEST,
};

/// The adapter. Its streams end when it is dropped, and when nobody listens to their events any more.
pub struct Alpaca {
    shared: Arc<Shared>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What requests and streams share.
struct Shared {
    http: Http,
    book: Mutex<OrderBook>,
    events: EventSlot,
    watch: watch::Sender<Watchlist>,
    /// One comparison with the records at a time.
    comparing: tokio::sync::Mutex<()>,
    /// Orders that were reported as lost, and have not turned up since. Locked after the book, if both are.
    lost: Mutex<BTreeSet<String>>,
    /// Orders sent at or before this time are known from the records.
    complete_until: AtomicI64,
    orders_up: AtomicBool,
    data_up: AtomicBool,
}

/// The sender of the channel in use.
#[derive(Clone, Default)]
struct EventSlot(Arc<Mutex<Option<EventSender>>>);

impl EventSlot {
    fn lock(&self) -> MutexGuard<'_, Option<EventSender>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, event: BrokerEvent) {
        if let Some(sender) = &*self.lock() {
            sender.send(event);
        }
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, OrderBook> {
        // Every change of the book is complete in itself.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lost(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, event: BrokerEvent) {
        self.events.send(event);
    }

    /// Takes a report into the book and passes on what is new in it. Both under one lock, so that events leave in
    /// the order in which they were taken.
    fn take(&self, report: &OrderReport) {
        let mut book = self.book();
        self.lost().remove(&report.client_id);
        let applied = book.apply(report);
        if applied.changed {
            let Applied { state, overlay, missing, execution, .. } = applied;
            let report = OrderReport { execution, ..report.clone() };
            self.send(BrokerEvent::Order(Box::new(OrderUpdate { state, overlay, missing, report })));
        }
    }

    fn is_up(&self, stream: Stream) -> bool {
        self.flag(stream).load(Ordering::SeqCst)
    }

    fn set_up(&self, stream: Stream, is_up: bool) {
        self.flag(stream).store(is_up, Ordering::SeqCst);
    }

    fn flag(&self, stream: Stream) -> &AtomicBool {
        match stream {
            Stream::Orders => &self.orders_up,
            Stream::MarketData => &self.data_up,
        }
    }
}

impl Alpaca {
    /// A client; nothing is sent yet.
    ///
    /// # Errors
    /// BROKER_URL is not an address of the broker or of this machine, or a key cannot be sent in a header.
    pub fn new(options: AlpacaOptions) -> Result<Alpaca, ConfigError> {
        let events = EventSlot::default();
        let slot = events.clone();
        let http = Http::new(
            options,
            Box::new(move |wait| {
                slot.send(BrokerEvent::RateLimited { wait_ms: u64::try_from(wait.as_millis()).unwrap_or(u64::MAX) });
            }),
        )?;
        let shared = Shared {
            http,
            book: Mutex::default(),
            events,
            watch: watch::Sender::new(Watchlist::default()),
            comparing: tokio::sync::Mutex::new(()),
            lost: Mutex::default(),
            complete_until: AtomicI64::new(0),
            orders_up: AtomicBool::new(false),
            data_up: AtomicBool::new(false),
        };
        Ok(Alpaca { shared: Arc::new(shared), tasks: Mutex::default() })
    }

    fn end_tasks(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for task in tasks.drain(..) {
            task.abort();
        }
        *self.shared.events.lock() = None;
    }

    async fn start(&self, known: OrderBook, watch: Watchlist) -> Result<Events, super::BrokerError> {
        self.end_tasks();
        let shared = &self.shared;
        for stream in [Stream::Orders, Stream::MarketData] {
            shared.set_up(stream, false);
        }
        shared.account().await?;
        let (sender, events) = channel();
        let mut known = known;
        // Whoever stopped while an order was under way does not know what became of it.
        known.all_submitting_are_unknown();
        *shared.book() = known;
        shared.lost().clear();
        shared.complete_until.store(shared.http.now(), Ordering::SeqCst);
        shared.watch.send_replace(watch);
        *shared.events.lock() = Some(sender.clone());
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in [Stream::Orders, Stream::MarketData] {
            let (shared, sender) = (Arc::clone(shared), sender.clone());
            let down = DownAtEnd { shared: Arc::clone(&shared), stream };
            tasks.push(tokio::spawn(async move {
                let _down = down;
                while_heard(&sender, stream::run(shared, stream)).await;
            }));
        }
        let shared = Arc::clone(shared);
        tasks.push(tokio::spawn(async move { while_heard(&sender, records::poll(shared)).await }));
        Ok(events)
    }
}

/// Works until nobody listens any more.
async fn while_heard(sender: &EventSender, work: impl Future<Output = ()>) {
    tokio::select! {
        () = sender.closed() => {}
        () = work => {}
    }
}

/// However the task of a stream ends, with its runtime perhaps, the stream is not up any more.
struct DownAtEnd {
    shared: Arc<Shared>,
    stream: Stream,
}

impl Drop for DownAtEnd {
    fn drop(&mut self) {
        self.shared.set_up(self.stream, false);
    }
}

impl Drop for Alpaca {
    fn drop(&mut self) {
        self.end_tasks();
    }
}

impl Broker for Alpaca {
    fn capabilities(&self) -> &'static Capabilities {
        &CAPABILITIES
    }

    fn connect(&self, known: OrderBook, watch: Watchlist) -> Answer<'_, Events> {
        Box::pin(self.start(known, watch))
    }

    fn watch(&self, watch: Watchlist) -> Answer<'_, ()> {
        self.shared.watch.send_replace(watch);
        Box::pin(async { Ok(()) })
    }

    fn submit_order(&self, ticket: OrderTicket) -> Answer<'_, OrderReport> {
        Box::pin(async move { self.shared.submit(&ticket).await })
    }

    fn cancel_order(&self, id: ClientOrderId) -> Answer<'_, CancelOutcome> {
        Box::pin(async move { self.shared.cancel(&id).await })
    }

    fn cancel_all_orders(&self) -> Answer<'_, usize> {
        Box::pin(self.shared.cancel_all())
    }

    fn replace_order(&self, id: ClientOrderId, change: Replacement) -> Answer<'_, OrderReport> {
        Box::pin(async move { self.shared.replace(&id, &change).await })
    }

    fn get_order_by_client_id(&self, id: ClientOrderId) -> Answer<'_, Option<OrderReport>> {
        Box::pin(async move { self.shared.order(id.as_str()).await })
    }

    fn get_open_orders(&self) -> Answer<'_, Vec<OrderReport>> {
        Box::pin(self.shared.open_orders())
    }

    fn get_orders_since(&self, since: Nanos) -> Answer<'_, Vec<OrderReport>> {
        Box::pin(self.shared.orders_since(since))
    }

    fn get_executions_since(&self, since: Nanos) -> Answer<'_, Vec<(String, ExecutionReport)>> {
        Box::pin(self.shared.executions_since(since))
    }

    fn get_positions(&self) -> Answer<'_, Vec<Position>> {
        Box::pin(self.shared.positions())
    }

    fn get_account_info(&self) -> Answer<'_, AccountInfo> {
        Box::pin(self.shared.account())
    }

    fn get_clock(&self) -> Answer<'_, BrokerClock> {
        Box::pin(self.shared.clock())
    }

    fn get_calendar(&self, from: NaiveDate, to: NaiveDate) -> Answer<'_, Vec<SessionHours>> {
        Box::pin(self.shared.calendar(from, to))
    }

    fn get_assets(&self) -> Answer<'_, Vec<Asset>> {
        Box::pin(self.shared.assets())
    }

    fn get_asset(&self, symbol: String) -> Answer<'_, Option<Asset>> {
        Box::pin(async move { self.shared.asset(&symbol).await })
    }

    fn get_bars(&self, query: BarQuery) -> Answer<'_, Vec<BrokerBar>> {
        Box::pin(async move { self.shared.bars(&query).await })
    }

    fn get_latest_quotes(&self, symbols: Vec<String>) -> Answer<'_, Vec<Quote>> {
        Box::pin(async move { self.shared.latest_quotes(&symbols).await })
    }

    fn self_check(&self) -> BoxFuture<'_, SelfCheck> {
        Box::pin(self.shared.self_check())
    }
}
