//! One entry and its line.

use std::borrow::Cow;
use std::io;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::ser::{CompactFormatter, Formatter};

use super::super::audit_sink::{Actor, AuditEvent};
use super::chain::{ChainKey, Mac};
use crate::market::{Nanos, format_time};

/// Declares the actions with their words.
macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// What is audited.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &'static [Action] = &[$(Action::$name,)+];

            /// The word in the log.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Action::$name => $word,)+
                }
            }
        }
    };
}

actions! {
    /// A configuration was submitted.
    ConfigSubmit = "config.submit",
    /// A step of the provisioning.
    ProvisionStep = "provision.step",
    /// A user was created.
    UserCreate = "user.create",
    /// A user was changed.
    UserUpdate = "user.update",
    /// A user was deleted.
    UserDelete = "user.delete",
    /// Somebody logged in.
    LoginOk = "login.ok",
    /// Somebody failed to.
    LoginFail = "login.fail",
    /// Somebody tried while locked.
    LoginLocked = "login.locked",
    /// Somebody logged out.
    Logout = "logout",
    /// A session got a new token.
    SessionRotate = "session.rotate",
    /// A session was ended by somebody else or by the program.
    SessionRevoke = "session.revoke",
    /// A request without the right to it.
    AuthzDeny = "authz.deny",
    /// A request that may be forged.
    CsrfDeny = "csrf.deny",
    /// The settings changed.
    SettingsUpdate = "settings.update",
    /// The configuration changed.
    ConfigUpdate = "config.update",
    /// A key was made.
    KeyCreate = "key.create",
    /// A key was rotated.
    KeyRotate = "key.rotate",
    /// A key is foreign, missing or too widely readable.
    KeyViolation = "key.violation",
    /// The log was found changed.
    AuditBroken = "audit.broken",
    /// A half-written last line was cut off.
    AuditRepair = "audit.repair",
    /// More entries were waiting than are kept.
    AuditLost = "audit.lost",
    /// A secret was decrypted.
    SecretDecrypt = "secret.decrypt",
    /// A secret was encrypted.
    SecretEncrypt = "secret.encrypt",
    /// A secret could not be decrypted.
    DecryptFail = "decrypt.fail",
    /// A backup was made.
    BackupCreate = "backup.create",
    /// A backup was restored.
    BackupRestore = "backup.restore",
    /// The chart of accounts changed.
    CoaUpdate = "coa.update",
    /// A ledger entry was added.
    LedgerCreate = "ledger.create",
    /// A ledger entry was changed.
    LedgerUpdate = "ledger.update",
    /// A broker's file was uploaded.
    LedgerUpload = "ledger.upload",
    /// The ledger was reconciled.
    LedgerReconcile = "ledger.reconcile",
    /// A discrepancy was resolved.
    LedgerResolve = "ledger.resolve",
    /// A session was started.
    ControlStart = "control.start",
    /// A session was stopped.
    ControlStop = "control.stop",
    /// The kill switch was pulled.
    ControlKill = "control.kill",
    /// An order that waited for confirmation was confirmed or rejected.
    OrderDecide = "order.decide",
    /// A halt was acknowledged.
    ControlAcknowledge = "control.acknowledge",
    /// A test began.
    TestStart = "test.start",
    /// A test ended.
    TestEnd = "test.end",
    /// The results of tests were removed.
    TestReset = "test.reset",
    /// A backtest or sweep was submitted.
    JobSubmit = "job.submit",
    /// A backtest or sweep was cancelled.
    JobCancel = "job.cancel",
    /// A channel of notices was tried.
    NotifyTest = "notify.test",
    /// The bot's state changed.
    StateChange = "state.change",
}

/// Most characters of a field; what is longer is cut and says so.
const MOST_FIELD: usize = 512;
/// Most bytes of a detail.
const MOST_DETAIL: usize = 16 * 1024;
/// Most bytes of a line: the longest entry with every character escaped fits.
pub(super) const MOST_LINE: usize = 256 * 1024;

