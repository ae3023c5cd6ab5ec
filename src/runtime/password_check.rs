//! The one way to check a password: at a login, and again before something grave.
//!
//! An attempt is counted and stored before the password is looked at, and forgiven if it was right. The hash is
//! computed without the lock of the house. Whatever is wrong (nobody of that name, another password, a disabled user,
//! a locked name), the words are the same.

use std::sync::Arc;

use super::core::Core;
use super::gate::Caller;
use super::house::House;
use super::protocol::Secret;
use super::reply::Refusal;
use crate::market::Nanos;
use crate::notify::{Kind, Level, Notice};
use crate::vault::audit::{Action, Entry};
use crate::vault::lockout::{Attempt, AttemptedName, LockoutChange};
use crate::vault::users::{Credentials, HashError, Role, User, Verified};

/// What everybody is told whose name or password is wrong.
pub const WRONG: &str = "User name or password is wrong. After some failures a name is locked for a while.";

/// What a check came to, other than right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Wrong, whatever was.
    Wrong,
    /// The name is locked, or the address asks too often.
    Locked {
        /// Seconds until it is worth trying again.
        retry_after: u64,
    },
    /// As many passwords are being checked as may be; this attempt does not count.
    Busy,
    /// bcrypt or the core failed; this attempt does not count.
    Failed,
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Refusal {
        match failure {
            Failure::Wrong => Refusal::new(401, "wrong_login", WRONG),
            Failure::Locked { retry_after } => Refusal::new(429, "locked", WRONG).retry_after(retry_after),
            Failure::Busy => Refusal::from(HashError::Busy),
            Failure::Failed => Refusal::internal("The password could not be checked."),
        }
    }
}

impl From<HashError> for Refusal {
    fn from(error: HashError) -> Refusal {
        match error {
            HashError::Busy => Refusal::new(429, "busy", "Many passwords are being checked. Try again.").retry_after(2),
            HashError::Stored | HashError::Failed => Refusal::internal("The password could not be hashed."),
        }
    }
}

/// Takes a token of the caller's address.
///
/// # Errors
/// [`Failure::Locked`] until there is one again.
pub fn throttle(house: &mut House, caller: &Caller) -> Result<(), Failure> {
    house
        .throttle
        .take(caller.address(), caller.now)
        .map_err(|locked| Failure::Locked { retry_after: locked.retry_after_s })
}

/// An attempt that was counted, with what the password is compared with.
struct Begun {
    attempt: Attempt,
    credentials: Option<Credentials>,
}

impl Core {
    /// Checks the password of whoever is logged in, before something grave. `current_password`: the field of the
    /// request.
    ///
    /// # Errors
    /// 422 if it is missing (not counted); 403 if it is wrong, 429 if the name is locked, with the words of a login.
    pub async fn reauthenticate(
        self: &Arc<Core>,
        caller: &Arc<Caller>,
        current_password: Option<&Secret>,
    ) -> Result<(), Refusal> {
        let user = caller.user.as_ref().ok_or_else(Refusal::not_logged_in)?;
        let typed = current_password.filter(|typed| !typed.expose().is_empty());
        let typed = typed.ok_or_else(|| Refusal::invalid_field("current_password", "Enter your current password."))?;
        let session = user.session;
        match self.check_password(&user.account.username, typed, caller).await {
            // While the password was hashed, whoever asked may have lost the session or the role.
            Ok(now) => {
                let alive = self.with(|house| house.sessions.is_alive(session, self.now()));
                match alive {
                    false => Err(Refusal::not_logged_in()),
                    true if caller.is_admin() && now.role != Role::Admin => {
                        Err(Refusal::forbidden("This is for admins only."))
                    }
                    true => Ok(()),
                }
            }
            Err(Failure::Wrong) => Err(Refusal::new(403, "wrong_password", WRONG)),
            Err(failure) => Err(failure.into()),
        }
    }

