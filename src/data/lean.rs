//! The data folder of the Lean engine.
//!
//! `equity/usa/minute/spy/20131007_trade.zip` (and `_quote.zip`; `second` likewise), `hour/spy.zip`,
//! `daily/spy.zip`, `factor_files/spy.csv`. Archives hold one CSV without a header: prices x 10,000 as
//! integers; times as milliseconds since New York midnight, or `YYYYMMDD HH:MM` of New York.

use super::DataError;
use super::chunk::{Blob, Chunk, Found, RowNumbers, Wanted};
use super::clock::{Clock, Localiser, midnight_of};
use super::error::{Place, RowUnit};
use super::options::{LoadOptions, format_bar_length};
use crate::market::{DAY, MILLI, MINUTE, Nanos, SECOND, parse_date};
use chrono::NaiveDate;
use rayon::prelude::*;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Prices are stored as ten-thousandths of a dollar.
const PRICE_SCALE: f64 = 10_000.0;

/// The part of a Lean data folder that holds US equities.
#[derive(Debug, Clone)]
pub(super) struct LeanFolder {
    root: PathBuf,
}

/// One archive.
#[derive(Debug)]
struct Archive {
    path: PathBuf,
    symbol: Arc<str>,
    /// Day of an archive of one day.
    date: Option<NaiveDate>,
    quotes: bool,
}

impl LeanFolder {
    /// Recognises a Lean folder, given as itself, its `Data` folder or any folder down to `equity/usa`.
    pub(super) fn find(path: &Path) -> Option<LeanFolder> {
        let tails = ["", "usa", "equity/usa", "Data/equity/usa"];
        tails.iter().map(|tail| path.join(tail)).find_map(|root| {
            let resolution = ["minute", "hour", "daily", "second"].iter().any(|r| has_archives(&root.join(r)));
            resolution.then_some(LeanFolder { root })
        })
    }

    /// Bar length of the run: the resolution that `--bar` chooses.
    fn resolution(&self, options: &LoadOptions) -> Result<(&'static str, Nanos), DataError> {
        let length = options.bar.unwrap_or(MINUTE);
        let name = match length {
            SECOND => "second",
            MINUTE => "minute",
            l if l == 60 * MINUTE => "hour",
            DAY => "daily",
            _ => {
                return Err(DataError::Selection(format!(
                    "a Lean folder has bars of 1s, 1m, 1h and 1d; --bar {} is none of them",
                    format_bar_length(length)
                )));
            }
        };
        if !self.root.join(name).is_dir() {
            return Err(DataError::file(
                self.root.display().to_string(),
                format!("the Lean folder has no '{name}' bars; --bar chooses the resolution (1s, 1m, 1h, 1d)"),
            ));
        }
        Ok((name, length))
    }

    /// Factor file of a symbol, where there is one.
    pub(super) fn factor_file(&self, symbol: &str) -> Option<Blob> {
        let path = self.root.join("factor_files").join(format!("{}.csv", symbol.to_ascii_lowercase()));
        path.is_file().then_some(Blob::Path(path))
    }

    /// Reads the bars; gives them and their length.
    pub(super) fn read(&self, options: &LoadOptions, wanted: &Wanted<'_>) -> Result<(Found, Nanos), DataError> {
        let (name, length) = self.resolution(options)?;
        let mut found = Found::default();
        let archives = self.archives(&self.root.join(name), options, wanted, &mut found)?;
        let read: Vec<Result<(Chunk, u64), DataError>> = archives.par_iter().map(|a| read_archive(a, wanted)).collect();
        for part in read {
            let (chunk, not_selected) = part?;
            found.not_selected += not_selected;
            if !chunk.time.is_empty() {
                found.chunks.push(chunk);
            }
        }
        Ok((found, length))
    }

    fn archives(
        &self,
        folder: &Path,
        options: &LoadOptions,
        wanted: &Wanted<'_>,
        found: &mut Found,
    ) -> Result<Vec<Archive>, DataError> {
        let mut out = Vec::new();
        for path in sorted(folder)? {
            let stem = path.file_stem().map(|s| s.to_string_lossy().to_uppercase()).unwrap_or_default();
            let is_folder = path.is_dir();
            if !is_folder && !is_zip(&path) {
                continue;
            }
            if !wanted.symbol(&stem) {
                found.passed_over.push(stem);
                continue;
            }
            let symbol: Arc<str> = stem.as_str().into();
            if !is_folder {
                out.push(Archive { path, symbol, date: None, quotes: false });
                continue;
            }
            for path in sorted(&path)?.into_iter().filter(|p| is_zip(p)) {
                let file = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
                let Some((day, kind)) = file.split_once('_') else { continue };
                let quotes = match kind {
                    "trade" => false,
                    "quote" => true,
                    _ => continue,
                };
                let date = compact_date(day).ok_or_else(|| {
                    DataError::file(path.display().to_string(), "the file name does not begin with a date (YYYYMMDD)")
                })?;
                if options.from.is_none_or(|from| date >= from) && options.to.is_none_or(|to| date <= to) {
                    out.push(Archive { path, symbol: symbol.clone(), date: Some(date), quotes });
                }
            }
        }
        Ok(out)
    }
}

