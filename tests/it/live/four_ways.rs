//! One day, four ways: the backtest, TEST_MODE, a session on Alpaca in the real program, and the replay of its journal
//! give the same orders, byte for byte.
//!
//! The broker is the local Alpaca, and what it executes is decided by the simulated venue, which knows of the orders only
//! what has come through the protocol.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use tempfile::TempDir;
use tradebot::backtest::{RunSpec, run_recorded};
use tradebot::brokers::to_decimal;
use tradebot::data::{LoadOptions, Source, load};
use tradebot::market::{Fundamental, Market, MarketParts, SECOND, SymbolId};
use tradebot::risk::{Limits, RiskDesk, Venue};
use tradebot::session::day::TestDay;
use tradebot::session::journal::{Record, read};
use tradebot::trading::{OrderId, OrderKind, OrderRequest, OrderState, Side, TimeInForce};

use super::traded::{FEED, put_settings, set_up};
use super::{ADMIN, Live, PASSWORD, until};
use crate::local_alpaca::{LocalAlpaca, Outcome, Setup};
use crate::market_feed::{bars, before_the_open, universe};
use crate::program::sample;
use crate::sim_exchange::SimExchange;

/// The bars of a market, and of everything else what a live session knows: that the companies are large.
pub fn as_a_broker_tells(market: Market) -> Market {
    let days = market.days.len();
    let sessions: Vec<_> = (0..days).map(|day| market.session_of(day)).collect();
    let large = |symbol: SymbolId| {
        let exchange = Some("NYSE".to_string());
        let row = Fundamental { date: None, market_cap: Some(5e9), pe_ratio: None, debt_equity: None, exchange };
        (symbol, vec![row])
    };
    let fundamentals = Some(market.symbol_ids().map(large).collect());
    let parts =
        MarketParts { actions: Vec::new(), vix: None, inverse: None, fundamentals, ..market.parts_before(days) };
    Market::new(parts, &sessions).unwrap()
}

/// The simulated venue as the market behind the broker.
struct Exchange {
    sim: SimExchange,
    /// The broker's number of each order here.
    numbers: Vec<String>,
    events_told: usize,
    fills_told: usize,
}

impl Exchange {
    fn new(spec: &RunSpec, market: &Market, first: usize) -> Exchange {
        let sim = SimExchange::new(spec, market, first);
        Exchange { sim, numbers: Vec::new(), events_told: 0, fills_told: 0 }
    }

    /// What the bars that end at `step` of `day` do to the orders.
    fn bars(&mut self, source: &Market, day: usize, step: usize, server: &LocalAlpaca) -> usize {
        self.sim.bars(source, day, step);
        self.tell(server)
    }

    /// Takes the orders and cancels that have come to the broker since, in the order in which they were decided: on their
    /// way one may have overtaken another.
    fn take_orders(&mut self, server: &LocalAlpaca) {
        let now = *self.sim.market.steps.last().unwrap();
        let orders = server.with(|desk| desk.orders.clone());
        let mut new: Vec<_> = orders.iter().filter(|order| !self.numbers.contains(&order.id)).collect();
        new.sort_by_key(|order| core_id(&order.client_id));
        for order in new {
            let symbol = self.sim.market.symbol(&order.symbol).unwrap();
            let side = if order.is_buy() { Side::Buy } else { Side::Sell };
            let qty: f64 = order.qty.to_string().parse().unwrap();
            let (kind, tif) = match (order.kind.as_str(), order.tif.as_str()) {
                ("market", "day") => (OrderKind::Market, TimeInForce::Day),
                ("market", "cls") => (OrderKind::MarketOnClose, TimeInForce::Cls),
                other => panic!("this exchange has no orders of {other:?}"),
            };
            let request = OrderRequest { tif, kind, ..OrderRequest::market(symbol, side, qty, "") };
            let entered = self.sim.portfolio.enter(0, request, now, symbol);
            self.numbers.push(order.id.clone());
            let desk = RiskDesk::new(Limits::default(), vec![false]);
            self.sim.portfolio.change_state(entered.id, now, OrderState::Submitting, "");
            self.sim.venue.submit(desk.approve_liquidation(entered).unwrap());
        }
        for order in orders.iter().filter(|order| order.status == "canceled") {
            let id = self.numbers.iter().position(|number| *number == order.id).unwrap();
            let record = &self.sim.portfolio.orders[id];
            if !record.state.is_final() {
                self.sim.venue.cancel(record.order.request.symbol, OrderId(id as u32), now);
            }
        }
        self.sim.settle();
    }

