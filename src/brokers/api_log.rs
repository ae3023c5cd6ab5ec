//! The log of everything that is said to a broker and everything it answers.
//!
//! Headers are never logged. Bodies lose the values of fields that hold credentials or account numbers, and whatever is
//! logged loses every occurrence of the credentials themselves, so that a server that echoes a key does not bring it
//! into a log.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

/// What a removed text is replaced by.
pub(super) const REDACTED: &str = "[redacted]";
/// Longest text of a body in a line, in bytes.
const LONGEST_BODY: usize = 4096;
/// The longest body that waits as it is until it is written; of longer ones that would be too much memory.
const LONGEST_WAITING: usize = 16 * 1024;
/// Fields whose values are removed.
const SECRET_FIELDS: [&str; 11] = [
    "key",
    "key_id",
    "secret",
    "secret_key",
    "api_key",
    "token",
    "access_token",
    "password",
    "authorization",
    "account_number",
    "account_id",
];

/// Which way a line went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    Request,
    Reply,
    /// A request that got no reply.
    Failure,
    StreamOut,
    StreamIn,
}

/// One line of the log. Whoever reads it sees no secrets.
#[derive(Debug, Clone, Serialize)]
pub struct ApiLine {
    pub time: String,
    pub broker: &'static str,
    pub direction: Direction,
    /// Number of the call; a reply has the number of its request. Of a connection for streams.
    pub call: u64,
    /// How often the call had been tried before.
    #[serde(skip_serializing_if = "is_zero")]
    pub attempt: u32,
    /// Method and path, or the path of a stream.
    pub what: String,
    /// Status of a reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Milliseconds from request to reply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Body, or what failed; cut off after 4096 bytes.
    #[serde(skip_serializing_if = "Body::is_empty")]
    pub body: Body,
}

/// The body of a line. What nobody may see is removed when it is read, which is by whoever writes the log: it takes
/// longer than to send an order, and must not hold one up.
#[derive(Clone)]
pub struct Body {
    text: String,
    /// Removes the secrets; none: there are none in it.
    redactor: Option<Arc<Redactor>>,
}

impl Body {
    fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// The text without secrets.
    pub fn text(&self) -> Cow<'_, str> {
        self.redactor.as_ref().map_or(Cow::Borrowed(&self.text), |redactor| Cow::Owned(redactor.body(&self.text)))
    }
}

impl From<String> for Body {
    fn from(text: String) -> Body {
        Body { text, redactor: None }
    }
}

impl Serialize for Body {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text(), f)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_zero(n: &u32) -> bool {
    *n == 0
}

impl ApiLine {
    /// The line as one line of JSON.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
    }
}

/// Where the lines go. Called from the adapter's tasks; it must not wait.
pub trait ApiLog: Send + Sync {
    /// Takes a line.
    fn record(&self, line: &ApiLine);
}

/// Lines go nowhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoApiLog;

impl ApiLog for NoApiLog {
    fn record(&self, _: &ApiLine) {}
}

/// Removes what must not be seen.
#[derive(Clone)]
pub(super) struct Redactor {
    /// As they are, and as a server may repeat them inside of JSON.
    secrets: Vec<SecretString>,
}

impl Redactor {
    /// Removes these secrets; empty ones are ignored.
    pub(super) fn new(secrets: impl IntoIterator<Item = SecretString>) -> Redactor {
        let mut all = Vec::new();
        for secret in secrets.into_iter().filter(|secret| !secret.expose_secret().is_empty()) {
            let quoted = serde_json::to_string(secret.expose_secret()).unwrap_or_default();
            let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
            if inner != secret.expose_secret() && !inner.is_empty() {
                all.push(SecretString::from(inner));
            }
            all.push(secret);
        }
        Redactor { secrets: all }
    }

    /// The text without any of the secrets.
    pub(super) fn text(&self, text: &str) -> String {
        let mut clean = text.to_string();
        for secret in self.secrets.iter().map(ExposeSecret::expose_secret) {
            if clean.contains(secret) {
                clean = clean.replace(secret, REDACTED);
            }
        }
        clean
    }

    /// A body for a line of the log.
    pub(super) fn later(self: &Arc<Redactor>, body: &str) -> Body {
        if body.len() > LONGEST_WAITING {
            return self.body(body).into();
        }
        Body { text: body.to_string(), redactor: Some(Arc::clone(self)) }
    }

    /// A body for the log: without secrets, and not longer than a line may be.
    pub(super) fn body(&self, body: &str) -> String {
        let mut value = serde_json::from_str::<Value>(body).unwrap_or_default();
        let clean = if redact_fields(&mut value) { self.text(&value.to_string()) } else { self.text(body) };
        if clean.len() <= LONGEST_BODY {
            return clean;
        }
        let end = (0..=LONGEST_BODY).rev().find(|&at| clean.is_char_boundary(at)).unwrap_or(0);
        format!("{}... ({} bytes)", &clean[..end], body.len())
    }
}

/// Removes the values of secret fields; whether there were any.
fn redact_fields(value: &mut Value) -> bool {
    let mut found = false;
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                if SECRET_FIELDS.iter().any(|secret| name.eq_ignore_ascii_case(secret)) && !value.is_null() {
                    *value = Value::String(REDACTED.into());
                    found = true;
                } else {
                    found |= redact_fields(value);
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                found |= redact_fields(item);
            }
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(["PKPLANTED".into(), "pl4\"nted".into(), "".into()])
    }

    #[test]
    fn fields_of_credentials_and_every_occurrence_of_a_secret_are_removed() {
        for body in [
            r#"{"action":"authenticate","data":{"key_id":"PKPLANTED","secret_key":"pl4\"nted"}}"#,
            r#"[{"T":"error","msg":"bad key PKPLANTED"},{"x":"pl4\"nted"}]"#,
            r#"{"account_number":"PA123","cash":"1","nested":[{"Token":"abc"}]}"#,
            "<html>PKPLANTED</html>",
        ] {
            let clean = redactor().body(body);
            for secret in ["PKPLANTED", "nted", "PA123", "abc"] {
                assert!(!clean.contains(secret), "{clean}");
            }
            assert!(clean.contains(REDACTED));
        }
    }

    #[test]
    fn what_holds_no_secret_is_logged_as_it_is_and_long_bodies_are_cut() {
        let body = r#"{"symbol":"AAPL","qty":"1","keyboard":"x","account_number":null}"#;
        assert_eq!(redactor().body(body), body);
        let long = "ä".repeat(4000);
        let cut = redactor().body(&long);
        assert!(cut.len() < 4200 && cut.ends_with("(8000 bytes)"));
    }

    #[test]
    fn a_line_is_one_line_of_json() {
        let line = ApiLine {
            time: "2024-03-26T13:30:00.000000000Z".into(),
            broker: "ALPACA",
            direction: Direction::Reply,
            call: 7,
            attempt: 0,
            what: "GET /v2/clock".into(),
            status: Some(200),
            took_ms: Some(12),
            body: "a\nb".to_string().into(),
        };
        assert_eq!(
            line.to_json(),
            r#"{"time":"2024-03-26T13:30:00.000000000Z","broker":"ALPACA","direction":"reply","call":7,"what":"GET /v2/clock","status":200,"took_ms":12,"body":"a\nb"}"#
        );
    }
}
