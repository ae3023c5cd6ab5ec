//! The child processes: one that works, and short-lived ones that check and read.

use std::collections::VecDeque;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::results::{self, StoredKind};
use super::{End, Job, Jobs, Kind, Report, spec};

/// How long a child that is asked to end may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a check or a query may take.
const READ_TIME: Duration = Duration::from_secs(25);
/// Most bytes of an answer.
const MOST_ANSWER: u64 = 64 * 1024 * 1024;
/// Last lines of stderr that are kept for the message of a failure.
const MOST_LINES: usize = 20;
/// Most characters of a message.
const MOST_MESSAGE: usize = 2_000;

/// Why a check or a query gave no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QueryError {
    /// Something that was asked for cannot be used: the child's words.
    Input(String),
    /// It failed: the child's words.
    Failed(String),
    /// It took too long, or its answer is too long.
    TooMuch,
}

impl QueryError {
    /// The key of the specification that the words are about.
    pub fn key(&self) -> Option<&'static str> {
        let QueryError::Input(words) = self else { return None };
        if words.starts_with("parameter ") {
            return Some("param");
        }
        let (_, rest) = words.split_once("--")?;
        let option = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).next()?;
        spec::FIELDS.iter().find(|field| field.option == option).map(|field| field.key)
    }
}

/// Runs the jobs of the queue one after the other, until the core ends.
pub(super) async fn run_all(jobs: Arc<Jobs>) {
    let mut stopping = jobs.stopping.subscribe();
    loop {
        let now = jobs.now();
        let next = jobs.queue().start_next(&now).cloned();
        let Some(job) = next else {
            tokio::select! {
                () = jobs.submitted.notified() => continue,
                () = until_set(&mut stopping) => return,
            }
        };
        let Some(end) = run(&jobs, &job).await else { return };
        let now = jobs.now();
        jobs.queue().end(end, &now);
        // If it cannot be written that it ended, it is run again after a restart; its result would be the same.
        let _ = jobs.keep(job.number).await;
    }
}

async fn until_set(flag: &mut watch::Receiver<bool>) {
    // Without a sender nobody can set it any more.
    let _ = flag.wait_for(|set| *set).await;
}

/// Runs one job to its end; `None`: the core ends before it.
async fn run(jobs: &Jobs, job: &Job) -> Option<End> {
    if *jobs.stopping.borrow() {
        return None;
    }
    if jobs.keep(job.number).await.is_err() {
        return Some(End::Failed("The disk refused to note that the job began.".to_string()));
    }
    let stored = job.run_id.as_deref().and_then(|name| results::find(jobs.root(), name));
    let mut arguments = vec![job.kind.command().to_string()];
    match (job.kind, stored) {
        (Kind::Sweep, Some(stored)) if stored.kind == StoredKind::Sweep => {
            arguments.push(format!("--resume={}", stored.path));
        }
        // The name of a result says what is in it: the same would come out again.
        (Kind::Backtest | Kind::WalkForward, Some(_)) => return Some(End::Finished),
        _ => arguments.extend(job.arguments.iter().cloned()),
    }
    arguments.push("--quiet".to_string());
    match start(jobs, &arguments, Stdio::null()) {
        Ok(child) => follow(jobs, child).await,
        Err(error) => Some(End::Failed(format!("The program could not be started: {error}"))),
    }
}

