//! A session with its broker: everything of `live` as the core process puts it together.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tradebot::backtest::{InputFile, RunSpec};
use tradebot::brokers::alpaca::{Alpaca, AlpacaOptions, Timing};
use tradebot::brokers::{ApiLine, ApiLog, Broker, OrderBook, SymbolUniverse, to_f64};
use tradebot::live::{Arrival, Ask, BrokerFeed, Ending, Host, Inbox, Line, MarketClock, Shown, Told, words};
use tradebot::market::{MILLI, Nanos, parse_date, parse_time};
use tradebot::session::live::{LiveVenue, Request};
use tradebot::session::{Command, Mode, Output, Plan, Recorder, StatusSnapshot};

use super::FOREVER;
use super::monitor::Monitor;
use crate::local_alpaca::{KEY, LocalAlpaca, SECRET, Watched};
use crate::market_feed;

pub const SESSION: &str = "faults-1";

/// A process: its connection, its trading thread, what it says.
struct Process {
    line: Line,
    inbox: Inbox,
    told: Receiver<Told>,
    shown: Arc<Shown>,
    thread: JoinHandle<()>,
}

/// What was said to the broker and by it.
#[derive(Default)]
struct Lines(Mutex<Vec<String>>);

impl ApiLog for Lines {
    fn record(&self, line: &ApiLine) {
        self.0.lock().unwrap().push(line.to_json());
    }
}

/// What the process said so far.
#[derive(Default)]
pub struct Said {
    pub count: u64,
    pub notes: Vec<(bool, String)>,
    /// Lines for logs, in which somebody must look.
    pub unresolved: Vec<String>,
    pub ended: Option<Ending>,
    /// Entries that were sent while nothing may be opened.
    pub against_rules: Vec<String>,
    pub entries: u64,
    /// Whether order updates arrive, and requests are taken, as the process has said.
    pub is_up: bool,
    is_refusing: bool,
}

pub struct Rig {
    what: String,
    pub server: Arc<LocalAlpaca>,
    _folder: tempfile::TempDir,
    pub path: PathBuf,
    pub symbols: Vec<String>,
    pub monitor: Monitor,
    pub said: Said,
    /// The broker takes requests, as far as the test makes it.
    pub is_open: bool,
    patience: Nanos,
    /// How often the broker has turned down or ended an order by itself.
    pub refusals: Arc<AtomicU64>,
    lines: Arc<Lines>,
    process: Option<Process>,
}

/// A client with waits of milliseconds.
fn broker(server: &LocalAlpaca, lines: &Arc<Lines>) -> Arc<dyn Broker> {
    let timing = Timing {
        retry_first: Duration::from_millis(1),
        retry_longest: Duration::from_millis(4),
        reconnect_first: Duration::from_millis(2),
        reconnect_longest: Duration::from_millis(10),
        ping: Duration::from_millis(500),
        silence: Duration::from_secs(5),
        poll: Duration::from_millis(50),
        // By the broker's clock.
        lost_after: Duration::from_secs(20),
    };
    let options = AlpacaOptions {
        timeout: Duration::from_secs(15),
        calls_per_minute: 1_000_000,
        timing,
        log: lines.clone(),
        ..AlpacaOptions::new(server.url(), KEY.into(), SECRET.into(), server.now())
    };
    Arc::new(Alpaca::new(options).unwrap())
}

/// All stocks of the server.
fn universe(server: &LocalAlpaca) -> SymbolUniverse {
    let session = parse_date("2024-03-25").unwrap();
    server.with(|desk| market_feed::universe(session, desk.assets.keys()))
}

impl Rig {
    /// A session that `spec` makes of the cash, before the open.
    pub fn begin(what: &str, server: LocalAlpaca, spec: impl FnOnce(f64) -> RunSpec) -> Rig {
        let server = Arc::new(server);
        let lines = Arc::new(Lines::default());
        let line = Line::new(broker(&server, &lines), MarketClock::system(server.now())).unwrap();
        let opening = line.opening(&universe(&server), std::path::Path::new("nothing beside"), true).unwrap();
        assert!(opening.held.is_empty());
        let rules = words::venue_rules(line.broker().capabilities());
        let patience = i64::from(rules.patience_ms) * MILLI;
        let mut spec = spec(to_f64(opening.account.cash));
        spec.borrow = Some(InputFile { name: "borrow.csv".to_string(), text: opening.borrow });
        let (plan, history) = Plan::new(SESSION, Mode::Live(rules), spec, 1_000, &opening.parts).unwrap();
        let symbols: Vec<String> = opening.parts.series.into_iter().map(|(symbol, _)| symbol).collect();
        // In memory, where there is such a place: a disk that is busy holds up each input for longer than all waits here.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let path = folder.path().join("journal");
        let recorder = Recorder::begin(&path, plan, &history, |plan, _| plan.live_venue()).unwrap();
        let mut rig = Rig {
            what: what.to_string(),
            server,
            _folder: folder,
            path,
            symbols,
            monitor: Monitor::default(),
            said: Said::default(),
            is_open: true,
            patience,
            refusals: Arc::default(),
            lines,
            process: None,
        };
        rig.launch(recorder, line, OrderBook::new(), opening.session.open, Vec::new());
        rig
    }

