//! The record of a study: `trials.jsonl` and, row by row beside it, `returns.f64`.
//!
//! A trial's returns are written before its line, so that a line is never without its row. Both files are only
//! appended to, one system call a trial: what was written survives the end of the process at any moment. They
//! are forced to the disk when the study ends or is interrupted; after a power cut a tail may be missing, which
//! is computed again.

use super::{SweepError, TrialRecord};
use crate::optimize::Space;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// One line a finished trial, in order of id.
pub const TRIALS_LOG: &str = "trials.jsonl";
/// One row a finished trial: its daily returns as little-endian `f64`, NaN where there are none.
pub const RETURNS_FILE: &str = "returns.f64";

/// Where finished trials go, in order of id.
pub trait Record: Send {
    /// Adds a trial with its daily returns, padded to the width of the study.
    fn append(&mut self, trial: &TrialRecord, returns: &[f64]) -> Result<(), SweepError>;

    /// The returns of the trial that was added as number `row`, from 0.
    fn returns(&mut self, row: u64) -> Result<Vec<f64>, SweepError>;

    /// Makes sure that everything added so far stays.
    fn sync(&mut self) -> Result<(), SweepError>;
}

/// The record in files. The log is locked: a second process is refused.
#[derive(Debug)]
pub struct Log {
    space: Space,
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
    /// A folder in use, a line in the middle that cannot be read.
    pub fn open(dir: &Path, space: &Space, width: usize) -> Result<(Log, Vec<TrialRecord>), SweepError> {
        let (trials_path, returns_path) = (dir.join(TRIALS_LOG), dir.join(RETURNS_FILE));
        let open = |path: &Path| {
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(SweepError::writing(path))
        };
        let (mut trials, returns) = (open(&trials_path)?, open(&returns_path)?);
        match trials.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(SweepError::Locked(dir.to_path_buf())),
            Err(TryLockError::Error(source)) => return Err(SweepError::Write { path: trials_path, source }),
        }
        let mut text = Vec::new();
        trials.read_to_end(&mut text).map_err(SweepError::reading(&trials_path))?;
        let (mut records, mut ends) = parse(&text, space, &trials_path)?;
        let row = (width * 8) as u64;
        let rows = returns.metadata().map_err(SweepError::reading(&returns_path))?.len() / row.max(1);
        let kept = records.len().min(usize::try_from(rows).unwrap_or(usize::MAX));
        records.truncate(kept);
        ends.truncate(kept);
        trials.set_len(ends.last().copied().unwrap_or(0)).map_err(SweepError::writing(&trials_path))?;
        returns.set_len(kept as u64 * row).map_err(SweepError::writing(&returns_path))?;
        let log = Log { space: space.clone(), width, trials_path, returns_path, trials, returns };
        Ok((log, records))
    }
}

/// The trials of a log, and where each line ends. Only the last line may be torn.
fn parse(text: &[u8], space: &Space, path: &Path) -> Result<(Vec<TrialRecord>, Vec<u64>), SweepError> {
    let (mut records, mut ends) = (Vec::new(), Vec::new());
    let mut from = 0;
    while let Some(length) = text[from..].iter().position(|&byte| byte == b'\n') {
        let line = &text[from..from + length];
        from += length + 1;
        let record = std::str::from_utf8(line).map_err(|error| error.to_string());
        match record.and_then(|line| TrialRecord::from_line(line, space)) {
            Ok(record) => {
                records.push(record);
                ends.push(from as u64);
            }
            Err(_) if from == text.len() => {}
            Err(reason) => {
                return Err(SweepError::Line { path: path.to_path_buf(), line: records.len() + 1, reason });
            }
        }
    }
    Ok((records, ends))
}

/// The trials of a finished or interrupted sweep, read only.
pub fn read_trials(dir: &Path, space: &Space) -> Result<Vec<TrialRecord>, SweepError> {
    let path = dir.join(TRIALS_LOG);
    let text = std::fs::read(&path).map_err(SweepError::reading(&path))?;
    Ok(parse(&text, space, &path)?.0)
}

impl Record for Log {
    fn append(&mut self, trial: &TrialRecord, returns: &[f64]) -> Result<(), SweepError> {
        let mut row = Vec::with_capacity(self.width * 8);
        for value in returns {
            row.extend_from_slice(&value.to_le_bytes());
        }
        self.returns.write_all(&row).map_err(SweepError::writing(&self.returns_path))?;
        let line = trial.to_line(&self.space) + "\n";
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

/// Calls `each` with the number and the returns of every row of a folder.
pub fn for_each_row(dir: &Path, width: usize, mut each: impl FnMut(u64, &[f64])) -> Result<(), SweepError> {
    let path = dir.join(RETURNS_FILE);
    let file = File::open(&path).map_err(SweepError::reading(&path))?;
    let bytes = file.metadata().map_err(SweepError::reading(&path))?.len();
    let row_bytes = (width * 8).max(1);
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let (mut buffer, mut row) = (vec![0; row_bytes], Vec::with_capacity(width));
    for number in 0..bytes / row_bytes as u64 {
        reader.read_exact(&mut buffer).map_err(SweepError::reading(&path))?;
        row.clear();
        row.extend(numbers(&buffer));
        each(number, &row);
    }
    Ok(())
}

/// The record in memory, for searches that leave no folder.
#[derive(Debug, Default)]
pub struct Memory {
    pub trials: Vec<TrialRecord>,
    pub returns: Vec<Vec<f64>>,
}

impl Record for Memory {
    fn append(&mut self, trial: &TrialRecord, returns: &[f64]) -> Result<(), SweepError> {
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
