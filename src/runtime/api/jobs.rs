//! Backtests and sweeps: submitting, watching, cancelling.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::paging;
use crate::runtime::core::Core;
use crate::runtime::gate::Caller;
use crate::runtime::input::Input;
use crate::runtime::jobs::results::{self, Stored};
use crate::runtime::jobs::{Cancel, Job, Jobs, Kind, QueryError, State, SubmitError, is_id, spec};
use crate::runtime::protocol::Reply;
use crate::runtime::reply::Refusal;
use crate::settings::{Key, Settings};
use crate::vault::audit::Action;
use crate::vault::layout::RESULTS;

/// Jobs and results of a page of the list, when nothing is said.
const USUAL_PAGE: u64 = 50;
/// Most of them.
const MOST_OF_A_PAGE: u64 = 200;

/// Which of the two lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// `/api/v1/backtests`.
    Backtests,
    /// `/api/v1/sweeps`, with the walk-forward analyses.
    Sweeps,
}

impl List {
    fn is_search(self) -> bool {
        self == List::Sweeps
    }
}

/// A job, a result folder, or both: what an id stands for.
#[derive(Debug)]
pub struct Found {
    /// The job, if it was started from the browser.
    pub job: Option<Job>,
    /// The folder, if there is one.
    pub stored: Option<Stored>,
}

/// `POST /api/v1/backtests`, `POST /api/v1/sweeps`.
pub async fn submit(core: &Arc<Core>, list: List, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let jobs = &core.jobs;
    let mut given: Map<String, Value> = input.json()?;
    let kind = kind_of(list, &mut given)?;
    let settings = core.work(|house| house.settings().map(|stored| stored.settings.clone())).await??;
    if kind.is_search() && !settings.flag(Key::EnableStrategyOptimizer) {
        let why = "ENABLE_STRATEGY_OPTIMIZER is false in the settings: no search may be started from here.";
        return Err(Refusal::conflict("optimizer_disabled", why));
    }
    if jobs.with(|queue| queue.is_full()) {
        return Err(full());
    }
    let (spec, arguments, run_id) = match given.get("resume") {
        Some(_) => taken_up(core, list, given).await?,
        None => {
            let arguments = arguments(jobs, kind, &given, &settings)?;
            jobs.check(kind, &arguments).await.map_err(|error| invalid(&error))?;
            (given, arguments, None)
        }
    };
    let (by, detail) = (Arc::clone(caller), Value::Object(spec.clone()));
    let recorded = core.work(move |house| house.record(&by, Action::JobSubmit, kind.command(), "ok", detail)).await??;
    let user = caller.actor().user;
    let id = jobs.submit(kind, spec, arguments, run_id, &user, recorded).await.map_err(|error| match error {
        SubmitError::Full => full(),
        SubmitError::Disk(_) => Refusal::internal("The disk refused to take the job."),
    })?;
    Ok(Reply::with_status(202, json!({ "id": id })))
}

/// `POST /api/v1/sweeps/check`: whether such a sweep would be taken, and how much it would be.
pub async fn check(core: &Arc<Core>, list: List, input: &Input) -> Result<Reply, Refusal> {
    let mut given: Map<String, Value> = input.json()?;
    let kind = kind_of(list, &mut given)?;
    let settings = core.work(|house| house.settings().map(|stored| stored.settings.clone())).await??;
    let arguments = arguments(&core.jobs, kind, &given, &settings)?;
    let found = core.jobs.check(kind, &arguments).await.map_err(|error| invalid(&error))?;
    Ok(Reply::json(found))
}

/// `POST /api/v1/backtests/{id}/cancel`, the same for sweeps.
pub async fn cancel(core: &Arc<Core>, list: List, caller: &Arc<Caller>, input: &Input) -> Result<Reply, Refusal> {
    let found = find(core, list, input.param("id")).await?;
    let ended = || Refusal::conflict("ended", "It has ended already.");
    let job = found.job.ok_or_else(ended)?;
    if job.state.is_end() {
        return Err(ended());
    }
    let (by, target) = (Arc::clone(caller), job.id.clone());
    core.work(move |house| house.note(&by, Action::JobCancel, &target, "ok", Value::Null)).await?;
    let state = match core.jobs.cancel(job.number).await {
        Ok(Cancel::TooLate) => return Err(ended()),
        Ok(Cancel::Ended) => State::Cancelled,
        Ok(Cancel::Signal) => State::Running,
        Err(_) => return Err(Refusal::internal("It is being ended, but the disk refused to note so.")),
    };
    Ok(Reply::with_status(202, json!({ "id": job.id, "state": state, "cancelling": state == State::Running })))
}

