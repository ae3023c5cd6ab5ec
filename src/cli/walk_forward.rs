//! `tbot walk-forward`: search on the past, judge on what follows, move on.

use super::job::JobOptions;
use super::output::{aligned, print};
use super::run_options::RunOptions;
use super::search_options::{LARGE_GRID, SearchOptions};
use super::sweep::{load_last, sweep_error};
use super::{CliError, interrupt};
use crate::market::{Market, format_date};
use crate::optimize::report::write_walk_forward_report;
use crate::optimize::sweep::SweepElapsed;
use crate::optimize::walk_forward::{WalkForwardResult, WalkForwardSpec, run as walk, write};
use crate::runtime::jobs::{Phase, Progress, Unit};
use crate::settings::Key;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines about the progress.
const QUIET: Duration = Duration::from_secs(10);

/// Searches parameters on windows of sessions and tests each winner on the sessions that follow.
///
/// In a test the indicators know all bars before it, the account begins flat. The account out of sample is
/// stitched from the tests; docs/sweeps.md says how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Sessions to search on; with --anchored those of the first window
    #[arg(long, value_name = "SESSIONS", default_value_t = 60, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Windows")]
    train: u64,
    /// Sessions to test on
    #[arg(long, value_name = "SESSIONS", default_value_t = 20, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Windows")]
    test: u64,
    /// Sessions from one window to the next
    #[arg(long, value_name = "SESSIONS", default_value_t = 20, allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Windows")]
    step: u64,
    /// Sessions left out between searching and testing
    #[arg(long, value_name = "SESSIONS", default_value_t = 0, allow_negative_numbers = true, help_heading = "Windows")]
    embargo: u64,
    /// Search every window from the first session on
    #[arg(long, help_heading = "Windows")]
    anchored: bool,
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

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let job = args.job.begin()?;
    super::set_threads(args.job.threads(args.jobs))?;
    let search = args.search.to_spec(args.run.to_spec()?)?;
    search.run.check_venue().map_err(CliError::input)?;
    search.check(None).map_err(sweep_error)?;
    let plan = search.plan().map_err(sweep_error)?;
    let settings = search.settings().map_err(sweep_error)?;
    crate::optimize::method(&search.method, &plan.space, &plan.aim.goal(), &settings).map_err(CliError::input)?;
    if search.method == "grid" && search.trials > LARGE_GRID && !args.yes {
        return Err(CliError::Input(format!(
            "the grid has {} points in each window; add --yes to run it",
            search.trials
        )));
    }
    if args.job.check_only() {
        return print(&format!("{}\n", SearchOptions::checked(&search, &plan.space)));
    }
    let mut spec = WalkForwardSpec {
        train: args.train,
        test: args.test,
        step: args.step,
        embargo: args.embargo,
        anchored: args.anchored,
        search,
    };
    let clock = Instant::now();
    let loading = Progress::loading(Unit::Trials);
    job.progress(loading.clone());
    let market = load_last(&mut spec.search.run.data, args.last_days)?;
    let load_s = clock.elapsed().as_secs_f64();
    spec.search.run.config(&market).map_err(CliError::input)?;
    let windows = spec.windows(market.days.len()).map_err(sweep_error)?.len();
    for note in &market.notes {
        eprintln!("note: {note}");
    }
    let per_window = spec.search.trials;
    if !args.quiet {
        eprintln!("{}: {windows} windows of {per_window} trials, {} sessions", spec.search.method, market.days.len());
    }
    let (started, command) = (super::now_in_names(), super::command_line());

    let clock = Instant::now();
    let fingerprint = spec.fingerprint(&market.data_hash).map_err(sweep_error)?;
    job.run_id(&format!("{started}-{}", &fingerprint[..12]));
    let (done, last_line) = (AtomicU64::new(0), Mutex::new(Instant::now()));
    let progress = |window: usize, _: &crate::optimize::sweep::TrialRecord, _: u64| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        job.progress_at_times(|| {
            Progress { phase: Phase::Running, done, total: windows as u64 * per_window, ..loading.clone() }
                .at_pace(done, clock.elapsed().as_secs_f64())
        });
        let mut last = last_line.lock().unwrap_or_else(PoisonError::into_inner);
        if !args.quiet && last.elapsed() >= QUIET {
            *last = Instant::now();
            let rate = done as f64 / clock.elapsed().as_secs_f64();
            let left = (windows as u64 * per_window).saturating_sub(done) as f64 / rate;
            eprintln!("window {} of {windows}, {done} trials, {rate:.1} trials/s, {left:.0} s left", window + 1);
        }
    };
    let result = walk(&spec, &market, interrupt::flag()?, &progress).map_err(sweep_error)?;
    let elapsed = SweepElapsed { load_s, run_s: clock.elapsed().as_secs_f64() };
    let out = match &args.out {
        Some(out) => out.clone(),
        None => PathBuf::from(spec.search.run.settings.text(Key::OptimizerOutputDir)),
    };
    let dir = write(&out, &started, &spec, &market, &result, &command, elapsed).map_err(sweep_error)?;
    write_walk_forward_report(&dir).map_err(sweep_error)?;
    job.run_id(&dir.file_name().unwrap_or_default().to_string_lossy());
    if args.json {
        let path = dir.join("summary.json");
        let text = std::fs::read_to_string(&path).map_err(|e| CliError::failed(format!("{}: {e}", path.display())))?;
        return print(&text);
    }
    if args.quiet {
        return print(&format!("{}\n", dir.display()));
    }
    print(&describe(&spec, &market, &result, &dir)?)
}

