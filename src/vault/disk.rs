//! The one place that changes the disk.
//!
//! Every path is relative to the data folder and made of plain names. Folders are walked by descriptor without
//! following symbolic links, so nothing outside the data folder can be reached. Files are 0600 and folders 0700
//! from the moment they exist.
//!
//! The write rule: a temporary file in the same folder, written, synchronised, renamed over the target, and the
//! folder synchronised. After a stop at any point the target has its old content or its new content.
//!
//! Each system call that changes something is a [`Step`]. A [`Watch`] is asked before each one and may let it
//! fail or stop the disk for good, as a killed process would: that is how the tests walk every crash point.

mod draft;
mod error;
mod scan;
mod step;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use zeroize::Zeroizing;

pub use draft::Draft;
pub use error::DiskError;
pub use scan::DiskFinding;
pub use step::{Step, StepKind, Verdict, Watch};

use super::layout;

/// Owner reads and writes.
const FILE_MODE: Mode = Mode::from_raw_mode(0o600);
/// Owner reads, writes and enters.
const FOLDER_MODE: Mode = Mode::from_raw_mode(0o700);

/// The data folder. Clones share it; the lock is released when the last one is dropped.
#[derive(Clone)]
pub struct Disk(Arc<Inner>);

struct Inner {
    root: OwnedFd,
    path: PathBuf,
    /// Held while one operation changes the disk, so that two never share a temporary file.
    state: Mutex<State>,
    /// The locked `control/core.lock`; `None` for a disk that only reads.
    lock: Option<File>,
    /// As [`Disk::secrets_version`].
    secrets: Arc<AtomicU64>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is just being started holds a copy of it for a moment.
        let _ = self.lock.as_ref().map(File::unlock);
    }
}

struct State {
    watch: Option<Box<dyn Watch>>,
    stopped: bool,
    /// That of [`Inner`].
    secrets: Arc<AtomicU64>,
}

