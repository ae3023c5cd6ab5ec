//! Secret fields and texts, which exist on the disk as tokens only.
//!
//! A file of fields is a Fernet token of `{"v":1,"category":"broker","sha256":"...","data":{"NAME":"value"}}`. The
//! category inside is what keeps files from being exchanged: Fernet has no associated data. The second file of a category
//! has its path in it, too (`"file":"storage/secrets/..."`), and so cannot be read in the place of the first. `sha256` is
//! taken of `data` as compact JSON with its names in order.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::key::sha256;
use super::layout::{SecretFile, TextFile};
use super::{Category, DatabaseFile, Disk, Keys, VaultError, database};
use crate::market::Nanos;

/// A file of secrets has at most this many bytes.
pub(super) const SECRET_LIMIT: usize = 1024 * 1024;
/// Version of the envelope.
const ENVELOPE_VERSION: u32 = 1;

/// Secret values by name. Values are overwritten when dropped; printing shows the names only.
#[derive(Clone, Default)]
pub struct SecretFields(BTreeMap<String, SecretString>);

impl fmt::Debug for SecretFields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, "[REDACTED]"))).finish()
    }
}

impl SecretFields {
    /// No fields.
    pub fn new() -> SecretFields {
        SecretFields::default()
    }

    /// Sets a field.
    pub fn set(&mut self, name: &str, value: SecretString) {
        self.0.insert(name.to_string(), value);
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&SecretString> {
        self.0.get(name)
    }

    /// Whether a field is there and not empty.
    pub fn is_set(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !value.expose_secret().is_empty())
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Room that the fields take at most as JSON, so that nothing is moved while it is written.
    fn room(&self) -> usize {
        // A control character becomes six bytes.
        let text: usize = self.0.iter().map(|(name, value)| name.len() + value.expose_secret().len()).sum();
        6 * text + 8 * self.0.len() + 384
    }
}

/// The fields as JSON. A type of its own, so that nobody serializes fields by accident.
struct Exposed<'a>(&'a SecretFields);

impl Serialize for Exposed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.0.len()))?;
        for (name, value) in &self.0.0 {
            map.serialize_entry(name, value.expose_secret())?;
        }
        map.end()
    }
}

/// Fields out of JSON; each name once, each value a text.
struct Taken(SecretFields);

impl<'de> Deserialize<'de> for Taken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = Taken;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Taken, A::Error> {
                let mut fields = SecretFields::new();
                while let Some((name, Text(value))) = map.next_entry::<String, Text>()? {
                    if fields.0.insert(name, value).is_some() {
                        return Err(serde::de::Error::custom("a name occurs twice"));
                    }
                }
                Ok(Taken(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// One value, taken without an intermediate `String`.
pub(super) struct Text(pub(super) SecretString);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_str<E>(self, text: &str) -> Result<Text, E> {
                Ok(Text(SecretString::from(Box::<str>::from(text))))
            }
        }
        deserializer.deserialize_str(Value)
    }
}

#[derive(Serialize)]
struct EnvelopeOut<'a> {
    v: u32,
    category: Category,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'static str>,
    sha256: &'a str,
    data: Exposed<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeIn {
    v: u32,
    category: Category,
    #[serde(default)]
    file: Option<String>,
    sha256: String,
    data: Taken,
}

/// The plain content of a file of fields.
pub(super) fn wrap(file: SecretFile, fields: &SecretFields) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let category = file.category();
    let sum = checksum(category, fields)?;
    let file = file.is_second().then(|| file.path());
    let envelope = EnvelopeOut { v: ENVELOPE_VERSION, category, file, sha256: &sum, data: Exposed(fields) };
    to_json(category, &envelope, fields.room())
}

/// Reads the plain content of a file of fields and checks that it is what belongs there.
pub(super) fn unwrap(file: SecretFile, plain: &[u8]) -> Result<SecretFields, VaultError> {
    let category = file.category();
    let envelope: EnvelopeIn = serde_json::from_slice(plain)
        .map_err(|_| VaultError::Content { category, what: "no envelope of version, category, checksum and data" })?;
    // Another file in this place is as unreadable as one under another key.
    if envelope.category != category || envelope.file.is_some_and(|path| path != file.path()) {
        return Err(VaultError::Decrypt { category });
    }
    if envelope.v != ENVELOPE_VERSION {
        return Err(VaultError::Content { category, what: "another version of the envelope" });
    }
    if checksum(category, &envelope.data.0)? != envelope.sha256 {
        return Err(VaultError::Content { category, what: "data that do not fit their checksum" });
    }
    Ok(envelope.data.0)
}

fn checksum(category: Category, fields: &SecretFields) -> Result<String, VaultError> {
    Ok(sha256(&to_json(category, &Exposed(fields), fields.room())?))
}

fn to_json(category: Category, value: &impl Serialize, room: usize) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut plain = Zeroizing::new(Vec::with_capacity(room));
    serde_json::to_writer(&mut *plain, value)
        .map_err(|_| VaultError::Content { category, what: "fields that are no JSON" })?;
    Ok(plain)
}

