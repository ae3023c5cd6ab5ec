//! What the rest of the program uses: entries that wait, proofs, pages and verification.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::io;

use serde_json::json;

use super::super::audit_sink::{Actor, AuditEvent, AuditSink, AuditUnavailable};
use super::super::disk::Disk;
use super::super::key::KeyLines;
use super::chain::ChainKey;
use super::entry::StoredEntry;
use super::head::{Head, HeadFound};
use super::log::{self, AuditError, Live, Log};
use super::{Action, Entry, walk};
use crate::market::Nanos;

/// Most entries that wait for the log.
pub const MOST_WAITING: usize = 1_000;
/// Most entries of a page.
const MOST_OF_A_PAGE: u64 = 1_000;

/// Proof that an entry is on the disk. One entry, one deed: it cannot be copied, and a deed takes it.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the entry was written for something that is to be done now"]
pub struct Recorded {
    seq: u64,
    action: Cow<'static, str>,
}

impl Recorded {
    /// The number of the entry.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Whether the entry is about `action`.
    pub fn is(&self, action: Action) -> bool {
        self.action == action.word()
    }
}

/// A part of the log, the newest entry first.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The entries.
    pub entries: Vec<StoredEntry>,
    /// How many the log has.
    pub total: u64,
}

/// Whether the log is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Whether nothing was ever found wrong with it.
    pub ok: bool,
    /// Good entries of the current log.
    pub entries: u64,
    /// The first entry that is wrong or missing, of this log or of the one that was set aside before it.
    pub first_bad_seq: Option<u64>,
    /// What is wrong with it.
    pub reason: Option<String>,
}

/// The audit log of a data folder.
pub struct Audit {
    disk: Disk,
    log: Option<Log>,
    waiting: VecDeque<Entry>,
    pub(super) most_waiting: usize,
    lost: u64,
}

impl Audit {
    /// Before `audit.key` exists: entries wait in memory.
    pub fn before_keys(disk: Disk) -> Audit {
        Audit { disk, log: None, waiting: VecDeque::new(), most_waiting: MOST_WAITING, lost: 0 }
    }

    /// Under the keys of `audit.key`. `must_exist`: whether entries have been written before, so that a missing log
    /// is a broken one. Nothing is read yet; [`Audit::settle`] does that, or the first entry.
    pub fn open(disk: Disk, keys: &KeyLines, must_exist: bool) -> Audit {
        Audit { log: Some(Log::new(disk.clone(), keys, must_exist)), ..Audit::before_keys(disk) }
    }

    /// The key was made just now: begins the log and writes what waited.
    ///
    /// # Errors
    /// The log cannot be written; entries go on waiting.
    pub fn begin(&mut self, keys: &KeyLines, now: Nanos) -> Result<(), AuditError> {
        if self.log.is_none() {
            self.log = Some(Log::new(self.disk.clone(), keys, false));
        }
        self.flush(now)
    }

    /// Reads and repairs the log and writes what waited. A broken log is set aside and the new one says so; that is
    /// no error here.
    ///
    /// # Errors
    /// The log cannot be read or written now.
    pub fn settle(&mut self, now: Nanos) -> Result<(), AuditError> {
        self.log.as_mut().ok_or(AuditError::NoKey)?.live(now)?;
        self.flush(now)
    }

    /// Writes an entry for something that is done only if this succeeds.
    ///
    /// # Errors
    /// The entry is not written.
    pub fn record(&mut self, entry: Entry) -> Result<Recorded, AuditError> {
        let now = entry.utc;
        self.flush(now)?;
        let log = self.log.as_mut().ok_or(AuditError::NoKey)?;
        let seq = log.append(&entry, now)?;
        Ok(Recorded { seq, action: entry.action })
    }

    /// Writes an entry about something that happens anyway: a refusal, or taking risk away. What cannot be written
    /// now waits, [`MOST_WAITING`] entries at most; of more, only the number is kept.
    pub fn note(&mut self, entry: Entry) {
        let now = entry.utc;
        if self.waiting.len() < self.most_waiting {
            self.waiting.push_back(entry);
        } else {
            self.lost += 1;
        }
        // What fails here is tried again with the next entry.
        let _ = self.flush(now);
    }

    /// The first entry that was found wrong, if the log was set aside as broken. Reads nothing.
    pub fn broken_from(&self) -> Option<u64> {
        self.log.as_ref()?.known_origin().map(|origin| origin.first_bad_seq)
    }

