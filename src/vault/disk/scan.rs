//! The look over the whole data folder at start.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};

use super::{DiskError, FILE_MODE, FOLDER_MODE, Inner, State, StepKind, enter};
use crate::vault::layout;

/// Folders may be nested this deep.
const MAX_DEPTH: usize = 32;

/// Something in the data folder that should not be. Opening the folder repairs it and reports it, to be audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DiskFinding {
    /// A file or folder can be used by others than its owner. Repaired, it is 0600 or 0700.
    TooWide {
        /// Relative to the data folder; empty for the data folder itself.
        path: String,
        /// The permission bits found.
        found: u32,
    },
    /// The temporary file of an interrupted write. Repaired, it is gone.
    LeftOver {
        /// Relative to the data folder.
        path: String,
    },
}

/// Narrows modes, removes temporary files, refuses symbolic links.
pub(super) fn repair(inner: &Inner, state: &mut State) -> Result<Vec<DiskFinding>, DiskError> {
    let mut scan = Scan { repairs: Some(state), findings: Vec::new() };
    scan.judge(inner.root.as_fd(), "", FOLDER_MODE)?;
    scan.walk(inner.root.as_fd(), "", 0)?;
    Ok(scan.findings)
}

/// Looks for modes that are too wide and refuses symbolic links. A temporary file may belong to a write under way.
pub(super) fn examine(inner: &Inner) -> Result<Vec<DiskFinding>, DiskError> {
    let mut scan = Scan { repairs: None, findings: Vec::new() };
    scan.judge(inner.root.as_fd(), "", FOLDER_MODE)?;
    scan.walk(inner.root.as_fd(), "", 0)?;
    Ok(scan.findings)
}

struct Scan<'a> {
    /// The right to repair, if it is given.
    repairs: Option<&'a mut State>,
    findings: Vec<DiskFinding>,
}

impl Scan<'_> {
    fn walk(&mut self, folder: BorrowedFd<'_>, at: &str, depth: usize) -> Result<(), DiskError> {
        if depth > MAX_DEPTH {
            return Err(DiskError::Path { path: at.to_string() });
        }
        for (name, kind) in entries(folder, at)? {
            let path = if at.is_empty() { name.clone() } else { format!("{at}/{name}") };
            match kind {
                FileType::Symlink => return Err(DiskError::SymbolicLink { path }),
                FileType::Directory => {
                    let inside = enter(folder, &name, &path)?;
                    self.judge(inside.as_fd(), &path, FOLDER_MODE)?;
                    self.walk(inside.as_fd(), &path, depth + 1)?;
                }
                FileType::RegularFile if is_temporary(&name) && layout::is_ours(at) => {
                    let Some(state) = &mut self.repairs else { continue };
                    state.step(StepKind::Remove, &path)?;
                    rustix::fs::unlinkat(folder, name.as_str(), AtFlags::empty())
                        .map_err(|e| DiskError::io("remove", &path, e.into()))?;
                    self.findings.push(DiskFinding::LeftOver { path });
                }
                FileType::RegularFile => {
                    // A run store may hold very many files: only those that need it are opened.
                    let stat = rustix::fs::statat(folder, name.as_str(), AtFlags::SYMLINK_NOFOLLOW)
                        .map_err(|e| DiskError::io("examine", &path, e.into()))?;
                    if !FILE_MODE.contains(permissions(&stat)) {
                        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
                        let file = rustix::fs::openat(folder, name.as_str(), flags, Mode::empty())
                            .map_err(|e| DiskError::io("open", &path, e.into()))?;
                        self.judge(file.as_fd(), &path, FILE_MODE)?;
                    }
                }
                // The socket of the core has its own rules.
                _ => {}
            }
        }
        Ok(())
    }

    /// Compares a mode with what is `allowed` and takes away what goes beyond.
    fn judge(&mut self, fd: BorrowedFd<'_>, path: &str, allowed: Mode) -> Result<(), DiskError> {
        let stat = rustix::fs::fstat(fd).map_err(|e| DiskError::io("examine", path, e.into()))?;
        let found = permissions(&stat);
        if allowed.contains(found) {
            return Ok(());
        }
        if let Some(state) = &mut self.repairs {
            state.step(StepKind::SetMode, path)?;
            rustix::fs::fchmod(fd, found & allowed).map_err(|e| DiskError::io("narrow the mode of", path, e.into()))?;
        }
        // The bits have 16 or 32 bits, depending on the system.
        #[allow(clippy::unnecessary_cast)]
        let found = found.as_raw_mode() as u32;
        self.findings.push(DiskFinding::TooWide { path: path.to_string(), found });
        Ok(())
    }
}

/// The permission bits, without the type of the file.
fn permissions(stat: &Stat) -> Mode {
    Mode::from_raw_mode(stat.st_mode) & Mode::from_raw_mode(0o7777)
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
