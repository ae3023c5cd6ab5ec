//! Writing a journal.

use super::read::{Contents, read};
use super::{JournalError, MAX_JOURNAL, MAX_RECORD, Record, SEED, checksum};
use crate::session::input::Input;
use crate::session::plan::{HistoryChunk, Plan};
use rustix::fs::OFlags;
use std::fs::{File, TryLockError};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// A journal in which nothing was written for so long is quiet.
const QUIET: Duration = Duration::from_millis(10);
/// So many times quiet is waited for: with the wait before it, what was written is on the disk within 100 ms.
const MOST_QUIETS: u32 = 8;

/// A journal that is written to. One process at a time has it.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    number: u64,
    checksum: String,
    length: u64,
    lines: Vec<u8>,
    /// A write failed: the end of the file is not known, and nothing more is appended.
    failed: bool,
    sync: Sync,
}

impl Journal {
    /// A new journal, for its owner alone. The plan and the history are its first records.
    ///
    /// # Errors
    /// The file is there already, or cannot be written.
    pub fn create(path: &Path, plan: &Plan, history: &[HistoryChunk]) -> Result<Journal, JournalError> {
        let io = |error| JournalError::File { path: path.to_path_buf(), error };
        let mut options = File::options();
        options.append(true).read(true).create_new(true).mode(0o600);
        let file = options.custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path).map_err(io)?;
        let mut journal = Journal::on(path, file, 0, SEED.to_string(), 0)?;
        journal.append(&Record::Plan(Box::new(plan.clone())))?;
        for chunk in history {
            journal.append(&Record::History(chunk.clone()))?;
        }
        journal.file.sync_all().map_err(io)?;
        if let Some(folder) = path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(io)?;
        }
        Ok(journal)
    }

    /// Opens a journal to go on with it, and gives back what is in it. A torn last record is cut off, and a note
    /// says so.
    ///
    /// # Errors
    /// Another process has it; it cannot be read as [`read`] tells.
    pub fn open(path: &Path) -> Result<(Journal, Contents), JournalError> {
        let io = |error| JournalError::File { path: path.to_path_buf(), error };
        let mut options = File::options();
        options.append(true).read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32);
        let file = options.open(path).map_err(io)?;
        lock(path, &file)?;
        let contents = read(path)?;
        if contents.torn > 0 {
            file.set_len(contents.length).map_err(io)?;
            file.sync_all().map_err(io)?;
        }
        let records = contents.records.len() as u64;
        let mut journal = Journal::on(path, file, records, contents.checksum.clone(), contents.length)?;
        if contents.torn > 0 {
            let text = format!("the last record was torn: {} bytes were cut off", contents.torn);
            journal.append(&Record::Note(text))?;
        }
        Ok((journal, contents))
    }

    fn on(path: &Path, file: File, number: u64, checksum: String, length: u64) -> Result<Journal, JournalError> {
        lock(path, &file)?;
        let io = |error| JournalError::File { path: path.to_path_buf(), error };
        let sync = Sync::start(file.try_clone().map_err(io)?).map_err(io)?;
        Ok(Journal { path: path.to_path_buf(), file, number, checksum, length, lines: Vec::new(), failed: false, sync })
    }

    /// Appends an input. When it returns, the input survives the death of the process.
    ///
    /// # Errors
    /// As [`Journal::append`].
    pub fn input(&mut self, input: &Input) -> Result<(), JournalError> {
        self.append(&Record::In(input.clone()))
    }

    /// Appends a record.
    ///
    /// # Errors
    /// A record that is too long changes nothing. After a failed write nothing more is appended: the session must
    /// not act on what it could not write down.
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        self.append_all(std::slice::from_ref(record))
    }

    /// Appends records in their order, with one write.
    ///
    /// # Errors
    /// As [`Journal::append`]; none of them counts as written then, though the first of them may be in the file.
    pub fn append_all(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let io = |error| JournalError::File { path: self.path.clone(), error };
        if self.failed {
            return Err(io(std::io::Error::other("an earlier record could not be written")));
        }
        if let Some(error) = self.sync.take_error() {
            self.failed = true;
            return Err(io(error));
        }
        let (mut number, mut sum) = (self.number, self.checksum.clone());
        self.lines.clear();
        for record in records {
            let json = serde_json::to_string(record).map_err(|error| io(error.into()))?;
            if json.len() > MAX_RECORD {
                return Err(JournalError::TooLong { found: json.len() });
            }
            sum = checksum(&sum, number, &json);
            writeln!(self.lines, "{number} {sum} {json}").map_err(io)?;
            number += 1;
        }
        if self.length + self.lines.len() as u64 > MAX_JOURNAL {
            return Err(JournalError::Full { path: self.path.clone() });
        }
        // One call: write(2) of a regular file takes all of it or reports an error.
        if let Err(error) = self.file.write_all(&self.lines) {
            self.failed = true;
            return Err(io(error));
        }
        self.length += self.lines.len() as u64;
        (self.number, self.checksum) = (number, sum);
        self.sync.request();
        Ok(())
    }

    /// Number of the next record.
    pub fn next_record(&self) -> u64 {
        self.number
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Brings everything to the disk now.
    ///
    /// # Errors
    /// What the system answers.
    pub fn sync(&mut self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(|error| JournalError::File { path: self.path.clone(), error })
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Closing the file is not enough: a process that is just being started holds a copy of it for a moment.
        let _ = self.file.unlock();
    }
}

/// A lock that ends with the process. Taking it twice through one open file is taking it once.
fn lock(path: &Path, file: &File) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked { path: path.to_path_buf() }),
        Err(TryLockError::Error(error)) => Err(JournalError::File { path: path.to_path_buf(), error }),
    }
}

/// The thread that brings records to the disk, so that a session does not wait for it.
#[derive(Debug)]
struct Sync {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    wanted: AtomicBool,
    writes: AtomicU64,
    ends: AtomicBool,
    error: Mutex<Option<std::io::Error>>,
    has_error: AtomicBool,
}

impl Shared {
    /// A write waits for a sync that is under way, and the bars of a minute come together with the orders that follow
    /// from them: waits until nothing was written for a moment, but not for long.
    fn wait_for_quiet(&self) {
        let mut before = self.writes.load(Ordering::Relaxed);
        for _ in 0..MOST_QUIETS {
            std::thread::park_timeout(QUIET);
            let now = self.writes.load(Ordering::Relaxed);
            if now == before || self.ends.load(Ordering::Acquire) {
                return;
            }
            before = now;
        }
    }
}

impl Sync {
    fn start(file: File) -> std::io::Result<Sync> {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("journal-sync".to_string()).spawn(move || {
            loop {
                let ends = of_thread.ends.load(Ordering::Acquire);
                let is_wanted = of_thread.wanted.swap(false, Ordering::AcqRel);
                if is_wanted && !ends {
                    of_thread.wait_for_quiet();
                }
                if is_wanted && let Err(error) = file.sync_data() {
                    *of_thread.error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    of_thread.has_error.store(true, Ordering::Release);
                }
                if ends {
                    return;
                }
                std::thread::park_timeout(QUIET);
            }
        })?;
        Ok(Sync { shared, thread: Some(thread) })
    }

    fn request(&self) {
        self.shared.writes.fetch_add(1, Ordering::Relaxed);
        self.shared.wanted.store(true, Ordering::Release);
    }

    fn take_error(&self) -> Option<std::io::Error> {
        if !self.shared.has_error.swap(false, Ordering::AcqRel) {
            return None;
        }
        self.shared.error.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Sync {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // A panic of the thread has nothing to tell that `error` does not.
            let _ = thread.join();
        }
    }
}
