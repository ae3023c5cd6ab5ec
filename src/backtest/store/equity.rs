//! `equity.parquet`: the account, one row per step.

use super::StoreError;
use crate::backtest::EquityCurve;
use crate::market::format_time;
use polars::prelude::*;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Columns of the equity file.
const COLUMNS: [&str; 5] = ["ts", "equity", "cash", "exposure", "drawdown"];

/// Drawdown at each step, as a fraction of the highest equity so far (<= 0). The starting capital is a
/// peak too, so that a loss on the first day counts (convention of empyrical's `max_drawdown`).
pub fn drawdowns(equity: &[f64], start_equity: f64) -> Vec<f64> {
    let mut peak = start_equity;
    equity
        .iter()
        .map(|&e| {
            peak = peak.max(e);
            // A peak of zero or less has no fraction to lose.
            if peak > 0.0 { e / peak - 1.0 } else { 0.0 }
        })
        .collect()
}

/// Writes the Parquet form; `ts` is a timestamp in nanoseconds, UTC.
pub(super) fn write_parquet(
    path: &Path,
    file: &mut File,
    curve: &EquityCurve,
    drawdown: &[f64],
) -> Result<(), StoreError> {
    let failed = |error: PolarsError| StoreError::Write {
        path: path.to_path_buf(),
        source: match error {
            PolarsError::IO { error, .. } => std::io::Error::new(error.kind(), error.to_string()),
            other => std::io::Error::other(other.to_string()),
        },
    };
    let ts = Series::new("ts".into(), &curve.time)
        .cast(&DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)))
        .map_err(failed)?;
    let columns = vec![
        ts.into_column(),
        Column::new("equity".into(), &curve.equity),
        Column::new("cash".into(), &curve.cash),
        Column::new("exposure".into(), &curve.exposure),
        Column::new("drawdown".into(), drawdown),
    ];
    let mut frame = DataFrame::new(curve.time.len(), columns).map_err(failed)?;
    // One thread and fixed row groups: the same values give the same bytes everywhere.
    ParquetWriter::new(file)
        .set_parallel(false)
        .with_row_group_size(Some(1 << 18))
        .finish(&mut frame)
        .map(drop)
        .map_err(failed)
}

/// Writes the text form.
pub(super) fn write_text(to: impl Write, curve: &EquityCurve, drawdown: &[f64]) -> Result<(), csv::Error> {
    let mut writer = csv::Writer::from_writer(to);
    writer.write_record(COLUMNS)?;
    for (i, &t) in curve.time.iter().enumerate() {
        writer.serialize((format_time(t), curve.equity[i], curve.cash[i], curve.exposure[i], drawdown[i]))?;
    }
    writer.flush()?;
    Ok(())
}

/// Reads `equity.parquet`. The drawdown column is left out: [`drawdowns`] gives it again.
pub fn read_equity(path: &Path) -> Result<EquityCurve, StoreError> {
    let wrong = |what: String| StoreError::Equity { path: path.to_path_buf(), what };
    let file = File::open(path).map_err(StoreError::reading(path))?;
    let frame = ParquetReader::new(file).finish().map_err(|error| wrong(error.to_string()))?;
    let column = |name: &str| {
        frame.column(name).map_err(|_| {
            let found: Vec<String> = frame.get_column_names().iter().map(|n| n.to_string()).collect();
            wrong(format!("no column '{name}'; found {}, expected {}", found.join(", "), COLUMNS.join(", ")))
        })
    };
    let numbers = |name: &'static str| -> Result<Vec<f64>, StoreError> {
        let values = column(name)?.f64().map_err(|error| wrong(format!("column '{name}': {error}")))?;
        if values.null_count() > 0 {
            return Err(wrong(format!("column '{name}' has {} empty rows", values.null_count())));
        }
        Ok(values.into_no_null_iter().collect())
    };
    let time = column("ts")?
        .cast(&DataType::Datetime(TimeUnit::Nanoseconds, Some(TimeZone::UTC)))
        .and_then(|ts| ts.cast(&DataType::Int64))
        .map_err(|error| wrong(format!("column 'ts': {error}")))?;
    let time = time.i64().map_err(|error| wrong(format!("column 'ts': {error}")))?;
    if time.null_count() > 0 {
        return Err(wrong(format!("column 'ts' has {} empty rows", time.null_count())));
    }
    Ok(EquityCurve {
        time: time.into_no_null_iter().collect(),
        equity: numbers("equity")?,
        cash: numbers("cash")?,
        exposure: numbers("exposure")?,
    })
}
