//! The door through which the vault writes audit entries.

use super::KeyLines;
use crate::market::Nanos;

/// Who does something, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// User name, or `core` for what the program does on its own.
    pub user: String,
    /// Peer address; empty for the program itself.
    pub ip: String,
}

impl Actor {
    /// The program itself.
    pub fn core() -> Actor {
        Actor { user: "core".to_string(), ip: String::new() }
    }
}

/// One entry for the audit log.
#[derive(Debug, Clone, Copy)]
pub struct AuditEvent<'a> {
    /// When.
    pub utc: Nanos,
    /// Who.
    pub actor: &'a Actor,
    /// What, such as `key.rotate`.
    pub action: &'a str,
    /// To which category, file or user.
    pub target: &'a str,
    /// With which result, such as `begun`, `done`, `failed`.
    pub status: &'a str,
    /// More, without secrets.
    pub detail: &'a str,
}

/// The audit log cannot take an entry.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the audit log cannot be written: {reason}")]
pub struct AuditUnavailable {
    /// Why, without secrets.
    pub reason: String,
}

/// Where audit entries go.
pub trait AuditSink {
    /// Writes an entry; when this returns, it is on the disk.
    ///
    /// # Errors
    /// It is not. What was to be done must then not be done.
    fn record(&mut self, event: AuditEvent<'_>) -> Result<(), AuditUnavailable>;

    /// Whether the log may be rewritten under a new key: a broken chain may not.
    ///
    /// # Errors
    /// Why not.
    fn check_rekey(&mut self) -> Result<(), AuditUnavailable>;

    /// Rewrites the log and its head under the first of `keys`; the others tell what it may be under now. A log that
    /// is under none of them is set aside and a new one begun. Called again after a stop, with any part of the work
    /// done.
    ///
    /// # Errors
    /// The log cannot be written.
    fn rekey(&mut self, keys: &KeyLines, now: Nanos) -> Result<(), AuditUnavailable>;
}
