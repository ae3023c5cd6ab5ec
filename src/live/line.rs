//! The connection of a session to its broker: threads of its own, so that nothing else in the process can hold up an
//! order; and what has to be known before a session begins.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::Days;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;

use super::broker_feed::MarketClock;
use super::desk::OrderDesk;
use super::host::{Arrival, Inbox};
use super::priority::{self, Urgent};
use super::words;
use crate::brokers::{
    AccountInfo, BarQuery, BarSize, Broker, BrokerError, BrokerEvent, Events, OrderBook, Stream, SymbolUniverse,
    Watchlist, to_f64,
};
use crate::data::{Beside, DataError, data_hash};
use crate::market::{
    Bars, Calendar, DataQuality, Fundamental, Fundamentals, MINUTE, MarketParts, Nanos, Session, SymbolId, format_time,
    new_york_date,
};

/// Sessions of minute bars that are fetched as history.
const HISTORY: usize = 2;
/// How often bars from before the connection are asked for.
const TRIES: u32 = 3;
/// Between two looks at the broker's clock, where it is followed.
const CLOCK_POLL: Duration = Duration::from_millis(250);

/// A session that cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    #[error(transparent)]
    Broker(#[from] BrokerError),
    #[error(transparent)]
    Beside(#[from] DataError),
    #[error("the system gives no thread: {0}")]
    Threads(#[from] std::io::Error),
    #[error("the account may not trade: {0}")]
    Restricted(String),
    #[error("the exchange calendar of this program has no session after {0}")]
    NoSession(String),
    #[error("on {date} the broker has the exchange open {theirs}, the calendar of this program {ours}")]
    Calendar { date: String, theirs: String, ours: String },
    #[error("no symbol of the universe can be traded: {0}")]
    NoSymbols(String),
}

/// The connection. Dropping it ends what runs on it.
pub struct Line {
    broker: Arc<dyn Broker>,
    clock: MarketClock,
    runtime: Option<Runtime>,
}

/// What is known when a session begins.
#[derive(Debug)]
pub struct Opening {
    pub session: Session,
    pub account: AccountInfo,
    /// Symbols with their bars before the session, and what is known of their companies.
    pub parts: MarketParts,
    /// Symbols left out because the account holds them, and not by this bot's hand.
    pub held: Vec<String>,
    /// `symbol,rate,available`: what cannot be borrowed.
    pub borrow: String,
}

impl Line {
    /// A connection to `broker`; nothing is sent yet.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn new(broker: Arc<dyn Broker>, clock: MarketClock) -> Result<Line, LineError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).thread_name("broker").enable_all().build()?;
        Ok(Line { broker, clock, runtime: Some(runtime) })
    }

    /// The clock of the session.
    pub fn clock(&self) -> &MarketClock {
        &self.clock
    }

    /// The broker.
    pub fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    /// Lets its thread run before others, where the system allows that.
    pub fn go_first(&self) {
        // There is one thread, and a task runs on it. Whether it is allowed, the trading thread says.
        self.runtime().spawn(async { priority::go_first(Urgent::Connection) });
    }

    fn runtime(&self) -> &Runtime {
        match &self.runtime {
            Some(runtime) => runtime,
            None => unreachable!("it is taken when the line is dropped"),
        }
    }

    /// Asks the broker for the time. A clock that follows it has to be set before anything that it says is dated.
    ///
    /// # Errors
    /// The broker cannot be asked.
    pub fn set_clock(&self) -> Result<(), LineError> {
        Ok(self.runtime().block_on(set_clock(&self.broker, &self.clock))?)
    }

    /// Fetches what a session on the universe has to know: the session that is under way or comes next, the account, and
    /// bars of the sessions before. `beside`: a folder with what no broker tells ([`Beside`]). With `orders` the
    /// session's orders will lie at this broker: what the account holds already is left alone.
    ///
    /// # Errors
    /// The broker cannot be asked, or what it says does not allow a session.
    pub fn opening(&self, universe: &SymbolUniverse, beside: &Path, orders: bool) -> Result<Opening, LineError> {
        self.runtime().block_on(self.fetch(universe, beside, orders))
    }

    async fn fetch(&self, universe: &SymbolUniverse, beside: &Path, orders: bool) -> Result<Opening, LineError> {
        let account = self.broker.get_account_info().await?;
        if orders && !account.is_tradable() {
            return Err(LineError::Restricted(account.restrictions.join("; ")));
        }
        // A clock that follows the broker has to be set before anything is asked of it.
        set_clock(&self.broker, &self.clock).await?;
        let session = self.session().await?;
        let positions = if orders { self.broker.get_positions().await? } else { Vec::new() };
        let taken: BTreeSet<&str> = positions.iter().map(|position| position.symbol.as_str()).collect();
        let (held, free): (Vec<_>, Vec<_>) =
            universe.symbols.iter().partition(|entry| taken.contains(entry.symbol.as_str()));
        if free.is_empty() {
            let why = if held.is_empty() { "it has none" } else { "the account holds shares of each of them" };
            return Err(LineError::NoSymbols(why.to_string()));
        }
        let mut symbols: Vec<String> = free.iter().map(|entry| entry.symbol.clone()).collect();
        symbols.extend(Beside::inverse_funds(beside)?.into_iter().filter(|fund| !taken.contains(fund.as_str())));
        symbols.sort();
        symbols.dedup();
        let Beside { vix, fundamentals: told, inverse } = Beside::read(beside, &symbols)?;
        let series = self.history(&symbols, &session).await?;
        let index = |symbol: &str| symbols.binary_search_by(|known| known.as_str().cmp(symbol)).ok();
        let mut fundamentals = Fundamentals::new();
        let mut borrow = "symbol,rate,available\n".to_string();
        for entry in &free {
            let Some(symbol) = index(&entry.symbol) else { continue };
            let row = Fundamental {
                date: None,
                market_cap: Some(to_f64(entry.market_cap)),
                pe_ratio: entry.pe_ratio.map(to_f64),
                debt_equity: entry.debt_equity.map(to_f64),
                exchange: Some(entry.exchange.clone()),
            };
            fundamentals.insert(SymbolId(symbol as u32), vec![row]);
            if !entry.shortable {
                borrow.push_str(&format!("{},0,0\n", entry.symbol));
            }
        }
        // What somebody has entered by hand comes before what was found.
        fundamentals.extend(told.unwrap_or_default());
        let mut parts = MarketParts {
            name: format!("{} {}", self.broker.capabilities().name, session.date),
            bar_length: MINUTE,
            series,
            extended_hours: false,
            actions: Vec::new(),
            vix,
            fundamentals: Some(fundamentals),
            inverse,
            options: Vec::new(),
            quality: DataQuality::default(),
            data_hash: String::new(),
            notes: Vec::new(),
        };
        parts.data_hash = data_hash(&parts);
        let held = held.into_iter().map(|entry| entry.symbol.clone()).collect();
        Ok(Opening { session, account, parts, held, borrow })
    }

    /// The session that is under way or comes next, if the broker says the same of it.
    async fn session(&self) -> Result<Session, LineError> {
        let now = (self.clock.now)();
        let (calendar, today) = (Calendar::nyse(), new_york_date(now));
        let current = calendar.session(today).filter(|session| now < session.close);
        let session = current.or_else(|| calendar.next_session_after(today));
        let session = session.ok_or_else(|| LineError::NoSession(today.to_string()))?;
        let hours = self.broker.get_calendar(session.date, session.date).await?;
        let theirs = hours.iter().find(|hours| hours.date == session.date);
        if theirs.is_none_or(|hours| (hours.open, hours.close) != (session.open, session.close)) {
            let words = |open, close| format!("from {} to {}", format_time(open), format_time(close));
            return Err(LineError::Calendar {
                date: session.date.to_string(),
                theirs: theirs.map_or("not at all".to_string(), |hours| words(hours.open, hours.close)),
                ours: words(session.open, session.close),
            });
        }
        Ok(session)
    }

    /// Minute bars of regular hours of the sessions before.
    async fn history(&self, symbols: &[String], session: &Session) -> Result<Vec<(String, Bars)>, LineError> {
        let first = session.date.checked_sub_days(Days::new(10 + HISTORY as u64)).unwrap_or(session.date);
        let before = Calendar::nyse().sessions(first, session.date);
        let before: Vec<Session> = before.into_iter().filter(|earlier| earlier.date < session.date).collect();
        let before = &before[before.len().saturating_sub(HISTORY)..];
        let mut series: BTreeMap<&str, Bars> =
            symbols.iter().map(|symbol| (symbol.as_str(), Bars::default())).collect();
        for day in before {
            let query =
                BarQuery { symbols: symbols.to_vec(), size: BarSize::Minute, from: day.open, to: day.close - MINUTE };
            for bar in self.broker.get_bars(query).await? {
                let Some(bars) = series.get_mut(bar.symbol.as_str()) else { continue };
                let new = words::bar(0, &bar);
                if bars.start.last().is_none_or(|last| *last < new.start) {
                    bars.push(new.start, new.bar, None);
                }
            }
        }
        Ok(series.into_iter().map(|(symbol, bars)| (symbol.to_string(), bars)).collect())
    }

    /// Opens the streams: from here on what happens arrives in `inbox`. `known`: what the session knows of its orders;
    /// `since`: bars that start from then on are fetched, and arrive before those of the stream.
    ///
    /// # Errors
    /// The broker cannot be reached or refuses the credentials.
    pub fn connect(&self, known: OrderBook, symbols: &[String], since: Nanos, inbox: &Inbox) -> Result<(), LineError> {
        let runtime = self.runtime();
        let watch = Watchlist { bars: symbols.to_vec(), quotes: Vec::new() };
        let events = runtime.block_on(self.broker.connect(known, watch))?;
        let pump = Pump {
            broker: Arc::clone(&self.broker),
            clock: self.clock.clone(),
            symbols: symbols.to_vec(),
            since,
            inbox: inbox.clone(),
        };
        runtime.spawn(pump.run(events));
        if self.clock.follows_broker {
            runtime.spawn(follow_clock(Arc::clone(&self.broker), self.clock.clone()));
        }
        Ok(())
    }

    /// What carries out the session's requests; the answers arrive in `inbox`. `pauses`: the first one between two tries
    /// of a request, and the longest.
    pub fn desk(&self, inbox: &Inbox, pauses: (Duration, Duration)) -> OrderDesk {
        let inbox = inbox.clone();
        // Once nobody reads the inbox, nobody waits for an answer.
        let answers = Arc::new(move |event| {
            inbox.send(Arrival::Answer(event));
        });
        OrderDesk::new(Arc::clone(&self.broker), self.runtime().handle().clone(), answers, pauses)
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Without waiting: it may be dropped where nothing may be waited for.
            runtime.shutdown_background();
        }
    }
}

