//! The one channel of everything that happens at a broker.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::account::Position;
use super::market_data::{BrokerBar, Quote, TradingStatus};
use super::report::OrderUpdate;
use crate::market::Nanos;

/// One of the connections on which things arrive by themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stream {
    Orders,
    MarketData,
}

impl Stream {
    /// The name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Orders => "order stream",
            Stream::MarketData => "market data stream",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum BrokerEvent {
    /// Something new of an order.
    Order(Box<OrderUpdate>),
    /// The outcome of sending this order was not known, and since `sent` the broker has denied knowing it: it can be
    /// taken as never received. Should it turn up after all, a report of it follows, and it should be canceled.
    OrderLost { client_id: String, sent: Nanos },
    /// All positions, after a comparison with the broker's records. They were asked for after the orders, and so may
    /// hold an execution whose report is still to come.
    Positions(Vec<Position>),
    /// A minute has ended. Bars of a symbol come in order, also those that an interruption had swallowed.
    Bar(BrokerBar),
    /// A bar that was reported has other values after late trades.
    UpdatedBar(BrokerBar),
    /// The latest quote of a symbol; those between are left out if nobody takes them in time.
    Quote(Quote),
    /// Trading was halted or resumed.
    TradingStatus(TradingStatus),
    /// The stream is up, and everything that happened before has been reported.
    StreamUp { stream: Stream },
    /// The stream is down; the adapter tries again by itself. No new orders should be sent while the order stream is.
    StreamDown { stream: Stream, why: String },
    /// The broker complained about something on a stream that stays up.
    StreamWarning { stream: Stream, why: String },
    /// The broker refused requests as too many; none is sent for this many milliseconds.
    RateLimited { wait_ms: u64 },
}

/// What is sent through the channel: quotes wait in a table, one for each symbol.
#[derive(Debug)]
enum Item {
    Event(BrokerEvent),
    QuoteOf(String),
}

type Quotes = Arc<Mutex<BTreeMap<String, Quote>>>;

fn lock(quotes: &Quotes) -> MutexGuard<'_, BTreeMap<String, Quote>> {
    // A map of whole values is whole after a panic of another thread, too.
    quotes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A channel. Nothing but quotes is ever dropped, and of quotes each symbol's latest is kept, so that what waits
/// is bounded by what happens, not by how fast prices move.
pub fn channel() -> (EventSender, Events) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let quotes = Quotes::default();
    (EventSender { sender, quotes: Arc::clone(&quotes) }, Events { receiver, quotes })
}

/// The adapter's end.
#[derive(Debug, Clone)]
pub struct EventSender {
    sender: mpsc::UnboundedSender<Item>,
    quotes: Quotes,
}

impl EventSender {
    /// Sends an event. Once nobody listens any more it is dropped.
    pub fn send(&self, event: BrokerEvent) {
        let item = match event {
            BrokerEvent::Quote(quote) => {
                let symbol = quote.symbol.clone();
                if lock(&self.quotes).insert(symbol.clone(), quote).is_some() {
                    return;
                }
                Item::QuoteOf(symbol)
            }
            event => Item::Event(event),
        };
        // An error says that the receiver is gone, which `is_closed` tells whoever has to know.
        let _ = self.sender.send(item);
    }

    /// Whether nobody listens any more.
    pub fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Ready when nobody listens any more.
    pub async fn closed(&self) {
        self.sender.closed().await;
    }
}

/// The caller's end.
#[derive(Debug)]
pub struct Events {
    receiver: mpsc::UnboundedReceiver<Item>,
    quotes: Quotes,
}

impl Events {
    /// The next event; `None` when the adapter has ended.
    pub async fn next(&mut self) -> Option<BrokerEvent> {
        loop {
            let item = self.receiver.recv().await?;
            if let Some(event) = self.resolve(item) {
                return Some(event);
            }
        }
    }

    /// As [`Events::next`], on a thread without async runtime.
    ///
    /// # Panics
    /// Inside an async task.
    pub fn blocking_next(&mut self) -> Option<BrokerEvent> {
        loop {
            let item = self.receiver.blocking_recv()?;
            if let Some(event) = self.resolve(item) {
                return Some(event);
            }
        }
    }

    /// The next event, if there is one within `wait`.
    pub async fn next_within(&mut self, wait: Duration) -> Option<BrokerEvent> {
        tokio::time::timeout(wait, self.next()).await.ok().flatten()
    }

    /// The next event, if there is one by now.
    pub fn try_next(&mut self) -> Option<BrokerEvent> {
        loop {
            let item = self.receiver.try_recv().ok()?;
            if let Some(event) = self.resolve(item) {
                return Some(event);
            }
        }
    }

    fn resolve(&self, item: Item) -> Option<BrokerEvent> {
        match item {
            Item::Event(event) => Some(event),
            Item::QuoteOf(symbol) => lock(&self.quotes).remove(&symbol).map(BrokerEvent::Quote),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rust_decimal::Decimal;

    fn quote(symbol: &str, cents: i64) -> BrokerEvent {
        let (bid, ask) = (Decimal::new(cents, 2), Decimal::new(cents + 1, 2));
        let size = Decimal::ONE;
        BrokerEvent::Quote(Quote { symbol: symbol.into(), time: cents, bid, ask, bid_size: size, ask_size: size })
    }

    fn up() -> BrokerEvent {
        BrokerEvent::StreamUp { stream: Stream::Orders }
    }

    #[test]
    fn of_quotes_that_nobody_took_only_the_latest_is_kept_and_nothing_else_is_dropped() {
        let (sender, mut events) = channel();
        for cents in 1..=1000 {
            sender.send(quote("A", cents));
            sender.send(quote("B", -cents));
        }
        sender.send(up());
        sender.send(up());
        let got: Vec<BrokerEvent> = std::iter::from_fn(|| events.try_next()).collect();
        assert_eq!(got, [quote("A", 1000), quote("B", -1000), up(), up()]);
        sender.send(quote("A", 7));
        assert_eq!(events.try_next(), Some(quote("A", 7)), "a quote that was taken makes room for the next");
    }

    #[test]
    fn the_channel_ends_with_its_last_sender_and_tells_when_nobody_listens() {
        let (sender, mut events) = channel();
        sender.send(up());
        let other = sender.clone();
        drop(sender);
        assert!(!other.is_closed());
        drop(other);
        assert_eq!(events.blocking_next(), Some(up()));
        assert_eq!(events.blocking_next(), None);
        let (sender, events) = channel();
        drop(events);
        assert!(sender.is_closed());
        sender.send(up());
    }
}
