//! `tbot backtest`: one run.

use super::job::{JOB_OPTIONS, Job, JobOptions};
use super::output::{aligned, print};
use super::run_options::RunOptions;
use super::sweep::sweep_error;
use super::{CliError, interrupt};
use crate::backtest::store::Summary;
use crate::backtest::{ExecuteError, Execution, RunSpec, execute_on, run_id};
use crate::data::{DataError, load_until};
use crate::optimize::sweep::{SweepFile, TrialRecord, for_each_trial, store};
use crate::runtime::jobs::{Phase, Progress, Unit};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// Runs strategies over market data and writes a result folder. Without options: the built-in strategies over
/// the embedded data set.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunOptions,
    /// Run a trial of a sweep in full: SWEEP is its folder, or the beginning of its name. Everything else is as in
    /// the sweep
    #[arg(long, value_name = "SWEEP/ID", help_heading = "Strategy")]
    from_trial: Option<String>,
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "backtest_results", help_heading = "Output")]
    out: PathBuf,
    /// Also write equity.csv
    #[arg(long, help_heading = "Output")]
    csv: bool,
    /// Threads for loading; default: all
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = clap::value_parser!(u64).range(1..), help_heading = "Output")]
    jobs: Option<u64>,
    /// Print summary.json and nothing else
    #[arg(long, help_heading = "Output")]
    json: bool,
    /// Print the path of the result folder only
    #[arg(long, conflicts_with = "json", help_heading = "Output")]
    quiet: bool,
    #[command(flatten)]
    job: JobOptions,
}

/// Options of a backtest that say nothing about its result.
const WITHOUT_EFFECT: [&str; 6] = ["from_trial", "out", "csv", "jobs", "json", "quiet"];

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let job = args.job.begin()?;
    super::set_threads(args.job.threads(args.jobs))?;
    let trial = match &args.from_trial {
        Some(name) => Some(SweepTrial::find(&args.out, name)?),
        None => None,
    };
    let spec = match &trial {
        Some(trial) => trial.run.clone(),
        None => args.run.to_spec()?,
    };
    if args.job.check_only() {
        return spec.check().map_err(CliError::input);
    }
    let stop = interrupt::flag()?;
    let execution = execute(&spec, stop, &job)?;
    if let Some(trial) = &trial {
        trial.compare(&execution)?;
    }
    if stop.load(Ordering::Relaxed) {
        return Err(CliError::Interrupted);
    }
    let folder = execution.write(&args.out, args.csv).map_err(CliError::failed)?;
    job.run_id(&folder.file_name().unwrap_or_default().to_string_lossy());
    let summary = &execution.summary;
    if args.json {
        let text = std::fs::read_to_string(folder.join(crate::backtest::store::SUMMARY_FILE))
            .map_err(|error| CliError::failed(format!("{}: {error}", folder.display())))?;
        return print(&text);
    }
    for note in &execution.market.notes {
        eprintln!("note: {note}");
    }
    if args.quiet {
        return print(&format!("{}\n", folder.display()));
    }
    for warning in &summary.warnings {
        eprintln!("warning: {warning}");
    }
    print(&describe(summary, &folder))
}

/// Loads the data and runs.
fn execute(spec: &RunSpec, stop: &AtomicBool, job: &Job) -> Result<Execution, CliError> {
    let loading = Progress::loading(Unit::Sessions);
    job.progress(loading.clone());
    let clock = Instant::now();
    let market = load_until(&spec.data, stop).map_err(|error| execute_error(error.into()))?;
    let load_s = clock.elapsed().as_secs_f64();
    let (started, command) = (super::now_in_names(), super::command_line());
    job.run_id(&run_id(spec, &market, &started).map_err(CliError::input)?);
    let (sessions, clock) = (market.days.len() as u64, Instant::now());
    let go_on = |done: usize| {
        job.progress_at_times(|| {
            let done = done as u64;
            Progress { phase: Phase::Running, done, total: sessions, ..loading.clone() }
                .at_pace(done, clock.elapsed().as_secs_f64())
        });
        !stop.load(Ordering::Relaxed)
    };
    let execution = execute_on(spec, market, &started, &command, load_s, go_on).map_err(execute_error)?;
    job.progress(Progress { phase: Phase::Finishing, done: sessions, total: sessions, ..loading });
    Ok(execution)
}

/// A trial of a sweep, to be run in full.
struct SweepTrial {
    sweep: SweepFile,
    trial: TrialRecord,
    run: RunSpec,
}