    /// How many entries wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    fn flush(&mut self, now: Nanos) -> Result<(), AuditError> {
        let Some(log) = &mut self.log else {
            return if self.waiting.is_empty() { Ok(()) } else { Err(AuditError::NoKey) };
        };
        while let Some(entry) = self.waiting.front() {
            log.append(entry, now)?;
            self.waiting.pop_front();
        }
        if self.lost > 0 {
            let entry = Entry::new(now, &Actor::core(), Action::AuditLost, "audit.log", "lost")
                .detail(json!({ "entries": self.lost }));
            log.append(&entry, now)?;
            self.lost = 0;
        }
        Ok(())
    }

    /// Up to `limit` (at most 1,000) entries after the newest `offset`, the newest first. Reads only these and at
    /// most a few hundred before them.
    ///
    /// # Errors
    /// There is no log yet, or it cannot be read.
    pub fn page(&mut self, offset: u64, limit: u64, now: Nanos) -> Result<Page, AuditError> {
        let Some(log) = self.log.as_mut() else { return Ok(Page { entries: Vec::new(), total: 0 }) };
        let live = log.live(now)?.clone();
        let to = live.seq.saturating_sub(offset);
        let from = to.saturating_sub(limit.min(MOST_OF_A_PAGE)) + 1;
        let mut entries = log.entries(&live, from, to)?;
        entries.reverse();
        Ok(Page { entries, total: live.seq })
    }

    /// What checks the log, to be run where it holds nobody up: it reads every entry.
    ///
    /// # Errors
    /// There is no log yet, or it cannot be read.
    pub fn verifier(&mut self, now: Nanos) -> Result<Verifier, AuditError> {
        let log = self.log.as_mut().ok_or(AuditError::NoKey)?;
        let live = log.live(now)?.clone();
        Ok(Verifier { disk: self.disk.clone(), keys: log.keys().clone(), chain: log.chain.clone(), live })
    }
}

/// Checks the log as it was when this was made; entries written meanwhile do not disturb it.
pub struct Verifier {
    disk: Disk,
    keys: KeyLines,
    chain: Vec<ChainKey>,
    live: Live,
}

impl Verifier {
    /// Reads the log from its beginning and compares it with the head and with what this process has written.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn verify(&self) -> Result<Verification, AuditError> {
        let expected = Head { seq: self.live.seq, mac: self.live.mac, pending: None };
        let walk = match log::reader(&self.disk, 0)? {
            Some(reader) => walk::walk(reader, &self.chain, &expected, expected.seq),
            None => walk::walk(io::empty(), &self.chain, &expected, expected.seq),
        }
        .map_err(AuditError::Read)?;
        let mut fault = walk.fault(&expected).map(|(seq, reason)| (seq, reason.to_string()));
        if fault.is_none() {
            fault = match Head::load(&self.disk, &self.keys)? {
                HeadFound::Readable(head) if head.seq >= expected.seq && head.pending.is_none() => None,
                _ => Some((expected.seq.max(1), "the head is not the one that was written".to_string())),
            };
        }
        let fault = fault.or(self.live.origin.as_ref().map(|origin| (origin.first_bad_seq, origin.reason.clone())));
        let (first_bad_seq, reason) = fault.unzip();
        Ok(Verification { ok: first_bad_seq.is_none(), entries: walk.entries, first_bad_seq, reason })
    }
}

impl AuditSink for Audit {
    fn record(&mut self, event: AuditEvent<'_>) -> Result<(), AuditUnavailable> {
        Audit::record(self, event.into()).map(|_| ()).map_err(unavailable)
    }

    fn check_rekey(&mut self) -> Result<(), AuditUnavailable> {
        let now = self.log.as_ref().map_or(0, Log::last_use);
        self.log.as_mut().ok_or(AuditError::NoKey).and_then(|log| log.check_whole(now)).map_err(unavailable)
    }

    fn rekey(&mut self, keys: &KeyLines, now: Nanos) -> Result<(), AuditUnavailable> {
        let disk = &self.disk;
        // Without a key at start (it was lost) there is no log here yet.
        let log = self.log.get_or_insert_with(|| Log::new(disk.clone(), keys, true));
        log.rekey(keys, now).map_err(unavailable)
    }
}

fn unavailable(error: AuditError) -> AuditUnavailable {
    AuditUnavailable { reason: error.to_string() }
}
