//! What a request brings, taken apart.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::protocol::{Request, Secret};
use super::reply::Refusal;

/// Most bytes of a form field.
pub const MOST_FIELD: usize = 512;

/// Parameters, query and body of a request.
#[derive(Debug)]
pub struct Input {
    params: BTreeMap<String, String>,
    query: String,
    content_type: String,
    body: Secret,
}

impl Input {
    /// Takes what a request brings.
    pub fn of(request: Request) -> Input {
        Input { params: request.params, query: request.query, content_type: request.content_type, body: request.body }
    }

    /// A parameter of the path; empty if the route has none of that name.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }

    /// A parameter of the query.
    pub fn query(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// A whole number of the query between `low` and `high`, or `default`.
    ///
    /// # Errors
    /// It is something else.
    pub fn number(&self, name: &str, default: u64, low: u64, high: u64) -> Result<u64, Refusal> {
        let Some(text) = self.query(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| (low..=high).contains(number));
        number.ok_or_else(|| Refusal::invalid_field(name, format!("expected a whole number from {low} to {high}")))
    }

    /// The JSON of the body.
    ///
    /// # Errors
    /// Another content type, no JSON, or other fields than `T` has.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        let kind = self.content_type.split(';').next().unwrap_or("").trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::new(415, "content_type", "Send application/json."));
        }
        let text = self.body.expose();
        serde_json::from_str(text).map_err(|error| match error.classify() {
            serde_json::error::Category::Data => {
                Refusal::new(422, "invalid", format!("The body does not fit: {error}."))
            }
            _ => Refusal::new(400, "malformed", "The body is not JSON."),
        })
    }

    /// The fields of a form, without the CSRF token.
    ///
    /// # Errors
    /// Another content type, a field that is not in `known`, one that occurs twice, is too long or has control
    /// characters.
    pub fn form(&self, known: &[&str]) -> Result<BTreeMap<String, Secret>, Refusal> {
        let kind = self.content_type.split(';').next().unwrap_or("").trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refusal::new(415, "content_type", "Send application/x-www-form-urlencoded."));
        }
        let mut fields = BTreeMap::new();
        let mut wrong = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(self.body.expose().as_bytes()) {
            if name == "csrf_token" {
                continue;
            }
            let shown: String = name.chars().take(64).collect();
            let fault = if !known.contains(&name.as_ref()) {
                Some("There is no such field.".to_string())
            } else if value.len() > MOST_FIELD {
                Some(format!("At most {MOST_FIELD} bytes."))
            } else if value.chars().any(char::is_control) {
                Some("No control characters.".to_string())
            } else if fields.contains_key(name.as_ref()) {
                Some("Given twice.".to_string())
            } else {
                None
            };
            match fault {
                Some(why) => {
                    wrong.insert(shown, why);
                }
                None => {
                    fields.insert(name.into_owned(), Secret::new(value.into_owned()));
                }
            }
        }
        if wrong.is_empty() { Ok(fields) } else { Err(Refusal::invalid(wrong)) }
    }
}
