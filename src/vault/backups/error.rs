//! What can go wrong with a backup.

/// A backup that cannot be made, found or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// No backup of that name.
    #[error("there is no backup '{name}'")]
    NoSuch { name: String },
    /// Names tell seconds apart, no less.
    #[error("there is a backup '{name}' already; wait a second")]
    Exists { name: String },
    /// Nothing was provisioned yet.
    #[error("there is nothing to back up")]
    Empty,
    /// A portable backup has no other key.
    #[error("a portable backup needs its passphrase")]
    PassphraseNeeded,
    /// Too easy to try, or too long to be meant.
    #[error("a passphrase of {found} bytes; expected {min} to {max}")]
    PassphraseLength { found: usize, min: usize, max: usize },
    /// Another passphrase, or damaged.
    #[error("the portable backup cannot be opened with this passphrase")]
    WrongPassphrase,
    /// Not the file of a portable backup.
    #[error("this is no portable backup: {what}")]
    NotPortable { what: &'static str },
    /// Made by a newer program.
    #[error("the backup has the content version {found}; this program reads up to {supported}")]
    Schema { found: u32, supported: u32 },
    /// Decrypted, but not what a backup contains.
    #[error("the backup has not the expected content: {what}")]
    Content { what: &'static str },
}
