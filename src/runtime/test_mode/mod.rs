//! TEST_MODE: open, mid and close over a recorded or generated day, at once, in a folder of their own.
//!
//! The day is [`crate::session::day`]: session, simulated venue and journal of live trading on a fast clock. Here it
//! gets a thread, the flag `control/test_mode.flag` for as long as it lasts, and a record of what came of it.
//!
//! ```text
//! output/<bot>/test/<id>/result.json    the record: state, trades, fills, P&L by strategy, hash of the orders
//!                        ledger.jsonl   the entries that the fills would make; LEDGER.db is not touched
//!                        chart.json     equity, round trips, bars of the symbols that were traded
//!                        day/           journal, orders.txt, fills.jsonl, the logs, status.json
//! ```
//!
//! Nothing else changes but the flag, the audit log, and what those who look on are told. The thread has the lowest
//! priority and waits most of the time; a process of its own would keep no more away from the core, for the thread
//! never holds the lock of the core while it works, and what it breaks with ends as a test that failed.
//!
//! | what happens | state |
//! | --- | --- |
//! | the day is over | `finished` |
//! | data or disk refuse, or the program is wrong | `failed`, with the reason |
//! | somebody stops it | `cancelled` |
//! | the core ends or is killed | `interrupted`; a killed one is ended by the next start |

mod ledger;
mod record;
mod run;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::json;

pub use ledger::TrialLedger;
pub(crate) use record::ended;
pub use record::{Record, State, StrategyRecord, chart, folder, list, remove_all};
pub(crate) use run::waiting;
pub use run::{Task, spawn};

use super::flags::{self, Flag, Found};
use super::house::House;
use crate::market::{Nanos, format_time};
use crate::vault::Actor;
use crate::vault::audit::{Action, Entry};

/// Kind of the events of a test, which only admins are told.
pub const EVENT: &str = "test";
/// The data set when none is named.
pub const USUAL_DATA: &str = "generated_minutes";
/// Its day on which all three strategies trade most.
pub const USUAL_DATE: &str = "2024-12-02";
/// Dollars in the account of a test, as in a backtest when nothing is said.
pub const CASH: f64 = 100_000.0;
/// Seconds that a day lasts when nothing is said.
pub const USUAL_SECONDS: u32 = 20;
/// Most seconds that a day may last.
pub const MOST_SECONDS: u32 = 3_600;
/// Days before the day of a test whose bars are loaded, as history.
pub const HISTORY_DAYS: u64 = 120;
/// Last lines of the logs that are kept for those who come later.
const MOST_LINES: usize = 300;

/// A line of a log of the test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// The log, such as `open.log`.
    pub log: String,
    /// One JSON object.
    pub line: String,
}

/// A test under way.
#[derive(Debug, Clone, Serialize)]
pub struct Active {
    /// How it stands.
    #[serde(flatten)]
    pub record: Record,
    /// Its last log lines.
    pub lines: VecDeque<Line>,
    /// Seconds since 1970 and dollars, at each bar end.
    pub equity: Vec<(i64, f64)>,
    /// Why it is to end, if so.
    #[serde(skip)]
    stop: Option<State>,
}

/// The test of a core: one at a time, or none.
#[derive(Debug, Default)]
pub struct TestMode {
    active: Mutex<Option<Active>>,
    /// A stop was asked for, or the test is over.
    changed: Condvar,
    /// For work that looks at a flag only.
    stopping: AtomicBool,
}

impl TestMode {
    /// Whether a test runs.
    pub fn is_active(&self) -> bool {
        self.lock().is_some()
    }

    /// The test that runs, as it is now.
    pub fn active(&self) -> Option<Active> {
        self.lock().clone()
    }

    /// Takes in a test, unless one runs.
    pub fn begin(&self, record: Record) -> bool {
        let mut active = self.lock();
        if active.is_some() {
            return false;
        }
        self.stopping.store(false, Ordering::Relaxed);
        *active = Some(Active { record, lines: VecDeque::new(), equity: Vec::new(), stop: None });
        true
    }

    /// There is none any more.
    pub fn end(&self) {
        *self.lock() = None;
        self.changed.notify_all();
    }

    /// Asks the test to end as `state`; whether there is one.
    pub fn stop(&self, state: State) -> bool {
        let mut active = self.lock();
        let Some(active) = active.as_mut() else { return false };
        active.stop.get_or_insert(state);
        self.stopping.store(true, Ordering::Relaxed);
        self.changed.notify_all();
        true
    }

    /// Waits until no test runs, but not longer than `patience`; whether that came true.
    pub fn wait_for_end(&self, patience: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), patience, |active| active.is_some());
        waited.map_or_else(|poisoned| poisoned.into_inner().0.is_none(), |(active, _)| active.is_none())
    }

    /// As what the test was asked to end, if it was.
    fn stopped(&self) -> Option<State> {
        self.lock().as_ref().and_then(|active| active.stop)
    }

    /// Waits until `until`, or until the test is asked to end.
    fn pause(&self, until: Instant) -> Option<State> {
        let left = until.saturating_duration_since(Instant::now());
        let running = |active: &mut Option<Active>| active.as_ref().is_some_and(|active| active.stop.is_none());
        let waited = self.changed.wait_timeout_while(self.lock(), left, running);
        let active = waited.map_or_else(|poisoned| poisoned.into_inner().0, |(active, _)| active);
        active.as_ref().and_then(|active| active.stop)
    }

    /// Notes how the test stands.
    fn note(&self, record: &Record, lines: &[Line], equity: Option<(i64, f64)>) {
        let mut active = self.lock();
        let Some(active) = active.as_mut() else { return };
        active.record = record.clone();
        active.lines.extend(lines.iter().cloned());
        let surplus = active.lines.len().saturating_sub(MOST_LINES);
        active.lines.drain(..surplus);
        active.equity.extend(equity);
    }

    fn lock(&self) -> MutexGuard<'_, Option<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what a core that was killed has left: records of tests that did not end, and the flag.
pub fn end_what_was_left(house: &mut House, now: Nanos) {
    let flag = match flags::read(&house.disk, Flag::TestMode) {
        Ok(Found::Nothing) | Err(_) => return,
        Ok(Found::Request(request)) => Some(request),
        // What it was about is not known; the records tell.
        Ok(Found::Unreadable) => None,
    };
    let identity = house.identity();
    let left: Vec<Record> = list(house.disk.path(), &identity).unwrap_or_default();
    for mut record in left.into_iter().filter(|record| !record.state.is_end()) {
        record.end(State::Interrupted, Some("The core ended before it.".to_string()), now);
        // A record that cannot be written now is shown as interrupted all the same.
        let _ = record.write(&house.disk);
    }
    let id = flag.as_ref().map_or("unknown", |request| request.id.as_str());
    let detail = json!({ "started_utc": flag.as_ref().map(|request| &request.utc), "ended_utc": format_time(now) });
    let entry = Entry::new(now, &Actor::core(), Action::TestEnd, id, State::Interrupted.word());
    house.audit.note(entry.detail(detail));
    // One that cannot be removed now is found by the next start.
    let _ = flags::lower(&house.disk, Flag::TestMode);
}
