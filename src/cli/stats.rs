//! `tbot stats`: the metrics of any program's results.

use super::series_file::{self, DailyReturns};
use super::{CliError, output};
use crate::market::format_date;
use crate::stats::{Metrics, Unit, performance};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Prints performance metrics of daily returns or equities.
///
/// FILE is CSV or Parquet with the columns `date` and `return` (simple return of the day, 0.01 is 1 %), or
/// `date` and `equity` (at the close; the first row is the starting capital). Undefined metrics are n/a, or
/// null with --json.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// CSV or Parquet: date, return or date, equity.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Returns or equities of a benchmark with at least the same days.
    #[arg(long, value_name = "FILE")]
    benchmark: Option<PathBuf>,
    /// Risk-free rate a year (0.045 is 4.5 %).
    #[arg(long, value_name = "RATE", default_value_t = 0.0, allow_negative_numbers = true)]
    rf: f64,
    /// Closed trades in order of exit, with a column `pnl` (net, in currency).
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let series = series_file::read_daily_returns(&args.file)?;
    let benchmark = match &args.benchmark {
        Some(path) => Some(aligned(&series, &args.file, path)?),
        None => None,
    };
    let pnl = args.trades.as_deref().map(series_file::read_pnl).transpose()?;
    let metrics =
        performance(&series.returns, args.rf, benchmark.as_deref(), pnl.as_deref()).map_err(CliError::input)?;
    if args.json {
        let text = serde_json::to_string_pretty(&metrics).map_err(CliError::failed)?;
        return output::print(&format!("{text}\n"));
    }
    output::print(&table(&args.file, &series, args.rf, &metrics))
}

/// Returns of the benchmark on exactly the days of `series`.
fn aligned(series: &DailyReturns, file: &Path, path: &Path) -> Result<Vec<f64>, CliError> {
    let benchmark = series_file::read_daily_returns(path)?;
    let mut returns = Vec::with_capacity(series.dates.len());
    let mut next = 0;
    let mut unused = 0;
    for (k, date) in series.dates.iter().enumerate() {
        let skipped = benchmark.dates[next..].partition_point(|d| d < date);
        if k > 0 {
            unused += skipped;
        }
        next += skipped;
        if benchmark.dates.get(next) != Some(date) {
            return Err(CliError::Input(format!(
                "{}: no return on {}, which {} has; a benchmark needs one for every day",
                path.display(),
                format_date(*date),
                file.display()
            )));
        }
        returns.push(benchmark.returns[next]);
        next += 1;
    }
    if unused > 0 {
        eprintln!(
            "{}: {unused} days within the span of {} are not in it and were not used",
            path.display(),
            file.display()
        );
    }
    Ok(returns)
}

fn table(file: &Path, series: &DailyReturns, rf: f64, metrics: &Metrics) -> String {
    let mut text = String::new();
    if let (Some(first), Some(last)) = (series.dates.first(), series.dates.last()) {
        let _ = writeln!(
            text,
            "{}: {} daily returns, {} to {}, risk-free rate {} % a year\n",
            file.display(),
            series.dates.len(),
            format_date(*first),
            format_date(*last),
            decimals(rf * 100.0, 2)
        );
    }
    for (info, value) in metrics.iter() {
        let value = value.map_or("n/a".to_string(), |value| shown(value, info.unit));
        let _ = writeln!(text, "{:<30} {value:>14}  {}", info.name, info.about);
    }
    text
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Fraction => format!("{} %", decimals(value * 100.0, 2)),
        Unit::Ratio => decimals(value, 4),
        Unit::Currency => decimals(value, 2),
        Unit::Count => decimals(value, 0),
        Unit::Days if value.fract() == 0.0 => decimals(value, 0),
        Unit::Days => decimals(value, 1),
    }
}

/// A fixed number of decimals, without a minus sign before a rounded zero.
fn decimals(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    match text.strip_prefix('-') {
        Some(digits) if !digits.contains(|c: char| ('1'..='9').contains(&c)) => digits.to_string(),
        _ => text,
    }
}
