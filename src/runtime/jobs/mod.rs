//! Backtests and sweeps that are started from the browser.
//!
//! A job is a file, `control/jobs/<id>.json`, and while it runs a child process: this same program, with the lowest
//! priority and the arguments that [`spec`] made of what was posted. One child runs at a time; [`Queue`] says which.
//! The child reports how far it is as JSON lines ([`Report`]) and writes its result where the command line would.
//!
//! | what happens | what becomes of the job |
//! | --- | --- |
//! | the child ends with 0 | `finished` |
//! | it is cancelled | `cancelled`: a sweep keeps its trials and can be taken up, a backtest leaves nothing |
//! | the child ends otherwise, or is killed | `failed`, with its words |
//! | the core ends or is killed | the child ends with it; at the next start a sweep goes on where its log ends, all others begin anew |
//!
//! Results are read by short-lived children too ([`Jobs::query`]): the core itself opens no table.

mod child;
mod job;
mod progress;
mod queue;
pub mod results;
pub mod spec;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::sync::{Notify, Semaphore, broadcast, watch};
use tokio::task::JoinHandle;

pub use child::QueryError;
pub use job::{Job, Kind, State};
pub use progress::{Best, Phase, Progress, Report, Unit};
pub use queue::{Cancel, End, MOST_ENDED, MOST_WAITING, Queue};

use super::clock::Clock;
use super::core::Event;
use crate::market::format_time;
use crate::vault::audit::Recorded;
use crate::vault::{Disk, DiskError, layout};

/// Most bytes of a job's file.
const MOST_RECORD: usize = 1024 * 1024;
/// Children at once that check a specification or read results.
const MOST_READERS: usize = 2;
/// How long the child may take to end when the core does.
const END_TIME: Duration = Duration::from_secs(6);

/// Whether a text can be the id of a job or the name of a result folder.
pub fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A job that cannot be taken in.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// Too many wait.
    #[error("{MOST_WAITING} jobs are waiting already")]
    Full,
    /// Its file cannot be written.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// The jobs of a data folder.
pub struct Jobs {
    disk: Disk,
    events: broadcast::Sender<Event>,
    clock: Clock,
    queue: Mutex<Queue>,
    /// Held while a job's file is written, so that the latest state is the last one written.
    writing: tokio::sync::Mutex<()>,
    /// Something waits.
    submitted: Notify,
    /// The job that runs is to end.
    cancelled: Notify,
    /// The core ends.
    stopping: watch::Sender<bool>,
    /// This program, once children may be started.
    program: OnceLock<PathBuf>,
    runner: Mutex<Option<JoinHandle<()>>>,
    readers: Semaphore,
}

impl Jobs {
    /// Of a data folder, without any job before [`Jobs::start`].
    pub fn new(disk: Disk, events: broadcast::Sender<Event>, clock: Clock) -> Arc<Jobs> {
        Arc::new(Jobs {
            disk,
            events,
            clock,
            queue: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            submitted: Notify::new(),
            cancelled: Notify::new(),
            stopping: watch::Sender::new(false),
            program: OnceLock::new(),
            runner: Mutex::default(),
            readers: Semaphore::new(MOST_READERS),
        })
    }

    /// Reads the jobs of the data folder and begins to run them, as children of `program`, which is this program. Needs
    /// an event loop.
    ///
    /// # Errors
    /// The disk refuses. A file that is no job is left alone.
    pub fn start(self: &Arc<Self>, program: PathBuf) -> Result<(), DiskError> {
        if self.program.set(program).is_err() {
            return Ok(());
        }
        let mut jobs = Vec::new();
        for name in self.disk.list(layout::JOBS)? {
            let Some(id) = name.strip_suffix(".json") else { continue };
            let content = self.disk.read(&path_of(id), MOST_RECORD)?;
            let job = content.and_then(|content| serde_json::from_slice::<Job>(&content).ok());
            jobs.extend(job.filter(|job| job.id == id));
        }
        *self.queue() = Queue::restore(jobs, &self.now());
        let runner = tokio::spawn(child::run_all(Arc::clone(self)));
        *self.runner.lock().unwrap_or_else(PoisonError::into_inner) = Some(runner);
        Ok(())
    }

