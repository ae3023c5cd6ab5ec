//! A bot that trades live on a local Alpaca, minute by minute, in a process that can be killed: what a test of its
//! recoveries needs, and what must hold at the end of every such day.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rust_decimal::Decimal;
use serde_json::{Value, json};
use tempfile::TempDir;
use tradebot::brokers::{SymbolUniverse, to_decimal};
use tradebot::market::{Calendar, MINUTE, Nanos, SECOND, Session, parse_date};
use tradebot::session::Input;
use tradebot::session::journal::{Record, read};
use tradebot::session::live::{BrokerEvent, Report};
use tradebot::session::replay::{AnySession, rerun};

use super::{ADMIN, CONFIGURATION, Client, Live, PASSWORD, until};
use crate::local_alpaca::{AssetRow, FeedBar, Filler, KEY, LocalAlpaca, Market, Order, Outcome, SECRET, Setup};
use crate::market_feed;

/// Trading follows the server's clock, so that a day passes as fast as the server steps.
pub const FEED: [&str; 2] = ["--clock", "feed"];

/// While it is on, orders at the market fill at the quote as soon as they arrive; otherwise the test decides.
#[derive(Clone, Default)]
struct Switch(Arc<AtomicBool>);

impl Filler for Switch {
    fn submitted(&mut self, order: &Order, market: &Market) -> Vec<Outcome> {
        let (bid, ask) = market.quotes[&order.symbol];
        let is_due = self.0.load(Ordering::SeqCst) && order.kind == "market" && order.tif == "day";
        let fill =
            Outcome::Fill { order: order.id.clone(), qty: order.left(), price: if order.is_buy() { ask } else { bid } };
        is_due.then_some(fill).into_iter().collect()
    }
}

/// The bot, its broker, and the session that is under way.
pub struct Traded {
    pub server: LocalAlpaca,
    live: Option<Live>,
    folder: Option<TempDir>,
    /// The last price of each symbol, in dollars.
    pub prices: BTreeMap<String, i64>,
    fills_at_once: Switch,
    /// Start of the next minute.
    pub next: Nanos,
    /// Bars that the session has to have had.
    bars: usize,
    /// Orders of all sessions so far, and the one that is under way.
    session: String,
    /// Cash at the broker when it began, and how many executions there were.
    began_with: (Decimal, usize),
    /// Client order ids that the broker had when a process before this one was killed.
    accepted_before: BTreeSet<String>,
    /// Requests that arrived before this process.
    arrivals_before: usize,
}

/// A session of the exchange on a date.
pub fn day(date: &str) -> Session {
    Calendar::nyse().session(parse_date(date).unwrap()).unwrap()
}

/// What a bot on this server is configured with, beside the credentials.
pub fn configuration(url: &str) -> Vec<(&str, &str)> {
    let mut configuration = CONFIGURATION.to_vec();
    configuration[2] = ("broker_code", "ALPACA");
    configuration.extend([("broker_url", url), ("broker_api_key", KEY), ("broker_secret_key", SECRET)]);
    configuration
}

/// A symbol universe of these symbols.
pub fn universe<'a>(symbols: impl Iterator<Item = &'a String>) -> SymbolUniverse {
    market_feed::universe(parse_date("2024-03-14").unwrap(), symbols)
}

/// Brings a program on an empty folder to an admin and a universe.
pub fn set_up(live: &Live, url: &str, universe: &SymbolUniverse) {
    let mut browser = live.client();
    assert_eq!(browser.form("/configuration", &configuration(url)).location(), Some("/wait"));
    assert_eq!(live.settle(), "registration");
    live.register(&mut browser, &[]);
    write_universe(live, universe);
}

/// Writes the universe where the bot looks for it.
pub fn write_universe(live: &Live, universe: &SymbolUniverse) {
    let cache = live.data().join("output/cache");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::write(cache.join("symbol_universe.json"), serde_json::to_string(universe).unwrap()).unwrap();
}

/// Changes settings.
pub fn put_settings(admin: &mut Client, values: Value) {
    let version = admin.get("/api/v1/settings").json()["version"].clone();
    let put = admin.json("PUT", "/api/v1/settings", &json!({ "version": version, "values": values }));
    assert_eq!(put.status, 200, "{}", put.text());
}

/// A bar in which nothing moves.
fn bar(symbol: &str, start: Nanos, price: i64) -> FeedBar {
    let price = Decimal::from(price);
    let (open, high, low, close) = (price, price, price, price);
    FeedBar { symbol: symbol.to_string(), start, open, high, low, close, volume: 10_000 }
}

