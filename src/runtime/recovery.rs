//! The ways out of the state `error`.

use secrecy::SecretString;

use super::house::House;
use super::{Event, provisioning, start};
use crate::market::Nanos;
use crate::vault::audit::{Action, Entry};
use crate::vault::{Actor, Category, VaultError, backups, layout};

/// Repeats the start checks; if all pass, the bot is `idle` again.
///
/// # Errors
/// What is still wrong; the state is unchanged.
pub fn acknowledge(house: &mut House, actor: &Actor, now: Nanos) -> Result<(), Vec<String>> {
    house.faults = start::checks(house, now);
    if !house.faults.is_empty() {
        return Err(house.faults.clone());
    }
    let entry = Entry::new(now, actor, Action::ControlAcknowledge, house.bot_state().word(), "ok");
    let recorded = house.audit.record(entry).map_err(|error| vec![error.to_string()]);
    let _recorded = recorded?;
    let applied = house.state.apply(Event::Acknowledged, actor, &mut house.audit, now);
    start::guard_setup(house);
    applied.map(drop).map_err(|error| vec![error.to_string()])
}

/// Removes keys, secrets and databases, so that the bot can be configured anew. The audit log and backups stay.
///
/// # Errors
/// Why not, in words without secrets.
pub fn reset(house: &mut House, actor: &Actor, now: Nanos) -> Result<(), String> {
    house.audit.note(Entry::new(now, actor, Action::StateChange, "reset", "begun"));
    clear(house).map_err(|error| start::safe(&error))?;
    house.faults = Vec::new();
    let applied = house.state.apply(Event::Reset, actor, &mut house.audit, now);
    start::guard_setup(house);
    applied.map(drop).map_err(|_| "the bot's state cannot be changed".to_string())
}

/// Restores a portable backup under new keys: those there were are lost, or nobody could log in with what they
/// protect. The backup is opened before anything is removed.
///
/// # Errors
/// Why not, in words without secrets.
pub fn restore(
    house: &mut House,
    name: &str,
    passphrase: &SecretString,
    actor: &Actor,
    now: Nanos,
) -> Result<(), String> {
    backups::examine(&house.disk, name, passphrase).map_err(|error| start::safe(&error))?;
    house.audit.note(Entry::new(now, actor, Action::BackupRestore, name, "begun"));
    let restored = clear(house).and_then(|()| {
        house.keys.provision(Category::Audit, now)?;
        house.keys.provision(Category::Env, now)?;
        for category in Category::ALL {
            house.keys.provision(category, now)?;
        }
        // A log under a lost key is set aside, and the new one says so.
        let _ = house.audit.begin(house.keys.get(Category::Audit)?, now);
        backups::restore(&house.disk, &house.keys, name, Some(passphrase), now)?;
        house.keys.finish_provisioning(now)
    });
    restored.map_err(|error| start::safe(&error))?;
    house.audit.note(Entry::new(now, actor, Action::BackupRestore, name, "done"));
    acknowledge(house, actor, now).map_err(|faults| faults.join("; "))
}

/// Removes everything that is under a key, and the keys; the audit key only if it cannot be used.
fn clear(house: &mut House) -> Result<(), VaultError> {
    (house.users, house.books) = (None, None);
    house.forget_settings();
    house.sessions.revoke_all();
    super::flags::lower(&house.disk, super::flags::Flag::Provision)?;
    provisioning::remove_secrets(&house.disk)?;
    for file in house.disk.list(layout::SECRETS)? {
        // What a rotation has set aside can be read by nobody.
        house.disk.remove(&format!("{}/{file}", layout::SECRETS))?;
    }
    house.keys.discard()
}
