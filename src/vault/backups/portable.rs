//! Encryption under a passphrase.
//!
//! A portable backup is one line of parameters and one Fernet token:
//!
//! ```text
//! tbot-portable-1 scrypt log_n=17 r=8 p=1 salt=<32 hex digits>
//! gAAAAA...
//! ```
//!
//! The 32 bytes of the Fernet key are scrypt (RFC 7914) of the passphrase in UTF-8, which every trial must pay for with
//! memory (128 * r * 2^log_n bytes, here 128 MiB). Python reads such a file with `hashlib.scrypt` and `cryptography`
//! alone, so a backup does not depend on this program. (The rule "bcrypt and nothing else" is about passwords of users;
//! bcrypt gives no key.)

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::BackupError;
use crate::market::Nanos;
use crate::vault::key::hex;
use crate::vault::{Key, VaultError};

/// How the first line begins.
const MAGIC: &str = "tbot-portable-1 scrypt";
/// Longest first line.
const HEADER_LIMIT: usize = 128;
/// Block size of scrypt.
const R: u32 = 8;
/// Parallelism of scrypt.
const P: u32 = 1;
/// Shortest and longest passphrase in bytes.
const PASSPHRASE: std::ops::RangeInclusive<usize> = 12..=1024;

const NO_HEADER: BackupError = BackupError::NotPortable { what: "no first line of parameters" };
const NO_TOKEN: BackupError = BackupError::NotPortable { what: "no token after the first line" };

/// The logarithm to base 2 of scrypt's cost N.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cost(u8);

impl Cost {
    /// The recommended cost: 128 MiB and about half a second a trial.
    pub const STANDARD: Cost = Cost(17);

    /// A cost between 2^10 (1 MiB, for tests) and 2^18 (256 MiB); `None` beyond.
    pub fn new(log_n: u8) -> Option<Cost> {
        (10..=18).contains(&log_n).then_some(Cost(log_n))
    }
}

/// Encrypts under a passphrase.
pub(super) fn seal(plain: &[u8], passphrase: &SecretString, cost: Cost, now: Nanos) -> Result<String, VaultError> {
    let found = passphrase.expose_secret().len();
    if !PASSPHRASE.contains(&found) {
        return Err(BackupError::PassphraseLength { found, min: *PASSPHRASE.start(), max: *PASSPHRASE.end() }.into());
    }
    let mut salt = [0u8; 16];
    getrandom::fill(&mut salt).map_err(|_| VaultError::NoRandomness)?;
    let token = derive(passphrase, &salt, cost)?.seal(plain, now);
    Ok(format!("{MAGIC} log_n={} r={R} p={P} salt={}\n{token}\n", cost.0, hex(&salt)))
}

/// Decrypts with a passphrase.
pub(super) fn open(content: &[u8], passphrase: &SecretString) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let (cost, salt, token) = split(content)?;
    if passphrase.expose_secret().len() > *PASSPHRASE.end() {
        return Err(BackupError::WrongPassphrase.into());
    }
    Ok(derive(passphrase, &salt, cost)?.open(token).ok_or(BackupError::WrongPassphrase)?)
}

/// Looks at a file that arrives in parts: whether it is a portable backup, as far as that shows without the passphrase.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The beginning of the file, until its first line has ended.
    header: Vec<u8>,
    header_ended: bool,
    has_token: bool,
}

impl Reading {
    /// Looks at the next part.
    ///
    /// # Errors
    /// No portable backup begins like this.
    pub(super) fn take(&mut self, mut part: &[u8]) -> Result<(), BackupError> {
        if !self.header_ended {
            let room = HEADER_LIMIT - self.header.len();
            let end = part.iter().take(room).position(|byte| *byte == b'\n');
            let (line, rest) = part.split_at(end.unwrap_or(part.len().min(room)));
            self.header.extend_from_slice(line);
            if end.is_none() {
                return if self.header.len() < HEADER_LIMIT { Ok(()) } else { Err(NO_HEADER) };
            }
            parameters(&self.header)?;
            self.header_ended = true;
            part = &rest[1..];
        }
        if !is_token(part) {
            return Err(NO_TOKEN);
        }
        self.has_token |= !part.is_empty();
        Ok(())
    }

    /// Nothing more comes.
    ///
    /// # Errors
    /// What came is not the whole of a portable backup.
    pub(super) fn end(&self) -> Result<(), BackupError> {
        match (self.header_ended, self.has_token) {
            (false, _) => Err(NO_HEADER),
            (true, false) => Err(NO_TOKEN),
            (true, true) => Ok(()),
        }
    }
}

fn split(content: &[u8]) -> Result<(Cost, [u8; 16], &[u8]), BackupError> {
    let end = content.iter().take(HEADER_LIMIT).position(|byte| *byte == b'\n').ok_or(NO_HEADER)?;
    let (cost, salt) = parameters(&content[..end])?;
    let token = &content[end + 1..];
    if token.is_empty() || !is_token(token) {
        return Err(NO_TOKEN);
    }
    Ok((cost, salt, token))
}

fn is_token(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'\n'))
}

/// The cost and the salt of a first line.
fn parameters(header: &[u8]) -> Result<(Cost, [u8; 16]), BackupError> {
    let wrong = |what| BackupError::NotPortable { what };
    let header = std::str::from_utf8(header).map_err(|_| NO_HEADER)?;
    let fields = header.strip_prefix(MAGIC).ok_or_else(|| wrong("another kind of file"))?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [log_n, r, p, salt] = fields[..] else { return Err(wrong("other parameters than log_n, r, p and salt")) };
    if r != format!("r={R}") || p != format!("p={P}") {
        return Err(wrong("parameters other than r=8 and p=1"));
    }
    let cost = log_n.strip_prefix("log_n=").and_then(|n| n.parse().ok()).and_then(Cost::new);
    let cost = cost.ok_or_else(|| wrong("log_n is not between 10 and 18"))?;
    let salt = salt.strip_prefix("salt=").and_then(unhex).ok_or_else(|| wrong("no salt of 32 hex digits"))?;
    Ok((cost, salt))
}

fn unhex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0u8; 16];
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
    }
    Some(bytes)
}

fn derive(passphrase: &SecretString, salt: &[u8], cost: Cost) -> Result<Key, BackupError> {
    let failed = BackupError::NotPortable { what: "parameters that scrypt refuses" };
    let params = scrypt::Params::new(cost.0, R, P, 32).map_err(|_| failed.clone())?;
    let mut bytes = Zeroizing::new([0u8; 32]);
    scrypt::scrypt(passphrase.expose_secret().as_bytes(), salt, &params, bytes.as_mut()).map_err(|_| failed.clone())?;
    Key::from_bytes(bytes).ok_or(failed)
}
