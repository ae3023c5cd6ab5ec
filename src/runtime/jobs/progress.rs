//! How far a job is: what a child process tells the core, one JSON object a line on its stderr.

use serde::{Deserialize, Serialize};

/// What a child does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Reads the data.
    Loading,
    /// Runs.
    Running,
    /// Judges and writes the result.
    Finishing,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Sessions of a backtest.
    Sessions,
    /// Trials of a search.
    Trials,
}

/// The best trial so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// Its number.
    pub trial: u64,
    /// The first objective.
    pub objective: String,
    /// Its value.
    pub value: f64,
}

/// How far a job is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// What is going on.
    pub phase: Phase,
    /// What `done` and `total` count.
    pub unit: Unit,
    /// Done so far.
    pub done: u64,
    /// In all; 0 while that is not known.
    pub total: u64,
    /// Done a second in this process.
    pub per_second: Option<f64>,
    /// Seconds that are left at this pace.
    pub eta_s: Option<f64>,
    /// Of a search.
    pub best: Option<Best>,
}

impl Progress {
    /// At the beginning.
    pub fn loading(unit: Unit) -> Progress {
        Progress { phase: Phase::Loading, unit, done: 0, total: 0, per_second: None, eta_s: None, best: None }
    }

    /// With `now_done` of the work done by this process in `seconds`: its pace, and the time that is left.
    #[must_use]
    pub fn at_pace(mut self, now_done: u64, seconds: f64) -> Progress {
        if now_done > 0 && seconds > 0.0 {
            let pace = now_done as f64 / seconds;
            self.per_second = Some(pace);
            self.eta_s = Some(self.total.saturating_sub(self.done) as f64 / pace);
        }
        self
    }
}

/// A line of a child.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// How far it is.
    Progress(Progress),
    /// The name of its result folder, which the hash of the data decides.
    RunId(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_what_remains_at_the_pace_so_far() {
        let progress = Progress { done: 30, total: 90, ..Progress::loading(Unit::Trials) }.at_pace(20, 4.0);
        assert_eq!((progress.per_second, progress.eta_s), (Some(5.0), Some(12.0)));
        let none = Progress::loading(Unit::Trials).at_pace(0, 4.0);
        assert_eq!((none.per_second, none.eta_s), (None, None));
    }

    #[test]
    fn a_report_survives_its_line() {
        let best = Some(Best { trial: 3, objective: "sharpe".to_string(), value: 1.25 });
        let report = Report::Progress(Progress { best, ..Progress::loading(Unit::Trials) });
        let line = serde_json::to_string(&report).unwrap();
        assert!(line.starts_with(r#"{"progress":{"phase":"loading","unit":"trials","#), "{line}");
        assert_eq!(serde_json::from_str::<Report>(&line).unwrap(), report);
    }
}
