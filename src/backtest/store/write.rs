//! Writing a result folder: assembled under a hidden name, then renamed.

use super::equity::{drawdowns, write_parquet, write_text};
use super::tables::{Row, fill_rows, order_rows, trade_rows, write_csv};
use super::{
    EQUITY_CSV_FILE, EQUITY_FILE, FILLS_FILE, ORDERS_FILE, REPORT_FILE, RUN_FILE, SUMMARY_FILE, StoreError, StoredRun,
    Summary, TRADES_FILE, TradeRow,
};
use crate::backtest::report::{PriceSeries, ReportSource, render};
use crate::backtest::{EquityCurve, RunResult};
use serde::Serialize;
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Beginning of the hidden names under which folders are assembled.
pub(super) const PARTIAL_PREFIX: &str = ".partial-";

/// Writes the folder of a run and returns its path: `out_dir/run_id`, or with the suffix `-2`, `-3`, ...
/// when that name is taken. `run` becomes `run.json`; `prices` are the series of the symbols with trades,
/// for the price panel of the report; `csv` asks for `equity.csv` too.
///
/// On any error, and when the process is interrupted, nothing of the run stays.
#[expect(clippy::too_many_arguments, reason = "the parts of a run, each written once")]
pub fn write_run(
    out_dir: &Path,
    run_id: &str,
    run: &Value,
    summary: &Summary,
    result: &RunResult,
    curve: &EquityCurve,
    prices: &[PriceSeries<'_>],
    csv: bool,
) -> Result<PathBuf, StoreError> {
    if run_id.is_empty() || run_id.starts_with('.') || run_id.contains(['/', '\\']) {
        return Err(StoreError::RunId(run_id.to_string()));
    }
    fs::create_dir_all(out_dir).map_err(StoreError::writing(out_dir))?;
    let partial = Partial::create(out_dir, run_id)?;
    let dir = partial.path();

    let trades: Vec<TradeRow> = trade_rows(result).collect::<Result<_, _>>()?;
    let drawdown = drawdowns(&curve.equity, result.start_equity);
    write_json(dir, RUN_FILE, run)?;
    write_json(dir, SUMMARY_FILE, summary)?;
    write_table(dir, TRADES_FILE, trades.iter().cloned().map(Ok))?;
    write_table(dir, FILLS_FILE, fill_rows(result))?;
    write_table(dir, ORDERS_FILE, order_rows(result))?;
    let equity_path = dir.join(EQUITY_FILE);
    let mut equity_file = File::create(&equity_path).map_err(StoreError::writing(&equity_path))?;
    write_parquet(&equity_path, &mut equity_file, curve, &drawdown)?;
    if csv {
        let path = dir.join(EQUITY_CSV_FILE);
        let file = File::create(&path).map_err(StoreError::writing(&path))?;
        write_text(BufWriter::new(file), curve, &drawdown).map_err(|error| csv_failed(&path, error))?;
    }
    let page = render(&ReportSource { run, summary, equity: curve, trades: &trades }, prices)?;
    let report_path = dir.join(REPORT_FILE);
    fs::write(&report_path, page).map_err(StoreError::writing(&report_path))?;
    partial.publish(out_dir, run_id)
}

/// Makes `report.html` of a run's folder anew from the files in it, and returns its path. Without
/// `prices` the page has a note in place of the price panel. The old page stays until the new one is whole.
pub fn write_report(dir: &Path, prices: &[PriceSeries<'_>]) -> Result<PathBuf, StoreError> {
    let stored = StoredRun::read(dir)?;
    let source =
        ReportSource { run: &stored.run, summary: &stored.summary, equity: &stored.equity, trades: &stored.trades };
    let page = render(&source, prices)?;
    let path = dir.join(REPORT_FILE);
    let mut builder = tempfile::Builder::new();
    builder.prefix(PARTIAL_PREFIX);
    #[cfg(unix)]
    builder.permissions(usual_permissions(0o666));
    let mut file = builder.tempfile_in(dir).map_err(StoreError::writing(&path))?;
    file.write_all(page.as_bytes()).map_err(StoreError::writing(&path))?;
    file.persist(&path).map_err(|error| StoreError::Write { path: path.clone(), source: error.error })?;
    Ok(path)
}

/// A folder that is being assembled. Dropped before [`Partial::publish`], it takes its files away.
struct Partial {
    dir: TempDir,
    /// Locked while the run is alive, so that [`super::remove_abandoned`] leaves it alone.
    _lock: File,
}

impl Partial {
    fn create(out_dir: &Path, run_id: &str) -> Result<Partial, StoreError> {
        let prefix = format!("{PARTIAL_PREFIX}{run_id}-");
        let mut builder = tempfile::Builder::new();
        builder.prefix(&prefix);
        // The folder becomes the result, so it gets the rights of any new folder, not those of a secret.
        #[cfg(unix)]
        builder.permissions(usual_permissions(0o777));
        let dir = builder.tempdir_in(out_dir).map_err(StoreError::writing(out_dir))?;
        let lock = File::open(dir.path()).map_err(StoreError::writing(dir.path()))?;
        lock.lock().map_err(StoreError::writing(dir.path()))?;
        Ok(Partial { dir, _lock: lock })
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Gives the folder its name: the first of `run_id`, `run_id-2`, `run_id-3`, ... that is free.
    fn publish(self, out_dir: &Path, run_id: &str) -> Result<PathBuf, StoreError> {
        for number in 1u32.. {
            let name = if number == 1 { run_id.to_string() } else { format!("{run_id}-{number}") };
            let target = out_dir.join(name);
            if fs::symlink_metadata(&target).is_ok() {
                continue;
            }
            match fs::rename(self.dir.path(), &target) {
                Ok(()) => {
                    // The folder no longer has its old name: there is nothing left to take away.
                    let _ = self.dir.keep();
                    return Ok(target);
                }
                // Another run took the name in between.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::DirectoryNotEmpty) => {}
                Err(source) => return Err(StoreError::Write { path: target, source }),
            }
        }
        Err(StoreError::RunId(run_id.to_string()))
    }
}

/// Permissions that the process's umask then reduces.
#[cfg(unix)]
fn usual_permissions(mode: u32) -> fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(mode)
}

fn write_json(dir: &Path, name: &str, value: &impl Serialize) -> Result<(), StoreError> {
    let path = dir.join(name);
    let mut text =
        serde_json::to_string_pretty(value).map_err(|source| StoreError::Json { path: path.clone(), source })?;
    text.push('\n');
    fs::write(&path, text).map_err(StoreError::writing(&path))
}

fn write_table<R: Row>(
    dir: &Path,
    name: &str,
    rows: impl Iterator<Item = Result<R, StoreError>>,
) -> Result<(), StoreError> {
    let path = dir.join(name);
    let file = File::create(&path).map_err(StoreError::writing(&path))?;
    write_csv(BufWriter::new(file), rows, |error| csv_failed(&path, error))
}

/// A full disk while writing CSV is a full disk, not a fault of the table.
fn csv_failed(path: &Path, error: csv::Error) -> StoreError {
    let path = path.to_path_buf();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => StoreError::Write { path, source },
        other => StoreError::Write { path, source: io::Error::other(format!("{other:?}")) },
    }
}
