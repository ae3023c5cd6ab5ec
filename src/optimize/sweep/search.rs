//! Rounds of trials: proposed together, evaluated in parallel, recorded in order.

use super::prune::{is_clearly_worse, rungs};
use super::{Aim, Evaluate, Evaluated, Gate, Record, Status, SweepError, TrialRecord};
use crate::optimize::{History, Method, Params, SearchSettings, Space, Trial};
use serde_json::{Map, Value as Json};
use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// One part of a sweep: the trials whose number leaves `index` when divided by `count`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Shard {
    /// From 0.
    pub index: u64,
    pub count: u64,
}

impl Shard {
    /// Whether a trial belongs to the shard.
    pub fn owns(self, id: u64) -> bool {
        id % self.count == self.index
    }
}

/// A search over sessions of a market. Which trials there are and what comes of them does not depend on threads
/// or on interruptions: a round is proposed from the results of the rounds before it, and a trial may be given
/// up only by comparison with those.
pub struct Search<'a> {
    pub space: &'a Space,
    pub aim: &'a Aim,
    pub evaluator: &'a dyn Evaluate,
    /// Sessions by index.
    pub sessions: Range<usize>,
    pub settings: &'a SearchSettings,
    /// Whether trials are given up early.
    pub prune: bool,
    pub shard: Option<Shard>,
    pub stop: &'a AtomicBool,
    /// Called with each trial as it is recorded, and the bars it ran over.
    pub progress: &'a (dyn Fn(&TrialRecord, u64) + Sync),
}

