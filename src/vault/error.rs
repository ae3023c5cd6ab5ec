//! What can go wrong in the vault.

use super::{Category, DiskError};

/// An operation of the vault that did not happen. Messages name categories, never contents.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The system has no random bytes to make a key of.
    #[error("the system gave no random bytes for a key")]
    NoRandomness,
    /// The key of a category is missing or not the one in the manifest.
    #[error("the key of the category '{category}' is not usable")]
    KeyUnavailable { category: Category },
    /// A key that was never provisioned was found.
    #[error("the key of the category '{category}' was not made by the provisioning")]
    ForeignKey { category: Category },
    /// Keys are made in a fixed order.
    #[error("the key of the category '{category}' can only be made after the key of the category 'env'")]
    EnvKeyFirst { category: Category },
    /// The manifest is missing, unreadable or does not list a key that is there.
    #[error("the manifest of the keys does not fit them")]
    Manifest,
    /// A token is under another key, damaged, or of another category.
    #[error("a file of the category '{category}' cannot be decrypted")]
    Decrypt { category: Category },
    /// A file is missing.
    #[error("a file of the category '{category}' is missing")]
    Missing { category: Category },
    /// A decrypted file is not what belongs there.
    #[error("a file of the category '{category}' has not the expected content: {what}")]
    Content { category: Category, what: &'static str },
    /// More than the file may hold.
    #[error("a file of the category '{category}' would have {bytes} bytes; at most {limit} are kept")]
    TooLarge { category: Category, bytes: usize, limit: usize },
    /// A query failed.
    #[error("a database of the category '{category}' refused: {source}")]
    Database { category: Category, source: rusqlite::Error },
    /// A database could be neither saved nor read again.
    #[error("a database of the category '{category}' is closed after a failed save; open it again")]
    DatabaseClosed { category: Category },
    /// A rotation has not ended.
    #[error("the rotation of the category '{category}' has not ended")]
    RotationPending { category: Category },
    /// The audit log takes no entry, so a privileged action is not done.
    #[error(transparent)]
    Audit(#[from] super::AuditUnavailable),
    /// A backup that cannot be made, found or used.
    #[error(transparent)]
    Backup(#[from] super::BackupError),
}
