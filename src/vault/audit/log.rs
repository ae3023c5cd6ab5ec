//! The log on the disk: append, repair, setting aside, rewriting under another key.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom};

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::audit_sink::Actor;
use super::super::disk::{Disk, DiskError};
use super::super::key::KeyLines;
use super::super::layout::AUDIT;
use super::chain::{ChainKey, Mac};
use super::entry::{self, StoredEntry};
use super::head::{Break, Head, HeadFound, Pending};
use super::walk::{self, Line, Origin, STRIDE, Walk};
use super::{Action, Entry, LOG};
use crate::market::Nanos;

/// An entry that was not written, or a log that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// There is no audit key yet; entries wait.
    #[error("the audit log cannot be written before its key exists")]
    NoKey,
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The log could not be read.
    #[error("the audit log cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The chain is broken, so that it must not be rewritten: that would make it look whole.
    #[error("the audit log is broken from entry {first_bad_seq} on ({reason}); it keeps its key")]
    Broken { first_bad_seq: u64, reason: String },
}

/// A log whose last entry is known and is the one that the head names.
#[derive(Debug, Clone)]
pub(super) struct Live {
    pub(super) seq: u64,
    pub(super) mac: Mac,
    /// Bytes of the file.
    pub(super) length: u64,
    /// Which key the lines are under.
    pub(super) key: usize,
    pub(super) index: Vec<u64>,
    pub(super) origin: Option<Origin>,
}

/// The log under its keys. It is read and repaired when it is first needed, and again after a failure whose outcome
/// is not known.
pub(super) struct Log {
    pub(super) disk: Disk,
    keys: KeyLines,
    pub(super) chain: Vec<ChainKey>,
    /// Whether there must be a log because there was one.
    must_exist: bool,
    live: Option<Live>,
    /// How many entries are known to be on the disk: fewer later on were taken away, with whatever head.
    acknowledged: u64,
    last_use: Nanos,
}

impl Log {
    pub(super) fn new(disk: Disk, keys: &KeyLines, must_exist: bool) -> Log {
        let mut log =
            Log { disk, keys: keys.clone(), chain: Vec::new(), must_exist, live: None, acknowledged: 0, last_use: 0 };
        log.set_keys(keys);
        log
    }

    fn set_keys(&mut self, keys: &KeyLines) {
        self.keys = keys.clone();
        self.chain = keys.all().iter().map(ChainKey::derive).collect();
        self.live = None;
    }

    /// What was wrong with the log before this one, as far as it was read.
    pub(super) fn known_origin(&self) -> Option<&Origin> {
        self.live.as_ref()?.origin.as_ref()
    }

    pub(super) fn keys(&self) -> &KeyLines {
        &self.keys
    }

    /// When it was last used, for a question that comes without a time.
    pub(super) fn last_use(&self) -> Nanos {
        self.last_use
    }

    /// The log after whatever repair it needs.
    pub(super) fn live(&mut self, now: Nanos) -> Result<&Live, AuditError> {
        self.last_use = now;
        if let Some(live) = &self.live
            && self.disk.length(LOG)?.unwrap_or(0) != live.length
        {
            // Somebody else changed the file.
            self.live = None;
        }
        if self.live.is_none() {
            self.settle(now)?;
        }
        self.live.as_ref().ok_or(AuditError::NoKey)
    }

    /// Appends an entry. When this returns, entry and head are on the disk.
    ///
    /// # Errors
    /// It is not written. As far as the disk allows the log is then as it was.
    pub(super) fn append(&mut self, entry: &Entry, now: Nanos) -> Result<u64, AuditError> {
        self.live(now)?;
        // Until head and log agree again, the next call must look.
        let mut live = self.live.take().ok_or(AuditError::NoKey)?;
        let seq = live.seq + 1;
        let (mac, line) = entry::line(&self.chain[live.key], &live.mac, &entry.json(seq));
        if let Err(error) = self.disk.append(LOG, &line) {
            if self.disk.length(LOG).is_ok_and(|length| length.unwrap_or(0) == live.length) {
                self.live = Some(live);
            }
            return Err(error.into());
        }
        if let Err(error) = (Head { seq, mac, pending: None }).store(&self.disk, &self.keys, now) {
            // The head may be the new one all the same. Only if it is the old one, the entry is taken back.
            let unchanged = |found| matches!(found, HeadFound::Readable(head) if head.seq == live.seq);
            if Head::load(&self.disk, &self.keys).is_ok_and(unchanged) && self.disk.truncate(LOG, live.length).is_ok() {
                self.live = Some(live);
            }
            return Err(error.into());
        }
        if seq % STRIDE == 1 {
            live.index.push(live.length);
        }
        live.seq = seq;
        live.mac = mac;
        live.length += line.len() as u64;
        self.acknowledged = seq;
        self.live = Some(live);
        Ok(seq)
    }

