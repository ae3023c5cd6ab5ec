//! What came of a test: one file in its folder.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::market::{Nanos, format_time};
use crate::runtime::jobs::is_id;
use crate::vault::layout::OUTPUT;
use crate::vault::{Disk, DiskError};

/// The record in the folder of a test.
const RECORD_FILE: &str = "result.json";
/// What a page draws.
pub(super) const CHART_FILE: &str = "chart.json";
/// The session's own files.
pub(super) const DAY_FOLDER: &str = "day";
/// Most bytes of a record.
const MOST_RECORD: u64 = 256 * 1024;
/// Most bytes of what a page draws: it must fit into an answer.
pub(super) const MOST_CHART: u64 = 700 * 1024;
/// Results of a list.
const MOST_LISTED: usize = 100;

/// How a test stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Loads its data, or runs.
    Running,
    /// The day is over.
    Finished,
    /// It could not go on.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// The core ended.
    Interrupted,
}

impl State {
    /// Whether nothing comes after it.
    pub const fn is_end(self) -> bool {
        !matches!(self, State::Running)
    }

    /// Its word.
    pub const fn word(self) -> &'static str {
        match self {
            State::Running => "running",
            State::Finished => "finished",
            State::Failed => "failed",
            State::Cancelled => "cancelled",
            State::Interrupted => "interrupted",
        }
    }
}

/// A strategy in a test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StrategyRecord {
    /// Its name.
    pub strategy: String,
    /// `waiting`, `analysis`, `entries`, `monitoring`, `over`, or `no window` on this day.
    pub stage: String,
    /// Entry orders decided, refused ones included.
    pub signals: u64,
    /// Round trips.
    pub trades: u64,
    /// Executions.
    pub fills: u64,
    /// Sum over the round trips, dollars.
    pub pnl: f64,
}

/// A test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// When it began, `YYYYMMDDTHHMMSSZ`, and a number if there was one before in the same second.
    pub id: String,
    /// How it stands.
    pub state: State,
    /// Who started it.
    pub user: String,
    /// Data set.
    pub data: String,
    /// The session.
    pub date: String,
    /// How long the day was to last.
    pub seconds: u32,
    /// RFC 3339.
    pub started_utc: String,
    /// RFC 3339.
    pub ended_utc: Option<String>,
    /// Why it did not finish.
    pub message: Option<String>,
    /// Where everything of it lies, relative to the data folder.
    pub folder: String,
    /// Bar ends that are done.
    pub done: u64,
    /// Bar ends of the day; 0 while the data are loaded.
    pub of: u64,
    /// The clock of the day.
    pub clock_utc: Option<String>,
    /// In order of decision.
    pub strategies: Vec<StrategyRecord>,
    /// Round trips.
    pub trades: u64,
    /// Executions.
    pub fills: u64,
    /// Sum over the round trips, dollars.
    pub pnl: f64,
    /// Share of the round trips with a profit; none without any.
    pub win_rate: Option<f64>,
    /// Dollars.
    pub equity: Option<f64>,
    /// Lines of the order stream.
    pub orders: u64,
    /// SHA-256 of `day/orders.txt`: that of the backtest of the same day.
    pub orders_sha256: Option<String>,
    /// Entries of the test's own ledger.
    pub ledger_entries: u64,
    /// Cash in that ledger, dollars.
    pub ledger_cash: Option<String>,
    /// What the session warned of.
    pub warnings: Vec<String>,
}

impl Record {
    /// The folder of the session's own files.
    pub fn day_folder(&self) -> String {
        format!("{}/{DAY_FOLDER}", self.folder)
    }

    /// It ended.
    pub fn end(&mut self, state: State, message: Option<String>, now: Nanos) {
        self.state = state;
        self.message = message;
        self.ended_utc = Some(format_time(now));
    }

    /// Writes it into its folder.
    ///
    /// # Errors
    /// The disk refused.
    pub fn write(&self, disk: &Disk) -> Result<(), DiskError> {
        disk.make_folder(&self.folder)?;
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        disk.write(&format!("{}/{RECORD_FILE}", self.folder), &text)
    }

    /// How it stands when no test runs: one that did not end was interrupted.
    fn settled(mut self) -> Record {
        if !self.state.is_end() {
            self.state = State::Interrupted;
        }
        self
    }
}

/// The folder of all tests of a bot, relative to the data folder.
pub fn folder(identity: &str) -> String {
    format!("{OUTPUT}/{identity}/test")
}

/// The tests of a bot, the newest first; at most 100.
///
/// # Errors
/// The folder cannot be read.
pub fn list(root: &Path, identity: &str) -> io::Result<Vec<Record>> {
    let folder = root.join(folder(identity));
    let mut names = names(&folder)?;
    names.sort_by(|a, b| b.cmp(a));
    let records = names.iter().filter_map(|name| {
        let text = read(&folder.join(name).join(RECORD_FILE), MOST_RECORD)?;
        serde_json::from_slice::<Record>(&text).ok().filter(|record| record.id == *name)
    });
    Ok(records.take(MOST_LISTED).collect())
}

/// The tests of a bot that have ended; `active`: the one that runs.
pub(crate) fn ended(records: Vec<Record>, active: Option<&str>) -> Vec<Record> {
    records.into_iter().filter(|record| Some(record.id.as_str()) != active).map(Record::settled).collect()
}

/// What a page draws of a test; `None` if there is nothing.
pub fn chart(root: &Path, identity: &str, id: &str) -> Option<Value> {
    if !is_id(id) {
        return None;
    }
    let text = read(&root.join(folder(identity)).join(id).join(CHART_FILE), MOST_CHART)?;
    serde_json::from_slice(&text).ok()
}

/// Removes everything of all tests of a bot; how many there were.
///
/// # Errors
/// The disk refused; some may be gone.
pub fn remove_all(root: &Path, identity: &str) -> io::Result<usize> {
    let folder = root.join(folder(identity));
    let names = names(&folder)?;
    for name in &names {
        // The record goes last, so that what could not be removed is still listed.
        let own = folder.join(name);
        let day = own.join(DAY_FOLDER);
        if day.exists() {
            std::fs::remove_dir_all(day)?;
        }
        std::fs::remove_dir_all(own)?;
    }
    Ok(names.len())
}

/// The folders in a folder whose name can be the id of a test; none if it does not exist.
fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.extend(entry.file_name().into_string().ok().filter(|name| is_id(name)));
        }
    }
    Ok(names)
}

/// A regular file of at most `limit` bytes.
fn read(path: &Path, limit: u64) -> Option<Vec<u8>> {
    let data = std::fs::symlink_metadata(path).ok()?;
    if !data.is_file() || data.len() > limit {
        return None;
    }
    std::fs::read(path).ok()
}

/// What a page draws of a day.
#[derive(Debug, Default, Serialize)]
pub(super) struct Chart {
    /// Seconds since 1970 and dollars, at each bar end.
    pub equity: Vec<(i64, f64)>,
    pub trades: Vec<crate::session::TradeStatus>,
    /// By symbol.
    pub bars: BTreeMap<String, ChartBars>,
}

/// Bars of a symbol in columns.
#[derive(Debug, Default, Serialize)]
pub(super) struct ChartBars {
    /// Start, seconds since 1970.
    pub t: Vec<i64>,
    pub open: Vec<f64>,
    pub high: Vec<f64>,
    pub low: Vec<f64>,
    pub close: Vec<f64>,
}
