//! A day that a seed makes: bars, orders, faults, and what people and processes do.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rust_decimal::Decimal;
use tradebot::backtest::{InputFile, RunSpec};
use tradebot::live::Ending;
use tradebot::market::{MINUTE, Nanos, SECOND, format_time, parse_time};
use tradebot::session::Command;

use super::filler::{Draws, Wild, part};
use super::rig::Rig;
use super::{FOREVER, books};
use crate::local_alpaca::{FeedBar, LocalAlpaca, Outcome as Happening, RandomFaults, Setup};
use crate::session::drive::spec;

const SYMBOLS: [&str; 4] = ["AAPL", "MSFT", "SPY", "TSLA"];
/// Minutes of a schedule.
const MINUTES: i64 = 24;

/// What schedules came to.
#[derive(Debug, Default)]
pub struct Outcome {
    pub executions: u64,
    pub entries: u64,
    pub orders: u64,
    pub faults: u64,
    pub restarts: u64,
    /// How often a position was unprotected, and how long at most without anything disturbed, milliseconds.
    pub unprotected: u64,
    pub longest_ms: u128,
    /// Why orders of the core were refused, and how often.
    pub refused: BTreeMap<String, u64>,
}

impl Outcome {
    pub fn add(&mut self, other: &Outcome) {
        self.executions += other.executions;
        self.entries += other.entries;
        self.orders += other.orders;
        self.faults += other.faults;
        self.restarts += other.restarts;
        self.unprotected += other.unprotected;
        self.longest_ms = self.longest_ms.max(other.longest_ms);
        for (reason, count) in &other.refused {
            *self.refused.entry(reason.clone()).or_default() += count;
        }
    }
}

/// How much goes wrong.
pub struct Schedule {
    seed: u32,
    draws: Draws,
    per_mille: u32,
    open: Nanos,
    first: i64,
}

impl Schedule {
    pub fn new(seed: u32) -> Schedule {
        let draws = Draws(seed);
        let per_mille = [0, 60, 150, 300][seed as usize % 4];
        // Every fifth goes to the close.
        let first = if seed % 5 == 4 { 390 - MINUTES } else { 0 };
        Schedule { seed, draws, per_mille, open: parse_time("2024-03-26T13:30:00Z").unwrap(), first }
    }

    /// Orders from a file; otherwise `open` with its exits.
    fn is_of_file(&self) -> bool {
        !(self.seed % 6 == 5 && self.first == 0)
    }

    fn side_is_buy(&self, k: usize) -> bool {
        self.draws.below(&format!("side {k}"), 3) != 0
    }

    /// Bars of the day before, and of the day.
    fn bars(&self) -> Vec<FeedBar> {
        let mut bars = Vec::new();
        for symbol in SYMBOLS {
            let mut price = 10_000_i64;
            let day_before = self.open - 24 * 60 * MINUTE;
            let starts = (0..2).map(|k| day_before + k * MINUTE);
            let starts = starts.chain((0..self.first.min(2)).map(|k| self.open + k * MINUTE));
            let starts = starts.chain((self.first.max(2) - 2..self.first + MINUTES).map(|k| self.open + k * MINUTE));
            let mut starts: Vec<Nanos> = starts.collect();
            starts.dedup();
            starts.sort_unstable();
            starts.dedup();
            for start in starts {
                let [a, b, c, gap] = self.draws.of(symbol, (start / MINUTE) as u32);
                let open = price;
                price += i64::from(a % 161) - 80;
                let (high, low) = (open.max(price) + i64::from(b % 30), open.min(price) - i64::from(c % 30));
                if gap % 20 == 19 {
                    continue;
                }
                let cents = |value: i64| Decimal::new(value, 2);
                bars.push(FeedBar {
                    symbol: symbol.to_string(),
                    start,
                    open: cents(open),
                    high: cents(high),
                    low: cents(low),
                    close: cents(price),
                    volume: 10_000,
                });
            }
        }
        bars
    }