/// The windows in a table, and what came of them together.
fn describe(
    spec: &WalkForwardSpec,
    market: &Market,
    result: &WalkForwardResult,
    dir: &Path,
) -> Result<String, CliError> {
    let space = spec.search.space().map_err(sweep_error)?;
    let aim = spec.search.aim().map_err(sweep_error)?;
    let objective = aim.objectives()[0].0.as_str();
    let mut head = vec!["window".to_string(), "test from".to_string(), "to".to_string()];
    head.extend(space.parameters().iter().map(|parameter| parameter.name.clone()));
    head.extend([format!("{objective} in"), "out".to_string(), "return in".to_string(), "out".to_string()]);
    let mut rows = vec![head];
    let number = |value: Option<f64>| value.map_or("n/a".to_string(), |value| format!("{value:.4}"));
    let percent = |value: Option<f64>| value.map_or("n/a".to_string(), |value| format!("{:.2} %", value * 100.0));
    for (k, window) in result.windows.iter().enumerate() {
        let winner = window.winner.as_ref();
        let date = |session: usize| format_date(market.days[session].date);
        let mut row = vec![k.to_string(), date(window.sessions.test.start), date(window.sessions.test.end - 1)];
        row.extend(
            (0..space.len())
                .map(|p| winner.and_then(|w| w.params[p].as_ref()).map_or("-".to_string(), ToString::to_string)),
        );
        row.push(number(winner.and_then(|w| w.metric(objective))));
        row.push(number(window.test.get(objective)));
        row.push(percent(winner.and_then(|w| w.metric("total_return"))));
        row.push(percent(window.test.get("total_return")));
        rows.push(row);
    }
    let mut out = aligned(&rows, 3);
    let idle = result.windows.iter().filter(|window| window.winner.is_none()).count();
    if idle > 0 {
        let _ = writeln!(
            out,
            "\nwarning: in {idle} of {} windows no trial met the constraints with a defined {objective}: nothing was \
             traded there",
            result.windows.len()
        );
    }
    let metric = |name: &str| result.out_of_sample.get(name);
    let _ = writeln!(
        out,
        "\nout of sample: return {}, {} a year, Sharpe {}, max drawdown {}\nin sample: {} a year; efficiency {}\n{}",
        percent(metric("total_return")),
        percent(metric("cagr")),
        number(metric("sharpe")),
        percent(metric("max_drawdown")),
        percent(result.in_sample_cagr),
        percent(result.efficiency),
        dir.display()
    );
    Ok(out)
}
