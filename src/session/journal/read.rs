//! Reading a journal.

use super::{JournalError, MAX_RECORD, Record, SEED, checksum};
use crate::session::plan::{HistoryChunk, Plan};
use rustix::fs::OFlags;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// What a journal holds.
#[derive(Debug)]
pub struct Contents {
    pub records: Vec<Record>,
    /// Checksum of the last record.
    pub checksum: String,
    /// Bytes of whole records.
    pub length: u64,
    /// Bytes of a torn record behind them.
    pub torn: u64,
}

impl Contents {
    /// The plan and the history, and the number of the first record after them.
    ///
    /// # Errors
    /// Records that do not begin with a plan.
    pub fn beginning(&self, path: &Path) -> Result<(Plan, Vec<HistoryChunk>, usize), JournalError> {
        let Some(Record::Plan(plan)) = self.records.first() else {
            let reason = "its first record is no plan".to_string();
            return Err(JournalError::NotAJournal { path: path.to_path_buf(), reason });
        };
        let chunk = |record: &Record| match record {
            Record::History(chunk) => Some(chunk.clone()),
            _ => None,
        };
        let history: Vec<HistoryChunk> = self.records[1..].iter().map_while(chunk).collect();
        let first = 1 + history.len();
        Ok((plan.as_ref().clone(), history, first))
    }
}

/// Reads a journal and checks every record. A last line without its end is torn and left out.
///
/// # Errors
/// A file that cannot be read; the first record with a wrong number, checksum or content, by its number.
pub fn read(path: &Path) -> Result<Contents, JournalError> {
    let io = |error| JournalError::File { path: path.to_path_buf(), error };
    let mut options = File::options();
    let file = options.read(true).custom_flags(OFlags::NOFOLLOW.bits() as i32).open(path).map_err(io)?;
    let mut reader = BufReader::with_capacity(1 << 16, file);
    let mut contents = Contents { records: Vec::new(), checksum: SEED.to_string(), length: 0, torn: 0 };
    let mut line = Vec::new();
    loop {
        let number = contents.records.len() as u64;
        let wrong = |reason: String| JournalError::Record {
            path: path.to_path_buf(),
            record: number,
            offset: contents.length,
            reason,
        };
        line.clear();
        // A number and a checksum of at most 40 bytes stand before the JSON.
        let most = MAX_RECORD as u64 + 64;
        let read = reader.by_ref().take(most).read_until(b'\n', &mut line).map_err(io)?;
        if read == 0 {
            break;
        }
        if line.pop_if(|byte| *byte == b'\n').is_none() {
            if read as u64 == most {
                return Err(wrong(format!("a line of more than {most} bytes")));
            }
            contents.torn = read as u64;
            break;
        }
        let text = std::str::from_utf8(&line).map_err(|_| wrong("not UTF-8".to_string()))?;
        let mut parts = text.splitn(3, ' ');
        let (Some(found), Some(sum), Some(json)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(wrong("expected a number, a checksum and JSON, separated by blanks".to_string()));
        };
        if found != number.to_string() {
            let found: String = found.chars().take(30).collect();
            return Err(wrong(format!("its number is {found:?}")));
        }
        let expected = checksum(&contents.checksum, number, json);
        if sum != expected {
            let sum: String = sum.chars().take(30).collect();
            return Err(wrong(format!("its checksum is {sum:?}, but its content has {expected:?}")));
        }
        let record = serde_json::from_str(json).map_err(|error| wrong(error.to_string()))?;
        contents.records.push(record);
        contents.checksum = expected;
        contents.length += read as u64;
    }
    if contents.records.is_empty() {
        let reason = if contents.torn == 0 { "it is empty" } else { "it has no whole record" };
        return Err(JournalError::NotAJournal { path: path.to_path_buf(), reason: reason.to_string() });
    }
    Ok(contents)
}
