//! The record of a study: `trials.jsonl` and, row by row beside it, `returns.f64`.
//!
//! A trial's returns are written before its line, so that a line is never without its row. Both files are only
//! appended to, one system call a trial: what was written survives the end of the process at any moment. They
//! are forced to the disk when the study ends or is interrupted; after a power cut a tail may be missing, which
//! is computed again.

use super::{SweepError, SweepFile, TrialRecord};
use crate::optimize::Space;
use serde_json::Map;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// One line a finished trial, in order of id.
pub const TRIALS_LOG: &str = "trials.jsonl";
/// One row a finished trial: its daily returns as little-endian `f64`, NaN where there are none.
pub const RETURNS_FILE: &str = "returns.f64";

/// Where finished trials go, in order of id.
pub trait Record: Send {
    /// Adds a trial, its line, and its daily returns, padded to the width of the study.
    fn append(&mut self, trial: &TrialRecord, line: &str, returns: &[f64]) -> Result<(), SweepError>;

    /// The returns of the trial that was added as number `row`, from 0.
    fn returns(&mut self, row: u64) -> Result<Vec<f64>, SweepError>;

    /// Makes sure that everything added so far stays.
    fn sync(&mut self) -> Result<(), SweepError>;
}

/// The record in files. The log is locked: a second process is refused.
#[derive(Debug)]
pub struct Log {
    /// Sessions: values of a row.
    width: usize,
    trials_path: PathBuf,
    returns_path: PathBuf,
    trials: File,
    returns: File,
}

impl Log {
    /// Begins or takes up the log of a folder. Answers the trials that are there: a torn last line, and a row of
    /// returns without its line, are dropped.
    ///
    /// # Errors
    /// A folder in use, a line in the middle that cannot be read, one of the two files gone.
    pub fn open(dir: &Path, space: &Space, width: usize) -> Result<(Log, Vec<TrialRecord>), SweepError> {
        let (trials_path, returns_path) = (dir.join(TRIALS_LOG), dir.join(RETURNS_FILE));
        // One of them alone was not left so by a search: all that it holds would be dropped as torn.
        for (there, gone) in [(&trials_path, &returns_path), (&returns_path, &trials_path)] {
            if there.metadata().is_ok_and(|file| file.len() > 0) && !gone.exists() {
                let name = there.file_name().unwrap_or_default().to_string_lossy();
                let reason = format!("it is gone; expected it beside {name}. To begin again, remove that too");
                return Err(SweepError::File { path: gone.clone(), reason });
            }
        }
        let open = |path: &Path| {
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(SweepError::writing(path))
        };
        let (mut trials, returns) = (open(&trials_path)?, open(&returns_path)?);
        match trials.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SweepError::Locked(dir.to_path_buf())),
            Err(TryLockError::Error(source)) => return Err(SweepError::Write { path: trials_path, source }),
        }
        let (mut records, mut ends) = (Vec::new(), Vec::new());
        let mut lines = Lines::new(BufReader::new(&mut trials), space, &trials_path);
        while let Some((mut record, end)) = lines.next()? {
            // A line has dozens of metrics; a search needs none of them, nor the room they took.
            record.metrics = Map::new();
            records.push(record);
            ends.push(end);
        }
        let row = (width * 8) as u64;
        let rows = returns.metadata().map_err(SweepError::reading(&returns_path))?.len() / row.max(1);
        let kept = records.len().min(usize::try_from(rows).unwrap_or(usize::MAX));
        records.truncate(kept);
        ends.truncate(kept);
        trials.set_len(ends.last().copied().unwrap_or(0)).map_err(SweepError::writing(&trials_path))?;
        returns.set_len(kept as u64 * row).map_err(SweepError::writing(&returns_path))?;
        let log = Log { width, trials_path, returns_path, trials, returns };
        Ok((log, records))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is just being started holds a copy of it for a moment.
        let _ = self.trials.unlock();
    }
}

/// Reads the lines of a log one by one. Only the last one may be torn: it is passed over.
struct Lines<'a, R> {
    reader: R,
    space: &'a Space,
    path: PathBuf,
    number: usize,
    end: u64,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(reader: R, space: &'a Space, path: &Path) -> Lines<'a, R> {
        Lines { reader, space, path: path.to_path_buf(), number: 0, end: 0 }
    }

    /// The next trial and the place where its line ends.
    fn next(&mut self) -> Result<Option<(TrialRecord, u64)>, SweepError> {
        let mut line = Vec::new();
        let read = self.reader.read_until(b'\n', &mut line).map_err(SweepError::reading(&self.path))?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.end += read as u64;
        let text = line.strip_suffix(b"\n").ok_or_else(|| "the line has no end".to_string());
        let text = text.and_then(|text| std::str::from_utf8(text).map_err(|error| error.to_string()));
        match text.and_then(|text| TrialRecord::from_line(text, self.space)) {
            Ok(record) => Ok(Some((record, self.end))),
            Err(_) if self.reader.fill_buf().map_err(SweepError::reading(&self.path))?.is_empty() => Ok(None),
            Err(reason) => Err(SweepError::Line { path: self.path.clone(), line: self.number, reason }),
        }
    }
}

/// Reads trials and their returns of a sweep's folder one by one.
pub(super) struct Trials<'a> {
    lines: Lines<'a, BufReader<File>>,
    rows: Rows,
}

