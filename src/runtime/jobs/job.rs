//! One job: what is to be run, and what became of it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Progress;

/// The kind of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// One run.
    Backtest,
    /// Many runs over a parameter space.
    Sweep,
    /// Searches on windows of sessions, each judged on the sessions after it.
    WalkForward,
}

impl Kind {
    /// The command of the program that does it.
    pub const fn command(self) -> &'static str {
        match self {
            Kind::Backtest => "backtest",
            Kind::Sweep => "sweep",
            Kind::WalkForward => "walk-forward",
        }
    }

    /// Whether it searches for parameters.
    pub const fn is_search(self) -> bool {
        !matches!(self, Kind::Backtest)
    }
}

/// The state of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits for its turn.
    Queued,
    /// Has a process, or had one when the core ended.
    Running,
    /// Has its result.
    Finished,
    /// Ended without a result.
    Failed,
    /// Ended because somebody asked for it.
    Cancelled,
}

impl State {
    /// Whether nothing comes after it.
    pub const fn is_end(self) -> bool {
        matches!(self, State::Finished | State::Failed | State::Cancelled)
    }
}

/// A job, as it stands in its file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Its name for good.
    pub id: String,
    /// Number in order of submission.
    pub number: u64,
    /// What it is.
    pub kind: Kind,
    /// As it was posted.
    pub spec: Map<String, Value>,
    /// What its process is given: what was checked is what runs.
    pub arguments: Vec<String>,
    /// Its state.
    pub state: State,
    /// Whether somebody asked for its end while it was running.
    #[serde(default)]
    pub cancelling: bool,
    /// The name of its result folder, from when its data are hashed.
    pub run_id: Option<String>,
    /// Who submitted it.
    pub user: String,
    /// When, RFC 3339.
    pub submitted_utc: String,
    /// When its process started, the last time.
    pub started_utc: Option<String>,
    /// When it ended.
    pub ended_utc: Option<String>,
    /// Why it failed.
    pub message: Option<String>,
    /// How far it is, while it runs. Not kept.
    #[serde(skip)]
    pub progress: Option<Progress>,
}
