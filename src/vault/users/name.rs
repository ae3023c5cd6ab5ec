//! User names and e-mail addresses.

use std::fmt;

/// A name that is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not `[A-Za-z0-9._-]{3,32}`.
    #[error("a user name has 3 to 32 letters, digits, dots, underscores or hyphens")]
    Username,
    /// Not an e-mail address.
    #[error("expected an e-mail address such as name@example.com, of at most 254 characters")]
    Email,
}

/// A user name as it was entered. Names that differ in case only are the same name.
#[derive(Clone, PartialEq, Eq)]
pub struct Username(String);

impl Username {
    /// Checks a name.
    ///
    /// # Errors
    /// [`NameError::Username`].
    pub fn new(text: &str) -> Result<Username, NameError> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        if (3..=32).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Username(text.to_string()))
        } else {
            Err(NameError::Username)
        }
    }

    /// As entered.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In lower case: what two names are compared by.
    pub fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An e-mail address. It is written to, not relied on: whether it exists only a delivery can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email(String);

impl Email {
    /// Checks an address: one `@` with something on both sides, no blanks, no control characters.
    ///
    /// # Errors
    /// [`NameError::Email`].
    pub fn new(text: &str) -> Result<Email, NameError> {
        let plain = !text.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;\"".contains(c));
        let parts = text.split_once('@').is_some_and(|(name, host)| {
            !name.is_empty()
                && !host.is_empty()
                && !host.contains('@')
                && !host.starts_with('.')
                && !host.ends_with('.')
        });
        if plain && parts && text.len() <= 254 { Ok(Email(text.to_string())) } else { Err(NameError::Email) }
    }

    /// As entered.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["abc", "A.b-c_9", &"x".repeat(32)] {
            assert_eq!(Username::new(good).unwrap().as_str(), good);
        }
        let long = "x".repeat(33);
        for bad in ["", "ab", &long, "a b c", "abc\n", "\0abc", "ünicode", "a/b/c", "<abc>", "ａｂｃ", "abc\u{202e}"]
        {
            assert_eq!(Username::new(bad), Err(NameError::Username), "{bad:?}");
        }
        assert_eq!(Username::new("ALiCE").unwrap().folded(), "alice");
    }

    #[test]
    fn addresses_have_two_sides_and_nothing_that_breaks_a_header() {
        for good in ["a@b", "first.last+tag@example.com", "ü@exämple.org"] {
            assert!(Email::new(good).is_ok(), "{good}");
        }
        let long = format!("{}@example.com", "x".repeat(250));
        for bad in ["", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "a@b,c@d", "<a@b>", "a@.b", "a@b.", &long]
        {
            assert_eq!(Email::new(bad), Err(NameError::Email), "{bad:?}");
        }
    }
}