    fn launch(
        &mut self,
        recorder: Recorder<LiveVenue>,
        line: Line,
        known: OrderBook,
        since: Nanos,
        first: Vec<Output>,
    ) {
        let (inbox, received) = Inbox::new();
        let began = Instant::now();
        while let Err(error) = line.connect(known.clone(), &self.symbols, since, &inbox) {
            assert!(began.elapsed() < FOREVER, "{error}");
            std::thread::sleep(Duration::from_millis(1));
        }
        let desk = line.desk(&inbox, (Duration::from_millis(1), Duration::from_millis(8)));
        let feed = BrokerFeed::new(&self.symbols, line.clock().clone(), true, Duration::from_millis(2));
        let shown = Shown::new(recorder.session().status(), recorder.session().is_open());
        let (told, heard) = channel();
        let host = Host::new(recorder, feed, Some(desk), received, told, Arc::clone(&shown))
            .with_comparisons(Duration::from_millis(200), Duration::from_millis(20));
        let thread = std::thread::Builder::new().name("trading".to_string());
        let thread = thread.spawn(move || host.run(first)).unwrap();
        (self.said.is_up, self.said.is_refusing, self.said.ended) = (false, false, None);
        self.process = Some(Process { line, inbox, told: heard, shown, thread });
    }

    /// Whether the trading thread has not ended by itself.
    pub fn is_running(&self) -> bool {
        self.process.is_some() && self.said.ended.is_none()
    }

    /// The session as it was a moment ago.
    pub fn status(&self) -> Arc<StatusSnapshot> {
        self.process.as_ref().unwrap().shown.status()
    }

    pub fn command(&mut self, command: Command) {
        self.process.as_ref().unwrap().inbox.send(Arrival::Ask(Ask { command, answer: None }));
    }

    /// The process ends: what it has under way is lost.
    pub fn end_process(&mut self) {
        let Some(process) = self.process.take() else { return };
        process.inbox.send(Arrival::Leave);
        process.thread.join().unwrap();
        for told in process.told.try_iter() {
            self.said.take(told);
        }
        drop(process.line);
    }

    /// The session goes on in a new process.
    pub fn begin_process(&mut self) {
        let (recorder, outputs) = Recorder::<LiveVenue>::resume(&self.path).unwrap();
        let session = recorder.session();
        let known = words::order_book(session.venue(), &self.symbols);
        let since = session
            .market()
            .steps
            .last()
            .copied()
            .unwrap_or(0)
            .max(self.server.with(|desk| desk.session().map_or(0, |session| session.open)));
        let line = Line::new(broker(&self.server, &self.lines), MarketClock::system(self.server.now())).unwrap();
        self.launch(recorder, line, known, since, outputs);
    }

    /// Takes what was said, and looks at the desk.
    pub fn look(&mut self) {
        if let Some(process) = &self.process {
            for told in process.told.try_iter() {
                self.said.take(told);
            }
        }
        let (is_on, patience) = (self.is_open && self.is_running(), self.patience);
        let heard = self.process.as_ref().and_then(|process| process.shown.status().time.clone());
        let heard = heard.map_or(Nanos::MIN, |time| parse_time(&time).unwrap());
        let monitor = &mut self.monitor;
        let refusals = self.refusals.load(Ordering::SeqCst);
        self.server.watch(|desk, watched| {
            let watched = Watched { faults: watched.faults + refusals, ..watched };
            monitor.look(desk, watched, is_on, heard, patience);
        });
    }