impl Search<'_> {
    /// Runs the search to its end from where the record stands: `told` is what it holds already.
    ///
    /// # Errors
    /// [`SweepError::Interrupted`] when stopped; a record that does not belong to the search or cannot be written.
    pub fn run(
        &self,
        method: &mut dyn Method,
        told: Vec<TrialRecord>,
        record: &mut dyn Record,
    ) -> Result<History, SweepError> {
        let mut history = History::new(self.space.clone(), self.aim.goal());
        let mut told = told.into_iter().peekable();
        let batch = self.settings.batch.max(1);
        if self.shard.is_none() {
            // Whole rounds need not be proposed again: proposals are a function of the history.
            for _ in 0..told.len() / batch * batch {
                if let Some(trial) = told.next() {
                    expect_id(&trial, history.trials.len() as u64)?;
                    history.trials.push(Trial { outcome: Some(trial.outcome()), params: trial.params });
                }
            }
        }
        while history.trials.len() < self.settings.budget {
            let first = history.trials.len();
            let wanted = batch.min(self.settings.budget - first);
            let proposals = method.propose(&history, wanted);
            let incumbent = if self.prune { self.incumbent(&history, record)? } else { None };
            let last_round = proposals.len() < wanted;
            let mut jobs = Vec::new();
            for (params, id) in proposals.into_iter().zip(first as u64..) {
                let own = self.shard.is_none_or(|shard| shard.owns(id));
                let mut outcome = None;
                if own {
                    match told.next() {
                        Some(trial) => {
                            expect_id(&trial, id)?;
                            if trial.params != params {
                                return Err(SweepError::Foreign { path: PathBuf::from(super::TRIALS_LOG), id });
                            }
                            outcome = Some(trial.outcome());
                        }
                        None => jobs.push(id),
                    }
                }
                history.trials.push(Trial { params, outcome });
            }
            self.round(&mut history, &jobs, incumbent.as_deref(), record)?;
            if last_round {
                break;
            }
        }
        match told.next() {
            Some(trial) => Err(SweepError::Foreign { path: PathBuf::from(super::TRIALS_LOG), id: trial.id }),
            None => record.sync().map(|()| history),
        }
    }

    /// Daily returns of the best trial so far.
    fn incumbent(&self, history: &History, record: &mut dyn Record) -> Result<Option<Vec<f64>>, SweepError> {
        let best = history.best().filter(|&k| history.merit(k).is_some_and(|merit| merit.is_feasible()));
        best.map(|id| record.returns(id as u64)).transpose()
    }

    fn round(
        &self,
        history: &mut History,
        jobs: &[u64],
        incumbent: Option<&[f64]>,
        record: &mut dyn Record,
    ) -> Result<(), SweepError> {
        let rungs = rungs(self.sessions.len());
        let keeps = |returns: &[f64]| incumbent.is_none_or(|best| !is_clearly_worse(returns, best));
        let gate = incumbent.map(|_| Gate { rungs: &rungs, keeps: &keeps });
        let turnstile = Mutex::new(Turnstile { ready: BTreeMap::new(), next: 0, record, error: None });
        let next = AtomicUsize::new(0);
        let trials = &history.trials;
        // Threads take the next trial in order, so that little waits for the one before it.
        let work = || {
            loop {
                let k = next.fetch_add(1, Ordering::Relaxed);
                let Some(&id) = jobs.get(k) else { return };
                if self.stop.load(Ordering::Relaxed) || lock(&turnstile).error.is_some() {
                    return;
                }
                let params = &trials[id as usize].params;
                let evaluated = self.evaluator.evaluate(params, self.sessions.clone(), gate.as_ref());
                let Some(finished) = self.judge(id, params, evaluated) else { return };
                lock(&turnstile).finish(k, finished, self.progress);
            }
        };
        rayon::scope(|scope| {
            for _ in 0..rayon::current_num_threads().min(jobs.len()) {
                scope.spawn(|_| work());
            }
        });
        let turnstile = turnstile.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = turnstile.error {
            return Err(error);
        }
        if turnstile.next < jobs.len() {
            turnstile.record.sync()?;
            return Err(SweepError::Interrupted);
        }
        for (k, (finished, _)) in turnstile.ready {
            history.trials[jobs[k] as usize].outcome = Some(finished);
        }
        Ok(())
    }

    /// What came of a trial; `None` when it was stopped from outside.
    fn judge(&self, id: u64, params: &Params, evaluated: Evaluated) -> Option<Finished> {
        let width = self.sessions.len();
        let mut trial = TrialRecord {
            id,
            status: Status::Failed,
            params: params.clone(),
            values: Vec::new(),
            constraints: Vec::new(),
            metrics: Map::new(),
            reason: None,
        };
        let (mut returns, mut bars) = (vec![f64::NAN; width], 0);
        match evaluated {
            Evaluated::Interrupted => return None,
            Evaluated::Failed(reason) => trial.reason = Some(reason),
            Evaluated::Pruned { sessions } => {
                trial.status = Status::Pruned;
                trial.reason = Some(format!("clearly worse than the best so far after {sessions} of {width} sessions"));
            }
            Evaluated::Complete(evaluation) => {
                trial.values = self.aim.values_of(&evaluation.metrics);
                trial.constraints = self.aim.violations_of(&evaluation.metrics);
                trial.reason = self.aim.undefined(&trial.values, &trial.constraints);
                trial.status = if trial.reason.is_none() { Status::Ok } else { Status::Failed };
                if let Ok(Json::Object(map)) = serde_json::to_value(&evaluation.metrics) {
                    trial.metrics = map;
                }
                bars = evaluation.bars;
                // After ruin there is nothing left to earn a return on.
                returns = evaluation.daily_returns;
                returns.resize(width, 0.0);
            }
        }
        // Made here, by the thread that evaluated, and not where trials wait for each other.
        let line = trial.to_line(self.space);
        Some(Finished { trial, line, returns, bars })
    }
}

