//! The streams of a broker as the feed of a session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::feed::{Feed, Heard};
use super::words;
use crate::brokers::{BrokerEvent, Stream};
use crate::market::{MINUTE, Nanos};
use crate::session::live::BrokerEvent as VenueEvent;
use crate::session::{BarInput, Input};

/// Time between two looks at a clock that follows the broker, at most.
const QUICK: Duration = Duration::from_millis(50);
/// And at one that does not: steps are closed, windows end and what was refused is tried again by it.
const SLOW: Duration = Duration::from_secs(2);

/// The clock of a session: what it says, and who is told of each time that the broker names.
#[derive(Clone)]
pub struct MarketClock {
    pub now: Arc<dyn Fn() -> Nanos + Send + Sync>,
    /// Moves the clock, if it follows the broker.
    pub told: Arc<dyn Fn(Nanos) + Send + Sync>,
    /// Whether it does: then the broker's clock is asked for, too.
    pub follows_broker: bool,
}

impl MarketClock {
    /// A clock that goes by itself.
    pub fn system(now: Arc<dyn Fn() -> Nanos + Send + Sync>) -> MarketClock {
        MarketClock { now, told: Arc::new(|_| {}), follows_broker: false }
    }
}

/// The streams of a broker.
pub struct BrokerFeed {
    symbols: BTreeMap<String, u32>,
    clock: MarketClock,
    /// Whether the orders of the session lie at this broker.
    has_orders: bool,
    /// Time between two looks at the clock.
    tick: Duration,
    next: Instant,
    last: Nanos,
}

impl BrokerFeed {
    /// The feed of a session with these symbols, in order of their index. `has_orders`: whether the session's orders lie
    /// at this broker, too; `tick`: SLEEP_TIME.
    pub fn new(symbols: &[String], clock: MarketClock, has_orders: bool, tick: Duration) -> BrokerFeed {
        let symbols = symbols.iter().cloned().zip(0..).collect();
        let tick = tick.min(if clock.follows_broker { QUICK } else { SLOW });
        BrokerFeed { symbols, clock, has_orders, tick, next: Instant::now(), last: Nanos::MIN }
    }

    fn stream(&self, stream: Stream, up: bool, why: &str) -> Heard {
        let time = self.now();
        let reason = why.to_string();
        let input = match (stream, up) {
            (Stream::MarketData, up) => Some(Input::MarketData { time, up, reason }),
            (Stream::Orders, true) => Some(Input::Broker { time, broker: VenueEvent::Up }),
            (Stream::Orders, false) => Some(Input::Broker { time, broker: VenueEvent::Down { reason } }),
        };
        let input = input.filter(|_| self.has_orders || stream == Stream::MarketData);
        let note = if up { format!("{}: up", stream.name()) } else { format!("{}: down: {why}", stream.name()) };
        Heard { input, note: Some((!up, note)) }
    }

    fn order(&self, event: VenueEvent) -> Heard {
        let time = self.now();
        Heard { input: self.has_orders.then_some(Input::Broker { time, broker: event }), note: None }
    }
}

impl Feed for BrokerFeed {
    fn wait(&mut self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    fn take(&mut self) -> Vec<Input> {
        self.next = Instant::now() + self.tick;
        let time = self.now();
        if time <= self.last {
            return Vec::new();
        }
        self.last = time;
        vec![Input::Timer { time }]
    }

    fn now(&self) -> Nanos {
        (self.clock.now)()
    }

    fn goes_on(&self) -> bool {
        true
    }

    fn hear(&mut self, event: BrokerEvent) -> Heard {
        match event {
            BrokerEvent::Bar(bar) => {
                (self.clock.told)(bar.start + MINUTE);
                let symbol = self.symbols.get(&bar.symbol);
                let input = symbol.map(|&symbol| Input::Bar(BarInput::new(self.now(), &words::bar(symbol, &bar))));
                Heard { input, note: None }
            }
            // What was decided on the first values stays decided.
            BrokerEvent::UpdatedBar(_) => Heard::default(),
            BrokerEvent::Quote(quote) => {
                (self.clock.told)(quote.time);
                Heard::default()
            }
            BrokerEvent::TradingStatus(status) => {
                (self.clock.told)(status.time);
                let (time, halted) = (self.now(), !status.trading);
                let symbol = self.symbols.get(&status.symbol);
                let input = symbol.map(|&symbol| Input::Halt { time, symbol, halted });
                let word = if halted { "halted" } else { "trading" };
                let note = format!("{}: {word} ({} {})", status.symbol, status.code, status.message);
                Heard { input, note: Some((halted, note)) }
            }
            BrokerEvent::Order(update) => self.order(VenueEvent::Report(words::update(&update))),
            BrokerEvent::OrderLost { client_id, .. } => self.order(VenueEvent::Lost { client_id }),
            BrokerEvent::Positions(positions) => self.order(words::positions(&positions)),
            BrokerEvent::StreamUp { stream } => self.stream(stream, true, ""),
            BrokerEvent::StreamDown { stream, why } => self.stream(stream, false, &why),
            BrokerEvent::StreamWarning { stream, why } => {
                Heard { input: None, note: Some((false, format!("{}: {why}", stream.name()))) }
            }
            BrokerEvent::RateLimited { wait_ms } => {
                let note = format!("too many requests for the broker; the next one goes out in {wait_ms} ms");
                Heard { input: None, note: Some((false, note)) }
            }
        }
    }
}
