//! Whether a data folder is fit for a session, without changing anything in it.

use secrecy::ExposeSecret;
use serde::Serialize;

use super::layout::{self, SecretFile, TextFile};
use super::secrets::{self, SecretFields};
use super::{Category, Disk, DiskFinding, Keys, VaultError};
use crate::settings::{Key, Settings};

/// Texts that may exist in their encrypted form only.
const PLAIN_TEXTS: [&str; 3] = [".env", ".env_bot", "storage/secrets/.env_bot"];
/// How a variable begins that belongs to one broker. All brokers use `BROKER_API_KEY` and its like.
const BROKER_PREFIXES: [&str; 6] = ["ALPACA_", "APCA_", "IBKR_", "IB_", "TWS_", "TRADIER_"];

/// One examined subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was examined.
    pub module: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What is wrong, without secrets; empty if nothing is.
    pub detail: String,
}

impl Check {
    fn new(module: &'static str, faults: Vec<String>) -> Check {
        Check { module, ok: faults.is_empty(), detail: faults.join("; ") }
    }
}

/// What every vault must pass at any time: its keys fit the manifest, its files can be decrypted, nobody else can
/// read them. The files are examined in memory; what was decrypted is dropped at once.
///
/// # Errors
/// The folder cannot be read at all.
pub fn self_check(disk: &Disk) -> Result<Vec<Check>, VaultError> {
    let (keys, findings) = Keys::open(disk)?;
    let mut faults: Vec<String> = findings.iter().map(ToString::to_string).collect();
    if let Some(category) = keys.rotating() {
        faults.push(format!("the rotation of the category '{category}' has not ended"));
    }
    let modes = disk.examine()?.into_iter().map(|finding| match finding {
        DiskFinding::TooWide { path, found } => format!("{path} has the mode {found:04o}, which lets others in"),
        DiskFinding::LeftOver { path } => format!("{path} is left over"),
    });
    let secrets = secrets::validate(disk, &keys, keys.is_complete()).into_iter();
    Ok(vec![
        Check::new("keys", faults),
        Check::new("files", modes.collect()),
        Check::new("secrets", secrets.map(|finding| finding.error.to_string()).collect()),
    ])
}

/// What must hold before a session: [`self_check`], a finished provisioning, settings that can be read and are of
/// this `version` (such as `v1.0.0`), no text that is plain, and no variable that belongs to one broker.
///
/// # Errors
/// The folder cannot be read at all.
pub fn build_check(disk: &Disk, version: &str) -> Result<Vec<Check>, VaultError> {
    let mut checks = self_check(disk)?;
    let (keys, _) = Keys::open(disk)?;
    let unfinished = (!keys.is_complete()).then(|| "not all keys have been made".to_string());
    checks.push(Check::new("provisioning", unfinished.into_iter().chain(journals(disk)?).collect()));
    let mut plain = Vec::new();
    for path in PLAIN_TEXTS {
        if disk.exists(path)? {
            plain.push(format!("{path} exists in plain"));
        }
    }
    checks.push(Check::new("plain texts", plain));
    checks.push(Check::new("settings", settings(disk, &keys, version)));
    checks.push(Check::new("variables", broker_variables(disk, &keys)));
    Ok(checks)
}

/// Work that was begun and has not ended.
fn journals(disk: &Disk) -> Result<Vec<String>, VaultError> {
    let mut faults = Vec::new();
    if disk.exists(SecretFile::Staged.path())? {
        faults.push("a configuration waits to be provisioned".to_string());
    }
    if disk.exists(layout::RESTORE)? {
        faults.push("a restore has not ended".to_string());
    }
    Ok(faults)
}

fn settings(disk: &Disk, keys: &Keys, version: &str) -> Vec<String> {
    let text = match secrets::read_text(disk, keys, TextFile::EnvBot) {
        Ok(Some(text)) => text,
        Ok(None) => return vec![VaultError::Missing { category: Category::EnvBot }.to_string()],
        Err(error) => return vec![error.to_string()],
    };
    match Settings::parse(text.expose_secret(), ".env_bot") {
        Ok((settings, _)) if settings.text(Key::VersionTag) == version => Vec::new(),
        Ok((settings, _)) => {
            vec![format!("VERSION_TAG is {}; this program is {version}", settings.text(Key::VersionTag))]
        }
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

fn broker_variables(disk: &Disk, keys: &Keys) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    // What cannot be read is reported by the self-check.
    for file in SecretFile::ALL {
        let fields = secrets::read_fields(disk, keys, file).ok().flatten();
        names.extend(fields.iter().flat_map(SecretFields::names).map(str::to_string));
    }
    for file in TextFile::ALL {
        let text = secrets::read_text(disk, keys, file).ok().flatten();
        let lines = text.iter().flat_map(|text| text.expose_secret().lines());
        names.extend(lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim().to_string()));
    }
    names.retain(|name| BROKER_PREFIXES.iter().any(|prefix| name.to_ascii_uppercase().starts_with(prefix)));
    names.sort();
    names.dedup();
    names.iter().map(|name| format!("'{name}' belongs to one broker; use the BROKER_ variables")).collect()
}
