//! Logged-in sessions: rows in memory, to which tokens point.
//!
//! A token is a Fernet token of a random id and says nothing else. User, role, expiry and CSRF token are in the row,
//! so that a session ends when the row goes, whatever tokens are about. Rows do not survive a restart of the core:
//! everybody logs in again.
//!
//! Times come from the caller. They should be of a clock that is not set back, or expiries move by as much.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

use super::key::KeyLines;
use super::users::{Account, Accounts};
use crate::market::{MINUTE, Nanos, SECOND};

/// A token is replaced this long after it was issued.
pub const REISSUE_AFTER: Nanos = 10 * MINUTE;
/// A replaced token is accepted this much longer, for requests that are under way.
pub const OVERLAP: Nanos = 30 * SECOND;
/// Most sessions of one user; a further login ends the one that was used least recently.
pub const MOST_OF_A_USER: usize = 16;
/// Most sessions in all.
pub const MOST: usize = 1_000;
/// Most bytes of a token; ours have 140.
const MOST_TOKEN: usize = 512;
/// Most characters of the browser's name that are kept.
const MOST_AGENT: usize = 200;

/// How long sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionRule {
    idle: Nanos,
    absolute: Nanos,
}

/// Numbers that are outside the ranges of the settings or do not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionRuleError {
    /// `SESSION_TIMEOUT`.
    #[error("SESSION_TIMEOUT: found {0}, expected 5 to 86400 seconds")]
    Idle(u32),
    /// `SESSION_TIMEOUT_MINUTES`.
    #[error("SESSION_TIMEOUT_MINUTES: found {0}, expected 1 to 10080 minutes")]
    Absolute(u32),
    /// Together.
    #[error("SESSION_TIMEOUT: found {idle_s} s, expected at most the {absolute_min} min of SESSION_TIMEOUT_MINUTES")]
    IdleBeyondAbsolute { idle_s: u32, absolute_min: u32 },
}

impl SessionRule {
    /// A session ends after `idle_s` seconds without a request (5 to 86400) and `absolute_min` minutes after the login
    /// (1 to 10080).
    ///
    /// # Errors
    /// A number outside its range, or an idle time beyond the absolute one.
    pub fn new(idle_s: u32, absolute_min: u32) -> Result<SessionRule, SessionRuleError> {
        if !(5..=86_400).contains(&idle_s) {
            return Err(SessionRuleError::Idle(idle_s));
        }
        if !(1..=10_080).contains(&absolute_min) {
            return Err(SessionRuleError::Absolute(absolute_min));
        }
        let rule = SessionRule { idle: i64::from(idle_s) * SECOND, absolute: i64::from(absolute_min) * MINUTE };
        if rule.idle > rule.absolute {
            return Err(SessionRuleError::IdleBeyondAbsolute { idle_s, absolute_min });
        }
        Ok(rule)
    }
}

impl Default for SessionRule {
    /// 3000 seconds idle, 120 minutes in all.
    fn default() -> SessionRule {
        SessionRule { idle: 3000 * SECOND, absolute: 120 * MINUTE }
    }
}

/// 256 random bits that are shown to nobody but their owner.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, zeroize::ZeroizeOnDrop)]
struct Random([u8; 32]);

impl Random {
    fn new() -> Result<Random, SessionError> {
        let mut id = Random([0; 32]);
        getrandom::fill(&mut id.0).map_err(|_| SessionError::NoRandomness)?;
        Ok(id)
    }

    fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

/// The session token of a cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// For the cookie only.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([REDACTED])")
    }
}

/// What a token holds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    sid: String,
    v: u32,
}

impl Drop for Content {
    fn drop(&mut self) {
        self.sid.zeroize();
    }
}

/// A request without a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// No token of ours, or its session has ended.
    #[error("not logged in")]
    NotLoggedIn,
    /// The system has no random bytes.
    #[error("the system gave no random bytes for a session")]
    NoRandomness,
}

/// Whether a request keeps the session alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activity {
    /// Somebody did something.
    Request,
    /// The page asked by itself: polling, streams, automatic refetch.
    Polling,
}

/// A request of somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// Which session.
    pub session: u64,
    /// Whose.
    pub user_id: i64,
    /// Name and role as they are now.
    pub account: Account,
    /// When the session ends if nothing more is done.
    pub idle_expires: Nanos,
    /// When it ends in any case.
    pub absolute_expires: Nanos,
    /// A newer token that the answer must set.
    pub replacement: Option<Token>,
}

/// A session as a user sees it in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Number, from 1; not the id in the token.
    pub session: u64,
    /// Whose.
    pub user_id: i64,
    /// When it began.
    pub created: Nanos,
    /// When it was last used.
    pub last_seen: Nanos,
    /// From which address.
    pub ip: String,
    /// With which browser, as it called itself.
    pub agent: String,
}

#[derive(Debug, Clone)]
struct Row {
    info: SessionInfo,
    csrf: Random,
    /// The id that the newest token holds, and when it was issued.
    current: (Random, Nanos),
    /// The id before it, and when it ends.
    previous: Option<(Random, Nanos)>,
}

