//! What the disk can refuse.

use std::io;
use std::path::PathBuf;

/// A change or a reading of the data folder that did not happen. Paths are relative to the data folder.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// The disk is full, the folder is read-only, ...
    #[error("cannot {action} {path}: {source}")]
    Io { action: &'static str, path: String, source: io::Error },
    /// Another process owns the data folder.
    #[error("{} is in use by another core; stop it first, one data folder has one core", folder.display())]
    Locked { folder: PathBuf },
    /// Symbolic links are not followed.
    #[error("{path} is a symbolic link; the data folder holds regular files and folders only")]
    SymbolicLink { path: String },
    /// A folder, a pipe or a device where a file belongs.
    #[error("{path} is not a regular file")]
    NotAFile { path: String },
    /// More than can be meant.
    #[error("{path} has {bytes} bytes; at most {limit} are read")]
    TooLarge { path: String, bytes: u64, limit: usize },
    /// Not a path inside the data folder.
    #[error("'{path}' is not a path of plain names inside the data folder")]
    Path { path: String },
    /// A folder or file whose name is not text.
    #[error("{folder} holds a file whose name is not valid UTF-8")]
    Name { folder: String },
    /// The disk was opened for reading.
    #[error("cannot change {path}: the data folder was opened for reading only")]
    ReadOnly { path: String },
    /// A watch ended all changes.
    #[error("the disk was stopped by its watch")]
    Stopped,
}

impl DiskError {
    /// An error of the system while doing `action` (a verb that fits "cannot ... path").
    pub(super) fn io(action: &'static str, path: &str, source: io::Error) -> DiskError {
        DiskError::Io { action, path: path.to_string(), source }
    }

    /// Whether there is no space left.
    pub fn is_full(&self) -> bool {
        let full = [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded];
        matches!(self, DiskError::Io { source, .. } if full.contains(&source.kind()))
    }
}
