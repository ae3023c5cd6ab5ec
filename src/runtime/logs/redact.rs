//! Masking what looks like a secret in a text for a log.
//!
//! Secrets are types that cannot be printed, so none should come this far. This is the net below: it knows the forms
//! that our own secrets have, and words that stand before a value that must not be shown.

/// Words, in any case, whose value is masked, after `=` or `:`.
const NAMES: [&str; 9] =
    ["password", "passphrase", "passwd", "secret", "token", "authorization", "cookie", "api_key", "apikey"];
/// More words of that kind, at the end of a name.
const ENDINGS: [&str; 4] = ["_key", "-key", "_webhook_url", "-key-id"];
/// Beginnings of texts that are secrets themselves: Fernet tokens, bcrypt hashes.
const FORMS: [&str; 4] = ["gAAAA", "$2b$", "$2a$", "$2y$"];
/// What stands for a secret.
const MASK: &str = "[REDACTED]";

/// The text with values masked that look like secrets.
pub fn redacted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // The name before the last `=` or `:`, and whether its value is to be masked.
    let mut masking = false;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !is_of_word(c)).unwrap_or(rest.len());
        if end == 0 {
            let c = rest.chars().next().unwrap_or(' ');
            // A value ends with the line, a comma or a closing mark; blanks and quotes may stand before it.
            if matches!(c, '\n' | ',' | ';' | '&' | '}' | ')' | '|') {
                masking = false;
            }
            out.push(c);
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(end);
        rest = after;
        let follows = after.trim_start_matches(['"', '\'', ' ']);
        let is_name = follows.starts_with(['=', ':']) && !follows.starts_with("://");
        if is_name {
            masking = is_secret_name(word);
            out.push_str(word);
        } else if masking || FORMS.iter().any(|form| word.starts_with(form)) || is_bearer(&out) {
            if !out.trim_end_matches([' ', '"', '\'']).ends_with(MASK) || !masking {
                out.push_str(MASK);
            }
        } else {
            out.push_str(&without_userinfo(word));
        }
    }
    out
}

/// Characters of a name, a token, a URL.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '/' | '+' | '@' | '%' | '#' | '!' | '*' | '^' | '~')
}

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    NAMES.iter().any(|word| name.contains(word)) || ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn is_bearer(before: &str) -> bool {
    let before = before.trim_end();
    ["bearer", "basic"].iter().any(|scheme| before.to_ascii_lowercase().ends_with(scheme))
}

/// `//user:password@host` without the part before `@`.
fn without_userinfo(word: &str) -> String {
    match (word.starts_with("//"), word.rfind('@')) {
        (true, Some(at)) => format!("//{MASK}{}", &word[at..]),
        _ => word.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_after_telling_names_are_masked() {
        for (text, expected) in [
            ("password=hunter2", "password=[REDACTED]"),
            ("PASSWORD: hunter2, user: bob", "PASSWORD: [REDACTED], user: bob"),
            (r#"{"broker_api_key":"abc","id":7}"#, r#"{"broker_api_key":"[REDACTED]","id":7}"#),
            ("Authorization: Bearer abc.def-ghi", "Authorization: [REDACTED] "),
            ("APCA-API-KEY-ID: PK123", "APCA-API-KEY-ID: [REDACTED]"),
            ("the order 7 of AAA was rejected: no buying power", "the order 7 of AAA was rejected: no buying power"),
            ("key=5 monkey=6", "key=5 monkey=6"),
        ] {
            assert_eq!(redacted(text).trim_end(), expected.trim_end(), "{text}");
        }
    }

    #[test]
    fn secrets_are_known_by_their_form() {
        let token = "gAAAAABmZm9vYmFyZm9vYmFyZm9vYmFy";
        let text = redacted(&format!("found {token} in x and $2b$12$abcdefghijklmnopqrstuu here"));
        assert_eq!(text, "found [REDACTED] in x and [REDACTED] here");
        assert_eq!(redacted("sent Bearer abc123 today"), "sent Bearer [REDACTED] today");
    }

    proptest! {
        #[test]
        fn a_password_never_comes_through(before in "[ -~]{0,20}", value in "[A-Za-z0-9_]{6,20}") {
            let text = redacted(&format!("{before}\npassword={value}"));
            prop_assert!(!text.ends_with(&value), "{}", text);
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>()) {
            let _ = redacted(&text);
        }
    }
}
