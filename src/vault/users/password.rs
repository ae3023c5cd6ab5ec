//! Rules for new passwords.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Common passwords of 12 and more characters, with source and licence in the head of the file.
const COMMON: &str = include_str!("common_passwords.txt");

/// Fewest characters.
const FEWEST: usize = 12;
/// Most characters.
const MOST: usize = 64;
/// Most bytes: bcrypt takes 72, of which the last is the NUL that ends the password.
pub(super) const MOST_BYTES: usize = 71;

/// A password that is refused. No message repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// Fewer than 12 characters.
    #[error("a password has at least 12 characters")]
    TooShort,
    /// More than 64 characters or 71 bytes. It is never cut.
    #[error("a password has at most 64 characters, and at most 71 bytes in UTF-8")]
    TooLong,
    /// bcrypt takes a NUL for the end, and repeats what is before it.
    #[error("a password cannot contain a NUL character")]
    Nul,
    /// The name or the address.
    #[error("the password must not be the user name or the e-mail address")]
    Known,
    /// In the list.
    #[error("this password is among the most common ones; choose another")]
    Common,
}

/// A password that keeps the rules, to be hashed.
pub struct NewPassword(SecretString);

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword([REDACTED])")
    }
}

impl NewPassword {
    /// Checks a password for the user of this name and address. Any composition is allowed.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn new(password: SecretString, username: &str, email: &str) -> Result<NewPassword, PasswordError> {
        let text = password.expose_secret();
        if text.contains('\0') {
            return Err(PasswordError::Nul);
        }
        // Bytes first: a text of megabytes need not be counted.
        if text.len() > MOST_BYTES || text.chars().count() > MOST {
            return Err(PasswordError::TooLong);
        }
        if text.chars().count() < FEWEST {
            return Err(PasswordError::TooShort);
        }
        let folded = zeroize::Zeroizing::new(text.to_lowercase());
        if [username, email].iter().any(|known| *folded == known.to_lowercase()) {
            return Err(PasswordError::Known);
        }
        if is_common(&folded) {
            return Err(PasswordError::Common);
        }
        Ok(NewPassword(password))
    }

    /// The password, for the hash function.
    pub(super) fn into_secret(self) -> SecretString {
        self.0
    }
}

fn is_common(folded: &str) -> bool {
    COMMON.lines().filter(|line| !line.starts_with("# ") && *line != "#").any(|line| line == folded)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str) -> Result<(), PasswordError> {
        NewPassword::new(text.to_string().into(), "alice.the.admin", "alice@example.com").map(|_| ())
    }

    #[test]
    fn the_edges_of_length() {
        assert_eq!(check("blue kettle"), Err(PasswordError::TooShort));
        assert_eq!(check("blue kettle7"), Ok(()));
        assert_eq!(check(&"x".repeat(64)), Ok(()));
        assert_eq!(check(&"x".repeat(65)), Err(PasswordError::TooLong));
        assert_eq!(check(&"x".repeat(10_000_000)), Err(PasswordError::TooLong));
    }

    #[test]
    fn the_edge_of_bytes() {
        // 35 letters of two bytes are 70 bytes; one more byte is the most that bcrypt takes.
        assert_eq!(check(&"é".repeat(35)), Ok(()));
        assert_eq!(check(&format!("{}x", "é".repeat(35))), Ok(()));
        assert_eq!(check(&"é".repeat(36)), Err(PasswordError::TooLong));
        assert_eq!(check(&"😀".repeat(12)), Ok(()));
        assert_eq!(check(&"😀".repeat(18)), Err(PasswordError::TooLong));
        assert_eq!(check(&"😀".repeat(11)), Err(PasswordError::TooShort), "characters count, not bytes");
    }

    #[test]
    fn a_nul_is_refused_anywhere() {
        for text in ["\0blue kettle 77", "blue\0kettle 77", "blue kettle 77\0"] {
            assert_eq!(check(text), Err(PasswordError::Nul));
        }
    }

    #[test]
    fn what_everybody_knows_is_refused() {
        for text in ["alice.the.admin", "ALICE.THE.ADMIN", "alice@example.com", "Alice@Example.com"] {
            assert_eq!(check(text), Err(PasswordError::Known), "{text}");
        }
        for text in ["passwordpassword", "PassWord1234", "123456789012", "qwertyuiop123", "1qaz2wsx3edc"] {
            assert_eq!(check(text), Err(PasswordError::Common), "{text}");
        }
    }

    #[test]
    fn any_composition_is_allowed() {
        for text in ["            ", "blue kettle sings", "日本語のパスワードは長い", "tab\tand\nnewline too"]
        {
            assert_eq!(check(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn the_list_is_in_the_form_that_it_says() {
        let words: Vec<_> = COMMON.lines().filter(|line| !line.starts_with("# ") && *line != "#").collect();
        assert!(words.len() > 1000);
        for pair in words.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        for word in words {
            assert!(word.len() >= 12 && word.is_ascii() && *word == word.to_lowercase(), "{word}");
        }
    }

    #[test]
    fn no_message_and_no_debug_form_repeats_it() {
        let password = NewPassword::new("blue kettle sings".to_string().into(), "alice", "a@b").unwrap();
        assert_eq!(format!("{password:?}"), "NewPassword([REDACTED])");
    }

    proptest! {
        #[test]
        fn what_is_accepted_fits_into_bcrypt_whole(text in any::<String>()) {
            if check(&text).is_ok() {
                prop_assert!(text.len() < 72 && !text.contains('\0') && text.chars().count() >= 12);
            }
        }
    }
}