/// Tells a clock what the broker's says.
async fn set_clock(broker: &Arc<dyn Broker>, clock: &MarketClock) -> Result<(), BrokerError> {
    (clock.told)(broker.get_clock().await?.time);
    Ok(())
}

async fn follow_clock(broker: Arc<dyn Broker>, clock: MarketClock) {
    loop {
        // The next question is not far.
        let _ = set_clock(&broker, &clock).await;
        tokio::time::sleep(CLOCK_POLL).await;
    }
}

/// Passes on what happens at the broker.
struct Pump {
    broker: Arc<dyn Broker>,
    clock: MarketClock,
    symbols: Vec<String>,
    since: Nanos,
    inbox: Inbox,
}

impl Pump {
    /// Bars of the stream wait until those from before it have been fetched and have gone. Nothing else waits for them:
    /// what becomes of an order must not.
    async fn run(self, mut events: Events) {
        let inbox = self.inbox.clone();
        let mut waiting = Some(Vec::new());
        let (fetched, mut earlier) = oneshot::channel();
        let mut fetch = Some((self, fetched));
        loop {
            let event = tokio::select! {
                bars = &mut earlier, if fetch.is_none() && waiting.is_some() => {
                    for event in bars.into_iter().flatten().chain(waiting.take().into_iter().flatten()) {
                        inbox.send(Arrival::Broker(event));
                    }
                    continue;
                }
                event = events.next() => event,
            };
            let Some(event) = event else { return };
            let is_up = event == BrokerEvent::StreamUp { stream: Stream::MarketData };
            match &mut waiting {
                Some(bars) if matches!(event, BrokerEvent::Bar(_)) => bars.push(event),
                _ if !inbox.send(Arrival::Broker(event)) => return,
                _ => {}
            }
            if is_up && let Some((pump, fetched)) = fetch.take() {
                tokio::spawn(async move {
                    // If nobody waits for them any more, they are of no use.
                    let _ = fetched.send(pump.catch_up().await);
                });
            }
        }
    }

    /// The bars from `since` on that have ended, as they would have arrived.
    async fn catch_up(&self) -> Vec<BrokerEvent> {
        // A clock that follows the broker was told its time a while ago.
        if self.clock.follows_broker {
            let _ = set_clock(&self.broker, &self.clock).await;
        }
        let to = (self.clock.now)() - MINUTE;
        if self.since > to {
            return Vec::new();
        }
        let query = BarQuery { symbols: self.symbols.clone(), size: BarSize::Minute, from: self.since, to };
        let mut why = String::new();
        for _ in 0..TRIES {
            match self.broker.get_bars(query.clone()).await {
                Ok(mut bars) => {
                    bars.sort_by(|a, b| (a.start, &a.symbol).cmp(&(b.start, &b.symbol)));
                    return bars.into_iter().map(BrokerEvent::Bar).collect();
                }
                Err(error) => why = error.to_string(),
            }
        }
        let why = format!("bars from before the connection are missing: {why}");
        vec![BrokerEvent::StreamWarning { stream: Stream::MarketData, why }]
    }
}