    /// Checks a name and a password. Every failure is audited here.
    ///
    /// # Errors
    /// Why it is not right.
    pub async fn check_password(
        self: &Arc<Core>,
        name: &str,
        password: &Secret,
        caller: &Arc<Caller>,
    ) -> Result<User, Failure> {
        let (typed, by) = (name.to_string(), Arc::clone(caller));
        let begun = self.work(move |house| begin(house, &typed, &by)).await.map_err(|_| Failure::Failed)??;
        let stored = begun.credentials.as_ref().map(|credentials| credentials.hash.clone());
        let verified = self.hasher.verify(password.clone().into_inner(), stored).await;
        let (typed, by) = (name.to_string(), Arc::clone(caller));
        let end = self.work(move |house| finish(house, &typed, begun, verified, &by));
        end.await.map_err(|_| Failure::Failed)?
    }
}

fn begin(house: &mut House, name: &str, caller: &Caller) -> Result<Begun, Failure> {
    throttle(house, caller)?;
    let attempt = match house.lockout.begin(name, caller.now) {
        Ok(attempt) => attempt,
        Err(locked) => {
            note(house, caller, Action::LoginLocked, name, "locked");
            let text = format!("Somebody at {} tries to log in under a name that is locked.", caller.peer.ip);
            // Whoever guesses at many names is told of once.
            house.tell_people(Notice::new(Level::Routine, Kind::Login, "A login is locked", &text), caller.now);
            return Err(Failure::Locked { retry_after: locked.retry_after_s });
        }
    };
    store(house, &attempt.changes, caller.now);
    let credentials = house.users.as_ref().and_then(|users| users.credentials(name).ok().flatten());
    Ok(Begun { attempt, credentials })
}

fn finish(
    house: &mut House,
    name: &str,
    begun: Begun,
    verified: Result<Verified, HashError>,
    caller: &Caller,
) -> Result<User, Failure> {
    let Begun { attempt, credentials } = begun;
    let (verified, failure) = match verified {
        Ok(verified) => (verified, Failure::Wrong),
        Err(HashError::Busy) => (Verified::No, Failure::Busy),
        Err(HashError::Stored | HashError::Failed) => (Verified::No, Failure::Failed),
    };
    if failure != Failure::Wrong {
        let changes = house.lockout.withdrawn(attempt);
        store(house, &changes, caller.now);
        return Err(failure);
    }
    // While the hash was computed the user may have been disabled, deleted, or given another password.
    let current = house.users.as_ref().and_then(|users| users.credentials(name).ok().flatten());
    let current = current.filter(|now| credentials.as_ref() == Some(now) && !now.user.disabled);
    let (Some(credentials), Verified::Yes | Verified::YesRehashed(_)) = (current, &verified) else {
        note(house, caller, Action::LoginFail, name, "failed");
        return Err(Failure::Wrong);
    };
    let changes = house.lockout.succeeded(attempt);
    store(house, &changes, caller.now);
    if let Verified::YesRehashed(stronger) = &verified {
        let (storage, users) = house.users_to_change();
        if let Some(users) = users {
            // What cannot be saved now is done at the next login.
            let _ = users.rehash(storage, &credentials, stronger, caller.now);
        }
    }
    Ok(credentials.user)
}

/// Stores counts. On a full disk they hold in memory alone: somebody must be able to log in and to stop the bot.
fn store(house: &mut House, changes: &[LockoutChange], now: Nanos) {
    let (storage, users) = house.users_to_change();
    if let Some(users) = users {
        let _ = users.store_failures(storage, changes, now);
    }
}

/// Passwords typed into the field of the name are not kept: what cannot be a name is audited under its hash.
fn note(house: &mut House, caller: &Caller, action: Action, name: &str, status: &str) {
    let target = AttemptedName::new(name);
    house.audit.note(Entry::new(caller.now, &caller.actor(), action, target.as_str(), status));
}
