//! The queue as a state machine in memory: who is next, what may become of whom. One job runs at a time, in order of
//! submission.

use std::collections::BTreeMap;

use super::{Job, Progress, State};

/// Most jobs that wait.
pub const MOST_WAITING: usize = 100;
/// Most ended jobs that are remembered. Their results stay when they are forgotten.
pub const MOST_ENDED: usize = 500;

/// All jobs.
#[derive(Debug, Default)]
pub struct Queue {
    /// By number.
    jobs: BTreeMap<u64, Job>,
}

/// What became of the wish to end a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancel {
    /// It had not begun and never will.
    Ended,
    /// Its process is to be asked to end.
    Signal,
    /// It had ended before.
    TooLate,
}

/// The end of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With a result.
    Finished,
    /// Without.
    Failed(String),
}

impl Queue {
    /// With the jobs of an earlier process. One that was running waits again, before all others, unless it was to end.
    pub fn restore(jobs: impl IntoIterator<Item = Job>, now: &str) -> Queue {
        let mut queue = Queue::default();
        for mut job in jobs {
            if job.state == State::Running {
                job.state = if job.cancelling { State::Cancelled } else { State::Queued };
                job.ended_utc = job.cancelling.then(|| now.to_string());
            }
            queue.jobs.insert(job.number, job);
        }
        queue
    }

    /// All jobs, the latest first.
    pub fn latest_first(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().rev()
    }

    /// A job by its id; by the name of its result folder, the latest one that has it.
    pub fn find(&self, id: &str) -> Option<&Job> {
        let own = self.latest_first().find(|job| job.id == id);
        own.or_else(|| self.latest_first().find(|job| job.run_id.as_deref() == Some(id)))
    }

    /// Whether there is no place for one more.
    pub fn is_full(&self) -> bool {
        self.jobs.values().filter(|job| job.state == State::Queued).count() >= MOST_WAITING
    }

    /// The number of the next job.
    pub fn next_number(&self) -> u64 {
        self.jobs.last_key_value().map_or(1, |(number, _)| number + 1)
    }

    /// Takes a job in, at the end.
    pub fn add(&mut self, job: Job) {
        self.jobs.insert(job.number, job);
    }

    /// The job whose turn it is; it runs from now on. `None` while another one runs, or when nothing waits.
    pub fn start_next(&mut self, now: &str) -> Option<&Job> {
        if self.jobs.values().any(|job| job.state == State::Running) {
            return None;
        }
        let job = self.jobs.values_mut().find(|job| job.state == State::Queued)?;
        job.state = State::Running;
        job.started_utc = Some(now.to_string());
        Some(job)
    }

    /// The job that runs.
    pub fn running(&mut self) -> Option<&mut Job> {
        self.jobs.values_mut().find(|job| job.state == State::Running)
    }

    /// How far the job that runs is.
    pub fn progress(&mut self, progress: Progress) -> Option<&Job> {
        let job = self.running()?;
        job.progress = Some(progress);
        Some(job)
    }

    /// Somebody wants the end of a job.
    pub fn cancel(&mut self, number: u64, now: &str) -> Cancel {
        let Some(job) = self.jobs.get_mut(&number) else { return Cancel::TooLate };
        match job.state {
            State::Queued => {
                job.state = State::Cancelled;
                job.ended_utc = Some(now.to_string());
                Cancel::Ended
            }
            State::Running => {
                job.cancelling = true;
                Cancel::Signal
            }
            _ => Cancel::TooLate,
        }
    }

    /// The process of the job that runs has ended.
    pub fn end(&mut self, end: End, now: &str) -> Option<&Job> {
        let job = self.running()?;
        job.state = match end {
            End::Finished => State::Finished,
            End::Failed(_) if job.cancelling => State::Cancelled,
            End::Failed(why) => {
                job.message = Some(why);
                State::Failed
            }
        };
        job.progress = None;
        job.ended_utc = Some(now.to_string());
        Some(job)
    }