    /// Brings log and head into agreement: ends what was under way, accepts one entry beyond the head, cuts a
    /// half-written line, sets a broken log aside.
    fn settle(&mut self, now: Nanos) -> Result<(), AuditError> {
        let head = match Head::load(&self.disk, &self.keys)? {
            HeadFound::Readable(head) => head,
            HeadFound::Unreadable => {
                return self.set_aside(&Head::EMPTY, 1, "the head cannot be decrypted with the audit key", now);
            }
            HeadFound::Missing if !self.must_exist && self.acknowledged == 0 && self.disk.length(LOG)?.is_none() => {
                // The head comes first: a log without a head is always a broken one.
                Head::EMPTY.store(&self.disk, &self.keys, now)?;
                Head::EMPTY
            }
            HeadFound::Missing => return self.set_aside(&Head::EMPTY, 1, "the head is missing", now),
        };
        if let Some(Pending::SetAside(broken)) = &head.pending {
            return self.begin_after(broken, now);
        }
        let walk = self.walk(&head)?;
        if let Some((first_bad_seq, reason)) = walk.fault(&head) {
            return self.set_aside(&head, first_bad_seq, reason, now);
        }
        if walk.entries < self.acknowledged {
            let reason = "log and head are older than what was written";
            return self.set_aside(&head, walk.entries + 1, reason, now);
        }
        self.adopt(walk, head, now)
    }

    /// Takes over a good log, after it and its head have been brought into step.
    fn adopt(&mut self, walk: Walk, head: Head, now: Nanos) -> Result<(), AuditError> {
        let key = walk.key.unwrap_or(0);
        let mac = walk.macs[key];
        let repaired = walk.entries > head.seq && walk.last_action == Action::AuditRepair.word();
        let cut = match head.pending {
            // What is cut off now may be a part of the entry about the first cut; that is the one to tell of.
            Some(Pending::Cut { bytes }) if !repaired => Some(bytes),
            _ if walk.partial > 0 => Some(walk.partial),
            _ => None,
        };
        let pending = cut.map(|bytes| Pending::Cut { bytes });
        let current = Head { seq: walk.entries, mac, pending };
        if current != head {
            current.store(&self.disk, &self.keys, now)?;
        }
        if walk.partial > 0 {
            self.disk.truncate(LOG, walk.end)?;
        }
        self.acknowledged = walk.entries;
        self.live =
            Some(Live { seq: walk.entries, mac, length: walk.end, key, index: walk.index, origin: walk.origin });
        if let Some(bytes) = cut {
            let entry = Entry::new(now, &Actor::core(), Action::AuditRepair, "audit.log", "done")
                .detail(json!({ "bytes_cut": bytes }));
            self.append(&entry, now)?;
        }
        Ok(())
    }

    /// Gives a broken log another name and begins a new one.
    fn set_aside(&mut self, head: &Head, first_bad_seq: u64, reason: &str, now: Nanos) -> Result<(), AuditError> {
        let file = match self.disk.length(LOG)? {
            Some(_) => Some(self.free_name(now)?),
            None => None,
        };
        let broken = Break { first_bad_seq, reason: reason.to_string(), file };
        let pending = Some(Pending::SetAside(broken.clone()));
        Head { seq: head.seq, mac: head.mac, pending }.store(&self.disk, &self.keys, now)?;
        self.begin_after(&broken, now)
    }

    /// The rest of setting aside, from wherever it was stopped. Until the head is replaced at its end, nothing but
    /// the entry written here can be in the new log, so it may be written again.
    fn begin_after(&mut self, broken: &Break, now: Nanos) -> Result<(), AuditError> {
        if let Some(file) = &broken.file {
            let path = format!("{AUDIT}/{file}");
            if !self.disk.exists(&path)? && self.disk.exists(LOG)? {
                self.disk.rename(LOG, &path)?;
            }
        }
        let target = broken.file.as_deref().unwrap_or("audit.log");
        let entry = Entry::new(now, &Actor::core(), Action::AuditBroken, target, "broken").detail(json!({
            "first_bad_seq": broken.first_bad_seq,
            "reason": broken.reason,
            "set_aside": broken.file,
        }));
        let (mac, line) = entry::line(&self.chain[0], &Mac::ZERO, &entry.json(1));
        self.disk.write(LOG, &line)?;
        Head { seq: 1, mac, pending: None }.store(&self.disk, &self.keys, now)?;
        self.acknowledged = 1;
        self.live = Some(Live {
            seq: 1,
            mac,
            length: line.len() as u64,
            key: 0,
            index: vec![0],
            origin: Some(Origin { first_bad_seq: broken.first_bad_seq, reason: broken.reason.clone() }),
        });
        Ok(())
    }

