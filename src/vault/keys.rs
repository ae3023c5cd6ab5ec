//! Key files and the manifest that says which keys belong here.
//!
//! A key is made by the provisioning ([`Keys::provision`]) or by a rotation, and by nothing else. At start every key
//! file is compared with the manifest; what does not fit is a [`KeyFinding`] and is never repaired or made anew by
//! itself.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Category, Disk, Fingerprint, Key, KeyLines, VaultError, layout};
use crate::market::{Nanos, format_time};

/// A key file holds one or two lines of 45 bytes.
const KEY_FILE_LIMIT: usize = 256;
/// The manifest has fourteen entries.
const MANIFEST_LIMIT: usize = 64 * 1024;
/// Version of the manifest's content.
const MANIFEST_VERSION: u32 = 1;

/// Something about the keys that must not be: the state becomes `error` until an administrator acts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFinding {
    /// A file that is no key of any category.
    #[error("the folder of the keys holds the unknown file '{name}'")]
    Unknown { name: String },
    /// The manifest names a key that is not there.
    #[error("the key of the category '{category}' is missing")]
    Missing { category: Category },
    /// A key is not the one in the manifest.
    #[error("the key of the category '{category}' was changed")]
    Changed { category: Category },
    /// A key that the manifest does not name.
    #[error("the key of the category '{category}' was not made by this program")]
    Foreign { category: Category },
    /// A file that does not hold a key.
    #[error("the key file of the category '{category}' does not hold a Fernet key")]
    Malformed { category: Category },
    /// There are keys but no manifest.
    #[error("the manifest of the keys is missing")]
    ManifestMissing,
    /// The manifest is damaged or under another key.
    #[error("the manifest of the keys cannot be decrypted with the key of the category 'env'")]
    ManifestUnreadable,
}

/// What may be told about a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// What it is for.
    pub category: Category,
    /// Its name.
    pub fingerprint: Fingerprint,
    /// When the first key of the category was made, RFC 3339 in UTC.
    pub created_utc: String,
    /// When it was last replaced.
    pub rotated_utc: Option<String>,
}

/// A key on its way: made, but perhaps not yet everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    pub category: Category,
    pub fingerprint: Fingerprint,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    category: Category,
    fingerprint: Fingerprint,
    created_utc: String,
    rotated_utc: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    v: u32,
    /// Whether the provisioning has made all keys.
    complete: bool,
    keys: Vec<Entry>,
    pending: Option<Pending>,
}

impl Manifest {
    fn entry(&self, category: Category) -> Option<&Entry> {
        self.keys.iter().find(|entry| entry.category == category)
    }

    fn pending_for(&self, category: Category) -> Option<&Pending> {
        self.pending.as_ref().filter(|pending| pending.category == category)
    }
}

/// The keys of a data folder.
#[derive(Debug)]
pub struct Keys {
    disk: Disk,
    /// Keys that may be used.
    usable: BTreeMap<Category, KeyLines>,
    /// Categories whose key file is there but must not be used.
    refused: BTreeSet<Category>,
    manifest: Option<Manifest>,
}

impl Keys {
    /// Reads all key files and compares them with the manifest. Nothing is changed.
    ///
    /// # Errors
    /// The disk refused. What is wrong with the keys themselves is a finding.
    pub fn open(disk: &Disk) -> Result<(Keys, Vec<KeyFinding>), VaultError> {
        let mut findings = Vec::new();
        for name in disk.list(layout::KEYS)? {
            let known = layout::MANIFEST.ends_with(&format!("/{name}"))
                || name.strip_suffix(".key").is_some_and(|stem| stem.parse::<Category>().is_ok());
            if !known {
                findings.push(KeyFinding::Unknown { name });
            }
        }
        let mut keys = Keys { disk: disk.clone(), usable: BTreeMap::new(), refused: BTreeSet::new(), manifest: None };
        for category in Category::ALL {
            let Some(content) = disk.read(&category.key_path(), KEY_FILE_LIMIT)? else { continue };
            match KeyLines::parse(&content) {
                Some(lines) => {
                    keys.usable.insert(category, lines);
                }
                None => {
                    findings.push(KeyFinding::Malformed { category });
                    keys.refused.insert(category);
                }
            }
        }
        let token = disk.read(layout::MANIFEST, MANIFEST_LIMIT)?;
        match (token, keys.usable.get(&Category::Env)) {
            (Some(token), Some(env)) => match env.open(&token).and_then(|plain| serde_json::from_slice(&plain).ok()) {
                Some(manifest) => {
                    keys.compare(&manifest, &mut findings);
                    keys.manifest = Some(manifest);
                }
                None => {
                    findings.push(KeyFinding::ManifestUnreadable);
                    keys.usable.remove(&Category::Env);
                    keys.refused.insert(Category::Env);
                }
            },
            (token, env) => {
                let others = keys.usable.keys().any(|c| !matches!(c, Category::Env | Category::Audit));
                if env.is_some() && others {
                    findings.push(KeyFinding::ManifestMissing);
                }
                let refused = keys.refused.contains(&Category::Env);
                if env.is_none() && !refused && (others || token.is_some()) {
                    findings.push(KeyFinding::Missing { category: Category::Env });
                }
            }
        }
        Ok((keys, findings))
    }

