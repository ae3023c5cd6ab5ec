//! What must hold before the bot does anything: looked at when the core starts, when somebody acknowledges a halt, and
//! at the end of a provisioning.
//!
//! Whatever is wrong with the data folder becomes the state `error` and a list of faults, not an end of the process:
//! somebody must be able to see it. Faults name categories, never contents or paths.

use secrecy::ExposeSecret;

use super::env_file::EnvFile;
use super::house::House;
use super::{BotState, Event, Exposure, clock, provisioning};
use crate::accounting::BooksError;
use crate::market::Nanos;
use crate::settings::{Key, Settings};
use crate::vault::audit::{Action, Entry};
use crate::vault::lockout::Lockout;
use crate::vault::users::{Storage, Users};
use crate::vault::{
    Actor, Category, DiskError, DiskFinding, KeyFinding, Keys, SecretFile, TextFile, VaultError, backups, rotation,
    secrets,
};

/// The words of an error of the vault without a path.
pub fn safe(error: &VaultError) -> String {
    match error {
        VaultError::Disk(error) => safe_disk(error),
        VaultError::Audit(_) => "the audit log cannot be written".to_string(),
        VaultError::Database { category, .. } => format!("a database of the category '{category}' cannot be used"),
        other => other.to_string(),
    }
}

/// The words of an error of the disk without a path.
pub fn safe_disk(error: &DiskError) -> String {
    match error {
        DiskError::SymbolicLink { .. } => "the data folder holds a symbolic link".to_string(),
        error if error.is_full() => "the disk is full".to_string(),
        _ => "the disk refused to read or write".to_string(),
    }
}

/// The words of an error of the books without a path.
pub fn safe_books(error: &BooksError) -> String {
    match error {
        BooksError::Vault(error) => safe(error),
        _ => "the books cannot be read".to_string(),
    }
}

/// Brings a core that was just started to its first state: goes on with what was under way, checks everything, and
/// decides what the state is. `repaired`: what opening the data folder has put right.
pub fn begin(house: &mut House, repaired: &[DiskFinding], state_is_readable: bool, now: Nanos) {
    let core = Actor::core();
    for finding in repaired {
        if let DiskFinding::TooWide { path, found } = finding {
            let entry = Entry::new(now, &core, Action::KeyViolation, path, "repaired");
            house.audit.note(entry.detail(format!("the mode {found:04o} let others in")));
        }
    }
    let mut faults = Vec::new();
    if !state_is_readable {
        faults.push("the bot's state could not be read".to_string());
    }
    let (_, findings) = look_at_keys(house, now);
    let stopped = |finding: &KeyFinding| matches!(finding, KeyFinding::Missing { .. });
    // A roll-back that was stopped leaves keys missing, and nothing else.
    if findings.iter().all(stopped) || house.keys.is_complete() {
        match provisioning::resume(house, now) {
            Ok(_) => {}
            Err(error) => faults.push(error.to_string()),
        }
    }
    let is_provisioning = matches!(house.state.state(), BotState::Provisioning | BotState::Bootstrapping);
    faults.extend(checks(house, now));
    house.faults = faults;
    if !house.faults.is_empty() {
        let exposure = match house.state.state() {
            state if state.in_session() || state.is_closing() => Exposure::Open,
            _ => Exposure::Flat,
        };
        let _ = house.state.apply(Event::Fault(exposure), &core, &mut house.audit, now);
    } else if !is_provisioning && let Err(error) = house.state.apply(Event::CoreStarted, &core, &mut house.audit, now) {
        house.faults.push(error.to_string());
        let _ = house.state.apply(Event::Fault(Exposure::Flat), &core, &mut house.audit, now);
    }
    guard_setup(house);
}

/// Makes the setup token where nobody can log in, and removes it where somebody can. In the state `error` it is a new
/// one.
pub fn guard_setup(house: &mut House) {
    // Without a token nothing can be set up from outside; the fault shows in the log of the core.
    let _ = match house.user_count() {
        Some(users) if users > 0 => house.setup.end(&house.disk).map_err(VaultError::from),
        _ => house.setup.make_token(&house.disk, house.state.state() == BotState::Error),
    };
}

/// Reads the keys again and audits what is wrong with them.
fn look_at_keys(house: &mut House, now: Nanos) -> (Vec<String>, Vec<KeyFinding>) {
    let (keys, findings) = match Keys::open(&house.disk) {
        Ok(found) => found,
        Err(error) => return (vec![safe(&error)], Vec::new()),
    };
    house.take_keys(keys);
    let mut faults = Vec::new();
    if let Ok(lines) = house.keys.get(Category::Audit) {
        let begun = house.audit.begin(lines, now).and_then(|()| house.audit.settle(now));
        if begun.is_err() {
            faults.push("the audit log cannot be written".to_string());
        }
    }
    (faults, findings)
}

