//! What a request brings, taken apart.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::json_fault;
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

    /// Whether there is no body.
    pub fn is_empty(&self) -> bool {
        self.body.expose().is_empty()
    }

    /// A whole number of the query, if it is there.
    ///
    /// # Errors
    /// It is something else.
    pub fn optional_number(&self, name: &str) -> Result<Option<u64>, Refusal> {
        self.query(name).map(|_| self.number(name, 0, 0, u64::MAX)).transpose()
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
        serde_json::from_str(text).map_err(|error| json_fault::refusal(text, &error))
    }

    /// The fields of a form, without the CSRF token.
    ///
    /// # Errors
    /// Another content type, a field that is not in `known`, one that occurs twice, is too long or has control
    /// characters.
    pub fn form(&self, known: &[&str]) -> Result<BTreeMap<String, Secret>, Refusal> {
        let Form { fields, errors } = self.form_with_errors(known)?;
        if errors.is_empty() { Ok(fields) } else { Err(Refusal::invalid(errors)) }
    }

    /// As [`Input::form`], for a page that shows what is wrong beside what is right.
    ///
    /// # Errors
    /// Another content type.
    pub fn form_with_errors(&self, known: &[&str]) -> Result<Form, Refusal> {
        let kind = self.content_type.split(';').next().unwrap_or("").trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refusal::new(415, "content_type", "Send application/x-www-form-urlencoded."));
        }
        let mut form = Form::default();
        for (name, value) in form_urlencoded::parse(self.body.expose().as_bytes()) {
            if name == "csrf_token" {
                continue;
            }
            // Passwords have rules of their own, and no character is forbidden in them by this one.
            let free = name.contains("password");
            let fault = if !known.contains(&name.as_ref()) {
                Some("There is no such field.".to_string())
            } else if form.fields.contains_key(name.as_ref()) {
                Some("Given twice.".to_string())
            } else if value.len() > MOST_FIELD {
                Some(format!("At most {MOST_FIELD} bytes."))
            } else if value.chars().any(char::is_control) && !free {
                Some("No control characters.".to_string())
            } else {
                None
            };
            match fault {
                Some(why) => {
                    form.errors.insert(name.chars().take(64).collect(), why);
                }
                None => {
                    form.fields.insert(name.into_owned(), Secret::new(value.into_owned()));
                }
            }
        }
        Ok(form)
    }
}

/// The fields of a form, good and bad.
#[derive(Debug, Default)]
pub struct Form {
    /// By name, what was entered.
    pub fields: BTreeMap<String, Secret>,
    /// By name, why a field cannot be taken.
    pub errors: BTreeMap<String, String>,
}

impl Form {
    /// What was entered in a field, without blanks around it; empty if it is missing.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", |value| value.expose().trim())
    }

    /// A secret as it was entered, blanks included; `None` if it is missing or empty.
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.fields.get(name).filter(|value| !value.expose().is_empty())
    }
}