    /// Takes keys that do not fit the manifest out of use.
    fn compare(&mut self, manifest: &Manifest, findings: &mut Vec<KeyFinding>) {
        for category in Category::ALL {
            let entry = manifest.entry(category).map(|entry| &entry.fingerprint);
            let pending = manifest.pending_for(category).map(|pending| &pending.fingerprint);
            let Some(lines) = self.usable.get(&category) else {
                if entry.is_some() && !self.refused.contains(&category) {
                    findings.push(KeyFinding::Missing { category });
                }
                continue;
            };
            let found: Vec<Fingerprint> = lines.all().iter().map(Key::fingerprint).collect();
            let fits = match found.as_slice() {
                [only] => Some(only) == entry || Some(only) == pending,
                [new, old] => Some(new) == pending && Some(old) == entry,
                _ => false,
            };
            if !fits {
                findings.push(match entry {
                    Some(_) => KeyFinding::Changed { category },
                    None => KeyFinding::Foreign { category },
                });
                self.usable.remove(&category);
                self.refused.insert(category);
            }
        }
    }

    /// Reads everything again, after a change of which it is not known how far it came.
    pub(super) fn reload(&mut self) -> Result<(), VaultError> {
        *self = Keys::open(&self.disk)?.0;
        Ok(())
    }

    /// The keys of a category.
    ///
    /// # Errors
    /// They are missing or not the ones of the manifest.
    pub fn get(&self, category: Category) -> Result<&KeyLines, VaultError> {
        self.usable.get(&category).ok_or(VaultError::KeyUnavailable { category })
    }

    /// Whether the provisioning has made all keys.
    pub fn is_complete(&self) -> bool {
        self.manifest.as_ref().is_some_and(|manifest| manifest.complete)
    }

    /// What may be told about the keys, in the order of [`Category::ALL`].
    pub fn list(&self) -> Vec<KeyInfo> {
        let Some(manifest) = &self.manifest else { return Vec::new() };
        let entries = Category::ALL.into_iter().filter_map(|category| manifest.entry(category));
        entries
            .map(|entry| KeyInfo {
                category: entry.category,
                fingerprint: entry.fingerprint.clone(),
                created_utc: entry.created_utc.clone(),
                rotated_utc: entry.rotated_utc.clone(),
            })
            .collect()
    }

    /// The category whose rotation was begun and has not ended.
    pub fn rotating(&self) -> Option<Category> {
        let manifest = self.manifest.as_ref()?;
        let pending = manifest.pending.as_ref()?;
        manifest.entry(pending.category).map(|entry| entry.category)
    }

    /// Makes the key of a category, for the provisioning. A key that the provisioning made before a stop is kept.
    /// `audit` and `env` come first, in either order; until `env` exists there is no manifest.
    ///
    /// # Errors
    /// A key is there that the provisioning did not make, the provisioning has ended, or the disk refused.
    pub fn provision(&mut self, category: Category, now: Nanos) -> Result<Fingerprint, VaultError> {
        if self.refused.contains(&category) {
            return Err(VaultError::ForeignKey { category });
        }
        let Some(manifest) = self.manifest.clone() else { return self.provision_first(category, now) };
        let manifest = self.settle(manifest, now)?;
        if let Some(entry) = manifest.entry(category) {
            self.get(category)?;
            return Ok(entry.fingerprint.clone());
        }
        if manifest.complete {
            return Err(VaultError::KeyUnavailable { category });
        }
        let key = Key::generate()?;
        let fingerprint = key.fingerprint();
        let pending = Some(Pending { category, fingerprint: fingerprint.clone() });
        let manifest = Manifest { pending, ..manifest };
        self.save(manifest.clone(), now)?;
        self.put(category, KeyLines::one(key))?;
        self.settle(manifest, now)?;
        Ok(fingerprint)
    }

