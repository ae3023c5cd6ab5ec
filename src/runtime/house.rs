//! Everything the core owns, behind one lock: the data folder with its keys, users and sessions, and the bot's state.
//!
//! The lock is held for short work in memory and single writes to the disk. Passwords are hashed outside of it.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use secrecy::ExposeSecret;

use super::brokerage::Brokerage;
use super::clock::{self, ClockSource, NeedsLoopback};
use super::logs::{LogBook, LogRule};
use super::provisioning::Provisioning;
use super::rebalance::Rebalance;
use super::setup::Setup;
use super::stored_settings::{StoredSettings, StoredSettingsError};
use super::test_mode::TestMode;
use super::trading::Trading;
use super::{BotState, Phase, StateError, StateFile, phase, start, test_mode};
use crate::accounting::Books;
use crate::market::Nanos;
use crate::notify::Notifier;
use crate::vault::audit::Audit;
use crate::vault::lockout::{Lockout, LockoutRule, Throttle};
use crate::vault::sessions::{SessionRule, Sessions};
use crate::vault::users::{Storage, Users};
use crate::vault::{
    Category, Disk, DiskError, DiskFinding, KeyLines, Keys, SecretFields, SecretFile, VaultError, secrets,
};

/// The core cannot start at all.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be owned.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The keys cannot be read.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Trading would follow a clock that the configuration forbids.
    #[error(transparent)]
    Clock(#[from] NeedsLoopback),
}

/// What the core owns.
pub struct House {
    /// The data folder.
    pub disk: Disk,
    /// Its keys.
    pub keys: Keys,
    /// Its audit log.
    pub audit: Audit,
    /// The bot's state.
    pub state: StateFile,
    /// Users; `None` before the provisioning, or if their database cannot be read.
    pub users: Option<Users>,
    /// Chart of accounts and ledger; `None` before the provisioning, or if they cannot be read.
    pub books: Option<Books>,
    /// Who is logged in.
    pub sessions: Sessions,
    /// Takes the place of a session key that is lost: somebody must be able to log in and replace it.
    spare: KeyLines,
    /// Failed logins.
    pub lockout: Lockout,
    /// Attempts by address.
    pub throttle: Throttle,
    /// Refusals of the gate that are audited, by address: nobody who is not logged in can fill the disk with them.
    pub denials: Throttle,
    /// What the start checks found; why the state is `error`.
    pub faults: Vec<String>,
    /// What proves that somebody may set the bot up.
    pub setup: Setup,
    /// How far the provisioning is.
    pub provisioning: Provisioning,
    /// The version of the program, such as `v1.0.0`.
    pub version: String,
    /// The logs.
    pub logs: Arc<LogBook>,
    /// TEST_MODE.
    pub test: Arc<TestMode>,
    /// What tells people.
    pub notifier: Notifier,
    /// How many alerts were given since the start.
    pub alerts: u64,
    /// The trading session.
    pub trading: Trading,
    /// The broker.
    pub brokerage: Brokerage,
    /// Which clock trading follows.
    pub clock_source: ClockSource,
    /// How far the float is from its target.
    pub rebalance: Rebalance,
    /// The settings, once they were asked for.
    settings: Option<StoredSettings>,
    /// What every request asks for, once it was.
    names: RefCell<Option<Names>>,
}

/// Who the bot is and how it is reached, as encrypted files have it.
struct Names {
    /// [`Disk::secrets_version`] before they were read.
    version: u64,
    identity: String,
    public_origin: Option<String>,
}

impl House {
    /// Opens the data folder and checks what is in it. What is wrong there becomes the state `error`, not an error
    /// here: somebody must be able to see it.
    ///
    /// # Errors
    /// Another process owns the folder, the disk refuses, or trading may not follow this clock.
    pub fn open(root: &Path, version: &str, clock: ClockSource, now: Nanos) -> Result<House, StartError> {
        let (disk, repaired) = Disk::open(root)?;
        House::open_on(disk, &repaired, version, clock, now)
    }