impl Traded {
    /// A bot that is ready before the open of 14 March 2024. Each symbol stands at 100; one that rises to 103 within
    /// `breakout` minutes after the first one is bought, with an order for the close behind it, and sold at the market
    /// two minutes after that.
    pub fn new(symbols: &[&str], breakout: i64) -> Traded {
        let (before, today) = (["2024-03-12", "2024-03-13"].map(day), day("2024-03-14"));
        let fills_at_once = Switch::default();
        let server = LocalAlpaca::start(Setup {
            now: before[0].open - MINUTE,
            symbols: symbols.iter().map(|symbol| AssetRow::new(symbol)).collect(),
            filler: Box::new(fills_at_once.clone()),
            ..Setup::default()
        });
        let prices: BTreeMap<String, i64> = symbols.iter().map(|symbol| (symbol.to_string(), 100)).collect();
        for earlier in before {
            server.feed(prices.keys().map(|symbol| bar(symbol, earlier.open, 100)));
        }
        server.advance_to(today.open - 30 * SECOND);
        let live = Live::start_on(tempfile::tempdir().unwrap(), &FEED);
        set_up(&live, server.url(), &universe(prices.keys()));
        let trades = symbols.len();
        let settings = json!({
            "STRATEGY_SEQUENCE": ["open"],
            "OPEN_ANALYSIS_TIME": 1, "OPEN_BREAKOUT_TIME": breakout, "OPEN_MONITORING_TIME": 2,
            "TOTAL_ALLOCATION": 0.5, "MAX_RISK_PER_TRADE": 0.05, "MAX_TRADES": trades, "MAX_OPEN_POSITIONS": trades,
            "WEIGHTS": vec![0.08; trades],
            "FRACTIONAL": false, "SHORT_TYPE_OPEN": "disabled", "MIN_PRICE": 1, "MAX_PRICE": 1_000,
            "MIN_VOLUME_THRESHOLD": 0, "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER": false,
        });
        put_settings(&mut live.logged_in(ADMIN), settings);
        Traded {
            server,
            live: Some(live),
            folder: None,
            prices,
            fills_at_once,
            next: today.open,
            bars: 0,
            session: String::new(),
            began_with: (Decimal::ZERO, 0),
            accepted_before: BTreeSet::new(),
            arrivals_before: 0,
        }
    }

    /// The program, which runs.
    pub fn live(&self) -> &Live {
        self.live.as_ref().expect("the program runs")
    }

    /// Somebody presses start.
    pub fn begin(&mut self) {
        self.began_with = self.server.with(|desk| (desk.cash, desk.activities.len()));
        let start = json!({ "mode": "live", "confirm": "LIVE", "current_password": PASSWORD });
        let reply = self.live().logged_in(ADMIN).json("POST", "/api/v1/control/start", &start);
        assert_eq!(reply.status, 200, "{}\n{}", reply.text(), self.live().stderr());
        self.session = reply.json()["session"].as_str().unwrap().to_string();
        // Bars of the day that have ended are fetched.
        let today = Calendar::nyse().session(tradebot::market::new_york_date(self.next)).unwrap();
        self.bars = self.prices.len() * ((self.next - today.open) / MINUTE) as usize;
        self.goes_on((0, 0));
    }

    fn data(&self) -> PathBuf {
        match (&self.live, &self.folder) {
            (Some(live), _) => live.data().to_path_buf(),
            (None, Some(folder)) => folder.path().to_path_buf(),
            (None, None) => unreachable!("the folder is somewhere"),
        }
    }

    /// The folder of the session.
    pub fn session(&self) -> PathBuf {
        self.data().join("output/ACME_US_ALPACA_BOT1/sessions").join(&self.session)
    }

    /// The journal of the session.
    pub fn journal(&self) -> PathBuf {
        self.session().join("journal")
    }

    fn inputs(&self) -> Vec<Input> {
        let records = read(&self.journal()).map(|contents| contents.records).unwrap_or_default();
        records
            .into_iter()
            .filter_map(|record| if let Record::In(input) = record { Some(input) } else { None })
            .collect()
    }

    fn reports(&self) -> Vec<Report> {
        let report = |input: Input| match input {
            Input::Broker { broker: BrokerEvent::Report(report), .. } => Some(report),
            _ => None,
        };
        self.inputs().into_iter().filter_map(report).collect()
    }