    /// `audit-<utc>.log`, with a number if two logs break in one second.
    fn free_name(&self, now: Nanos) -> Result<String, AuditError> {
        let stamp = DateTime::<Utc>::from_timestamp_nanos(now).format("%Y%m%dT%H%M%SZ");
        let mut name = format!("audit-{stamp}.log");
        let mut number = 1;
        while self.disk.exists(&format!("{AUDIT}/{name}"))? {
            number += 1;
            name = format!("audit-{stamp}-{number}.log");
        }
        Ok(name)
    }

    fn walk(&self, head: &Head) -> Result<Walk, AuditError> {
        let reader = reader(&self.disk, 0)?;
        match reader {
            Some(reader) => walk::walk(reader, &self.chain, head, u64::MAX),
            None => walk::walk(io::empty(), &self.chain, head, u64::MAX),
        }
        .map_err(AuditError::Read)
    }

    /// Whether the chain is whole and always was: the condition for a new key.
    pub(super) fn check_whole(&mut self, now: Nanos) -> Result<(), AuditError> {
        // Read again: what was whole when it was opened may have been changed since.
        self.live = None;
        match &self.live(now)?.origin {
            None => Ok(()),
            Some(origin) => {
                Err(AuditError::Broken { first_bad_seq: origin.first_bad_seq, reason: origin.reason.clone() })
            }
        }
    }

    /// Rewrites log and head under the first of `keys`. The log may be under any of them, and head and log under
    /// different ones, as a stop between the two leaves them. A log that no key fits is set aside.
    pub(super) fn rekey(&mut self, keys: &KeyLines, now: Nanos) -> Result<(), AuditError> {
        self.set_keys(keys);
        let live = self.live(now)?.clone();
        if live.key != 0 {
            let (mac, content) = self.rewritten()?;
            self.live = None;
            self.disk.write(LOG, &content)?;
            Head { seq: live.seq, mac, pending: None }.store(&self.disk, &self.keys, now)?;
        } else {
            Head { seq: live.seq, mac: live.mac, pending: None }.store(&self.disk, &self.keys, now)?;
        }
        self.set_keys(&KeyLines::one(keys.first().clone()));
        self.live(now).map(|_| ())
    }

    /// The log with its MACs under the first key, and the last of them.
    fn rewritten(&self) -> Result<(Mac, Vec<u8>), AuditError> {
        let mut content = Vec::with_capacity(self.live.as_ref().map_or(0, |live| live.length as usize));
        let mut mac = Mac::ZERO;
        let mut buffer = Vec::new();
        let Some(mut reader) = reader(&self.disk, 0)? else { return Ok((mac, content)) };
        while let Line::Full = walk::next_line(&mut reader, &mut buffer).map_err(AuditError::Read)? {
            let Some((_, json)) = walk::split(&buffer) else { break };
            let (next, line) = entry::line(&self.chain[0], &mac, json);
            content.extend_from_slice(&line);
            mac = next;
        }
        Ok((mac, content))
    }

    /// Entries with the numbers `from` to `to`, in this order.
    pub(super) fn entries(&self, live: &Live, from: u64, to: u64) -> Result<Vec<StoredEntry>, AuditError> {
        if from > to {
            return Ok(Vec::new());
        }
        let unreadable = || AuditError::Read(io::Error::new(io::ErrorKind::InvalidData, "a line is not an entry"));
        let start = usize::try_from((from - 1) / STRIDE).ok().and_then(|k| live.index.get(k)).ok_or_else(unreadable)?;
        let mut reader = reader(&self.disk, *start)?.ok_or_else(unreadable)?;
        let mut buffer = Vec::new();
        let mut entries = Vec::new();
        for seq in (from - 1) / STRIDE * STRIDE + 1..=to {
            let Line::Full = walk::next_line(&mut reader, &mut buffer).map_err(AuditError::Read)? else {
                return Err(unreadable());
            };
            if seq >= from {
                let (_, json) = walk::split(&buffer).ok_or_else(unreadable)?;
                entries.push(serde_json::from_slice(json).map_err(|_| unreadable())?);
            }
        }
        Ok(entries)
    }
}

/// The log from byte `start` on; `None` if there is none.
pub(super) fn reader(disk: &Disk, start: u64) -> Result<Option<BufReader<File>>, AuditError> {
    let Some(mut file) = disk.open_to_read(LOG)? else { return Ok(None) };
    file.seek(SeekFrom::Start(start)).map_err(AuditError::Read)?;
    Ok(Some(BufReader::with_capacity(64 * 1024, file)))
}