impl std::fmt::Debug for Disk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Disk").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl Disk {
    /// Opens the data folder for the one process that owns it: creates missing folders, takes the exclusive lock
    /// of `control/core.lock`, removes left-over temporary files and narrows modes that are too wide. What was
    /// repaired is returned, to be audited.
    ///
    /// # Errors
    /// Another process holds the lock, the folder holds a symbolic link, or the disk refuses.
    pub fn open(root: &Path) -> Result<(Disk, Vec<DiskFinding>), DiskError> {
        Disk::open_with(root, None)
    }

    /// [`Disk::open`] with a watch that is asked before every step.
    ///
    /// # Errors
    /// As [`Disk::open`], and what the watch decides.
    pub fn open_watched(root: &Path, watch: Box<dyn Watch>) -> Result<(Disk, Vec<DiskFinding>), DiskError> {
        Disk::open_with(root, Some(watch))
    }

    fn open_with(root: &Path, watch: Option<Box<dyn Watch>>) -> Result<(Disk, Vec<DiskFinding>), DiskError> {
        match std::fs::DirBuilder::new().mode(0o700).create(root) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                return Err(DiskError::io("create the folder", &root.display().to_string(), e));
            }
            _ => {}
        }
        let mut inner = Inner::at(root, watch)?;
        let (lock, findings) = {
            let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
            inner.make_folder(&mut state, layout::CONTROL)?;
            let lock = inner.take_lock(&mut state)?;
            for folder in layout::FOLDERS {
                inner.make_folder(&mut state, folder)?;
            }
            (lock, scan::repair(&inner, &mut state)?)
        };
        inner.lock = Some(lock);
        Ok((Disk(Arc::new(inner)), findings))
    }

    /// Opens an existing data folder for reading, beside the process that owns it. Every change is refused.
    ///
    /// # Errors
    /// The folder is missing or unreadable.
    pub fn read_only(root: &Path) -> Result<Disk, DiskError> {
        Ok(Disk(Arc::new(Inner::at(root, None)?)))
    }

    /// The data folder.
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// Reads a file of at most `limit` bytes; `None` if there is none.
    ///
    /// # Errors
    /// It is larger, no regular file, reached through a symbolic link, or unreadable.
    pub fn read(&self, path: &str, limit: usize) -> Result<Option<Zeroizing<Vec<u8>>>, DiskError> {
        let Some(file) = self.0.open_file(path)? else { return Ok(None) };
        let length = file.metadata().map_err(|e| DiskError::io("read", path, e))?.len();
        if length > limit as u64 {
            return Err(DiskError::TooLarge { path: path.to_string(), bytes: length, limit });
        }
        // With room for the whole file and one byte more nothing is moved, so no copy of a secret stays behind.
        let mut content = Zeroizing::new(Vec::with_capacity(length as usize + 1));
        file.take(limit as u64 + 1).read_to_end(&mut content).map_err(|e| DiskError::io("read", path, e))?;
        if content.len() > limit {
            return Err(DiskError::TooLarge { path: path.to_string(), bytes: content.len() as u64, limit });
        }
        Ok(Some(content))
    }

    /// Opens a file to be read in parts; `None` if there is none.
    ///
    /// # Errors
    /// As [`Disk::read`].
    pub fn open_to_read(&self, path: &str) -> Result<Option<File>, DiskError> {
        self.0.open_file(path)
    }

    /// Grows whenever a file of secrets or of a key may have become another through this disk: what was read from one
    /// can be kept as long as this stays.
    pub fn secrets_version(&self) -> u64 {
        self.0.secrets.load(Ordering::Acquire)
    }

    /// Whether there is a file of that name.
    ///
    /// # Errors
    /// As [`Disk::read`].
    pub fn exists(&self, path: &str) -> Result<bool, DiskError> {
        Ok(self.0.open_file(path)?.is_some())
    }

    /// The length of a file in bytes; `None` if there is none.
    ///
    /// # Errors
    /// As [`Disk::read`].
    pub fn length(&self, path: &str) -> Result<Option<u64>, DiskError> {
        let Some(file) = self.0.open_file(path)? else { return Ok(None) };
        Ok(Some(file.metadata().map_err(|e| DiskError::io("read", path, e))?.len()))
    }

    /// The names of the regular files of a folder in order, without temporary ones. A missing folder has none.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn list(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.list_of(folder, FileType::RegularFile)
    }

    /// The names of the folders in a folder, sorted; empty if it does not exist.
    ///
    /// # Errors
    /// As [`Disk::list`].
    pub fn list_folders(&self, folder: &str) -> Result<Vec<String>, DiskError> {
        self.list_of(folder, FileType::Directory)
    }

    fn list_of(&self, folder: &str, wanted: FileType) -> Result<Vec<String>, DiskError> {
        let fd = match self.0.folder(folder) {
            Err(DiskError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut names: Vec<String> = scan::entries(fd.as_fd(), folder)?
            .into_iter()
            .filter(|(name, kind)| *kind == wanted && !scan::is_temporary(name))
            .map(|(name, _)| name)
            .collect();
        names.sort();
        Ok(names)
    }

    /// Replaces a file by the write rule.
    ///
    /// # Errors
    /// The disk refused. The file then has its old content or the new one, never a part.
    pub fn write(&self, path: &str, content: &[u8]) -> Result<(), DiskError> {
        let mut state = self.0.state(path)?;
        let (folder, name) = self.0.parent(path)?;
        let temporary = scan::temporary_name(name);
        let written = write_temporary(&mut state, folder.as_fd(), &temporary, path, content).and_then(|()| {
            state.step(StepKind::Rename, path)?;
            rustix::fs::renameat(&folder, temporary.as_str(), &folder, name)
                .map_err(|e| DiskError::io("replace", path, e.into()))
        });
        if let Err(error) = written {
            // What cannot be removed now is removed at the next start.
            if state.step(StepKind::Remove, path).is_ok() {
                let _ = rustix::fs::unlinkat(&folder, temporary.as_str(), AtFlags::empty());
            }
            return Err(error);
        }
        state.step(StepKind::SyncFolder, path)?;
        rustix::fs::fsync(&folder).map_err(|e| DiskError::io("synchronise the folder of", path, e.into()))
    }

    /// Appends to a file, creating it if missing, and synchronises it.
    ///
    /// # Errors
    /// The disk refused. The file is then cut back to its old length; where even that fails, or after a stop, its
    /// end may hold a part of `content`.
    pub fn append(&self, path: &str, content: &[u8]) -> Result<(), DiskError> {
        let mut state = self.0.state(path)?;
        let (folder, name) = self.0.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let (mut file, created) = match rustix::fs::openat(&folder, name, flags, Mode::empty()) {
            Ok(fd) => (File::from(fd), false),
            Err(rustix::io::Errno::NOENT) => {
                state.step(StepKind::Create, path)?;
                let fd = rustix::fs::openat(&folder, name, flags | OFlags::CREATE | OFlags::EXCL, FILE_MODE);
                (File::from(fd.map_err(|e| DiskError::io("create", path, e.into()))?), true)
            }
            Err(rustix::io::Errno::LOOP) => return Err(DiskError::SymbolicLink { path: path.to_string() }),
            Err(e) => return Err(DiskError::io("append to", path, e.into())),
        };
        let metadata = file.metadata().map_err(|e| DiskError::io("append to", path, e))?;
        if !metadata.is_file() {
            return Err(DiskError::NotAFile { path: path.to_string() });
        }
        let appended = state.write(StepKind::Append, &mut file, path, content).and_then(|()| {
            state.step(StepKind::SyncFile, path)?;
            file.sync_all().map_err(|e| DiskError::io("synchronise", path, e))
        });
        if let Err(error) = appended {
            if state.step(StepKind::Truncate, path).is_ok() {
                let _ = file.set_len(metadata.len());
            }
            return Err(error);
        }
        if created {
            state.step(StepKind::SyncFolder, path)?;
            rustix::fs::fsync(&folder).map_err(|e| DiskError::io("synchronise the folder of", path, e.into()))?;
        }
        Ok(())
    }

    /// Cuts a file to `length` bytes.
    ///
    /// # Errors
    /// There is none, or the disk refused.
    pub fn truncate(&self, path: &str, length: u64) -> Result<(), DiskError> {
        let mut state = self.0.state(path)?;
        let (folder, name) = self.0.parent(path)?;
        let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let fd = rustix::fs::openat(&folder, name, flags, Mode::empty())
            .map_err(|e| DiskError::io("cut", path, e.into()))?;
        state.step(StepKind::Truncate, path)?;
        rustix::fs::ftruncate(&fd, length).map_err(|e| DiskError::io("cut", path, e.into()))?;
        state.step(StepKind::SyncFile, path)?;
        rustix::fs::fsync(&fd).map_err(|e| DiskError::io("synchronise", path, e.into()))
    }

    /// Removes a file; one that is not there counts as removed.
    ///
    /// # Errors
    /// The disk refused.
    pub fn remove(&self, path: &str) -> Result<(), DiskError> {
        let mut state = self.0.state(path)?;
        let (folder, name) = self.0.parent(path)?;
        state.step(StepKind::Remove, path)?;
        match rustix::fs::unlinkat(&folder, name, AtFlags::empty()) {
            Ok(()) => {}
            Err(rustix::io::Errno::NOENT) => return Ok(()),
            Err(e) => return Err(DiskError::io("remove", path, e.into())),
        }
        state.step(StepKind::SyncFolder, path)?;
        rustix::fs::fsync(&folder).map_err(|e| DiskError::io("synchronise the folder of", path, e.into()))
    }

    /// Renames a file inside the data folder. A file of the new name is replaced.
    ///
    /// # Errors
    /// There is none, or the disk refused.
    pub fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        let mut state = self.0.state(from)?;
        let (old_folder, old_name) = self.0.parent(from)?;
        let (new_folder, new_name) = self.0.parent(to)?;
        state.step(StepKind::Rename, to)?;
        rustix::fs::renameat(&old_folder, old_name, &new_folder, new_name)
            .map_err(|e| DiskError::io("rename", from, e.into()))?;
        state.step(StepKind::SyncFolder, to)?;
        rustix::fs::fsync(&new_folder).map_err(|e| DiskError::io("synchronise the folder of", to, e.into()))?;
        rustix::fs::fsync(&old_folder).map_err(|e| DiskError::io("synchronise the folder of", from, e.into()))
    }

    /// Creates a folder and its parents; one that is there is left as it is.
    ///
    /// # Errors
    /// The disk refused.
    pub fn make_folder(&self, path: &str) -> Result<(), DiskError> {
        let mut state = self.0.state(path)?;
        self.0.make_folder(&mut state, path)
    }

    /// Looks for modes that are too wide, without changing anything.
    ///
    /// # Errors
    /// There is a symbolic link, or something cannot be read.
    pub fn examine(&self) -> Result<Vec<DiskFinding>, DiskError> {
        scan::examine(&self.0)
    }
}

