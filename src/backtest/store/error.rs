//! What can go wrong with a result folder.

use std::io;
use std::path::{Path, PathBuf};

/// A result folder that cannot be written, read or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, the folder is read-only, ...
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    /// A file of a run is missing or unreadable.
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    /// A run could not be removed.
    #[error("cannot remove {}: {source}", path.display())]
    Remove { path: PathBuf, source: io::Error },
    /// A JSON file of a run does not have the expected content.
    #[error("{}: {source}", path.display())]
    Json { path: PathBuf, source: serde_json::Error },
    /// A CSV file of a run does not have the expected columns or values.
    #[error("{}: {source}", path.display())]
    Csv { path: PathBuf, source: csv::Error },
    /// A CSV file of a run has other columns.
    #[error("{} line 1: found the columns '{found}', expected '{expected}'", path.display())]
    Header { path: PathBuf, found: String, expected: String },
    /// The equity file is not a Parquet file with the expected columns.
    #[error("{}: {what}", path.display())]
    Equity { path: PathBuf, what: String },
    /// The result refers to something it does not contain.
    #[error("inconsistent result: {0}")]
    Inconsistent(String),
    /// The page could not be put together.
    #[error("report.html: {0}")]
    Report(#[from] askama::Error),
    /// The name of a run that would leave the result folder or hide itself.
    #[error("run id '{0}': expected a plain folder name such as 20240326T133000Z-0123456789ab")]
    RunId(String),
    /// No run of that name.
    #[error("no run '{name}' in {}{}", out.display(), candidates(.known, "; runs there: "))]
    NotFound { name: String, out: PathBuf, known: Vec<String> },
    /// Several runs of that name.
    #[error("'{name}' is the beginning of {} runs in {}{}", .matches.len(), out.display(), candidates(.matches, ": "))]
    Ambiguous { name: String, out: PathBuf, matches: Vec<String> },
    /// A folder that is not a run.
    #[error("{} is not a run: it has no {missing}", path.display())]
    NotARun { path: PathBuf, missing: &'static str },
}

impl StoreError {
    /// Wraps an input/output error of writing `path`.
    pub(super) fn writing(path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_path_buf();
        move |source| StoreError::Write { path, source }
    }

    /// Wraps an input/output error of reading `path`.
    pub(super) fn reading(path: &Path) -> impl FnOnce(io::Error) -> StoreError + use<> {
        let path = path.to_path_buf();
        move |source| StoreError::Read { path, source }
    }
}

/// At most eight names, after `lead`; nothing when there are none.
fn candidates(names: &[String], lead: &str) -> String {
    const SHOWN: usize = 8;
    if names.is_empty() {
        return String::new();
    }
    let mut text = format!("{lead}{}", names[..names.len().min(SHOWN)].join(", "));
    if names.len() > SHOWN {
        text.push_str(&format!(" and {} more", names.len() - SHOWN));
    }
    text
}