impl<'a> Trials<'a> {
    pub(super) fn open(dir: &Path, space: &'a Space, width: usize) -> Result<Trials<'a>, SweepError> {
        let path = dir.join(TRIALS_LOG);
        let file = File::open(&path).map_err(SweepError::reading(&path))?;
        Ok(Trials { lines: Lines::new(BufReader::new(file), space, &path), rows: Rows::open(dir, width)? })
    }

    /// The next trial with its returns; `None` after the last one that has both.
    pub(super) fn next(&mut self) -> Result<Option<(TrialRecord, Vec<f64>)>, SweepError> {
        Ok(self.lines.next()?.map(|(trial, _)| trial).zip(self.rows.next()?))
    }
}

/// Calls `each` with every trial of a sweep's folder, in order of id.
pub fn for_each_trial(
    dir: &Path,
    space: &Space,
    mut each: impl FnMut(TrialRecord) -> Result<(), SweepError>,
) -> Result<(), SweepError> {
    let path = dir.join(TRIALS_LOG);
    let file = File::open(&path).map_err(SweepError::reading(&path))?;
    let mut lines = Lines::new(BufReader::with_capacity(1 << 20, file), space, &path);
    while let Some((trial, _)) = lines.next()? {
        each(trial)?;
    }
    Ok(())
}

/// Reads the rows of returns of a sweep's folder one by one.
pub struct Rows {
    path: PathBuf,
    reader: BufReader<File>,
    left: u64,
    buffer: Vec<u8>,
}

impl Rows {
    /// Opens the returns of a folder; a row has `width` values.
    pub fn open(dir: &Path, width: usize) -> Result<Rows, SweepError> {
        let path = dir.join(RETURNS_FILE);
        let file = File::open(&path).map_err(SweepError::reading(&path))?;
        let bytes = file.metadata().map_err(SweepError::reading(&path))?.len();
        let buffer = vec![0; (width * 8).max(1)];
        let left = bytes / buffer.len() as u64;
        Ok(Rows { path, reader: BufReader::with_capacity(1 << 20, file), left, buffer })
    }

    /// Opens the returns of a sweep's folder.
    pub fn of_sweep(dir: &Path, sweep: &SweepFile) -> Result<Rows, SweepError> {
        let width = usize::try_from(sweep.sessions).map_err(|error| SweepError::Internal(error.to_string()))?;
        Rows::open(dir, width)
    }

    /// The next row; `None` after the last whole one.
    #[expect(clippy::should_implement_trait, reason = "an iterator could not fail")]
    pub fn next(&mut self) -> Result<Option<Vec<f64>>, SweepError> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        self.reader.read_exact(&mut self.buffer).map_err(SweepError::reading(&self.path))?;
        Ok(Some(numbers(&self.buffer).collect()))
    }
}

/// The returns of some trials of a sweep, in order of id.
pub fn returns_of(dir: &Path, sweep: &SweepFile, trials: &[u64]) -> Result<Vec<(u64, Vec<f64>)>, SweepError> {
    let mut wanted = trials.to_vec();
    wanted.sort_unstable();
    let mut rows = Rows::of_sweep(dir, sweep)?;
    let mut found = Vec::with_capacity(wanted.len());
    let mut id = 0;
    while let Some(returns) = rows.next()? {
        if wanted.binary_search(&id).is_ok() {
            found.push((id, returns));
        }
        id += 1;
    }
    Ok(found)
}

impl Record for Log {
    fn append(&mut self, _: &TrialRecord, line: &str, returns: &[f64]) -> Result<(), SweepError> {
        let mut row = Vec::with_capacity(self.width * 8);
        for value in returns {
            row.extend_from_slice(&value.to_le_bytes());
        }
        self.returns.write_all(&row).map_err(SweepError::writing(&self.returns_path))?;
        self.trials.write_all(line.as_bytes()).map_err(SweepError::writing(&self.trials_path))
    }

    fn returns(&mut self, row: u64) -> Result<Vec<f64>, SweepError> {
        let reading = |error| SweepError::Read { path: self.returns_path.clone(), source: error };
        let mut bytes = vec![0; self.width * 8];
        self.returns.seek(SeekFrom::Start(row * bytes.len() as u64)).map_err(reading)?;
        self.returns.read_exact(&mut bytes).map_err(reading)?;
        Ok(numbers(&bytes).collect())
    }

    fn sync(&mut self) -> Result<(), SweepError> {
        self.returns.sync_data().map_err(SweepError::writing(&self.returns_path))?;
        self.trials.sync_data().map_err(SweepError::writing(&self.trials_path))
    }
}

fn numbers(bytes: &[u8]) -> impl Iterator<Item = f64> + '_ {
    bytes.chunks_exact(8).map(|chunk| f64::from_le_bytes(chunk.try_into().unwrap_or_default()))
}

/// The record in memory, for searches that leave no folder.
#[derive(Debug, Default)]
pub struct Memory {
    pub trials: Vec<TrialRecord>,
    pub returns: Vec<Vec<f64>>,
}

impl Record for Memory {
    fn append(&mut self, trial: &TrialRecord, _: &str, returns: &[f64]) -> Result<(), SweepError> {
        self.trials.push(trial.clone());
        self.returns.push(returns.to_vec());
        Ok(())
    }

    fn returns(&mut self, row: u64) -> Result<Vec<f64>, SweepError> {
        let found = usize::try_from(row).ok().and_then(|row| self.returns.get(row));
        found.cloned().ok_or_else(|| SweepError::Internal(format!("no row {row}")))
    }

    fn sync(&mut self) -> Result<(), SweepError> {
        Ok(())
    }
}