    /// Waits until nothing happens any more, but not longer than `longest`.
    pub fn quiet(&mut self, longest: Duration) {
        let began = Instant::now();
        let (mut last, mut still) = (None, 0);
        while began.elapsed() < longest && still < 4 {
            std::thread::sleep(Duration::from_millis(1));
            self.look();
            if !self.is_running() {
                return;
            }
            let (deeds, now, bars) = self.server.watch(|desk, watched| {
                let open = desk.session().map_or(0, |session| session.open);
                let bars = desk.market.bars.values().flatten().filter(|bar| bar.start >= open).count();
                (watched.deeds, desk.now(), bars as u64)
            });
            let status = self.status();
            let has_heard = status.time.as_deref() == Some(tradebot::market::format_time(now).as_str())
                && status.counters.bars >= bars;
            let seen = Some((self.said.count, deeds, status.counters.inputs));
            still = if has_heard && seen == last { still + 1 } else { 0 };
            last = seen;
        }
    }

    /// Waits until something holds.
    pub fn until(&mut self, what: &str, holds: impl Fn(&Rig) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < FOREVER, "{}: never came about: {what}; {:?}", self.what, self.said.notes);
            std::thread::sleep(Duration::from_millis(1));
            self.look();
        }
    }

    /// Whether the session believes what the broker has, and waits for nothing.
    pub fn is_settled(&self) -> bool {
        if !self.is_running() {
            return true;
        }
        let status = self.status();
        let agrees = self.server.with(|desk| {
            let theirs: Vec<(String, f64)> =
                desk.positions.iter().map(|(symbol, (qty, _))| (symbol.clone(), to_f64(*qty))).collect();
            let is_near = |(a, b): (&(String, f64), &(String, f64))| a.0 == b.0 && (a.1 - b.1).abs() < 1e-6;
            let mut ours = status.positions.clone();
            ours.sort_by(|a, b| a.0.cmp(&b.0));
            let is_covered = !desk.is_open() || Monitor::is_covered(desk);
            theirs.len() == ours.len() && theirs.iter().zip(&ours).all(is_near) && is_covered
        });
        agrees && status.unresolved_orders == 0 && self.said.is_up && !self.said.is_refusing
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Some(kept) = std::env::var_os("TBOT_FAULT_KEEP")
        {
            let kept = PathBuf::from(kept).join(&self.what);
            let _ = std::fs::create_dir_all(&kept);
            let _ = std::fs::copy(&self.path, kept.join("journal"));
            let _ = std::fs::write(kept.join("api.jsonl"), self.lines.0.lock().unwrap().join("\n"));
            let mut said: Vec<String> = self.said.notes.iter().map(|note| format!("{note:?}")).collect();
            said.extend(self.said.unresolved.iter().cloned());
            let _ = std::fs::write(kept.join("said.txt"), said.join("\n"));
            eprintln!("{}: kept in {}", self.what, kept.display());
        }
        if !std::thread::panicking() {
            self.end_process();
        } else if let Some(process) = self.process.take() {
            process.inbox.send(Arrival::Leave);
        }
    }
}

impl Said {
    fn take(&mut self, told: Told) {
        self.count += 1;
        match told {
            Told::Outputs(outputs) => {
                for output in outputs {
                    match output {
                        Output::Request(Request::Submit { client_id, exit: false, .. }) => {
                            self.entries += 1;
                            if !self.is_up || self.is_refusing {
                                self.against_rules.push(client_id);
                            }
                        }
                        Output::Log(log) if log.is_unresolved() => self.unresolved.push(log.line()),
                        _ => {}
                    }
                }
            }
            Told::Note(urgent, text) => {
                match text.as_str() {
                    "order stream: up" => self.is_up = true,
                    "the broker takes requests again" => self.is_refusing = false,
                    text if text.starts_with("order stream: down") => self.is_up = false,
                    text if text.starts_with("the broker takes no requests") => self.is_refusing = true,
                    _ => {}
                }
                self.notes.push((urgent, text));
            }
            Told::Ended(ending) => self.ended = Some(ending),
        }
    }

    /// Reasons of refused orders.
    pub fn refusals(&self) -> BTreeMap<String, u64> {
        let mut reasons: BTreeMap<String, u64> = BTreeMap::new();
        for line in &self.unresolved {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            if line["state"] == "Rejected" {
                *reasons.entry(line["reason"].as_str().unwrap().to_string()).or_default() += 1;
            }
        }
        reasons
    }

    /// How often somebody was told to look because of something.
    pub fn alerts(&self, what: &str) -> usize {
        self.notes.iter().filter(|(urgent, text)| *urgent && text.starts_with(what)).count()
    }
}
