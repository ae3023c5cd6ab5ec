//! The folder of a walk-forward analysis.
//!
//! ```text
//! out_dir/<run_id>/
//!   walk_forward.json   what it is made of, with fingerprint, data hash and version
//!   windows.csv         a row a window: its sessions, the winner, in sample and out of sample
//!   equity.parquet      the stitched account out of sample: ts, equity, drawdown, window
//!   summary.json        the result in numbers
//! ```

use super::{StitchedEquity, WalkForwardResult, WalkForwardSpec, cells, dates};
use crate::backtest::VERSION;
use crate::backtest::store::drawdowns;
use crate::market::{CALENDAR_VERSION, Market, format_date};
use crate::optimize::Space;
use crate::optimize::sweep::SweepElapsed;
use crate::optimize::sweep::SweepError;
use polars::prelude::*;
use serde_json::{Value as Json, json};
use std::fs;
use std::path::{Path, PathBuf};

/// What the analysis is made of.
pub const WALK_FORWARD_FILE: &str = "walk_forward.json";
/// A row a window.
pub const WINDOWS_FILE: &str = "windows.csv";
/// The stitched account out of sample.
pub const EQUITY_FILE: &str = "equity.parquet";
/// The result in numbers.
pub const SUMMARY_FILE: &str = "summary.json";

/// Writes the folder `out/run_id` (or with the suffix `-2`, `-3`, ... when that name is taken) as a whole or not at
/// all, and returns its path. `started` is the time part of its name.
///
/// # Errors
/// A folder that cannot be written.
pub fn write(
    out: &Path,
    started: &str,
    spec: &WalkForwardSpec,
    market: &Market,
    result: &WalkForwardResult,
    command: &[String],
    elapsed: SweepElapsed,
) -> Result<PathBuf, SweepError> {
    let fingerprint = spec.fingerprint(&market.data_hash)?;
    let space = spec.search.space()?;
    let writing = |path: &Path| {
        let path = path.to_path_buf();
        move |source| SweepError::Write { path, source }
    };
    fs::create_dir_all(out).map_err(writing(out))?;
    let run_id = format!("{started}-{}", fingerprint.get(..12).unwrap_or(&fingerprint));
    let partial = out.join(format!(".partial-{run_id}-{}", std::process::id()));
    fs::create_dir(&partial).map_err(writing(&partial))?;
    // While it is locked, whoever clears away what killed runs left behind leaves it alone.
    let lock = fs::File::open(&partial).map_err(writing(&partial))?;
    lock.lock().map_err(writing(&partial))?;
    let fill = || -> Result<PathBuf, SweepError> {
        let file = json!({
            "version": VERSION,
            "calendar": CALENDAR_VERSION,
            "fingerprint": fingerprint,
            "data_hash": market.data_hash,
            "command": command,
            "spec": spec,
        });
        write_json(&partial.join(WALK_FORWARD_FILE), &file)?;
        write_json(&partial.join(SUMMARY_FILE), &summary(spec, market, result, &fingerprint, elapsed))?;
        write_windows(&partial.join(WINDOWS_FILE), spec, &space, market, result)?;
        write_equity(&partial.join(EQUITY_FILE), spec, result)?;
        for number in 1u32.. {
            let target = out.join(if number == 1 { run_id.clone() } else { format!("{run_id}-{number}") });
            if fs::symlink_metadata(&target).is_err() {
                fs::rename(&partial, &target).map_err(writing(&target))?;
                return Ok(target);
            }
        }
        Err(SweepError::Internal(format!("no name is free for {run_id}")))
    };
    fill().inspect_err(|_| {
        // The error that matters is the one above.
        let _ = fs::remove_dir_all(&partial);
    })
}

/// Whether a folder holds a walk-forward analysis.
pub fn is_walk_forward(dir: &Path) -> bool {
    dir.join(WALK_FORWARD_FILE).is_file()
}

/// A stored analysis: its specification, and the hash of the data it ran on.
///
/// # Errors
/// A file that cannot be read.
pub fn read(dir: &Path) -> Result<(WalkForwardSpec, String), SweepError> {
    let path = dir.join(WALK_FORWARD_FILE);
    let file = read_json(&path)?;
    let wrong = |reason: String| SweepError::File { path: path.clone(), reason };
    let spec = serde_json::from_value(file["spec"].clone()).map_err(|error| wrong(error.to_string()))?;
    let hash = file["data_hash"].as_str().ok_or_else(|| wrong("no data_hash".to_string()))?;
    Ok((spec, hash.to_string()))
}

/// Reads `summary.json` of a folder.
///
/// # Errors
/// A file that cannot be read.
pub fn read_summary(dir: &Path) -> Result<Json, SweepError> {
    read_json(&dir.join(SUMMARY_FILE))
}

/// The stitched account of a stored analysis.
///
/// # Errors
/// A file that cannot be read or is another table.
pub fn read_equity(path: &Path) -> Result<StitchedEquity, SweepError> {
    let wrong = |error: PolarsError| SweepError::File { path: path.to_path_buf(), reason: error.to_string() };
    let file = fs::File::open(path).map_err(|source| SweepError::Read { path: path.to_path_buf(), source })?;
    let frame = ParquetReader::new(file).finish().map_err(wrong)?;
    let time = frame.column("ts").and_then(|c| c.cast(&DataType::Int64)).map_err(wrong)?;
    let equity = frame.column("equity").map_err(wrong)?;
    let window = frame.column("window").map_err(wrong)?;
    Ok(StitchedEquity {
        time: time.i64().map_err(wrong)?.into_no_null_iter().collect(),
        equity: equity.f64().map_err(wrong)?.into_no_null_iter().collect(),
        window: window.u32().map_err(wrong)?.into_no_null_iter().collect(),
    })
}