    /// Ends the child, whose job goes on at the next start.
    pub async fn stop(&self) {
        self.stopping.send_replace(true);
        let runner = self.runner.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(runner) = runner {
            let abort = runner.abort_handle();
            if tokio::time::timeout(END_TIME, runner).await.is_err() {
                // Dropped with its task, the child is killed.
                abort.abort();
            }
        }
    }

    /// The data folder.
    pub fn root(&self) -> &Path {
        self.disk.path()
    }

    /// Looks at the queue.
    pub fn with<T>(&self, look: impl FnOnce(&Queue) -> T) -> T {
        look(&self.queue())
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> String {
        format_time((self.clock)())
    }

    /// Takes a job in and answers its id. `run_id`: the sweep that it takes up. It is on the disk before it is in the queue.
    ///
    /// # Errors
    /// Too many wait, or the disk refuses.
    pub async fn submit(
        &self,
        kind: Kind,
        spec: Map<String, Value>,
        arguments: Vec<String>,
        run_id: Option<String>,
        user: &str,
        _: Recorded,
    ) -> Result<String, SubmitError> {
        let _writing = self.writing.lock().await;
        let submitted_utc = self.now();
        let number = {
            let queue = self.queue();
            if queue.is_full() {
                return Err(SubmitError::Full);
            }
            queue.next_number()
        };
        let day: String = submitted_utc.chars().take(19).filter(|c| c.is_ascii_alphanumeric()).collect();
        let job = Job {
            id: format!("job-{day}Z-{number}"),
            number,
            kind,
            spec,
            arguments,
            state: State::Queued,
            cancelling: false,
            run_id,
            user: user.to_string(),
            submitted_utc,
            started_utc: None,
            ended_utc: None,
            message: None,
            progress: None,
        };
        self.write(job.clone()).await?;
        self.tell(&job);
        let id = job.id.clone();
        self.queue().add(job);
        self.submitted.notify_one();
        Ok(id)
    }

    /// Ends a job, if that is still possible.
    ///
    /// # Errors
    /// The disk refuses. The job ends all the same.
    pub async fn cancel(&self, number: u64) -> Result<Cancel, DiskError> {
        let now = self.now();
        let outcome = self.queue().cancel(number, &now);
        if outcome == Cancel::Signal {
            self.cancelled.notify_one();
        }
        self.keep(number).await?;
        Ok(outcome)
    }

    /// Writes a job's file as the job stands now.
    async fn keep(&self, number: u64) -> Result<(), DiskError> {
        let _writing = self.writing.lock().await;
        let job = self.with(|queue| queue.latest_first().find(|job| job.number == number).cloned());
        let Some(job) = job else { return Ok(()) };
        self.tell(&job);
        let (ended, written) = (job.state.is_end(), self.write(job).await);
        if ended {
            let forgotten = self.queue().forget();
            for id in forgotten {
                let disk = self.disk.clone();
                // One that cannot be removed now is forgotten at the next end.
                let _ = tokio::task::spawn_blocking(move || disk.remove(&path_of(&id))).await;
            }
        }
        written
    }

    async fn write(&self, job: Job) -> Result<(), DiskError> {
        let disk = self.disk.clone();
        let path = path_of(&job.id);
        let written = tokio::task::spawn_blocking(move || {
            let text = serde_json::to_vec_pretty(&job).unwrap_or_default();
            disk.write(&path, &text)
        });
        written.await.unwrap_or(Err(DiskError::Stopped))
    }

    /// Tells whoever listens how a job stands.
    fn tell(&self, job: &Job) {
        let data = json!({
            "id": job.id, "run_id": job.run_id, "kind": job.kind, "state": job.state, "progress": job.progress,
            "message": job.message,
        });
        // Nobody may be listening.
        let _ = self.events.send(Event::new("progress", data));
    }
}

fn path_of(id: &str) -> String {
    format!("{}/{id}.json", layout::JOBS)
}