    /// Entries with their exits.
    fn orders(&self, bars: &[FeedBar]) -> String {
        let mut text = "ts,id,symbol,side,type,qty,limit,stop,trail,trail_pct,tif,oco,parent,cancel\n".to_string();
        for (k, symbol) in SYMBOLS.iter().enumerate() {
            let is_buy = self.side_is_buy(k);
            let (side, other) = if is_buy { ("buy", "sell") } else { ("sell", "buy") };
            let sign = if is_buy { 1.0 } else { -1.0 };
            let mut minute = self.first + 1 + i64::from(self.draws.below(&format!("begin {k}"), 3));
            while minute < self.first + MINUTES - 2 {
                let [kind, size, stop, target] = self.draws.of(&format!("entry {k}"), minute as u32);
                let [extra, cancel, next, percent] = self.draws.of(&format!("exits {k}"), minute as u32);
                let at = |minute: i64| format_time(self.open + minute * MINUTE);
                let last =
                    bars.iter().rev().find(|bar| bar.symbol == *symbol && bar.start < self.open + minute * MINUTE);
                let price: f64 = last.unwrap().close.to_string().parse().unwrap();
                let (t, id) = (at(minute), format!("{k}-{minute}"));
                let is_fraction = is_buy && size % 2 == 0;
                let qty = if is_fraction {
                    format!("{:.*}", 1 + (size % 9) as usize, 1.0 + f64::from(size % 9_999) / 700.0)
                } else {
                    (1 + size % 20).to_string()
                };
                let entry = match kind % 10 {
                    0..=5 => "market,QTY,,,,,day".to_string(),
                    6..=8 => format!("limit,QTY,{:.2},,,,day", price - sign * f64::from(kind % 30) / 100.0),
                    _ => format!("stop,QTY,,{:.2},,,day", price + sign * 0.2),
                };
                text += &format!("{t},{id},{symbol},{side},{},,,\n", entry.replace("QTY", &qty));
                let protect = match stop % 6 {
                    0 if !is_fraction => {
                        format!("trailing_stop,{qty},,,,{:.1},day", 0.2 + f64::from(percent % 5) / 10.0)
                    }
                    _ => format!("stop,{qty},,{:.2},,,day", price - sign * (0.1 + f64::from(stop % 60) / 100.0)),
                };
                text += &format!("{t},{id}s,{symbol},{other},{protect},g{id},{id},\n");
                if target % 3 > 0 {
                    let limit = price + sign * (0.2 + f64::from(target % 80) / 100.0);
                    text += &format!("{t},{id}t,{symbol},{other},limit,{qty},{limit:.2},,,,day,g{id},{id},\n");
                }
                if extra % 2 == 0 {
                    text += &format!("{t},{id}c,{symbol},{other},market_on_close,{qty},,,,,cls,g{id},{id},\n");
                }
                if cancel % 4 == 0 {
                    text += &format!("{},,,,,,,,,,,,,{id}\n", at(minute + 1 + i64::from(cancel % 3)));
                }
                minute += 5 + i64::from(next % 6);
            }
        }
        text
    }

    fn spec(&self, bars: &[FeedBar], cash: f64) -> RunSpec {
        let mut spec = if !self.is_of_file() {
            let mut spec = spec("open", &[("stop", "range"), ("target_r", "2")]);
            for setting in [
                "MAX_PRICE=200",
                "MIN_VOLUME_THRESHOLD=0",
                "OPEN_ANALYSIS_TIME=4",
                "OPEN_BREAKOUT_TIME=10",
                "OPEN_MONITORING_TIME=5",
                "STRAT_OPEN_BUFFER=0.0001",
                "SHORT_TYPE_OPEN=ShortSell",
            ] {
                spec.settings.set(setting).unwrap();
            }
            spec
        } else {
            let mut spec = spec("orders", &[]);
            spec.orders = Some(InputFile { name: "orders.csv".to_string(), text: self.orders(bars) });
            spec
        };
        spec.cash = cash;
        spec
    }

