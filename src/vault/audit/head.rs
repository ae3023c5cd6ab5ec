//! The encrypted head: which line is the last, and what of a repair is under way.

use serde::{Deserialize, Serialize};

use super::super::disk::{Disk, DiskError};
use super::super::key::KeyLines;
use super::HEAD;
use super::chain::Mac;
use crate::market::Nanos;

/// Most bytes of the file.
const MOST_BYTES: usize = 64 * 1024;

/// What `head.enc` says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Head {
    /// The number of the last line; 0 before the first.
    pub(super) seq: u64,
    /// Its MAC; zeros before the first.
    pub(super) mac: Mac,
    /// A repair that has begun.
    pub(super) pending: Option<Pending>,
}

/// A repair takes several writes. It is announced here first, so that the next start ends it and audits it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Pending {
    /// The log is broken and is set aside.
    SetAside(Break),
    /// A half-written last line is cut off.
    Cut {
        /// How long it was.
        bytes: u64,
    },
}

/// How a log is broken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Break {
    /// The first entry that is wrong or missing.
    pub(super) first_bad_seq: u64,
    /// What is wrong with it.
    pub(super) reason: String,
    /// The name that the broken log gets; `None` if there is no log.
    pub(super) file: Option<String>,
}

/// What was found in place of a head.
#[derive(Debug)]
pub(super) enum HeadFound {
    /// A head.
    Readable(Head),
    /// No file.
    Missing,
    /// Not a head, or under another key.
    Unreadable,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    seq: u64,
    mac: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
}

impl Head {
    pub(super) const EMPTY: Head = Head { seq: 0, mac: Mac::ZERO, pending: None };

    pub(super) fn load(disk: &Disk, keys: &KeyLines) -> Result<HeadFound, DiskError> {
        let content = match disk.read(HEAD, MOST_BYTES) {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(HeadFound::Missing),
            Err(DiskError::TooLarge { .. }) => return Ok(HeadFound::Unreadable),
            Err(error) => return Err(error),
        };
        let head = keys.open(&content).and_then(|plain| serde_json::from_slice::<Stored>(&plain).ok());
        Ok(match head.and_then(|stored| Some((Mac::parse(stored.mac.as_bytes())?, stored))) {
            Some((mac, stored)) => HeadFound::Readable(Head { seq: stored.seq, mac, pending: stored.pending }),
            None => HeadFound::Unreadable,
        })
    }

    pub(super) fn store(&self, disk: &Disk, keys: &KeyLines, now: Nanos) -> Result<(), DiskError> {
        let mut json = serde_json::json!({ "seq": self.seq, "mac": self.mac.hex() });
        if let Some(pending) = &self.pending {
            json["pending"] = serde_json::json!(pending);
        }
        disk.write(HEAD, keys.seal(json.to_string().as_bytes(), now).as_bytes())
    }
}
