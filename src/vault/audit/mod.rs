//! The audit log: who did what, when, with which result; and proof that nobody changed it.
//!
//! Each line carries a MAC over the line before it, and an encrypted head names the last line, so that edits,
//! deletions, swaps and a cut tail show. Every write is on the disk before the call returns.
//!
//! What cannot be audited is not done: whatever is privileged takes a [`Recorded`], which only [`Audit::record`] can
//! make. Taking risk away (stop, kill, closing) goes through [`Audit::note`], which never fails and keeps the entry
//! until it can be written.
//!
//! Not shown: that somebody who owns the disk put back an older log together with its older head while the core was
//! not running. Only a copy elsewhere could tell.

mod chain;
mod entry;
mod head;
mod log;
mod sink;
mod walk;

#[cfg(test)]
mod tests;

pub use entry::{Action, Entry, StoredEntry};
pub use log::AuditError;
pub use sink::{Audit, MOST_WAITING, Page, Recorded, Verification, Verifier};

/// The log, relative to the data folder.
pub const LOG: &str = "storage/audit/audit.log";
/// The encrypted head.
pub const HEAD: &str = "storage/audit/head.enc";
