//! `tbot stats`: the metrics of any program's results.

use super::series_file::{self, DailyReturns};
use super::trials_file::{self, Trials};
use super::{CliError, output};
use crate::market::format_date;
use crate::stats::overfit::{BlockLength, Overfit, OverfitOptions, best_by_sharpe, overfit};
use crate::stats::{MetricInfo, Metrics, StatsError, Unit, daily_risk_free, performance};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Prints performance metrics of daily returns or equities.
///
/// FILE is CSV or Parquet with the columns `date` and `return` (simple return of the day, 0.01 is 1 %), or
/// `date` and `equity` (at the close; the first row is the starting capital). Undefined metrics are n/a, or
/// null with --json.
///
/// With --trials, FILE is the trial that was chosen among many, and is judged by whether it is more than the
/// luckiest of them: deflated Sharpe ratio, probability of backtest overfitting (PBO), test for superior predictive
/// ability (SPA), and a verdict in words. Without FILE the trial with the highest Sharpe ratio is judged.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// CSV or Parquet: date, return or date, equity.
    #[arg(value_name = "FILE", required_unless_present = "trials")]
    file: Option<PathBuf>,
    /// Returns or equities of a benchmark with at least the same days.
    #[arg(long, value_name = "FILE")]
    benchmark: Option<PathBuf>,
    /// Risk-free rate a year (0.045 is 4.5 %).
    #[arg(long, value_name = "RATE", default_value_t = 0.0, allow_negative_numbers = true)]
    rf: f64,
    /// Closed trades in order of exit, with a column `pnl` (net, in currency).
    #[arg(long, value_name = "FILE")]
    trades: Option<PathBuf>,
    /// Returns of all trials on the same days: dates in the first column, then one column a trial.
    #[arg(long, value_name = "FILE")]
    trials: Option<PathBuf>,
    /// Trials made in all, those without a column too; default: the number of columns.
    #[arg(long, value_name = "N", requires = "trials")]
    attempted: Option<usize>,
    /// PBO: blocks that the days are cut into, even, 2 to 20.
    #[arg(long, value_name = "N", default_value_t = 16, requires = "trials")]
    blocks: usize,
    /// SPA against --benchmark, without one against the risk-free rate: bootstrap replications.
    #[arg(long, value_name = "N", default_value_t = 10_000, requires = "trials")]
    bootstrap: usize,
    /// SPA: mean days of a resampled block, or auto (from the autocorrelation; the median over the trials).
    #[arg(long, value_name = "DAYS", default_value = "auto", value_parser = block_length, requires = "trials")]
    block: BlockLength,
    /// SPA: seed of the resampling.
    #[arg(long, value_name = "N", default_value_t = 1, requires = "trials")]
    seed: u64,
    /// Print one JSON document.
    #[arg(long)]
    json: bool,
}

fn block_length(text: &str) -> Result<BlockLength, String> {
    if text == "auto" {
        return Ok(BlockLength::Auto);
    }
    let days = text.parse::<f64>().ok().filter(|days| days.is_finite() && *days >= 1.0);
    days.map(BlockLength::Days).ok_or_else(|| "expected auto or a number of days, at least 1".to_string())
}

/// The returns to be judged.
struct Judged {
    /// What they are called in messages.
    name: String,
    series: DailyReturns,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), CliError> {
    let trials = args.trials.as_deref().map(trials_file::read_trials).transpose()?;
    let judged = judged(args, trials.as_ref())?;
    let Judged { name, series } = &judged;
    let benchmark = match &args.benchmark {
        Some(path) => Some(aligned(series, name, path)?),
        None => None,
    };
    let pnl = args.trades.as_deref().map(series_file::read_pnl).transpose()?;
    let metrics =
        performance(&series.returns, args.rf, benchmark.as_deref(), pnl.as_deref()).map_err(CliError::input)?;
    let overfit = match &trials {
        Some(trials) => {
            let options = OverfitOptions {
                risk_free_rate: args.rf,
                attempted: args.attempted.unwrap_or(trials.names.len()),
                blocks: args.blocks,
                replications: args.bootstrap,
                block_length: args.block,
                seed: args.seed,
            };
            let found = overfit(&trials.returns, &series.returns, benchmark.as_deref(), &options);
            Some(found.map_err(CliError::input)?)
        }
        None => None,
    };
    if args.json {
        return output::print(&format!("{}\n", json(&metrics, overfit.as_ref())?));
    }
    let mut text = table(name, series, args.rf, &metrics);
    if let Some(overfit) = &overfit {
        text += &judgement(overfit, args);
    }
    output::print(&text)
}

