//! The thread of a test.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{Days, NaiveDate};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::ledger::TrialLedger;
use super::record::{CHART_FILE, Chart, ChartBars, MOST_CHART, Record, State, StrategyRecord};
use super::{EVENT, HISTORY_DAYS, Line};
use crate::backtest::RunSpec;
use crate::data::load_until;
use crate::live::priority::{LOWEST, give_way};
use crate::market::{Market, Nanos, SECOND, format_date, format_time, parse_time};
use crate::runtime::core::{Core, Event};
use crate::runtime::flags::{self, Flag};
use crate::session::StatusSnapshot;
use crate::session::day::{ORDERS_FILE, Progress, TestDay};
use crate::vault::Actor;
use crate::vault::audit::{Action, Entry};

/// Those who look on are told at most so often.
const TOLD_PAUSE: Duration = Duration::from_millis(200);
/// Symbols whose bars are kept to be drawn.
const MOST_SYMBOLS: usize = 12;

/// A test that is to be run.
pub struct Task {
    /// What is known of it so far.
    pub record: Record,
    /// What runs.
    pub spec: RunSpec,
    /// The session.
    pub date: NaiveDate,
    /// Who started it.
    pub by: Actor,
}

/// Why a test ended before its day.
enum Early {
    Stopped(State),
    Failed(String),
}

impl Early {
    fn failed(error: impl std::fmt::Display) -> Early {
        Early::Failed(error.to_string())
    }
}

/// Begins the thread. Whatever comes of it, the test ends: with its record, an entry in the audit log, and no flag.
pub fn spawn(core: &Arc<Core>, task: Task) {
    let (own, mut record, by) = (Arc::clone(core), task.record.clone(), task.by.clone());
    let thread = std::thread::Builder::new().name("test mode".to_string());
    let begun = thread.spawn(move || {
        give_way(LOWEST);
        let Task { mut record, spec, date, by } = task;
        let ended = catch_unwind(AssertUnwindSafe(|| alone(|| run(&own, &mut record, spec, date))));
        let (state, message) = match ended {
            Ok(Ok(())) => (State::Finished, None),
            Ok(Err(Early::Stopped(state))) => (state, None),
            Ok(Err(Early::Failed(why))) => (State::Failed, Some(without_root(&own, &why))),
            Err(_) => (State::Failed, Some("This failed inside the program. The log says more.".to_string())),
        };
        end(&own, &mut record, state, message, &by);
    });
    if begun.is_err() {
        end(core, &mut record, State::Failed, Some("The system gave no thread.".to_string()), &by);
    }
}

/// Does work that would divide itself among the threads of the process on one thread, of the priority of this one. The
/// threads of the process, which others use, would be made with this priority if this work were the first to use them.
fn alone(work: impl FnOnce() -> Result<(), Early> + Send) -> Result<(), Early> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).thread_name(|_| "test mode".to_string()).build();
    pool.map_err(Early::failed)?.install(work)
}

fn end(core: &Core, record: &mut Record, state: State, message: Option<String>, by: &Actor) {
    record.end(state, message, core.now());
    core.with(|house| {
        // A record that cannot be written is shown as interrupted; the audit log has its end.
        let _ = record.write(&house.disk);
        let detail = json!({
            "data": record.data, "date": record.date, "trades": record.trades, "fills": record.fills,
            "pnl": record.pnl, "orders_sha256": record.orders_sha256, "message": record.message,
        });
        house.audit.note(Entry::new(core.now(), by, Action::TestEnd, &record.id, state.word()).detail(detail));
        // One that cannot be removed now is removed at the next start.
        let _ = flags::lower(&house.disk, Flag::TestMode);
        house.test.end();
    });
    core.tell(Event::new(EVENT, json!({ "test": record, "lines": [], "equity": [] })));
}

/// Words without the way to the data folder.
fn without_root(core: &Core, words: &str) -> String {
    let root = core.with(|house| house.disk.path().display().to_string());
    words.replace(&format!("{root}/"), "")
}