impl Inner {
    fn at(root: &Path, watch: Option<Box<dyn Watch>>) -> Result<Inner, DiskError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::open(root, flags, Mode::empty())
            .map_err(|e| DiskError::io("open the data folder", &root.display().to_string(), e.into()))?;
        let secrets = Arc::<AtomicU64>::default();
        let state = Mutex::new(State { watch, stopped: false, secrets: Arc::clone(&secrets) });
        Ok(Inner { root: fd, path: root.to_path_buf(), state, lock: None, secrets })
    }

    /// The right to change the disk, for one operation.
    fn state(&self, path: &str) -> Result<MutexGuard<'_, State>, DiskError> {
        if self.lock.is_none() {
            return Err(DiskError::ReadOnly { path: path.to_string() });
        }
        Ok(self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take_lock(&self, state: &mut State) -> Result<File, DiskError> {
        let path = layout::LOCK;
        let (folder, name) = self.parent(path)?;
        state.step(StepKind::Create, path)?;
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = match rustix::fs::openat(&folder, name, flags, FILE_MODE) {
            Ok(fd) => File::from(fd),
            Err(rustix::io::Errno::LOOP) => return Err(DiskError::SymbolicLink { path: path.to_string() }),
            Err(e) => return Err(DiskError::io("create", path, e.into())),
        };
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(std::fs::TryLockError::WouldBlock) => Err(DiskError::Locked { folder: self.path.clone() }),
            Err(std::fs::TryLockError::Error(e)) => Err(DiskError::io("lock", path, e)),
        }
    }

    /// Walks to a folder without following symbolic links.
    fn folder(&self, path: &str) -> Result<OwnedFd, DiskError> {
        let mut fd = self.root.try_clone().map_err(|e| DiskError::io("open", path, e))?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            fd = enter(fd.as_fd(), name, path)?;
        }
        Ok(fd)
    }

    /// The folder of a file and its name in it.
    fn parent<'p>(&self, path: &'p str) -> Result<(OwnedFd, &'p str), DiskError> {
        let plain = |name: &str| !name.is_empty() && name != "." && name != ".." && !name.contains('\0');
        if !path.split('/').all(plain) {
            return Err(DiskError::Path { path: path.to_string() });
        }
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        Ok((self.folder(folder)?, name))
    }

    fn open_file(&self, path: &str) -> Result<Option<File>, DiskError> {
        let opened = self.parent(path).and_then(|(folder, name)| {
            let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
            rustix::fs::openat(&folder, name, flags, Mode::empty()).map_err(|e| match e {
                rustix::io::Errno::LOOP => DiskError::SymbolicLink { path: path.to_string() },
                e => DiskError::io("open", path, e.into()),
            })
        });
        let file = match opened {
            Ok(fd) => File::from(fd),
            Err(DiskError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let metadata = file.metadata().map_err(|e| DiskError::io("read", path, e))?;
        if !metadata.is_file() {
            return Err(DiskError::NotAFile { path: path.to_string() });
        }
        Ok(Some(file))
    }

    fn make_folder(&self, state: &mut State, path: &str) -> Result<(), DiskError> {
        let mut fd = self.root.try_clone().map_err(|e| DiskError::io("open", path, e))?;
        for name in path.split('/').filter(|name| !name.is_empty()) {
            fd = match enter(fd.as_fd(), name, path) {
                Err(DiskError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                    state.step(StepKind::CreateFolder, path)?;
                    rustix::fs::mkdirat(&fd, name, FOLDER_MODE)
                        .map_err(|e| DiskError::io("create the folder", path, e.into()))?;
                    state.step(StepKind::SyncFolder, path)?;
                    rustix::fs::fsync(&fd).map_err(|e| DiskError::io("synchronise the folder of", path, e.into()))?;
                    enter(fd.as_fd(), name, path)?
                }
                other => other?,
            };
        }
        Ok(())
    }
}

/// Writes and synchronises the file that will take the place of `path`.
fn write_temporary(
    state: &mut State,
    folder: BorrowedFd<'_>,
    temporary: &str,
    path: &str,
    content: &[u8],
) -> Result<(), DiskError> {
    state.step(StepKind::Create, path)?;
    // One that an earlier failure left behind is in the way of creating a new one.
    match rustix::fs::unlinkat(folder, temporary, AtFlags::empty()) {
        Ok(()) | Err(rustix::io::Errno::NOENT) => {}
        Err(e) => return Err(DiskError::io("write", path, e.into())),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd =
        rustix::fs::openat(folder, temporary, flags, FILE_MODE).map_err(|e| DiskError::io("write", path, e.into()))?;
    let mut file = File::from(fd);
    state.write(StepKind::Write, &mut file, path, content)?;
    state.step(StepKind::SyncFile, path)?;
    file.sync_all().map_err(|e| DiskError::io("synchronise", path, e))
}

impl State {
    /// Asks the watch whether the next change may happen.
    fn step(&mut self, kind: StepKind, path: &str) -> Result<(), DiskError> {
        // This step follows on a file's having become another, or having gone.
        if kind == StepKind::SyncFolder && layout::is_secret(path) {
            self.secrets.fetch_add(1, Ordering::Release);
        }
        if self.stopped {
            return Err(DiskError::Stopped);
        }
        let Some(watch) = &mut self.watch else { return Ok(()) };
        match watch.before(Step { kind, path }) {
            Verdict::Go => Ok(()),
            Verdict::Fail(error) => Err(DiskError::io(kind.verb(), path, error)),
            Verdict::Stop => {
                self.stopped = true;
                Err(DiskError::Stopped)
            }
        }
    }

    /// Writes `content`; where the watch objects, half of it, as a full disk or a kill would.
    fn write(&mut self, kind: StepKind, file: &mut File, path: &str, content: &[u8]) -> Result<(), DiskError> {
        let allowed = self.step(kind, path);
        let part = if allowed.is_ok() { content } else { &content[..content.len() / 2] };
        let written = file.write_all(part).map_err(|e| DiskError::io(kind.verb(), path, e));
        allowed.and(written)
    }
}

/// Opens a folder inside another one.
fn enter(folder: BorrowedFd<'_>, name: &str, path: &str) -> Result<OwnedFd, DiskError> {
    if name == "." || name == ".." || name.contains('\0') {
        return Err(DiskError::Path { path: path.to_string() });
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, name, flags, Mode::empty()).map_err(|e| {
        let link = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
            .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Symlink);
        if link {
            return DiskError::SymbolicLink { path: path.to_string() };
        }
        DiskError::io("open the folder of", path, e.into())
    })
}
