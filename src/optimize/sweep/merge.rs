//! Joining the shards of a sweep.

use super::log::Trials;
use super::store::{self, is_sweep, read_sweep};
use super::{Log, RETURNS_FILE, Record, SweepError, SweepFile, for_each_trial};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Joins the shards in some folders (or in the folders of these) to one sweep under `out` and returns its folder,
/// whose log and returns are those of the sweep that was never divided. `started` is the time part of its name.
///
/// # Errors
/// A folder without shards, shards of different sweeps, a missing, repeated or incomplete one.
pub fn merge(dirs: &[PathBuf], out: &Path, started: &str) -> Result<PathBuf, SweepError> {
    let shards = find(dirs)?;
    let (first_dir, first) = &shards[0];
    let count = first.shard.map_or(1, |shard| shard.count);
    let mut by_index: BTreeMap<u64, &Path> = BTreeMap::new();
    for (dir, sweep) in &shards {
        let Some(shard) = sweep.shard else {
            return Err(SweepError::Input(format!("{} is a whole sweep; expected shards", dir.display())));
        };
        if sweep.fingerprint != first.fingerprint || shard.count != count {
            let mut other = sweep.clone();
            other.shard = first.shard;
            let mut differences = first.differences(&other);
            if shard.count != count {
                differences.push(format!("{count} shards there, {} here", shard.count));
            }
            return Err(SweepError::Input(format!(
                "{} and {} are not shards of one sweep: {}",
                first_dir.display(),
                dir.display(),
                differences.join("; ")
            )));
        }
        if let Some(other) = by_index.insert(shard.index, dir) {
            return Err(SweepError::Input(format!(
                "shard {}/{count} is given twice: {} and {}",
                shard.index,
                other.display(),
                dir.display()
            )));
        }
    }
    let missing: Vec<String> =
        (0..count).filter(|index| !by_index.contains_key(index)).map(|i| format!("{i}/{count}")).collect();
    if !missing.is_empty() {
        return Err(SweepError::Input(format!("shards are missing: {}", missing.join(", "))));
    }
    let whole = SweepFile {
        shard: None,
        earlier_trials: shards.iter().map(|(_, sweep)| sweep.earlier_trials).max().unwrap_or(0),
        earlier_sweeps: shards.iter().map(|(_, sweep)| sweep.earlier_sweeps).max().unwrap_or(0),
        ..first.clone()
    };
    let run_id = format!("{started}-{}", whole.fingerprint.get(..12).unwrap_or(&whole.fingerprint));
    let parts: Vec<&Path> = by_index.values().copied().collect();
    for (index, part) in parts.iter().enumerate() {
        check_complete(part, &whole, index as u64, count)?;
    }
    let dir = store::create(out, &run_id, &whole)?;
    join(&parts, &whole, &dir)?;
    Ok(dir)
}

/// The sweeps in some folders: each itself one, or holding some.
fn find(dirs: &[PathBuf]) -> Result<Vec<(PathBuf, SweepFile)>, SweepError> {
    let mut shards = Vec::new();
    for dir in dirs {
        let mut found = Vec::new();
        if is_sweep(dir) {
            found.push(dir.clone());
        } else {
            let inner = store::folders(dir)?;
            found.extend(inner.into_iter().map(|(_, path)| path).filter(|path| is_sweep(path)));
        }
        if found.is_empty() {
            return Err(SweepError::Input(format!("{}: no sweep is there, nor in its folders", dir.display())));
        }
        for path in found {
            let sweep = read_sweep(&path)?;
            shards.push((path, sweep));
        }
    }
    Ok(shards)
}

/// The shard must hold each of its trials, with its row of returns.
fn check_complete(dir: &Path, whole: &SweepFile, index: u64, count: u64) -> Result<(), SweepError> {
    let (space, mut expected) = (whole.spec.space()?, index);
    for_each_trial(dir, &space, |trial| {
        if trial.id != expected {
            let reason =
                format!("trial {} stands where trial {expected} of shard {index}/{count} is expected", trial.id);
            return Err(SweepError::File { path: dir.join(super::TRIALS_LOG), reason });
        }
        expected += count;
        Ok(())
    })?;
    let path = dir.join(RETURNS_FILE);
    let bytes = std::fs::metadata(&path).map_err(SweepError::reading(&path))?.len();
    let trials = (expected - index) / count;
    let done = trials.min(bytes / (whole.sessions * 8).max(1));
    let planned = (whole.spec.trials + count - 1 - index) / count;
    if done < planned {
        return Err(SweepError::Input(format!(
            "shard {index}/{count} is not complete: {done} of {planned} trials; tbot sweep --resume {} goes on with it",
            dir.display()
        )));
    }
    Ok(())
}

/// Copies trials and rows in order of id.
fn join(parts: &[&Path], whole: &SweepFile, dir: &Path) -> Result<(), SweepError> {
    let space = whole.spec.space()?;
    let width = usize::try_from(whole.sessions).map_err(|error| SweepError::Internal(error.to_string()))?;
    let mut sources = Vec::with_capacity(parts.len());
    for part in parts {
        sources.push(Trials::open(part, &space, width)?);
    }
    let (mut log, _) = Log::open(dir, &space, width)?;
    for id in 0..whole.spec.trials {
        let source = &mut sources[(id % parts.len() as u64) as usize];
        let Some((trial, returns)) = source.next()? else {
            return Err(SweepError::Internal(format!("trial {id} is gone")));
        };
        log.append(&trial, &trial.to_line(&space), &returns)?;
    }
    log.sync()
}
