//! Data sets as files: Parquet in the layout that loads fastest, or CSV.
//!
//! A folder gets one Parquet file a symbol, sorted in time; a single file gets row groups of one symbol each,
//! so that the symbol column need not be decoded and a selection of symbols skips the others. Every file is
//! written under a temporary name beside its place and renamed when it is complete.

use super::DataError;
use crate::market::{ActionKind, Bars, MILLI, MINUTE, Market, Nanos, format_date, new_york_date};
use chrono::Datelike;
use polars::prelude::{
    Column, DataFrame, DataType, IntoColumn, NamedFrom, ParquetCompression, ParquetWriter, Series, StatisticsOptions,
    TimeUnit, TimeZone,
};
use rayon::prelude::*;
use std::io::Write;
use std::path::Path;

/// A file of this name in a folder marks its prices as generated.
pub(super) const GENERATED_MARK: &str = ".generated";

/// Bars at least this long are daily and written with a date.
const DAILY: Nanos = 20 * 60 * MINUTE;
/// Day number of 1970-01-01 counted from the year 1.
const UNIX_EPOCH_DAYS: i32 = 719_163;

/// How Parquet columns are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// zstd: half the size of LZ4 on minute bars.
    Small,
    /// LZ4: decodes about four times as fast as zstd, which takes a third off the time to load a set.
    Fast,
}

/// Form of the bar files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Parquet,
    Csv,
}

/// Writes `bytes` to `path` at once or not at all.
///
/// # Errors
/// The operating system refuses.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let fail = |e| DataError::write(path, e);
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(fail)?;
    file.write_all(bytes).map_err(fail)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // A temporary file is private; a data file is an ordinary file.
        file.as_file().set_permissions(std::fs::Permissions::from_mode(0o644)).map_err(fail)?;
    }
    file.persist(path).map_err(|e| DataError::write(path, e.error))?;
    Ok(())
}

/// Makes a folder at once or not at all: `fill` writes into a temporary folder beside it, which is then renamed.
///
/// # Errors
/// The folder exists and holds something (unless `force`), `fill` fails, or the operating system refuses.
pub fn write_folder(
    out: &Path,
    force: bool,
    fill: impl FnOnce(&Path) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let fail = |e| DataError::write(out, e);
    if out.is_file() {
        return Err(DataError::file(out.display().to_string(), "is a file; expected a folder"));
    }
    let occupied = out.is_dir() && std::fs::read_dir(out).map_err(fail)?.next().is_some();
    if occupied && !force {
        return Err(DataError::file(out.display().to_string(), "the folder is not empty; --force replaces it"));
    }
    let parent = match out.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(fail)?;
    let fresh = tempfile::Builder::new().prefix(".tbot-").tempdir_in(parent).map_err(fail)?;
    fill(fresh.path())?;
    let old = tempfile::Builder::new().prefix(".tbot-old-").tempdir_in(parent).map_err(fail)?;
    if out.is_dir() {
        std::fs::rename(out, old.path().join("old")).map_err(fail)?;
    }
    let fresh = fresh.keep();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o755)).map_err(fail)?;
    }
    std::fs::rename(&fresh, out).map_err(fail)
}

/// Writes all bars of a market: one file a symbol in the folder `out` (with `actions.csv` where there are any), or
/// the one file `out` when its name ends in `.parquet` or `.csv`.
///
/// # Errors
/// Something is there already (unless `force`), or the operating system refuses.
pub fn write_set(market: &Market, out: &Path, format: Format, force: bool) -> Result<(), DataError> {
    let daily = market.bar_length >= DAILY;
    let series: Vec<(&str, &Bars)> = market.symbols.iter().map(String::as_str).zip(&market.series).collect();
    let suffix = out.extension().map(|e| e.to_string_lossy().to_ascii_lowercase());
    if matches!(suffix.as_deref(), Some("parquet" | "csv")) {
        if out.exists() && !force {
            return Err(DataError::file(out.display().to_string(), "the file is there already; --force replaces it"));
        }
        let bytes = match format {
            Format::Parquet => parquet_bytes(&series, daily, Packing::Fast)?,
            Format::Csv => csv_bytes(&series, daily),
        };
        return write_file(out, &bytes);
    }
    write_folder(out, force, |folder| {
        series.par_iter().try_for_each(|&(symbol, bars)| {
            let (suffix, bytes) = match format {
                Format::Parquet => ("parquet", parquet_bytes(&[(symbol, bars)], daily, Packing::Fast)?),
                Format::Csv => ("csv", csv_bytes(&[(symbol, bars)], daily)),
            };
            write_file(&folder.join(format!("{symbol}.{suffix}")), &bytes)
        })?;
        if market.actions.is_empty() {
            return Ok(());
        }
        let mut text = String::from("date,symbol,type,value\n");
        for action in &market.actions {
            let (kind, value) = match action.kind {
                ActionKind::Split { ratio } => ("split", ratio),
                ActionKind::Dividend { amount } => ("dividend", amount),
            };
            let symbol = &market.symbols[action.symbol.index()];
            text.push_str(&format!("{},{symbol},{kind},{value}\n", format_date(action.date)));
        }
        write_file(&folder.join("actions.csv"), text.as_bytes())
    })
}

/// The time column of bars as written: the session date of a daily bar, else the start.
fn time_text(t: Nanos, daily: bool) -> String {
    if daily {
        return format_date(new_york_date(t));
    }
    super::clock::show(t)
}

