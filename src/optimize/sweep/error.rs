//! What can go wrong with a sweep.

use std::io;
use std::path::{Path, PathBuf};

/// A sweep that cannot be run, taken up, read or written.
#[derive(Debug, thiserror::Error)]
pub enum SweepError {
    /// Bad input: an option, a file, a combination of them.
    #[error("{0}")]
    Input(String),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{}: {reason}", path.display())]
    File { path: PathBuf, reason: String },
    /// A line of a log that is not its last one.
    #[error("{}, line {line}: {reason}", path.display())]
    Line { path: PathBuf, line: usize, reason: String },
    /// Another process writes to the folder.
    #[error("{} is in use by another process; wait for it to end", .0.display())]
    Locked(PathBuf),
    /// The options of a resumed sweep are not those it began with.
    #[error("{} cannot be resumed: {}", path.display(), differences.join("; "))]
    Changed { path: PathBuf, differences: Vec<String> },
    /// A method that proposes other trials than those in the log.
    #[error("{}: trial {id} is not the one that the method proposes; the log was changed", path.display())]
    Foreign { path: PathBuf, id: u64 },
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Internal(String),
}

impl SweepError {
    /// Whether the user can do something about it: exit code 2 and not 1.
    pub fn is_input(&self) -> bool {
        !matches!(self, SweepError::Write { .. } | SweepError::Internal(_) | SweepError::Interrupted)
    }

    /// Wraps an error of writing `path`.
    pub(super) fn writing(path: &Path) -> impl FnOnce(io::Error) -> SweepError + use<> {
        let path = path.to_path_buf();
        move |source| SweepError::Write { path, source }
    }

    /// Wraps an error of reading `path`.
    pub(super) fn reading(path: &Path) -> impl FnOnce(io::Error) -> SweepError + use<> {
        let path = path.to_path_buf();
        move |source| SweepError::Read { path, source }
    }
}
