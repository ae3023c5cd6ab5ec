//! The folder of a sweep, and the sweeps of a result folder.
//!
//! ```text
//! out_dir/<run_id>/
//!   sweep.json       what the sweep is made of, with fingerprint, data hash and version
//!   trials.jsonl     one line a finished trial, appended as trials finish: the only state
//!   returns.f64      one row a finished trial: its daily returns
//!   trials.parquet   the trials as a table
//!   summary.json     the best, the front, importance, overfitting
//! ```
//!
//! The folder is there with `sweep.json` from the start, so that an interrupted sweep can be taken up; the last
//! two files come at the end, each as a whole.

use super::{SweepError, SweepFile, TRIALS_LOG};
use serde::Serialize;
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

/// What a sweep is made of.
pub const SWEEP_FILE: &str = "sweep.json";
/// The result in numbers.
pub const SUMMARY_FILE: &str = "summary.json";
/// The trials as a table.
pub const TRIALS_TABLE: &str = "trials.parquet";
/// Where sweeps lie in a result folder when nothing else is said: the default of OPTIMIZER_OUTPUT_DIR in
/// `backtest_results`.
pub const TUNING_FOLDER: &str = "strategy_tuning";

/// Whether a folder holds a sweep.
pub fn is_sweep(dir: &Path) -> bool {
    dir.join(SWEEP_FILE).is_file()
}

/// Makes the folder of a sweep with its `sweep.json`: `out/run_id`, or with the suffix `-2`, `-3`, ... when that
/// name is taken.
pub fn create(out: &Path, run_id: &str, file: &SweepFile) -> Result<PathBuf, SweepError> {
    fs::create_dir_all(out).map_err(SweepError::writing(out))?;
    for number in 1u32.. {
        let name = if number == 1 { run_id.to_string() } else { format!("{run_id}-{number}") };
        let dir = out.join(name);
        match fs::create_dir(&dir) {
            Ok(()) => {
                write_json(&dir.join(SWEEP_FILE), file)?;
                return Ok(dir);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(SweepError::Write { path: dir, source }),
        }
    }
    Err(SweepError::Internal(format!("no name is free for {run_id}")))
}

/// Reads `sweep.json` of a folder.
pub fn read_sweep(dir: &Path) -> Result<SweepFile, SweepError> {
    let path = dir.join(SWEEP_FILE);
    let text = fs::read_to_string(&path).map_err(SweepError::reading(&path))?;
    serde_json::from_str(&text).map_err(|error| SweepError::File { path, reason: error.to_string() })
}

/// Reads `summary.json` of a folder; `None` when the sweep is not finished.
pub fn read_summary(dir: &Path) -> Result<Option<Json>, SweepError> {
    let path = dir.join(SUMMARY_FILE);
    match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SweepError::Read { path, source: error }),
        Ok(text) => {
            serde_json::from_str(&text).map(Some).map_err(|error| SweepError::File { path, reason: error.to_string() })
        }
    }
}

/// Writes a JSON file as a whole or not at all.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), SweepError> {
    let mut text = serde_json::to_string_pretty(value).map_err(|error| SweepError::Internal(error.to_string()))?;
    text.push('\n');
    write_whole(path, |mut file| file.write_all(text.as_bytes()))
}

/// Writes a file under a hidden name beside its place and gives it its name when it is complete.
pub(super) fn write_whole(path: &Path, write: impl FnOnce(&fs::File) -> io::Result<()>) -> Result<(), SweepError> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let partial = path.with_file_name(format!(".partial-{name}"));
    let done = fs::File::create(&partial).and_then(|file| {
        write(&file)?;
        file.sync_data()
    });
    done.and_then(|()| fs::rename(&partial, path)).map_err(|source| {
        // What is left of the attempt is of no use; the error that matters is the first one.
        let _ = fs::remove_file(&partial);
        SweepError::Write { path: path.to_path_buf(), source }
    })
}

/// One sweep of a result folder.
#[derive(Debug)]
pub struct SweepEntry {
    /// Name of the folder.
    pub name: String,
    pub path: PathBuf,
    /// `sweep.json`, or why it cannot be read.
    pub sweep: Result<SweepFile, SweepError>,
    /// `summary.json`, when the sweep is finished.
    pub summary: Option<Json>,
    /// Lines of the log.
    pub trials: u64,
}