    /// As [`House::open`], on a data folder that is open. `repaired`: what opening it has put right.
    ///
    /// # Errors
    /// The disk refuses, or trading may not follow this clock; then nothing was changed.
    pub fn open_on(
        disk: Disk,
        repaired: &[DiskFinding],
        version: &str,
        clock_source: ClockSource,
        now: Nanos,
    ) -> Result<House, StartError> {
        let (keys, _) = Keys::open(&disk)?;
        let audit = match keys.get(Category::Audit) {
            Ok(lines) => Audit::open(disk.clone(), lines, keys.is_complete()),
            Err(_) => Audit::before_keys(disk.clone()),
        };
        let (state, readable) = match StateFile::open(disk.clone()) {
            Ok(state) => (state, true),
            Err(StateError::Disk(error)) => return Err(error.into()),
            Err(_) => (StateFile::unreadable(disk.clone()), false),
        };
        let mut house = House {
            setup: Setup::open(&disk)?,
            logs: Arc::new(LogBook::new(disk.path())),
            disk,
            keys,
            audit,
            state,
            users: None,
            books: None,
            sessions: Sessions::new(SessionRule::default()),
            spare: KeyLines::volatile()?,
            lockout: Lockout::new(LockoutRule::default(), []),
            throttle: Throttle::default(),
            denials: Throttle::default(),
            faults: Vec::new(),
            provisioning: Provisioning::default(),
            version: version.to_string(),
            test: Arc::default(),
            notifier: Notifier::default(),
            alerts: 0,
            trading: Trading::default(),
            brokerage: Brokerage::default(),
            clock_source,
            rebalance: Rebalance::default(),
            settings: None,
            names: RefCell::default(),
        };
        clock::check_stored(&house)?;
        start::begin(&mut house, repaired, readable, now);
        house.trading = Trading::left_in(house.bot_state());
        test_mode::end_what_was_left(&mut house, now);
        Ok(house)
    }

    /// The settings. They are read once, and again after [`House::forget_settings`].
    ///
    /// # Errors
    /// There are none, or they cannot be used.
    pub fn settings(&mut self) -> Result<&StoredSettings, StoredSettingsError> {
        if self.settings.is_none() {
            let stored = StoredSettings::read(&self.disk, &self.keys)?;
            self.take_settings(stored);
        }
        self.settings.as_ref().ok_or(StoredSettingsError::Missing)
    }

    /// Follows other settings from now on.
    pub fn take_settings(&mut self, stored: StoredSettings) {
        self.logs.set_rule(LogRule::of(&stored.settings));
        self.trading.follow(&stored.settings);
        self.settings = Some(stored);
        self.refresh_notices();
    }

    /// The settings may be others on the disk.
    pub fn forget_settings(&mut self) {
        self.settings = None;
    }

    /// How many users there are; `None` if that cannot be told, because there is no database or it cannot be read.
    pub fn user_count(&self) -> Option<u64> {
        self.users.as_ref()?.count().ok()
    }

    /// What is open. Users that cannot be counted count as users: their loss must not open the registration.
    pub fn phase(&self) -> Phase {
        let provisioned = self.keys.is_complete();
        let users = self.user_count().unwrap_or(u64::from(provisioned));
        phase(self.state.state(), users, provisioned)
    }

    /// The users, and where a change of them goes.
    pub fn users_to_change(&mut self) -> (Storage<'_>, Option<&mut Users>) {
        (Storage { disk: &self.disk, keys: &self.keys }, self.users.as_mut())
    }

    /// The keys of session tokens.
    pub fn session_keys(&self) -> &KeyLines {
        self.keys.get(Category::Session).unwrap_or(&self.spare)
    }

    /// The bot's state.
    pub fn bot_state(&self) -> BotState {
        self.state.state()
    }

    /// Entity, jurisdiction, broker and bot joined by `_`; empty before the configuration.
    pub fn identity(&self) -> String {
        self.names(|names| names.identity.clone())
    }

    /// The origin under which browsers reach the web, if the configuration names one.
    pub fn public_origin(&self) -> Option<String> {
        self.names(|names| names.public_origin.clone())
    }

    /// The keys may be others than before, or files may have been changed by hand.
    pub fn take_keys(&mut self, keys: Keys) {
        self.keys = keys;
        self.names.take();
    }

    fn names<T>(&self, get: impl Fn(&Names) -> T) -> T {
        let version = self.disk.secrets_version();
        let mut kept = self.names.borrow_mut();
        let names = match kept.take() {
            Some(names) if names.version == version => names,
            _ => self.read_names(version),
        };
        get(kept.insert(names))
    }

    fn read_names(&self, version: u64) -> Names {
        let read = |file| secrets::read_fields(&self.disk, &self.keys, file).ok().flatten();
        let text = |fields: &SecretFields, name| fields.get(name).map_or("", |value| value.expose_secret()).to_string();
        let parts = ["ENTITY_CODE", "JURISDICTION_CODE", "BROKER_CODE", "BOT_ID"];
        let identity = read(SecretFile::BotIdentity).map(|fields| parts.map(|name| text(&fields, name)).join("_"));
        let origin = read(SecretFile::NetworkConfig).map(|fields| text(&fields, "PUBLIC_ORIGIN"));
        Names {
            version,
            identity: identity.unwrap_or_default(),
            public_origin: origin.filter(|origin| !origin.is_empty()),
        }
    }
}
