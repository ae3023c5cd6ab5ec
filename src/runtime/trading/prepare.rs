//! From the settings to a session that is prepared: its journal is begun, and nothing has happened yet.

use std::path::Path;
use std::sync::Arc;

use super::{JOURNAL, sessions_folder};
use crate::backtest::{InputFile, RunSpec};
use crate::brokers::{Broker, BrokerError, OrderBook, SymbolUniverse};
use crate::data::{LoadOptions, Source, load};
use crate::live::{BrokerFeed, Inbox, Line, LineError, MarketClock, Opening, PlayedDay, Received, words};
use crate::market::{Market, Nanos, format_time};
use crate::runtime::brokerage::universe::stored;
use crate::runtime::house::House;
use crate::runtime::jobs::results;
use crate::runtime::reply::Refusal;
use crate::session::live::LiveVenue;
use crate::session::{Mode, Output, Plan, PlanError, Recorder, SessionVenue};
use crate::settings::{Key, Settings};
use crate::sim::SimVenue;
use crate::vault::Disk;

/// Longest wait for other bars of a bar end that was played.
const PLAYED_GRACE_MS: u32 = 1_000;
/// Longest wait for other bars of a bar end. Brokers send the bars of a minute within a second or so of its end; of a
/// stock that was not traded in it there is none.
const BROKER_GRACE_MS: u32 = 2_000;
/// Folder of what no broker tells, relative to the data folder.
const BESIDE: &str = "context";

/// A session that is written down and may begin.
pub struct Prepared {
    pub id: String,
    /// Its folder, relative to the data folder.
    pub folder: String,
    pub venue: Venue,
    pub inbox: (Inbox, Received),
}

/// What a session stands on.
pub enum Venue {
    /// A recorded day and the simulated venue.
    Played(Box<Recorder<SimVenue>>, Box<PlayedDay>),
    /// The market data of a broker and the simulated venue.
    Paper(Box<Recorder<SimVenue>>, Box<(Line, BrokerFeed)>),
    /// A broker; what to ask of it first.
    Live(Box<Recorder<LiveVenue>>, Box<(Line, BrokerFeed)>, Vec<Output>),
}

/// What is wanted.
pub struct Wanted {
    pub disk: Disk,
    pub identity: String,
    pub id: String,
    pub settings: Settings,
    /// With real orders.
    pub live: bool,
    /// What to connect to, and the clock of trading; `None` for the simulated broker.
    pub broker: Option<(Arc<dyn Broker>, MarketClock)>,
}

/// An id that no session has: its start in UTC and how it trades.
///
/// # Errors
/// The folder cannot be read or made.
pub fn next_id(house: &House, mode: &str, now: Nanos) -> Result<String, Refusal> {
    let folder = sessions_folder(&house.identity());
    let time: String = format_time(now).chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
    let there = house.disk.list_folders(&folder).map_err(crate::vault::VaultError::from)?;
    let id = format!("{time}Z-{mode}");
    let numbered = (2..100).map(|n| format!("{id}-{n}"));
    let free = std::iter::once(id.clone()).chain(numbered).find(|id| !there.contains(id));
    free.ok_or_else(|| Refusal::conflict("busy", "Too many sessions began in this second.").retry_after(1))
}

/// Prepares a session: reads or fetches what it has to know, begins its journal, and connects. Takes seconds.
///
/// # Errors
/// Market data or broker do not allow a session, or the settings do not lead to one.
pub fn prepare(wanted: Wanted) -> Result<Prepared, Refusal> {
    match wanted.broker.clone() {
        None => played(&wanted),
        Some((broker, clock)) => connected(&wanted, broker, clock),
    }
}

/// The newest session of the data set in SIM_DATA.
fn played(wanted: &Wanted) -> Result<Prepared, Refusal> {
    let settings = &wanted.settings;
    let market = market(wanted.disk.path(), settings.text(Key::SimData))?;
    let spec = RunSpec::of_settings(settings.clone(), market.1, settings.number(Key::SimCash)).map_err(unusable)?;
    let day = PlayedDay::new(market.0, settings.int(Key::SimSpeed) as f64, 0);
    let (source, newest) = day.source();
    let made = Plan::new(&wanted.id, Mode::Paper, spec, PLAYED_GRACE_MS, &source.parts_before(newest));
    let (folder, recorder) = begin_journal(wanted, made, |plan, market| plan.sim_venue(market))?;
    let venue = Venue::Played(Box::new(recorder), Box::new(day));
    Ok(Prepared { id: wanted.id.clone(), folder, venue, inbox: Inbox::new() })
}

