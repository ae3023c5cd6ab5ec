//! Replacing the key of a category, in steps that can be ended after a stop at any point.
//!
//! 0. audit entry `begun`; the fingerprint of the new key into the manifest
//! 1. key file: the new key before the old one
//! 2. every file of the category under the new key
//! 3. key file: the new key alone
//! 4. audit entry `done`; the manifest names the new key
//!
//! Between 1 and 3 both keys decrypt, so every file is readable throughout. [`resume`] ends what a stop left: with
//! the new key on the disk it goes on, without it there is nothing to go on with and the announcement is dropped.
//! The entry `done` is written before the manifest forgets the rotation: a stop between the two repeats the entry
//! rather than lose it.

use super::backups;
use super::layout::{DatabaseFile, RESTORE, SecretFile, TextFile};
use super::secrets::token_limit;
use super::{Actor, AuditEvent, AuditSink, Category, Disk, Fingerprint, Key, KeyLines, Keys, VaultError};
use crate::market::Nanos;

/// The result of a rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The category whose key is new.
    pub category: Category,
    /// Names the new key.
    pub fingerprint: Fingerprint,
    /// Files that no key could decrypt. They were renamed, so their contents count as not set.
    pub set_aside: Vec<String>,
}

/// Gives a category a new key. A key that is missing, changed or foreign is replaced in the same way: what it cannot
/// decrypt is set aside. A rotation that has not ended is ended first; if it was of the same category, that is all.
///
/// # Errors
/// The audit log takes no entry or, for `audit`, is broken; the disk refused. The rotation then goes on with the next
/// call or the next [`resume`]; every file stays readable.
pub fn rotate(
    disk: &Disk,
    keys: &mut Keys,
    audit: &mut dyn AuditSink,
    category: Category,
    actor: &Actor,
    now: Nanos,
) -> Result<Rotated, VaultError> {
    if let Some(ended) = resume(disk, keys, audit, actor, now)?
        && ended.category == category
    {
        return Ok(ended);
    }
    let result =
        begin(keys, audit, category, actor, now).and_then(|()| finish(disk, keys, audit, category, actor, now));
    if result.is_err() {
        // How far it came is what the disk says. If that cannot be read either, memory keeps the keys it has.
        let _ = keys.reload();
    }
    result
}

/// Ends a rotation that a stop or a failure interrupted; `None` if there is none to end.
///
/// # Errors
/// As [`rotate`].
pub fn resume(
    disk: &Disk,
    keys: &mut Keys,
    audit: &mut dyn AuditSink,
    actor: &Actor,
    now: Nanos,
) -> Result<Option<Rotated>, VaultError> {
    let Some(pending) = keys.pending() else { return Ok(None) };
    let category = pending.category;
    let in_place = keys.get(category).is_ok_and(|lines| lines.first().fingerprint() == pending.fingerprint);
    if !in_place {
        record(audit, actor, category, "abandoned", "", now)?;
        keys.conclude(now)?;
        return Ok(None);
    }
    let result = finish(disk, keys, audit, category, actor, now);
    if result.is_err() {
        let _ = keys.reload();
    }
    result.map(Some)
}

/// Steps 0 and 1.
fn begin(
    keys: &mut Keys,
    audit: &mut dyn AuditSink,
    category: Category,
    actor: &Actor,
    now: Nanos,
) -> Result<(), VaultError> {
    let old = keys.get(category).ok().map(|lines| lines.first().clone());
    if category == Category::Audit && old.is_some() {
        audit.check_rekey()?;
    }
    // Without its key the audit log cannot take the entry; it begins anew in step 2 and takes `done`.
    if category != Category::Audit || old.is_some() {
        record(audit, actor, category, "begun", if old.is_some() { "" } else { "the old key is lost" }, now)?;
    }
    let new = Key::generate()?;
    if !keys.has_manifest() {
        // With the manifest lost nothing can be announced, and only a new `env` key brings a manifest back. A stop
        // in between leaves the manifest as unreadable as it was.
        if category != Category::Env {
            return Err(VaultError::Manifest);
        }
        return keys.refound(new, now);
    }
    keys.announce(category, &new, now)?;
    keys.put(
        category,
        match old {
            Some(old) => KeyLines::rotating(new, old),
            None => KeyLines::one(new),
        },
    )
}

/// Steps 2 to 4. Each can be repeated.
fn finish(
    disk: &Disk,
    keys: &mut Keys,
    audit: &mut dyn AuditSink,
    category: Category,
    actor: &Actor,
    now: Nanos,
) -> Result<Rotated, VaultError> {
    let lines = keys.get(category)?.clone();
    let mut aside = Vec::new();
    for path in files_of(disk, category)? {
        let Some(token) = disk.read(&path, token_limit(backups::LARGEST))? else { continue };
        if lines.first().open(&token).is_some() {
            continue;
        }
        match lines.open(&token) {
            Some(plain) => disk.write(&path, lines.seal(&plain, now).as_bytes())?,
            None => aside.push(set_aside(disk, &path, now)?),
        }
    }
    match category {
        Category::Audit => audit.rekey(&lines, now)?,
        Category::Env => keys.reseal_manifest(now)?,
        _ => {}
    }
    if lines.all().len() > 1 {
        keys.put(category, KeyLines::one(lines.first().clone()))?;
        if category == Category::Audit {
            audit.rekey(keys.get(category)?, now)?;
        }
    }
    let detail = if aside.is_empty() { String::new() } else { format!("set aside: {}", aside.join(", ")) };
    record(audit, actor, category, "done", &detail, now)?;
    keys.conclude(now)?;
    Ok(Rotated { category, fingerprint: lines.first().fingerprint(), set_aside: aside })
}

/// The files under the key of a category, whether they exist or not. The audit log and the manifest are not among
/// them: they are written by their owners.
pub(super) fn files_of(disk: &Disk, category: Category) -> Result<Vec<String>, VaultError> {
    let secrets = SecretFile::ALL.into_iter().filter(|f| f.category() == category).map(|f| f.path());
    let texts = TextFile::ALL.into_iter().filter(|f| f.category() == category).map(|f| f.path());
    let databases = DatabaseFile::ALL.into_iter().filter(|f| f.category() == category).map(|f| f.path());
    let mut files: Vec<String> = secrets.chain(texts).chain(databases).map(str::to_string).collect();
    match category {
        Category::Env => files.push(RESTORE.to_string()),
        Category::Backup => files.extend(backups::under_backup_key(disk)?),
        _ => {}
    }
    Ok(files)
}

/// Renames a file that nothing can decrypt.
fn set_aside(disk: &Disk, path: &str, now: Nanos) -> Result<String, VaultError> {
    let aside = format!("{path}.unreadable-{}", backups::stamp(now));
    if disk.exists(path)? {
        disk.rename(path, &aside)?;
    }
    Ok(aside)
}

fn record(
    audit: &mut dyn AuditSink,
    actor: &Actor,
    category: Category,
    status: &str,
    detail: &str,
    now: Nanos,
) -> Result<(), VaultError> {
    let event = AuditEvent { utc: now, actor, action: "key.rotate", target: category.name(), status, detail };
    Ok(audit.record(event)?)
}
