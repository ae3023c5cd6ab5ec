//! Answers, and refusals with their codes.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::protocol::{Context, Page, PageName, Reply};

impl Reply {
    /// JSON with status 200.
    pub fn json(body: impl Serialize) -> Reply {
        Reply { status: 200, body: json!(body), ..Reply::default() }
    }

    /// JSON with another status.
    pub fn with_status(status: u16, body: impl Serialize) -> Reply {
        Reply { status, body: json!(body), ..Reply::default() }
    }

    /// To another page.
    pub fn redirect(to: &str) -> Reply {
        Reply { status: 303, location: Some(to.to_string()), ..Reply::default() }
    }

    /// A page with status 200.
    pub fn page(name: PageName, context: Context, data: impl Serialize) -> Reply {
        Reply { status: 200, page: Some(Page { name, context, data: json!(data) }), ..Reply::default() }
    }
}

/// Most bytes of the entries of a page: an answer has at most a mebibyte.
const MOST_PAGE: usize = 700 * 1024;

/// Cuts a page to what an answer can hold: long entries make a shorter page, and the next one begins after them.
pub fn cut_to_fit<T: Serialize>(entries: &mut Vec<T>) {
    let mut bytes = 0;
    let fitting = entries.iter().take_while(|entry| {
        bytes += json!(entry).to_string().len();
        bytes <= MOST_PAGE
    });
    let fitting = fitting.count().max(1);
    entries.truncate(fitting);
}

/// Why something is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// A word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub message: String,
    /// By field, what is wrong with it.
    pub fields: BTreeMap<String, String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u64>,
}

impl Refusal {
    /// A refusal.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, code, message: message.into(), fields: BTreeMap::new(), retry_after: None }
    }

    /// Nobody is logged in.
    pub fn not_logged_in() -> Refusal {
        Refusal::new(401, "not_logged_in", "Log in first.")
    }

    /// The role does not allow it.
    pub fn forbidden(message: impl Into<String>) -> Refusal {
        Refusal::new(403, "forbidden", message)
    }

    /// There is no such thing.
    pub fn not_found(message: impl Into<String>) -> Refusal {
        Refusal::new(404, "not_found", message)
    }

    /// It does not go with how things are.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal::new(409, code, message)
    }

    /// Fields are wrong.
    pub fn invalid(fields: BTreeMap<String, String>) -> Refusal {
        Refusal { fields, ..Refusal::new(422, "invalid", "Some fields are not as they must be.") }
    }

    /// One field is wrong.
    pub fn invalid_field(name: &str, why: impl Into<String>) -> Refusal {
        Refusal::invalid(BTreeMap::from([(name.to_string(), why.into())]))
    }

    /// The audit log takes no entry.
    pub fn audit_unavailable() -> Refusal {
        Refusal::new(503, "audit_unavailable", "The audit log cannot be written, so nothing was changed.")
    }

    /// Something failed that the caller cannot help.
    pub fn internal(message: impl Into<String>) -> Refusal {
        Refusal::new(500, "internal", message)
    }

    /// With the time to wait.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Refusal {
        self.retry_after = Some(seconds);
        self
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Reply {
        let mut error = json!({ "code": refusal.code, "message": refusal.message });
        if !refusal.fields.is_empty() {
            error["fields"] = json!(refusal.fields);
        }
        let body: Value = json!({ "error": error });
        Reply { status: refusal.status, body, retry_after: refusal.retry_after, ..Reply::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_long_entries_is_shorter_and_never_empty() {
        let mut entries = vec!["x".repeat(300 * 1024); 5];
        cut_to_fit(&mut entries);
        assert_eq!(entries.len(), 2);
        let mut one = vec!["x".repeat(MOST_PAGE + 1); 2];
        cut_to_fit(&mut one);
        assert_eq!(one.len(), 1);
        let mut none: Vec<String> = Vec::new();
        cut_to_fit(&mut none);
        assert!(none.is_empty());
    }
}