    /// How often the session has had each stream: orders, market data.
    pub fn ups(&self) -> (usize, usize) {
        let inputs = self.inputs();
        let orders = |input: &&Input| matches!(input, Input::Broker { broker: BrokerEvent::Up, .. });
        let data = |input: &&Input| matches!(input, Input::MarketData { up: true, .. });
        (inputs.iter().filter(orders).count(), inputs.iter().filter(data).count())
    }

    /// Waits until the session has had each stream once more than `before`, and all bars are there; or it is over.
    pub fn goes_on(&self, before: (usize, usize)) {
        until("the streams and the bars", || {
            let now = self.ups();
            let goes_on = now.0 > before.0 && now.1 > before.1 && has_bars(&self.inputs(), self.bars);
            (goes_on || self.session().join("session.json").exists()).then_some(())
        });
    }

    /// A minute passes, at the prices that there are; a session that runs sees it.
    pub fn minute(&mut self) {
        self.minute_unseen();
        if self.live.is_some() {
            until("the bars of a minute", || has_bars(&self.inputs(), self.bars).then_some(()));
        }
    }

    /// A minute passes, and nobody has to see it.
    pub fn minute_unseen(&mut self) {
        let start = self.next;
        self.next += MINUTE;
        self.server.feed(self.prices.iter().map(|(symbol, price)| bar(symbol, start, *price)));
        self.server.advance_to(self.next);
        self.bars += self.prices.len();
    }

    /// The clock moves a little.
    pub fn seconds(&self, seconds: i64) {
        let now = self.server.now()();
        self.server.advance_to(now + seconds * SECOND);
    }

    /// Lets these symbols stand at 103 from the next minute on.
    pub fn raise(&mut self, symbols: &[&str]) {
        self.prices.extend(symbols.iter().map(|symbol| (symbol.to_string(), 103)));
    }

    /// kill -9, now.
    pub fn kill(&mut self) {
        let live = self.live.take().expect("the program runs");
        live.kill("core");
        let (_, folder) = live.ended();
        self.folder = Some(folder);
        // What it had sent arrives.
        std::thread::sleep(Duration::from_millis(50));
        self.server.forget_faults();
        let accepted: Vec<String> =
            self.server.with(|desk| desk.orders.iter().map(|order| order.client_id.clone()).collect());
        self.accepted_before.extend(accepted);
        self.arrivals_before = self.server.arrivals().len();
    }

    /// The program starts on the folder of the one that was killed. Returns before the session goes on.
    pub fn start(&mut self) {
        self.live = Some(Live::start_on(self.folder.take().expect("it was killed"), &FEED));
    }

    /// The program starts on the folder of the one that was killed; returns when the session goes on.
    pub fn start_again(&mut self) {
        let before = self.ups();
        self.start();
        self.goes_on(before);
    }

    /// From now on orders at the market fill when they arrive.
    pub fn fill_at_once(&self, at_once: bool) {
        self.fills_at_once.0.store(at_once, Ordering::SeqCst);
    }

    /// The orders of a symbol at the broker.
    pub fn orders(&self, symbol: &str) -> Vec<Order> {
        self.server.with(|desk| desk.orders.iter().filter(|order| order.symbol == symbol).cloned().collect())
    }

    /// Waits for the order number `n` of a symbol at the broker, from 0.
    pub fn order(&self, symbol: &str, n: usize) -> Order {
        until(&format!("order {n} of {symbol} at the broker"), || self.orders(symbol).get(n).cloned())
    }

    /// Waits until what lies at the broker for the close is as much as is held.
    pub fn is_covered(&self, symbol: &str) {
        until(&format!("the orders for the close of {symbol}"), || {
            let orders = self.orders(symbol);
            let covered: Decimal = orders.iter().filter(|order| order.tif == "cls").map(Order::left).sum();
            (covered == self.server.with(|desk| desk.position(symbol))).then_some(())
        });
    }

    /// Executes a part of an order; the rest without a quantity.
    pub fn fill(&self, symbol: &str, n: usize, qty: Option<i64>) {
        let order = self.order(symbol, n);
        let qty = qty.map_or(order.left(), Decimal::from);
        let price = Decimal::from(if order.is_buy() { 103 } else { 102 });
        self.server.with(|desk| desk.outcome(Outcome::Fill { order: order.id, qty, price }));
    }

    /// Ends an order from the broker's side.
    pub fn end(&self, symbol: &str, n: usize, how: fn(String) -> Outcome) {
        let order = self.order(symbol, n);
        self.server.with(|desk| desk.outcome(how(order.id)));
    }

