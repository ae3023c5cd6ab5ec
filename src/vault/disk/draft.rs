//! A file that arrives in parts.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{AtFlags, OFlags};

use super::{Disk, DiskError, FILE_MODE, StepKind, scan};

/// Tells the drafts of this process apart.
static DRAFTS: AtomicU64 = AtomicU64::new(0);

/// A file that is written in parts by the write rule: it has a temporary name until [`Draft::adopt`] gives it its own,
/// and is removed if that does not happen, by the next start at the latest.
pub struct Draft {
    disk: Disk,
    folder: OwnedFd,
    temporary: String,
    /// What messages and steps name.
    path: String,
    file: File,
    bytes: u64,
}

impl Disk {
    /// Begins a file that will lie in `folder`.
    ///
    /// # Errors
    /// The disk refused.
    pub fn draft(&self, folder: &str) -> Result<Draft, DiskError> {
        let temporary = scan::temporary_name(&format!("draft-{}", DRAFTS.fetch_add(1, Ordering::Relaxed)));
        let path = format!("{folder}/{temporary}");
        let mut state = self.0.state(&path)?;
        let folder = self.0.folder(folder)?;
        state.step(StepKind::Create, &path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&folder, temporary.as_str(), flags, FILE_MODE)
            .map_err(|e| DiskError::io("write", &path, e.into()))?;
        drop(state);
        Ok(Draft { disk: self.clone(), folder, temporary, path, file: File::from(fd), bytes: 0 })
    }
}

impl Draft {
    /// Adds a part.
    ///
    /// # Errors
    /// The disk refused; the draft is of no use any more.
    pub fn append(&mut self, part: &[u8]) -> Result<(), DiskError> {
        self.disk.0.state(&self.path)?.write(StepKind::Write, &mut self.file, &self.path, part)?;
        self.bytes += part.len() as u64;
        Ok(())
    }

    /// How many bytes it has.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Puts it in its place. A file of that name in the folder is replaced.
    ///
    /// # Errors
    /// The disk refused. The file then is there as a whole or not at all.
    pub fn adopt(self, name: &str) -> Result<(), DiskError> {
        let mut state = self.disk.0.state(&self.path)?;
        if name.is_empty() || name.contains(['/', '\0']) || scan::is_temporary(name) || [".", ".."].contains(&name) {
            drop(state);
            return Err(DiskError::Path { path: name.to_string() });
        }
        let adopted = state.step(StepKind::SyncFile, name).and_then(|()| {
            self.file.sync_all().map_err(|e| DiskError::io("synchronise", name, e))?;
            state.step(StepKind::Rename, name)?;
            rustix::fs::renameat(&self.folder, self.temporary.as_str(), &self.folder, name)
                .map_err(|e| DiskError::io("replace", name, e.into()))?;
            state.step(StepKind::SyncFolder, name)?;
            rustix::fs::fsync(&self.folder).map_err(|e| DiskError::io("synchronise the folder of", name, e.into()))
        });
        drop(state);
        adopted
    }
}

impl Drop for Draft {
    /// Removes what was not adopted; what was has another name.
    fn drop(&mut self) {
        let Ok(mut state) = self.disk.0.state(&self.path) else { return };
        let there = rustix::fs::statat(&self.folder, self.temporary.as_str(), AtFlags::SYMLINK_NOFOLLOW).is_ok();
        // What cannot be removed now is removed at the next start.
        if there && state.step(StepKind::Remove, &self.path).is_ok() {
            let _ = rustix::fs::unlinkat(&self.folder, self.temporary.as_str(), AtFlags::empty());
        }
    }
}