fn run(core: &Core, record: &mut Record, mut spec: RunSpec, date: NaiveDate) -> Result<(), Early> {
    let (disk, test) = core.with(|house| (house.disk.clone(), Arc::clone(&house.test)));
    let begun = Instant::now();
    spec.data.from = date.checked_sub_days(Days::new(HISTORY_DAYS));
    spec.data.to = Some(date);
    let stopped = |error: &dyn std::fmt::Display| test.stopped().map_or_else(|| Early::failed(error), Early::Stopped);
    let market = load_until(&spec.data, &test.stopping).map_err(|error| stopped(&error))?;
    let day = (0..market.days.len()).find(|&day| market.session_of(day).date == date);
    let day = day.ok_or_else(|| no_session(&market, date))?;
    let facts = market.days[day];
    let cash = spec.cash;
    record.of = (facts.end_step - facts.first_step) as u64;

    let session = format!("test-{}", record.id);
    let folder = disk.path().join(record.day_folder());
    let mut going = TestDay::begin(&folder, &session, spec, &market, day).map_err(Early::failed)?;
    let mut ledger = TrialLedger::default();
    let ledger_file = format!("{}/ledger.jsonl", record.folder);
    let write = |entry: String| disk.append(&ledger_file, format!("{entry}\n").as_bytes()).map_err(Early::failed);
    write(ledger.open(&record.id, cash, facts.open - SECOND).map_err(Early::failed)?)?;

    let mut chart = Chart::default();
    let mut teller = Teller::default();
    let pace = f64::from(record.seconds) / record.of.max(1) as f64;
    loop {
        let progress = going.advance().map_err(Early::failed)?;
        for fill in &progress.fills {
            write(ledger.fill(fill).map_err(Early::failed)?)?;
        }
        let status = going.status();
        // The clock of the session is a moment ahead of the bars, whose end is what happened.
        let bar_end = market.steps[facts.first_step + progress.done.max(1) - 1];
        take(record, &progress, &status, bar_end);
        (record.ledger_entries, record.ledger_cash) = (ledger.entries(), Some(ledger.cash().normalize().to_string()));
        let point = Some((bar_end / SECOND, status.equity)).filter(|_| !progress.finished);
        chart.equity.extend(point);
        let lines: Vec<Line> =
            progress.lines.iter().map(|log| Line { log: log.file.clone(), line: log.line.clone() }).collect();
        test.note(record, &lines, point);
        teller.tell(core, record, lines, point, progress.finished);
        if progress.finished {
            chart.trades = status.trades;
            break;
        }
        let due = begun.checked_add(Duration::from_secs_f64(pace * progress.done as f64)).unwrap_or(begun);
        if let Some(state) = test.pause(due) {
            return Err(Early::Stopped(state));
        }
    }
    let orders = std::fs::read(folder.join(ORDERS_FILE));
    let orders = orders.or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(Vec::new()),
        _ => Err(Early::failed(error)),
    })?;
    record.orders = orders.iter().filter(|byte| **byte == b'\n').count() as u64;
    record.orders_sha256 = Some(Sha256::digest(&orders).iter().map(|byte| format!("{byte:02x}")).collect());
    chart.bars = bars(&market, day, &chart);
    let drawn = serde_json::to_vec(&chart).map_err(Early::failed)?;
    if drawn.len() as u64 <= MOST_CHART {
        disk.write(&format!("{}/{CHART_FILE}", record.folder), &drawn).map_err(Early::failed)?;
    }
    Ok(())
}

fn no_session(market: &Market, date: NaiveDate) -> Early {
    let last = market.days.len().checked_sub(1).map(|last| format_date(market.session_of(last).date));
    let last = last.map_or(String::new(), |last| format!("; the last one before it is {last}"));
    Early::Failed(format!("There is no session of {} in the data{last}.", format_date(date)))
}

/// Takes over how the session stands.
fn take(record: &mut Record, progress: &Progress, status: &StatusSnapshot, bar_end: Nanos) {
    record.done = progress.done as u64;
    record.clock_utc = Some(format_time(bar_end));
    record.trades = status.trades.len() as u64;
    record.fills += progress.fills.len() as u64;
    record.pnl = status.pnl;
    record.win_rate = status.win_rate;
    record.equity = Some(status.equity);
    record.warnings.clone_from(&status.warnings);
    for own in &mut record.strategies {
        let window = status.windows.iter().find(|window| window.strategy == own.strategy);
        let trades = status.trades.iter().filter(|trade| trade.strategy == own.strategy);
        own.trades = trades.clone().count() as u64;
        own.pnl = trades.map(|trade| trade.pnl).sum();
        own.fills += progress.fills.iter().filter(|fill| fill.strategy == own.strategy).count() as u64;
        own.signals = window.map_or(0, |window| window.signals);
        let passed = |time: &str| parse_time(time).is_ok_and(|time| bar_end >= time);
        let stage = match window {
            None => "no window",
            Some(window) if progress.finished || passed(&window.end) => "over",
            Some(window) if !passed(&window.start) => "waiting",
            Some(window) if !passed(&window.analysis_end) => "analysis",
            Some(window) if !passed(&window.entry_end) => "entries",
            Some(_) => "monitoring",
        };
        own.stage = stage.to_string();
    }
}

/// Bars of the day of what was traded.
fn bars(market: &Market, day: usize, chart: &Chart) -> BTreeMap<String, ChartBars> {
    let mut found = BTreeMap::new();
    for trade in &chart.trades {
        let Some(symbol) = market.symbol(&trade.instrument) else { continue };
        if found.len() >= MOST_SYMBOLS || found.contains_key(&trade.instrument) {
            continue;
        }
        let series = &market.series[symbol.index()];
        let mut columns = ChartBars::default();
        for i in market.day_range(symbol, day) {
            let bar = series.bar(i);
            columns.t.push(series.start[i] / SECOND);
            columns.open.push(bar.open);
            columns.high.push(bar.high);
            columns.low.push(bar.low);
            columns.close.push(bar.close);
        }
        found.insert(trade.instrument.clone(), columns);
    }
    found
}

/// Tells those who look on, several bar ends at once.
#[derive(Default)]
struct Teller {
    last: Option<Instant>,
    lines: Vec<Line>,
    equity: Vec<(i64, f64)>,
}

impl Teller {
    fn tell(&mut self, core: &Core, record: &Record, lines: Vec<Line>, point: Option<(i64, f64)>, now: bool) {
        self.lines.extend(lines);
        self.equity.extend(point);
        if !now && self.last.is_some_and(|last| last.elapsed() < TOLD_PAUSE) {
            return;
        }
        self.last = Some(Instant::now());
        let (lines, equity) = (std::mem::take(&mut self.lines), std::mem::take(&mut self.equity));
        core.tell(Event::new(EVENT, json!({ "test": record, "lines": lines, "equity": equity })));
    }
}

/// The strategies of a test before it begins.
pub(crate) fn waiting(spec: &RunSpec) -> Vec<StrategyRecord> {
    let waiting = |name: &String| StrategyRecord {
        strategy: name.clone(),
        stage: "waiting".to_string(),
        signals: 0,
        trades: 0,
        fills: 0,
        pnl: 0.0,
    };
    spec.strategies.iter().map(|choice| waiting(&choice.name)).collect()
}