    /// Runs it.
    pub fn run(&self) -> Outcome {
        let what = format!("seed {}", self.seed);
        let calm = Arc::new(AtomicBool::new(false));
        let refusals = Arc::default();
        let filler = Wild { draws: self.draws, calm: Arc::clone(&calm), refusals: Arc::clone(&refusals) };
        let now = self.open - 24 * 60 * MINUTE;
        let server = LocalAlpaca::start(Setup { filler: Box::new(filler), now, ..Setup::default() });
        let bars = self.bars();
        server.feed(bars.iter().cloned());
        server.advance_to(self.open + self.first * MINUTE - SECOND);
        let mut rig = Rig::begin(&what, server, |cash| self.spec(&bars, cash));
        rig.refusals = refusals;
        let is_of_file = self.is_of_file();
        for (k, symbol) in SYMBOLS.iter().enumerate() {
            if is_of_file {
                let side = if self.side_is_buy(k) { Decimal::ONE } else { -Decimal::ONE };
                rig.monitor.sides.insert(symbol.to_string(), side);
            }
        }
        let random =
            RandomFaults { seed: self.seed, requests_per_mille: self.per_mille, messages_per_mille: self.per_mille };
        rig.until("order updates arrive", |rig| rig.said.is_up);
        rig.server.random_faults(Some(random));
        let command = match self.draws.below("command", 6) {
            0 => Some(Command::Kill),
            1 | 2 => Some(Command::Stop),
            _ => None,
        };
        let command_at = 5 + i64::from(self.draws.below("command at", MINUTES as u32 - 8));
        let mut restarts = 0;
        for minute in 0..MINUTES {
            let [event, pause, second, how] = self.draws.of("minute", minute as u32);
            let is_disturbed = self.per_mille > 0;
            match event % 24 {
                0 | 1 if is_disturbed => {
                    rig.look();
                    let (was_up, before) = (rig.said.is_up, rig.said.alerts("order stream: down"));
                    rig.server.cut_streams();
                    let is_told = |rig: &Rig| rig.said.alerts("order stream: down") > before || !rig.is_running();
                    if was_up {
                        rig.until("somebody is told that order updates do not arrive", is_told);
                    }
                }
                2 if is_disturbed => {
                    rig.server.mute_streams(true);
                }
                3 if is_disturbed => {
                    rig.server.refuse_streams(true);
                    rig.server.cut_streams();
                }
                4 if is_disturbed => {
                    rig.is_open = false;
                    rig.look();
                    rig.server.outage(true);
                }
                5 if is_disturbed => {
                    restarts += 1;
                    rig.end_process();
                    rig.look();
                    if how % 2 == 0 {
                        rig.server.step();
                    }
                    rig.begin_process();
                }
                _ => {}
            }
            if let Some(command) = command.filter(|_| minute == command_at) {
                rig.command(command);
            }
            rig.server.step();
            if pause % 6 != 0 {
                let is_reachable = rig.is_open && !matches!(event % 24, 2 | 3);
                rig.quiet(Duration::from_millis(if is_reachable { 400 } else { 40 }));
            }
            rig.server.mute_streams(false);
            rig.server.refuse_streams(false);
            rig.server.outage(false);
            rig.look();
            rig.is_open = true;
            self.fill_between(&rig, minute as u32);
            if second % 3 == 0 {
                let now = rig.server.with(|desk| desk.now());
                rig.server.advance_to(now + SECOND * i64::from(2 + second % 20));
                rig.quiet(Duration::from_millis(60));
            }
            if !rig.is_running() {
                break;
            }
        }
        // Everything becomes calm.
        calm.store(true, Ordering::SeqCst);
        rig.server.random_faults(None);
        self.settle(&mut rig, command.is_some() || self.draws.below("end", 2) == 0);
        rig.end_process();
        assert!(rig.monitor.faults.is_empty(), "{what}: {}", rig.monitor.faults.join("\n"));
        assert!(rig.said.against_rules.is_empty(), "{what}: sent all the same: {:?}", rig.said.against_rules);
        let executions = books::compare(&rig, &what) as u64;
        let (orders, faults) = rig.server.watch(|desk, watched| (desk.orders.len() as u64, watched.faults));
        Outcome {
            executions,
            entries: rig.said.entries,
            orders,
            faults,
            restarts,
            unprotected: rig.monitor.episodes,
            longest_ms: rig.monitor.longest.as_millis(),
            refused: rig.said.refusals(),
        }
    }

