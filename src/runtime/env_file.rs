//! `.env`: where keys and secrets lie, and the limits of sessions and logins. It holds no secret and exists in its
//! encrypted form only.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::vault::lockout::LockoutRule;
use crate::vault::sessions::SessionRule;

/// Variables that say where something lies. They are fixed: one place for each thing.
const PLACES: [(&str, &str); 21] = [
    ("ENVIRONMENT", "production"),
    ("CONTROL_DIR", "control"),
    ("ENV_BOT_PATH", ".env_bot"),
    ("ENV_KEY_PATH", "storage/keys/env.key"),
    ("ENV_ENC_KEY_PATH", "storage/keys/env_enc.key"),
    ("LOGIN_KEY_PATH", "storage/keys/login.key"),
    ("BROKER_KEY_PATH", "storage/keys/broker.key"),
    ("SMTP_KEY_PATH", "storage/keys/smtp.key"),
    ("SCREENER_API_KEY_PATH", "storage/keys/screener_api.key"),
    ("ACCT_API_KEY_PATH", "storage/keys/acct_api.key"),
    ("ALERT_KEY_PATH", "storage/keys/alert.key"),
    ("NETWORK_KEY_PATH", "storage/keys/network.key"),
    ("BOT_IDENTITY_KEY_PATH", "storage/keys/bot_identity.key"),
    ("BROKER_CREDENTIALS_PATH", "storage/secrets/broker_credentials.json.enc"),
    ("SMTP_CREDENTIALS_PATH", "storage/secrets/smtp_credentials.json.enc"),
    ("SCREENER_API_PATH", "storage/secrets/screener_api.json.enc"),
    ("ACCT_API_CREDENTIALS_PATH", "storage/secrets/acct_api_credentials.json.enc"),
    ("NETWORK_CONFIG_PATH", "storage/secrets/network_config.json.enc"),
    ("ALERT_CHANNELS_PATH", "storage/secrets/alert_channels.json.enc"),
    ("BOT_IDENTITY_PATH", "storage/secrets/bot_identity.json.enc"),
    ("ENV_JSON_PATH", "storage/secrets/env.json.enc"),
];

/// The four limits, as the form names them.
pub const LIMITS: [&str; 4] =
    ["session_timeout", "session_timeout_minutes", "login_attempt_limit", "login_lockout_minutes"];

/// The limits of sessions and logins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvFile {
    /// Seconds without a request after which a session ends.
    pub session_timeout: u32,
    /// Minutes after which it ends in any case.
    pub session_timeout_minutes: u32,
    /// Failed logins before a name is locked.
    pub login_attempt_limit: u32,
    /// Minutes of a lock.
    pub login_lockout_minutes: u32,
}

impl Default for EnvFile {
    fn default() -> EnvFile {
        EnvFile {
            session_timeout: 3000,
            session_timeout_minutes: 120,
            login_attempt_limit: 10,
            login_lockout_minutes: 15,
        }
    }
}

