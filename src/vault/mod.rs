//! Keys, secrets and encrypted databases of a data folder.
//!
//! Three rules hold everywhere:
//!
//! - **The write rule.** Every file is replaced as a whole, by one type ([`Disk`]). After a stop at any step each
//!   file has its old content or its new one.
//! - **One key a category.** Each of the fourteen [`Category`] values has one Fernet key (AES-128-CBC with
//!   HMAC-SHA256) that protects its own files only, and a file says inside its ciphertext what it is, so files
//!   cannot be exchanged.
//! - **Nothing plain on the disk.** Secrets, settings and databases exist there as tokens; they are decrypted in
//!   memory, into types that overwrite themselves and can be neither printed nor serialized.
//!
//! What this cannot give is protection from root or from the same user of the system, who can read the keys beside
//! the files. It protects backups, copies of single files, version control, and a web process that was taken over.

pub mod audit;
mod audit_sink;
pub mod backups;
mod category;
pub mod checks;
mod database;
mod disk;
mod error;
mod key;
mod keys;
pub mod layout;
pub mod lockout;
pub mod process;
pub mod rotation;
pub mod secrets;
pub mod sessions;
pub mod users;

pub use audit_sink::{Actor, AuditEvent, AuditSink, AuditUnavailable};
pub use backups::BackupError;
pub use category::{Category, UnknownCategory};
pub use database::{Database, Storage};
pub use disk::{Disk, DiskError, DiskFinding, Step, StepKind, Verdict, Watch};
pub use error::VaultError;
pub use key::{Fingerprint, Key, KeyLines};
pub use keys::{KeyFinding, KeyInfo, Keys};
pub use layout::{DatabaseFile, SecretFile, TextFile};
pub use secrets::SecretFields;

#[cfg(test)]
pub(crate) mod tests;