    /// Makes `audit` or `env` before there is a manifest, and the manifest with `env`.
    fn provision_first(&mut self, category: Category, now: Nanos) -> Result<Fingerprint, VaultError> {
        if !matches!(category, Category::Audit | Category::Env) {
            return Err(VaultError::EnvKeyFirst { category });
        }
        if self.lost_manifest()? {
            return Err(VaultError::Manifest);
        }
        if !self.usable.contains_key(&category) {
            self.put(category, KeyLines::one(Key::generate()?))?;
        }
        let fingerprint = self.get(category)?.first().fingerprint();
        if self.usable.contains_key(&Category::Env) {
            let keys = self.usable.iter().map(|(category, lines)| entry(*category, lines, now)).collect();
            self.save(Manifest { v: MANIFEST_VERSION, complete: false, keys, pending: None }, now)?;
        }
        Ok(fingerprint)
    }

    /// Enters a key whose making was stopped between its file and the manifest.
    fn settle(&mut self, mut manifest: Manifest, now: Nanos) -> Result<Manifest, VaultError> {
        let Some(pending) = manifest.pending.clone() else { return Ok(manifest) };
        let category = pending.category;
        if manifest.entry(category).is_some() {
            return Err(VaultError::RotationPending { category });
        }
        manifest.pending = None;
        if let Some(lines) = self.usable.get(&category) {
            manifest.keys.push(entry(category, lines, now));
            self.save(manifest.clone(), now)?;
        }
        Ok(manifest)
    }

    /// Ends the making of keys: from now on a key that the manifest does not name is foreign.
    ///
    /// # Errors
    /// A key is missing, or the disk refused.
    pub fn finish_provisioning(&mut self, now: Nanos) -> Result<(), VaultError> {
        let manifest = self.manifest.clone().ok_or(VaultError::Manifest)?;
        let manifest = self.settle(manifest, now)?;
        for category in Category::ALL {
            self.get(category)?;
            if manifest.entry(category).is_none() {
                return Err(VaultError::KeyUnavailable { category });
            }
        }
        if manifest.complete {
            return Ok(());
        }
        self.save(Manifest { complete: true, ..manifest }, now)
    }

    /// Removes every key but `audit`, and the manifest, when a provisioning is rolled back. `env` goes last, so that
    /// a stop leaves a state from which the roll-back can be repeated. Whatever is under the keys is removed before.
    ///
    /// A stopped provisioning never leaves a [`KeyFinding`], a stopped roll-back may: with findings before the
    /// provisioning has ended, roll back (again).
    ///
    /// # Errors
    /// The provisioning has ended or may have ended, for its manifest cannot be read; or the disk refused.
    pub fn withdraw(&mut self) -> Result<(), VaultError> {
        if self.is_complete() || self.lost_manifest()? {
            return Err(VaultError::Manifest);
        }
        for category in Category::ALL.into_iter().filter(|c| !is_first(*c)) {
            self.disk.remove(&category.key_path())?;
            self.usable.remove(&category);
        }
        self.disk.remove(layout::MANIFEST)?;
        self.manifest = None;
        self.disk.remove(&Category::Env.key_path())?;
        self.usable.remove(&Category::Env);
        Ok(())
    }

    /// Removes every key and the manifest, finished or not, when everything is reset because nobody can use it any
    /// more. The key `audit` stays if it fits. Whatever is under the keys is removed before.
    ///
    /// # Errors
    /// The disk refused; it can be repeated.
    pub fn discard(&mut self) -> Result<(), VaultError> {
        let audit = Category::Audit;
        let keeps_audit = self.usable.contains_key(&audit);
        // The manifest goes last: until then the keys that are left are not taken for foreign ones.
        for name in self.disk.list(layout::KEYS)? {
            let path = format!("{}/{name}", layout::KEYS);
            if path != layout::MANIFEST && !(keeps_audit && path == audit.key_path()) {
                self.disk.remove(&path)?;
            }
        }
        self.disk.remove(layout::MANIFEST)?;
        self.reload()
    }

