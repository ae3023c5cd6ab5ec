//! Encrypted backups of secrets, texts and databases. They never hold a key.
//!
//! A full backup is under the key `backup` and is read back in the same data folder. A portable backup is under a key
//! derived from a passphrase and outlives the data folder. Both hold the decrypted contents inside the encryption,
//! because the keys of the categories may have been replaced since; a restore encrypts with the current keys.
//!
//! A restore checks everything before it changes anything. It then lays the contents down as one file under the key
//! `env`, and works them off; a stop in between is made good by [`resume`].
//!
//! To write the audit entries `backup.create` and `backup.restore` before these functions is the caller's part.

mod error;
mod import;
mod name;
mod payload;
mod portable;

use secrecy::SecretString;
use serde::Serialize;
use zeroize::Zeroizing;

pub use error::BackupError;
pub use import::Import;
pub(super) use name::stamp;
pub use name::{BackupKind, BackupName};
pub use portable::Cost;

use super::layout::{self, DatabaseFile, SecretFile, TextFile};
use super::secrets::{check_content, open_file, seal_file, token_limit, unwrap, wrap};
use super::{Category, Disk, Keys, SecretFields, VaultError, database};
use crate::market::{Nanos, format_time};
use payload::Entry;

/// The plain content of a backup has at most this many bytes.
pub(super) const LARGEST: usize = 192 * 1024 * 1024;
/// The file of a backup has at most this many bytes: its token, and the first line of a portable one.
pub const MOST_BYTES: usize = token_limit(LARGEST) + 1024;

/// What may be told about a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupInfo {
    /// Its file name.
    pub name: String,
    /// Version of its content.
    pub schema: u32,
    /// When it was made, RFC 3339 in UTC.
    pub created_utc: String,
    /// Full or portable.
    pub kind: BackupKind,
    /// Its length.
    pub bytes: u64,
}

/// What a new backup is protected by.
#[derive(Debug, Clone, Copy)]
pub enum Protection<'a> {
    /// The key `backup`: a full backup.
    BackupKey,
    /// A passphrase, and how much work it takes to try one: a portable backup.
    Passphrase(&'a SecretString, Cost),
}

/// Makes a backup of everything that is there.
///
/// # Errors
/// A file cannot be decrypted, there is nothing, the passphrase is too short, there is a backup of the same second,
/// or the disk refused.
pub fn create(disk: &Disk, keys: &Keys, protection: Protection<'_>, now: Nanos) -> Result<BackupInfo, VaultError> {
    let kind = match protection {
        Protection::BackupKey => BackupKind::Full,
        Protection::Passphrase(..) => BackupKind::Portable,
    };
    let name = BackupName::new(now, kind);
    if disk.exists(&path(&name.to_string()))? {
        return Err(BackupError::Exists { name: name.to_string() }.into());
    }
    let entries = collect(disk, keys)?;
    if entries.is_empty() {
        return Err(BackupError::Empty.into());
    }
    let plain = payload::write(&entries, kind, now)?;
    if plain.len() > LARGEST {
        let (bytes, limit) = (plain.len(), LARGEST);
        return Err(VaultError::TooLarge { category: Category::Backup, bytes, limit });
    }
    let content = match protection {
        Protection::BackupKey => keys.get(Category::Backup)?.seal(&plain, now),
        Protection::Passphrase(passphrase, cost) => portable::seal(&plain, passphrase, cost, now)?,
    };
    disk.write(&path(&name.to_string()), content.as_bytes())?;
    info(disk, &name)
}

/// The backups, the newest first.
///
/// # Errors
/// The folder cannot be read.
pub fn list(disk: &Disk) -> Result<Vec<BackupInfo>, VaultError> {
    names(disk)?.iter().map(|name| info(disk, name)).collect()
}

/// The content of a backup, for a download: encrypted as it is on the disk.
///
/// # Errors
/// No backup of the list has that name, or it cannot be read.
pub fn read(disk: &Disk, name: &str) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let name = find(disk, name)?;
    let missing = || BackupError::NoSuch { name: name.to_string() };
    Ok(disk.read(&path(&name.to_string()), token_limit(LARGEST))?.ok_or_else(missing)?)
}

/// The file of a backup, to be sent in parts.
///
/// # Errors
/// As [`read`].
pub fn open(disk: &Disk, name: &str) -> Result<std::fs::File, VaultError> {
    let name = find(disk, name)?.to_string();
    Ok(disk.open_to_read(&path(&name))?.ok_or(BackupError::NoSuch { name })?)
}

