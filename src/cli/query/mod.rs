//! `tbot query`: what the web asks of results, answered by a child of the core. It is hidden: people have `tbot runs`,
//! `tbot report` and the files themselves.
//!
//! Every answer is one JSON document on stdout, or with `--binary` columns of little-endian `f64`.

mod run;
mod sweep;

use super::CliError;
use super::job::{end_with_parent, give_way};
use super::output::print;
use super::runs::{entry_json, store_error, sweeps};
use super::sweep::sweep_error;
use crate::backtest::store::{RunEntry, is_run, read_summary};
use crate::data::{LoadOptions, Source, format_bar_length, load};
use crate::market::format_date;
use crate::optimize::report::{Browser, Statistic, TrialPage};
use crate::optimize::sweep::store::{SweepEntry, is_sweep, read_summary as read_sweep_summary, read_sweep};
use crate::optimize::walk_forward::store::{is_walk_forward, read_summary as read_walk_forward};
use clap::{Args as ClapArgs, Subcommand};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// How much a query gives way: less than a job.
const PRIORITY: i32 = 10;

/// Reads results for the web.
#[derive(Debug, ClapArgs)]
pub struct Args {
    #[command(subcommand)]
    question: Question,
    /// Be a child of the core
    #[arg(long, global = true, hide = true)]
    job: bool,
}

/// What is asked.
#[derive(Debug, Subcommand)]
enum Question {
    /// One line about each of some result folders
    Headlines { dirs: Vec<PathBuf> },
    /// What a result folder says of itself
    Details { dir: PathBuf },
    /// A column over time
    Series(run::SeriesArgs),
    /// Closed trades of a run
    Trades(run::TradesArgs),
    /// Trials of a sweep
    Trials(sweep::TrialsArgs),
    /// An objective over two parameters
    Heatmap {
        dir: PathBuf,
        #[arg(long)]
        x: Option<String>,
        #[arg(long)]
        y: Option<String>,
        #[arg(long, default_value = "median")]
        stat: String,
    },
    /// An objective over each parameter
    Slices { dir: PathBuf },
    /// How much each parameter explains
    Importance { dir: PathBuf },
    /// The Pareto front
    Front { dir: PathBuf },
    /// Growth of one dollar in the best trials
    Curves { dir: PathBuf },
    /// Symbols, dates and bars of a data set
    Dataset {
        #[arg(long)]
        data: String,
    },
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    if args.job {
        give_way(PRIORITY)?;
        end_with_parent()?;
    }
    let browser = |dir: &PathBuf| Browser::open(dir).map_err(sweep_error);
    let answer = match &args.question {
        Question::Headlines { dirs } => Value::Array(dirs.iter().map(|dir| headline(dir)).collect()),
        Question::Details { dir } => details(dir)?,
        Question::Series(series) => return series.answer(),
        Question::Trades(trades) => trades.answer()?,
        Question::Trials(trials) => trials.answer()?,
        Question::Heatmap { dir, x, y, stat } => {
            let statistic = Statistic::from_word(stat);
            let statistic =
                statistic.ok_or_else(|| CliError::Input(format!("stat {stat}: expected median, best or count")))?;
            browser(dir)?.heat_map(x.as_deref(), y.as_deref(), statistic).map_err(sweep_error)?
        }
        Question::Slices { dir } => browser(dir)?.slices(),
        Question::Importance { dir } => browser(dir)?.importance(),
        Question::Front { dir } => browser(dir)?.front(),
        Question::Curves { dir } => browser(dir)?.curves().map_err(sweep_error)?,
        Question::Dataset { data } => dataset(data)?,
    };
    print(&answer.to_string())
}

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A result folder as an entry of the list.
fn headline(dir: &Path) -> Value {
    let (name, path) = (name_of(dir), dir.to_path_buf());
    let (mut entry, state) = if is_sweep(dir) {
        let summary = read_sweep_summary(dir).ok().flatten();
        let state = state_of(dir, summary.is_some());
        let trials = sweep::trials(dir, summary.as_ref()).unwrap_or(0);
        (sweeps::entry_json(&SweepEntry { sweep: read_sweep(dir), summary, trials, name, path }), state)
    } else if is_walk_forward(dir) {
        match read_walk_forward(dir) {
            Ok(summary) => (sweeps::walk_json(&(name, path, summary)), "finished"),
            Err(error) => (json!({ "kind": "walk_forward", "run_id": name, "error": error.to_string() }), "failed"),
        }
    } else {
        (entry_json(&RunEntry { summary: read_summary(dir), name, path }), "finished")
    };
    if let Some(entry) = entry.as_object_mut() {
        // Where the data folder lies is nobody's business.
        entry.shift_remove("path");
        if entry.get("kind").is_some_and(|kind| kind == "run") {
            entry.insert("kind".to_string(), json!("backtest"));
        }
        entry.entry("state").or_insert(json!(state));
    }
    entry
}

/// The state of a sweep that no job knows of.
fn state_of(dir: &Path, finished: bool) -> &'static str {
    match (finished, crate::optimize::sweep::store::in_use(dir)) {
        (true, _) => "finished",
        (false, Ok(true)) => "running",
        (false, _) => "cancelled",
    }
}

/// What a result folder says of itself.
fn details(dir: &Path) -> Result<Value, CliError> {
    let mut found = headline(dir);
    if is_run(dir) {
        found["summary"] = json!(read_summary(dir).map_err(store_error)?);
        found["run"] = run::described(dir)?;
    } else if is_sweep(dir) {
        let summary = read_sweep_summary(dir).map_err(sweep_error)?;
        found["sweep"] = sweep::described(dir, summary.as_ref())?;
        found["summary"] = json!(summary);
    } else if is_walk_forward(dir) {
        found["summary"] = json!(read_walk_forward(dir).map_err(sweep_error)?);
        found["windows"] = sweep::windows(dir)?;
    }
    Ok(found)
}

/// What a data set holds.
fn dataset(data: &str) -> Result<Value, CliError> {
    let market = load(&LoadOptions::new(Source::find(data).map_err(CliError::input)?)).map_err(CliError::input)?;
    let date = |day: Option<&crate::market::TradingDay>| day.map(|day| format_date(day.date));
    Ok(json!({
        "symbols": market.symbols,
        "bar": format_bar_length(market.bar_length),
        "from": date(market.days.first()),
        "to": date(market.days.last()),
        "sessions": market.days.len(),
        "bars": market.bar_count(),
        "quotes": market.series.iter().all(|series| series.quotes.is_some()),
        "data_hash": market.data_hash,
    }))
}