fn read_json(path: &Path) -> Result<Json, SweepError> {
    let text = fs::read_to_string(path).map_err(|source| SweepError::Read { path: path.to_path_buf(), source })?;
    serde_json::from_str(&text)
        .map_err(|error| SweepError::File { path: path.to_path_buf(), reason: error.to_string() })
}

fn write_json(path: &Path, value: &Json) -> Result<(), SweepError> {
    let text = serde_json::to_string_pretty(value).map_err(|error| SweepError::Internal(error.to_string()))?;
    fs::write(path, text + "\n").map_err(|source| SweepError::Write { path: path.to_path_buf(), source })
}

fn summary(
    spec: &WalkForwardSpec,
    market: &Market,
    result: &WalkForwardResult,
    fingerprint: &str,
    elapsed: SweepElapsed,
) -> Json {
    let search = &spec.search;
    let run = &search.run;
    json!({
        "version": VERSION,
        "fingerprint": fingerprint,
        "data_hash": market.data_hash,
        "seed": run.seed,
        "method": search.method,
        "strategies": run.strategies.iter().map(|choice| &choice.name).collect::<Vec<_>>(),
        "symbols": market.symbols,
        "from": market.days.first().map(|day| format_date(day.date)),
        "to": market.days.last().map(|day| format_date(day.date)),
        "sessions": market.days.len(),
        "objectives": search.objectives,
        "constraints": search.constraints,
        "train": spec.train,
        "test": spec.test,
        "step": spec.step,
        "embargo": spec.embargo,
        "anchored": spec.anchored,
        "windows": result.windows.len(),
        "windows_without_winner": result.windows.iter().filter(|w| w.winner.is_none()).count(),
        "windows_with_gain": result.windows.iter().filter(|w| w.test.get("total_return") > Some(0.0)).count(),
        "trials": result.windows.iter().map(|w| w.trials).sum::<usize>(),
        "start_equity": run.cash,
        "final_equity": result.equity.equity.last(),
        "efficiency": result.efficiency,
        "in_sample_cagr": result.in_sample_cagr,
        "metrics": result.out_of_sample,
        "elapsed": { "load_s": elapsed.load_s, "run_s": elapsed.run_s },
    })
}

/// Metrics shown in and out of sample.
const SHOWN: [&str; 5] = ["total_return", "cagr", "sharpe", "max_drawdown", "trades"];

fn write_windows(
    path: &Path,
    spec: &WalkForwardSpec,
    space: &Space,
    market: &Market,
    result: &WalkForwardResult,
) -> Result<(), SweepError> {
    let aim = spec.search.aim()?;
    let objectives = aim.objectives().iter().map(|(name, _)| name.as_str());
    let mut metrics: Vec<&str> = objectives.collect();
    metrics.extend(SHOWN.iter().filter(|name| !aim.objectives().iter().any(|(objective, _)| objective == *name)));
    let mut head: Vec<String> =
        ["window", "train_from", "train_to", "test_from", "test_to", "trials", "trial"].map(str::to_string).to_vec();
    head.extend(space.parameters().iter().map(|parameter| format!("param.{}", parameter.name)));
    for part in ["train", "test"] {
        head.extend(metrics.iter().map(|name| format!("{part}.{name}")));
    }
    let failed =
        |error: csv::Error| SweepError::Write { path: path.to_path_buf(), source: std::io::Error::other(error) };
    let mut table = csv::Writer::from_path(path).map_err(failed)?;
    table.write_record(&head).map_err(failed)?;
    let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    for (k, window) in result.windows.iter().enumerate() {
        let winner = window.winner.as_ref();
        let (train, test) = (dates(market, &window.sessions.train), dates(market, &window.sessions.test));
        let mut row = vec![k.to_string(), train.0, train.1, test.0, test.1, window.trials.to_string()];
        row.push(winner.map_or(String::new(), |winner| winner.id.to_string()));
        row.extend(cells(space, winner.map(|winner| &winner.params)));
        row.extend(metrics.iter().map(|name| number(winner.and_then(|winner| winner.metric(name)))));
        row.extend(metrics.iter().map(|name| number(window.test.get(name))));
        table.write_record(&row).map_err(failed)?;
    }
    table.flush().map_err(|source| SweepError::Write { path: path.to_path_buf(), source })
}

fn write_equity(path: &Path, spec: &WalkForwardSpec, result: &WalkForwardResult) -> Result<(), SweepError> {
    let failed = |error: PolarsError| SweepError::Write {
        path: path.to_path_buf(),
        source: std::io::Error::other(error.to_string()),
    };
    let curve = &result.equity;
    let ts = Series::new("ts".into(), &curve.time)
        .cast(&DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)))
        .map_err(failed)?;
    let columns = vec![
        ts.into_column(),
        Column::new("equity".into(), &curve.equity),
        Column::new("drawdown".into(), drawdowns(&curve.equity, spec.search.run.cash)),
        Column::new("window".into(), &curve.window),
    ];
    let mut frame = DataFrame::new(curve.time.len(), columns).map_err(failed)?;
    let file = fs::File::create(path).map_err(|source| SweepError::Write { path: path.to_path_buf(), source })?;
    // One thread and fixed row groups: the same values give the same bytes everywhere.
    let writer = ParquetWriter::new(file).set_parallel(false).with_row_group_size(Some(1 << 18));
    writer.finish(&mut frame).map(drop).map_err(failed)
}