/// Starts a child in the data folder. Its stdin is a pipe that closes when this process ends, however it ends.
fn start(jobs: &Jobs, arguments: &[String], stdout: Stdio) -> std::io::Result<Child> {
    let program = jobs.program.get().ok_or_else(|| std::io::Error::other("the core has not begun"))?;
    Command::new(program)
        .args(arguments)
        .arg("--job")
        .current_dir(jobs.root())
        .env_clear()
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(stdout)
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Follows a child to its end; `None`: the core ends before it.
async fn follow(jobs: &Jobs, mut child: Child) -> Option<End> {
    let mut stopping = jobs.stopping.subscribe();
    // Waiting would close it, and the child ends when it is closed.
    let _stdin = child.stdin.take();
    let mut stderr = BufReader::new(child.stderr.take()?);
    let mut last_lines = VecDeque::new();
    let (mut line, mut deadline, mut stopped) = (Vec::new(), None, false);
    loop {
        // What was read of a line when something else happened is still in `line`.
        tokio::select! {
            read = stderr.read_until(b'\n', &mut line) => {
                if !read.is_ok_and(|bytes| bytes > 0) {
                    break;
                }
                let text = String::from_utf8_lossy(&line).trim_end().to_string();
                line.clear();
                match serde_json::from_str(&text) {
                    Ok(report) => take(jobs, report).await,
                    Err(_) => {
                        last_lines.push_back(text);
                        if last_lines.len() > MOST_LINES {
                            last_lines.pop_front();
                        }
                    }
                }
            }
            () = jobs.cancelled.notified(), if deadline.is_none() => {
                // The wish may have been for the job before, which had just ended.
                if jobs.queue().running().is_some_and(|job| job.cancelling) {
                    terminate(&child);
                    deadline = Some(Instant::now() + PATIENCE);
                }
            }
            () = until_set(&mut stopping), if !stopped => {
                stopped = true;
                terminate(&child);
                deadline = Some(Instant::now() + PATIENCE);
            }
            () = sleep_until(deadline.unwrap_or_else(Instant::now)), if deadline.is_some() => {
                let _ = child.start_kill();
                deadline = Some(Instant::now() + PATIENCE);
            }
        }
    }
    let status = child.wait().await;
    if stopped && !status.as_ref().is_ok_and(ExitStatus::success) {
        return None;
    }
    Some(match status {
        Ok(status) if status.success() => End::Finished,
        Ok(status) => End::Failed(words(jobs, status, last_lines)),
        Err(error) => End::Failed(format!("What became of its process is not known: {error}")),
    })
}

async fn take(jobs: &Jobs, report: Report) {
    match report {
        Report::Progress(progress) => {
            let mut queue = jobs.queue();
            if let Some(job) = queue.progress(progress) {
                jobs.tell(job);
            }
        }
        Report::RunId(name) if super::is_id(&name) => {
            let number = jobs.queue().running().map(|job| {
                job.run_id = Some(name);
                job.number
            });
            if let Some(number) = number {
                // Without it on the disk, a sweep begins anew after a restart.
                let _ = jobs.keep(number).await;
            }
        }
        Report::RunId(_) => {}
    }
}

/// Asks a child to end.
fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    if let Some(pid) = pid {
        // It may have ended just now; it is not yet waited for, so the number is still its own.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

/// Why a child failed: its last words without what concerns the command line only, and without the way to the data
/// folder.
fn words(jobs: &Jobs, status: ExitStatus, lines: impl IntoIterator<Item = String>) -> String {
    if let Some(signal) = status.signal() {
        return format!("Its process was ended from outside, by signal {signal}.");
    }
    if status.code() == Some(130) {
        return "Its process was interrupted from outside.".to_string();
    }
    let lines = lines.into_iter().filter(|line| !line.starts_with("note: ") && !line.starts_with("warning: "));
    let lines = lines.take_while(|line| !line.starts_with("Usage: ") && !line.starts_with("For more information"));
    let text = lines.collect::<Vec<_>>().join("\n");
    let text = text.trim();
    let text = text.strip_prefix("tbot: ").or_else(|| text.strip_prefix("error: ")).unwrap_or(text);
    let text = text.replace(&format!("{}/", jobs.root().display()), "");
    if text.is_empty() { format!("It ended with {status}.") } else { text.chars().take(MOST_MESSAGE).collect() }
}

impl Jobs {
    /// Lets a child check the arguments of a job; what it says about them.
    ///
    /// # Errors
    /// They cannot be used, or it failed.
    pub async fn check(&self, kind: Kind, arguments: &[String]) -> Result<Value, QueryError> {
        let mut all = vec![kind.command().to_string()];
        all.extend(arguments.iter().cloned());
        all.push("--check".to_string());
        let answer = self.ask(&all).await?;
        Ok(serde_json::from_slice(&answer).unwrap_or(Value::Null))
    }

    /// Lets a child read results: what it writes to stdout.
    ///
    /// # Errors
    /// What is asked for cannot be used, it failed, or took too long.
    pub async fn query(&self, arguments: &[String]) -> Result<Vec<u8>, QueryError> {
        let mut all = vec!["query".to_string()];
        all.extend(arguments.iter().cloned());
        self.ask(&all).await
    }

    async fn ask(&self, arguments: &[String]) -> Result<Vec<u8>, QueryError> {
        let work = async {
            let closed = |_| QueryError::TooMuch;
            let _place = self.readers.acquire().await.map_err(closed)?;
            let failed = |error: std::io::Error| QueryError::Failed(format!("The program could not be run: {error}"));
            let mut child = start(self, arguments, Stdio::piped()).map_err(failed)?;
            let _stdin = child.stdin.take();
            let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
                return Err(QueryError::Failed("The child has no output.".to_string()));
            };
            let (mut answer, mut said) = (Vec::new(), Vec::new());
            let mut stdout = stdout.take(MOST_ANSWER + 1);
            let mut stderr = stderr.take(64 * 1024);
            let (read, _) = tokio::join!(stdout.read_to_end(&mut answer), stderr.read_to_end(&mut said));
            read.map_err(failed)?;
            if answer.len() as u64 > MOST_ANSWER {
                return Err(QueryError::TooMuch);
            }
            let status = child.wait().await.map_err(failed)?;
            if status.success() {
                return Ok(answer);
            }
            let said = String::from_utf8_lossy(&said);
            let words = words(self, status, said.lines().map(str::to_string));
            Err(if status.code() == Some(2) { QueryError::Input(words) } else { QueryError::Failed(words) })
        };
        // Dropped, the child is killed.
        timeout(READ_TIME, work).await.unwrap_or(Err(QueryError::TooMuch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_the_command_line_lead_to_the_key_that_they_are_about() {
        let key = |words: &str| QueryError::Input(words.to_string()).key();
        assert_eq!(key("--strategy no_such: unknown; there are open, mid"), Some("strategy"));
        assert_eq!(key("invalid value 'x' for '--latency-ms <N>': invalid digit"), Some("latency_ms"));
        assert_eq!(key("parameter fast of strategy 'sma_cross': 'x' is not a whole number"), Some("param"));
        assert_eq!(key("no bars: the selection leaves nothing"), None);
        assert_eq!(key("--orders x: no such file"), None, "an option that no key stands for");
        assert_eq!(QueryError::TooMuch.key(), None);
    }
}