/// Reads a file of fields; `None` if there is none.
///
/// # Errors
/// It cannot be decrypted, is of another category, or damaged.
pub fn read_fields(disk: &Disk, keys: &Keys, file: SecretFile) -> Result<Option<SecretFields>, VaultError> {
    let category = file.category();
    open_file(disk, keys, file.path(), category, SECRET_LIMIT)?.map(|plain| unwrap(file, &plain)).transpose()
}

/// Replaces a file of fields.
///
/// # Errors
/// The key is not usable, the fields are too large, or the disk refused.
pub fn write_fields(
    disk: &Disk,
    keys: &Keys,
    file: SecretFile,
    fields: &SecretFields,
    now: Nanos,
) -> Result<(), VaultError> {
    let plain = wrap(file, fields)?;
    seal_file(disk, keys, file.path(), file.category(), &plain, SECRET_LIMIT, now)
}

/// Reads an encrypted text; `None` if there is none.
///
/// # Errors
/// It cannot be decrypted or is no text.
pub fn read_text(disk: &Disk, keys: &Keys, file: TextFile) -> Result<Option<SecretString>, VaultError> {
    let category = file.category();
    let Some(plain) = open_file(disk, keys, file.path(), category, SECRET_LIMIT)? else { return Ok(None) };
    Ok(Some(SecretString::from(Box::<str>::from(text_of(category, &plain)?))))
}

/// Replaces an encrypted text.
///
/// # Errors
/// The key is not usable, the text is too large, or the disk refused.
pub fn write_text(disk: &Disk, keys: &Keys, file: TextFile, text: &str, now: Nanos) -> Result<(), VaultError> {
    seal_file(disk, keys, file.path(), file.category(), text.as_bytes(), SECRET_LIMIT, now)
}

fn text_of(category: Category, plain: &[u8]) -> Result<&str, VaultError> {
    let text = std::str::from_utf8(plain).map_err(|_| VaultError::Content { category, what: "no UTF-8 text" })?;
    if text.contains('\0') {
        return Err(VaultError::Content { category, what: "a text with NUL characters" });
    }
    Ok(text)
}

/// Whether decrypted bytes are what belongs into the file at `path`, whose category is `category`.
pub(super) fn check_content(path: &str, category: Category, plain: &[u8]) -> Result<(), VaultError> {
    if let Some(file) = SecretFile::ALL.into_iter().find(|file| file.path() == path) {
        return unwrap(file, plain).map(drop);
    }
    if let Some(file) = DatabaseFile::ALL.into_iter().find(|file| file.path() == path) {
        return database::check_image(file, plain);
    }
    text_of(category, plain).map(drop)
}

/// The token of a plain content has at most this many bytes: 57 of frame, padding, and four letters for three bytes.
pub(super) const fn token_limit(plain: usize) -> usize {
    (plain + 128) / 3 * 4 + 4
}

/// Reads and decrypts a file; `None` if there is none.
pub(super) fn open_file(
    disk: &Disk,
    keys: &Keys,
    path: &str,
    category: Category,
    limit: usize,
) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
    let Some(token) = disk.read(path, token_limit(limit))? else { return Ok(None) };
    keys.get(category)?.open(&token).map(Some).ok_or(VaultError::Decrypt { category })
}

/// Encrypts and replaces a file.
pub(super) fn seal_file(
    disk: &Disk,
    keys: &Keys,
    path: &str,
    category: Category,
    plain: &[u8],
    limit: usize,
    now: Nanos,
) -> Result<(), VaultError> {
    if plain.len() > limit {
        return Err(VaultError::TooLarge { category, bytes: plain.len(), limit });
    }
    let token = keys.get(category)?.seal(plain, now);
    Ok(disk.write(path, token.as_bytes())?)
}

/// What is wrong with an encrypted file.
#[derive(Debug)]
pub struct SecretFinding {
    /// The category that is affected.
    pub category: Category,
    /// The file, relative to the data folder.
    pub path: &'static str,
    /// Why.
    pub error: VaultError,
}

/// Decrypts every file of fields, every text and every database once and reports those that cannot be used. With
/// `all_required`, as after a finished provisioning, one that is missing is reported too.
pub fn validate(disk: &Disk, keys: &Keys, all_required: bool) -> Vec<SecretFinding> {
    let mut findings = Vec::new();
    let mut check = |category, path, required: bool, found: Result<bool, VaultError>| match found {
        Ok(true) => {}
        Ok(false) if required && all_required => {
            findings.push(SecretFinding { category, path, error: VaultError::Missing { category } });
        }
        Ok(false) => {}
        Err(error) => findings.push(SecretFinding { category, path, error }),
    };
    for file in SecretFile::ALL {
        let found = read_fields(disk, keys, file).map(|fields| fields.is_some());
        check(file.category(), file.path(), file.is_required(), found);
    }
    for file in TextFile::ALL {
        let found = read_text(disk, keys, file).map(|text| text.is_some());
        check(file.category(), file.path(), true, found);
    }
    for file in DatabaseFile::ALL {
        let found = database::examine(disk, keys, file);
        check(file.category(), file.path(), file == DatabaseFile::Users, found);
    }
    findings
}
