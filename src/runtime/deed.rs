//! What every privileged deed of the API does: refuse while the bot is at something else, and turn errors of the vault
//! into answers.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::core::Core;
use super::gate::Caller;
use super::house::House;
use super::reply::Refusal;
use super::{BotState, Event, IllegalTransition, StateError};
use crate::vault::audit::{Action, AuditError, Entry, Recorded};
use crate::vault::{BackupError, VaultError};

impl Core {
    /// The right to work on keys or backups as a whole: one at a time.
    ///
    /// # Errors
    /// Somebody else does: 409.
    pub fn upkeep_alone(&self) -> Result<OwnedMutexGuard<()>, Refusal> {
        let busy = "Keys or backups are being worked on. Try again in a moment.";
        Arc::clone(&self.upkeep).try_lock_owned().map_err(|_| Refusal::conflict("busy", busy).retry_after(2))
    }
}

impl House {
    /// Begins a change of settings, configuration or keys: the state becomes `updating`. In `error` and `shutdown` it
    /// stays, for there a change may be what is needed.
    ///
    /// # Errors
    /// The bot trades or closes positions, or another change is under way: 409.
    pub fn begin_update(&mut self, caller: &Caller) -> Result<(), Refusal> {
        match self.bot_state() {
            BotState::Error | BotState::Shutdown => Ok(()),
            BotState::Updating => Err(locked()),
            _ => {
                let begun = self.state.apply(Event::UpdateBegan, &caller.actor(), &mut self.audit, caller.now);
                begun.map(drop).map_err(Refusal::from)
            }
        }
    }

    /// Ends it. If the end cannot be audited now, the background work ends it later.
    pub fn end_update(&mut self, caller: &Caller) {
        if self.bot_state() == BotState::Updating {
            let _ = self.state.apply(Event::UpdateEnded, &caller.actor(), &mut self.audit, caller.now);
        }
    }

    /// Carries out a change between [`House::begin_update`] and [`House::end_update`].
    ///
    /// # Errors
    /// It may not begin now, or what `work` gives.
    pub fn update<T>(
        &mut self,
        caller: &Caller,
        work: impl FnOnce(&mut House) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        self.begin_update(caller)?;
        let done = work(self);
        self.end_update(caller);
        done
    }

    /// As [`House::update`], and also while a session trades: then the bot stays in its state. A session follows the
    /// switches of the settings that take risk away; everything else is for the next one.
    ///
    /// # Errors
    /// As [`House::update`].
    pub fn update_in_session<T>(
        &mut self,
        caller: &Caller,
        work: impl FnOnce(&mut House) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        if self.bot_state().in_session() { work(self) } else { self.update(caller, work) }
    }

    /// Audits what is to be done now.
    ///
    /// # Errors
    /// It cannot be audited, so it must not be done: 503.
    pub fn record(
        &mut self,
        caller: &Caller,
        action: Action,
        target: &str,
        status: &str,
        detail: impl Into<Value>,
    ) -> Result<Recorded, Refusal> {
        let entry = Entry::new(caller.now, &caller.actor(), action, target, status).detail(detail);
        self.audit.record(entry).map_err(|_| Refusal::audit_unavailable())
    }

    /// Audits what was done or happens anyway.
    pub fn note(&mut self, caller: &Caller, action: Action, target: &str, status: &str, detail: impl Into<Value>) {
        self.audit.note(Entry::new(caller.now, &caller.actor(), action, target, status).detail(detail));
    }
}

fn locked() -> Refusal {
    Refusal::conflict("updating", "A change is under way. Try again in a moment.").retry_after(2)
}

impl From<StateError> for Refusal {
    fn from(error: StateError) -> Refusal {
        match error {
            StateError::Illegal(IllegalTransition { from: BotState::Updating, .. }) => locked(),
            StateError::Illegal(IllegalTransition { from, .. }) => {
                Refusal::conflict("wrong_state", format!("This is not possible while the bot is in the state {from}."))
            }
            StateError::Audit(_) => Refusal::audit_unavailable(),
            StateError::Disk(_) => disk(),
            StateError::Unknown(_) => Refusal::internal("The bot's state cannot be read."),
        }
    }
}

impl From<AuditError> for Refusal {
    fn from(error: AuditError) -> Refusal {
        tracing::warn!("refused: {error}");
        match error {
            AuditError::Broken { first_bad_seq, .. } => Refusal::conflict(
                "audit_broken",
                format!("The audit log is broken from entry {first_bad_seq} on; it keeps its key."),
            ),
            _ => Refusal::new(503, "audit_unavailable", "The audit log cannot be read or written."),
        }
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Refusal {
        // Whoever asked is told no path and no query; the log is.
        tracing::warn!("refused: {error}");
        match error {
            VaultError::Disk(_) => disk(),
            VaultError::Audit(_) => Refusal::audit_unavailable(),
            VaultError::Backup(error) => error.into(),
            VaultError::RotationPending { category } => {
                Refusal::conflict("rotation_pending", format!("The rotation of '{category}' has not ended."))
            }
            // These name categories, and never contents.
            VaultError::KeyUnavailable { .. }
            | VaultError::ForeignKey { .. }
            | VaultError::Manifest
            | VaultError::Decrypt { .. }
            | VaultError::Missing { .. }
            | VaultError::Content { .. } => Refusal::conflict("unreadable", format!("Not done: {error}.")),
            VaultError::TooLarge { .. } => Refusal::new(413, "too_large", format!("Not done: {error}.")),
            VaultError::NoRandomness
            | VaultError::EnvKeyFirst { .. }
            | VaultError::Database { .. }
            | VaultError::DatabaseClosed { .. } => {
                Refusal::internal("This failed inside the program. The log says more.")
            }
        }
    }
}

impl From<BackupError> for Refusal {
    fn from(error: BackupError) -> Refusal {
        match &error {
            BackupError::NoSuch { .. } => Refusal::not_found("There is no such backup."),
            BackupError::Exists { .. } => Refusal::conflict("exists", "There is a backup of this second already."),
            BackupError::Empty => Refusal::conflict("empty", "There is nothing to back up."),
            BackupError::PassphraseNeeded => Refusal::invalid_field("passphrase", "A portable backup needs it."),
            BackupError::PassphraseLength { min, max, .. } => {
                Refusal::invalid_field("passphrase", format!("{min} to {max} bytes."))
            }
            BackupError::WrongPassphrase => {
                Refusal::invalid_field("passphrase", "The backup cannot be opened with this passphrase.")
            }
            BackupError::NotPortable { what } => {
                Refusal::invalid_field("file", format!("This is no portable backup: {what}."))
            }
            BackupError::Schema { .. } | BackupError::Content { .. } => {
                Refusal::new(422, "invalid", format!("Not done: {error}."))
            }
        }
    }
}

fn disk() -> Refusal {
    Refusal::new(503, "disk", "The disk refused to read or write. Nothing was lost.").retry_after(10)
}