/// All sessions.
#[derive(Debug)]
pub struct Sessions {
    rule: SessionRule,
    rows: BTreeMap<u64, Row>,
    /// Which row an id belongs to.
    ids: BTreeMap<Random, u64>,
    last: u64,
}

impl Sessions {
    /// No sessions.
    pub fn new(rule: SessionRule) -> Sessions {
        Sessions { rule, rows: BTreeMap::new(), ids: BTreeMap::new(), last: 0 }
    }

    /// Changes how long sessions live, those that exist as well.
    pub fn set_rule(&mut self, rule: SessionRule) {
        self.rule = rule;
    }

    /// Begins a session after a successful login. The session of a token that was presented with the login is ended
    /// first: nobody can be made to use a session that somebody else knows.
    ///
    /// # Errors
    /// [`SessionError::NoRandomness`].
    pub fn log_in(
        &mut self,
        user_id: i64,
        presented: Option<&str>,
        ip: &str,
        agent: &str,
        keys: &KeyLines,
        now: Nanos,
    ) -> Result<Token, SessionError> {
        if let Some(token) = presented {
            self.log_out(token, keys, now);
        }
        let id = Random::new()?;
        let csrf = Random::new()?;
        self.make_room(user_id, now);
        self.last += 1;
        let info = SessionInfo {
            session: self.last,
            user_id,
            created: now,
            last_seen: now,
            ip: ip.chars().take(64).collect(),
            agent: agent.chars().take(MOST_AGENT).collect(),
        };
        self.ids.insert(id.clone(), self.last);
        let token = seal(&id, keys, now);
        self.rows.insert(self.last, Row { info, csrf, current: (id, now), previous: None });
        Ok(token)
    }

    /// Whose request this is. The user is looked up for every request: a role that was taken away is gone at once.
    ///
    /// # Errors
    /// [`SessionError::NotLoggedIn`] whatever is wrong with the token or the session.
    pub fn authenticate(
        &mut self,
        token: &str,
        activity: Activity,
        accounts: &dyn Accounts,
        keys: &KeyLines,
        now: Nanos,
    ) -> Result<Authenticated, SessionError> {
        let (session, id) = self.find(token, keys, now).ok_or(SessionError::NotLoggedIn)?;
        let row = self.rows.get_mut(&session).ok_or(SessionError::NotLoggedIn)?;
        let Some(account) = accounts.active(row.info.user_id) else {
            self.end(session);
            return Err(SessionError::NotLoggedIn);
        };
        if activity == Activity::Request {
            row.info.last_seen = row.info.last_seen.max(now);
        }
        let (user_id, idle_expires) = (row.info.user_id, row.info.last_seen.saturating_add(self.rule.idle));
        let absolute_expires = row.info.created.saturating_add(self.rule.absolute);
        let replacement = if now >= row.current.1.saturating_add(REISSUE_AFTER) {
            Some(self.reissue(session, OVERLAP, keys, now)?)
        } else if row.current.0 != id {
            // The answer that brought the newer token may have been lost: bring it again.
            Some(seal(&row.current.0, keys, now))
        } else {
            None
        };
        let idle_expires = idle_expires.min(absolute_expires);
        Ok(Authenticated { session, user_id, account, idle_expires, absolute_expires, replacement })
    }

    /// Gives a session a new token at once and makes the old ones worthless: after a change of password or role.
    ///
    /// # Errors
    /// There is no such session, or no randomness.
    pub fn renew(&mut self, session: u64, keys: &KeyLines, now: Nanos) -> Result<Token, SessionError> {
        self.reissue(session, 0, keys, now)
    }

    /// Gives every session of a user a new token with its next request: after a change of role by somebody else.
    pub fn renew_user(&mut self, user_id: i64) {
        for row in self.rows.values_mut().filter(|row| row.info.user_id == user_id) {
            row.current.1 = Nanos::MIN;
        }
    }

    /// The CSRF token of a session: the same as long as the session lives.
    pub fn csrf(&self, session: u64) -> Option<String> {
        self.rows.get(&session).map(|row| row.csrf.text())
    }

    /// Whether a request brought the CSRF token of its session.
    pub fn csrf_matches(&self, session: u64, presented: &str) -> bool {
        self.csrf(session).is_some_and(|csrf| csrf.as_bytes().ct_eq(presented.as_bytes()).into())
    }

    /// Ends the session of a token, if there is one; says whose it was.
    pub fn log_out(&mut self, token: &str, keys: &KeyLines, now: Nanos) -> Option<i64> {
        let (session, _) = self.find(token, keys, now)?;
        self.end(session).map(|row| row.info.user_id)
    }

    /// Ends one session of a user; false if the user has no such session.
    pub fn revoke(&mut self, user_id: i64, session: u64) -> bool {
        self.rows.get(&session).is_some_and(|row| row.info.user_id == user_id) && self.end(session).is_some()
    }

    /// Ends all sessions of a user but one; says how many.
    pub fn revoke_user(&mut self, user_id: i64, except: Option<u64>) -> usize {
        let others = |row: &&Row| row.info.user_id == user_id && Some(row.info.session) != except;
        let ended: Vec<u64> = self.rows.values().filter(others).map(|row| row.info.session).collect();
        ended.iter().for_each(|session| {
            self.end(*session);
        });
        ended.len()
    }

