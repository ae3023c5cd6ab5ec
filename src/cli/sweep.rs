//! `tbot sweep`: many runs over a parameter space.

mod progress;
mod text;

use super::job::{JOB_OPTIONS, JobOptions};
use super::output::print;
use super::run_options::RunOptions;
use super::search_options::{LARGE_GRID, SearchOptions};
use super::{CliError, interrupt};
use crate::data::{LoadOptions, load};
use crate::market::Market;
use crate::optimize::Count;
use crate::optimize::report::write_report;
use crate::optimize::sweep::{
    Shard, SweepElapsed, SweepError, SweepFile, SweepSpec, finish, run as run_sweep,
    store::{self, SUMMARY_FILE},
};
use crate::runtime::jobs::{Progress as JobProgress, Unit};
use crate::settings::Key;
use chrono::Days;
use clap::Subcommand;
use progress::Progress;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Runs strategies with many parameters over the same market data, records every trial, and judges whether the
/// best is more than luck.
///
/// A sweep that was interrupted is taken up with --resume. Many machines share one with --shard, and "tbot sweep
/// merge" joins their parts.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    sweep: SweepOptions,
}

/// What else can be done with sweeps.
#[derive(Debug, Subcommand)]
enum Action {
    /// Joins the shards of a sweep: the result is that of the whole sweep, byte for byte
    Merge(MergeArgs),
}

/// Options of `tbot sweep merge`.
#[derive(Debug, clap::Args)]
struct MergeArgs {
    /// Folders of the shards, or folders that hold them
    #[arg(required = true)]
    dirs: Vec<PathBuf>,
    /// Folder of the results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Print summary.json and nothing else
    #[arg(long)]
    json: bool,
    /// Print the path of the result folder only
    #[arg(long, conflicts_with = "json")]
    quiet: bool,
}

/// Options of a sweep.
#[derive(Debug, clap::Args)]
struct SweepOptions {
    #[command(flatten)]
    search: SearchOptions,
    #[command(flatten)]
    run: RunOptions,
    /// Folder of the results; default: OPTIMIZER_OUTPUT_DIR
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    out: Option<PathBuf>,
    /// Threads; default: all. The result does not depend on it
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Output")]
    jobs: Option<u64>,
    /// Take up an interrupted sweep: its folder, or the beginning of its name. The options of the sweep need not
    /// be repeated; if they are, then all of them, and they must be the same
    #[arg(long, value_name = "RUN", help_heading = "Output")]
    resume: Option<String>,
    /// Only part I (from 0) of N parts of a grid or a random search
    #[arg(long, value_name = "I/N", value_parser = shard, help_heading = "Output")]
    shard: Option<Shard>,
    /// Run a grid of more than a million points
    #[arg(long, help_heading = "Output")]
    yes: bool,
    /// Print summary.json and nothing else
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Print the path of the result folder only
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    quiet: bool,
    #[command(flatten)]
    job: JobOptions,
    /// Only the last N days of the data, counted from its last session
    #[arg(long, hide = true, conflicts_with = "from")]
    last_days: Option<u64>,
}

/// Options of a sweep that say nothing about its trials.
const WITHOUT_EFFECT: [&str; 6] = ["out", "jobs", "resume", "yes", "json", "quiet"];

fn shard(text: &str) -> Result<Shard, String> {
    let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
    match numbers {
        Some((index, count)) if index < count => Ok(Shard { index, count }),
        Some((_, count)) if count > 0 => Err(format!("shards are numbered from 0 to {}", count - 1)),
        _ => Err("expected I/N, such as 0/8".to_string()),
    }
}

/// Bad input, a failed sweep, or an interrupt.
pub(super) fn sweep_error(error: SweepError) -> CliError {
    match error {
        SweepError::Interrupted => CliError::Interrupted,
        error if error.is_input() => CliError::input(error),
        error => CliError::failed(error),
    }
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    match &args.action {
        Some(Action::Merge(merge)) => run_merge(merge),
        None => run_or_resume(&args.sweep),
    }
}