impl EnvFile {
    /// The limits of a form: by field name of [`LIMITS`], as typed; what is empty or missing has its default.
    ///
    /// # Errors
    /// By field, what is wrong.
    pub fn of_form<'a>(value: impl Fn(&str) -> Option<&'a str>) -> Result<EnvFile, BTreeMap<String, String>> {
        let mut errors = BTreeMap::new();
        let mut number = |name: &str, default: u32| match value(name).map(str::trim) {
            None | Some("") => default,
            Some(text) => text.parse().ok().filter(|_| text.bytes().all(|b| b.is_ascii_digit())).unwrap_or_else(|| {
                errors.insert(name.to_string(), "Expected a whole number.".to_string());
                default
            }),
        };
        let default = EnvFile::default();
        let [idle, absolute, limit, lockout] = LIMITS;
        let env = EnvFile {
            session_timeout: number(idle, default.session_timeout),
            session_timeout_minutes: number(absolute, default.session_timeout_minutes),
            login_attempt_limit: number(limit, default.login_attempt_limit),
            login_lockout_minutes: number(lockout, default.login_lockout_minutes),
        };
        if errors.is_empty() {
            use crate::vault::lockout::LockoutRuleError::{Limit, Minutes};
            use crate::vault::sessions::SessionRuleError::{Absolute, Idle, IdleBeyondAbsolute};
            if let Err(error) = env.session_rule() {
                let (field, why) = match error {
                    Idle(_) => (idle, "Expected 5 to 86400 seconds."),
                    Absolute(_) => (absolute, "Expected 1 to 10080 minutes."),
                    IdleBeyondAbsolute { .. } => (idle, "At most as long as the whole session may last."),
                };
                errors.insert(field.to_string(), why.to_string());
            }
            if let Err(error) = env.lockout_rule() {
                let (field, why) = match error {
                    Limit(_) => (limit, "Expected 1 to 100."),
                    Minutes(_) => (lockout, "Expected 1 to 1440 minutes."),
                };
                errors.insert(field.to_string(), why.to_string());
            }
        }
        if errors.is_empty() { Ok(env) } else { Err(errors) }
    }

    /// Reads the text of `.env`.
    ///
    /// # Errors
    /// A line is no assignment, or a limit is missing or out of its range. The message names the variable.
    pub fn parse(text: &str) -> Result<EnvFile, String> {
        let mut values = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (name, value) = line.split_once('=').ok_or("a line of .env is not NAME=VALUE")?;
            values.insert(name.trim(), value.trim());
        }
        let missing = LIMITS.iter().find(|name| !values.contains_key(name.to_uppercase().as_str()));
        if let Some(name) = missing {
            return Err(format!("{} is missing in .env", name.to_uppercase()));
        }
        EnvFile::of_form(|name| values.get(name.to_uppercase().as_str()).copied()).map_err(|errors| {
            let wrong: Vec<String> =
                errors.iter().map(|(name, why)| format!("{} in .env: {why}", name.to_uppercase())).collect();
            wrong.join("; ")
        })
    }

    /// The text of `.env`.
    pub fn to_text(self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        for (name, value) in PLACES {
            let _ = writeln!(text, "{name}={value}");
        }
        for (name, value) in LIMITS.iter().zip(self.numbers()) {
            let _ = writeln!(text, "{}={value}", name.to_uppercase());
        }
        text
    }

    /// In the order of [`LIMITS`].
    pub fn numbers(self) -> [u32; 4] {
        [self.session_timeout, self.session_timeout_minutes, self.login_attempt_limit, self.login_lockout_minutes]
    }

    /// How long sessions live.
    ///
    /// # Errors
    /// A number is out of its range.
    pub fn session_rule(self) -> Result<SessionRule, crate::vault::sessions::SessionRuleError> {
        SessionRule::new(self.session_timeout, self.session_timeout_minutes)
    }

    /// When a name is locked, and for how long.
    ///
    /// # Errors
    /// A number is out of its range.
    pub fn lockout_rule(self) -> Result<LockoutRule, crate::vault::lockout::LockoutRuleError> {
        LockoutRule::new(self.login_attempt_limit, self.login_lockout_minutes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let env = EnvFile { session_timeout: 5, session_timeout_minutes: 1, ..EnvFile::default() };
        assert_eq!(EnvFile::parse(&env.to_text()), Ok(env));
        let text = EnvFile::default().to_text();
        assert!(text.contains("\nSESSION_TIMEOUT=3000\nSESSION_TIMEOUT_MINUTES=120\n"));
        assert!(text.contains("\nLOGIN_ATTEMPT_LIMIT=10\nLOGIN_LOCKOUT_MINUTES=15\n"));
    }

    #[test]
    fn places_are_those_where_the_vault_keeps_its_files() {
        use crate::vault::{Category, SecretFile};
        let known: Vec<String> = Category::ALL
            .into_iter()
            .map(Category::key_path)
            .chain(SecretFile::ALL.into_iter().map(|file| file.path().to_string()))
            .collect();
        for (name, path) in PLACES.iter().filter(|(_, path)| path.contains("storage/")) {
            assert!(known.iter().any(|known| known == path), "{name}={path}");
        }
    }

    #[test]
    fn limits_outside_their_ranges_are_refused_by_name() {
        let wrong = [
            ("session_timeout", "4"),
            ("session_timeout", "86401"),
            ("session_timeout", "-5"),
            ("session_timeout", "7201"),
            ("session_timeout_minutes", "0"),
            ("session_timeout_minutes", "10081"),
            ("login_attempt_limit", "0"),
            ("login_attempt_limit", "101"),
            ("login_attempt_limit", "+5"),
            ("login_lockout_minutes", "1441"),
            ("login_lockout_minutes", "1.5"),
        ];
        for (field, value) in wrong {
            let errors = EnvFile::of_form(|name| (name == field).then_some(value)).unwrap_err();
            assert_eq!(errors.keys().collect::<Vec<_>>(), [field], "{value}");
        }
        assert_eq!(EnvFile::of_form(|_| Some("")), Ok(EnvFile::default()));
        let missing = EnvFile::default().to_text().replace("LOGIN_ATTEMPT_LIMIT=10\n", "");
        assert_eq!(EnvFile::parse(&missing), Err("LOGIN_ATTEMPT_LIMIT is missing in .env".to_string()));
    }
}