    /// Lets the broker say what happened since; how many executions there were.
    fn tell(&mut self, server: &LocalAlpaca) -> usize {
        let mut outcomes = Vec::new();
        for event in &self.sim.portfolio.events[self.events_told..] {
            let Some(order) = self.numbers.get(event.id.0 as usize).cloned() else { continue };
            match event.state {
                OrderState::Filled | OrderState::PartiallyFilled => {
                    let fill = self.sim.portfolio.fills[self.fills_told];
                    assert_eq!(fill.order, OrderId(event.id.0));
                    self.fills_told += 1;
                    let decimal = |value: f64| to_decimal(value).unwrap();
                    outcomes.push(Outcome::Fill { order, qty: decimal(fill.qty), price: decimal(fill.price) });
                }
                OrderState::Canceled => outcomes.push(Outcome::Cancel { order }),
                OrderState::Expired => outcomes.push(Outcome::Expire { order }),
                _ => {}
            }
        }
        self.events_told = self.sim.portfolio.events.len();
        let fills = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Fill { .. })).count();
        server.with(|desk| outcomes.into_iter().for_each(|outcome| desk.outcome(outcome)));
        fills
    }
}

/// The core's number of an order, from our id of it: session, number, and how often a part was sent before.
fn core_id(client_id: &str) -> u32 {
    let (_, rest) = client_id.split_once("-live-").unwrap();
    rest.split('-').next().unwrap().parse().unwrap()
}

/// A journal that is being written.
struct Journal(PathBuf);