/// Puts the contents of a backup in place, under the current keys. Files that the backup does not have stay. Returns
/// the paths that were written.
///
/// # Errors
/// The backup is missing, damaged, of a newer version, or under another key or passphrase; then nothing was changed.
/// Or the disk refused; then [`resume`] goes on.
pub fn restore(
    disk: &Disk,
    keys: &Keys,
    name: &str,
    passphrase: Option<&SecretString>,
    now: Nanos,
) -> Result<Vec<String>, VaultError> {
    put(disk, keys, &unlock(disk, keys, name, passphrase)?, now)
}

/// The decrypted content of a backup.
pub struct Unlocked(Zeroizing<Vec<u8>>);

impl Unlocked {
    /// The fields of a file in it; `None` if it does not have that file, or it is damaged, which [`put`] refuses.
    pub fn fields(&self, file: SecretFile) -> Option<SecretFields> {
        let entries = payload::read(&self.0).ok()?;
        let entry = entries.iter().find(|entry| entry.path == file.path())?;
        unwrap(file, &entry.plain).ok()
    }
}

/// The first part of [`restore`]: decrypts a backup and changes nothing. A passphrase takes its time.
///
/// # Errors
/// As [`restore`].
pub fn unlock(disk: &Disk, keys: &Keys, name: &str, passphrase: Option<&SecretString>) -> Result<Unlocked, VaultError> {
    let name = find(disk, name)?;
    let content = read(disk, &name.to_string())?;
    let plain = match (name.kind, passphrase) {
        (BackupKind::Full, _) => {
            keys.get(Category::Backup)?.open(&content).ok_or(VaultError::Decrypt { category: Category::Backup })?
        }
        (BackupKind::Portable, Some(passphrase)) => portable::open(&content, passphrase)?,
        (BackupKind::Portable, None) => return Err(BackupError::PassphraseNeeded.into()),
    };
    Ok(Unlocked(plain))
}

/// The second part of [`restore`]: checks everything, and puts it in place.
///
/// # Errors
/// As [`restore`].
pub fn put(disk: &Disk, keys: &Keys, Unlocked(plain): &Unlocked, now: Nanos) -> Result<Vec<String>, VaultError> {
    check(keys, &payload::read(plain)?)?;
    seal_file(disk, keys, layout::RESTORE, Category::Env, plain, LARGEST, now)?;
    apply(disk, keys, plain, now)
}

/// Whether a portable backup can be opened with this passphrase and holds what belongs in it. Nothing is changed.
///
/// # Errors
/// It is missing, no portable one, damaged, of a newer version, or under another passphrase.
pub fn examine(disk: &Disk, name: &str, passphrase: &SecretString) -> Result<(), VaultError> {
    let name = find(disk, name)?;
    if name.kind != BackupKind::Portable {
        return Err(BackupError::NotPortable { what: "it is under the key 'backup'" }.into());
    }
    let plain = portable::open(&read(disk, &name.to_string())?, passphrase)?;
    payload::read(&plain)?.iter().try_for_each(|entry| check_content(&entry.path, entry.category, &entry.plain))
}

/// Replaces several files together: after a stop, [`resume`] makes sure that all of them are the new ones, or none.
///
/// # Errors
/// A key is not usable, or the disk refused; then [`resume`] goes on, or nothing was changed.
pub fn replace(
    disk: &Disk,
    keys: &Keys,
    fields: &[(SecretFile, SecretFields)],
    texts: &[(TextFile, String)],
    now: Nanos,
) -> Result<(), VaultError> {
    let mut entries = Vec::new();
    for (file, fields) in fields {
        let (path, category) = (file.path().to_string(), file.category());
        entries.push(Entry { path, category, plain: wrap(*file, fields)? });
    }
    for (file, text) in texts {
        let (path, category) = (file.path().to_string(), file.category());
        entries.push(Entry { path, category, plain: Zeroizing::new(text.as_bytes().to_vec()) });
    }
    put(disk, keys, &Unlocked(payload::write(&entries, BackupKind::Full, now)?), now).map(drop)
}