impl SweepTrial {
    /// Finds `SWEEP/ID`.
    fn find(out: &Path, name: &str) -> Result<SweepTrial, CliError> {
        let wrong = |reason: String| CliError::Input(format!("--from-trial {name}: {reason}"));
        let others = super::given_options("backtest", &[&WITHOUT_EFFECT[..], &JOB_OPTIONS].concat());
        if let Some(other) = others.first() {
            return Err(wrong(format!("the sweep says how it is run; --{other} cannot be given beside it")));
        }
        let parts = name.rsplit_once('/').and_then(|(sweep, id)| Some((sweep, id.parse::<u64>().ok()?)));
        let (folder, id) =
            parts.ok_or_else(|| wrong("expected SWEEP/ID, such as 20240326T133000Z-01ab/17".to_string()))?;
        let dir = store::find_sweep(out, folder).map_err(sweep_error)?;
        let dir = dir.ok_or_else(|| wrong(format!("no sweep '{folder}' in {}", out.display())))?;
        let sweep = store::read_sweep(&dir).map_err(sweep_error)?;
        let plan = sweep.spec.plan().map_err(sweep_error)?;
        let (mut found, mut last) = (None, None);
        for_each_trial(&dir, &plan.space, |trial| {
            last = Some(trial.id);
            if trial.id == id {
                found = Some(trial);
            }
            Ok(())
        })
        .map_err(sweep_error)?;
        let there = last.map_or("it has no trial".to_string(), |last| format!("its trials end with {last}"));
        let trial = found.ok_or_else(|| wrong(format!("the sweep has no trial {id}; {there}")))?;
        let run = plan.binding.apply(&sweep.spec.run, &trial.params).map_err(wrong)?;
        Ok(SweepTrial { sweep, trial, run })
    }

    /// The full run must say what the trial said.
    fn compare(&self, execution: &Execution) -> Result<(), CliError> {
        if execution.summary.data_hash != self.sweep.data_hash {
            return Err(CliError::Input(format!(
                "the data are not those of the sweep: {} then, {} now",
                self.sweep.data_hash, execution.summary.data_hash
            )));
        }
        let differs = |(name, value): (&String, &serde_json::Value)| execution.summary.metrics.get(name) != Some(value);
        match self.trial.metrics.iter().find(|pair| differs(*pair)) {
            None => Ok(()),
            Some((name, then)) => {
                let now = execution.summary.metrics.get(name).cloned().unwrap_or_default();
                eprintln!(
                    "warning: {name} was {then} in the sweep (version {}) and is {now} now (version {})",
                    self.sweep.version, execution.summary.version
                );
                Ok(())
            }
        }
    }
}

/// Bad input, a failed run, or an interrupt.
pub(super) fn execute_error(error: ExecuteError) -> CliError {
    match error {
        ExecuteError::Data(DataError::Interrupted) => CliError::Interrupted,
        ExecuteError::Data(_) | ExecuteError::Spec(_) => CliError::input(error),
        ExecuteError::Interrupted(_) => CliError::Interrupted,
        ExecuteError::Stats(_) | ExecuteError::Internal(_) => CliError::failed(error),
    }
}

/// The summary as people read it.
fn describe(summary: &Summary, folder: &Path) -> String {
    let mut out = String::new();
    let money = |value: f64| format!("{value:.2}");
    let percent = |name: &str| summary.metric(name).map_or("n/a".to_string(), |v| format!("{:.2} %", v * 100.0));
    let number = |name: &str| summary.metric(name).map_or("n/a".to_string(), |v| format!("{v:.2}"));
    let _ = writeln!(
        out,
        "{} over {} symbols, {} to {}: {} sessions, {} bars",
        summary.strategies.join(", "),
        summary.symbols.len(),
        summary.from,
        summary.to,
        summary.sessions,
        summary.bars
    );
    let rows = [
        ("start equity", money(summary.start_equity), "trades", summary.trades.to_string()),
        ("final equity", money(summary.final_equity), "win rate", percent("win_rate")),
        ("total return", percent("total_return"), "profit factor", number("profit_factor")),
        ("CAGR", percent("cagr"), "expectancy", number("expectancy")),
        ("Sharpe", number("sharpe"), "commission", money(summary.costs.commission)),
        ("Sortino", number("sortino"), "slippage", money(summary.costs.slippage)),
        (
            "max drawdown",
            percent("max_drawdown"),
            "borrow, interest",
            money(summary.costs.borrow + summary.costs.interest),
        ),
        (
            "volatility",
            percent("annual_volatility"),
            "ambiguous trades",
            format!("{} ({:.2})", summary.ambiguity.trades, summary.ambiguity.pnl),
        ),
    ];
    let table: Vec<Vec<String>> =
        rows.into_iter().map(|(a, b, c, d)| vec![a.to_string(), b, format!("   {c}"), d]).collect();
    let _ = writeln!(out);
    // Names to the left, figures to the right, in both halves.
    let left: Vec<Vec<String>> = table.iter().map(|r| r[..2].to_vec()).collect();
    let right: Vec<Vec<String>> = table.iter().map(|r| r[2..].to_vec()).collect();
    for (a, b) in aligned(&left, 1).lines().zip(aligned(&right, 1).lines()) {
        let _ = writeln!(out, "  {a}{b}");
    }
    let _ = writeln!(
        out,
        "\n{:.0} bars/s ({:.3} s to load, {:.3} s to run)\n{}\n{}",
        summary.elapsed.bars_per_s,
        summary.elapsed.load_s,
        summary.elapsed.run_s,
        folder.display(),
        folder.join(crate::backtest::store::REPORT_FILE).display()
    );
    out
}