/// Bars of several symbols as CSV, symbol by symbol.
pub(super) fn csv_bytes(series: &[(&str, &Bars)], daily: bool) -> Vec<u8> {
    let quotes = series.iter().any(|(_, bars)| bars.quotes.is_some());
    let mut out = String::from("ts,symbol,open,high,low,close,volume");
    if quotes {
        for name in super::layout::QUOTE_NAMES {
            out.push(',');
            out.push_str(name);
        }
    }
    out.push('\n');
    for (symbol, bars) in series {
        for i in 0..bars.len() {
            let b = bars.bar(i);
            use std::fmt::Write;
            // Writing to a string cannot fail.
            let _ = write!(
                out,
                "{},{symbol},{},{},{},{},{}",
                time_text(bars.start[i], daily),
                b.open,
                b.high,
                b.low,
                b.close,
                b.volume
            );
            if quotes {
                for value in quote_columns(bars).map(|c| c.map_or(f64::NAN, |c| c[i])) {
                    if value.is_nan() {
                        out.push(',');
                    } else {
                        let _ = write!(out, ",{value}");
                    }
                }
            }
            out.push('\n');
        }
    }
    out.into_bytes()
}

fn quote_columns(bars: &Bars) -> [Option<&Vec<f64>>; 8] {
    match &bars.quotes {
        None => [None; 8],
        Some(q) => [
            Some(&q.bid_open),
            Some(&q.bid_high),
            Some(&q.bid_low),
            Some(&q.bid_close),
            Some(&q.ask_open),
            Some(&q.ask_high),
            Some(&q.ask_low),
            Some(&q.ask_close),
        ],
    }
}

/// Bars of several symbols as Parquet, one row group or more a symbol.
pub(super) fn parquet_bytes(series: &[(&str, &Bars)], daily: bool, packing: Packing) -> Result<Vec<u8>, DataError> {
    let fail = |e: polars::error::PolarsError| DataError::Selection(format!("cannot encode Parquet: {e}"));
    let form = Form::of(series, daily);
    let mut out = Vec::new();
    let Some((first, bars)) = series.first() else { return Ok(out) };
    let schema = frame(first, bars, &form).map_err(fail)?.schema().clone();
    let mut writer = ParquetWriter::new(&mut out)
        .with_compression(match packing {
            Packing::Small => ParquetCompression::Zstd(None),
            Packing::Fast => ParquetCompression::Lz4Raw,
        })
        .with_statistics(StatisticsOptions::default())
        .set_parallel(false)
        .batched(&schema)
        .map_err(fail)?;
    for (symbol, bars) in series {
        writer.write_batch(&frame(symbol, bars, &form).map_err(fail)?).map_err(fail)?;
    }
    writer.finish().map_err(fail)?;
    drop(writer);
    Ok(out)
}

/// Column types of a Parquet file, the same for all its row groups.
struct Form {
    /// Dates instead of times.
    daily: bool,
    /// With the eight quote columns.
    quotes: bool,
    /// Volumes are whole numbers.
    whole: bool,
    /// The coarsest unit that holds all times: it packs best.
    unit: TimeUnit,
    scale: Nanos,
}

impl Form {
    fn of(series: &[(&str, &Bars)], daily: bool) -> Form {
        let divides = |scale: Nanos| series.iter().all(|(_, bars)| bars.start.iter().all(|t| t % scale == 0));
        let (unit, scale) = match () {
            _ if divides(MILLI) => (TimeUnit::Milliseconds, MILLI),
            _ if divides(MILLI / 1000) => (TimeUnit::Microseconds, MILLI / 1000),
            _ => (TimeUnit::Nanoseconds, 1),
        };
        let quotes = series.iter().any(|(_, bars)| bars.quotes.is_some());
        // Beyond 2^53 not every whole number is a float.
        let is_whole = |v: &f64| v.fract() == 0.0 && *v < 9e15;
        let whole = series.iter().all(|(_, bars)| bars.volume.iter().all(is_whole));
        Form { daily, quotes, whole, unit, scale }
    }
}

fn frame(symbol: &str, bars: &Bars, form: &Form) -> Result<DataFrame, polars::error::PolarsError> {
    let n = bars.len();
    let time = if form.daily {
        let day = |&t: &Nanos| new_york_date(t).num_days_from_ce() - UNIX_EPOCH_DAYS;
        Series::new("ts".into(), bars.start.iter().map(day).collect::<Vec<i32>>()).cast(&DataType::Date)?
    } else {
        let values: Vec<i64> = bars.start.iter().map(|t| t / form.scale).collect();
        Series::new("ts".into(), values).cast(&DataType::Datetime(form.unit, Some(TimeZone::UTC)))?
    };
    let mut columns: Vec<Column> =
        vec![time.into_column(), Series::new("symbol".into(), vec![symbol; n]).into_column()];
    let prices = [("open", &bars.open), ("high", &bars.high), ("low", &bars.low), ("close", &bars.close)];
    for (name, column) in prices {
        columns.push(Series::new(name.into(), column.as_slice()).into_column());
    }
    columns.push(if form.whole {
        Series::new("volume".into(), bars.volume.iter().map(|&v| v as i64).collect::<Vec<_>>()).into_column()
    } else {
        Series::new("volume".into(), bars.volume.as_slice()).into_column()
    });
    if form.quotes {
        for (name, column) in super::layout::QUOTE_NAMES.iter().zip(quote_columns(bars)) {
            let values: Vec<Option<f64>> = match column {
                Some(column) => column.iter().map(|v| (!v.is_nan()).then_some(*v)).collect(),
                None => vec![None; n],
            };
            columns.push(Series::new((*name).into(), values).into_column());
        }
    }
    DataFrame::new(n, columns)
}
