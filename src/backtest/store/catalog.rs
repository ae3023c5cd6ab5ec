//! Finding, listing and removing runs.

use super::write::PARTIAL_PREFIX;
use super::{RUN_FILE, SUMMARY_FILE, StoreError, Summary, read_summary};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// One run of a result folder.
#[derive(Debug)]
pub struct RunEntry {
    /// Name of the folder: the run id, with a suffix when that was taken.
    pub name: String,
    pub path: PathBuf,
    /// The summary, or why it cannot be read.
    pub summary: Result<Summary, StoreError>,
}

/// Whether a folder holds a run.
pub fn is_run(dir: &Path) -> bool {
    dir.join(RUN_FILE).is_file() && dir.join(SUMMARY_FILE).is_file()
}

/// The runs of a result folder, newest first. A folder that does not exist has none.
pub fn list_runs(out_dir: &Path) -> Result<Vec<RunEntry>, StoreError> {
    let names = run_names(out_dir)?;
    let entry = |name: String| {
        let path = out_dir.join(&name);
        RunEntry { summary: read_summary(&path), name, path }
    };
    Ok(names.into_iter().map(entry).collect())
}

/// The folder of a run given as a path, or as its name or an unambiguous beginning of it.
pub fn resolve_run(out_dir: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let names = run_names(out_dir)?;
    if names.iter().any(|n| n == name) {
        return Ok(out_dir.join(name));
    }
    let path = Path::new(name);
    if path.is_dir() {
        let missing = [RUN_FILE, SUMMARY_FILE].into_iter().find(|file| !path.join(file).is_file());
        return match missing {
            None => Ok(path.to_path_buf()),
            Some(missing) => Err(StoreError::NotARun { path: path.to_path_buf(), missing }),
        };
    }
    let out = out_dir.to_path_buf();
    let matches: Vec<String> = names.iter().filter(|n| !name.is_empty() && n.starts_with(name)).cloned().collect();
    match matches.as_slice() {
        [one] => Ok(out_dir.join(one)),
        [] => Err(StoreError::NotFound { name: name.to_string(), out, known: names }),
        _ => Err(StoreError::Ambiguous { name: name.to_string(), out, matches }),
    }
}

/// Removes a run.
pub fn remove_run(path: &Path) -> Result<(), StoreError> {
    if !is_run(path) {
        return Err(StoreError::NotARun { path: path.to_path_buf(), missing: RUN_FILE });
    }
    remove_folder(path)
}

/// Removes a folder of results of any kind. It loses its name first, so that an interruption leaves no half result
/// behind.
pub fn remove_folder(path: &Path) -> Result<(), StoreError> {
    let failed = |source| StoreError::Remove { path: path.to_path_buf(), source };
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(io::Error::other("it has no name")));
    };
    let hidden = parent.join(format!("{PARTIAL_PREFIX}{}-removed", name.to_string_lossy()));
    fs::rename(path, &hidden).map_err(failed)?;
    fs::remove_dir_all(&hidden).map_err(failed)
}

/// Removes the hidden folders of runs that were killed, and returns how many there were. Folders of
/// runs that are being written are locked and stay.
pub fn remove_abandoned(out_dir: &Path) -> Result<usize, StoreError> {
    let mut removed = 0;
    for name in folder_names(out_dir)? {
        if !name.starts_with(PARTIAL_PREFIX) {
            continue;
        }
        let path = out_dir.join(name);
        let failed = |source| StoreError::Remove { path: path.clone(), source };
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(failed(error)),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => continue,
            Err(fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
        fs::remove_dir_all(&path).map_err(failed)?;
        removed += 1;
    }
    Ok(removed)
}

/// Names of the runs of a folder, newest first.
fn run_names(out_dir: &Path) -> Result<Vec<String>, StoreError> {
    let mut names = folder_names(out_dir)?;
    names.retain(|name| !name.starts_with('.') && is_run(&out_dir.join(name)));
    names.sort_by(|a, b| age_key(b).cmp(&age_key(a)));
    Ok(names)
}

/// Names of the folders of a folder, in no order; none when it does not exist.
fn folder_names(out_dir: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(out_dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::reading(out_dir)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(StoreError::reading(out_dir))?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    Ok(names)
}

/// Sorts run names by age: time, then fingerprint, then the number of a repeated name.
fn age_key(name: &str) -> (&str, &str, u32, &str) {
    let mut parts = name.splitn(3, '-');
    let time = parts.next().unwrap_or("");
    let fingerprint = parts.next().unwrap_or("");
    let number = parts.next().and_then(|n| n.parse().ok()).unwrap_or(1);
    (time, fingerprint, number, name)
}