    /// Parts of orders fill while no minute ends.
    fn fill_between(&self, rig: &Rig, minute: u32) {
        rig.server.with(|desk| {
            let open: Vec<_> = desk.orders.iter().filter(|order| order.status != "accepted").cloned().collect();
            for order in open.into_iter().filter(|order| !order.is_final() && order.kind == "market") {
                let [whether, size, ..] = self.draws.of(&order.client_id, 1_000_000 + minute);
                if whether % 3 == 0 && order.tif == "day" && desk.is_open() {
                    let qty = part(order.qty - order.filled, size);
                    let price = desk.price(&order.symbol);
                    desk.outcome(Happening::Fill { order: order.id, qty, price });
                }
            }
        });
    }

    /// Waits until both sides agree; with `close`, until everything is closed.
    fn settle(&self, rig: &mut Rig, close: bool) {
        let began = std::time::Instant::now();
        // What is lost is known to be lost after a while by the broker's clock.
        for _ in 0..40 {
            rig.quiet(Duration::from_millis(60));
            if rig.is_settled() {
                break;
            }
            self.fill_all(rig);
            let now = rig.server.with(|desk| desk.now());
            rig.server.advance_to(now + 5 * SECOND);
        }
        rig.until(&format!("both agree, after {} ms", began.elapsed().as_millis()), Rig::is_settled);
        if !rig.is_running() {
            assert!(matches!(rig.said.ended, Some(Ending::Over)), "seed {}: {:?}", self.seed, rig.said.ended);
            return;
        }
        if !close || !rig.server.with(|desk| desk.is_open()) {
            // Near the close a stop is just being exchanged for an order to the market: over the close with it.
            let (now, session) = rig.server.with(|desk| (desk.now(), desk.session()));
            if let Some(session) = session.filter(|session| now > session.close - 3 * MINUTE) {
                rig.server.advance_to(now.max(session.close + SECOND));
            }
            for _ in 0..20 {
                rig.quiet(Duration::from_millis(200));
                if rig.is_settled() {
                    break;
                }
            }
            return;
        }
        rig.command(Command::Stop);
        let began = std::time::Instant::now();
        while rig.is_running() && began.elapsed() < FOREVER {
            // Refusals from before the calm are waited out by the broker's clock.
            let now = rig.server.with(|desk| desk.now());
            rig.server.advance_to(now + SECOND);
            rig.quiet(Duration::from_millis(20));
            self.fill_all(rig);
        }
        assert!(!rig.is_running(), "seed {}: still open: {:#?}", self.seed, rig.status());
        let left = rig.server.with(|desk| (desk.positions.clone(), desk.orders.iter().any(|order| !order.is_final())));
        assert!(left.0.is_empty() && !left.1, "seed {}: left at the broker: {left:?}", self.seed);
    }

    /// Orders to the market from before the calm fill, too.
    fn fill_all(&self, rig: &Rig) {
        rig.server.with(|desk| {
            let open: Vec<_> = desk.orders.iter().filter(|order| !order.is_final()).cloned().collect();
            for order in open.into_iter().filter(|order| order.kind == "market" && order.tif == "day") {
                let (qty, price) = (order.qty - order.filled, desk.price(&order.symbol));
                desk.outcome(Happening::Fill { order: order.id, qty, price });
            }
        });
    }
}
