//! Names of backups: `backup_v<schema>_<YYYYMMDDTHHMMSSZ>_<kind>.enc`.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use super::payload::SCHEMA;
use crate::market::Nanos;

/// How the time is written in names.
const STAMP: &str = "%Y%m%dT%H%M%SZ";

/// What a backup is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BackupKind {
    /// The key `backup`.
    Full,
    /// A passphrase.
    Portable,
}

impl BackupKind {
    /// The word in names.
    pub fn name(self) -> &'static str {
        match self {
            BackupKind::Full => "full",
            BackupKind::Portable => "portable",
        }
    }
}

/// The parts of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupName {
    /// Version of the content.
    pub schema: u32,
    /// When it was made, to the second.
    pub utc: Nanos,
    /// What it is under.
    pub kind: BackupKind,
}

impl BackupName {
    /// The name of a backup made now.
    pub fn new(now: Nanos, kind: BackupKind) -> BackupName {
        BackupName { schema: SCHEMA, utc: now, kind }
    }

    /// Reads a name; `None` if it is not exactly one that [`BackupName::to_string`](ToString) gives.
    pub fn parse(name: &str) -> Option<BackupName> {
        let (schema, rest) = name.strip_prefix("backup_v")?.strip_suffix(".enc")?.split_once('_')?;
        let (time, kind) = rest.split_once('_')?;
        let kind = [BackupKind::Full, BackupKind::Portable].into_iter().find(|k| k.name() == kind)?;
        let utc = NaiveDateTime::parse_from_str(time, STAMP).ok()?.and_utc().timestamp_nanos_opt()?;
        let parsed = BackupName { schema: schema.parse().ok()?, utc, kind };
        (parsed.to_string() == name).then_some(parsed)
    }
}

impl fmt::Display for BackupName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "backup_v{}_{}_{}.enc", self.schema, stamp(self.utc), self.kind.name())
    }
}

/// A time for a file name, to the second.
pub(in crate::vault) fn stamp(t: Nanos) -> String {
    DateTime::<Utc>::from_timestamp_nanos(t).format(STAMP).to_string()
}