/// Reads one archive into a chunk; also the number of rows outside the wanted span.
fn read_archive(archive: &Archive, wanted: &Wanted<'_>) -> Result<(Chunk, u64), DataError> {
    wanted.patience.check()?;
    let path = &archive.path;
    let bad = |reason: String| DataError::file(path.display().to_string(), reason);
    let file = std::fs::File::open(path).map_err(|e| DataError::read(path, e))?;
    let mut zip =
        zip::ZipArchive::new(std::io::BufReader::new(file)).map_err(|e| bad(format!("not a readable zip: {e}")))?;
    if zip.len() != 1 {
        return Err(bad(format!("the archive has {} entries; expected one CSV", zip.len())));
    }
    let mut entry = zip.by_index(0).map_err(|e| bad(format!("not a readable zip: {e}")))?;
    let name: Arc<str> = format!("{}!{}", path.display(), entry.name()).into();
    let mut text = Vec::new();
    entry.read_to_end(&mut text).map_err(|e| bad(format!("cannot be unpacked: {e}")))?;
    let mut rows = Rows::new(archive);
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_slice());
    let mut record = csv::ByteRecord::new();
    let mut line = 0;
    loop {
        match reader.read_byte_record(&mut record) {
            Ok(true) => line += 1,
            Ok(false) => break,
            Err(error) => return Err(super::csv_file::csv_error(&name, &error)),
        }
        rows.push(&record).map_err(|reason| {
            DataError::row(Place { file: name.to_string(), unit: RowUnit::Line, number: line }, reason)
        })?;
    }
    Ok(rows.into_chunk(archive, name, wanted))
}

/// Rows of one archive while it is read.
struct Rows {
    date: Option<NaiveDate>,
    clock: Clock,
    localiser: Localiser,
    time: Vec<Nanos>,
    columns: Vec<Vec<f64>>,
    quotes: bool,
}

impl Rows {
    fn new(archive: &Archive) -> Rows {
        let columns = if archive.quotes { 8 } else { 5 };
        Rows {
            date: archive.date,
            clock: Clock::Utc,
            localiser: Localiser::new(chrono_tz::America::New_York),
            time: Vec::new(),
            columns: vec![Vec::new(); columns],
            quotes: archive.quotes,
        }
    }

    fn push(&mut self, record: &csv::ByteRecord) -> Result<(), String> {
        let expected = if self.quotes { 11 } else { 6 };
        if record.len() < expected {
            return Err(format!("{} fields; expected {expected}", record.len()));
        }
        let time = self.time_of(&record[0])?;
        self.time.push(time);
        if self.quotes {
            for k in 0..8 {
                // Fields: time, four bid prices, bid size, four ask prices, ask size.
                let field = &record[if k < 4 { 1 + k } else { 2 + k }];
                let value = if field.is_empty() { f64::NAN } else { integer(field)? / PRICE_SCALE };
                // A side that is not there is empty or zero.
                self.columns[k].push(if value == 0.0 { f64::NAN } else { value });
            }
        } else {
            for k in 0..5 {
                let value = integer(&record[1 + k])?;
                self.columns[k].push(if k < 4 { value / PRICE_SCALE } else { value });
            }
        }
        Ok(())
    }

    fn time_of(&mut self, field: &[u8]) -> Result<Nanos, String> {
        let text = std::str::from_utf8(field).unwrap_or_default();
        let wrong = || format!("'{text}' is not a time; expected milliseconds of the day, or YYYYMMDD HH:MM");
        let wall = match self.date {
            Some(date) => {
                let millis: i64 = text.parse().map_err(|_| wrong())?;
                if !(0..86_400_000).contains(&millis) {
                    return Err(wrong());
                }
                midnight_of(date).ok_or_else(wrong)? + millis * MILLI
            }
            None => {
                let (day, clock) = text.split_once(' ').ok_or_else(wrong)?;
                let date = compact_date(day).ok_or_else(wrong)?;
                let (hour, minute) = clock.split_once(':').ok_or_else(wrong)?;
                let (hour, minute): (i64, i64) =
                    (hour.parse().map_err(|_| wrong())?, minute.parse().map_err(|_| wrong())?);
                midnight_of(date).ok_or_else(wrong)? + (hour * 60 + minute) * MINUTE
            }
        };
        self.localiser.instant(wall).ok_or_else(|| format!("'{text}' does not exist on New York's clock"))
    }

    fn into_chunk(self, archive: &Archive, file: Arc<str>, wanted: &Wanted<'_>) -> (Chunk, u64) {
        let rows = wanted.rows(&self.time);
        let passed = (self.time.len() - rows.len()) as u64;
        let mut columns = self.columns.into_iter().map(|c| c[rows.clone()].to_vec());
        let mut next = || columns.next().unwrap_or_default();
        let (trade, quotes) = if self.quotes {
            (None, Some(std::array::from_fn(|_| next())))
        } else {
            (Some(std::array::from_fn(|_| next())), None)
        };
        let chunk = Chunk {
            symbol: archive.symbol.clone(),
            file,
            unit: RowUnit::Line,
            rows: RowNumbers::From(rows.start as u64 + 1),
            clock: self.clock,
            time: Arc::new(self.time[rows].to_vec()),
            trade,
            quotes,
        };
        (chunk, passed)
    }
}

fn integer(field: &[u8]) -> Result<f64, String> {
    let text = std::str::from_utf8(field).unwrap_or_default();
    text.parse::<f64>().map_err(|_| format!("'{text}' is not a number"))
}

/// `YYYYMMDD`.
fn compact_date(text: &str) -> Option<NaiveDate> {
    if text.len() != 8 || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    parse_date(&format!("{}-{}-{}", &text[..4], &text[4..6], &text[6..])).ok()
}

fn sorted(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut out = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|e| DataError::read(folder, e))? {
        out.push(entry.map_err(|e| DataError::read(folder, e))?.path());
    }
    out.sort();
    Ok(out)
}

fn is_zip(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("zip"))
}

/// Whether a folder has zip files, itself or one level down.
fn has_archives(folder: &Path) -> bool {
    let Ok(paths) = sorted(folder) else { return false };
    paths.iter().any(|p| is_zip(p) || (p.is_dir() && sorted(p).is_ok_and(|inner| inner.iter().any(|p| is_zip(p)))))
}