    /// Whether there was a manifest that is missing or cannot be read.
    fn lost_manifest(&self) -> Result<bool, VaultError> {
        let others = self.usable.keys().chain(&self.refused).any(|category| !is_first(*category));
        Ok(self.manifest.is_none() && (others || self.disk.exists(layout::MANIFEST)?))
    }

    /// The announced key of a rotation: category and fingerprint.
    pub(super) fn pending(&self) -> Option<Pending> {
        self.rotating()?;
        self.manifest.as_ref()?.pending.clone()
    }

    /// Announces the new key of a rotation in the manifest.
    pub(super) fn announce(&mut self, category: Category, new: &Key, now: Nanos) -> Result<(), VaultError> {
        let manifest = self.manifest.clone().ok_or(VaultError::Manifest)?;
        let pending = Some(Pending { category, fingerprint: new.fingerprint() });
        self.save(Manifest { pending, ..manifest }, now)
    }

    /// Writes the manifest again under the first key of `env`.
    pub(super) fn reseal_manifest(&mut self, now: Nanos) -> Result<(), VaultError> {
        let manifest = self.manifest.clone().ok_or(VaultError::Manifest)?;
        self.save(manifest, now)
    }

    /// Enters the key that a rotation has put in place, or drops the announcement of one that never was.
    pub(super) fn conclude(&mut self, now: Nanos) -> Result<(), VaultError> {
        let mut manifest = self.manifest.clone().ok_or(VaultError::Manifest)?;
        let Some(pending) = manifest.pending.take() else { return Ok(()) };
        let in_place = self.usable.get(&pending.category).map(|lines| lines.first().fingerprint());
        if in_place.as_ref() == Some(&pending.fingerprint) {
            for entry in manifest.keys.iter_mut().filter(|entry| entry.category == pending.category) {
                entry.fingerprint = pending.fingerprint.clone();
                entry.rotated_utc = Some(format_time(now));
            }
        }
        self.save(manifest, now)
    }

    /// Puts a new `env` key in the place of a lost one, with a manifest of the keys as they are now: the old manifest
    /// went with the old key.
    pub(super) fn refound(&mut self, env: Key, now: Nanos) -> Result<(), VaultError> {
        let lines = KeyLines::one(env);
        let mut keys: Vec<Entry> = vec![entry(Category::Env, &lines, now)];
        let others = self.usable.iter().filter(|(category, _)| **category != Category::Env);
        keys.extend(others.map(|(category, lines)| entry(*category, lines, now)));
        let complete = Category::ALL.into_iter().all(|category| keys.iter().any(|e| e.category == category));
        self.put(Category::Env, lines)?;
        self.save(Manifest { v: MANIFEST_VERSION, complete, keys, pending: None }, now)
    }

    /// Whether there is a readable manifest.
    pub(super) fn has_manifest(&self) -> bool {
        self.manifest.is_some()
    }

    /// Writes a key file.
    pub(super) fn put(&mut self, category: Category, lines: KeyLines) -> Result<(), VaultError> {
        self.disk.write(&category.key_path(), lines.content().as_bytes())?;
        self.refused.remove(&category);
        self.usable.insert(category, lines);
        Ok(())
    }

    fn save(&mut self, manifest: Manifest, now: Nanos) -> Result<(), VaultError> {
        let plain = serde_json::to_vec(&manifest).map_err(|_| VaultError::Manifest)?;
        let token = self.get(Category::Env)?.seal(&plain, now);
        self.disk.write(layout::MANIFEST, token.as_bytes())?;
        self.manifest = Some(manifest);
        Ok(())
    }
}

/// Whether a key can exist before there is a manifest.
fn is_first(category: Category) -> bool {
    matches!(category, Category::Audit | Category::Env)
}

fn entry(category: Category, lines: &KeyLines, now: Nanos) -> Entry {
    let fingerprint = lines.first().fingerprint();
    Entry { category, fingerprint, created_utc: format_time(now), rotated_utc: None }
}
