//! How often somebody may guess: failures by account name, requests by address.
//!
//! An attempt is counted **before** the password is looked at ([`Lockout::begin`]) and forgiven afterwards if it was
//! right. Otherwise twenty parallel guesses would all be let in before the first of them is counted, and a crash
//! while hashing would be a free guess.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use crate::market::{MINUTE, Nanos, SECOND};

use super::users::Username;

/// Most names that are remembered.
pub const MOST_NAMES: usize = 10_000;

/// How many failures are allowed, and how long a lock lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LockoutRule {
    limit: u32,
    length: Nanos,
}

/// Numbers outside the ranges of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LockoutRuleError {
    /// `LOGIN_ATTEMPT_LIMIT`.
    #[error("LOGIN_ATTEMPT_LIMIT: found {0}, expected 1 to 100")]
    Limit(u32),
    /// `LOGIN_LOCKOUT_MINUTES`.
    #[error("LOGIN_LOCKOUT_MINUTES: found {0}, expected 1 to 1440")]
    Minutes(u32),
}

impl LockoutRule {
    /// `limit` failures (1 to 100), then a lock of `minutes` (1 to 1440) after the last of them.
    ///
    /// # Errors
    /// A number outside its range.
    pub fn new(limit: u32, minutes: u32) -> Result<LockoutRule, LockoutRuleError> {
        match (limit, minutes) {
            (0 | 101.., _) => Err(LockoutRuleError::Limit(limit)),
            (_, 0 | 1441..) => Err(LockoutRuleError::Minutes(minutes)),
            _ => Ok(LockoutRule { limit, length: i64::from(minutes) * MINUTE }),
        }
    }
}

impl Default for LockoutRule {
    /// Ten failures, fifteen minutes.
    fn default() -> LockoutRule {
        LockoutRule { limit: 10, length: 15 * MINUTE }
    }
}

/// What failures are counted under: the account name without regard to case, whether or not the account exists.
///
/// A text that cannot be a user name is counted under its hash. People type passwords into the wrong field, and these
/// must not be kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AttemptedName(String);

impl AttemptedName {
    /// The key of what was typed.
    pub fn new(typed: &str) -> AttemptedName {
        match Username::new(typed) {
            Ok(name) => AttemptedName(name.folded()),
            Err(_) => {
                let digest = Sha256::digest(typed.to_lowercase().as_bytes());
                let mut text = String::from("#");
                for byte in digest {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "{byte:02x}");
                }
                AttemptedName(text)
            }
        }
    }

    /// From a stored row.
    pub(crate) fn from_row(name: String) -> AttemptedName {
        AttemptedName(name)
    }

    /// The text under which it is stored and may be audited.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The counted failures of one name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failures {
    /// How many, since the last success.
    pub count: u32,
    /// When the last was counted.
    pub last: Nanos,
}

/// The name is locked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("locked for {} more s", .retry_after_s)]
pub struct Locked {
    /// Whole seconds until the lock ends, at least 1.
    pub retry_after_s: u64,
}

/// A change that must be stored for the counts to survive a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockoutChange {
    /// The count of a name is now this.
    Set(AttemptedName, Failures),
    /// The name has no count any more.
    Forget(AttemptedName),
}

/// An attempt that was counted and let in.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an attempt stays counted as a failure until it is forgiven"]
pub struct Attempt {
    name: AttemptedName,
    /// What to store before the password is looked at.
    pub changes: Vec<LockoutChange>,
}

/// Counts failures by account name.
#[derive(Debug, Clone, Default)]
pub struct Lockout {
    rule: LockoutRule,
    names: BTreeMap<AttemptedName, Failures>,
}

impl Lockout {
    /// The counts of stored rows.
    pub fn new(rule: LockoutRule, rows: impl IntoIterator<Item = (AttemptedName, Failures)>) -> Lockout {
        Lockout { rule, names: rows.into_iter().take(MOST_NAMES).collect() }
    }

    /// Changes limit and length; counts stay.
    pub fn set_rule(&mut self, rule: LockoutRule) {
        self.rule = rule;
    }

    /// Counts an attempt of `typed` and lets it in, unless the name is locked.
    ///
    /// # Errors
    /// [`Locked`] after as many counted failures as allowed, until the length of a lock after the last of them. Such
    /// an attempt is not counted, so that nobody can prolong a lock.
    pub fn begin(&mut self, typed: &str, now: Nanos) -> Result<Attempt, Locked> {
        let name = AttemptedName::new(typed);
        let mut changes = Vec::new();
        let count = match self.current(&name, now) {
            Some(failures) if failures.count >= self.rule.limit => {
                // A clock that was set back does not make a lock longer than a whole one.
                let left = (failures.last.saturating_add(self.rule.length).saturating_sub(now)).min(self.rule.length);
                let seconds = left.saturating_add(SECOND - 1) / SECOND;
                return Err(Locked { retry_after_s: u64::try_from(seconds).unwrap_or(1).max(1) });
            }
            Some(failures) => failures.count,
            None => 0,
        };
        if !self.names.contains_key(&name) && self.names.len() >= MOST_NAMES {
            changes.extend(self.make_room(now).map(LockoutChange::Forget));
        }
        let failures = Failures { count: count + 1, last: now };
        self.names.insert(name.clone(), failures);
        changes.push(LockoutChange::Set(name.clone(), failures));
        Ok(Attempt { name, changes })
    }

