//! `logs/broker_api.log`: every request to the broker and every answer, one JSON object a line, without secrets.
//!
//! The adapter's tasks never wait for the disk: lines pass through a bounded channel to a thread that writes them. Those
//! that come faster than that, or that the disk refuses, are lost, counted, and the log says how many:
//! `{"time":"...","lost_lines":3}`.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use serde_json::json;

use crate::brokers::{ApiLine, ApiLog};
use crate::live::priority::{BESIDE_TRADING, give_way};
use crate::runtime::logs::{LogBook, LogName};

/// Lines that may wait to be written; each has at most some 16 KiB.
const MOST_WAITING: usize = 4_096;
/// Lines are written together up to so many bytes.
const MOST_AT_ONCE: usize = 64 * 1024;

/// How many lines were lost.
#[derive(Debug, Default)]
struct Lost {
    /// Since the start.
    total: AtomicU64,
    /// Of those, how many the log does not mention yet.
    unsaid: AtomicU64,
}

impl Lost {
    fn add(&self, count: u64) {
        self.total.fetch_add(count, Ordering::Relaxed);
        self.unsaid.fetch_add(count, Ordering::Relaxed);
    }
}

/// The log as the adapter sees it. The thread ends, when all is written, after the last one that holds this is gone.
#[derive(Debug)]
pub struct ApiLogFile {
    lines: SyncSender<ApiLine>,
    lost: Arc<Lost>,
}

impl ApiLogFile {
    /// Begins the thread that writes into `book`.
    ///
    /// # Errors
    /// The system gives no thread.
    pub fn begin(book: Arc<LogBook>) -> io::Result<ApiLogFile> {
        let (log, lines) = ApiLogFile::with_room(MOST_WAITING);
        let lost = Arc::clone(&log.lost);
        let thread = std::thread::Builder::new().name("broker log".to_string());
        thread.spawn(move || {
            give_way(BESIDE_TRADING);
            write_all(&lines, &book, &lost);
        })?;
        Ok(log)
    }

    fn with_room(most: usize) -> (ApiLogFile, Receiver<ApiLine>) {
        let (lines, taken) = sync_channel(most);
        (ApiLogFile { lines, lost: Arc::default() }, taken)
    }

    /// How many lines were lost since the start.
    pub fn lost(&self) -> u64 {
        self.lost.total.load(Ordering::Relaxed)
    }
}

impl ApiLog for ApiLogFile {
    fn record(&self, line: &ApiLine) {
        if self.lines.try_send(line.clone()).is_err() {
            self.lost.add(1);
        }
    }
}

/// Writes lines until nobody can send any more.
fn write_all(lines: &Receiver<ApiLine>, book: &LogBook, lost: &Lost) {
    while let Ok(first) = lines.recv() {
        let mut text = String::new();
        let mut count = 0;
        let mut time = String::new();
        let mut next = Some(first);
        while let Some(line) = next {
            text.push_str(&line.to_json());
            text.push('\n');
            count += 1;
            time = line.time;
            next = if text.len() < MOST_AT_ONCE { lines.try_recv().ok() } else { None };
        }
        // A line is lost while the channel is full, so another round follows after a loss that this one does not see.
        let unsaid = lost.unsaid.swap(0, Ordering::Relaxed);
        if unsaid > 0 {
            text.push_str(&format!("{}\n", json!({ "time": time, "lost_lines": unsaid })));
        }
        if !book.write_lines(LogName::BrokerApi, &text) {
            lost.add(count);
            // Told again when the disk takes it.
            lost.unsaid.fetch_add(unsaid, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brokers::Direction;
    use serde_json::Value;
    use std::os::unix::fs::PermissionsExt;

    fn line(call: u64) -> ApiLine {
        ApiLine {
            time: "2026-01-05T15:00:00.000000000Z".into(),
            broker: "ALPACA",
            direction: Direction::Request,
            call,
            attempt: 0,
            what: "GET /v2/clock".into(),
            status: None,
            took_ms: None,
            body: String::new().into(),
        }
    }

    fn read(folder: &tempfile::TempDir) -> Vec<Value> {
        let text = std::fs::read_to_string(folder.path().join("logs/broker_api.log")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn what_comes_faster_than_it_can_be_written_is_counted_and_the_log_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let book = LogBook::new(folder.path());
        let (log, lines) = ApiLogFile::with_room(2);
        let lost = Arc::clone(&log.lost);
        (1..=5).for_each(|call| log.record(&line(call)));
        assert_eq!(log.lost(), 3);
        drop(log);
        write_all(&lines, &book, &lost);
        let written = read(&folder);
        assert_eq!(
            (&written[0]["call"], &written[1]["call"], &written[2]["lost_lines"]),
            (&1.into(), &2.into(), &3.into())
        );
        assert_eq!(written.len(), 3);
        let mode = std::fs::metadata(folder.path().join("logs/broker_api.log")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn lines_that_the_disk_refuses_are_counted_and_told_of_when_it_takes_them() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("logs"), "no folder").unwrap();
        let book = LogBook::new(folder.path());
        let (log, lines) = ApiLogFile::with_room(10);
        let lost = Arc::clone(&log.lost);
        log.record(&line(1));
        log.record(&line(2));
        drop(log);
        write_all(&lines, &book, &lost);
        assert_eq!(lost.total.load(Ordering::Relaxed), 2);
        std::fs::remove_file(folder.path().join("logs")).unwrap();
        let (log, lines) = ApiLogFile::with_room(10);
        log.record(&line(3));
        drop(log);
        write_all(&lines, &book, &lost);
        let written = read(&folder);
        assert_eq!((&written[0]["call"], &written[1]["lost_lines"]), (&3.into(), &2.into()));
    }
}