/// An entry to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When it happened.
    pub utc: Nanos,
    /// User name, or `core`.
    pub user: String,
    /// Peer address, empty for the program itself.
    pub ip: String,
    /// What was done.
    pub action: Cow<'static, str>,
    /// To what.
    pub target: String,
    /// With which result, such as `ok`, `begun`, `done`, `failed`, `denied`.
    pub status: String,
    /// SHA-256 of what was written, in hex, if something was.
    pub checksum: Option<String>,
    /// More, without secrets: a text or an object.
    pub detail: Value,
}

impl Entry {
    /// An entry without checksum and detail.
    pub fn new(utc: Nanos, actor: &Actor, action: Action, target: &str, status: &str) -> Entry {
        Entry {
            utc,
            user: actor.user.clone(),
            ip: actor.ip.clone(),
            action: Cow::Borrowed(action.word()),
            target: target.to_string(),
            status: status.to_string(),
            checksum: None,
            detail: Value::String(String::new()),
        }
    }

    /// With a detail.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<Value>) -> Entry {
        self.detail = detail.into();
        self
    }

    /// With the SHA-256 (hex) of what was written.
    #[must_use]
    pub fn checksum(mut self, sha256: impl Into<String>) -> Entry {
        self.checksum = Some(sha256.into());
        self
    }

    /// The JSON of the entry as number `seq`: one line of printable ASCII, whatever its fields hold.
    pub(super) fn json(&self, seq: u64) -> Vec<u8> {
        let stored = StoredEntry {
            seq,
            utc: format_time(self.utc),
            user: cut(&self.user, MOST_FIELD),
            ip: cut(&self.ip, MOST_FIELD),
            action: cut(&self.action, MOST_FIELD),
            target: cut(&self.target, MOST_FIELD),
            status: cut(&self.status, MOST_FIELD),
            checksum: self.checksum.as_deref().map(|text| cut(text, MOST_FIELD)),
            detail: limited(&self.detail),
        };
        stored.json()
    }
}

impl From<AuditEvent<'_>> for Entry {
    fn from(event: AuditEvent<'_>) -> Entry {
        Entry {
            utc: event.utc,
            user: event.actor.user.clone(),
            ip: event.actor.ip.clone(),
            action: Cow::Owned(event.action.to_string()),
            target: event.target.to_string(),
            status: event.status.to_string(),
            checksum: None,
            detail: Value::String(event.detail.to_string()),
        }
    }
}

/// An entry as it stands in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEntry {
    /// Number, from 1.
    pub seq: u64,
    /// When it happened, RFC 3339.
    pub utc: String,
    /// User name, or `core`.
    pub user: String,
    /// Peer address.
    pub ip: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub target: String,
    /// With which result.
    pub status: String,
    /// SHA-256 of what was written.
    pub checksum: Option<String>,
    /// A text or an object.
    pub detail: Value,
}

impl StoredEntry {
    fn json(&self) -> Vec<u8> {
        let mut json = Vec::with_capacity(256);
        let mut serializer = serde_json::Serializer::with_formatter(&mut json, Ascii(CompactFormatter));
        // A structure of texts, numbers and JSON values is always serializable, and a vector takes every byte.
        let written = self.serialize(&mut serializer);
        debug_assert!(written.is_ok());
        json
    }
}

/// The line of `json` after the line with the MAC `previous`.
pub(super) fn line(key: &ChainKey, previous: &Mac, json: &[u8]) -> (Mac, Vec<u8>) {
    let mac = key.mac(previous, json);
    let mut line = Vec::with_capacity(json.len() + 66);
    line.extend_from_slice(mac.hex().as_bytes());
    line.push(b' ');
    line.extend_from_slice(json);
    line.push(b'\n');
    (mac, line)
}

/// The first `most` characters of a text, with the number of those left out.
fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_string(),
        Some((end, _)) => format!("{}... ({} more)", &text[..end], text[end..].chars().count()),
    }
}

/// A detail of at most [`MOST_DETAIL`] bytes.
fn limited(detail: &Value) -> Value {
    match detail {
        Value::String(text) => Value::String(cut(text, MOST_DETAIL)),
        other => {
            let text = other.to_string();
            if text.len() <= MOST_DETAIL { other.clone() } else { Value::String(cut(&text, MOST_DETAIL)) }
        }
    }
}

