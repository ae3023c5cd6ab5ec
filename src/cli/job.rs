//! What makes a command a child of the core: it gives way to everything else, ends with the core, and tells how far
//! it is as JSON lines on stderr.

use super::CliError;
use crate::live::priority::LOWEST;
use crate::runtime::jobs::{Progress, Report};
use crate::vault::process;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two reports.
const PAUSE: Duration = Duration::from_millis(500);

/// Options of children of the core. They are hidden: nobody else needs them.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct JobOptions {
    /// Be a child of the core
    #[arg(long, hide = true)]
    job: bool,
    /// Check the options and end
    #[arg(long, hide = true)]
    check: bool,
}

/// Names of the options above, which say nothing about a result.
pub const JOB_OPTIONS: [&str; 3] = ["job", "check", "last_days"];

impl JobOptions {
    /// Whether only the options are to be checked.
    pub fn check_only(&self) -> bool {
        self.check
    }

    /// Begins: of a command that is no child, nothing happens.
    ///
    /// # Errors
    /// The system refused.
    pub fn begin(&self) -> Result<Job, CliError> {
        if self.job {
            give_way(LOWEST)?;
            end_with_parent()?;
        }
        Ok(Job { on: self.job, last: Mutex::new(None) })
    }

    /// Waits for a moment until `ready`: the child of a core that was killed may still be ending.
    pub fn wait_until(&self, ready: impl Fn() -> bool) {
        let begun = Instant::now();
        while self.job && !ready() && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Threads of the process: a child leaves one core to the rest of the machine.
    pub fn threads(&self, wanted: Option<u64>) -> Option<u64> {
        if wanted.is_some() || !self.job {
            return wanted;
        }
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Some(cores.saturating_sub(1).max(1) as u64)
    }
}

/// Sets the priority of this process (19 is the lowest), and keeps what it makes to its owner.
///
/// # Errors
/// The system refused.
pub fn give_way(priority: i32) -> Result<(), CliError> {
    process::restrict_new_files();
    // To the value itself: a core that was started with another priority must not shift it.
    rustix::process::setpriority_process(None, priority).map_err(CliError::failed)
}

/// Ends this process when the one that started it is gone: stdin is a pipe whose other end only that process holds, so
/// that even a kill -9 closes it. What is done stays: a sweep is its log.
///
/// # Errors
/// The system gave no thread.
pub fn end_with_parent() -> Result<(), CliError> {
    let watch = || {
        let mut byte = [0];
        while std::io::stdin().read(&mut byte).is_ok_and(|n| n > 0) {}
        std::process::exit(130);
    };
    std::thread::Builder::new().name("parent".to_string()).spawn(watch).map(drop).map_err(CliError::failed)
}

/// The line to the core; silent in a command that is no child.
#[derive(Debug)]
pub struct Job {
    on: bool,
    last: Mutex<Option<Instant>>,
}

impl Job {
    /// The name of the result folder.
    pub fn run_id(&self, name: &str) {
        self.send(&Report::RunId(name.to_string()));
    }

    /// How far it is, whatever was said last.
    pub fn progress(&self, progress: Progress) {
        self.send(&Report::Progress(progress));
    }

    /// How far it is, unless that was said a moment ago.
    pub fn progress_at_times(&self, progress: impl FnOnce() -> Progress) {
        if !self.on {
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|last| last.elapsed() >= PAUSE) {
            *last = Some(Instant::now());
            self.send(&Report::Progress(progress()));
        }
    }

    fn send(&self, report: &Report) {
        if !self.on {
            return;
        }
        if let Ok(line) = serde_json::to_string(report) {
            eprintln!("{line}");
        }
    }
}