fn run_or_resume(args: &SweepOptions) -> Result<(), CliError> {
    let job = args.job.begin()?;
    super::set_threads(args.job.threads(args.jobs))?;
    if args.job.check_only() && args.resume.is_none() {
        let spec = checked(args)?;
        let plan = spec.plan().map_err(sweep_error)?;
        return print(&format!("{}\n", SearchOptions::checked(&spec, &plan.space)));
    }
    job.progress(JobProgress::loading(Unit::Trials));
    let clock = Instant::now();
    let (dir, sweep, market) = match &args.resume {
        Some(name) => resume(args, name)?,
        None => begin(args)?,
    };
    job.run_id(&dir.file_name().unwrap_or_default().to_string_lossy());
    let load_s = clock.elapsed().as_secs_f64();
    for note in &market.notes {
        eprintln!("note: {note}");
    }
    let planned = planned(&sweep);
    if !args.quiet {
        eprintln!(
            "{}: {planned} trials{}, {} sessions, {} bars; {}",
            sweep.spec.method,
            sweep.shard.map_or(String::new(), |s| format!(" of {} (shard {}/{})", sweep.spec.trials, s.index, s.count)),
            sweep.sessions,
            sweep.bars,
            dir.display()
        );
    }
    let stop = interrupt::flag()?;
    let progress = Progress::new(planned, &sweep, args.quiet, &job)?;
    let clock = Instant::now();
    let result =
        run_sweep(&dir, &sweep, &market, stop, |n| progress.begin(n), &|trial, bars| progress.trial(trial, bars));
    let done = progress.finish();
    if let Err(SweepError::Interrupted) = result {
        eprintln!("interrupted after {done} of {planned} trials; to go on: tbot sweep --resume {}", dir.display());
        return Err(CliError::Interrupted);
    }
    result.map_err(sweep_error)?;
    if let Some(shard) = sweep.shard {
        if !args.quiet {
            eprintln!("shard {}/{} is complete; tbot sweep merge joins it with the others", shard.index, shard.count);
        }
        return if args.json {
            print(&format!(
                "{}\n",
                serde_json::json!({ "shard": shard, "trials": done, "path": dir.to_string_lossy() })
            ))
        } else {
            print(&format!("{}\n", dir.display()))
        };
    }
    let elapsed = SweepElapsed { load_s, run_s: clock.elapsed().as_secs_f64() };
    finish(&dir, elapsed).map_err(sweep_error)?;
    write_report(&dir).map_err(sweep_error)?;
    show(&dir, args.json, args.quiet)
}

/// Trials of the sweep or of its shard.
fn planned(sweep: &SweepFile) -> u64 {
    match sweep.shard {
        None => sweep.spec.trials,
        Some(shard) => (sweep.spec.trials + shard.count - 1 - shard.index) / shard.count,
    }
}

/// Prints the result of a finished sweep.
fn show(dir: &Path, json: bool, quiet: bool) -> Result<(), CliError> {
    let path = dir.join(SUMMARY_FILE);
    let text = std::fs::read_to_string(&path).map_err(|e| CliError::failed(format!("{}: {e}", path.display())))?;
    if json {
        return print(&text);
    }
    if quiet {
        return print(&format!("{}\n", dir.display()));
    }
    let summary = serde_json::from_str(&text).map_err(CliError::failed)?;
    print(&text::describe(&summary, dir))
}

/// Prints a stored sweep.
pub(super) fn show_stored(dir: &Path, json: bool) -> Result<(), CliError> {
    if dir.join(SUMMARY_FILE).is_file() {
        return show(dir, json, false);
    }
    Err(unfinished(dir)?)
}

/// What to do with a sweep that has no result of its own.
pub(super) fn unfinished(dir: &Path) -> Result<CliError, CliError> {
    let sweep = store::read_sweep(dir).map_err(sweep_error)?;
    let (done, planned) = (store::count_trials(dir).map_err(sweep_error)?, planned(&sweep));
    let dir = dir.display();
    Ok(CliError::Input(match sweep.shard {
        Some(shard) if done >= planned => format!(
            "{dir} is shard {}/{}, complete with {done} trials; tbot sweep merge joins it with the others",
            shard.index, shard.count
        ),
        _ => format!("{dir} is not finished: {done} of {planned} trials; tbot sweep --resume {dir} goes on with it"),
    }))
}

/// Whether every trial of a shard is recorded.
pub(super) fn shard_is_complete(dir: &Path, sweep: &SweepFile) -> Result<bool, CliError> {
    Ok(store::count_trials(dir).map_err(sweep_error)? >= planned(sweep))
}