/// Whether a process writes to the folder of a sweep at this moment.
pub fn in_use(dir: &Path) -> Result<bool, SweepError> {
    let path = dir.join(TRIALS_LOG);
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(SweepError::reading(&path)(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(false),
        Err(fs::TryLockError::WouldBlock) => Ok(true),
        Err(fs::TryLockError::Error(error)) => Err(SweepError::reading(&path)(error)),
    }
}

/// The sweeps of a result folder and of its folder for tuning, newest first.
pub fn list_sweeps(out: &Path) -> Result<Vec<SweepEntry>, SweepError> {
    let entry = |(name, path): (String, PathBuf)| {
        let summary = read_summary(&path).ok().flatten();
        Ok(SweepEntry { sweep: read_sweep(&path), summary, trials: count_trials(&path)?, name, path })
    };
    list(out, is_sweep)?.into_iter().map(entry).collect()
}

/// The folder of a sweep given as a path, or as its name or an unambiguous beginning of it; `None` when there is
/// none of that name.
pub fn find_sweep(out: &Path, name: &str) -> Result<Option<PathBuf>, SweepError> {
    find(out, name, is_sweep)
}

/// As [`find_sweep`], for any kind of folder.
pub fn find(out: &Path, name: &str, is_one: impl Fn(&Path) -> bool) -> Result<Option<PathBuf>, SweepError> {
    let path = Path::new(name);
    if is_one(path) {
        return Ok(Some(path.to_path_buf()));
    }
    let mut found = list(out, is_one)?;
    if let Some((_, path)) = found.iter().find(|(folder, _)| folder == name) {
        return Ok(Some(path.clone()));
    }
    found.retain(|(folder, _)| !name.is_empty() && folder.starts_with(name));
    match found.len() {
        0 | 1 => Ok(found.pop().map(|(_, path)| path)),
        count => Err(SweepError::Input(format!("'{name}' is the beginning of {count} folders in {}", out.display()))),
    }
}

/// Names and paths of the folders of one kind in a result folder and in its folder for tuning, newest first.
pub fn list(out: &Path, is_one: impl Fn(&Path) -> bool) -> Result<Vec<(String, PathBuf)>, SweepError> {
    let mut found = folders(out)?;
    found.extend(folders(&out.join(TUNING_FOLDER))?);
    found.retain(|(_, path)| is_one(path));
    found.sort_by(|a, b| b.cmp(a));
    Ok(found)
}

/// What was tried before on the same data.
#[derive(Debug, Default)]
pub struct Earlier {
    pub sweeps: u64,
    pub trials: u64,
    /// Sweeps that cannot be read, so that nobody knows whether they count.
    pub unreadable: Vec<SweepError>,
}

/// Sweeps and trials of a result folder over the same data: what was tried before. A sweep that was repeated
/// tried nothing new: of equal fingerprints the one with the most trials counts, the shards of one together.
pub fn earlier_trials(out: &Path, data_hash: &str, fingerprint: &str) -> Result<Earlier, SweepError> {
    let mut unreadable = Vec::new();
    let mut whole: BTreeMap<String, u64> = BTreeMap::new();
    let mut shards: BTreeMap<String, BTreeMap<(u64, u64), u64>> = BTreeMap::new();
    for (_, path) in folders(out)? {
        if !is_sweep(&path) {
            continue;
        }
        let sweep = match read_sweep(&path) {
            Ok(sweep) => sweep,
            Err(error) => {
                unreadable.push(error);
                continue;
            }
        };
        if sweep.data_hash != data_hash || sweep.fingerprint == fingerprint {
            continue;
        }
        let trials = count_trials(&path)?;
        let most = match sweep.shard {
            None => whole.entry(sweep.fingerprint).or_default(),
            Some(shard) => shards.entry(sweep.fingerprint).or_default().entry((shard.count, shard.index)).or_default(),
        };
        *most = trials.max(*most);
    }
    for (fingerprint, parts) in shards {
        let most = whole.entry(fingerprint).or_default();
        *most = parts.values().sum::<u64>().max(*most);
    }
    whole.retain(|_, trials| *trials > 0);
    Ok(Earlier { sweeps: whole.len() as u64, trials: whole.values().sum(), unreadable })
}

/// Names and paths of the folders of a folder that are not hidden, sorted; none when it does not exist.
pub(super) fn folders(dir: &Path) -> Result<Vec<(String, PathBuf)>, SweepError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(error) => return Err(SweepError::reading(dir)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(SweepError::reading(dir))?.path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str())
            && !name.starts_with('.')
            && path.is_dir()
        {
            found.push((name.to_string(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// Trials that the log of a sweep's folder holds: its complete lines.
pub fn count_trials(dir: &Path) -> Result<u64, SweepError> {
    let path = dir.join(TRIALS_LOG);
    let file = match fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(SweepError::reading(&path)(error)),
    };
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut lines = 0;
    loop {
        let buffer = reader.fill_buf().map_err(SweepError::reading(&path))?;
        if buffer.is_empty() {
            return Ok(lines);
        }
        lines += buffer.iter().filter(|&&byte| byte == b'\n').count() as u64;
        let length = buffer.len();
        reader.consume(length);
    }
}