/// Looks at everything and takes over what it finds: keys, users, counts of failed logins, limits. Returns what is
/// wrong, without secrets and paths. Changes the state of nothing, and can be repeated at any time.
pub fn checks(house: &mut House, now: Nanos) -> Vec<String> {
    let core = Actor::core();
    let (mut faults, findings) = look_at_keys(house, now);
    for finding in &findings {
        let target = match finding {
            KeyFinding::Missing { category }
            | KeyFinding::Changed { category }
            | KeyFinding::Foreign { category }
            | KeyFinding::Malformed { category } => category.name(),
            KeyFinding::Unknown { .. } => "keys",
            KeyFinding::ManifestMissing | KeyFinding::ManifestUnreadable => "manifest",
        };
        let entry = Entry::new(now, &core, Action::KeyViolation, target, "found");
        house.audit.note(entry.detail(finding.to_string()));
        faults.push(finding.to_string());
    }
    match rotation::resume(&house.disk, &mut house.keys, &mut house.audit, &core, now) {
        Ok(_) => {}
        Err(error) => faults.push(safe(&error)),
    }
    match backups::resume(&house.disk, &house.keys, now) {
        Ok(None) => {}
        Ok(Some(_)) => house.audit.note(Entry::new(now, &core, Action::BackupRestore, "backup", "resumed")),
        Err(error) => faults.push(safe(&error)),
    }
    let provisioned = house.keys.is_complete();
    match house.state.state() {
        BotState::Initialize if provisioned => {
            faults.push("the bot's state says that nothing is configured, but there are keys".to_string());
        }
        state if !state.before_first_idle() && !provisioned => {
            faults.push("the keys are not all there".to_string());
        }
        _ => {}
    }
    // With the key of the manifest lost, what is under the other keys can be read all the same.
    if provisioned || !house.state.state().before_first_idle() {
        for finding in secrets::validate(&house.disk, &house.keys, provisioned) {
            let entry = Entry::new(now, &core, Action::DecryptFail, finding.category.name(), "failed");
            house.audit.note(entry.detail(safe(&finding.error)));
            faults.push(safe(&finding.error));
        }
        house.audit.note(Entry::new(now, &core, Action::SecretDecrypt, "start checks", "done"));
        take_over(house, &mut faults, now);
        house.refresh_notices();
    }
    faults.sort();
    faults.dedup();
    faults
}

/// Users, counts, limits, books, and whether the settings can be used.
fn take_over(house: &mut House, faults: &mut Vec<String>, now: Nanos) {
    let env = match secrets::read_text(&house.disk, &house.keys, TextFile::Env) {
        Ok(Some(text)) => EnvFile::parse(text.expose_secret()).map_err(|why| faults.push(why)).unwrap_or_default(),
        // That it cannot be read is among the faults already.
        _ => EnvFile::default(),
    };
    let lockout = env.lockout_rule().unwrap_or_default();
    house.sessions.set_rule(env.session_rule().unwrap_or_default());
    house.users = Users::open(Storage { disk: &house.disk, keys: &house.keys }).ok().flatten();
    let failures = house.users.as_ref().map(Users::failures).transpose();
    match failures {
        Ok(failures) => house.lockout = Lockout::new(lockout, failures.unwrap_or_default()),
        Err(error) => {
            house.lockout.set_rule(lockout);
            faults.push(safe(&error));
        }
    }
    if let Err(fault) = house.open_books(now) {
        faults.push(fault);
    }
    if let Err(fault) = clock::check_stored(house) {
        faults.push(fault.to_string());
    }
    let Ok(Some(text)) = secrets::read_text(&house.disk, &house.keys, TextFile::EnvBot) else { return };
    match Settings::parse(text.expose_secret(), ".env_bot") {
        Ok((settings, _)) => {
            let identity = secrets::read_fields(&house.disk, &house.keys, SecretFile::BotIdentity).ok().flatten();
            let broker = identity.as_ref().and_then(|fields| fields.get("BROKER_CODE"));
            if let Some(broker) = broker
                && broker.expose_secret() != settings.text(Key::BrokerName)
            {
                faults.push("BROKER_NAME of the settings is not the broker of the configuration".to_string());
            }
        }
        Err(errors) => faults.extend(errors.iter().map(ToString::to_string)),
    }
}