/// Escapes everything that is not printable ASCII, so that no terminal, viewer or line-based tool can be led astray.
struct Ascii(CompactFormatter);

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut plain = 0;
        for (at, c) in fragment.char_indices().filter(|(_, c)| !(' '..='~').contains(c)) {
            writer.write_all(&fragment.as_bytes()[plain..at])?;
            for unit in c.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            plain = at + c.len_utf8();
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }

    fn write_char_escape<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        escape: serde_json::ser::CharEscape,
    ) -> io::Result<()> {
        self.0.write_char_escape(writer, escape)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn entry(user: &str, detail: Value) -> Entry {
        let actor = Actor { user: user.to_string(), ip: "192.0.2.1".to_string() };
        Entry::new(1_700_000_000_000_000_000, &actor, Action::LoginFail, "login", "failed").detail(detail)
    }

    #[test]
    fn an_entry_has_the_fields_of_the_contract_in_order() {
        let json = entry("alice", Value::String("x".into())).checksum("ab").json(7);
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"{"seq":7,"utc":"2023-11-14T22:13:20.000000000Z","user":"alice","ip":"192.0.2.1","action":"login.fail","target":"login","status":"failed","checksum":"ab","detail":"x"}"#
        );
    }

    #[test]
    fn the_actions_of_the_contract_are_all_there() {
        let words: Vec<_> = Action::ALL.iter().map(|action| action.word()).collect();
        let contract = "config.submit, provision.step, user.create, user.update, user.delete, login.ok, login.fail, \
            login.locked, logout, session.rotate, session.revoke, authz.deny, csrf.deny, settings.update, \
            config.update, key.create, key.rotate, key.violation, audit.broken, secret.decrypt, secret.encrypt, \
            decrypt.fail, backup.create, backup.restore, coa.update, ledger.create, ledger.update, ledger.upload, \
            ledger.reconcile, ledger.resolve, control.start, control.stop, control.kill, test.start, test.end, \
            state.change";
        for word in contract.split(", ") {
            assert!(words.contains(&word.trim()), "{word}");
        }
    }

    #[test]
    fn hostile_text_stays_in_its_field() {
        let attack = "eve\r\n0000 {\"seq\":9}\u{1b}[2J\u{9b}31m\u{2028}\u{202e}\u{7f}\0\u{feff}😀\"\\";
        let json = entry(attack, json!({ attack: attack })).json(1);
        assert!(json.iter().all(|byte| (b' '..=b'~').contains(byte)), "printable ASCII only");
        let back: StoredEntry = serde_json::from_slice(&json).unwrap();
        assert_eq!(back.user, attack);
        assert_eq!(back.detail[attack], attack);
    }

    #[test]
    fn huge_values_are_cut_and_say_so() {
        let huge = "😀".repeat(1_000_000);
        for detail in [Value::String(huge.clone()), json!({ "list": [huge.clone()] })] {
            let json = entry(&huge, detail).json(u64::MAX);
            assert!(json.len() + 66 < MOST_LINE, "{}", json.len());
            let back: StoredEntry = serde_json::from_slice(&json).unwrap();
            assert!(back.user.ends_with("... (999488 more)"), "{}", &back.user[back.user.len() - 30..]);
            assert!(back.detail.as_str().unwrap().contains("... ("));
        }
    }

    proptest! {
        #[test]
        fn every_entry_is_one_line_and_comes_back(user in ".{0,80}", target in any::<String>(), text in any::<String>()) {
            let mut entry = entry(&user, Value::String(text.clone()));
            entry.target = target.clone();
            let json = entry.json(3);
            prop_assert!(json.iter().all(|byte| (b' '..=b'~').contains(byte)));
            let back: StoredEntry = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(back.user, user);
            prop_assert_eq!(back.target, cut(&target, MOST_FIELD));
            prop_assert_eq!(back.detail, Value::String(text));
        }
    }
}
