//! One Fernet key, and the lines of a key file.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use fernet::Fernet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::VaultError;
use crate::market::{Nanos, SECOND};

/// Length of a key's text: 32 bytes in base64 with URL-safe letters and its padding.
const TEXT_LENGTH: usize = 44;

/// The first 16 hex digits of the SHA-256 of the 32 bytes of a key: names a key without telling it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The 16 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Fernet key (AES-128-CBC and HMAC-SHA256). It is overwritten when dropped and cannot be printed or serialized.
#[derive(Clone)]
pub struct Key {
    bytes: Zeroizing<[u8; 32]>,
    fernet: Fernet,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key([REDACTED])")
    }
}

impl Key {
    /// A key of fresh random bytes of the system.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn generate() -> Result<Key, VaultError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        getrandom::fill(bytes.as_mut()).map_err(|_| VaultError::NoRandomness)?;
        Key::from_bytes(bytes).ok_or(VaultError::NoRandomness)
    }

    /// The key of 32 bytes, derived from a passphrase or read from a file.
    pub(super) fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Option<Key> {
        let text = Zeroizing::new(URL_SAFE.encode(bytes.as_ref()));
        let fernet = Fernet::new(&text)?;
        Some(Key { bytes, fernet })
    }

    /// Reads the text of a key: exactly 44 characters. The `fernet` crate alone would also take a key without its
    /// padding, which other implementations refuse.
    pub(super) fn parse(text: &[u8]) -> Option<Key> {
        if text.len() != TEXT_LENGTH {
            return None;
        }
        let mut decoded = Zeroizing::new([0u8; 33]);
        let length = URL_SAFE.decode_slice(text, decoded.as_mut()).ok()?;
        if length != 32 {
            return None;
        }
        let mut bytes = Zeroizing::new([0u8; 32]);
        bytes.copy_from_slice(&decoded[..32]);
        Key::from_bytes(bytes)
    }

    /// The text of the key, for its key file only.
    fn text(&self) -> Zeroizing<String> {
        Zeroizing::new(URL_SAFE.encode(self.bytes.as_ref()))
    }

    /// Names the key.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(hex(&Sha256::digest(self.bytes.as_ref())[..8]))
    }

    /// The 32 bytes, from which the key of the audit chain is derived.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// Encrypts. `now` is the time stamp in the token, which nothing here relies on; a time before 1970 counts as 1970.
    pub fn seal(&self, plain: &[u8], now: Nanos) -> String {
        self.fernet.encrypt_at_time(plain, u64::try_from(now / SECOND).unwrap_or(0))
    }

    /// Decrypts a token of any age and of any time stamp; `None` if it is none of this key.
    ///
    /// Time stamps are not judged: what lies on the disk must stay readable after the clock was set back. Whoever
    /// needs an expiry keeps it elsewhere. (The crate's own check of an age adds unchecked numbers of the sender
    /// before it knows that the token is genuine.)
    pub fn open(&self, token: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        /// The crate adds a tolerance of a minute to this.
        const END_OF_TIME: u64 = u64::MAX - 60;
        let token = std::str::from_utf8(token).ok()?;
        let token = token.strip_suffix('\n').unwrap_or(token);
        self.fernet.decrypt_at_time(token, None, END_OF_TIME).ok().map(Zeroizing::new)
    }
}

/// The keys of one key file: the first encrypts, every one decrypts. There are two only while a key is rotated.
#[derive(Debug, Clone)]
pub struct KeyLines {
    lines: Vec<Key>,
}

impl KeyLines {
    /// A key that exists in memory only, for what need not outlive the process.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub fn volatile() -> Result<KeyLines, VaultError> {
        Key::generate().map(KeyLines::one)
    }

    /// A single key.
    pub(super) fn one(key: Key) -> KeyLines {
        KeyLines { lines: vec![key] }
    }

    /// The new key before the old one.
    pub(super) fn rotating(new: Key, old: Key) -> KeyLines {
        KeyLines { lines: vec![new, old] }
    }

    /// Reads a key file: one or two keys, a line each.
    pub(super) fn parse(content: &[u8]) -> Option<KeyLines> {
        let content = content.strip_suffix(b"\n").unwrap_or(content);
        let lines = content.split(|byte| *byte == b'\n').map(Key::parse).collect::<Option<Vec<Key>>>()?;
        (lines.len() <= 2).then_some(KeyLines { lines })
    }

    /// The content of the key file.
    pub(super) fn content(&self) -> Zeroizing<String> {
        let mut content = Zeroizing::new(String::with_capacity(self.lines.len() * (TEXT_LENGTH + 1)));
        for key in &self.lines {
            content.push_str(&key.text());
            content.push('\n');
        }
        content
    }

    /// The key that encrypts.
    pub fn first(&self) -> &Key {
        &self.lines[0]
    }

    /// All keys, the encrypting one first.
    pub fn all(&self) -> &[Key] {
        &self.lines
    }

    /// Encrypts with the first key.
    pub fn seal(&self, plain: &[u8], now: Nanos) -> String {
        self.first().seal(plain, now)
    }

    /// Decrypts with whichever key fits.
    pub fn open(&self, token: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.lines.iter().find_map(|key| key.open(token))
    }
}

/// Lower-case hex digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 in 64 hex digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    let mut digest = Sha256::digest(bytes);
    let text = hex(&digest);
    digest.as_mut_slice().zeroize();
    text
}
