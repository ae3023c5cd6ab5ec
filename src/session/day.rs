//! TEST_MODE: a recorded or generated day through a session on a fast clock.
//!
//! The clock jumps from bar end to bar end; between two of them whoever drives it may wait as long as the day is to
//! last. Session, paper venue and journal are those of live trading. Everything goes into a folder of its own, and
//! the orders are those of the backtest of the same day.

use super::input::{BarInput, Command, Input};
use super::output::{LedgerFill, Output, StageChange};
use super::plan::{Mode, Plan};
use super::recorder::{Recorder, RecorderError};
use super::status::StatusSnapshot;
use crate::backtest::RunSpec;
use crate::market::{MILLI, Market, Nanos, SECOND};
use crate::sim::SimVenue;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Grace period of the fast clock.
const GRACE_MS: u32 = 1_000;

/// The journal in the folder of a test.
pub const JOURNAL_FILE: &str = "journal";
/// The order stream.
pub const ORDERS_FILE: &str = "orders.txt";
/// The executions, one JSON object a line.
pub const FILLS_FILE: &str = "fills.jsonl";
/// The last status.
pub const STATUS_FILE: &str = "status.json";

/// A test that cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum TestError {
    #[error(transparent)]
    Recorder(#[from] RecorderError),
    #[error("{path}: {error}")]
    File { path: PathBuf, error: std::io::Error },
    #[error("day {found} of {days} in the data")]
    NoDay { found: usize, days: usize },
}

/// What happened at one bar end.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// The clock of the day.
    pub time: Nanos,
    /// Bar ends that are done, of so many.
    pub done: usize,
    pub of: usize,
    pub stages: Vec<StageChange>,
    pub lines: Vec<LogLine>,
    pub fills: Vec<LedgerFill>,
    /// Whether the day is over.
    pub finished: bool,
}

/// A line of a log file of the test: one JSON object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    pub file: String,
    pub line: String,
}

/// What came out of a session since it was looked at last.
#[derive(Default)]
struct Seen {
    stages: Vec<StageChange>,
    lines: Vec<LogLine>,
    fills: Vec<LedgerFill>,
}

/// Everything that arrives at `step` of `day`: values of the volatility index, the bars in order of symbol, each a
/// millisecond after the one before, and the clock.
pub fn inputs_at(market: &Market, day: usize, step: usize) -> Vec<Input> {
    let now = market.steps[step];
    let before = if step > market.days[day].first_step { market.steps[step - 1] } else { market.days[day].open };
    let mut inputs = Vec::new();
    if let Some(vix) = &market.vix {
        let rows = vix.intraday.iter().filter(|row| row.0 > before && row.0 <= now);
        inputs.extend(rows.map(|&(time, close)| Input::Vix { time, close }));
    }
    for (k, bar) in market.bars_at(day, step).iter().enumerate() {
        inputs.push(Input::Bar(BarInput::new(now + (k as Nanos + 1) * MILLI, bar)));
    }
    inputs.push(Input::Timer { time: now + i64::from(GRACE_MS) * MILLI + SECOND });
    inputs
}

/// A day under way.
pub struct TestDay<'m> {
    source: &'m Market,
    day: usize,
    next: usize,
    recorder: Recorder<SimVenue>,
    folder: PathBuf,
    files: BTreeMap<String, File>,
    finished: bool,
}

