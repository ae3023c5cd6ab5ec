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

/// Whether a file looks like a portable backup.
pub(super) fn check(content: &[u8]) -> Result<(), BackupError> {
    split(content).map(drop)
}

fn split(content: &[u8]) -> Result<(Cost, [u8; 16], &[u8]), BackupError> {
    let wrong = |what| BackupError::NotPortable { what };
    let end = content.iter().take(HEADER_LIMIT).position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| wrong("no first line of parameters"))?;
    let header = std::str::from_utf8(&content[..end]).map_err(|_| wrong("no first line of parameters"))?;
    let fields = header.strip_prefix(MAGIC).ok_or_else(|| wrong("another kind of file"))?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let [log_n, r, p, salt] = fields[..] else { return Err(wrong("other parameters than log_n, r, p and salt")) };
    if r != format!("r={R}") || p != format!("p={P}") {
        return Err(wrong("parameters other than r=8 and p=1"));
    }
    let cost = log_n.strip_prefix("log_n=").and_then(|n| n.parse().ok()).and_then(Cost::new);
    let cost = cost.ok_or_else(|| wrong("log_n is not between 10 and 18"))?;
    let salt = salt.strip_prefix("salt=").and_then(unhex).ok_or_else(|| wrong("no salt of 32 hex digits"))?;
    let token = &content[end + 1..];
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'\n');
    if token.is_empty() || !token.iter().all(is_token) {
        return Err(wrong("no token after the first line"));
    }
    Ok((cost, salt, token))
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
