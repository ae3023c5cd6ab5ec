//! How far a sweep is: a bar on a terminal, else a line at most every ten seconds.

use crate::cli::CliError;
use crate::cli::job::Job;
use crate::optimize::sweep::{Status, SweepFile, TrialRecord};
use crate::runtime::jobs::{Best, Phase, Progress as JobProgress, Unit};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Time between two plain lines.
const QUIET: Duration = Duration::from_secs(10);
/// Redraws of the bar a second, at most.
const REDRAWS: u8 = 5;

/// Progress of a sweep, on stderr.
pub(super) struct Progress<'j> {
    planned: u64,
    /// Whether nothing is shown.
    hidden: bool,
    /// The first objective and whether more is better.
    objective: (String, bool),
    bar: Option<ProgressBar>,
    /// The core, if it is the one that wants to know.
    job: &'j Job,
    state: Mutex<State>,
}

struct State {
    start: Instant,
    last_line: Instant,
    /// Trials that the log held at the start.
    before: u64,
    trials: u64,
    bars: u64,
    best: Option<(u64, f64)>,
}

impl<'j> Progress<'j> {
    /// Of a sweep of `planned` trials; `hidden`: show nothing.
    pub fn new(planned: u64, sweep: &SweepFile, hidden: bool, job: &'j Job) -> Result<Progress<'j>, CliError> {
        let aim = sweep.spec.aim().map_err(super::sweep_error)?;
        let bar = if !hidden && std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(Some(planned), ProgressDrawTarget::stderr_with_hz(REDRAWS));
            let style = ProgressStyle::with_template("{bar:20} {pos}/{len} trials, {eta} left, {wide_msg}");
            bar.set_style(style.map_err(CliError::failed)?);
            Some(bar)
        } else {
            None
        };
        let now = Instant::now();
        let state = State { start: now, last_line: now, before: 0, trials: 0, bars: 0, best: None };
        let objective = aim.objectives()[0].clone();
        Ok(Progress { planned, hidden, objective, bar, job, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The log holds this many trials already.
    pub fn begin(&self, before: u64) {
        self.state().before = before;
        if let Some(bar) = &self.bar {
            bar.set_position(before);
            bar.reset_eta();
        }
        if before > 0 && !self.hidden {
            eprintln!("{before} of {} trials are done already", self.planned);
        }
    }

    /// A trial is recorded.
    pub fn trial(&self, trial: &TrialRecord, bars: u64) {
        let mut state = self.state();
        state.trials += 1;
        state.bars += bars;
        let feasible = trial.constraints.iter().all(|c| c.is_some_and(|c| c <= 0.0));
        if let (Status::Ok, true, Some(Some(value))) = (trial.status, feasible, trial.values.first()) {
            let better = |best: f64| if self.objective.1 { *value > best } else { *value < best };
            if state.best.is_none_or(|(_, best)| better(best)) {
                state.best = Some((trial.id, *value));
            }
        }
        self.job.progress_at_times(|| self.report(&state, Phase::Running));
        match &self.bar {
            Some(bar) => {
                bar.set_position(state.before + state.trials);
                bar.set_message(self.message(&state));
            }
            None if !self.hidden && state.last_line.elapsed() >= QUIET => {
                state.last_line = Instant::now();
                let done = state.before + state.trials;
                let left = state.start.elapsed().as_secs_f64() / state.trials as f64
                    * (self.planned - done.min(self.planned)) as f64;
                eprintln!("{done}/{} trials, {}, {left:.0} s left", self.planned, self.message(&state));
            }
            None => {}
        }
    }

    fn report(&self, state: &State, phase: Phase) -> JobProgress {
        let best = |(trial, value)| Best { trial, objective: self.objective.0.clone(), value };
        let done = state.before + state.trials;
        JobProgress {
            phase,
            done,
            total: self.planned,
            best: state.best.map(best),
            ..JobProgress::loading(Unit::Trials)
        }
        .at_pace(state.trials, state.start.elapsed().as_secs_f64())
    }

    fn message(&self, state: &State) -> String {
        let seconds = state.start.elapsed().as_secs_f64().max(1e-9);
        let best = match state.best {
            Some((id, value)) => format!("best {} {value:.4} (trial {id})", self.objective.0),
            None => "no best yet".to_string(),
        };
        format!("{:.1} trials/s, {:.3e} bars/s, {best}", state.trials as f64 / seconds, state.bars as f64 / seconds)
    }

    /// The search is over; answers how many trials the log holds.
    pub fn finish(&self) -> u64 {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let state = self.state();
        self.job.progress(self.report(&state, Phase::Finishing));
        if state.trials > 0 && !self.hidden {
            eprintln!("{} trials, {}", state.trials, self.message(&state));
        }
        state.before + state.trials
    }
}