    /// Waits until the session has heard of an order.
    pub fn hears_of(&self, symbol: &str, n: usize) {
        let id = self.order(symbol, n).client_id;
        until("a report", || self.reports().iter().any(|report| report.client_id == id).then_some(()));
    }

    /// Waits until the session knows every execution of a symbol.
    pub fn knows_executions(&self, symbol: &str) {
        let orders = self.orders(symbol);
        until(&format!("the executions of {symbol}"), || {
            let mut known: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
            let mut sums: BTreeMap<String, f64> = BTreeMap::new();
            for report in self.reports() {
                let Some(execution) = report.execution else { continue };
                let name = execution.cumulative.map_or(execution.id.clone(), |filled| filled.to_string());
                if known.entry(report.client_id.clone()).or_default().insert(name) {
                    *sums.entry(report.client_id).or_default() += execution.qty;
                }
            }
            let is_known =
                |order: &Order| to_decimal(sums.get(&order.client_id).copied().unwrap_or(0.0)).unwrap() == order.filled;
            orders.iter().all(is_known).then_some(())
        });
    }

    /// Client order ids in the bodies of orders that arrived, from the arrival number `from` on.
    fn posted(&self, from: usize) -> Vec<String> {
        let arrivals = self.server.arrivals();
        let orders = arrivals[from..].iter().filter(|arrival| arrival.what == "POST /v2/orders");
        let id =
            |body: &str| serde_json::from_str::<Value>(body).unwrap()["client_order_id"].as_str().unwrap().to_string();
        orders.map(|arrival| id(&arrival.body)).collect()
    }

    /// Waits until an order of a symbol and side was sent, whether or not it arrived; its body.
    pub fn sent(&self, symbol: &str, side: &str) -> Value {
        until(&format!("a {side} of {symbol} to be sent"), || {
            let arrivals = self.server.arrivals();
            let bodies = arrivals.iter().filter(|arrival| arrival.what == "POST /v2/orders");
            let mut bodies = bodies.map(|arrival| serde_json::from_str::<Value>(&arrival.body).unwrap());
            bodies.find(|body| body["symbol"] == symbol && body["side"] == side)
        })
    }

    /// Waits until a cancel of an order was sent, whether or not it arrived.
    pub fn cancel_sent(&self, symbol: &str, n: usize) {
        let what = format!("DELETE /v2/orders/{}", self.order(symbol, n).id);
        until("a cancel to be sent", || (self.server.count(&what) > 0).then_some(()));
    }