impl Journal {
    /// Bars, executions and orders in it so far.
    fn counts(&self) -> (usize, usize, usize) {
        let records = read(&self.0).map(|contents| contents.records).unwrap_or_default();
        let text = |record: &Record| serde_json::to_string(record).unwrap();
        let mut counts = (0, 0, 0);
        for record in &records {
            match record {
                Record::In(_) => {
                    let text = text(record);
                    counts.0 += usize::from(text.starts_with(r#"{"in":{"kind":"bar""#));
                    counts.1 += usize::from(text.contains(r#""execution":{"#));
                }
                Record::Out(_) => counts.2 += 1,
                _ => {}
            }
        }
        counts
    }
}

/// What the session is to do, beside the defaults.
pub fn settings() -> Value {
    json!({
        "STRATEGY_SEQUENCE": ["open", "mid"],
        "TOTAL_ALLOCATION": 0.4,
        "MAX_RISK_PER_TRADE": 0.2,
        "DAILY_LOSS_LIMIT": 0.5,
        "SHORT_TYPE_OPEN": "ShortSell",
        "SHORT_TYPE_MID": "ShortSell",
        "STRAT_OPEN_BUFFER": 0.001,
        "STRAT_MID_VWAP_THRESHOLD": 0.004,
        "ENABLE_FUNNHUB_FUNDAMENTALS_FILTER": false,
        "MIN_VOLUME_THRESHOLD": 1000,
        "MIN_PRICE": 1,
        "MAX_PRICE": 100_000,
        "SLIPPAGE_SIMULATION_TYPE": "rule_based",
        "MIN_MARKET_CAP_OPEN": 1, "MAX_MARKET_CAP_OPEN": 9e12, "MIN_MARKET_CAP_MID": 1, "MAX_MARKET_CAP_MID": 9e12,
    })
}

/// A day of a live session in the real program; the folder of its data, and the journal in it.
fn live_day(market: &Market, day: usize) -> (TempDir, PathBuf) {
    let server = before_the_open(market, day, Setup::default());
    let live = Live::start_on(tempfile::tempdir().unwrap(), &FEED);
    set_up(&live, server.url(), &universe(market.days[day].date, &market.symbols));
    let mut admin = live.logged_in(ADMIN);
    put_settings(&mut admin, settings());
    let start = json!({ "mode": "live", "confirm": "LIVE", "current_password": PASSWORD });
    let reply = admin.json("POST", "/api/v1/control/start", &start);
    assert_eq!(reply.status, 200, "{}\n{}", reply.text(), live.stderr());
    let session = reply.json()["session"].as_str().unwrap().to_string();
    let folder = live.data().join("output/ACME_US_ALPACA_BOT1/sessions").join(session);
    let path = folder.join("journal");
    let spec = read(&path).unwrap().beginning(&path).unwrap().0.spec;
    let expected = backtest(&spec, market, day);
    let mut exchange = Exchange::new(&spec, market, day);
    let journal = Journal(path.clone());
    let summary = folder.join("session.json");
    let (mut seen_bars, mut fills) = (0, 0);
    for step in market.days[day].first_step..market.days[day].end_step {
        let now = market.steps[step];
        // What the bars do to the orders is known before anybody has seen the bars.
        fills += exchange.bars(market, day, step, &server);
        until("the executions", || (journal.counts().1 >= fills).then_some(()));
        server.feed(bars(market, day, step));
        seen_bars += market.bars_at(day, step).len();
        assert!(server.step());
        let orders = expected.iter().filter(|line| line[..19] <= tradebot::market::format_time(now)[..19]).count();
        let is_over = || summary.exists();
        until("the orders", || {
            let (bars, _, found) = journal.counts();
            assert!(found <= orders, "an order too many: {:?}", replay_orders(&path)[orders..].first());
            (found == orders && (bars >= seen_bars || is_over())).then_some(())
        });
        if is_over() {
            break;
        }
        // Orders that belong to another one go out when that one has filled.
        let alone = |line: &&String| line.contains(" submit ") && !line.contains(" parent=");
        let sent: Vec<&String> = expected[..orders].iter().filter(alone).collect();
        until("the orders at the broker", || {
            let there: Vec<u32> = server.with(|desk| desk.orders.iter().map(|o| core_id(&o.client_id)).collect());
            let is_there = |line: &&String| there.iter().any(|id| line.contains(&format!(" submit id={id} ")));
            sent.iter().all(is_there).then_some(())
        });
        exchange.take_orders(&server);
        fills += exchange.tell(&server);
    }
    server.advance_to(market.days[day].close + 10 * SECOND);
    until("the end of the session", || summary.exists().then_some(()));
    assert!(fills > 4, "{fills} executions");
    compare_books(&server, &mut admin);
    drop(admin);
    (live.stop(), path)
}

/// The ledger and the broker have the same cash, but for the fees that the broker takes at night.
fn compare_books(server: &LocalAlpaca, admin: &mut super::Client) {
    server.with(|desk| assert!(desk.positions.is_empty(), "{:?}", desk.positions));
    let executions = server.with(|desk| desk.activities.len());
    let ledger = admin.get("/api/v1/ledger?limit=1000").json();
    let booked = ledger["entries"].as_array().unwrap().iter().filter(|entry| entry["source"] == "fill").count();
    assert_eq!(booked, executions);
}

pub fn backtest(spec: &RunSpec, market: &Market, day: usize) -> Vec<String> {
    let config = spec.config(market).unwrap();
    let strategies = spec.build_strategies().unwrap();
    let (_, stream) = run_recorded(market, &config, strategies, day..day + 1, &AtomicBool::new(false)).unwrap();
    stream.lines().to_vec()
}

pub fn replay_orders(path: &Path) -> Vec<String> {
    tradebot::session::replay::replay(path).unwrap().orders
}

fn test_mode(spec: &RunSpec, market: &Market, day: usize) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("test");
    TestDay::begin(&folder, "test-1", spec.clone(), market, day).unwrap().run(|_| {}).unwrap();
    let text = std::fs::read_to_string(folder.join("orders.txt")).unwrap();
    text.lines().map(String::from).collect()
}

fn tbot_replay(path: &Path) -> (bool, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tbot")).arg("replay").arg(path).output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

fn four_ways(market: &Market) {
    let day = market.days.len() - 1;
    let (_folder, path) = live_day(market, day);
    let (plan, ..) = read(&path).unwrap().beginning(&path).unwrap();
    let live: Vec<String> = read(&path).unwrap().records.iter().filter_map(order_of).collect();
    assert!(live.len() > 4, "{live:?}");
    assert_eq!(live, backtest(&plan.spec, market, day), "the backtest");
    assert_eq!(live, test_mode(&plan.spec, market, day), "TEST_MODE");
    assert_eq!(live, replay_orders(&path), "the replay");
    let (same, words) = tbot_replay(&path);
    assert!(same, "{words}");
    // One byte.
    let text = std::fs::read_to_string(&path).unwrap();
    let at = text.find(" submit id=").unwrap() + " submit id=".len();
    let mut bytes = text.into_bytes();
    bytes[at] = if bytes[at] == b'9' { b'8' } else { bytes[at] + 1 };
    std::fs::write(&path, bytes).unwrap();
    let (same, words) = tbot_replay(&path);
    assert!(!same && words.contains("record"), "{words}");
}

pub fn order_of(record: &Record) -> Option<String> {
    match record {
        Record::Out(line) => Some(line.clone()),
        _ => None,
    }
}

#[test]
fn a_generated_day_gives_the_same_orders_four_ways() {
    let mut options = LoadOptions::new(Source::Named("generated_minutes".to_string()));
    options.symbols = Some(["SIM01", "SIM02", "SIM03", "SIM04", "SIM05", "SIM06"].map(String::from).to_vec());
    four_ways(&as_a_broker_tells(load(&options).unwrap()));
}

#[test]
fn a_real_day_gives_the_same_orders_four_ways() {
    let Some(path) = sample("alpaca_1m_2022_2024/bars_1m.parquet") else { return };
    let mut options = LoadOptions::new(Source::Path(path));
    options.symbols = Some(["AMD", "QQQ", "SPY"].map(String::from).to_vec());
    options.from = Some(tradebot::market::parse_date("2022-01-03").unwrap());
    options.to = Some(tradebot::market::parse_date("2022-01-07").unwrap());
    four_ways(&as_a_broker_tells(load(&options).unwrap()));
}