/// Ends a restore that a stop or a failure interrupted; `None` if there is none to end.
///
/// # Errors
/// The contents cannot be decrypted, or the disk refused.
pub fn resume(disk: &Disk, keys: &Keys, now: Nanos) -> Result<Option<Vec<String>>, VaultError> {
    if !disk.exists(layout::RESTORE)? {
        return Ok(None);
    }
    match open_file(disk, keys, layout::RESTORE, Category::Env, LARGEST)? {
        Some(plain) => apply(disk, keys, &plain, now).map(Some),
        None => Ok(None),
    }
}

/// Removes all but the newest `keep` backups of a kind, and returns the names of those removed.
///
/// # Errors
/// The disk refused.
pub fn prune(disk: &Disk, kind: BackupKind, keep: usize) -> Result<Vec<String>, VaultError> {
    let old: Vec<String> =
        names(disk)?.into_iter().filter(|name| name.kind == kind).skip(keep).map(|name| name.to_string()).collect();
    for name in &old {
        disk.remove(&path(name))?;
    }
    Ok(old)
}

/// The paths of the backups that are under the key `backup`.
pub(super) fn under_backup_key(disk: &Disk) -> Result<Vec<String>, VaultError> {
    let full = names(disk)?.into_iter().filter(|name| name.kind == BackupKind::Full);
    Ok(full.map(|name| path(&name.to_string())).collect())
}

/// Every file that is backed up, with its category and the most bytes it may have.
fn backed_up() -> impl Iterator<Item = (&'static str, Category, usize)> {
    let secrets = SecretFile::ALL.into_iter().filter(|file| *file != SecretFile::Staged);
    let secrets = secrets.map(|file| (file.path(), file.category(), super::secrets::SECRET_LIMIT));
    let texts = TextFile::ALL.into_iter().map(|file| (file.path(), file.category(), super::secrets::SECRET_LIMIT));
    let databases = DatabaseFile::ALL.into_iter().map(|file| (file.path(), file.category(), database::image_limit()));
    secrets.chain(texts).chain(databases)
}

fn collect(disk: &Disk, keys: &Keys) -> Result<Vec<Entry>, VaultError> {
    let mut entries = Vec::new();
    for (path, category, limit) in backed_up() {
        let Some(plain) = open_file(disk, keys, path, category, limit)? else { continue };
        check_content(path, category, &plain)?;
        entries.push(Entry { path: path.to_string(), category, plain });
    }
    Ok(entries)
}

/// Whether everything in a backup is what belongs in its place, and can be encrypted.
fn check(keys: &Keys, entries: &[Entry]) -> Result<(), VaultError> {
    keys.get(Category::Env)?;
    for entry in entries {
        let known = backed_up().any(|(path, category, limit)| {
            path == entry.path && category == entry.category && entry.plain.len() <= limit
        });
        if !known {
            return Err(BackupError::Content { what: "a file that is not backed up" }.into());
        }
        check_content(&entry.path, entry.category, &entry.plain)?;
        keys.get(entry.category)?;
    }
    Ok(())
}

fn apply(disk: &Disk, keys: &Keys, plain: &[u8], now: Nanos) -> Result<Vec<String>, VaultError> {
    let entries = payload::read(plain)?;
    check(keys, &entries)?;
    for entry in &entries {
        seal_file(disk, keys, &entry.path, entry.category, &entry.plain, LARGEST, now)?;
    }
    disk.remove(layout::RESTORE)?;
    Ok(entries.into_iter().map(|entry| entry.path).collect())
}

fn path(name: &str) -> String {
    format!("{}/{name}", layout::BACKUPS)
}

/// The names of the backups, the newest first.
fn names(disk: &Disk) -> Result<Vec<BackupName>, VaultError> {
    let mut names: Vec<BackupName> =
        disk.list(layout::BACKUPS)?.iter().filter_map(|name| BackupName::parse(name)).collect();
    names.sort_by_key(|name| std::cmp::Reverse((name.utc, name.kind)));
    Ok(names)
}

fn find(disk: &Disk, name: &str) -> Result<BackupName, VaultError> {
    let missing = || BackupError::NoSuch { name: name.chars().take(64).collect() };
    Ok(names(disk)?.into_iter().find(|known| known.to_string() == name).ok_or_else(missing)?)
}

fn info(disk: &Disk, name: &BackupName) -> Result<BackupInfo, VaultError> {
    Ok(BackupInfo {
        name: name.to_string(),
        schema: name.schema,
        created_utc: format_time(name.utc),
        kind: name.kind,
        bytes: disk.length(&path(&name.to_string()))?.unwrap_or(0),
    })
}