impl<'m> TestDay<'m> {
    /// A test of `day` of a market, with the days before it as history, in a new folder.
    ///
    /// # Errors
    /// A folder that is there already, a specification that cannot be run.
    pub fn begin(
        folder: &Path,
        session: &str,
        spec: RunSpec,
        source: &'m Market,
        day: usize,
    ) -> Result<TestDay<'m>, TestError> {
        let Some(facts) = source.days.get(day) else {
            return Err(TestError::NoDay { found: day, days: source.days.len() });
        };
        let io = |error| TestError::File { path: folder.to_path_buf(), error };
        std::fs::DirBuilder::new().mode(0o700).create(folder).map_err(io)?;
        let before = source.parts_before(day);
        let venue = |plan: &Plan, market: &Market| plan.sim_venue(market);
        let path = folder.join(JOURNAL_FILE);
        let (plan, history) = Plan::new(session, Mode::Test, spec, GRACE_MS, &before).map_err(RecorderError::from)?;
        let recorder = Recorder::begin(&path, plan, &history, venue)?;
        let mut test = TestDay {
            source,
            day,
            next: facts.first_step,
            recorder,
            folder: folder.to_path_buf(),
            files: BTreeMap::new(),
            finished: false,
        };
        let start = Input::Command { time: facts.open - SECOND, command: Command::Start };
        test.take(&start, &mut Seen::default())?;
        Ok(test)
    }

    /// Goes on to the next bar end, or past the last one to the end of the day.
    ///
    /// # Errors
    /// What could not be written.
    pub fn advance(&mut self) -> Result<Progress, TestError> {
        let facts = self.source.days[self.day];
        let mut seen = Seen::default();
        if self.next < facts.end_step {
            for input in inputs_at(self.source, self.day, self.next) {
                self.take(&input, &mut seen)?;
            }
            self.next += 1;
        } else if !self.finished {
            let end = facts.close.max(self.recorder.session().now()) + 10 * SECOND;
            // The last day of the data ends with its last bar, every other one with its close, as in a backtest.
            if self.day + 1 < self.source.days.len() {
                self.take(&Input::Timer { time: end }, &mut seen)?;
            }
            let end_of_data = Input::Command { time: end, command: Command::EndOfData };
            self.take(&end_of_data, &mut seen)?;
            self.finish()?;
        }
        Ok(self.progress(seen))
    }

    /// Takes an input from outside, such as a stop.
    ///
    /// # Errors
    /// What could not be written.
    pub fn command(&mut self, command: Command) -> Result<Progress, TestError> {
        let time = self.recorder.session().now();
        let mut seen = Seen::default();
        self.take(&Input::Command { time, command }, &mut seen)?;
        Ok(self.progress(seen))
    }

    fn progress(&self, seen: Seen) -> Progress {
        let facts = self.source.days[self.day];
        let Seen { stages, lines, fills } = seen;
        Progress {
            time: self.recorder.session().now(),
            done: self.next - facts.first_step,
            of: facts.end_step - facts.first_step,
            stages,
            lines,
            fills,
            finished: self.finished,
        }
    }

    /// Runs to the end of the day at once.
    ///
    /// # Errors
    /// As [`TestDay::advance`].
    pub fn run(&mut self, mut seen: impl FnMut(&Progress)) -> Result<StatusSnapshot, TestError> {
        while !self.finished {
            seen(&self.advance()?);
        }
        Ok(self.status())
    }

    /// The session as it is now.
    pub fn status(&self) -> StatusSnapshot {
        self.recorder.session().status()
    }

    fn take(&mut self, input: &Input, seen: &mut Seen) -> Result<(), TestError> {
        for output in self.recorder.handle(input)? {
            match output {
                Output::Order(line) => self.append(ORDERS_FILE, &line)?,
                Output::Fill(fill) => {
                    let line = serde_json::to_string(&fill).map_err(|error| self.error(FILLS_FILE, error.into()))?;
                    self.append(FILLS_FILE, &line)?;
                    seen.fills.push(fill);
                }
                Output::Stage(change) => seen.stages.push(change),
                // There is no broker behind a test.
                Output::Request(_) => {}
                Output::Log(log) => {
                    let line = log.line();
                    for file in log.files() {
                        self.append(&file, &line)?;
                        seen.lines.push(LogLine { file, line: line.clone() });
                    }
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), TestError> {
        let text = serde_json::to_string_pretty(&self.status());
        let text = text.map_err(|error| self.error(STATUS_FILE, error.into()))?;
        self.append(STATUS_FILE, &text)?;
        self.recorder.journal().sync().map_err(RecorderError::from)?;
        self.finished = true;
        Ok(())
    }

    fn append(&mut self, name: &str, line: &str) -> Result<(), TestError> {
        let path = self.folder.join(name);
        if !self.files.contains_key(name) {
            let opened = File::options().append(true).create(true).mode(0o600).open(&path);
            let file = opened.map_err(|error| TestError::File { path: path.clone(), error })?;
            self.files.insert(name.to_string(), file);
        }
        match self.files.get_mut(name) {
            Some(file) => writeln!(file, "{line}").map_err(|error| TestError::File { path, error }),
            None => Ok(()),
        }
    }

    fn error(&self, name: &str, error: std::io::Error) -> TestError {
        TestError::File { path: self.folder.join(name), error }
    }
}