/// The sweep that the options describe, with everything checked that can be seen without the data.
fn checked(args: &SweepOptions) -> Result<SweepSpec, CliError> {
    let spec = args.search.to_spec(args.run.to_spec()?)?;
    spec.run.check_venue().map_err(CliError::input)?;
    spec.check(args.shard).map_err(sweep_error)?;
    let plan = spec.plan().map_err(sweep_error)?;
    let settings = spec.settings().map_err(sweep_error)?;
    crate::optimize::method(&spec.method, &plan.space, &plan.aim.goal(), &settings).map_err(CliError::input)?;
    if spec.method == "grid" && spec.trials > LARGE_GRID && !args.yes {
        return Err(CliError::Input(format!(
            "the grid has {} points; add --yes to run it, --trials N to run the first N, or choose another --method",
            spec.trials
        )));
    }
    if args.shard.is_some() && spec.method == "grid" && matches!(plan.space.count(), Count::AtMost(_)) {
        return Err(CliError::Input(
            "--shard: the space has too many combinations to count those that --where leaves, so that nobody could \
             tell whether all shards are there; expected a smaller space, or one without rules"
                .to_string(),
        ));
    }
    Ok(spec)
}

/// The sweep that the options describe, with the data it needs.
fn described(args: &SweepOptions) -> Result<(SweepFile, Market), CliError> {
    let mut spec = checked(args)?;
    let market = load_last(&mut spec.run.data, args.last_days)?;
    spec.run.config(&market).map_err(CliError::input)?;
    let sweep = SweepFile::new(spec, &market, args.shard, &super::command_line()).map_err(sweep_error)?;
    Ok((sweep, market))
}

/// Loads data; with `last_days` only the sessions of so many days up to the last one, which the selection then names.
pub(super) fn load_last(options: &mut LoadOptions, last_days: Option<u64>) -> Result<Market, CliError> {
    let market = load(options).map_err(CliError::input)?;
    let (Some(days), Some(last)) = (last_days, market.days.last()) else { return Ok(market) };
    let Some(from) = last.date.checked_sub_days(Days::new(days.saturating_sub(1))) else { return Ok(market) };
    options.from = Some(from);
    drop(market);
    load(options).map_err(CliError::input)
}

fn begin(args: &SweepOptions) -> Result<(PathBuf, SweepFile, Market), CliError> {
    let (mut sweep, market) = described(args)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => PathBuf::from(sweep.spec.run.settings.text(Key::OptimizerOutputDir)),
    };
    let earlier = store::earlier_trials(&out, &sweep.data_hash, &sweep.fingerprint).map_err(sweep_error)?;
    for error in &earlier.unreadable {
        eprintln!("note: {error}; its trials are not counted");
    }
    (sweep.earlier_sweeps, sweep.earlier_trials) = (earlier.sweeps, earlier.trials);
    let started = super::now_in_names();
    let dir = store::create(&out, &format!("{started}-{}", &sweep.fingerprint[..12]), &sweep).map_err(sweep_error)?;
    Ok((dir, sweep, market))
}

fn resume(args: &SweepOptions, name: &str) -> Result<(PathBuf, SweepFile, Market), CliError> {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("backtest_results"));
    let found = store::find_sweep(&out, name).map_err(sweep_error)?;
    let dir =
        found.ok_or_else(|| CliError::Input(format!("--resume {name}: no sweep of that name in {}", out.display())))?;
    let stored = store::read_sweep(&dir).map_err(sweep_error)?;
    args.job.wait_until(|| store::in_use(&dir).is_ok_and(|used| !used));
    let (now, market) = if !super::given_options("sweep", &[&WITHOUT_EFFECT[..], &JOB_OPTIONS].concat()).is_empty() {
        described(args).map_err(|error| match error {
            CliError::Input(reason) => CliError::Input(format!(
                "{reason} (beside --resume expected all options of the sweep, to be compared, or none)"
            )),
            other => other,
        })?
    } else {
        let market = load(&stored.spec.run.data).map_err(CliError::input)?;
        let now = SweepFile::new(stored.spec.clone(), &market, stored.shard, &stored.command).map_err(sweep_error)?;
        (now, market)
    };
    let differences = stored.differences(&now);
    if differences.is_empty() {
        return Ok((dir, stored, market));
    }
    Err(sweep_error(SweepError::Changed { path: dir, differences }))
}

fn run_merge(args: &MergeArgs) -> Result<(), CliError> {
    let started = super::now_in_names();
    let dir = crate::optimize::sweep::merge(&args.dirs, &args.out, &started).map_err(sweep_error)?;
    finish(&dir, SweepElapsed::default()).map_err(sweep_error)?;
    write_report(&dir).map_err(sweep_error)?;
    show(&dir, args.json, args.quiet)
}
