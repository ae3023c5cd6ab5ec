//! What is inside a backup: JSON with the decrypted files.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{BackupError, BackupKind};
use crate::market::{Nanos, format_time};
use crate::vault::Category;
use crate::vault::key::sha256;
use crate::vault::secrets::Text;

/// Version of the content.
pub(super) const SCHEMA: u32 = 1;

/// One decrypted file.
pub(super) struct Entry {
    /// Relative to the data folder.
    pub path: String,
    /// The key it is under on the disk.
    pub category: Category,
    /// Its content.
    pub plain: Zeroizing<Vec<u8>>,
}

#[derive(Serialize)]
struct Out<'a> {
    schema: u32,
    kind: BackupKind,
    created_utc: String,
    files: Vec<FileOut<'a>>,
}

#[derive(Serialize)]
struct FileOut<'a> {
    path: &'a str,
    category: Category,
    sha256: String,
    content: &'a str,
}

#[derive(Deserialize)]
struct Version {
    schema: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct In {
    #[serde(rename = "schema")]
    _schema: u32,
    #[serde(rename = "kind")]
    _kind: BackupKind,
    #[serde(rename = "created_utc")]
    _created_utc: String,
    files: Vec<FileIn>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileIn {
    path: String,
    category: Category,
    sha256: String,
    content: Text,
}

/// The plain content of a backup.
pub(super) fn write(entries: &[Entry], kind: BackupKind, now: Nanos) -> Result<Zeroizing<Vec<u8>>, BackupError> {
    let contents: Vec<SecretString> =
        entries.iter().map(|entry| SecretString::from(STANDARD.encode(entry.plain.as_slice()))).collect();
    let files = entries.iter().zip(&contents).map(|(entry, content)| FileOut {
        path: &entry.path,
        category: entry.category,
        sha256: sha256(&entry.plain),
        content: content.expose_secret(),
    });
    let out = Out { schema: SCHEMA, kind, created_utc: format_time(now), files: files.collect() };
    // Enough room that nothing is moved while it is written.
    let room = contents.iter().map(|content| content.expose_secret().len() + 512).sum::<usize>() + 512;
    let mut plain = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *plain, &out).map_err(|_| BackupError::Content { what: "no JSON" })?;
    Ok(plain)
}

/// Reads the plain content of a backup and checks its sums.
pub(super) fn read(plain: &[u8]) -> Result<Vec<Entry>, BackupError> {
    let wrong = |what| BackupError::Content { what };
    let Version { schema } = serde_json::from_slice(plain).map_err(|_| wrong("no JSON with a version"))?;
    if schema != SCHEMA {
        return Err(BackupError::Schema { found: schema, supported: SCHEMA });
    }
    let content: In = serde_json::from_slice(plain).map_err(|_| wrong("no list of files"))?;
    let mut entries = Vec::with_capacity(content.files.len());
    for file in content.files {
        let decoded =
            STANDARD.decode(file.content.0.expose_secret()).map_err(|_| wrong("a file that is not base64"))?;
        let plain = Zeroizing::new(decoded);
        if sha256(&plain) != file.sha256 {
            return Err(wrong("a file that does not fit its checksum"));
        }
        entries.push(Entry { path: file.path, category: file.category, plain });
    }
    Ok(entries)
}
