//! The journal: an append-only file in which everything that a session learns is written down before it acts.
//!
//! # Form
//!
//! One record a line: number, checksum, JSON.
//!
//! ```text
//! 17 9f86d081884c7d65 {"in":{"kind":"timer","time":1710250201000000000}}
//! ```
//!
//! Records are numbered from 0 without gap. The checksum is the first 16 hexadecimal digits of the BLAKE3 hash of
//! the checksum before it, the number and the JSON, so that a record cannot be changed, exchanged or left out
//! without being noticed. Record 0 is the [`Plan`], then the history, then what happened.
//!
//! # What is certain
//!
//! [`Journal::append`] returns after write(2): what it took survives the death of the process. A thread of its own
//! brings it to the disk at least every 100 ms. A last record that is torn (the process or the machine stopped while
//! it was written) is dropped with a note when the journal is opened again; anything else that is wrong is an error
//! that names the record.

mod read;
mod write;

pub use read::{Contents, read};
pub use write::Journal;

use super::input::Input;
use super::plan::{HistoryChunk, Plan};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Longest record: a history chunk with quotes has about 1.2 MB.
pub const MAX_RECORD: usize = 4 << 20;

/// Largest journal. A session that fills it is stopped: a day of 500 symbols has about 50 MB.
pub const MAX_JOURNAL: u64 = 4 << 30;

/// One record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Record 0: what the session is made from.
    Plan(Box<Plan>),
    /// Bars before the session.
    History(HistoryChunk),
    /// Something that happened.
    In(Input),
    /// A line of the order stream that followed from the last input.
    Out(String),
    /// A remark that is not acted on.
    Note(String),
}

/// A journal that cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("{path}: {error}")]
    File { path: PathBuf, error: std::io::Error },
    #[error("{path}, record {record} (byte {offset}): {reason}")]
    Record { path: PathBuf, record: u64, offset: u64, reason: String },
    #[error("{path}: no journal: {reason}")]
    NotAJournal { path: PathBuf, reason: String },
    #[error("{path}: another process writes to it")]
    Locked { path: PathBuf },
    #[error("a record of {found} bytes; the longest allowed has {MAX_RECORD}")]
    TooLong { found: usize },
    #[error("{path}: the journal has reached {MAX_JOURNAL} bytes")]
    Full { path: PathBuf },
}

/// The checksum that the first record builds on.
const SEED: &str = "tbot-journal-1";

/// The checksum of a record after one with checksum `before`.
fn checksum(before: &str, number: u64, json: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before.as_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(json.as_bytes());
    let mut text = hasher.finalize().to_hex().to_string();
    text.truncate(16);
    text
}