    /// Ends every session: after a restore, or when the session key is replaced.
    pub fn revoke_all(&mut self) -> usize {
        self.ids.clear();
        let ended = self.rows.len();
        self.rows.clear();
        ended
    }

    /// Whether a session still lives at `now`; streams ask this.
    pub fn is_alive(&self, session: u64, now: Nanos) -> bool {
        self.rows.get(&session).is_some_and(|row| self.lives(row, now))
    }

    /// The living sessions of a user, the oldest first.
    pub fn of_user(&self, user_id: i64, now: Nanos) -> Vec<SessionInfo> {
        let living = |row: &&Row| row.info.user_id == user_id && self.lives(row, now);
        self.rows.values().filter(living).map(|row| row.info.clone()).collect()
    }

    /// Forgets what has expired. Nothing depends on when this is called.
    pub fn sweep(&mut self, now: Nanos) {
        let dead: Vec<u64> =
            self.rows.values().filter(|row| !self.lives(row, now)).map(|row| row.info.session).collect();
        dead.iter().for_each(|session| {
            self.end(*session);
        });
        for row in self.rows.values_mut() {
            if row.previous.as_ref().is_some_and(|(_, ends)| now >= *ends)
                && let Some((id, _)) = row.previous.take()
            {
                self.ids.remove(&id);
            }
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    fn lives(&self, row: &Row, now: Nanos) -> bool {
        now < row.info.created.saturating_add(self.rule.absolute)
            && now < row.info.last_seen.saturating_add(self.rule.idle)
    }

    /// The living session that a token points to, and the id in the token.
    fn find(&mut self, token: &str, keys: &KeyLines, now: Nanos) -> Option<(u64, Random)> {
        let id = open(token, keys)?;
        let session = *self.ids.get(&id)?;
        let row = self.rows.get(&session)?;
        if !self.lives(row, now) {
            self.end(session);
            return None;
        }
        let current = row.current.0 == id;
        let overlapping = row.previous.as_ref().is_some_and(|(previous, ends)| *previous == id && now < *ends);
        (current || overlapping).then_some((session, id))
    }

    fn reissue(&mut self, session: u64, overlap: Nanos, keys: &KeyLines, now: Nanos) -> Result<Token, SessionError> {
        let id = Random::new()?;
        let row = self.rows.get_mut(&session).ok_or(SessionError::NotLoggedIn)?;
        if let Some((older, _)) = row.previous.take() {
            self.ids.remove(&older);
        }
        let (old, _) = std::mem::replace(&mut row.current, (id.clone(), now));
        if overlap > 0 {
            row.previous = Some((old, now.saturating_add(overlap)));
        } else {
            self.ids.remove(&old);
        }
        self.ids.insert(id.clone(), session);
        Ok(seal(&id, keys, now))
    }

    fn end(&mut self, session: u64) -> Option<Row> {
        let row = self.rows.remove(&session)?;
        self.ids.remove(&row.current.0);
        if let Some((id, _)) = &row.previous {
            self.ids.remove(id);
        }
        Some(row)
    }

    /// Ends what was used least recently where a limit is reached.
    fn make_room(&mut self, user_id: i64, now: Nanos) {
        self.sweep(now);
        let stalest = |rows: &mut dyn Iterator<Item = &Row>| {
            rows.min_by_key(|row| (row.info.last_seen, row.info.session)).map(|row| row.info.session)
        };
        let of_user = |row: &&Row| row.info.user_id == user_id;
        if self.rows.values().filter(of_user).count() >= MOST_OF_A_USER
            && let Some(session) = stalest(&mut self.rows.values().filter(of_user))
        {
            self.end(session);
        }
        if self.rows.len() >= MOST
            && let Some(session) = stalest(&mut self.rows.values())
        {
            self.end(session);
        }
    }
}

/// The token of an id.
fn seal(id: &Random, keys: &KeyLines, now: Nanos) -> Token {
    let plain = Zeroizing::new(format!(r#"{{"sid":"{}","v":1}}"#, id.text()));
    Token(keys.seal(plain.as_bytes(), now))
}

/// The id in a token. Its time stamp is not looked at: the row knows when it ends.
fn open(token: &str, keys: &KeyLines) -> Option<Random> {
    // The decoder also takes a token without its padding; one token has one spelling here.
    if token.len() > MOST_TOKEN || !token.len().is_multiple_of(4) {
        return None;
    }
    let plain = keys.open(token.as_bytes())?;
    let content: Content = serde_json::from_slice(&plain).ok()?;
    let mut bytes = Zeroizing::new([0; 33]);
    let length = URL_SAFE_NO_PAD.decode_slice(content.sid.as_bytes(), bytes.as_mut()).ok()?;
    if content.v != 1 || length != 32 {
        return None;
    }
    let mut id = Random([0; 32]);
    id.0.copy_from_slice(&bytes[..32]);
    Some(id)
}

#[cfg(test)]
mod tests;
