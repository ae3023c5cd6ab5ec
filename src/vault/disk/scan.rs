//! The look over the whole data folder at start.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::PoisonError;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags};

use super::{DiskError, FILE_MODE, FOLDER_MODE, Inner, State, StepKind, enter};
use crate::vault::layout;

/// Folders may be nested this deep.
const MAX_DEPTH: usize = 32;

/// Something that was repaired when the data folder was opened, to be audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskFinding {
    /// A file or folder could be used by others than its owner; now it is 0600 or 0700.
    ModeRepaired {
        /// Relative to the data folder; empty for the data folder itself.
        path: String,
        /// The permission bits found.
        found: u32,
    },
    /// A temporary file of an interrupted write was removed.
    TemporaryRemoved {
        /// Relative to the data folder.
        path: String,
    },
}

/// Narrows modes, removes temporary files, refuses symbolic links.
pub(super) fn repair(inner: &Inner) -> Result<Vec<DiskFinding>, DiskError> {
    let mut findings = Vec::new();
    let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
    narrow(&mut state, inner.root.as_fd(), "", FOLDER_MODE, &mut findings)?;
    walk(&mut state, inner.root.as_fd(), "", 0, &mut findings)?;
    Ok(findings)
}

fn walk(
    state: &mut State,
    folder: BorrowedFd<'_>,
    at: &str,
    depth: usize,
    findings: &mut Vec<DiskFinding>,
) -> Result<(), DiskError> {
    if depth > MAX_DEPTH {
        return Err(DiskError::Path { path: at.to_string() });
    }
    for (name, kind) in entries(folder, at)? {
        let path = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
        match kind {
            FileType::Symlink => return Err(DiskError::SymbolicLink { path }),
            FileType::Directory => {
                let inside = enter(folder, &name, &path)?;
                narrow(state, inside.as_fd(), &path, FOLDER_MODE, findings)?;
                walk(state, inside.as_fd(), &path, depth + 1, findings)?;
            }
            FileType::RegularFile if is_temporary(&name) && layout::is_ours(at) => {
                state.step(StepKind::Remove, &path)?;
                rustix::fs::unlinkat(folder, name.as_str(), AtFlags::empty())
                    .map_err(|e| DiskError::io("remove", &path, e.into()))?;
                findings.push(DiskFinding::TemporaryRemoved { path });
            }
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
                let file = rustix::fs::openat(folder, name.as_str(), flags, Mode::empty())
                    .map_err(|e| DiskError::io("open", &path, e.into()))?;
                narrow(state, file.as_fd(), &path, FILE_MODE, findings)?;
            }
            // The socket of the core has its own rules.
            _ => {}
        }
    }
    Ok(())
}

/// Takes away what goes beyond `allowed`.
fn narrow(
    state: &mut State,
    fd: BorrowedFd<'_>,
    path: &str,
    allowed: Mode,
    findings: &mut Vec<DiskFinding>,
) -> Result<(), DiskError> {
    let stat = rustix::fs::fstat(fd).map_err(|e| DiskError::io("examine", path, e.into()))?;
    let found = Mode::from_raw_mode(stat.st_mode) & Mode::from_raw_mode(0o7777);
    if allowed.contains(found) {
        return Ok(());
    }
    state.step(StepKind::SetMode, path)?;
    rustix::fs::fchmod(fd, found & allowed).map_err(|e| DiskError::io("narrow the mode of", path, e.into()))?;
    findings.push(DiskFinding::ModeRepaired { path: path.to_string(), found: found.as_raw_mode() as u32 });
    Ok(())
}

/// Names and types in a folder, without `.` and `..`, in order.
pub(super) fn entries(folder: BorrowedFd<'_>, path: &str) -> Result<Vec<(String, FileType)>, DiskError> {
    let failed = |e: rustix::io::Errno| DiskError::io("list", path, e.into());
    let mut found = Vec::new();
    for entry in Dir::read_from(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_str().map_err(|_| DiskError::Name { folder: path.to_string() })?;
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not tell here.
            FileType::Unknown => {
                let stat = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
                FileType::from_raw_mode(stat.st_mode)
            }
            kind => kind,
        };
        found.push((name.to_string(), kind));
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// The name under which the next content of `name` is written.
pub(super) fn temporary_name(name: &str) -> String {
    format!(".{name}.tmp")
}

/// Whether a name is one of [`temporary_name`].
pub(super) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && name.ends_with(".tmp")
}