    /// Waits until so many orders and cancels have arrived: `true`; or until the last minute was seen and nothing comes
    /// any more.
    pub fn comes_to_request(&self, number: Option<usize>) -> bool {
        let mut last = (0, Instant::now());
        loop {
            let arrivals = self.server.arrivals();
            let count = arrivals.iter().filter(|arrival| !arrival.what.starts_with("GET ")).count();
            if number.is_some_and(|number| count >= number) {
                return true;
            }
            if count > last.0 {
                last = (count, Instant::now());
            }
            if last.1.elapsed() > Duration::from_millis(200) {
                if self.session().join("session.json").exists() || has_bars(&self.inputs(), self.bars) {
                    return false;
                }
                last.1 = Instant::now();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The orders that the broker has refused, as the log has them.
    pub fn refused_orders(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.data().join("logs/broker_api.log")).unwrap();
        let refused = |line: &&str| line.contains("POST /v2/orders") && line.contains(r#""status":4"#);
        log.lines().filter(refused).map(String::from).collect()
    }

    /// Sets the word in the file of the bot's state, as it is when the process ended before it was written.
    pub fn left_in(&self, state: &str) {
        std::fs::write(self.data().join("control/bot_state.txt"), format!("{state}\n")).unwrap();
    }

    /// The word in the file of the bot's state.
    pub fn state(&self) -> String {
        let text = std::fs::read_to_string(self.data().join("control/bot_state.txt")).unwrap_or_default();
        text.trim().to_string()
    }

    /// Waits for a state.
    pub fn comes_to(&self, state: &str) {
        until(&format!("the state {state}"), || (self.state() == state).then_some(()));
    }

    /// Waits for words in the log of the core.
    pub fn is_told(&self, words: &str) {
        until(&format!("'{words}' in the log"), || {
            let log = std::fs::read_to_string(self.data().join("logs/core.log")).unwrap_or_default();
            log.contains(words).then_some(())
        });
    }

    /// Waits for the end of the session and of its books, and compares everything with the broker.
    pub fn is_over(&self, state: &str) {
        until("the end of the session", || self.session().join("session.json").exists().then_some(()));
        self.comes_to(state);
        let path = self.journal();
        let contents = read(&path).unwrap();
        let (replay, session) = rerun(&path, &contents).unwrap();
        assert_eq!((replay.divergence, replay.unwritten, replay.torn), (None, Vec::new(), 0));
        let AnySession::Live(session) = session else { panic!("it is not live") };
        let (began_with, executed_before) = self.began_with;
        // Executions, by order.
        let orders = self.server.with(|desk| desk.orders.clone());
        let ours = |order: &&Order| order.client_id.starts_with(&format!("{}-", self.session));
        let mut booked: BTreeMap<&str, Decimal> = BTreeMap::new();
        for wire in session.venue().wires() {
            let sum: f64 = wire.executions.iter().map(|execution| execution.qty).sum();
            booked.insert(wire.client_id, to_decimal(sum).unwrap());
        }
        for order in orders.iter().filter(ours) {
            assert_eq!(booked.get(order.client_id.as_str()), Some(&order.filled), "{order:?}");
        }
        let (activities, positions, cash) =
            self.server.with(|desk| (desk.activities.len(), desk.positions.clone(), desk.cash));
        let fills = session.fills_from(0);
        assert_eq!(fills.len(), activities - executed_before, "as many executions as at the broker");
        let executions: BTreeSet<String> = fills.iter().map(|fill| format!("ALPACA:{}", fill.execution)).collect();
        assert_eq!(executions.len(), fills.len(), "each once");
        // Positions and cash.
        let account = &session.portfolio().account;
        for (k, symbol) in session.market().symbols.iter().enumerate() {
            let held = account.position(tradebot::market::SymbolId(k as u32));
            let theirs = positions.get(symbol).map_or(Decimal::ZERO, |position| position.0);
            assert_eq!(to_decimal(held).unwrap(), theirs, "{symbol}");
        }
        let fees: f64 = fills.iter().map(|fill| fill.commission).sum();
        let moved: f64 = (cash - began_with).to_string().parse().unwrap();
        let ours = account.cash - began_with.to_string().parse::<f64>().unwrap();
        assert!((ours + fees - moved).abs() < 1e-6, "{ours} and fees of {fees}, {moved} at the broker");
        // The ledger. After a halt somebody has to acknowledge it first.
        let mut admin = self.live().client();
        admin.form("/login", &[("username", ADMIN), ("password", PASSWORD)]);
        if state == "shutdown" {
            let reply = admin.json("POST", "/api/v1/control/acknowledge", &json!({}));
            assert_eq!(reply.json(), json!({ "bot_state": "idle" }), "{}", reply.text());
        }
        let ledger = admin.get("/api/v1/ledger?limit=1000").json();
        let of_session = |entry: &&Value| executions.contains(entry["reference"].as_str().unwrap_or_default());
        let entries: Vec<&Value> = ledger["entries"].as_array().unwrap().iter().filter(of_session).collect();
        assert_eq!(entries.len(), fills.len(), "each execution is in the ledger once");
        let all = ledger["entries"].as_array().unwrap().iter().filter(|entry| entry["source"] == "fill").count();
        assert_eq!(all, activities, "and nothing else");
        let lines = entries.iter().flat_map(|entry| entry["lines"].as_array().unwrap());
        let amount = |line: &Value, side: &str| line[side].as_str().unwrap_or("0").parse::<Decimal>().unwrap();
        let of_cash = lines.filter(|line| line["account"] == "1100");
        let booked: Decimal = of_cash.map(|line| amount(line, "debit") - amount(line, "credit")).sum();
        let booked: f64 = booked.to_string().parse().unwrap();
        assert!((booked - ours).abs() < 0.01, "{booked} in the ledger, {ours} in the session");
        // No order that the broker had was sent again.
        self.sends_nothing_again();
        let output = Command::new(env!("CARGO_BIN_EXE_tbot")).arg("replay").arg(&path).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// What the broker had of processes before this one is not sent by this one. An exit that it does not know may be,
    /// under its id.
    pub fn sends_nothing_again(&self) {
        let now = self.posted(self.arrivals_before);
        let again: Vec<&String> = now.iter().filter(|id| self.accepted_before.contains(*id)).collect();
        assert!(again.is_empty(), "sent by two processes: {again:?}");
    }
}

fn has_bars(inputs: &[Input], bars: usize) -> bool {
    inputs.iter().filter(|input| matches!(input, Input::Bar(_))).count() >= bars
}
