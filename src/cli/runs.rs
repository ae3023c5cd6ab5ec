//! `tbot runs`: the result store.

mod compare;
mod prune;
pub(super) mod sweeps;

use super::CliError;
use super::output::{aligned, print};
use super::sweep::sweep_error;
use crate::backtest::store::{RunEntry, StoreError, Summary, list_runs, read_summary, resolve_run};
use crate::optimize::sweep::store::{self, find_sweep, list_sweeps};
use crate::optimize::walk_forward::store::{is_walk_forward, read_summary as read_walk_forward};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Options of `tbot runs`.
#[derive(Debug, Args)]
pub struct RunsArgs {
    /// Folder of the results
    #[arg(long, value_name = "DIR", default_value = "backtest_results", global = true)]
    out: PathBuf,
    /// One JSON document on stdout
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do with the runs; `list` when nothing is said.
#[derive(Debug, Subcommand)]
enum Action {
    /// All runs, sweeps and walk-forward analyses, newest first
    List,
    /// One run in numbers
    Show {
        /// Folder of the run, or the beginning of its name
        run: String,
    },
    /// Differences in settings, and metrics side by side
    Compare {
        /// The first run
        a: String,
        /// The second run
        b: String,
    },
    /// Removes all but the newest runs, and what killed runs left behind; sweeps only with --sweeps
    Prune {
        /// How many runs to keep; with --sweeps also how many sweeps, and how many walk-forward analyses
        #[arg(long, value_name = "N")]
        keep: usize,
        /// Remove sweeps and walk-forward analyses too, finished or not. The trials of a sweep that is gone no
        /// longer count when a later one on the same data is judged
        #[arg(long)]
        sweeps: bool,
        /// Really remove; otherwise only say what would go
        #[arg(long)]
        yes: bool,
    },
}

/// Runs the command.
pub fn run(args: &RunsArgs) -> Result<(), CliError> {
    match args.action.as_ref().unwrap_or(&Action::List) {
        Action::List => list(args),
        Action::Show { run } => show(args, run),
        Action::Compare { a, b } => {
            let a = resolve_run(&args.out, a).map_err(store_error)?;
            let b = resolve_run(&args.out, b).map_err(store_error)?;
            let comparison = compare::Comparison::read(&a, &b).map_err(store_error)?;
            if args.json { print_json(&comparison.to_json()) } else { print(&comparison.to_text()) }
        }
        Action::Prune { keep, sweeps, yes } => prune::prune(&args.out, args.json, *keep, *sweeps, *yes),
    }
}

/// A run that is not there or not readable is bad input; a run that cannot be written or removed failed.
pub fn store_error(error: StoreError) -> CliError {
    match error {
        StoreError::Write { .. } | StoreError::Remove { .. } | StoreError::Inconsistent(_) | StoreError::Report(_) => {
            CliError::failed(error)
        }
        StoreError::Read { .. }
        | StoreError::Json { .. }
        | StoreError::Csv { .. }
        | StoreError::Header { .. }
        | StoreError::Equity { .. }
        | StoreError::RunId(_)
        | StoreError::NotFound { .. }
        | StoreError::Ambiguous { .. }
        | StoreError::NotARun { .. } => CliError::input(error),
    }
}

fn print_json(value: &Value) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(value).map_err(CliError::failed)?;
    print(&format!("{text}\n"))
}

/// A fraction in percent, or `n/a`.
fn percent(value: Option<f64>) -> String {
    value.map_or("n/a".to_string(), |v| format!("{:.2} %", v * 100.0))
}

/// A number with two decimals, or `n/a`.
fn ratio(value: Option<f64>) -> String {
    value.map_or("n/a".to_string(), |v| format!("{v:.2}"))
}

/// Up to `most` names.
fn some(names: &[String], most: usize) -> String {
    if names.len() <= most {
        return names.join(",");
    }
    format!("{},+{}", names[..most].join(","), names.len() - most)
}

