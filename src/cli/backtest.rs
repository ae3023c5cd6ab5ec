//! `tbot backtest`: one run.

use super::output::{aligned, print};
use super::run_options::RunOptions;
use super::{CliError, interrupt};
use crate::backtest::store::Summary;
use crate::backtest::{ExecuteError, execute};
use crate::data::DataError;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

/// Runs strategies over market data and writes a result folder. Without options: the built-in strategies over
/// the embedded data set.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    run: RunOptions,
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
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    super::set_threads(args.jobs)?;
    let spec = args.run.to_spec()?;
    let stop = interrupt::flag()?;
    let started = chrono::Utc::now().format("%Y%m%dT%H%M%SZ").to_string();
    let command: Vec<String> = std::iter::once("tbot".to_string()).chain(std::env::args().skip(1)).collect();
    let execution = execute(&spec, &started, &command, stop).map_err(execute_error)?;
    if stop.load(Ordering::Relaxed) {
        return Err(CliError::Interrupted);
    }
    let folder = execution.write(&args.out, args.csv).map_err(CliError::failed)?;
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