    /// The password was right: the name starts anew.
    pub fn succeeded(&mut self, attempt: Attempt) -> Vec<LockoutChange> {
        match self.names.remove(&attempt.name) {
            Some(_) => vec![LockoutChange::Forget(attempt.name)],
            None => Vec::new(),
        }
    }

    /// The password was not looked at after all (too much to do): the attempt does not count.
    pub fn withdrawn(&mut self, attempt: Attempt) -> Vec<LockoutChange> {
        match self.names.get_mut(&attempt.name) {
            Some(failures) if failures.count > 1 => {
                failures.count -= 1;
                vec![LockoutChange::Set(attempt.name, *failures)]
            }
            Some(_) => {
                self.names.remove(&attempt.name);
                vec![LockoutChange::Forget(attempt.name)]
            }
            None => Vec::new(),
        }
    }

    /// How many names are remembered.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no name is remembered.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The failures of a name that still count at `now`: none a lock's length after the last of them.
    fn current(&self, name: &AttemptedName, now: Nanos) -> Option<Failures> {
        self.names.get(name).copied().filter(|failures| self.counts(failures, now))
    }

    fn counts(&self, failures: &Failures, now: Nanos) -> bool {
        now < failures.last.saturating_add(self.rule.length)
    }

    /// Takes out the oldest unlocked name, or the oldest of all if every one is locked.
    fn make_room(&mut self, now: Nanos) -> Option<AttemptedName> {
        let locked = |failures: &Failures| failures.count >= self.rule.limit && self.counts(failures, now);
        let oldest = self
            .names
            .iter()
            .min_by_key(|(name, failures)| (locked(failures), failures.last, (*name).clone()))
            .map(|(name, _)| name.clone())?;
        self.names.remove(&oldest);
        Some(oldest)
    }
}

/// Requests that an address may make at once.
pub const BURST: u32 = 120;
/// Requests a second that an address may make for long.
pub const REFILL_PER_SECOND: u32 = 2;
/// Most addresses that are remembered.
pub const MOST_ADDRESSES: usize = 10_000;

/// Limits requests by address: a bucket of [`BURST`] tokens that fills by [`REFILL_PER_SECOND`].
#[derive(Debug, Clone, Default)]
pub struct Throttle {
    buckets: BTreeMap<IpAddr, Bucket>,
}

/// Tokens in billionths, so that time in nanoseconds refills them exactly.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: i64,
    at: Nanos,
}

const TOKEN: i64 = SECOND;
const FULL: i64 = BURST as i64 * TOKEN;

impl Bucket {
    fn refilled(self, now: Nanos) -> Bucket {
        let elapsed = now.saturating_sub(self.at).max(0);
        let gained = elapsed.saturating_mul(i64::from(REFILL_PER_SECOND));
        Bucket { tokens: self.tokens.saturating_add(gained).min(FULL), at: now }
    }
}

impl Throttle {
    /// Takes a token of `address`. The host part of an IPv6 address is disregarded: whoever has one has 2^64 of them.
    ///
    /// # Errors
    /// [`Locked`] with the time until there is a token again.
    pub fn take(&mut self, address: IpAddr, now: Nanos) -> Result<(), Locked> {
        let address = network(address);
        if !self.buckets.contains_key(&address) && self.buckets.len() >= MOST_ADDRESSES {
            self.make_room(now);
        }
        let bucket = self.buckets.entry(address).or_insert(Bucket { tokens: FULL, at: now });
        *bucket = bucket.refilled(now);
        if bucket.tokens < TOKEN {
            let wait = (TOKEN - bucket.tokens) / i64::from(REFILL_PER_SECOND);
            return Err(Locked { retry_after_s: u64::try_from(wait / SECOND + 1).unwrap_or(1) });
        }
        bucket.tokens -= TOKEN;
        Ok(())
    }

    /// Forgets full buckets, which mean nothing, or else the fullest.
    fn make_room(&mut self, now: Nanos) {
        self.buckets.retain(|_, bucket| bucket.refilled(now).tokens < FULL);
        if self.buckets.len() >= MOST_ADDRESSES
            && let Some((&fullest, _)) = self.buckets.iter().max_by_key(|(_, bucket)| bucket.refilled(now).tokens)
        {
            self.buckets.remove(&fullest);
        }
    }
}

/// The address itself, or the /64 network of an IPv6 address.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4(v4),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            IpAddr::V6([a, b, c, d, 0, 0, 0, 0].into())
        }
    }
}

#[cfg(test)]
mod tests;