/// A session on the market data of a broker.
fn connected(wanted: &Wanted, broker: Arc<dyn Broker>, clock: MarketClock) -> Result<Prepared, Refusal> {
    let settings = &wanted.settings;
    let universe = universe(&wanted.disk)?;
    let line = Line::new(broker, clock).map_err(refused)?;
    let opening = line.opening(&universe, &wanted.disk.path().join(BESIDE), wanted.live).map_err(refused)?;
    if !opening.held.is_empty() {
        let held = opening.held.join(", ");
        tracing::warn!("left out, because the account holds shares of them: {held}");
    }
    let Opening { session, account, parts, borrow, .. } = opening;
    let capabilities = line.broker().capabilities();
    let (mode, cash) = match wanted.live {
        true => (Mode::Live(words::venue_rules(capabilities)), crate::brokers::to_f64(account.cash)),
        false => (Mode::Paper, settings.number(Key::SimCash)),
    };
    let data = LoadOptions::new(Source::Named(capabilities.name.to_string()));
    let mut spec = RunSpec::of_settings(settings.clone(), data, cash).map_err(unusable)?;
    spec.whole_shorts = true;
    spec.borrow = Some(InputFile { name: "symbol_universe.json".to_string(), text: borrow });
    let made = Plan::new(&wanted.id, mode, spec, BROKER_GRACE_MS, &parts);
    let symbols: Vec<String> = parts.series.into_iter().map(|(symbol, _)| symbol).collect();
    let inbox = Inbox::new();
    let known = wanted.live.then(OrderBook::new);
    let connect = || link(line, known, &symbols, session.open, settings, &inbox.0).map_err(refused);
    let (folder, venue) = if wanted.live {
        let (folder, recorder) = begin_journal(wanted, made, |plan, _| plan.live_venue())?;
        (folder, Venue::Live(Box::new(recorder), connect()?, Vec::new()))
    } else {
        let (folder, recorder) = begin_journal(wanted, made, |plan, market| plan.sim_venue(market))?;
        (folder, Venue::Paper(Box::new(recorder), connect()?))
    };
    Ok(Prepared { id: wanted.id.clone(), folder, venue, inbox })
}

/// Opens the streams of a line. `known`: what the session knows of its orders, if they lie at this broker; `since`: bars
/// that start from then on are fetched first.
pub fn link(
    line: Line,
    known: Option<OrderBook>,
    symbols: &[String],
    since: Nanos,
    settings: &Settings,
    inbox: &Inbox,
) -> Result<Box<(Line, BrokerFeed)>, LineError> {
    let tick = settings.duration(Key::SleepTime);
    let feed = BrokerFeed::new(symbols, line.clock().clone(), known.is_some(), tick);
    line.connect(known.unwrap_or_default(), symbols, since, inbox)?;
    Ok(Box::new((line, feed)))
}

/// Begins the journal of a session in a folder of its own.
fn begin_journal<V: SessionVenue>(
    wanted: &Wanted,
    made: Result<(Plan, Vec<crate::session::HistoryChunk>), PlanError>,
    venue: impl FnOnce(&Plan, &Market) -> Result<V, PlanError>,
) -> Result<(String, Recorder<V>), Refusal> {
    let (plan, history) = made.map_err(unusable)?;
    let folder = format!("{}/{}", sessions_folder(&wanted.identity), wanted.id);
    wanted.disk.make_folder(&folder).map_err(crate::vault::VaultError::from)?;
    let path = wanted.disk.path().join(&folder).join(JOURNAL);
    let recorder = Recorder::begin(&path, plan, &history, venue).map_err(|error| {
        tracing::warn!("a session cannot begin: {error}");
        unusable("its journal could not be begun; the log says why")
    })?;
    Ok((folder, recorder))
}

/// The symbols that may be traded.
fn universe(disk: &Disk) -> Result<SymbolUniverse, Refusal> {
    let none = |why: &str| Refusal::conflict("no_market_data", format!("There are no symbols to trade: {why}"));
    match stored(disk) {
        Ok(Some(universe)) => Ok(universe),
        Ok(None) => Err(none("there is no symbol universe yet. It is built when the exchange is closed.")),
        Err(why) => {
            tracing::warn!("the symbol universe: {why}");
            Err(none("the symbol universe cannot be read. It is built anew when the exchange is closed."))
        }
    }
}

/// The data set of that name, and what was loaded.
fn market(root: &Path, name: &str) -> Result<(Market, LoadOptions), Refusal> {
    let sets = results::datasets(root).map_err(|_| Refusal::internal("The data sets could not be listed."))?;
    let no_data = |why: String| Refusal::conflict("no_market_data", why);
    let Some((_, data)) = sets.into_iter().find(|(known, _)| known == name) else {
        return Err(no_data(format!("There is no data set {name} (SIM_DATA).")));
    };
    let source = match crate::data::named(&data) {
        Some(set) => Source::Named(set.name.to_string()),
        None => Source::Path(root.join(data)),
    };
    let options = LoadOptions::new(source);
    let market = load(&options).map_err(|error| {
        tracing::warn!("SIM_DATA {name}: {error}");
        no_data(format!("The data set {name} cannot be played. The log says why."))
    })?;
    if market.days.is_empty() {
        return Err(no_data(format!("The data set {name} holds no session.")));
    }
    Ok((market, options))
}

fn unusable(why: impl std::fmt::Display) -> Refusal {
    Refusal::conflict("unusable", format!("This is no session: {why}."))
}

/// What the broker says against a session.
fn refused(error: LineError) -> Refusal {
    tracing::warn!("a session cannot begin: {error}");
    let as_it_is = || format!("The broker allows no session: {error}.");
    // Paths and addresses are for the log.
    let (code, why) = match &error {
        LineError::Beside(_) => {
            ("no_market_data", format!("A file in the folder {BESIDE} cannot be read. The log says why."))
        }
        LineError::NoSymbols(_) => ("no_market_data", as_it_is()),
        LineError::Broker(BrokerError::Network { .. }) => {
            ("broker_unreachable", "The broker cannot be reached. The log says why.".to_string())
        }
        LineError::Broker(BrokerError::Auth { .. })
        | LineError::Restricted(_)
        | LineError::NoSession(_)
        | LineError::Calendar { .. } => ("broker_refuses", as_it_is()),
        LineError::Broker(_) | LineError::Threads(_) => ("broker_unreachable", as_it_is()),
    };
    Refusal::conflict(code, why)
}
