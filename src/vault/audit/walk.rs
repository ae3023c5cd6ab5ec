//! Reading the log from its first line to its last, with every MAC checked.

use std::io::{self, BufRead, Read};

use super::Action;
use super::chain::{ChainKey, Mac};
use super::entry::{MOST_LINE, StoredEntry};
use super::head::Head;

/// Every so many entries the place of one is remembered, so that a page is found without reading what is before it.
pub(super) const STRIDE: u64 = 256;

/// What a walk found.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    /// Good entries.
    pub(super) entries: u64,
    /// Where the last good line ends, in bytes.
    pub(super) end: u64,
    /// Which of the keys the lines are under; `None` if there is none.
    pub(super) key: Option<usize>,
    /// The MAC of the last good entry under each key.
    pub(super) macs: Vec<Mac>,
    /// Whether the head names one of these entries (or the beginning).
    pub(super) head_fits: bool,
    /// The action of the last good entry.
    pub(super) last_action: String,
    /// The break that this log began after, if any.
    pub(super) origin: Option<Origin>,
    /// Where every [`STRIDE`]th entry begins, from the first.
    pub(super) index: Vec<u64>,
    /// The first line that is wrong.
    pub(super) flaw: Option<&'static str>,
    /// Bytes after the last good line that have no newline.
    pub(super) partial: u64,
}

/// What an `audit.broken` entry at the beginning of a log says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) first_bad_seq: u64,
    pub(super) reason: String,
}

/// A line of the file.
pub(super) enum Line {
    /// With its newline cut off.
    Full,
    /// The end of the file, after this many bytes without a newline.
    Partial(u64),
    /// Longer than any entry.
    TooLong,
    /// The end of the file.
    End,
}

/// Reads the next line into `buffer`.
pub(super) fn next_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let read = reader.take(MOST_LINE as u64 + 1).read_until(b'\n', buffer)?;
    Ok(match buffer.pop() {
        None => Line::End,
        Some(b'\n') => Line::Full,
        Some(_) if read > MOST_LINE => Line::TooLong,
        Some(_) => Line::Partial(read as u64),
    })
}

/// The MAC and the JSON of a line.
pub(super) fn split(line: &[u8]) -> Option<(Mac, &[u8])> {
    let (mac, json) = line.split_at_checked(64)?;
    Some((Mac::parse(mac)?, json.strip_prefix(b" ")?))
}

/// Walks the log as far as it is good, or to entry `until`.
///
/// The chain is computed under every key, because a rotation that was stopped leaves log and head under different
/// ones: then the head must name an entry of this very chain under the other key.
pub(super) fn walk(mut reader: impl BufRead, keys: &[ChainKey], head: &Head, until: u64) -> io::Result<Walk> {
    let mut walk = Walk {
        entries: 0,
        end: 0,
        key: None,
        macs: vec![Mac::ZERO; keys.len()],
        head_fits: head.seq == 0 && head.mac == Mac::ZERO,
        last_action: String::new(),
        origin: None,
        index: Vec::new(),
        flaw: None,
        partial: 0,
    };
    let mut buffer = Vec::new();
    while walk.entries < until {
        match next_line(&mut reader, &mut buffer)? {
            Line::End => break,
            Line::Partial(bytes) => {
                walk.partial = bytes;
                break;
            }
            Line::TooLong => {
                walk.flaw = Some("a line is longer than any entry");
                break;
            }
            Line::Full => {
                if let Err(flaw) = walk.accept(&buffer, keys, head) {
                    walk.flaw = Some(flaw);
                    break;
                }
            }
        }
    }
    Ok(walk)
}

impl Walk {
    fn accept(&mut self, line: &[u8], keys: &[ChainKey], head: &Head) -> Result<(), &'static str> {
        let (mac, json) = split(line).ok_or("a line is not a MAC and an entry")?;
        let macs: Vec<Mac> = keys.iter().zip(&self.macs).map(|(key, previous)| key.mac(previous, json)).collect();
        let key = macs.iter().position(|candidate| *candidate == mac).ok_or("a MAC is wrong")?;
        if self.key.is_some_and(|before| before != key) {
            return Err("the key changes within the log");
        }
        let entry: StoredEntry = serde_json::from_slice(json).map_err(|_| "an entry is not JSON of its fields")?;
        if entry.seq != self.entries + 1 {
            return Err("an entry has the wrong number");
        }
        if entry.seq % STRIDE == 1 {
            self.index.push(self.end);
        }
        if entry.seq == 1 && entry.action == Action::AuditBroken.word() {
            self.origin = Some(Origin {
                first_bad_seq: entry.detail["first_bad_seq"].as_u64().unwrap_or(1),
                reason: entry.detail["reason"].as_str().unwrap_or_default().to_string(),
            });
        }
        self.head_fits |= entry.seq == head.seq && macs.contains(&head.mac);
        self.entries = entry.seq;
        self.end += line.len() as u64 + 1;
        self.key = Some(key);
        self.macs = macs;
        self.last_action = entry.action;
        Ok(())
    }

    /// Why this log and its head do not belong together, with the first entry that is wrong. A log may be one entry
    /// ahead: the writer was stopped between the two.
    pub(super) fn fault(&self, head: &Head) -> Option<(u64, &'static str)> {
        if let Some(flaw) = self.flaw {
            return Some((self.entries + 1, flaw));
        }
        if self.entries < head.seq {
            return Some((self.entries + 1, "entries are missing at the end"));
        }
        if !self.head_fits {
            return Some((head.seq.max(1), "the last entry is not the one that the head names"));
        }
        if self.entries > head.seq + 1 {
            return Some((head.seq + 2, "there are entries beyond the head"));
        }
        None
    }
}