/// `GET /api/v1/backtests`, the same for sweeps: jobs and results together, newest first.
pub async fn list(core: &Arc<Core>, list: List, input: &Input) -> Result<Reply, Refusal> {
    let offset = input.number("offset", 0, 0, u64::from(u32::MAX))?;
    let limit = input.number("limit", USUAL_PAGE, 1, MOST_OF_A_PAGE)?;
    let jobs = &core.jobs;
    let root = jobs.root().to_path_buf();
    let stored = on_disk(move || results::list(&root)).await?;
    let stored: Vec<Stored> = stored.into_iter().filter(|one| one.kind.is_search() == list.is_search()).collect();
    let mut of_jobs: Vec<Job> = jobs
        .with(|queue| queue.latest_first().filter(|job| job.kind.is_search() == list.is_search()).cloned().collect());
    let mut entries: Vec<(String, Found)> = Vec::new();
    for stored in stored {
        let place = of_jobs.iter().position(|job| job.run_id.as_deref() == Some(stored.name.as_str()));
        let job = place.map(|place| of_jobs.remove(place));
        entries.push((stored.name.clone(), Found { job, stored: Some(stored) }));
    }
    // The name of a folder begins with its time, in the same form.
    let time = |job: &Job| job.submitted_utc.chars().take(19).filter(char::is_ascii_alphanumeric).collect();
    entries.extend(of_jobs.into_iter().map(|job| (time(&job), Found { job: Some(job), stored: None })));
    let waits = |found: &Found| found.job.as_ref().is_some_and(|job| !job.state.is_end());
    entries.sort_by(|(a, x), (b, y)| waits(y).cmp(&waits(x)).then(b.cmp(a)));
    let total = entries.len();
    let (offset, limit) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(usize::MAX));
    let page: Vec<Found> = entries.into_iter().skip(offset).take(limit).map(|(_, found)| found).collect();
    let paths: Vec<&str> = page.iter().filter_map(|found| found.stored.as_ref()).map(|s| s.path.as_str()).collect();
    let mut summaries = if paths.is_empty() {
        Vec::new()
    } else {
        let mut arguments = vec!["headlines".to_string()];
        arguments.extend(paths.iter().map(|path| (*path).to_string()));
        match json_of(core, &arguments).await? {
            Value::Array(all) => all,
            _ => Vec::new(),
        }
    }
    .into_iter();
    let mut runs: Vec<Value> = page
        .into_iter()
        .map(|found| {
            let headline = found.stored.as_ref().and_then(|_| summaries.next());
            let mut entry = outline(&found);
            if let (Some(entry), Some(Value::Object(headline))) = (entry.as_object_mut(), headline) {
                for (key, value) in headline {
                    entry.entry(key).or_insert(value);
                }
            }
            entry
        })
        .collect();
    paging::fit(&mut runs);
    Ok(Reply::json(json!({ "runs": runs, "total": total })))
}

/// `GET /api/v1/backtests/{id}`, the same for sweeps.
pub async fn one(core: &Arc<Core>, list: List, input: &Input) -> Result<Reply, Refusal> {
    let found = find(core, list, input.param("id")).await?;
    let mut body = outline(&found);
    if let Some(stored) = &found.stored {
        let (root, of) = (core.jobs.root().to_path_buf(), stored.clone());
        let files = on_disk(move || Ok(of.files(&root))).await?;
        let files: Vec<Value> = files.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes })).collect();
        body["files"] = json!(files);
        let details = json_of(core, &["details".to_string(), stored.path.clone()]).await?;
        if let (Some(body), Value::Object(details)) = (body.as_object_mut(), details) {
            for (key, value) in details {
                body.entry(key).or_insert(value);
            }
        }
    }
    Ok(Reply::json(body))
}

/// The job or result that an id stands for.
///
/// # Errors
/// There is none in this list.
pub async fn find(core: &Arc<Core>, list: List, id: &str) -> Result<Found, Refusal> {
    let none = || Refusal::not_found("There is no run of that id.");
    if !is_id(id) {
        return Err(none());
    }
    let job = core.jobs.with(|queue| queue.find(id).cloned());
    let name = job.as_ref().map_or(Some(id.to_string()), |job| job.run_id.clone());
    let root = core.jobs.root().to_path_buf();
    let stored = on_disk(move || Ok(name.and_then(|name| results::find(&root, &name)))).await?;
    let of_list = |found: &Found| {
        let of_job = found.job.as_ref().map(|job| job.kind.is_search());
        let of_folder = found.stored.as_ref().map(|stored| stored.kind.is_search());
        of_job.or(of_folder) == Some(list.is_search())
    };
    Some(Found { job, stored }).filter(of_list).ok_or_else(none)
}

/// The result folder that an id stands for.
///
/// # Errors
/// There is none in this list, or it has no result yet.
pub async fn find_stored(core: &Arc<Core>, list: List, id: &str) -> Result<Stored, Refusal> {
    let found = find(core, list, id).await?;
    found.stored.ok_or_else(|| Refusal::conflict("no_result", "It has no result yet."))
}

/// What a child answers as JSON.
///
/// # Errors
/// It refused or failed.
pub async fn json_of(core: &Arc<Core>, arguments: &[String]) -> Result<Value, Refusal> {
    let answer = core.jobs.query(arguments).await.map_err(|error| invalid(&error))?;
    serde_json::from_slice(&answer).map_err(|_| Refusal::internal("The result could not be read."))
}