/// The returns of FILE; without it, those of the trial with the highest Sharpe ratio.
fn judged(args: &Args, trials: Option<&Trials>) -> Result<Judged, CliError> {
    let (Some(path), Some(trials)) = (&args.trials, trials) else {
        let Some(file) = &args.file else { return Err(CliError::Input("expected FILE or --trials".to_string())) };
        return Ok(Judged { name: file.display().to_string(), series: series_file::read_daily_returns(file)? });
    };
    let Some(file) = &args.file else {
        let rf = daily_risk_free(args.rf).ok_or_else(|| CliError::input(StatsError::RiskFreeRate(args.rf)))?;
        let Some(best) = best_by_sharpe(&trials.returns, rf) else {
            let path = path.display();
            return Err(CliError::Input(format!("{path}: no returns vary; expected a trial with a Sharpe ratio")));
        };
        eprintln!("no FILE: '{}' is judged, the trial with the highest Sharpe ratio", trials.names[best]);
        let series = DailyReturns { dates: trials.dates.clone(), returns: trials.returns.trial(best).to_vec() };
        return Ok(Judged { name: format!("{}, trial '{}'", path.display(), trials.names[best]), series });
    };
    let series = series_file::read_daily_returns(file)?;
    check_same_days(&series, file, trials, path)?;
    let equal = |trial: &[f64]| trial.iter().zip(&series.returns).all(|(a, b)| (a - b).abs() <= SAME_RETURN);
    if !trials.returns.iter().any(equal) {
        let (file, path) = (file.display(), path.display());
        eprintln!("{file}: not one of the trials of {path}; it is judged among them, and not counted as one");
    }
    Ok(Judged { name: file.display().to_string(), series })
}

/// Returns that differ by less are the same: equities and returns are written with finitely many digits.
const SAME_RETURN: f64 = 1e-7;

fn check_same_days(series: &DailyReturns, file: &Path, trials: &Trials, path: &Path) -> Result<(), CliError> {
    let (found, expected) = (&series.dates, &trials.dates);
    let place = found.iter().zip(expected).position(|(a, b)| a != b).unwrap_or(found.len().min(expected.len()));
    let day = |dates: &[chrono::NaiveDate]| dates.get(place).map_or("nothing".to_string(), |date| format_date(*date));
    if found == expected {
        return Ok(());
    }
    Err(CliError::Input(format!(
        "{}: day number {} (from 1) is {}, that of {} is {}; expected the same days",
        file.display(),
        place + 1,
        day(found),
        path.display(),
        day(expected)
    )))
}

/// The metrics and, where there are trials, their figures in one document; what both have is the same.
fn json(metrics: &Metrics, overfit: Option<&Overfit>) -> Result<String, CliError> {
    let map = |value: serde_json::Result<serde_json::Value>| match value {
        Ok(serde_json::Value::Object(map)) => Ok(map),
        Ok(_) => Ok(serde_json::Map::new()),
        Err(error) => Err(CliError::failed(error)),
    };
    let mut document = map(serde_json::to_value(metrics))?;
    if let Some(overfit) = overfit {
        document.extend(map(serde_json::to_value(overfit))?);
    }
    serde_json::to_string_pretty(&document).map_err(CliError::failed)
}

/// Returns of the benchmark on exactly the days of `series`.
fn aligned(series: &DailyReturns, file: &str, path: &Path) -> Result<Vec<f64>, CliError> {
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
                file
            )));
        }
        returns.push(benchmark.returns[next]);
        next += 1;
    }
    if unused > 0 {
        eprintln!("{}: {unused} days within the span of {} are not in it and were not used", path.display(), file);
    }
    Ok(returns)
}

fn table(file: &str, series: &DailyReturns, rf: f64, metrics: &Metrics) -> String {
    let mut text = String::new();
    if let (Some(first), Some(last)) = (series.dates.first(), series.dates.last()) {
        let _ = writeln!(
            text,
            "{file}: {} daily returns, {} to {}, risk-free rate {} % a year\n",
            series.dates.len(),
            format_date(*first),
            format_date(*last),
            decimals(rf * 100.0, 2)
        );
    }
    metrics.iter().for_each(|metric| text += &line(metric));
    text
}

fn line((info, value): (&MetricInfo, Option<f64>)) -> String {
    let value = value.map_or("n/a".to_string(), |value| shown(value, info.unit));
    format!("{:<30} {value:>14}  {}\n", info.name, info.about)
}

/// The figures on the trials that the metrics do not have, and the verdict.
fn judgement(overfit: &Overfit, args: &Args) -> String {
    let mut text = format!(
        "\nAmong {} trials over {} days; PBO over {} blocks, {} bootstrap replications\n\n",
        overfit.trials, overfit.days, args.blocks, args.bootstrap
    );
    let known = |name: &str| matches!(name, "psr" | "min_track_record_length");
    overfit.iter().filter(|(info, _)| !known(info.name)).for_each(|metric| text += &line(metric));
    let verdict = overfit.verdict();
    let _ = writeln!(text, "\nVerdict: {}", verdict.grade.words());
    for reason in &verdict.reasons {
        let _ = writeln!(text, "- {reason}");
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