    /// Forgets the oldest of too many ended jobs, and answers their ids.
    pub fn forget(&mut self) -> Vec<String> {
        let ended: Vec<u64> = self.jobs.values().filter(|job| job.state.is_end()).map(|job| job.number).collect();
        let excess = ended.len().saturating_sub(MOST_ENDED);
        ended[..excess].iter().filter_map(|number| self.jobs.remove(number)).map(|job| job.id).collect()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::runtime::jobs::Kind;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    pub(in crate::runtime::jobs) fn job(number: u64) -> Job {
        Job {
            id: format!("job-{number}"),
            number,
            kind: Kind::Backtest,
            spec: serde_json::Map::new(),
            arguments: Vec::new(),
            state: State::Queued,
            cancelling: false,
            run_id: None,
            user: "alice".to_string(),
            submitted_utc: "2026-01-02T03:04:05Z".to_string(),
            started_utc: None,
            ended_utc: None,
            message: None,
            progress: None,
        }
    }

    #[test]
    fn jobs_run_one_by_one_in_order() {
        let mut queue = Queue::default();
        (1..=3).for_each(|number| queue.add(job(number)));
        assert_eq!(queue.start_next("t").unwrap().id, "job-1");
        assert!(queue.start_next("t").is_none());
        queue.end(End::Finished, "t");
        assert_eq!(queue.cancel(2, "t"), Cancel::Ended);
        assert_eq!(queue.cancel(2, "t"), Cancel::TooLate);
        assert_eq!(queue.start_next("t").unwrap().id, "job-3");
        assert_eq!(queue.cancel(3, "t"), Cancel::Signal);
        assert_eq!(queue.end(End::Failed("killed".to_string()), "t").unwrap().state, State::Cancelled);
        assert_eq!(queue.find("job-3").unwrap().message, None);
        assert!(queue.start_next("t").is_none());
    }

    #[test]
    fn a_job_that_finished_before_its_process_was_asked_to_end_is_finished() {
        let mut queue = Queue::default();
        queue.add(job(1));
        queue.start_next("t");
        assert_eq!(queue.cancel(1, "t"), Cancel::Signal);
        assert_eq!(queue.end(End::Finished, "t").unwrap().state, State::Finished);
    }

    #[test]
    fn a_run_id_finds_the_latest_job_that_has_it() {
        let mut queue = Queue::default();
        (1..=2).for_each(|number| queue.add(Job { run_id: Some("run".to_string()), ..job(number) }));
        assert_eq!(queue.find("run").unwrap().number, 2);
        assert_eq!(queue.find("job-1").unwrap().number, 1);
        assert!(queue.find("job").is_none());
    }

    #[test]
    fn only_the_oldest_ended_jobs_are_forgotten() {
        let mut queue = Queue::default();
        queue.add(job(1));
        let ended = |number| Job { state: State::Failed, ..job(number) };
        (2..=MOST_ENDED as u64 + 3).for_each(|number| queue.add(ended(number)));
        assert_eq!(queue.forget(), ["job-2", "job-3"]);
        assert_eq!(queue.find("job-1").unwrap().state, State::Queued);
        assert!(queue.forget().is_empty());
    }

    /// What can happen to a queue.
    #[derive(Debug, Clone)]
    enum Deed {
        Submit,
        Start,
        Finish,
        Fail,
        Cancel(u64),
        Restart,
    }

    fn deed() -> impl Strategy<Value = Deed> {
        prop_oneof![
            3 => Just(Deed::Submit),
            3 => Just(Deed::Start),
            2 => Just(Deed::Finish),
            1 => Just(Deed::Fail),
            2 => (1..30u64).prop_map(Deed::Cancel),
            1 => Just(Deed::Restart),
        ]
    }

    proptest! {
        #[test]
        fn every_job_comes_to_one_end_and_no_two_run_at_once(deeds in proptest::collection::vec(deed(), 0..120)) {
            let mut queue = Queue::default();
            let mut ends: BTreeMap<u64, State> = BTreeMap::new();
            let mut started = BTreeSet::new();
            for deed in deeds {
                match deed {
                    Deed::Submit => {
                        let number = queue.next_number();
                        prop_assert!(!queue.jobs.contains_key(&number));
                        queue.add(job(number));
                    }
                    Deed::Start => {
                        let was = queue.jobs.values().find(|job| job.state == State::Queued).map(|job| job.number);
                        let busy = queue.running().is_some();
                        let begun = queue.start_next("t").map(|job| job.number);
                        prop_assert_eq!(begun, was.filter(|_| !busy), "the first of those that wait, if none runs");
                        if let Some(number) = begun {
                            started.insert(number);
                        }
                    }
                    Deed::Finish => drop(queue.end(End::Finished, "t").map(|job| job.number)),
                    Deed::Fail => drop(queue.end(End::Failed("x".to_string()), "t").map(|job| job.number)),
                    Deed::Cancel(number) => {
                        queue.cancel(number, "t");
                    }
                    Deed::Restart => {
                        let text: Vec<String> =
                            queue.jobs.values().map(|job| serde_json::to_string(job).unwrap()).collect();
                        queue = Queue::restore(text.iter().map(|text| serde_json::from_str(text).unwrap()), "t");
                        prop_assert!(queue.running().is_none());
                    }
                }
                prop_assert!(queue.jobs.values().filter(|job| job.state == State::Running).count() <= 1);
                for job in queue.jobs.values() {
                    if let Some(end) = ends.get(&job.number) {
                        prop_assert_eq!(*end, job.state, "an end is for good");
                    } else if job.state.is_end() {
                        prop_assert!(job.ended_utc.is_some());
                        prop_assert!(job.state == State::Cancelled || started.contains(&job.number));
                        prop_assert_eq!(job.message.is_some(), job.state == State::Failed);
                        ends.insert(job.number, job.state);
                    }
                }
            }
            loop {
                queue.end(End::Finished, "t");
                if queue.start_next("t").is_none() {
                    break;
                }
            }
            prop_assert!(queue.jobs.values().all(|job| job.state.is_end()));
        }
    }
}