fn expect_id(trial: &TrialRecord, id: u64) -> Result<(), SweepError> {
    if trial.id == id {
        return Ok(());
    }
    Err(SweepError::File {
        path: PathBuf::from(super::TRIALS_LOG),
        reason: format!("trial {} stands where trial {id} is expected", trial.id),
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Finished {
    trial: TrialRecord,
    line: String,
    returns: Vec<f64>,
    bars: u64,
}

/// Lets finished trials through in order.
struct Turnstile<'a> {
    /// By place in the round: outcomes, and what still waits for a trial before it.
    ready: BTreeMap<usize, (crate::optimize::Outcome, Option<Finished>)>,
    next: usize,
    record: &'a mut dyn Record,
    error: Option<SweepError>,
}

impl Turnstile<'_> {
    fn finish(&mut self, k: usize, finished: Finished, progress: &(dyn Fn(&TrialRecord, u64) + Sync)) {
        self.ready.insert(k, (finished.trial.outcome(), Some(finished)));
        while self.error.is_none()
            && let Some(finished) = self.ready.get_mut(&self.next).and_then(|(_, waiting)| waiting.take())
        {
            match self.record.append(&finished.trial, &finished.line, &finished.returns) {
                Ok(()) => {
                    self.next += 1;
                    progress(&finished.trial, finished.bars);
                }
                Err(error) => self.error = Some(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Evaluation, Memory};
    use super::*;
    use crate::optimize::{Outcome, Value, method};
    use crate::stats::performance;
    use std::time::Duration;

    const SESSIONS: usize = 80;

    /// A made-up backtest: the return of every day grows with `x`, and 13 fails. Later trials finish sooner, so
    /// that the order of finishing is not that of the trials.
    struct Slope;

    impl Evaluate for Slope {
        fn evaluate(&self, params: &Params, sessions: Range<usize>, gate: Option<&Gate<'_>>) -> Evaluated {
            let Some(Value::Int(x)) = params[0] else { return Evaluated::Failed("no x".to_string()) };
            std::thread::sleep(Duration::from_micros(40 * (30 - x.unsigned_abs().min(30))));
            if x == 13 {
                return Evaluated::Failed("unlucky".to_string());
            }
            let daily = |day: usize| 0.0001 * (x as f64) + 0.001 * ((day * 7 % 11) as f64 - 5.0);
            let daily_returns: Vec<f64> = sessions.clone().map(daily).collect();
            for &rung in gate.map_or(&[][..], |gate| gate.rungs) {
                if gate.is_some_and(|gate| !(gate.keeps)(&daily_returns[..rung])) {
                    return Evaluated::Pruned { sessions: rung };
                }
            }
            let metrics = performance(&daily_returns, 0.0, None, Some(&[])).expect("finite returns");
            Evaluated::Complete(Box::new(Evaluation { metrics, daily_returns, bars: 1 }))
        }
    }

    /// A record that fails after some trials.
    struct Full(Memory, usize);

    impl Record for Full {
        fn append(&mut self, trial: &TrialRecord, line: &str, returns: &[f64]) -> Result<(), SweepError> {
            if self.0.trials.len() == self.1 {
                return Err(SweepError::Internal("no room".to_string()));
            }
            self.0.append(trial, line, returns)
        }

        fn returns(&mut self, row: u64) -> Result<Vec<f64>, SweepError> {
            self.0.returns(row)
        }

        fn sync(&mut self) -> Result<(), SweepError> {
            Ok(())
        }
    }

    fn search(
        prune: bool,
        batch: usize,
        told: Vec<TrialRecord>,
        record: &mut dyn Record,
        stop: &AtomicBool,
        progress: &(dyn Fn(&TrialRecord, u64) + Sync),
    ) -> Result<History, SweepError> {
        let space = Space::from_flags(&["x=0..29:1"]).expect("a space");
        let aim = Aim::parse(&["sharpe".to_string()], &[]).expect("an aim");
        let settings = SearchSettings { seed: 1, budget: 30, batch, noisy: false };
        let mut method = method("grid", &space, &aim.goal(), &settings).expect("a method");
        let search = Search {
            space: &space,
            aim: &aim,
            evaluator: &Slope,
            sessions: 0..SESSIONS,
            settings: &settings,
            prune,
            shard: None,
            stop,
            progress,
        };
        search.run(method.as_mut(), told, record)
    }

    fn plain(prune: bool, batch: usize) -> (History, Memory) {
        let mut memory = Memory::default();
        let history = search(prune, batch, Vec::new(), &mut memory, &AtomicBool::new(false), &|_, _| {});
        (history.expect("a whole search"), memory)
    }

    #[test]
    fn trials_are_recorded_in_order_and_failures_count() {
        let (history, memory) = plain(false, 30);
        assert_eq!(memory.trials.iter().map(|trial| trial.id).collect::<Vec<_>>(), (0..30).collect::<Vec<_>>());
        assert_eq!(history.best(), Some(29));
        assert_eq!(history.trials[13].outcome, Some(Outcome::Failed));
        assert_eq!(memory.trials[13].reason.as_deref(), Some("unlucky"));
        assert!(memory.returns[13].iter().all(|r| r.is_nan()) && memory.returns[13].len() == SESSIONS);
    }

    #[test]
    fn only_rounds_before_decide_what_is_pruned() {
        let worse = |id: u64| matches!(id, 15..=19);
        // The axis the other way round would prune all but the first round; here later trials are better.
        let (_, memory) = plain(true, 10);
        assert!(memory.trials.iter().all(|trial| trial.status != Status::Pruned));
        let (_, whole) = plain(true, 30);
        assert!(whole.trials.iter().all(|trial| trial.status != Status::Pruned), "one round has no incumbent");
        // Told that trial 9 had the returns of the best, the second round is below it.
        let (_, first) = plain(false, 10);
        let mut record = Memory { trials: Vec::new(), returns: Vec::new() };
        let mut told = Vec::new();
        for k in 0..10 {
            let (from, id) = if k == 9 { (29, 9) } else { (k, k as u64) };
            let trial = TrialRecord { id, params: first.trials[k].params.clone(), ..first.trials[from].clone() };
            record.append(&trial, "", &first.returns[from]).expect("memory");
            told.push(trial);
        }
        search(true, 10, told, &mut record, &AtomicBool::new(false), &|_, _| {}).expect("a whole search");
        assert!(record.trials.iter().filter(|t| worse(t.id)).all(|trial| trial.status == Status::Pruned));
        assert!(record.trials.iter().all(|t| t.status != Status::Pruned || t.values.is_empty()), "no partial values");
    }

    #[test]
    fn a_stopped_search_goes_on_to_the_same_end() {
        let (_, whole) = plain(false, 8);
        let (mut record, stop) = (Memory::default(), AtomicBool::new(false));
        let halt = |trial: &TrialRecord, _| {
            if trial.id == 11 {
                stop.store(true, Ordering::Relaxed);
            }
        };
        let stopped = search(false, 8, Vec::new(), &mut record, &stop, &halt);
        assert!(matches!(stopped, Err(SweepError::Interrupted)));
        assert!(record.trials.len() >= 12 && record.trials.len() < 30, "{}", record.trials.len());
        let told = record.trials.clone();
        search(false, 8, told, &mut record, &AtomicBool::new(false), &|_, _| {}).expect("a whole search");
        assert_eq!(record.trials, whole.trials);
    }

    #[test]
    fn a_record_without_room_ends_the_search() {
        let mut record = Full(Memory::default(), 5);
        let result = search(false, 8, Vec::new(), &mut record, &AtomicBool::new(false), &|_, _| {});
        assert!(matches!(result, Err(SweepError::Internal(text)) if text == "no room"));
        assert_eq!(record.0.trials.len(), 5);
    }

    #[test]
    fn a_foreign_log_is_refused() {
        let (_, whole) = plain(false, 8);
        let mut told = whole.trials[..3].to_vec();
        told[2].params = vec![Some(Value::Int(7))];
        let result = search(false, 8, told, &mut Memory::default(), &AtomicBool::new(false), &|_, _| {});
        assert!(matches!(result, Err(SweepError::Foreign { id: 2, .. })));
        let mut told = whole.trials[..3].to_vec();
        told[1].id = 2;
        let result = search(false, 8, told, &mut Memory::default(), &AtomicBool::new(false), &|_, _| {});
        assert!(matches!(result, Err(SweepError::File { .. })));
    }
}