fn list(args: &RunsArgs) -> Result<(), CliError> {
    let runs = list_runs(&args.out).map_err(store_error)?;
    let sweeps = list_sweeps(&args.out).map_err(sweep_error)?;
    let walks = sweeps::walks(&args.out)?;
    if args.json {
        let entries = runs.iter().map(entry_json).chain(sweeps.iter().map(sweeps::entry_json));
        return print_json(&Value::Array(entries.chain(walks.iter().map(sweeps::walk_json)).collect()));
    }
    if runs.is_empty() && sweeps.is_empty() && walks.is_empty() {
        eprintln!("no runs in {}", args.out.display());
        return Ok(());
    }
    let mut text = String::new();
    let head = ["run_id", "strategies", "symbols", "span", "return", "sharpe", "max drawdown", "trades"];
    let mut rows = vec![head.map(str::to_string).to_vec()];
    for run in &runs {
        match &run.summary {
            Ok(s) => rows.push(vec![
                run.name.clone(),
                some(&s.strategies, 4),
                some(&s.symbols, 4),
                format!("{}..{}", s.from, s.to),
                percent(s.metric("total_return")),
                ratio(s.metric("sharpe")),
                percent(s.metric("max_drawdown")),
                s.trades.to_string(),
            ]),
            Err(error) => eprintln!("{}: {error}", run.name),
        }
    }
    if rows.len() > 1 {
        text.push_str(&aligned(&rows, 4));
    }
    text.push_str(&sweeps::table(&sweeps, !text.is_empty()));
    text.push_str(&sweeps::walk_table(&walks, !text.is_empty()));
    print(&text)
}

/// A run as an entry of the list.
pub(super) fn entry_json(run: &RunEntry) -> Value {
    match &run.summary {
        Ok(s) => json!({
            "kind": "run",
            "run_id": run.name,
            "version": s.version,
            "path": run.path.to_string_lossy(),
            "fingerprint": s.fingerprint,
            "strategies": s.strategies,
            "symbols": s.symbols,
            "from": s.from,
            "to": s.to,
            "total_return": s.metric("total_return"),
            "sharpe": s.metric("sharpe"),
            "max_drawdown": s.metric("max_drawdown"),
            "trades": s.trades,
        }),
        Err(error) => {
            json!({ "kind": "run", "run_id": run.name, "path": run.path.to_string_lossy(), "error": error.to_string() })
        }
    }
}

fn show(args: &RunsArgs, name: &str) -> Result<(), CliError> {
    if let Some(dir) = find_sweep(&args.out, name).map_err(sweep_error)? {
        return super::sweep::show_stored(&dir, args.json);
    }
    if let Some(dir) = store::find(&args.out, name, is_walk_forward).map_err(sweep_error)? {
        return print_json(&read_walk_forward(&dir).map_err(sweep_error)?);
    }
    let dir = resolve_run(&args.out, name).map_err(store_error)?;
    let summary = read_summary(&dir).map_err(store_error)?;
    if args.json {
        return print_json(&serde_json::to_value(&summary).map_err(CliError::failed)?);
    }
    let mut rows = facts(&summary);
    rows.push(vec!["folder".to_string(), dir.display().to_string()]);
    let mut text = aligned(&rows, 2);
    text.push_str("\nmetrics\n");
    let metrics: Vec<Vec<String>> = summary
        .metrics
        .iter()
        .map(|(name, value)| vec![format!("  {name}"), value.as_f64().map_or("n/a".to_string(), |v| v.to_string())])
        .collect();
    text.push_str(&aligned(&metrics, 2));
    for warning in &summary.warnings {
        text.push_str(&format!("\nwarning: {warning}"));
    }
    if !summary.warnings.is_empty() {
        text.push('\n');
    }
    print(&text)
}

fn facts(s: &Summary) -> Vec<Vec<String>> {
    let c = &s.costs;
    [
        ("run_id", s.run_id.clone()),
        ("fingerprint", s.fingerprint.clone()),
        ("data_hash", s.data_hash.clone()),
        ("seed", s.seed.to_string()),
        ("version", s.version.clone()),
        ("strategies", s.strategies.join(",")),
        ("symbols", some(&s.symbols, 12)),
        ("span", format!("{}..{}, {} sessions, {} bars", s.from, s.to, s.sessions, s.bars)),
        ("equity", format!("{:.2} -> {:.2}", s.start_equity, s.final_equity)),
        ("orders", format!("{}, {} fills, {} trades", s.orders, s.fills, s.trades)),
        (
            "costs",
            format!(
                "commission {:.2}, slippage {:.2}, borrow {:.2}, interest {:.2}",
                c.commission, c.slippage, c.borrow, c.interest
            ),
        ),
        ("ambiguity", format!("{} trades, {:.2}", s.ambiguity.trades, s.ambiguity.pnl)),
    ]
    .map(|(name, value)| vec![name.to_string(), value])
    .to_vec()
}