/// What is known of a job or a folder without looking into the folder.
fn outline(found: &Found) -> Value {
    let name = found.stored.as_ref().map(|stored| stored.name.as_str());
    match &found.job {
        Some(job) => json!({
            "id": job.id,
            "run_id": job.run_id,
            "kind": job.kind,
            "state": job.state,
            "cancelling": job.cancelling && !job.state.is_end(),
            "progress": job.progress,
            "message": job.message,
            "user": job.user,
            "submitted_utc": job.submitted_utc,
            "started_utc": job.started_utc,
            "ended_utc": job.ended_utc,
            "spec": job.spec,
        }),
        None => json!({ "id": name, "run_id": name }),
    }
}

/// The kind of job: that of the list, or what `kind` says of a sweep.
fn kind_of(list: List, given: &mut Map<String, Value>) -> Result<Kind, Refusal> {
    if list == List::Backtests {
        return Ok(Kind::Backtest);
    }
    match given.remove("kind").as_ref().map(Value::as_str) {
        None | Some(Some("sweep")) => Ok(Kind::Sweep),
        Some(Some("walk_forward")) => Ok(Kind::WalkForward),
        Some(_) => Err(Refusal::invalid_field("kind", "Expected sweep or walk_forward.")),
    }
}

/// The arguments of a child: what differs from the defaults in the settings of the bot, what was posted, where the
/// result goes, and the days that a search from the browser looks back when it does not say from when.
fn arguments(jobs: &Jobs, kind: Kind, given: &Map<String, Value>, settings: &Settings) -> Result<Vec<String>, Refusal> {
    let datasets =
        results::datasets(jobs.root()).map_err(|_| Refusal::internal("The data sets could not be listed."))?;
    let data = |name: &str| datasets.iter().find(|(known, _)| known == name).map(|(_, data)| data.clone());
    let own = if given.contains_key("from_trial") { Vec::new() } else { changed(settings) };
    let mut all: Vec<String> = own.into_iter().map(|line| format!("--set={line}")).collect();
    let sweep = |id: &str| results::find(jobs.root(), id).map(|stored| stored.path);
    all.extend(spec::arguments(kind, given, data, sweep).map_err(Refusal::invalid)?);
    let out = match kind.is_search() {
        true => results::output_folder(jobs.root(), settings.text(Key::OptimizerOutputDir))
            .map_err(|why| Refusal::conflict("output_dir", format!("OPTIMIZER_OUTPUT_DIR cannot be used: {why}")))?,
        false => RESULTS.to_string(),
    };
    all.push(format!("--out={out}"));
    if kind.is_search() && given.get("from").is_none_or(Value::is_null) {
        all.push(format!("--last-days={}", settings.int(Key::OptimizerBacktestLookbackDays)));
    }
    Ok(all)
}

/// The lines of settings that differ from their defaults.
fn changed(settings: &Settings) -> Vec<String> {
    let (ours, usual) = (settings.to_text(), Settings::default().to_text());
    ours.lines().zip(usual.lines()).filter(|(ours, usual)| ours != usual).map(|(ours, _)| ours.to_string()).collect()
}

/// A sweep that is to go on where it ended.
async fn taken_up(
    core: &Arc<Core>,
    list: List,
    given: Map<String, Value>,
) -> Result<(Map<String, Value>, Vec<String>, Option<String>), Refusal> {
    let wrong = |why: &str| Refusal::invalid_field("resume", why);
    let id = given.get("resume").and_then(Value::as_str).unwrap_or("").to_string();
    if list != List::Sweeps || given.len() > 1 {
        return Err(wrong("A sweep alone can be taken up, and says itself how it is run."));
    }
    let found = find(core, list, &id).await.map_err(|_| wrong("There is no sweep of that id."))?;
    let stored = found.stored.filter(|stored| stored.kind == results::StoredKind::Sweep);
    let stored = stored.ok_or_else(|| wrong("It has no trials that could be taken up."))?;
    if found.job.is_some_and(|job| !job.state.is_end()) {
        return Err(Refusal::conflict("running", "It has not ended."));
    }
    Ok((given, Vec::new(), Some(stored.name)))
}

fn full() -> Refusal {
    Refusal::new(429, "queue_full", SubmitError::Full.to_string()).retry_after(30)
}

/// The refusal of what a child said.
pub fn invalid(error: &QueryError) -> Refusal {
    match error {
        QueryError::Input(words) => Refusal::invalid_field(error.key().unwrap_or("spec"), words),
        QueryError::Failed(words) => Refusal::internal(format!("The program could not do it: {words}")),
        QueryError::TooMuch => {
            Refusal::new(503, "too_much", "It took too long, or the answer is too long.").retry_after(5)
        }
    }
}

/// Work that reads folders, away from the event loop.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Refusal> {
    let done = tokio::task::spawn_blocking(work).await;
    let failed = || Refusal::internal("The results could not be listed.");
    done.map_err(|_| failed())?.map_err(|_| failed())
}
